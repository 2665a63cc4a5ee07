# SPDX-License-Identifier: Apache-2.0
"""One lock gives the same bytes, wherever, whenever and by whomever it is built. As lib.py."""
import os, shutil, subprocess

from lib import GOLD, PATIENCE, Skip, blobs, build, check_layout, end, golden, locked, printed, read, scenario, start


@scenario
def layout_is_valid(stage):
    golden(stage)


@scenario
def same_bytes_everywhere(stage):
    digest, want = golden(stage)
    for name, args, how in [("another folder", (), {}), ("umask", (), {"wrap": ["sh", "-c", "umask 077; exec \"$@\"", "-"]}),
                            ("zone", (), {"TZ": "Asia/Kathmandu"}), ("locale", (), {"LC_ALL": "C.UTF-8"}), ("-j1", ("-j1",), {}),
                            ("-j4", ("-j4", "--downloads", "1"), {}), ("home", (), {"HOME": "/nonexistent"})]:
        path = stage.fresh()
        assert build(stage, path, *args, **how) == digest, name
        assert blobs(path + "/images") == want, name


@scenario
def same_bytes_as_another_user(stage):
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("only root can become somebody else")
    digest, want = golden(stage)
    path = stage.fresh()
    program = shutil.copy(stage.envbuild, path)
    os.chmod(stage.top, 0o755)
    for name in [path, *(os.path.join(path, n) for n in os.listdir(path))]:
        os.chmod(name, 0o777)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "build", "-q",
                           "--index", stage.index, "recipe.yaml"], cwd=path, env=stage.env(path), capture_output=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
    assert printed(path, done.stdout.decode()) == digest
    assert blobs(path + "/images") == want


@scenario
def same_bytes_at_another_time(stage):
    if not shutil.which("faketime"):
        raise Skip("faketime is not installed")
    digest, _ = golden(stage)
    # Under AddressSanitizer, which wants to be loaded first, faketime is let in before it.
    wrap = ["env", "ASAN_OPTIONS=verify_asan_link_order=0", "faketime", "2031-01-01"]
    assert build(stage, stage.fresh(), wrap=wrap) == digest


@scenario
def lock_into_empty_store(stage):
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path, "--locked") == digest
    assert read(path, "recipe.lock") == GOLD["lock"], "--locked changed the lock"
    assert blobs(path + "/images") == want


@scenario
def two_at_once(stage):
    digest, want = golden(stage)
    for outputs in (("oci:images", "oci:images"), ("oci:a", "oci:b")):
        path = stage.fresh()
        both = [start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", o) for o in outputs]
        for p, o in zip(both, outputs):
            code, out, err = end(p)
            assert code == 0 and printed(path, out) == digest, f"{o}: {code} {err}"
        for o in set(outputs):
            assert check_layout(os.path.join(path, o[4:]), digest) == want
