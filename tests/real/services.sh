#!/bin/sh
# The recipe's services in running containers: JupyterLab opened by Chromium and asked by its API, OpenSSH by ssh; as any uid,
# without a root file system that can be written, with the ports taken. On Debian without torch. With OUT the screenshot is kept.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/services.sh"
need python3 gpgv ssh ssh-keygen curl
scratch
cd "$work"

ssh-keygen -q -t ed25519 -N '' -f mine
ssh-keygen -q -t ed25519 -N '' -f other
mkdir -p notebooks/week-1
for name in first.ipynb week-1/second.ipynb; do
    echo '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}' >"notebooks/$name"
done
common='name: served
pytorch: none
user: {name: student, uid: 2000}'
cat >both.yaml <<END
$common
tag: both
files: [{from: notebooks/, to: /opt/notebooks/}]
services: {jupyter: {port: 8888, notebooks: /opt/notebooks}, ssh: {port: 2222, authorized_keys: [mine.pub]}}
END
"$envbuild" build -q both.yaml -o docker-archive:both.tar >ref || fail "build"
ok "built: $(cat ref)"
start_docker || skip "$0 needs root and a dockerd"
"$docker" load -q -i both.tar >/dev/null || fail "docker load"

# ---- both ----

start -e 'MINE=a "b" \c $d' served:both
find_lab
[ "$port ${#token}" = "8888 48" ] || fail "the link is $link"
[ "$(logs | grep -c "$token")" = 1 ] || fail "the token is not printed once: $(logs)"
lab=http://127.0.0.1:$port
[ "$(code "$lab/lab") $(code "$lab/api/contents") $(code "$lab/api/contents?token=wrong") $(code -X POST "$lab/api/kernels")" = "302 403 403 403" ] ||
    fail "without the token: $(code "$lab/lab") $(code "$lab/api/contents") $(code -X POST "$lab/api/kernels")"
