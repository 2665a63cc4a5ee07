#!/bin/bash
# A class on one machine: `serve` straight from store and lock, and a dozen clients at once - curl, skopeo, crane, podman, docker,
# get.sh, envbuild - some slow, some cut and resumed, one with a full disk; all end with the image's digest, or a sentence. The page
# in real Chromium: before, in the middle, at the end; wide, at 360 pixels and dark. OUT keeps the screenshots. A small image.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need curl skopeo python3
go_tool crane github.com/google/go-containerregistry/cmd/crane@v0.20.3 || true
scratch
out=${OUT:-$work/out}
mkdir -p "$out"
cd "$work"
export HOME="$work/home" XDG_CACHE_HOME="$work/cache"
mkdir home
start_world
cp world/base.yaml world/base.gpg .
head -c 50000000 /dev/urandom >data.bin
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\nindexes: [%s]\nname: course/torch-101\ntag: lesson-1\nfiles: [{from: data.bin, to: /data/data.bin}]\nlabels: {org.opencontainers.image.title: Deep learning 101}\n' \
    "$index" >recipe.yaml
"$envbuild" serve recipe.yaml --listen 127.0.0.1:0 >said 2>err &
server=$!
own_pids="${own_pids:-} $server"
until_said "$server" said course || fail "serve: $(cat err)"
host=$(sed 's,/.*,,; q' said)
name=$(sed 's,[^/]*/,,; q' said)
[ ! -e images ] || fail "a layout was written"
digest=$(built_digest recipe.lock)
config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["built"]["config"])' recipe.lock)
ok "serve $name at $host, $digest"

# A line as look.py takes it.
look() {
    [ -n "${looker:-}" ] || return 0
    printf '%s\n' "$*" >&5
    read -r word shown <&6 || true
    [ "${word:-} ${shown:-}" = "ok $1" ] || fail "chromium: $(cat look.err)"
    ok "the page, $1"
}
if command -v chromium >/dev/null; then
    mkfifo lines told
    python3 "$top/tests/real/lib/look.py" "$out" "$host" <lines >told 2>look.err &
    looker=$!
    own_pids="$own_pids $looker"
    exec 5>lines 6<told
    look 1-before 1280 light en 'done: 0/0'
    look 1-phone 360 light en 'done: 0/0'
else
    echo "skipped: chromium is not installed, so nobody looks at the page"
fi

# ---- who stays in the middle until he is told ----

whole=$(curl -sI "http://$host/image.tar" | tr -d '\r' | sed -n 's/^Content-Length: //p')
cat >halves.py <<'END'
import hashlib, select, socket, sys
host, own, half = sys.argv[1], sys.argv[2], int(sys.argv[3])
ip, port = host.split(":")
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what he does not read stays with the server
s.bind((own, 0))
s.connect((ip, int(port)))
s.sendall(f"GET /image.tar HTTP/1.1\r\nHost: {host}\r\nUser-Agent: slow/1.0\r\nConnection: close\r\n\r\n".encode())
f = s.makefile("rb")
while f.readline() != b"\r\n":
    pass
h = hashlib.sha256(f.read(half))
print("half", flush=True)
while not select.select([sys.stdin], [], [], 1)[0]:  # who takes nothing for a minute would be cut off
    h.update(f.read(131072))
h.update(f.read())
print(h.hexdigest(), flush=True)
END
mkfifo go2 go3
for n in 2 3; do
    python3 halves.py "$host" "127.0.0.$n" $((whole * n / 10)) <go$n >halves.$n 2>&1 &
    pids[n]=$!
done
exec 8>go2 9>go3
for n in 2 3; do until_said "${pids[n]}" halves.$n half || fail "slow: $(cat halves.$n)"; done

# ---- the others, meanwhile ----

