#!/bin/bash
# Other releases and the compile variant, for real: layers shared between 2.5.1 and 2.6.0, the newest
# PyTorch, gcc and torch.compile inside, podman and umoci. Long: not part of CI; `make check-long` runs it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
cp "$top"/recipes/*.yaml "$work/"
start_docker || skip "the container checks need root and a Docker daemon that starts"

build() {
    "$envbuild" build -q "$work/$1.yaml" -o "oci:$work/images" >/dev/null || fail "build $1"
}

load() {
    "$envbuild" build -q --locked --offline "$work/$1.yaml" -o docker: >/dev/null || fail "load $1"
}

versions() {
    in_container "$1" python -W ignore -c '
import torch
a = torch.ones(64, 64) @ torch.ones(64, 64)
assert a.sum().item() == 64 ** 3
print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())'
}

build pytorch-2.6.0-cuda12.4-cudnn9-runtime
build pytorch-2.5.1-cuda12.4-cudnn9-runtime
python3 - "$work" <<'END' || fail "CUDA layers are not shared"
import json, sys
def layers(name):
    built = json.load(open(f"{sys.argv[1]}/pytorch-{name}-cuda12.4-cudnn9-runtime.lock"))["built"]
    return {l["name"]: l["digest"] for l in built["layers"]}
a, b = layers("2.6.0"), layers("2.5.1")
common = [n for n in a if n in b and (n.startswith("nvidia-") or n in ("cuda", "base", "python"))]
assert len(common) >= 10, common
for n in common:
    assert a[n] == b[n], n
END
ok "2.5.1 and 2.6.0 share every CUDA library layer byte for byte"
load pytorch-2.5.1-cuda12.4-cudnn9-runtime
[ "$(versions pytorch:2.5.1-cuda12.4-cudnn9-runtime)" = "2.5.1+cu124 12.4 90100" ] || fail "2.5.1 runs"
"$docker" rmi -f pytorch:2.5.1-cuda12.4-cudnn9-runtime >/dev/null
ok "2.5.1 runs"

build pytorch-2.15.0-cuda13.2-cudnn9-runtime
load pytorch-2.15.0-cuda13.2-cudnn9-runtime
[ "$(versions pytorch:2.15.0-cuda13.2-cudnn9-runtime)" = "2.15.0+cu132 13.2 92600" ] ||
    fail "2.15.0 says $(versions pytorch:2.15.0-cuda13.2-cudnn9-runtime)"
in_container pytorch:2.15.0-cuda13.2-cudnn9-runtime pip check >"$work/out" || fail "pip check: $(cat "$work/out")"
"$docker" rmi -f pytorch:2.15.0-cuda13.2-cudnn9-runtime >/dev/null
ok "2.15.0 runs"

build pytorch-2.6.0-cuda12.4-cudnn9-compile
load pytorch-2.6.0-cuda12.4-cudnn9-compile
compile=pytorch:2.6.0-cuda12.4-cudnn9-compile
in_container $compile sh -ec 'echo "int main(void){return 42;}" >x.c; gcc -o x x.c; ./x || test $? = 42' ||
    fail "gcc inside"
ok "gcc compiles a program that runs"
in_container $compile sh -ec 'test -z "$(dpkg --audit)"; apt-get check -qq' || fail "dpkg, apt"
in_container $compile python -W ignore -c '
import torch
f = torch.compile(lambda x: torch.sin(x) + torch.cos(x))
x = torch.rand(100)
assert torch.allclose(f(x), torch.sin(x) + torch.cos(x))' || fail "torch.compile"
ok "torch.compile works on the CPU"
# Nobody's uid, with a group that may write and with none: no passwd entry tells a name or a home.
for who in 1234567:0 1234567:1234567; do
    in_container -u "$who" "$compile" python -W ignore -c '
import getpass, os, torch
f = torch.compile(lambda x: torch.sin(x) + torch.cos(x))
x = torch.randn(1000)
assert torch.allclose(f(x), torch.sin(x) + torch.cos(x), atol=1e-5)
if os.getgid() == 0:
    for folder in os.environ["HOME"], os.getcwd():
        open(folder + "/a.ipynb", "w").write("{}")' || fail "torch.compile as $who"
done
ok "torch.compile works for any uid, and home and work folder take a notebook"

"$docker" rmi -f $compile >/dev/null
cp -r "$top/examples/ml-101" "$work/"
"$envbuild" build -q "$work/ml-101/ml-101.yaml" -o docker: >/dev/null || fail "build the example"
class=ml-101:2.6.0-cuda12.4-cudnn9-runtime
[ "$(in_container $class sh -c 'id -un; pwd; echo $HOME; stat -c %U /opt/notebooks/hello.ipynb')" = "student
/workspace
/home/student
root" ] || fail "user and files of the example"
in_container $class sh -c 'touch mine && git --version && jupyter lab --version && python -c "import numpy, matplotlib"' \
    >"$work/out" 2>&1 || fail "the example: $(cat "$work/out")"
in_container $class pip check >"$work/out" || fail "pip check: $(cat "$work/out")"
"$docker" rmi -f $class >/dev/null
ok "the class example runs as its student, with its notebooks"

if command -v podman >/dev/null; then
    export CONTAINERS_STORAGE_CONF=$work/storage.conf
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/podman" "$work/podman-run" \
        >"$CONTAINERS_STORAGE_CONF"
    "$envbuild" build -q --locked --offline "$work/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" -o podman: \
        >/dev/null || fail "podman:"
    podman --cgroup-manager=cgroupfs --events-backend=file --runtime runc run --rm --network=none \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        pytorch:2.6.0-cuda12.4-cudnn9-runtime python -W ignore -c 'import torch; print(torch.__version__)' \
        >"$work/out" 2>"$work/err" || fail "podman run: $(tail -3 "$work/err")"
    [ "$(cat "$work/out")" = "2.6.0+cu124" ] || fail "podman run says $(cat "$work/out")"
    ok "podman loads and runs it"
else
    echo "skipped: podman is not installed"
fi
