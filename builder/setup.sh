#!/bin/sh
# Install what envbuild needs on Debian 12+ or Ubuntu 22.04+, build it, and use it. Safe to repeat.
# SPDX-License-Identifier: Apache-2.0
#
#   sh builder/setup.sh run [RECIPE]   what it is for: build, then make the image of a recipe
#   sh builder/setup.sh check          build, then run all tests
#   sh builder/setup.sh tools          only install and build
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build='gcc make pkg-config libarchive-dev libssl-dev libyaml-dev libcurl4-openssl-dev
    libxml2-dev zlib1g-dev libzstd-dev libmicrohttpd-dev libqrencode-dev gpgv ca-certificates'
case $(dpkg --print-architecture) in
amd64 | arm64) build="$build libisal-dev" ;;
esac
# Judges and clients that only the tests use.
tests='libcmocka-dev curl python3 python3-venv gnupg skopeo umoci podman docker.io docker-registry
    mmdebstrap debian-archive-keyring busybox-static faketime isal pigz zstd strace time file bc
    docker-compose bubblewrap git shellcheck slurmctld slurm-client munge prometheus mandoc groff-base zsh fish tmux chromium openssh-client'

say() {
    printf 'setup: %s\n' "$*" >&2
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "installing packages needs root or sudo: $*"
        exit 7
    fi
}

# Install the packages that are missing, and touch the network only then.
install() {
    missing=
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

verb=${1:-}
case $verb in
run | tools)
    # shellcheck disable=SC2086
    install $build
    make -C "$top" -j"$(nproc)"
    [ "$verb" = tools ] && exit 0
    exec "$top/build/envbuild" "${2:-$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml}"
    ;;
check)
    # shellcheck disable=SC2086
    install $build $tests
    # Warnings are errors where we look at them, not on a machine with a compiler we have not met.
    make -C "$top" ${CI:+CI=1} -j"$(nproc)"
    make -C "$top" ${CI:+CI=1} -j"$(nproc)" check
    exec make -C "$top" ${CI:+CI=1} check-real
    ;;
*)
    say "usage: sh builder/setup.sh run [RECIPE] | check | tools"
    exit 2
    ;;
esac
