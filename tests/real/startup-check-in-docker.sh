#!/bin/sh
# The start-up check in running containers: a real Debian under tiny wheels (tests/peers/world.py), started
# by Docker as people start it. The host's driver is played by a folder mounted over /sys/module, the GPU by
# a device node of its name.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv unshare openssl
scratch
cd "$work"
start_world

for mode in warn fail; do
    printf 'name: checked\ntag: %s\npytorch: "2.6.0"\ncuda: "12.4"\nstartup_check: %s\n' "$mode" "$mode" >"$mode.yaml"
    "$envbuild" build -q --index "$index" "$mode.yaml" -o "docker-archive:$mode.tar" >"$mode.ref" || fail "build $mode"
done
ok "built: $(cat warn.ref)"

# The same system for a class: its layers are there already, but for the one on top.
mkdir nb
echo '{}' >nb/a.ipynb
for n in 1 2; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out corp-$n.pem -days 30 -subj '/O=Corp/CN=Corp Root' 2>/dev/null || fail "openssl"
done
cat corp-1.pem corp-2.pem >corp.pem
cat >class.yaml <<'END'
name: checked
tag: class
pytorch: "2.6.0"
cuda: "12.4"
user: {name: student, uid: 2000}
files: [{from: nb, to: /workspace/course/}]
volumes: [/data]
ports: [8888]
healthcheck: {command: "test -e /tmp/well", interval: 1s, start_period: 10m}
ca_certificates: [corp.pem]
END
"$envbuild" build -q --index "$index" class.yaml -o docker-archive:class.tar >class.ref || fail "build class"

start_docker || skip "$0 needs root and a dockerd"
for mode in warn fail class; do
    "$docker" load -q -i "$mode.tar" >/dev/null || fail "docker load"
    rm "$mode.tar"
done

mkdir -p old/nvidia new/nvidia
echo 470.82.01 >old/nvidia/version
echo 535.104.05 >new/nvidia/version
gpu='--device /dev/null:/dev/nvidiactl'
said='envbuild: the NVIDIA driver of this host is 470.82.01, but this image (CUDA 12.4) needs 525.60.13 or newer, so '
remedy='; update the driver on the host, or take an image for an older CUDA: envbuild recommend --driver 470.82.01'

# try WHAT CODE STDOUT STDERR DOCKER-RUN-ARGUMENTS...
try() {
    what=$1 code=$2
    printf '%s' "$3" >want.out
    printf '%s' "$4" >want.err
    shift 4
    got=0
    "$docker" run --rm --network none "$@" >out 2>err </dev/null || got=$?
    [ "$got" = "$code" ] || fail "$what: exit $got, not $code: $(cat err)"
    [ "$(cat out)" = "$(cat want.out)" ] || fail "$what: stdout is $(cat out)"
    [ "$(cat err)" = "$(cat want.err)" ] || fail "$what: stderr is $(cat err)"
    ok "$what"
}

warning="${said}PyTorch will not find the GPU$remedy"
try "no GPU: silent, and the exit code is the command's" 7 "" "" checked:warn sh -c 'exit 7'
try "no GPU on a host with an old driver: silent" 7 "" "" -v "$work/old:/sys/module:ro" checked:warn sh -c 'exit 7'
# shellcheck disable=SC2086
{
    try "an old driver: one sentence, and the command runs" 7 hi "$warning" \
        $gpu -v "$work/old:/sys/module:ro" checked:warn sh -c 'echo hi; exit 7'
    try "a new driver: silent" 0 "a  b" "" $gpu -v "$work/new:/sys/module:ro" checked:fail echo 'a  b'
    try "fail: the command is not started" 78 "" \
        "${said}the command was not started (startup_check: fail)$remedy" \
        $gpu -v "$work/old:/sys/module:ro" checked:fail echo hi
    try "--entrypoint goes around it" 0 hi "" $gpu -v "$work/old:/sys/module:ro" --entrypoint /bin/echo checked:fail hi
    try "a root file system that cannot be written, and nobody's user" 3 12345 "$warning" --read-only \
        --user 12345:12345 --cap-drop ALL --security-opt no-new-privileges \
        $gpu -v "$work/old:/sys/module:ro" checked:warn sh -c 'id -u; exit 3'
    try "a GPU, but no driver to be seen" 0 "" "" $gpu checked:fail true
}
try "the command is process 1, with the whole environment" 0 "1 python3 x y PWD SHLVL" "" -e my.var=x -e my-var=y \
    checked:warn python3 -c '
import os
e = os.environ
known = "PATH HOSTNAME HOME LD_LIBRARY_PATH VIRTUAL_ENV LANG NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES " \
        "NVIDIA_REQUIRE_CUDA PYTORCH_VERSION USER my.var my-var _ LC_CTYPE".split()
print(os.getpid(), open("/proc/1/comm").read().strip(), e["my.var"], e["my-var"], *sorted(set(e) - set(known)))'
try "a signal that is ignored stays so, and no other" 0 "" "" checked:warn python3 -c '
import signal
for s in set(signal.Signals) - {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}:
    assert signal.getsignal(s) in (signal.SIG_DFL, None), s'

# The default command, as it was: a shell.
echo 'echo "$0" $$' | "$docker" run -i --rm --network none checked:warn >out 2>err || fail "the default command: $(cat err)"
[ "$(cat out)" = "/bin/bash 1" ] || fail "the default command says $(cat out)"
ok "without a command, the image's own"

