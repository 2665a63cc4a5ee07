#!/bin/bash
# A class: a server, twelve machines with networks of their own and what people have on them (docker, podman, skopeo, crane, apptainer,
# get.sh), slow ones, one whose link is lost, one that gets another address, one that sleeps until the server cuts it off, one that is
# stopped and begins again, two without room on the disk. All end with the image's digest, or a sentence that says what would work.
# The page in Chromium on a machine of its own: before, in the middle, at the end, kept under OUT. Nothing is left of it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/room.sh"
need curl python3
if [ -z "${ROOM:-}" ]; then go_tool crane github.com/google/go-containerregistry/cmd/crane@v0.20.3 || true; fi
PATH=$PATH:${XDG_CACHE_HOME:-$HOME/.cache}/envbuild-tests/bin
enter_room "$@"
out=${OUT:-$work/out}
mkdir -p "$out" "$work/home" "$work/bin"
cd "$work"
export HOME="$work/home" XDG_CACHE_HOME="$work/cache"
unset DOCKER_HOST
PATH=$work/bin:$PATH
[ ! -x /usr/bin/docker ] || ln -s /usr/bin/docker bin/docker

# ---- the machines ----

n=10
declare -A address pid
for one in ada bob cleo dan eve finn gus hedy ivan jane kim lea beamer; do
    n=$((n + 1))
    address[$one]=10.77.0.$n
    machine "$one" "10.77.0.$n/24"
    mkdir "$one"
done
ip addr add 10.77.0.1/24 dev room
serve_course 30000000
[ "$host" = 10.77.0.1:5000 ] || fail "the room reaches it at 10.77.0.1:5000, and it says $host"

# NAME COMMAND...: on that machine, in its folder, meanwhile.
begin() {
    (cd "$1" && exec nsenter "--net=/run/netns/$1" "${@:2}") >"$1/log" 2>&1 &
    pid[$1]=$!
}

# NAME: until it has ended; it must end well.
finish() {
    wait "${pid[$1]}" || fail "$1: $(tail -n 5 "$1/log")"
}

# NAME FILE BYTES: until so much of it is there.
until_has() {
    # shellcheck disable=SC2086 # a pattern
    until [ "$(cat "$1"/$2 2>/dev/null | wc -c)" -ge "$3" ]; do
        kill -0 "${pid[$1]}" || fail "$1 ended: $(cat "$1/log")"
        sleep 0.05
    done
}

# NAME WORDS: until its row of the page's table has them.
until_row() {
    until curl -s "http://$host/table" | grep -F "<td>$1</td>" | grep -q "$2"; do
        kill -0 "$server" || fail "the server ended: $(cat err)"
        sleep 0.2
    done
}

# A line as look.py takes it.
look() {
    [ -n "${looker:-}" ] || return 0
    printf '%s\n' "$*" >&5
    read -r word shown <&6 || true
    [ "${word:-} ${shown:-}" = "ok $1" ] || fail "chromium: $(cat beamer/err)"
    ok "the page, $1"
}
if command -v chromium >/dev/null; then
    mkfifo lines told
    at beamer python3 "$top/tests/real/lib/look.py" "$out" "$host" <lines >told 2>beamer/err &
    looker=$!
    exec 5>lines 6<told
    look class-1-before 1280 light en 'done: 0/0'
else
    echo "skipped: chromium is not installed, so nobody looks at the page"
fi

# NAME [DATA]: a docker daemon on that machine.
docker_on() {
    nsenter "--net=/run/netns/$1" dockerd --iptables=false --bridge=none --insecure-registry 10.77.0.0/24 --data-root "${2:-$work/$1/data}" \
        --exec-root "$work/$1/exec" -p "$work/$1/pid" -H "unix://$work/$1/sock" >"$1/dockerd" 2>&1 &
    pid[dockerd-$1]=$!
}
dockers=
if command -v dockerd >/dev/null; then
    mkdir dan/small
    mount -t tmpfs -o size=40m tmpfs dan/small
    for one in ada bob cleo; do docker_on "$one"; done
    docker_on dan "$work/dan/small"
    dockers=yes
    for one in ada bob cleo dan; do
        if ! until_said "${pid[dockerd-$one]}" "$one/dockerd" 'API listen on'; then
            echo "skipped: no docker daemon here: $(tail -n 1 "$one/dockerd")"
            dockers=
            break
        fi
    done
