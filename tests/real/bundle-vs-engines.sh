#!/bin/sh
# A stick of two images, in parts, loaded by its own script into Docker, podman and containerd, and read by skopeo; what was
# loaded has the digests that envbuild wrote. Those that are missing are named as skipped. The images are those of the loopback
# world, which no engine needs to run.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv
scratch
cd "$work"
start_world
cp world/base.yaml world/base.gpg .
for name in one two; do
    printf 'name: team/%s\npytorch: "2.6.0"\ncuda: "12.4"\ncudnn: "9"\nbase: ./base.yaml\nenv: {WHO: %s}\n' "$name" "$name" >"$name.yaml"
    "$envbuild" build -q --store store --index "$index" "$name.yaml" >/dev/null || fail "build $name.yaml"
done
"$envbuild" bundle -q --store store one.yaml two.yaml -o "media/my stick" --split 1M >/dev/null || fail "bundle"
stick="media/my stick"
[ -e "$stick/image.tar.002" ] || fail "one part"
tag=2.6.0-cuda12.4-cudnn9-runtime
set -- "$stick"/image.tar.*
ok "$# parts"

# ENGINE: both images by the script, twice.
loads() {
    sh "$stick/load.sh" "$@" >said 2>&1 || fail "load.sh $*: $(cat said)"
    [ "$(grep -c 'is loaded; start it' said)" = 2 ] || fail "load.sh $* loads not both: $(cat said)"
    sh "$stick/load.sh" "$@" >said 2>&1 && grep -q 'has them already' said || fail "load.sh $* again: $(cat said)"
    ok "load.sh $*"
}

if start_docker; then
    loads docker
    "$docker" image inspect --format '{{.Config.Env}}' "team/two:$tag" | grep -q WHO=two || fail "another image in Docker"
    "$docker" rmi "team/one:$tag" "team/two:$tag" >/dev/null
else
    echo "skipped: Docker"
fi
if command -v podman >/dev/null; then
    mkdir -p conf
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/podman/root"\nrunroot = "%s/podman/run"\n' "$work" "$work" >conf/storage.conf
    export CONTAINERS_STORAGE_CONF="$work/conf/storage.conf"
    loads podman
    podman image inspect --format '{{.Config.Env}}' "team/two:$tag" | grep -q WHO=two || fail "another image in podman"
    podman rmi -a -f >/dev/null 2>&1 || true
else
    echo "skipped: podman"
fi
if start_containerd; then
    CONTAINERD_ADDRESS="$work/containerd.sock" sh "$stick/load.sh" ctr >said 2>&1 || fail "load.sh ctr: $(cat said)"
    ctr -a "$work/containerd.sock" images ls -q | grep -q "team/two:$tag" || fail "containerd has not both"
    ok "load.sh ctr"
else
    echo "skipped: containerd"
fi
cat "$stick"/image.tar.* >whole.tar
if command -v skopeo >/dev/null; then
    skopeo inspect --raw "docker-archive:whole.tar:team/one:$tag" >/dev/null || fail "skopeo"
    ok "skopeo reads it"
fi
"$envbuild" copy -q --store store "$stick:team/one:$tag" oci:back >/dev/null || fail "copy"
[ "$(last_digest back)" = "$(built_digest one.lock)" ] || fail "another image comes back"
ok "the same image comes back"