(curl -sf --interface 127.0.0.4 "http://$host/image.tar" | sha256sum >sum.4) &
clients=$!
( # cut twice
    curl -sf --interface 127.0.0.5 "http://$host/image.tar" | head -c $((whole / 3)) >cut.tar
    curl -sf --interface 127.0.0.5 -C $((whole / 3)) "http://$host/image.tar" | head -c $((whole / 3)) >>cut.tar
    curl -sf --interface 127.0.0.5 -C $((whole / 3 * 2)) "http://$host/image.tar" >>cut.tar
    sha256sum <cut.tar >sum.5
) &
clients="$clients $!"
(skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$host/$name" dir:skopeo && skopeo manifest-digest skopeo/manifest.json >digest.skopeo) 2>skopeo.err &
clients="$clients $!"
("$envbuild" copy -q "docker://$host/$name" oci:copied:x && "$envbuild" inspect -q --json oci:copied:x >inspected) 2>copy.err &
clients="$clients $!"
if command -v crane >/dev/null; then
    (crane pull --insecure --format=oci "$host/$name" crane && crane digest --insecure "$host/$name" >digest.crane) 2>crane.err &
    clients="$clients $!"
fi
podman=
if command -v podman >/dev/null && [ "$(id -u)" = 0 ]; then
    podman() {
        command podman --root "$work/podman/$1" --runroot "$work/podman/run-$1" --storage-driver vfs --events-backend file "${@:2}"
    }
    podman=yes
    (podman pull pull -q --tls-verify=false "$host/$name" && podman pull image inspect --format '{{.Digest}}' "$host/$name" >digest.podman) >podman.log 2>&1 &
    clients="$clients $!"
    (curl -sf --interface 127.0.0.6 "http://$host/image.tar" | podman load load -q && podman load image inspect --format '{{.Id}}' "$name" >id.podman) >podman-load.log 2>&1 &
    clients="$clients $!"
fi
if start_docker; then
    (
        curl -sf --interface 127.0.0.7 "http://$host/image.tar" | "$docker" load && "$docker" image inspect --format '{{.Id}}' "$name" >id.docker &&
            "$docker" pull -q "$host/$name" && "$docker" image inspect --format '{{range .RepoDigests}}{{.}} {{end}}' "$host/$name" >digest.docker &&
            "$docker" image rm -f "$name" "$host/$name"
        mkdir get && cd get && curl -sf "http://$host/get.sh" | sh -s -- --have && "$docker" image inspect --format '{{.Id}}' "$name" >../id.get
    ) >docker.log 2>&1 &
    clients="$clients $!"
else
    echo "skipped: no docker daemon here"
fi
if mkdir full && mount -t tmpfs -o size=4m tmpfs full 2>/dev/null; then
    if (cd full && curl -sf "http://$host/get.sh" | PATH="$work/fake:$PATH" sh) >full.log 2>&1; then fail "a full disk was not told: $(cat full.log)"; fi
    grep -Eq 'do not fit here; run this in a folder on another disk|neither docker nor podman answers here' full.log || fail "full disk: $(cat full.log)"
    umount full
    ok "a full disk is told: $(cat full.log)"
fi
# shellcheck disable=SC2086 # a list of ids
for pid in $clients; do wait "$pid" || fail "a client failed: $(tail -n 5 ./*.err ./*.log)"; done
look 2-fetching 1280 light en slow/1.0
look 2-phone-dark 360 dark zh slow/1.0
curl -s "http://$host/table" >table
grep -q '<progress max="1000" value="[1-9]' table || fail "nobody is in the middle: $(cat table)"
ok "the others are not held up by two who are slow"

echo >&8
echo >&9
for n in 2 3; do wait "${pids[n]}" || fail "slow: $(cat halves.$n)"; done
sum=$(cut -d' ' -f1 sum.4)
for n in 2 3; do grep -qx "$sum" halves.$n || fail "127.0.0.$n has another archive"; done
grep -q "^$sum" sum.5 || fail "who was cut has another archive"
ok "curl: whole, cut twice and slow give the same archive"
# FILE WANTED: what a client says that it has.
same() {
    if [ ! -e "$1" ]; then
        echo "skipped: $1"
    else
        grep -q "$2" "$1" || fail "$1: $(cat "$1"), not $2"
        ok "$1"
    fi
}
same digest.skopeo "$digest"
same inspected "$digest"
same digest.crane "$digest"
same digest.podman "$digest"
same digest.docker "$digest"
for file in id.podman id.docker id.get; do same "$file" "${config#sha256:}"; done
[ -z "$podman" ] || [ -e id.podman ] || fail "podman: $(cat podman-load.log)"

until curl -s "http://$host/table" | grep -q 'all done'; do kill -0 "$server" || fail "it ended"; done
ok "all done"
look 3-done 1280 light en 'all done'
look 3-dark 1280 dark zh 全部完成
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status")
python3 - "$host" "$name" >layers <<'END'
import json, sys, urllib.request
host, name = sys.argv[1:]
for layer in json.load(urllib.request.urlopen(f"http://{host}/v2/" + name.replace(":", "/manifests/")))["layers"]:
    print(layer["digest"][7:])
END
whole=$(wc -l <layers)
[ "$(cd cache/envbuild/blobs/sha256 && ls | grep -cFxf "$work/layers")" -lt "$whole" ] || fail "all layers were written"
ok "layers of wheels were not written"
kill -INT "$server"
wait "$server" || fail "it ended with $?: $(cat err)"
grep 'machines fetched' err
echo "memory at most $((peak / 1024)) MiB"
