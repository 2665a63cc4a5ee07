#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Load the images of this folder: sh load.sh [docker|podman|nerdctl|ctr|apptainer]
set -eu
me='load'
cd "$(dirname "$0")"
size='{{size}}' # bytes

{{engine.sh}}
# Name, config and manifest of each image.
images() {
    cat <<'END'
{{images}}
END
}

# Has the engine exactly these images?
all_there() {
    case $engine in
    docker | podman | nerdctl) ;;
    *) return 1 ;;
    esac
    images | while read -r name config manifest; do
        has_image "$name" "$config" "$manifest" || exit 1
    done
}

engine=${1:-}
for one in docker podman nerdctl; do
    if [ -z "$engine" ] && command -v "$one" >/dev/null && "$one" info >/dev/null 2>&1; then
        engine=$one
    fi
done
[ -n "$engine" ] || fail 'neither docker nor podman answers here; install one, or start Docker Desktop; or name another: sh load.sh apptainer'
if all_there; then
    say "$engine has them already"
    exit 0
fi
warn_of_emulation

[ -f SHA256SUMS ] || fail 'this copy is incomplete: it was taken away while it was written; copy it again'
say 'checking the files'
if command -v sha256sum >/dev/null; then
    sha256sum -c SHA256SUMS >/dev/null || fail 'a file is damaged or missing; copy this folder again'
else
    shasum -a 256 -c SHA256SUMS >/dev/null || fail 'a file is damaged or missing; copy this folder again'
fi
check_room "$size"

case $engine in
docker | podman | nerdctl)
    cat image.tar* | "$engine" load
    all_there || fail "what $engine loaded has not the digests that it should have"
    ;;
ctr)
    cat image.tar* | ctr images import - # which holds all against their digests
    ;;
apptainer | singularity)
    here=${OUT:-$HOME}
    made=$here/envbuild-images # of several images they find one in an unpacked layout alone, older ones in the archive
    trap 'rm -rf "$made"' EXIT
    mkdir -p "$made"
    file=image.tar
    if [ ! -f "$file" ]; then
        file=$made/image.tar
        cat image.tar.* >"$file"
    fi
    [ "$(images | wc -l)" = 1 ] || tar -xf "$file" -C "$made"
    images | while read -r name config manifest; do
        sif=$here/$(printf '%s' "$name" | tr '/:' '__').sif
        if [ ! -f "$made/index.json" ]; then
            "$engine" build --force "$sif" "docker-archive:$file"
        else
            "$engine" build --force "$sif" "oci:$made@sha256:$manifest" || "$engine" build --force "$sif" "docker-archive:$file:$name"
        fi
        say "$sif is there; start it with: $engine run --nv $sif"
    done
    exit 0
    ;;
*) fail "\"$engine\" is none of docker, podman, nerdctl, ctr and apptainer" ;;
esac
gpus=$(gpu_options)
if [ "$engine" = ctr ]; then
    say "they are loaded; \`ctr images ls\` tells their whole names, and \`ctr run --rm -t$gpus NAME ID\` starts one"
    exit 0
fi
images | while read -r name config manifest; do
    say "$name is loaded; start it with: $engine run --rm -it$gpus $name"
done