id=$("$docker" run -d --network none checked:warn sh -c 'trap "echo ended; exit 42" TERM; echo up; sleep infinity & wait')
while [ "$("$docker" logs "$id")" != up ]; do
    [ "$("$docker" inspect -f '{{.State.Running}}' "$id")" = true ] || fail "the container ended: $("$docker" logs "$id" 2>&1)"
done
"$docker" stop -t 300 "$id" >/dev/null
[ "$("$docker" wait "$id") $("$docker" logs "$id" | tail -1)" = "42 ended" ] || fail "SIGTERM: $("$docker" logs "$id")"
"$docker" rm "$id" >/dev/null
ok "SIGTERM reaches the command"

mkdir context
printf 'FROM checked:fail\nCMD ["echo", "derived"]\n' >context/Dockerfile
"$docker" build -q -t derived context >/dev/null 2>err || fail "docker build: $(cat err)"
try "an image derived from it checks too" 0 derived "" derived
# shellcheck disable=SC2086
try "and stops too" 78 "" "${said}the command was not started (startup_check: fail)$remedy" \
    $gpu -v "$work/old:/sys/module:ro" derived
printf 'FROM checked:fail\nRUN mkdir -p /usr/local/cuda/compat && touch /usr/local/cuda/compat/libcuda.so.1\n' >context/Dockerfile
"$docker" build -q --network none -t compat context >/dev/null 2>err || fail "docker build: $(cat err)"
# shellcheck disable=SC2086
try "silent with the package for forward compatibility" 0 hi "" $gpu -v "$work/old:/sys/module:ro" compat echo hi

# ---- a class ----

# shellcheck disable=SC2016 # for the shell inside
{
    try "a class saves its notebook" 0 "student 2000" "" checked:class \
        sh -c 'echo 1 >>course/a.ipynb && touch course/b.ipynb "$HOME/x" /data/x && echo "$(whoami) $(id -u)"'
    try "and so does any uid of group 0, which has a name" 0 "student 1234567" "" -u 1234567:0 checked:class \
        sh -c 'echo 1 >>course/a.ipynb && touch course/b.ipynb "$HOME/x" /data/x && python3 -c "import getpass, os; print(getpass.getuser(), os.getuid())"'
    try "an image of root's is any uid's too" 0 "root 1234567" "" -u 1234567:0 checked:warn \
        sh -c 'touch x "$HOME/x" && python3 -c "import getpass, os; print(getpass.getuser(), os.getuid())"'
}

# The certificates as the base's own update-ca-certificates makes them, from the same files.
# shellcheck disable=SC2016
look='ls -l /etc/ssl/certs | while read -r mode _ user group _ _ _ _ name; do echo "$mode $user $group $name"; done
    cat /etc/ssl/certs/ca-certificates.crt'
"$docker" run --rm --network none -u 0 checked:class sh -ec "$look" >certs.ours || fail "the certificates of ours"
"$docker" run --rm --network none -v "$work:/given:ro" checked:warn sh -ec "cp /given/corp-1.pem /usr/local/share/ca-certificates/corp-1.crt
    cp /given/corp-2.pem /usr/local/share/ca-certificates/corp-2.crt
    update-ca-certificates >/dev/null 2>&1
    $look" >certs.theirs || fail "update-ca-certificates"
cmp certs.ours certs.theirs || fail "update-ca-certificates leaves others"
[ "$(grep -c 'corp-[12]' certs.ours)" = 4 ] || fail "the links are $(grep corp certs.ours)"
ok "certificates, their links and the bundle are what update-ca-certificates makes"
try "Python trusts them" 0 2 "" checked:class python3 -c '
import ssl
print(sum("Corp Root" in str(c["subject"]) for c in ssl.create_default_context().get_ca_certs()))'

id=$("$docker" run -d --network none checked:class sh -c 'sleep infinity & wait')
[ "$("$docker" inspect -f '{{json .Config.ExposedPorts}} {{json .Config.Volumes}}' "$id")" = '{"8888/tcp":{}} {"/data":{}}' ] || fail "ports and volumes"
until [ "$("$docker" inspect -f '{{.State.Health.FailingStreak}} {{len .State.Health.Log}}' "$id" | tr -d ' ')" != 00 ]; do :; done
[ "$("$docker" inspect -f '{{.State.Health.Status}}' "$id")" = starting ] || fail "healthy before it is"
"$docker" exec "$id" touch /tmp/well
until [ "$("$docker" inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do
    [ "$("$docker" inspect -f '{{.State.Running}}' "$id")" = true ] || fail "the container ended"
done
"$docker" rm -f "$id" >/dev/null
ok "ports and volumes are there, and Docker asks the health check"

# What it costs: one program starts another, in the container, with and without the check.
cat >cost.py <<'END'
import os, sys, time
def best(argv):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(100):
            os.waitpid(os.posix_spawn(argv[0], argv, os.environ), 0)
        times.append((time.perf_counter() - start) * 1e4)
    return min(times)
check = "/usr/local/bin/envbuild-startup-check"
none, some = best(["/bin/true"]), best([check, "/bin/true"])
print(f"{some - none:.0f} microseconds more than {none:.0f} for /bin/true")
sys.exit(some - none > 20000)
END
# shellcheck disable=SC2086
for how in "" "$gpu -v $work/new:/sys/module:ro"; do
    "$docker" run -i --rm --network none $how checked:warn python3 - <cost.py >out || fail "cost: $(cat out)"
    ok "${how:+with a GPU and a driver }it costs $(cat out)"
done
