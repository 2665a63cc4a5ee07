#!/bin/bash
# Three students at one machine: what `emit compose --seats 3` prints, run by Debian's docker-compose, which pulls the image from
# `serve` by its digest. Each seat opens with the link of the sheet, and with no other's token. Debian without torch.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/services.sh"
need python3 gpgv curl docker-compose
scratch
cd "$work"
cat >seats.yaml <<'YAML'
name: seats
tag: lesson-1
pytorch: none
user: {name: student, uid: 2000}
volumes: [/workspace]
services: {jupyter: {}}
YAML
"$envbuild" build -q seats.yaml -o oci:images >ref || fail "build"
start_docker || skip "$0 needs root and a dockerd"
"$envbuild" serve images --listen 127.0.0.1:0 >said 2>err &
own_pids="${own_pids:-} $!"
until_said "$!" said seats || fail "serve: $(cat err)"
host=$(sed 's,/.*,,; q' said)
"$envbuild" emit compose seats.lock -q --gpus 0 --as "$host/seats" --seats 3 --sheet sheet.html --host 127.0.0.1 >docker-compose.yml || fail "emit compose"
compose() {
    docker-compose -p class "$@" >composed 2>&1 || fail "docker-compose $*: $(tail -3 composed)"
}
compose up -d
ok "docker-compose starts three seats of $(sed -n 's/.*image: //p' docker-compose.yml)"
grep -o 'http://[^"]*token=[^"]*' sheet.html >links
[ "$(wc -l <links)" = 3 ] || fail "the sheet has other links: $(cat links)"
n=0
while read -r link <&9; do
    n=$((n + 1))
    id=$("$docker" ps -aq --filter name="class[-_]seat-$n")
    until_logged 'JupyterLab: '
    [ "$(code "$link")" = 200 ] || fail "seat $n: $link: $(code "$link")"
    api=${link%%lab*}api/contents
    own=${link#*token=}
    for token in $(sed 's/.*token=//' links); do
        want=403
        [ "$token" != "$own" ] || want=200
        [ "$(code "$api?token=$token")" = $want ] || fail "seat $n with the token $token: $(code "$api?token=$token")"
    done
    "$docker" exec "$id" sh -c "echo $n >mine" || fail "seat $n: its folder"
    until [ "$("$docker" inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do is_running; done
done 9<links
ok "each opens by the sheet's link and its own token alone, and is healthy"
compose down
compose up -d
n=0
while read -r link <&9; do
    n=$((n + 1))
    id=$("$docker" ps -aq --filter name="class[-_]seat-$n")
    until_logged 'JupyterLab: '
    [ "$("$docker" exec "$id" cat mine)" = $n ] || fail "seat $n has not its own file after a night"
done 9<links
ok "after down and up each has its own files"
id=$("$docker" ps -aq --filter name='class[-_]seat-2')
in_lab cell "http://127.0.0.1:8888/lab?token=$(sed -n '2s/.*token=//p' links)" 'import socket; print(socket.gethostname())' >out || fail "a cell: $(cat out)"
[ "$(cat out)" = seat-2 ] || fail "a cell: $(cat out)"
compose down -v
ok "a cell runs in seat 2"
