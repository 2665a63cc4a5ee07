#!/bin/bash
# `bytecode: true`, with real wheels: each module has what a Python of its own makes of it, elsewhere it is the same, imports use
# it, and pip removes it. With ALL=1 what it costs and saves for `import torch` (3 GB of downloads, 12 GB of the disk).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
need_sealed
scratch
cd "$work"
export XDG_CACHE_HOME=$work/one

printf 'pytorch: none\nname: small\ntag: v1\npip: [numpy, networkx]\nbytecode: true\n' >x.yaml
"$envbuild" build -q x.yaml -o oci:one/img >/dev/null || fail "build"
mkdir two
cp x.yaml x.lock two/
(cd two && umask 077 && TZ=Asia/Tokyo LC_ALL=C PYTHONHASHSEED=7 XDG_CACHE_HOME=$work/two/cache taskset -c 0 "$envbuild" build -q -j 1 --locked x.yaml \
    -o oci:img >/dev/null) || fail "build elsewhere"
cmp -s one/img/index.json two/img/index.json || fail "another place makes another image"
rm -rf two
ok "another folder and store, zone, umask and one core give the same image"

# COMMAND...: with the root $root, in which nothing can be written.
in_image() {
    bwrap --unshare-all --ro-bind "$root" / --proc /proc --dev /dev --tmpfs /tmp --setenv LC_ALL C.UTF-8 "$@"
}
unpack_image one/img small:v1 root || fail "unpack"
root=root
cat >root/check.py <<'PYTHON'
import importlib.util, os, random, struct, subprocess, sys
site = "/opt/venv/lib/python3.11/site-packages"
modules = sorted(os.path.join(folder, name) for folder, _, names in os.walk(site) for name in names if name.endswith(".py"))
for module in modules:
    with open(importlib.util.cache_from_source(module), "rb") as f:
        head = f.read(16)
    assert head[:4] == importlib.util.MAGIC_NUMBER and struct.unpack("<I", head[4:8])[0] == 1, module
    with open(module, "rb") as f:
        assert head[8:] == importlib.util.source_hash(f.read()), module
one = "import py_compile, sys; py_compile.compile(sys.argv[1], '/tmp/x.pyc', sys.argv[1], True, \
invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
for module in random.Random(1).sample(modules, 50):
    subprocess.run([sys.executable, "-s", "-S", "-B", "-W", "ignore", "-c", one, module], check=True, env={"PYTHONHASHSEED": "0"})
    with open("/tmp/x.pyc", "rb") as fresh, open(importlib.util.cache_from_source(module), "rb") as ours:
        assert fresh.read() == ours.read(), module
print(len(modules))
PYTHON
in_image /opt/venv/bin/python /check.py >said 2>&1 || fail "$(tail -5 said)"
ok "all $(cat said) modules are compiled, as by a process that compiles nothing else"
in_image /opt/venv/bin/python -v -c 'import networkx' >said 2>&1 || fail "import"
grep -q "code object from '/opt/venv/.*/networkx/.*pyc'" said || fail "networkx's bytecode is not taken"
! grep -q 'code object from /opt/venv' said || fail "a module is compiled: $(grep -m1 'code object from /opt/venv' said)"
ok "imports take it"
bwrap --unshare-all --bind root / --proc /proc --dev /dev --tmpfs /tmp /opt/venv/bin/python -m pip uninstall -qqy networkx || fail "pip uninstall"
[ ! -e root/opt/venv/lib/python3.11/site-packages/networkx ] || fail "pip leaves $(find root/opt/venv/lib/python3.11/site-packages/networkx | head -3)"
ok "pip removes it with the package"
rm -rf root one/img

[ -n "${ALL:-}" ] || { echo "skipped: what it saves for torch is of the longer run (ALL=1)"; exit 0; }
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nname: torch\ntag: v1\npip: [numpy]\nbytecode: true\n' >x.yaml
cp -rl "${HOME}/.cache/envbuild/blobs" one/envbuild/ 2>/dev/null || true # it may be in the user's store
start=$(date +%s)
"$envbuild" build -q x.yaml -o oci:img >/dev/null || fail "torch"
"$envbuild" explain x.yaml | grep '^  bytecode'
echo "built in $(($(date +%s) - start)) s"
unpack_image img torch:v1 root || fail "unpack"
rm -rf img
# Seconds of the processor, the least of five.
import_torch() {
    for _ in 1 2 3 4 5; do in_image /opt/venv/bin/python -c 'import time, torch; print("%.2f" % time.process_time())'; done | sort -n | head -1
}
with=$(import_torch)
find root/opt/venv -name __pycache__ -prune -exec rm -rf {} +
without=$(import_torch)
echo "import torch: $with s with bytecode, $without s without"
python3 -c "import sys; sys.exit($with >= $without)" || fail "bytecode saves nothing"
ok "torch is imported faster"