else
    echo "skipped: dockerd is not installed"
fi
curl -sf "http://$host/get.sh" >get.sh
for one in finn jane; do slow_down "$one" 60mbit; done
for one in cleo gus ivan kim; do slow_down "$one" 4mbit; done # until they are met in the middle

# ---- they come ----

sh_with() {
    echo "env DOCKER_HOST=unix://$work/$1/sock CONTAINERS_STORAGE_CONF=$(storage_of "$1") sh"
}
podmans=
if command -v podman >/dev/null; then
    podmans=yes
    # shellcheck disable=SC2046 # words
    {
        begin gus $(sh_with gus) "$work/get.sh"
        begin kim $(sh_with kim) "$work/get.sh"
        begin eve $(sh_with eve) -c "podman pull -q --tls-verify=false $host/$name && podman image inspect --format '{{.Digest}}' $host/$name >is"
        begin finn $(sh_with finn) -c "curl -s http://$host/image.tar | podman load -q && podman image inspect --format '{{.Id}}' $name >is"
    }
else
    echo "skipped: podman is not installed"
fi
if [ -n "$dockers" ]; then
    # shellcheck disable=SC2046
    {
        begin cleo $(sh_with cleo) "$work/get.sh"
        begin ada $(sh_with ada) -c "curl -s http://$host/image.tar | docker load && docker image inspect --format '{{.Id}}' $name >is"
        begin bob $(sh_with bob) -c "docker pull -q $host/$name && docker image inspect --format '{{index .RepoDigests 0}}' $host/$name >is"
    }
fi
if command -v skopeo >/dev/null; then
    begin ivan sh -c "skopeo copy -q --insecure-policy --src-tls-verify=false docker://$host/$name dir:image && skopeo manifest-digest image/manifest.json >is"
fi
if command -v crane >/dev/null; then
    begin jane sh -c "crane pull --insecure --format=oci $host/$name image && crane digest --insecure $host/$name >is"
fi
if command -v apptainer >/dev/null && [ -n "$shell" ]; then
    begin lea sh -c "apptainer pull --no-https image.sif docker://$host/$name && apptainer exec image.sif /usr/bin/sh -c 'cat /data/data.bin' >data.bin"
else
    echo "skipped: apptainer or busybox is not installed; envbuild copy comes in their place"
    mkdir -p home/.config/envbuild
    echo "registries: {\"$host\": {insecure: true}}" >home/.config/envbuild/config.yaml
    begin lea env "HOME=$work/home" "$envbuild" copy -q "docker://$host/$name" oci:image:x
fi

# ---- what happens to them ----

if [ -n "${pid[ivan]:-}" ]; then
    until_has ivan 'image/*' 100000
    ip link set to-ivan down
    until ss -Htnoi dst "${address[ivan]}" | grep -q backoff; do
        kill -0 "${pid[ivan]}" || fail "ivan ended: $(cat ivan/log)"
        sleep 0.05
    done
    ip link set to-ivan up
    hurry ivan
fi
asleep=
if [ -n "$podmans" ]; then
    until_has gus 'image-*.tar' 2000000
    asleep=$(pgrep -P "${pid[gus]}" -x curl)
    kill -STOP "$asleep" "${pid[gus]}"
    hurry gus
    until_has kim 'image-*.tar' 2000000
    # shellcheck disable=SC2046 # there may be none, between two tries
    kill -TERM "${pid[kim]}" $(pgrep -P "${pid[kim]}" -x curl)
    if wait "${pid[kim]}"; then fail "kim: it was not stopped"; fi
    stopped=$(cat kim/image-*.tar | wc -c)
    hurry kim
    # shellcheck disable=SC2046
    begin kim $(sh_with kim) "$work/get.sh"
