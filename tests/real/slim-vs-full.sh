#!/bin/bash
# Slim images from the real wheels, beside full ones: what is missing is what the rules say, PyTorch computes, pip finds
# nothing to say, and every module that can be imported in the full image can be in the slim one.
# SPDX-License-Identifier: Apache-2.0
# shellcheck source=tests/real/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
need umoci python3 zcat
[ "$(id -u)" = 0 ] || skip "chroot needs root"
scratch
cd "$work"

recipe() { # VERSION CUDA VARIANT
    printf 'pytorch: "%s"\ncuda: "%s"\nvariant: %s\npip: ["numpy<2.3"]\n' "$@"
}

inside() {
    env -i PATH=/opt/venv/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/root "$(command -v chroot)" "$work/root" "$@"
}

# The blobs of an image's layers, bottom first.
layers() {
    python3 - "$1" <<'EOF'
import json, sys
blob = lambda digest: "images/blobs/" + digest.replace(":", "/")
index = json.load(open("images/index.json"))["manifests"]
tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in index}
for layer in json.load(open(blob(tags[sys.argv[1]])))["layers"]:
    print(blob(layer["digest"]))
EOF
}

# Imports every module of these packages but tests; a line each, good or bad and why.
cat >walk.py <<'EOF'
import importlib, os, sys, warnings
warnings.simplefilter("ignore")
site = [p for p in sys.path if p.endswith("site-packages")][0]
out, sys.stdout = sys.stdout, sys.stderr
for package in "torch torchgen triton numpy sympy networkx mpmath".split():
    for root, dirs, files in os.walk(os.path.join(site, package)):
        dirs[:] = sorted(d for d in dirs if d != "tests" and d.isidentifier())
        for name in sorted(f[:-3] for f in files if f.endswith(".py") and f != "__main__.py" and f[:-3].isidentifier()):
            parts = os.path.relpath(os.path.join(root, name), site).split("/")
            module = ".".join(parts[:-1] if name == "__init__" else parts)
            try:
                importlib.import_module(module)
                print("good", module, file=out)
            except BaseException as e:
                print("bad", module, type(e).__name__, str(e).splitlines()[:1], file=out)
EOF

check() { # VERSION CUDA VARIANT
    recipe "$@" >full.yaml
    (cat full.yaml && echo "slim: true") >slim.yaml
    for what in full slim; do
        rm -f "$what.lock"
        "$envbuild" build -q -o "oci:images:$what" "$what.yaml" >/dev/null 2>"$what.err" ||
            fail "$1 $3, $what: $(cat "$what.err")"
        "$envbuild" explain "$what.lock" | sed -n '/ in all/p; /^slim/,/^from/{/^from/!p;}'
    done

    rm -rf root
    umoci raw unpack --image images:slim root >/dev/null 2>&1 || fail "umoci unpack"
    mount -t proc proc root/proc
    mkdir -p root/dev/shm
    mknod -m 666 root/dev/null c 1 3
    mknod -m 666 root/dev/urandom c 1 9
    cp walk.py root/tmp/
    inside python -c '
import torch
a = torch.arange(250000.0).reshape(500, 500)
assert torch.allclose(a @ torch.eye(500), a)
assert torch.compile(lambda x: (x @ x).relu(), backend="aot_eager")(torch.ones(3, 3)).sum() == 27
' || fail "$1 $3: PyTorch does not compute"
    inside pip check >out || fail "$1 $3: pip check: $(cat out)"
    ok "$1 $3: PyTorch computes, pip check is content"
    if [ "$3" = compile ]; then
        inside python -c '
import torch, triton.backends
assert {"amd", "nvidia"} <= set(triton.backends.backends), triton.backends.backends
assert torch.compile(lambda x: (x @ x).relu() + 1)(torch.ones(3, 3)).sum() == 36
' || fail "$1 $3: torch.compile"
        cat >root/tmp/kernel.py <<'EOF'
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget

@triton.jit
def double(to, of, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(to + at, tl.math.exp(tl.load(of + at, mask=at < n)) * 2, mask=at < n)

source = triton.compiler.ASTSource(double, {"to": "*fp32", "of": "*fp32", "n": "i32", "BLOCK": "constexpr"}, {"BLOCK": 128})
assert triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["cubin"][:4] == b"\x7fELF"
EOF
        inside python /tmp/kernel.py || fail "$1 $3: a kernel of Triton's"
        ok "$1 $3: torch.compile works, Triton has its backends and compiles for a GPU"
    fi
    inside python - <<'EOF' || fail "$1 $3: RECORD"
import importlib.metadata, os
for dist in importlib.metadata.distributions():
    for f in dist.files:
        assert os.path.exists(f.locate()), f
EOF
    inside python -u /tmp/walk.py >walk.slim 2>/dev/null

    # What the full image has besides.
    find root -xdev ! -type d ! -path root/tmp/\* ! -name '*.pyc' | sort >files.slim
    layers slim >layers.slim
    layers full | grep -vxFf layers.slim >layers.full
    while read -r layer; do
        zcat "$layer" | tar -x --skip-old-files -C root
    done <layers.full
    find root -xdev ! -type d ! -path root/tmp/\* ! -name '*.pyc' | sort >files.full
    comm -13 files.slim files.full >gone
    [ -z "$(comm -23 files.slim files.full)" ] || fail "$1 $3: slim has more than full"
    counted=$(python3 -c 'import json; print(sum(r["files"] for r in json.load(open("slim.lock"))["built"]["slim"]))')
    [ "$(wc -l <gone)" = "$counted" ] || fail "$1 $3: $(wc -l <gone) files are missing, the lock has $counted"
    ok "$1 $3: $counted files are missing, as the lock says, and RECORD names none that is"

    inside python -u /tmp/walk.py >walk.full 2>/dev/null
    [ "$(grep -c ^good walk.full)" -gt 2000 ] || fail "$1 $3: few modules: $(wc -l <walk.full)"
    diff walk.full walk.slim || fail "$1 $3: modules that cannot be imported"
    ok "$1 $3: $(grep -c ^good walk.slim) modules can be imported, as in the full image"
    umount root/proc
}

check 2.6.0 12.4 runtime
[ -z "${ALL:-}" ] || check 2.15.0 13.2 compile
