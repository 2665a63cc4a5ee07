#!/bin/bash
# What `envbuild inspect` says of images, ours and those that docker builds, against what the images
# themselves say when they run, and against NVIDIA's cuobjdump. With ALL=1 also images that docker
# builds with three releases of PyTorch (30 GB of disk, 10 minutes).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 mmdebstrap
scratch
judge=$top/tests/real/judges/inspect-in-image.py

# NAME IMAGE FILE: run the image, and hold what it says against what inspect says of FILE.
hold() {
    "$envbuild" inspect -q --json "$3" >"$work/said.json" || fail "$1: inspect"
    in_container -v "$judge:/judge.py:ro" --entrypoint python3 "$2" /judge.py in-image >"$work/so.json" ||
        fail "$1: the image cannot say what it is"
    python3 "$judge" "$work/said.json" "$work/so.json" || fail "$1: see above"
    ok "$1: $(python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))
print(", ".join("%s %s" % (k, v) for k, v in s["facts"].items()), "-", len(s["packages"]), "packages,",
      s["load_checked"], "programs and libraries,", len(s["load_findings"]), "findings")' "$work/said.json")"
}

start_docker || skip "images are run in Docker, which needs root and a daemon that starts"

# ---- ours ----
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$work/ours.yaml"
"$envbuild" build -q "$work/ours.yaml" -o "oci:$work/images" >/dev/null || fail "build"
"$envbuild" build -q --locked --offline "$work/ours.yaml" -o docker: >/dev/null || fail "docker:"
hold "an image of ours" pytorch:2.6.0-cuda12.4-cudnn9-runtime "oci:$work/images"
cp "$work/said.json" "$work/ours.json"

python3 -m pip download -q --no-deps --only-binary :all: -d "$work/judge" nvidia-cuda-cuobjdump==13.5.37 \
    >"$work/pip" 2>&1 || skip "cannot fetch nvidia-cuda-cuobjdump: $(tail -1 "$work/pip")"
