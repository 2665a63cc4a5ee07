# SPDX-License-Identifier: Apache-2.0
"""Scenarios on images for another processor than the machine's."""
from base_image import image
from lib import end, scenario, start


@scenario
def an_image_of_others_runs_on_its_own_processor(stage):
    path = stage.fresh()
    for arch, other in ("arm64", "amd64"), ("amd64", "arm64"):
        image(path, arch=arch)
        code, out, err = end(start(stage, path, "check", "oci:base", "--driver", "580.95.05", "--gpu", "B200", "--arch", arch))
        assert code == 0 and "runs" in out, out + err
        code, out, err = end(start(stage, path, "check", "oci:base", "--driver", "580.95.05", "--gpu", "B200", "--arch", other))
        assert code == 1 and f"the image is for {arch}, and the machine is {other} [other-architecture]" in out, out + err
        code, out, err = end(start(stage, path, "check", "oci:base", "--driver", "580.95.05", "--gpu", "NVIDIA GB10"))
        assert code == (arch == "amd64"), out + err
