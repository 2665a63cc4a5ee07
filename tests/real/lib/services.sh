# Shared by the tests of services in running containers, after common.sh: sourced, never run. $docker is the engine, or podman.
# SPDX-License-Identifier: Apache-2.0
judge=$top/tests/real/judges/in-lab.py

# ARGUMENTS...: start it with the host's network. Sets $id.
start() {
    id=$("$docker" run -d --network host "$@") || fail "run $*"
}

logs() {
    "$docker" logs "$id" 2>&1
}

is_running() {
    [ "$("$docker" inspect -f '{{.State.Running}}' "$id")" = true ] || fail "it ended: $(logs)"
}

# TEXT: until the container has said it. Fails when it ends without.
until_logged() {
    until logs | grep -q "$1"; do is_running; done
}

# Sets $link, its $port and its $token.
find_lab() {
    until_logged 'JupyterLab: '
    link=$(logs | sed -n 's/^envbuild: JupyterLab: \([^ ]*\).*/\1/p')
    port=${link#http://127.0.0.1:}
    port=${port%%/*}
    token=${link#*token=}
}

# Sets $ssh_port.
find_ssh() {
    until_logged 'ssh: ssh -p '
    ssh_port=$(logs | sed -n 's/^envbuild: ssh: ssh -p \([0-9]*\) .*/\1/p' | tail -1)
}

# PORT USER KEY COMMAND...
by_ssh() {
    local at=$1 user=$2 key=$3
    shift 3
    ssh -n -p "$at" -i "$key" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR "$user@127.0.0.1" "$@"
}

code() {
    curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "$@"
}

# Ends the container, which must need no force, and less than two seconds where the machine has not more to do than cores.
end_it() {
    local begin
    begin=$(date +%s%N)
    "$docker" stop -t 300 "$id" >/dev/null
    took=$((($(date +%s%N) - begin) / 1000000))
    [ "$("$docker" inspect -f '{{.State.ExitCode}}' "$id")" = 0 ] || fail "stop: exit $("$docker" inspect -f '{{.State.ExitCode}}' "$id"): $(logs)"
    [ "$took" -lt 2000 ] || [ "$(cut -d. -f1 /proc/loadavg)" -ge "$(nproc)" ] || fail "stop took $took ms"
}

forget() {
    "$docker" rm -f "$id" >/dev/null
}

# What the judge says, asked in the container.
in_lab() {
    "$docker" exec -i "$id" python3 - "$@" <"$judge"
}

# Debian's Chromium, without a page; as root it takes no sandbox. Sets $devtools. False: it is not installed.
start_chromium() {
    if ! command -v chromium >/dev/null; then
        echo "skipped: chromium is not installed"
        return 1
    fi
    chromium --headless=new --no-sandbox --disable-gpu --no-first-run --no-proxy-server --user-data-dir="$work/chromium" --window-size=1280,800 \
        --remote-debugging-port=0 about:blank >browser.log 2>&1 &
    own_pids="${own_pids:-} $!"
    until_said "$!" browser.log 'DevTools listening on' || fail "chromium: $(tail -3 browser.log)"
    devtools=$(sed -n 's/^DevTools listening on //p' browser.log)
}

# FILE NAME: where whoever looks at the screenshots wants them.
keep() {
    [ -z "${OUT:-}" ] || cp "$1" "$OUT/$2"
}