fi
if [ -n "$dockers" ]; then
    until_has cleo 'image-*.tar' 2000000
    at cleo ip addr del "${address[cleo]}/24" dev eth0
    at cleo ip addr add 10.77.0.99/24 dev eth0
    hurry cleo
fi

# SENTENCE NAME COMMAND...: it ends with the sentence.
told() {
    begin "${@:2}"
    if wait "${pid[$2]}"; then fail "$2: it ended well: $(cat "$2/log")"; fi
    grep -Eq "$1" "$2/log" || fail "$2: $(cat "$2/log")"
    ok "$2: $(sed -n '$s/^get: //p' "$2/log")"
}
if [ -n "$podmans" ]; then
    mount -t tmpfs -o size=4m tmpfs hedy
    # shellcheck disable=SC2046
    told 'MiB do not fit here; run this in a folder on another disk' hedy $(sh_with hedy) "$work/get.sh"
    umount hedy
    # shellcheck disable=SC2046
    begin hedy $(sh_with hedy) "$work/get.sh"
fi
if [ -n "$dockers" ]; then
    # shellcheck disable=SC2046
    told "docker needs .* MiB in $work/dan/small, which has .*docker system prune" dan $(sh_with dan) "$work/get.sh"
    mount -o remount,size=400m "$work/dan/small"
    # shellcheck disable=SC2046
    begin dan $(sh_with dan) "$work/get.sh"
fi

# ---- what they have ----

# NAME: its image, by its id.
has_id() {
    # shellcheck disable=SC2046
    $(sh_with "$1") -c "$2 image inspect --format '{{.Id}}' $name" | sed s/^sha256:// | grep -qx "$config" || fail "$1 has another image"
}
if [ -n "$dockers" ]; then
    for one in ada bob dan cleo; do finish "$one"; done
    for one in ada cleo dan; do has_id "$one" docker; done
    grep -q "@$digest" bob/is || fail "bob: $(cat bob/is)"
    ok "docker: by a pipe, by pull, with more room on the disk; and by get.sh though its address became another ($(grep -c 'trying again' cleo/log) times cut)"
    # Who comes later gets the address that is free now.
    machine nora "${address[cleo]}/24"
    at nora curl -sf "http://$host/image.tar" | sha256sum >nora.sum
fi
if [ -n "$podmans" ]; then
    for one in eve finn hedy kim; do finish "$one"; done
    for one in finn hedy kim; do has_id "$one" podman; done
    grep -qx "$digest" eve/is || fail "eve: $(cat eve/is)"
    ok "podman: by pull, by a slow pipe, in a folder on another disk, and on from byte $stopped where it was stopped"
fi
if [ -n "${pid[ivan]:-}" ]; then
    finish ivan
    grep -qx "$digest" ivan/is || fail "ivan: $(cat ivan/is)"
    ok "skopeo, whose link was lost for a while"
fi
if [ -n "${pid[jane]:-}" ]; then
    finish jane
    grep -qx "$digest" jane/is || fail "jane: $(cat jane/is)"
    ok "crane, slow"
fi
finish lea
if [ -e lea/image.sif ]; then
    cmp data.bin lea/data.bin || fail "lea: other bytes"
    ok "apptainer: the page's command, and run"
else
    [ "$(last_digest lea/image)" = "$digest" ] || fail "lea: $(last_digest lea/image)"
    ok "envbuild copy"
fi
look class-2-middle 1280 light en "${address[gus]}"
if [ -n "$asleep" ]; then
    until_row "${address[gus]}" 'cut off'
    kill -CONT "$asleep" "${pid[gus]}"
    finish gus
    grep -q 'trying again' gus/log || fail "gus was not cut off: $(cat gus/log)"
    has_id gus podman
    ok "who slept is cut off by the server, and goes on: $(grep 'trying again' gus/log | head -n 1)"
fi
until curl -s "http://$host/table" | grep -q 'all done'; do
    kill -0 "$server" || fail "the server ended"
    sleep 0.2
done
look class-3-done 1280 light en 'all done'
kill -INT "$server"
wait "$server" || fail "it ended with $?: $(cat err)"
ok "$(grep 'machines fetched' err)"