[ "$(code "$lab/api/contents?token=$token") $(code -H 'Host: lab.example.org' "$link")" = "200 200" ] || fail "with the token"
ok "JupyterLab opens with its link, and not without the token"
[ "$(in_lab cell "$link" 'import os, sys; print(6 * 7, sys.prefix, os.getuid(), os.getcwd(), os.environ["MINE"])')" = '42 /opt/venv 2000 /workspace a "b" \c $d' ] || fail "a cell"
in_lab cell "$link" 'import ipykernel.connect, os
kernel = ipykernel.connect.get_connection_info(unpack=True)
print(kernel["transport"], os.stat(os.path.dirname(kernel["ip"])).st_mode & 0o77, os.path.exists(kernel["ip"] + "-" + str(kernel["iopub_port"])))' >out || fail "a kernel: $(cat out)"
[ "$(cat out)" = "ipc 0 True" ] || fail "others can read what a kernel says: $(cat out)"
ok "a cell runs, as the recipe's user and with the container's variables; what it prints nobody else can read"
until [ "$("$docker" inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do
    is_running
done
ok "Docker finds it healthy"

if start_chromium; then
    in_lab look "$link" "$devtools" '.jp-DirListing-item[title*="first.ipynb"]' .jp-LauncherCard >lab.png 2>title || fail "Chromium: $(cat title)"
    grep -q JupyterLab title || fail "the page is $(cat title)"
    keep lab.png services-lab.png
    ok "Chromium shows the lab with its notebooks ($(wc -c <lab.png) bytes of PNG)"
fi

# shellcheck disable=SC2016 # for the shell inside
[ "$(by_ssh 2222 student mine 'python -c "import sys; print(sys.prefix)"; echo "$MINE $VIRTUAL_ENV ${JUPYTER_TOKEN-none}"')" = '/opt/venv
a "b" \c $d /opt/venv none' ] || fail "ssh: $(by_ssh 2222 student mine env)"
by_ssh 2222 student mine bash -lc "'type -p python'" >out && [ "$(cat out)" = /opt/venv/bin/python ] || fail "a log-in has another PATH: $(cat out)"
ok "ssh with the key: Python, a variable of docker run -e, the PATH of the image"
! by_ssh 2222 root mine true 2>err && grep -q 'Permission denied (publickey)' err || fail "root: $(cat err)"
! by_ssh 2222 student other true 2>err && grep -q 'Permission denied (publickey)' err || fail "another key: $(cat err)"
! by_ssh 2222 student mine -o PubkeyAuthentication=no -o PreferredAuthentications=password,keyboard-interactive true 2>err || fail "a password"
grep -q 'Permission denied (publickey)' err || fail "a password is asked for: $(cat err)"
ok "and not as root, with another key, with a password"
[ "$("$docker" exec "$id" ps -o comm= -p 1)" = tini ] || fail "process 1 is $("$docker" exec "$id" ps -o comm= -p 1)"
"$docker" exec "$id" sh -c 'sh -c "true & exec true"; ! ps -eo stat= | grep -q Z' || fail "zombies stay"
[ "$(logs | grep -vc '^.IPKernelApp')" = 2 ] || fail "it says more than two links: $(logs)"
first=$id key=$(logs | grep 'host key')

# ---- a second one beside it ----

start -e "AUTHORIZED_KEYS=$(cat other.pub)" -e JUPYTER_TOKEN=sesame served:both
find_lab
logs | grep -q 'port 8888 is taken here, so JupyterLab listens on 8889' && [ "$port" = 8889 ] || fail "taken ports: $(logs)"
! logs | grep -q sesame || fail "a token that was given is printed"
[ "$(code "http://127.0.0.1:$port/api/contents?token=sesame") $(code "http://127.0.0.1:8888/api/contents?token=sesame")" = "200 403" ] || fail "its token"
by_ssh 2223 student other true || fail "a key of AUTHORIZED_KEYS"
[ "$(logs | grep 'host key' | sed 's/.*SHA256//')" != "$(echo "$key" | sed 's/.*SHA256//')" ] || fail "both have one host key"
ok "with both ports taken the next ones are in what it prints; host keys are each container's"
end_it
ok "docker stop took $took ms"
forget
id=$first
end_it
"$docker" start "$id" >/dev/null
until [ "$(logs | grep -c 'JupyterLab: ')" = 2 ]; do
    is_running
done
[ "$(logs | grep -c "${key#*key }")" = 2 ] || fail "another host key after a restart"
forget
ok "after a restart the host key is the same"

# ---- as people run them ----

mkdir volume
chmod 777 volume
echo mine >volume/first.ipynb
start -v "$work/volume:/workspace" served:both
find_lab
rm volume/week-1/second.ipynb
forget
[ "$(cat volume/first.ipynb)" = mine ] || fail "a student's notebook is another"
start -v "$work/volume:/workspace" --read-only --tmpfs /tmp served:both
find_lab
[ "$(cat volume/first.ipynb)" = mine ] && [ ! -e volume/week-1/second.ipynb ] || fail "notebooks came again"
[ "$(code "http://127.0.0.1:$port/api/contents?token=$token")" = 200 ] || fail "read-only: Jupyter"
[ "$(in_lab cell "$link" 'open("new", "w"); print("ok")')" = ok ] || fail "read-only: a cell"
by_ssh 2222 student mine true || fail "read-only: ssh"
"$docker" exec "$id" /usr/local/bin/envbuild-services probe || fail "read-only: the probe"
forget
ok "a volume gets the notebooks once, a student's own stay; and a root file system that cannot be written does"
start -u 12345:0 --cap-drop ALL --security-opt no-new-privileges served:both
find_lab
logs | grep -q "ssh is not there: sshd lets in none but users that /etc/passwd names, and it does not name uid 12345" || fail "any uid: $(logs)"
[ "$(in_lab cell "$link" 'import os; open("new", "w"); print(os.getuid())')" = 12345 ] || fail "any uid: a cell"
"$docker" exec "$id" /usr/local/bin/envbuild-services probe || fail "any uid: the probe"
forget
start -u 12345:0 --cap-drop ALL --security-opt no-new-privileges --read-only --tmpfs /tmp --tmpfs /workspace:mode=1777 served:both
find_lab
[ "$(in_lab cell "$link" 'import os; open("new", "w"); print(os.getuid())')" = 12345 ] || fail "any uid, read-only: a cell"
"$docker" exec "$id" /usr/local/bin/envbuild-services probe || fail "any uid, read-only: the probe"
forget
start -u 0 served:both
find_lab
[ "$(in_lab cell "$link" 'import os; print(os.getuid())')" = 2000 ] || fail "root: a cell"
by_ssh 2222 student mine true || fail "root: ssh"
forget
ok "any uid has JupyterLab and a sentence about ssh; root becomes the recipe's user"

# ---- secrets ----

: >empty
echo from-a-file >token
start -v "$work/token:/run/secrets/jupyter_token:ro" served:both
find_lab
[ "$(code "http://127.0.0.1:$port/api/contents?token=from-a-file")" = 200 ] || fail "a token in a file"
hash=$("$docker" exec "$id" python3 -c 'from jupyter_server.auth import passwd; print(passwd("let me in"))')
forget
cat >locked.yaml <<END
$common
tag: locked
services: {jupyter: {password_hash: '$hash'}}
END
"$envbuild" build -q locked.yaml -o docker-archive:locked.tar >/dev/null || fail "build"
"$docker" load -q -i locked.tar >/dev/null || fail "docker load"
for how in '-e JUPYTER_TOKEN=' "-v $work/empty:/run/secrets/jupyter_token:ro"; do
    got=0
    # shellcheck disable=SC2086
    "$docker" run --rm --network host $how served:locked >out 2>&1 || got=$?
    [ "$got" = 78 ] && grep -q 'is empty, and without a token anybody who reaches the port runs programs here' out || fail "$how: $got $(cat out)"
done
start served:locked
find_lab
lab=http://127.0.0.1:$port
[ "$(code "$lab/api/contents")" = 403 ] || fail "a password's lab is open"
curl -s --noproxy '*' -c jar -o /dev/null "$lab/login"
xsrf=$(sed -n 's/.*_xsrf\t//p' jar)
[ "$(code -b jar -d "_xsrf=$xsrf" --data-urlencode 'password=guess' "$lab/login")" = 401 ] || fail "a wrong password"
[ "$(code -b jar -c jar -d "_xsrf=$xsrf" --data-urlencode 'password=let me in' "$lab/login") $(code -b jar "$lab/api/contents")" = "302 200" ] || fail "the password"
end_it
forget
ok "a token in a file, a hashed password; an empty token ends the container"
