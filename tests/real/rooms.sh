#!/bin/bash
# The addresses by which a room reaches `serve`: of several networks, when a cable is pulled, a lease changes, by IPv6 alone. And a second
# room: Debian's docker-registry as a pull-through cache before it, whose thirty pulls cost the server one; get.sh --from that cache.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/room.sh"
need curl python3 skopeo docker-registry
enter_room "$@"
mkdir "$work/home"
cd "$work"
export HOME="$work/home" XDG_CACHE_HOME="$work/cache"
unset DOCKER_HOST
podmans=
! command -v podman >/dev/null || podmans=yes

# ---- where the room finds it ----

machine ada 10.77.0.11/24
machine cache 10.77.0.2/24
ip addr add 10.77.0.1/24 dev room
ip link add campus type veth peer name far # another network, of the default route
ip link set campus up
ip link set far up
ip addr add 192.168.9.4/24 dev campus
ip route add default via 192.168.9.1
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip tuntap add vpn0 mode tun 2>/dev/null && ip link set vpn0 up && ip addr add 10.8.0.3/24 dev vpn0
serve_course 8000000
[ "$(cut -d/ -f1 said | tr '\n' ' ')" = '192.168.9.4:5000 10.77.0.1:5000 ' ] || fail "of two networks, a VPN without a tunnel and a bridge of containers it names $(cat said)"
ok "the network of the default route, then the other; no bridge of containers, nothing without a carrier"

# HOST: what the page of the teacher's own browser says.
page_says() {
    curl -s http://127.0.0.1:5000/ | grep -q "<p class=\"where\">http://$1/</p>" || fail "the page: $(curl -s http://127.0.0.1:5000/ | grep where)"
    ok "the page says $1"
}
page_says 192.168.9.4:5000
ip link set far down
until_said "$server" err '^envbuild: the address is http://10.77.0.1:5000/ now'
page_says 10.77.0.1:5000
ip addr del 10.77.0.1/24 dev room
until_said "$server" err 'this machine is in no network now'
ip addr add 10.77.0.5/24 dev room
until_said "$server" err '^envbuild: the address is http://10.77.0.5:5000/ now'
page_says 10.77.0.5:5000
at ada curl -sf http://10.77.0.5:5000/get.sh | grep -q "http://10.77.0.5:5000/image.tar" || fail "get.sh at the new address"
ip addr del 10.77.0.5/24 dev room
ip addr add fd00::1/64 dev room nodad
at ada ip addr add fd00::11/64 dev eth0 nodad
until_said "$server" err '^envbuild: the address is http://\[fd00::1\]:5000/ now'
page_says '\[fd00::1\]:5000'
six='[fd00::1]:5000'
at ada curl -sf "http://$six/" >page
sed -n 's/.*>\(curl -fsS .* | \)sh -s -- --start<.*/\1/p; s/.*>\(curl -fsS .* | \)docker load<.*/\1/p' page | sed "s/&#39;/'/g; s/ | $//" >typed
[ "$(wc -l <typed)" = 2 ] || fail "the page has other commands: $(grep curl page)"
at ada sh -c "$(head -n 1 typed)" | grep -qF "http://$six/image.tar" || fail "$(head -n 1 typed)"
at ada sh -c "$(tail -n 1 typed)" | sha256sum >by-six
curl -sf http://127.0.0.1:5000/image.tar | sha256sum | cmp -s - by-six || fail "$(tail -n 1 typed)"
if [ -n "$podmans" ]; then
    at ada env "CONTAINERS_STORAGE_CONF=$(storage_of six)" sh -c "$(sed -n '/^<h3>Podman/,/<.pre>/s/^<pre[^>]*>\(.*\)<.*/\1/p' page)" >log 2>&1 || fail "podman by IPv6: $(cat log)"
fi
ok "by IPv6 alone: the page's commands, typed as they are"
ip addr add 10.77.0.1/24 dev room
until_said "$server" err '^envbuild: the address is http://10.77.0.1:5000/ now'

# ---- the second room ----

cat >cache.yaml <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/cached}, delete: {enabled: true}}
http: {addr: "10.77.0.2:5000"}
proxy: {remoteurl: "http://10.77.0.1:5000"}
END
nsenter --net=/run/netns/cache docker-registry serve cache.yaml >cache.log 2>&1 &
cache=$!
host=10.77.0.1:5000
far=10.77.0.2:5000
# "10.0 MiB": what has gone out of the server.
sent() {
    curl -s "http://$host/table" | sed -n 's,^<p><strong>.*</strong> · \([0-9.]* [KMG]*i*B\) · .*,\1,p'
}
until at ada curl -s "http://$far/v2/" >/dev/null; do
    kill -0 "$cache" || fail "docker-registry: $(cat cache.log)"
    sleep 0.1
done
before=$(sent)
pull() {
    at ada skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$far/$name" "dir:$1" 2>"$1.err" || fail "a pull from the cache: $(cat "$1.err" cache.log)"
    [ "$(skopeo manifest-digest "$1/manifest.json")" = "$digest" ] || fail "the cache has another image"
    rm -rf "$1"
}
pull first
first=$(sent)
for n in $(seq 1 30); do
    pull "pull-$n" &
    pulls="${pulls:-} $!"
done
for n in $pulls; do wait "$n" || exit 1; done
[ "$(sent)" = "$first" ] || fail "after the first pull the server gave $first, after thirty more $(sent)"
ok "thirty pulls from docker-registry as a cache: the server gave $before before the first, $first after it, $(sent) after all"
if [ -n "$podmans" ]; then
    at ada env "CONTAINERS_STORAGE_CONF=$(storage_of far)" sh -c "curl -s http://$host/get.sh | sh -s -- --from 10.77.0.2 && podman image inspect --format '{{.Id}}' $name" >is 2>log || fail "get.sh --from: $(cat log)"
    grep -qx "$config" is || fail "get.sh --from: $(cat is)"
    python3 - "$first" "$(sent)" <<'END' || fail "with --from the server gave $first, then $(sent)"
import sys
was, now = (float(n) * {"KiB": 1, "MiB": 1024}[unit] for n, unit in (a.split() for a in sys.argv[1:]))
sys.exit(now - was > 512)
END
    kill "$cache"
    wait "$cache" 2>/dev/null || true
    if at ada env "CONTAINERS_STORAGE_CONF=$(storage_of gone)" sh -c "curl -s http://$host/get.sh | sh -s -- --from 10.77.0.2" >log 2>&1; then fail "without a cache: $(cat log)"; fi
    grep -q "get: http://$far/ does not answer; is this machine in the same network? Run this again to go on" log || fail "without a cache: $(cat log)"
    ok "get.sh --from takes the layers from the cache, and tells when it does not answer"
else
    echo "skipped: podman is not installed, so nobody runs get.sh --from"
fi
kill -INT "$server"
wait "$server" || fail "it ended with $?: $(cat err)"
