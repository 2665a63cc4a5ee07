#!/bin/sh
# What an update costs those who have last week's image: its bytes are counted at Debian's docker-registry, as Docker's classic
# store and containerd pull them: one small package more at most 16 MiB. A real recipe without PyTorch, whose layers stand below
# all that changes here.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need docker-registry python3 gpgv
scratch
cd "$work"
limit=$((16 * 1024 * 1024))

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    printf 'version: 0.1\nlog: {accesslog: {disabled: false}, level: info}\nstorage: {filesystem: {rootdirectory: %s/registry}}\n' "$work"
    printf 'http: {addr: "127.0.0.1:%s", secret: tests}\n' "$port"
} >registry.yml
docker-registry serve registry.yml >registry.log 2>&1 &
own_pids="${own_pids:-} $!"
until_said $! registry.log "listening on" || fail "no registry: $(cat registry.log)"
image=localhost:$port/class

printf 'pytorch: none\nname: class\nbase: debian-12\npython: "3.11"\npip: [numpy, pandas, matplotlib, jupyterlab, tqdm]\n' >old.yaml
sed 's/tqdm\]/tqdm, seaborn]/' old.yaml >new.yaml
"$envbuild" build -q old.yaml -o "docker://$image:old" >/dev/null || fail "build old.yaml"
cp old.lock new.lock
"$envbuild" lock -q new.yaml >/dev/null || fail "lock new.yaml"
"$envbuild" build -q new.yaml -o "docker://$image:new" >/dev/null || fail "build new.yaml"
"$top/tests/bench/pulls.py" old.lock new.lock >pulls || fail "pulls.py"

# LINES: bytes of blobs that the registry has sent since its log had so many lines.
sent() {
    tail -n +"$(($1 + 1))" registry.log | python3 -c '
import re, sys
rows = re.findall(r"\"GET /v2/class/blobs/\S+ HTTP/[0-9.]+\" 200 (\d+)", sys.stdin.read())
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

cat pulls
if start_docker; then
    pulls "Docker $("$docker" info --format '{{.Driver}}')" "$docker" pull -q
    "$docker" run --rm --network none "$image:new" python -c 'import seaborn' 2>said || [ -n "$(grep -i 'operation not permitted\|cgroup\|mount' said)" ] ||
        fail "seaborn is not there: $(tail -3 said)"
else
    echo "skipped: Docker"
fi
if start_containerd; then
    pulls containerd ctr -a "$work/containerd.sock" images pull --snapshotter overlayfs --plain-http
else
    echo "skipped: containerd"
fi
[ "$passed" -gt 0 ] || skip "neither Docker nor containerd starts here"
