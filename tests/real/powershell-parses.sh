#!/bin/bash
# The scripts for Windows, as `bundle` and `serve` write them, are PowerShell by the grammar of tree-sitter: no PowerShell can be
# had from Debian or PyPI, so none runs them. A script with a fault must be told. Needs PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 curl gpgv
scratch
cd "$work"
python3 -m venv venv && venv/bin/pip install -q tree-sitter==0.25.2 tree-sitter-powershell==0.26.4 >&2 || {
    echo "skipped: tree-sitter-powershell is not to be had, so nobody parses the scripts for Windows"
    exit 0
}
cat >parse.py <<'END'
import sys, tree_sitter, tree_sitter_powershell

parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def faults(node):
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point[0] + 1}: {node.text.decode()[:80]}"
    for child in node.children:
        yield from faults(child)


found = [fault for name in sys.argv[1:] for fault in faults(parser.parse(open(name, "rb").read()).root_node)]
print(*found, sep="\n", end="\n" if found else "")
sys.exit(bool(found))
END
start_world
cp world/base.yaml world/base.gpg .
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\nindexes: [%s]\nports: [8888]\n' "$index" >recipe.yaml
"$envbuild" build -q --store store recipe.yaml >/dev/null || fail "build"
"$envbuild" bundle -q --store store recipe.yaml -o stick >/dev/null || fail "bundle"
venv/bin/python parse.py stick/load.ps1 || fail "load.ps1"
ok "load.ps1"
for code in '' right-code.7; do
    env ${code:+ENVBUILD_CODE=$code} "$envbuild" serve --store store --listen 127.0.0.1:0 >said 2>err &
    own_pids="${own_pids:-} $!"
    until_said "$!" said pytorch || fail "serve: $(cat err)"
    printf 'user = "class:%s"\n' "$code" | curl -sfK - -o get.ps1 "http://$(sed 's,/.*,,; q' said)/get.ps1" || fail "get.ps1"
    venv/bin/python parse.py get.ps1 || fail "get.ps1"
    ok "get.ps1${code:+ with a key}"
done
for cut in 's/^}$//' "s/throw '/throw ('/" 's/foreach (/foreach /'; do
    sed "$cut" stick/load.ps1 >broken.ps1
    cmp -s broken.ps1 stick/load.ps1 && fail "$cut changes nothing"
    if venv/bin/python parse.py broken.ps1 >/dev/null; then fail "a fault is not seen: $cut"; fi
done
ok "faults are seen"
