#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetch {{name}} from {{address}}/ and load it into Docker or Podman. Run again, it goes on where it was cut.
#
#   --start             then start it, and open what it serves in the browser
#   --have              leave out what Docker has of an earlier image of that name (its classic store alone can do that)
#   --from HOST[:PORT]  take the layers from that registry, a cache of this room, port 5000
#   --cacert FILE       the authority of the server's certificate, where this machine does not trust it
set -eu
me='get'
name='{{name}}'
url='{{address}}/image.tar?image={{name}}'
size='{{tar}}' # bytes
ports='{{ports}}'
config='{{config}}'
manifest='{{manifest}}'
pieces='{{pieces}}' # of the archive: bytes, and of a layer its digest
key='{{key}}' # instead of the code, as long as this server runs

{{engine.sh}}
start='' leave_out='' from='' ca=''
while [ $# -gt 0 ]; do
    case $1 in
    --start) start=yes ;;
    --have) leave_out=yes ;;
    --from)
        [ $# -gt 1 ] || fail '--from wants the address of a registry'
        case $2 in
        *:*) from=$2 ;;
        *) from=$2:5000 ;;
        esac
        shift
        ;;
    --cacert)
        [ $# -gt 1 ] || fail '--cacert wants a file'
        ca=$2
        shift
        ;;
    *) fail "\"$1\" is no option; there are --start, --have, --from HOST and --cacert FILE" ;;
    esac
    shift
done
[ -z "$from" ] || [ -z "$leave_out" ] || fail '--have and --from do not go together'

# ADDRESS OPTION...: others here see curl's arguments, so the key, which is for this server alone, is not among them. A machine that
# slept, or has a new address, waits for bytes that never come: 20 seconds, then curl ends. What keeps the server from answering is
# told once.
fetch() {
    login='' address=$1
    shift
    case $address in
    '{{address}}'/*) login=${key:+user = \"class:$key\"} ;;
    esac
    printf '%s\n' "$login" | curl -K - --noproxy '*' --connect-timeout 10 --speed-limit 1 --speed-time 20 ${ca:+--cacert "$ca"} "$@" \
        "$address" && return
    case $?$from in
    22) fail '{{address}}/ refuses; it was started anew, has something else, or its files were changed: ask who serves it, then fetch this script again' ;;
    23*) fail "the disk is full: the archive needs $((size / 1048576)) MiB in $PWD; run this again in a folder on another disk" ;;
    60) fail 'the certificate of {{address}}/ is not trusted here; ask for the file of its authority, then: --cacert FILE' ;;
    esac
    return 1
}

# START END ADDRESS: what stands between these places of the file: of $url the same, of another address all. Goes on where it was
# cut; of what began it does not let go at once.
bring() {
    tries=0
    while [ "$have" -lt "$2" ]; do
        before=$have
        if [ "$3" = "$url" ]; then
            fetch "$3" -fsS -r "$have-$(($2 - 1))" >>"$file" || true
        else
            fetch "$3" -fsS -C "$((have - $1))" >>"$file" || true
        fi
        have=$(($(wc -c <"$file")))
        [ "$have" -lt "$2" ] || break
        [ "$have" = "$before" ] || tries=0
        tries=$((tries + 1))
        where=${3%/v2/*}
        if [ "$tries" = $((have > $1 ? 20 : 5)) ]; then
            fail "${where%/image.tar*}/ does not answer; is this machine in the same network? Run this again to go on"
        fi
        say "$((have / 1048576)) of $((size / 1048576)) MiB are here, and the connection was cut; trying again"
        sleep $((tries < 3 ? tries : 3))
    done
}

is_right() {
    has_image "$name" "$config" "$manifest"
}

# A link of the log, as this machine reaches it: the engine chose a port that is free.
link() {
    said=$("$engine" logs "$1" 2>&1 | sed -n 's#.*http://[^ /]*:\([0-9]*\)\(/[^ ]*token=[^ ]*\).*#\1 \2#p' | head -n 1)
    [ -n "$said" ] && printf 'http://%s%s\n' "$("$engine" port "$1" "${said%% *}/tcp" | head -n 1)" "${said#* }"
}

open_browser() {
    case $(uname -s) in
    Darwin) open "$1" ;;
    *) [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || ! command -v xdg-open >/dev/null || xdg-open "$1" >/dev/null 2>&1 ;;
    esac || true
}

# Without ports it is for the terminal.
start_it() {
    gpus=$(gpu_options)
    publish=
    for port in $ports; do
        publish="$publish -p 127.0.0.1::$port"
    done
    # shellcheck disable=SC2086 # lists of words
    [ -n "$ports" ] || exec "$engine" run --rm -it $gpus "$name" </dev/tty
    # shellcheck disable=SC2086
    container=$("$engine" run -d --rm $gpus $publish "$name")
    tries=0
    until address=$(link "$container"); do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! "$engine" port "$container" >/dev/null 2>&1; then
            "$engine" port "$container" >&2 || fail "it ended at once; see: $engine run --rm $gpus $name"
            break
        fi
        sleep 1
    done
    if [ -n "$address" ]; then
        say "it serves $address"
        open_browser "$address"
    fi
    say "stop it with: $engine stop $container"
}

loaded() {
    say "$1"
    [ -z "$start" ] || start_it
    exit 0
}

command -v curl >/dev/null || fail 'curl is not installed here'
engine=
for one in docker podman; do
    if command -v "$one" >/dev/null && "$one" info >/dev/null 2>&1; then
        engine=$one
        break
    fi
done
[ -n "$engine" ] || fail 'neither docker nor podman answers here; install one, or start Docker Desktop'
if is_right; then
    loaded "$name is in $engine already"
fi
warn_of_emulation

if [ -n "$leave_out" ]; then
    case $engine/$(docker info --format '{{.DriverStatus}}' 2>/dev/null) in
    docker/*io.containerd.snapshotter* | podman/*) say '--have changes nothing: only the classic store of Docker finds layers again' ;;
    *)
        old=$name
        docker image inspect "$old" >/dev/null 2>&1 || old=$(docker image ls --format '{{.Repository}}:{{.Tag}}' "${name%:*}" | head -n 1)
        for layer in $([ -z "$old" ] || docker image inspect --format '{{range .RootFS.Layers}}{{.}} {{end}}' "$old"); do
            url="$url&have=$layer"
        done
        size=$(fetch "$url" -fsI | tr -d '\r' | awk 'tolower($1) == "content-length:" { print $2 }')
        [ -n "$size" ] || fail '{{address}}/ does not answer; is this machine in the same network?'
        ;;
    esac
fi

# The archive here; in the engine what is packed and unpacked, about three times as much.
file=image-$manifest-$size.tar
have=0
[ ! -e "$file" ] || have=$(($(wc -c <"$file")))
[ "$(free_in .)" -ge $(((size - have) / 1024)) ] || fail "$((size / 1048576)) MiB do not fit here; run this in a folder on another disk"
check_room "$size"

at=0
[ -n "$from" ] || pieces=$size
for piece in $pieces; do
    case $piece in
    *@*) bring "$at" $((at + ${piece%@*})) "http://$from/v2/${name%:*}/blobs/sha256:${piece#*@}" ;;
    *) bring "$at" $((at + piece)) "$url" ;;
    esac
    at=$((at + ${piece%@*}))
done
if ! "$engine" load -i "$file" || ! is_right; then
    rm -f "$file"
    fail "what $engine loaded is not $name with the digest that it should have; run this again${leave_out:+ without --have}"
fi
rm -f "$file"
loaded "$name is loaded; start it with: $engine run --rm -it$(gpu_options){{publish}} $name"
