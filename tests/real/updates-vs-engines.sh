#!/bin/sh
# What an update costs those who have last week's image: its bytes are counted at Debian's docker-registry, as Docker's classic
# store and containerd pull them: one small package more at most 16 MiB, with bytecode too, of which a delta has what is new. A real
# recipe without PyTorch, whose layers stand below all that changes here.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need docker-registry python3 gpgv
scratch
cd "$work"
limit=$((16 * 1024 * 1024))

open_registry

# NAME LINE: two images of that name; what the second costs as planned.
images() {
    image=$registry/$1
    rm -f old.lock new.lock
    printf 'pytorch: none\nname: %s\nbase: debian-12\npython: "3.11"\npip: [numpy, pandas, matplotlib, jupyterlab, tqdm]\n%s\n' "$1" "$2" >old.yaml
    sed 's/tqdm\]/tqdm, seaborn]/' old.yaml >new.yaml
    "$envbuild" build -q old.yaml -o "docker://$image:old" >/dev/null || fail "build old.yaml"
    cp old.lock new.lock
    "$envbuild" lock -q new.yaml >/dev/null || fail "lock new.yaml"
    "$envbuild" build -q new.yaml -o "docker://$image:new" >/dev/null || fail "build new.yaml"
    "$top/tests/bench/pulls.py" old.lock new.lock || fail "pulls.py"
}

# LINES: bytes of blobs that the registry has sent since its log had so many lines.
sent() {
    tail -n +"$(($1 + 1))" registry.log | python3 -c '
import re, sys
rows = re.findall(r"\"GET /v2/\S+/blobs/\S+ HTTP/[0-9.]+\" 200 (\d+)", sys.stdin.read())
print(sum(map(int, rows)))'
}

# ENGINE COMMAND...: pulls the old image, then the new one, with the command and the reference; what each costs.
pulls() {
    local engine=$1 from first more
    shift
    from=$(wc -l <registry.log)
    "$@" "$image:old" >said 2>&1 || fail "$engine: $(tail -3 said)"
    first=$(sent "$from")
    from=$(wc -l <registry.log)
    "$@" "$image:new" >said 2>&1 || fail "$engine: $(tail -3 said)"
    more=$(sent "$from")
    [ "$first" -gt "$limit" ] || fail "$engine: the first pull has $first bytes"
    [ "$more" -gt 0 ] && [ "$more" -le "$limit" ] || fail "$engine: seaborn costs $more bytes after $first"
    ok "$engine: $first bytes, and $more for seaborn"
}

has_docker=no has_containerd=no
start_docker && has_docker=yes || echo "skipped: Docker"
start_containerd && has_containerd=yes || echo "skipped: containerd"

# The images of `image`, by each engine, which has nothing of them before and after.
engines() {
    if [ $has_docker = yes ]; then
        pulls "Docker $("$docker" info --format '{{.Driver}}')$1" "$docker" pull -q
        "$docker" run --rm --network none "$image:new" python -c 'import seaborn' 2>said || [ -n "$(grep -i 'operation not permitted\|cgroup\|mount' said)" ] ||
            fail "seaborn is not there: $(tail -3 said)"
        "$docker" rmi -f "$image:old" "$image:new" >/dev/null || fail "docker rmi"
    fi
    if [ $has_containerd = yes ]; then
        pulls "containerd$1" ctr -a "$work/containerd.sock" images pull --snapshotter overlayfs --plain-http
        ctr -a "$work/containerd.sock" images rm --sync "$image:old" "$image:new" >/dev/null || fail "ctr images rm"
    fi
}
images class ''
engines ''

# What it is compiled to is above its own layer. Not of the wheel's size: a module's bytecode is about twice the module.
if [ -z "${ALL:-}" ]; then
    echo "skipped: the same with bytecode, without ALL=1"
elif (need_sealed) >said; then
    images class-bytecode 'bytecode: true'
    engines ", with bytecode"
    "$envbuild" delta "docker://$image:old" "docker://$image:new" -o delta >/dev/null || fail "delta"
    own=$(python3 -c '
import json
lock = json.load(open("new.lock"))
wheel = next(a["size"] for a in lock["artifacts"] if a["name"] == "seaborn")
print(wheel + next(b["size"] for a, b in zip(lock["layers"], lock["built"]["layers"]) if a["name"] == "asked-512k-bytecode"))')
    size=$(stat -c %s delta)
    [ "$size" -le $((own * 3 / 2 + 200000)) ] || fail "seaborn and its bytecode have $own bytes, the delta $size"
    ok "a delta of $size bytes for seaborn and its bytecode, $own"
else
    cat said
fi
[ "$passed" -gt 0 ] || skip "neither Docker nor containerd starts here"
