say() {
    printf '%s: %s\n' "$me" "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Free KiB of the disk that a folder is on.
free_in() {
    df -Pk "$1" | awk 'NR == 2 { print $4 }'
}

# NAME CONFIG MANIFEST: does the engine have that image under that name? It tells the digest of its config or of its manifest.
has_image() {
    found=$("$engine" image inspect --format '{{.Id}}' "$1" 2>/dev/null | sed 's/^sha256://')
    [ "$found" = "$2" ] || [ "$found" = "$3" ]
}

# Of that many bytes the engine has what is packed and what is unpacked at once, about three times as much.
check_room() {
    root=
    case $engine in
    docker) root=$(docker info --format '{{.DockerRootDir}}') ;;
    podman) root=$(podman info --format '{{.Store.GraphRoot}}') ;;
    esac
    if [ -d "$root" ] && [ "$(free_in "$root")" -lt $(($1 * 3 / 1024)) ]; then
        fail "$engine needs $(($1 * 3 / 1048576)) MiB in $root, which has $(($(free_in "$root") / 1024)); \`$engine system prune\` removes what nothing uses"
    fi
}

warn_of_emulation() {
    if [ "$(uname -s) $(uname -m)" = 'Darwin arm64' ]; then
        say 'this is for amd64 and is emulated on this Mac: that is slow, and kernels of Jupyter may die'
    fi
}

# What gives a container the GPUs of this machine, with a space before it; nothing where there are none.
gpu_options() {
    nvidia-smi >/dev/null 2>&1 || return 0
    case $engine in
    podman) printf ' --device nvidia.com/gpu=all' ;;
    ctr) printf ' --gpus 0' ;;
    *) printf ' --gpus all' ;;
    esac
}
