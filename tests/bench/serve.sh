#!/bin/bash
# `serve` straight from store and lock against nginx with the same blobs as files, in one run over loopback: 1, 12 and 30 clients,
# each of which fetches all layers. Prints bytes a second and the ratio, the best of ROUNDS (3); and what the server needed of
# memory. BIG (400) MiB of files that do not compress, and the wheels of numpy and pillow. Needs nginx (NGINX_BIN: its path) and the
# network the first time.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 curl bc
nginx=${NGINX_BIN:-$(command -v nginx || true)}
[ -n "$nginx" ] || skip "$0 needs nginx, which is not installed"
scratch
cd "$work"
head -c $((${BIG:-400} * 1048576)) /dev/urandom >data.bin
printf 'pytorch: none\nname: bench\ntag: t\nbase: debian-12\npip: [numpy, pillow, scipy]\nfiles: [{from: data.bin, to: /data.bin}]\n' >x.yaml
"$envbuild" build -q x.yaml -o oci:layout >/dev/null 2>log || fail "build: $(tail -3 log)"
"$envbuild" serve x.yaml --listen 127.0.0.1:0 >said 2>err &
server=$!
own_pids="${own_pids:-} $server"
until_said "$server" said bench || fail "serve: $(cat err)"
ours=$(sed 's,/.*,,; q' said)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p nginx/logs
cat >nginx.conf <<END
worker_processes auto;
$([ "$(id -u)" != 0 ] || echo "user root;")
daemon off;
pid $work/nginx/pid;
error_log $work/nginx/logs/error.log;
events { worker_connections 512; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path $work/nginx/a; proxy_temp_path $work/nginx/b; fastcgi_temp_path $work/nginx/c;
    uwsgi_temp_path $work/nginx/d; scgi_temp_path $work/nginx/e;
    server { listen 127.0.0.1:$port; root $work/layout/blobs/sha256; }
}
END
"$nginx" -p "$work/nginx/" -e "$work/nginx/logs/error.log" -c "$work/nginx.conf" &
own_pids="$own_pids $!"
until curl -s "http://127.0.0.1:$port/" >/dev/null; do kill -0 $! || fail "nginx: $(cat nginx/logs/error.log)"; done
python3 - "$ours" <<'END' >layers
import json, sys, urllib.request
m = json.load(urllib.request.urlopen(f"http://{sys.argv[1]}/v2/bench/manifests/t"))
print(sum(x["size"] for x in m["layers"]))
print(*(x["digest"][7:] for x in m["layers"]), sep="\n")
END
total=$(head -1 layers)
sed -n "2,\$s,^\(.*\),url = http://$ours/v2/bench/blobs/sha256:\1\noutput = /dev/null,p" layers >ours.curl
sed -n "2,\$s,^\(.*\),url = http://127.0.0.1:$port/\1\noutput = /dev/null,p" layers >theirs.curl

# CLIENTS WHOSE: seconds until all have all.
fetch() {
    begun=$(date +%s.%N)
    pids=
    for _ in $(seq "$1"); do
        curl -sf -K "$2.curl" &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # a list of ids
    for pid in $pids; do wait "$pid" || fail "a client of $2 failed"; done
    echo "$(date +%s.%N) - $begun" | bc
}

printf '%s, %s cores, %s MiB in %s layers\n' "$(uname -m)" "$(nproc)" $((total / 1048576)) "$(($(wc -l <layers) - 1))"
for clients in 1 12 30; do
    best_ours='' best_theirs=''
    for _ in $(seq "${ROUNDS:-3}"); do
        for who in theirs ours; do
            took=$(fetch "$clients" $who)
            name=best_$who
            if [ -z "${!name}" ] || [ "$(echo "$took < ${!name}" | bc)" = 1 ]; then printf -v "$name" %s "$took"; fi
        done
    done
    printf '%2s clients: serve %6.0f MiB/s, nginx %6.0f MiB/s, ratio %s\n' "$clients" \
        "$(echo "$total * $clients / 1048576 / $best_ours" | bc -l)" "$(echo "$total * $clients / 1048576 / $best_theirs" | bc -l)" \
        "$(echo "scale=2; $best_theirs / $best_ours" | bc)"
done
echo "memory of serve at most $(($(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status") / 1024)) MiB"