python3 -m zipfile -e "$work"/judge/*.whl "$work/judge"
chmod +x "$work/judge/nvidia/cu13/bin/cuobjdump"
container=$("$docker" create pytorch:2.6.0-cuda12.4-cudnn9-runtime)
most=${ALL:+100000} # MiB of a library
python3 - "$work/ours.json" "${most:-110}" >"$work/libraries" <<'X'
import json, sys
for c in json.load(open(sys.argv[1]))["device_code"]:
    n = {}
    for e in c["entries"]:
        if e["place"] != "embedded":
            key = "%s %s" % (e["kind"], e["arch"].rstrip("f"))
            n[key] = n.get(key, 0) + e["count"]
    if n and 8 << 20 <= c["size"] < int(sys.argv[2]) << 20:
        print(c["path"], ";".join("%s %d" % kv for kv in sorted(n.items())), sep="\t")
X
compared=0
while IFS=$'\t' read -r path ours; do
    "$docker" cp "$container:/$path" "$work/library.so"
    theirs=$("$work/judge/nvidia/cu13/bin/cuobjdump" -all -lelf -lptx "$work/library.so" 2>"$work/says" |
        sed -nE 's/.*\.(sm_[0-9]+[a-z]?)\.(cubin|ptx)$/\2 \1/p' | sort | uniq -c | awk '{print $2, $3, $1}' |
        sort | paste -sd ';')
    if grep -q fatal "$work/says"; then
        echo "note: cuobjdump stops in the middle of $(basename "$path"); tests/real/device-code-vs-cuobjdump.sh holds what it lists"
        continue
    fi
    [ "$ours" = "$theirs" ] || fail "$path: inspect says $ours, cuobjdump $theirs"
    compared=$((compared + 1))
done <"$work/libraries"
[ "$compared" -gt 2 ] || fail "only $compared libraries compared"
ok "device code of $compared libraries is what cuobjdump lists"
"$docker" rm "$container" >/dev/null
rm -rf "$work/images" "$work/library.so"

# ---- those of docker ----
mmdebstrap --variant=minbase --include=python3,python3-pip,ca-certificates bookworm "$work/base.tar" \
    >"$work/log" 2>&1 || skip "mmdebstrap: $(tail -1 "$work/log")"
"$docker" import "$work/base.tar" base:1 >/dev/null
cp /etc/ssl/certs/ca-certificates.crt "$work/ca.crt"

# NAME: the lines of a Dockerfile on standard input become the image NAME:1 and $work/NAME.tar.
build() {
    mkdir -p "$work/context"
    cp "$work/ca.crt" "$work/context/"
    { echo "FROM base:1" && echo "COPY ca.crt /etc/ssl/certs/ca-certificates.crt" && cat; } >"$work/context/Dockerfile"
    DOCKER_BUILDKIT=0 "$docker" build -q --network host -t "$1:1" "$work/context" >"$work/log" 2>&1 ||
        fail "docker build: $(tail -3 "$work/log")"
    "$docker" save "$1:1" -o "$work/$1.tar"
}

forget() {
    "$docker" rmi "$1:1" >/dev/null
    rm "$work/$1.tar"
}

build cpu <<'X'
RUN pip install --break-system-packages -q numpy
X
hold "without CUDA" cpu:1 "$work/cpu.tar"
"$envbuild" check -q "$work/cpu.tar" --driver 450.36 --gpu "GTX 980" >"$work/out" || fail "check"
grep -q ': runs$' "$work/out" || fail "an image without CUDA: $(cat "$work/out")"
forget cpu

build two <<'X'
RUN pip install --break-system-packages -q nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-runtime-cu11==11.8.89 && \
    mkdir -p /usr/local/cuda-11.8/lib64 && cp /usr/local/lib/python3.11/dist-packages/nvidia/cuda_runtime/lib/libcudart.so.11.0 /usr/local/cuda-11.8/lib64/
X
hold "with two CUDA runtimes" two:1 "docker-archive:$work/two.tar"
"$envbuild" inspect -q "$work/two.tar" | grep -q '3 copies of libcudart: 11.8 in .*, 11.8.89 in .*, 12.4.127 in' ||
    fail "copies of libcudart"
forget two

# A later layer takes it away.
build none <<'X'
RUN apt-get purge -y -q --auto-remove python3 python3-minimal libpython3-stdlib
X
"$envbuild" inspect -q --json "$work/none.tar" >"$work/said.json" || fail "without Python"
python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))
assert s["python"] == s["pytorch"] == s["load_findings"] == [], s
assert "cuda" not in s["facts"] and len(s["packages"]) > 50' "$work/said.json" || fail "without Python"
ok "without Python"
forget none

# ---- PyTorch by docker and pip ----
[ -n "${ALL:-}" ] || { echo "skipped: images with PyTorch by docker build are of the longer run (ALL=1)"; exit 0; }
for torch in 2.1.2 2.6.0 2.15.0; do
    build torch <<X
RUN pip install --break-system-packages -q torch==$torch "numpy<2.3"
X
    hold "docker build, torch $torch" torch:1 "$work/torch.tar"
    rm "$work/torch.tar"
    [ "$torch" = 2.1.2 ] || { "$docker" rmi torch:1 >/dev/null; continue; }
    printf 'FROM torch:1\nRUN rm -rf /usr/local/lib/python3.11/dist-packages/nvidia/curand\n' >"$work/context/Dockerfile"
    DOCKER_BUILDKIT=0 "$docker" build -q --network host -t broken:1 "$work/context" >/dev/null 2>&1 || fail "docker build"
    "$docker" save broken:1 -o "$work/broken.tar"
    hold "torch 2.1.2 without cuRAND" broken:1 "$work/broken.tar"
    forget broken
    "$docker" rmi torch:1 >/dev/null
done
