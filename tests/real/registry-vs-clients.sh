#!/bin/sh
# Debian's docker-registry, or with ALL=1 today's distribution from the Go module proxy, with nobody asked who he is, with TLS
# of its own authority and a password, and with tokens of a server of their own: what we push there, skopeo, podman, crane,
# oras, containerd and docker pull and find to have the same digests, and what skopeo and oras push we read. Also an index of a
# gzip and a zstd form. A small image, or with FULL=1 the one of recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need docker-registry skopeo openssl python3
go_tool crane github.com/google/go-containerregistry/cmd/crane@v0.20.3 || true
go_tool oras oras.land/oras/cmd/oras@v1.3.6 || true
program=docker-registry
[ -z "${ALL:-}" ] || ! go_tool registry github.com/distribution/distribution/v3/cmd/registry@v3.0.0 || program=registry
scratch
cd "$work"
export HOME="$work/home" XDG_CACHE_HOME="${XDG_CACHE_HOME:-$work/cache}"
mkdir home

# NAME PORT LINES: a registry that keeps its files in NAME.
start_registry() {
    {
        printf 'version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s/%s}}\n' "$work" "$1"
        printf 'http:\n  addr: 127.0.0.1:%s\n  secret: tests\n%s\n' "$2" "$3"
    } >"$1.yml"
    OTEL_TRACES_EXPORTER=none "$program" serve "$1.yml" >"$1.log" 2>&1 &
    own_pids="${own_pids:-} $!"
    until_said $! "$1.log" "listening on" || fail "no registry: $(cat "$1.log")"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

digest_of() {
    sed 's/.*@//' "$1"
}

if [ -n "${FULL:-}" ]; then
    cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" recipe.yaml
    [ ! -e "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.lock" ] || cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.lock" recipe.lock
    set -- recipe.yaml
else
    start_world
    cp world/base.yaml world/base.gpg .
    printf 'pytorch: "2.6.0"\ncuda: "12.4"\ncudnn: "9"\nvariant: runtime\nbase: ./base.yaml\n' >recipe.yaml
    set -- recipe.yaml --index "$index"
fi

# ---- nobody is asked who he is ----

port=$(free_port)
start_registry plain "$port" ''
open=localhost:$port/team/image
"$envbuild" build -q "$@" -o "docker://$open:1.0" >out 2>err || fail "push: $(cat err)"
grep -qx "$open@sha256:[0-9a-f]*" out || fail "printed: $(cat out)"
digest=$(digest_of out)
ok "pushed $digest"
[ "$(skopeo inspect --tls-verify=false "docker://$open:1.0" --format '{{.Digest}}')" = "$digest" ] || fail "skopeo sees another digest"
skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$open:1.0" dir:pulled 2>err || fail "skopeo copy: $(cat err)"
[ "$(skopeo manifest-digest pulled/manifest.json)" = "$digest" ] || fail "skopeo pulled another image"
ok "skopeo pulls it"
rm -rf pulled

before=$(find plain -type f -path '*blobs*' | sort | sha256sum)
"$envbuild" build -q --store "$work/bare" recipe.yaml -o "docker://$open:again" >out 2>err || fail "again: $(cat err)"
[ "$(digest_of out)" = "$digest" ] || fail "another digest: $(cat out)"
[ "$(find plain -type f -path '*blobs*' | sort | sha256sum)" = "$before" ] || fail "blobs were sent again"
[ -z "$(find bare -type f -path '*sha256*' 2>/dev/null)" ] || fail "the bare store has got artifacts"
ok "a bare store tags it again with nothing fetched and nothing sent"
"$envbuild" build -v recipe.yaml "--mount-from=team/image" -o "docker://localhost:$port/other" >out 2>err || fail "mount: $(cat err)"
grep -q 'layer torch: mounted' err && grep -q ', 0 B sent' err || fail "not mounted: $(cat err)"
ok "layers are mounted from another repository"
[ -z "$(find plain -path '*_uploads/*' 2>/dev/null)" ] || fail "uploads are left: $(find plain -path '*_uploads/*')"
ok "no upload is left behind"

"$envbuild" inspect -q --json "docker://$open:1.0" >seen 2>err || fail "inspect: $(cat err)"
grep -q "\"digest\": *\"$digest\"" seen || fail "inspect sees another digest"
"$envbuild" copy -q "docker://$open:1.0" oci:layout:copied >out 2>err || fail "copy: $(cat err)"
[ "$(skopeo inspect oci:layout:copied --format '{{.Digest}}')" = "$digest" ] || fail "copied another image"
skopeo copy -q --insecure-policy --dest-tls-verify=false oci:layout:copied "docker://localhost:$port/skopeos:1" 2>err || fail "skopeo: $(cat err)"
"$envbuild" copy -q "docker://localhost:$port/skopeos:1" "docker://$open:back" >out 2>err || fail "copy back: $(cat err)"
[ "$(digest_of out)" = "$digest" ] || fail "another digest came back"
ok "we read what skopeo pushed"
if command -v crane >/dev/null; then
    crane validate --remote "$open:1.0" >out 2>&1 || fail "crane validate: $(cat out)"
    [ "$(crane digest "$open:1.0")" = "$digest" ] || fail "crane sees another digest"
    ok "crane validates it"
    crane pull --format=oci "$open:1.0" craned >out 2>&1 || fail "crane pull: $(cat out)"
    grep -q "$digest" craned/index.json || fail "crane pulled another image"
    rm -rf craned
    ok "crane pulls it"
fi
if command -v oras >/dev/null; then
    oras copy --from-plain-http "$open:1.0" --to-oci-layout orased:1 >out 2>&1 || fail "oras copy: $(cat out)"
    [ "$(last_digest orased)" = "$digest" ] || fail "oras copied another image"
    rm -rf orased
    echo hello >note.txt
    oras attach --plain-http --artifact-type application/x-note "$open:1.0" note.txt:text/plain >out 2>&1 || fail "oras attach: $(cat out)"
    "$envbuild" copy -q --all "docker://$open:1.0" "docker://localhost:$port/noted:1" >out 2>err || fail "copy --all: $(cat err)"
    oras discover --plain-http "localhost:$port/noted:1" >out 2>&1 || fail "oras discover: $(cat out)"
    grep -q application/x-note out || fail "oras does not find what we copied along: $(cat out)"
    ok "oras copies it, and finds what we copied along with it"
fi
if command -v podman >/dev/null && [ "$(id -u)" = 0 ]; then
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/podman/root"\nrunroot = "%s/podman/run"\n' "$work" "$work" >storage.conf
    export CONTAINERS_STORAGE_CONF="$work/storage.conf"
    podman pull -q --tls-verify=false "$open@$digest" >out 2>err || fail "podman pull: $(cat err)"
    podman image inspect "$open@$digest" --format '{{.Digest}}' | grep -qx "$digest" || fail "podman has another digest"
    ok "podman pulls it"
else
    echo "skipped: podman is not installed, or this is not root"
fi
if start_docker; then
    "$docker" pull -q "$open@$digest" >out 2>err || fail "docker pull: $(cat err)"
    "$docker" image inspect --format '{{index .RepoDigests 0}}' "$open@$digest" | grep -qx "$open@$digest" || fail "docker has another digest"
    "$envbuild" copy -q "docker:$open@$digest" oci:from-docker:x >out 2>err || fail "copy from docker: $(cat err)"
    skopeo inspect oci:from-docker:x >/dev/null 2>err || fail "skopeo: $(cat err)"
    ok "docker pulls it, and we copy from docker"
else
    echo "skipped: no Docker daemon can be started here"
fi

# ---- locks, tags that never move, a cache ----

mkdir first && cp recipe.yaml recipe.lock first/
"$envbuild" lock -q --from "docker://$open:1.0" -o taken.lock 2>err || fail "lock --from: $(cat err)"
cmp -s taken.lock recipe.lock || fail "the lock of the image is another"
"$envbuild" build -q recipe.yaml -o oci:kept:1.0 >out 2>err || fail "layout: $(cat err)"
skopeo copy -q --insecure-policy oci:kept:1.0 dir:pulled 2>err || fail "skopeo and a layout with a lock: $(cat err)"
[ "$(skopeo manifest-digest pulled/manifest.json)" = "$digest" ] || fail "skopeo took another image of the layout"
rm -rf pulled
if command -v umoci >/dev/null; then
    umoci stat --image kept:1.0 >/dev/null 2>err || fail "umoci and a layout with a lock: $(cat err)"
fi
ok "the lock travels with the image, and nobody takes it for one"
printf 'env: {CHANGED: "1"}\n' >>recipe.yaml
"$envbuild" lock -q "$@" >out 2>err || fail "lock: $(cat err)"
"$envbuild" build -q "$@" -o "docker://$open:1.0" --cache "docker://localhost:$port/cache" >out 2>err || fail "second: $(cat err)"
second=$(digest_of out)
"$envbuild" tags "docker://$open:1.0" >out 2>err || fail "tags: $(cat err)"
grep -qx "1.0  $second" out && grep -q "^  1.0-[0-9a-f]*  $digest  " out && grep -q CHANGED out || fail "tags: $(cat out)"
"$envbuild" rollback -q "docker://$open:1.0" >out 2>err || fail "rollback: $(cat err)"
[ "$(skopeo inspect --tls-verify=false "docker://$open:1.0" --format '{{.Digest}}')" = "$digest" ] || fail "the tag did not go back"
ok "a tag goes back to what was before"
"$envbuild" build -q "$@" --store "$work/bare2" --cache "docker://localhost:$port/cache" -o oci:taken >out 2>err || fail "cache: $(cat err)"
[ "$(skopeo inspect "$(cat out)" --format '{{.Digest}}')" = "$second" ] || fail "the cache gives another image"
ok "a bare store takes from a cache what it has"
cp first/recipe.yaml first/recipe.lock .

# ---- one index of a gzip and a zstd form ----

cp recipe.lock both.lock
{ cat recipe.yaml; echo 'compression: [gzip, zstd:chunked]'; } >both.yaml
shift
"$envbuild" lock -q both.yaml "$@" >out 2>err || fail "lock both: $(cat err)"
"$envbuild" build -q both.yaml -o "docker://$open:both" >out 2>err || fail "push both: $(cat err)"
skopeo inspect --raw --tls-verify=false "docker://$open:both" >raw
[ "$(sha256sum <raw | cut -d' ' -f1)" = "$(sed 's/.*sha256://' out)" ] || fail "another index: $(cat out)"
for form in gzip zstd-chunked; do
    skopeo inspect --raw --tls-verify=false "docker://$open:both-$form" | sha256sum | cut -d' ' -f1 >form
    grep -q "$(cat form)" raw || fail "the index does not name $form"
    grep -q "$(cat form)" both.lock || fail "the lock does not have $form"
done
skopeo copy -q --insecure-policy --all --src-tls-verify=false "docker://$open:both" dir:pulled 2>err || fail "skopeo copy --all: $(cat err)"
rm -rf pulled
ok "skopeo pulls both forms"
if command -v crane >/dev/null; then
    crane validate --remote "$open:both-gzip" >out 2>&1 || fail "crane validate: $(cat out)"
    crane validate --fast --remote "$open:both" >out 2>&1 || fail "crane validate both: $(cat out)" # whose layers it reads as gzip alone
    ok "crane validates the index, and the layers of the form that it reads"
fi
if [ -n "${CONTAINERS_STORAGE_CONF:-}" ]; then
    podman pull -q --tls-verify=false "$open:both" >out 2>err || fail "podman pull both: $(cat err)"
    ok "podman pulls the form that it likes"
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    "$docker" pull -q "$open:both" >out 2>err || fail "docker pull both: $(cat err)"
    "$docker" run --rm "$open:both" true 2>err || grep -qi 'exec\|not found\|no such file' err || fail "docker run both: $(cat err)"
    ok "docker pulls the form that it reads"
fi
if start_containerd; then
    for tag in 1.0 both both-zstd-chunked; do
        ctr -a "$work/containerd.sock" image pull --plain-http --platform linux/amd64 "$open:$tag" >out 2>&1 || fail "ctr pull $tag: $(tail -3 out)"
    done
    ctr -a "$work/containerd.sock" image ls | grep "$open:1.0" | grep -q "$digest" || fail "containerd has another digest"
    ok "containerd pulls gzip, zstd and the index of both"
else
    echo "skipped: containerd is not installed, or this is not root"
fi

# ---- TLS of its own authority, and a password ----

openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=tests -days 30 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost 2>/dev/null
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >tls.ext
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 30 -extfile tls.ext 2>/dev/null
python3 - >htpasswd <<'END' || htpasswd -nbB me secret >htpasswd || skip "neither Python's crypt nor htpasswd makes a bcrypt line"
import crypt
print("me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**5)))
END
port=$(free_port)
start_registry closed "$port" "  tls: {certificate: $work/tls.crt, key: $work/tls.key}
auth: {htpasswd: {realm: tests, path: $work/htpasswd}}"
closed=localhost:$port/team/image
mkdir -p "home/.config/containers/certs.d/localhost:$port"
status=0
"$envbuild" build -q recipe.yaml -o "docker://$closed" >out 2>err || status=$?
[ "$status" = 5 ] && grep -q 'certificate is not trusted' err || fail "an authority that nobody trusts: $(cat err)"
cp ca.crt "home/.config/containers/certs.d/localhost:$port/"
status=0
"$envbuild" build -q recipe.yaml -o "docker://$closed" >out 2>err || status=$?
[ "$status" = 5 ] && grep -q "docker login localhost:$port" err || fail "nobody is logged in: $(cat err)"
mkdir -p home/.docker
printf '{"auths": {"localhost:%s": {"auth": "%s"}}}\n' "$port" "$(printf me:wrong | base64)" >home/.docker/config.json
status=0
"$envbuild" build -q recipe.yaml -o "docker://$closed" >out 2>err || status=$?
[ "$status" = 5 ] && grep -q 'refuses the user' err || fail "a wrong password: $(cat err)"
if grep -q wrong err; then fail "a secret is told: $(cat err)"; fi
printf '{"auths": {"localhost:%s": {"auth": "%s"}}}\n' "$port" "$(printf me:secret | base64)" >home/.docker/config.json
"$envbuild" build -q recipe.yaml -o "docker://$closed" >out 2>err || fail "push: $(cat err)"
[ "$(digest_of out)" = "$digest" ] || fail "another digest: $(cat out)"
"$envbuild" inspect -q "docker://$(cat out)" >/dev/null 2>err || fail "inspect: $(cat err)"
ok "TLS with its own authority and Basic"
skopeo copy -q --insecure-policy --src-cert-dir "home/.config/containers/certs.d/localhost:$port" --src-creds me:secret \
    "docker://$closed@$digest" dir:pulled 2>err || fail "skopeo: $(cat err)"
[ "$(skopeo manifest-digest pulled/manifest.json)" = "$digest" ] || fail "skopeo pulled another image"
ok "skopeo pulls it"

# ---- tokens of a server of their own, both by TLS ----

mkfifo token_hold token_says
python3 "$top/tests/peers/token_peer.py" tls.crt tls.key me:secret "Tests' tokens" <token_hold >token_says 2>token.log &
exec 6>token_hold
read -r token_port <token_says || fail "no token server: $(cat token.log)"
port=$(free_port)
start_registry tokens "$port" "  tls: {certificate: $work/tls.crt, key: $work/tls.key}
auth: {token: {realm: \"https://localhost:$token_port/token\", service: tests, issuer: \"Tests' tokens\", rootcertbundle: $work/tls.crt}}"
tokens=localhost:$port/team/image
asked() {
    curl -s --cacert ca.crt "https://localhost:$token_port/asked"
}
mkdir -p "home/.config/containers/certs.d/localhost:$port"
cp ca.crt "home/.config/containers/certs.d/localhost:$port/"
printf '{}' >home/.docker/config.json
status=0
"$envbuild" build -q recipe.yaml -o "docker://$tokens" >out 2>err || status=$?
[ "$status" = 5 ] && grep -q "docker login localhost:$port" err || fail "nobody is logged in: $(cat err)"
printf '{"auths": {"localhost:%s": {"auth": "%s"}}}\n' "$port" "$(printf me:wrong | base64)" >home/.docker/config.json
status=0
"$envbuild" build -q recipe.yaml -o "docker://$tokens" >out 2>err || status=$?
[ "$status" = 5 ] && grep -q 'refuses the user' err || fail "a wrong password: $(cat err)"
if grep -q me:wrong err; then fail "a secret is told: $(cat err)"; fi
printf '{"auths": {"localhost:%s": {"auth": "%s"}}}\n' "$port" "$(printf me:secret | base64)" >home/.docker/config.json
"$envbuild" build -q recipe.yaml -o "docker://$tokens" >out 2>err || fail "push: $(cat err)"
[ "$(digest_of out)" = "$digest" ] || fail "another digest: $(cat out)"
asked | grep -qx 'me repository:team/image:pull,push' || fail "scopes: $(asked)"
"$envbuild" build -v recipe.yaml --mount-from team/image -o "docker://localhost:$port/other" >out 2>err || fail "mount: $(cat err)"
grep -q 'layer torch: mounted' err && grep -q ', 0 B sent' err || fail "not mounted: $(cat err)"
asked | grep -q 'me repository:other:pull,push repository:team/image:pull' || fail "no token for both: $(asked)"
ok "tokens, also one for two repositories, with which layers are mounted"
rm -rf pulled
skopeo copy -q --insecure-policy --src-cert-dir "home/.config/containers/certs.d/localhost:$port" --src-creds me:secret \
    "docker://$tokens@$digest" dir:pulled 2>err || fail "skopeo: $(cat err)"
ok "skopeo pulls it"
if command -v crane >/dev/null; then
    SSL_CERT_FILE=ca.crt crane validate --remote "$tokens@$digest" >out 2>&1 || fail "crane validate: $(cat out)"
    ok "crane validates it with a token"
fi
