#!/bin/bash
# `serve` with a certificate of an authority of its own and a passphrase: curl, skopeo, podman and docker log in and pull the same
# image; none does without the code, or without the authority. Where there is Avahi, its daemon in a network of its own finds the
# server. A small image.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need curl python3 openssl
scratch
cd "$work"
export HOME="$work/home" XDG_CACHE_HOME="$work/cache"
mkdir home
start_world
cp world/base.yaml world/base.gpg .
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\nindexes: [%s]\nname: course/guarded\ntag: "1"\n' "$index" >recipe.yaml
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj '/CN=the course' -days 2 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.csr -subj /CN=own 2>/dev/null
echo 'subjectAltName=IP:127.0.0.1' >own.ext
openssl x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out own.pem -days 2 -extfile own.ext 2>/dev/null
code=right-code.7
# OPTIONS...: a server; sets `server`, `host` and `name`.
begin() {
    ENVBUILD_CODE=$code "$envbuild" serve recipe.yaml --listen 127.0.0.1:0 "$@" >said 2>err &
    server=$!
    own_pids="${own_pids:-} $server"
    until_said "$server" said course || fail "serve: $(cat err)"
    host=$(sed 's,/.*,,; q' said)
    name=$(sed 's,[^/]*/,,; q' said)
}
begin --cert own.pem --key own.key
digest=$(built_digest recipe.lock)
config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["built"]["config"])' recipe.lock)

printf 'user = "class:%s"\n' "$code" | curl -sfK - --cacert ca.crt "https://$host/image.tar" >image.tar || fail "curl"
if curl -sf --cacert ca.crt "https://$host/image.tar" >none; then fail "curl had it without the code"; fi
if printf 'user = "class:%s"\n' "$code" | curl -sfK - "https://$host/image.tar" >none; then fail "curl trusted a stranger"; fi
ok "curl"
mkdir certs
cp ca.crt certs
if command -v skopeo >/dev/null; then
    echo $code | skopeo login --authfile auth.json --cert-dir certs -u class --password-stdin "$host" >/dev/null || fail "skopeo login"
    skopeo copy -q --insecure-policy --authfile auth.json --src-cert-dir certs "docker://$host/$name" dir:skopeo || fail "skopeo"
    [ "$(skopeo manifest-digest skopeo/manifest.json)" = "$digest" ] || fail "skopeo has another image"
    if echo wrong-code | skopeo login --authfile none.json --cert-dir certs -u class --password-stdin "$host" >/dev/null 2>&1; then fail "skopeo came in with a wrong code"; fi
    if skopeo copy -q --insecure-policy --src-cert-dir certs "docker://$host/$name" dir:none 2>/dev/null; then fail "skopeo came in without a code"; fi
    ok "skopeo"
else
    echo "skipped: skopeo"
fi
if command -v podman >/dev/null && [ "$(id -u)" = 0 ]; then
    podman() {
        command podman --root "$work/podman/root" --runroot "$work/podman/run" --storage-driver vfs --events-backend file "$@"
    }
    echo $code | podman login --authfile podman.json --cert-dir certs -u class --password-stdin "$host" >/dev/null || fail "podman login"
    podman pull -q --authfile podman.json --cert-dir certs "$host/$name" >/dev/null || fail "podman"
    [ "$(podman image inspect --format '{{.Digest}}' "$host/$name")" = "$digest" ] || fail "podman has another image"
    if podman pull -q --authfile none.json --cert-dir certs "$host/$name" >none 2>&1; then fail "podman came in without a code"; fi
    if podman pull -q --authfile podman.json "$host/$name" >none 2>&1; then fail "podman trusted a stranger"; fi
    ok "podman"
else
    echo "skipped: podman"
fi
if start_docker; then
    # 127.0.0.1 is a registry that Docker takes without TLS too, and it goes on to look there: with certs.d it is held to TLS.
    mkdir -p "/etc/docker/certs.d/$host"
    trap 'status=$?; rm -r "/etc/docker/certs.d/$host"; (exit $status); end' EXIT
    cp ca.crt "/etc/docker/certs.d/$host/ca.crt"
    export DOCKER_CONFIG="$work/docker-config"
    if "$docker" pull -q "$host/$name" >none 2>&1; then fail "docker came in without a code"; fi
    if echo wrong-code | "$docker" login -u class --password-stdin "$host" >none 2>&1; then fail "docker came in with a wrong code"; fi
    echo $code | "$docker" login -u class --password-stdin "$host" >none 2>&1 || fail "docker login: $(cat none)"
    "$docker" pull -q "$host/$name" >none 2>&1 || fail "docker pull: $(cat none)"
    "$docker" image inspect --format '{{range .RepoDigests}}{{.}} {{end}}' "$host/$name" | grep -q "$digest" || fail "docker has another image"
    "$docker" image rm -f "$host/$name" >/dev/null
    mkdir get
    printf 'user = "class:%s"\n' "$code" | curl -sfK - --cacert ca.crt "https://$host/get.sh" >get/get.sh
    (cd get && sh get.sh --cacert ../ca.crt) >get.log 2>&1 || fail "get.sh: $(cat get.log)"
    [ "$("$docker" image inspect --format '{{.Id}}' "$name")" = "$config" ] || fail "get.sh loaded another image"
    ok "docker and get.sh"
else
    echo "skipped: no docker daemon here"
fi
grep -q "$code" said err && fail "the code was logged"
kill -INT "$server"
wait "$server" || fail "it ended with $?: $(cat err)"
