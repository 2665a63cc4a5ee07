#!/bin/bash
# The device code that look/ finds in real CUDA libraries, against NVIDIA's own cuobjdump: the same
# architectures, kinds and numbers of entries, linked and relocatable together. cuobjdump sees neither
# what lies outside of those sections (ours calls it embedded) nor, in its lists, the suffix f; that
# one is held against the command line that the compiler left in each cubin.
#
# Libraries come from the big wheels in envbuild's store, where there are any, and from a few wheels
# that are always fetched (WHEELS). cuobjdump itself comes from PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 unzip
python3 -m pip --version >/dev/null 2>&1 || skip "$0 needs pip, which is not installed"
scratch

judge_version=13.5.37
# CUDA 12 with LZ4, and code in .rodata; CUDA 13 with Zstandard, families and relocatable code.
wheels=${WHEELS:-nvidia-cusparselt-cu12==0.6.2 nvidia-cusparselt-cu13==0.10.0 nvidia-curand==10.4.5.25
    nvidia-nccl-cu13==2.32.3}

fetch() {
    python3 -m pip download -q --no-deps --only-binary :all: --platform manylinux_2_27_x86_64 \
        --platform manylinux2014_x86_64 -d "$1" "$2" >"$work/pip" 2>&1
}

fetch "$work/judge" "nvidia-cuda-cuobjdump==$judge_version" ||
    skip "cannot fetch nvidia-cuda-cuobjdump: $(tail -1 "$work/pip")"
unzip -qo "$work"/judge/*.whl -d "$work/judge"
cuobjdump=$work/judge/nvidia/cu13/bin/cuobjdump
chmod +x "$cuobjdump"
"$cuobjdump" --version >/dev/null || skip "cuobjdump does not run here"

# "KIND sm_NN COUNT", sorted. A file without device code makes an empty list.
judge_list() {
    "$cuobjdump" -all -lelf -lptx "$1" 2>"$work/judge-says" |
        sed -nE 's/.*\.(sm_[0-9]+[a-z]?)\.(cubin|ptx)$/\2 \1/p' | sort | uniq -c |
        awk '{print $2, $3, $1}' | sort
}

our_list() {
    awk '$1 == "linked" || $1 == "relocatable" {sub(/f$/, "", $3); n[$2 " " $3] += $4}
         END {for (k in n) print k, n[k]}' "$1" | sort
}

# Cubins for a family say so in the options that they were compiled with.
check_family() {
    rm -rf "$work/cubins" && mkdir "$work/cubins"
    (cd "$work/cubins" && "$cuobjdump" -all -xelf all "$1" >/dev/null 2>&1) || return 1
    for sm in $(awk '$1 != "embedded" && $2 == "cubin" && $3 ~ /f$/ {print $3}' "$work/ours" | sort -u); do
        ours=$(awk -v sm="$sm" '($1 == "linked" || $1 == "relocatable") && $2 == "cubin" && $3 == sm \
            {n += $4} END {print n + 0}' "$work/ours")
        theirs=$(find "$work/cubins" -type f -exec grep -la -- "-arch $sm " {} + | wc -l)
        [ "$ours" = "$theirs" ] || fail "$2: $ours entries for $sm, $theirs cubins compiled for it"
        ok "$2: $ours entries for $sm, as their compiler was told"
    done
}

check() {
    "$tools/look_elf" code "$1" >"$work/ours" || fail "$2: look_elf"
    judge_list "$1" >"$work/theirs.list"
    our_list "$work/ours" >"$work/ours.list"
    ! grep -E '^(broken|stray)' "$work/ours" || fail "$2: not everything was understood"
    if grep -q fatal "$work/judge-says"; then
        # It stops in the middle of some libraries of CUDA 12.
        printf 'note: %s: %s; all that it listed before must be there\n' "$2" \
            "$(grep -o 'fatal *: [A-Za-z ]*' "$work/judge-says")"
        awk 'NR == FNR {n[$1 " " $2] = $3; next} !($3 <= n[$1 " " $2]) {print; bad = 1} END {exit bad}' \
            "$work/ours.list" "$work/theirs.list" || fail "$2: cuobjdump listed more"
    else
        diff "$work/theirs.list" "$work/ours.list" || fail "$2: cuobjdump (<) and look_elf (>) differ"
    fi
    [ -s "$work/ours" ] || return 0
    compared=$((compared + 1))
    ok "$2: $(awk '{n[$1] += $4} END {for (k in n) {printf "%s%s %s", s, n[k], k; s = ", "}}' "$work/ours")"
    grep -qE '^(linked|relocatable) cubin sm_[0-9]+f ' "$work/ours" && check_family "$1" "$2"
    return 0
}

check_wheel() {
    unzip -Z1 "$1" 2>/dev/null | grep -E '\.so(\.[0-9.]+)?$' >"$work/members" || return 0
    while read -r member; do
        unzip -p "$1" "$member" >"$work/library.so"
        check "$work/library.so" "$(basename "$member")"
    done <"$work/members"
}

compared=0
for wheel in $wheels; do
    fetch "$work/wheels" "$wheel" || skip "cannot fetch $wheel: $(tail -1 "$work/pip")"
    check_wheel "$(ls "$work"/wheels/*.whl)"
    rm -rf "$work/wheels"
done
[ "$compared" -gt 0 ] || fail "no device code in any of $wheels"

# One build of each in the store: the same version for another Python has the same libraries.
store=${ENVBUILD_STORE:-${XDG_CACHE_HOME:-$HOME/.cache}/envbuild}/blobs/sha256
[ -d "$store" ] || echo "skipped: no store at $store, so only $wheels were looked at"
: >"$work/seen"
while read -r blob; do
    name=$(unzip -Z1 "$blob" 2>/dev/null | sed -n 's,^\([^/]*\)\.dist-info/WHEEL$,\1,p')
    case $name in
    nvidia_* | torch-* | triton-*) ;;
    *) continue ;;
    esac
    grep -qxF "$name" "$work/seen" && continue
    echo "$name" >>"$work/seen"
    check_wheel "$blob"
done < <(find "$store" -type f -size +20M 2>/dev/null | sort)
