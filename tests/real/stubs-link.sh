#!/bin/bash
# Stubs of the driver's libraries, made from the headers in NVIDIA's wheels: programs link with them by every
# linker that is here, and they have the functions that a compiler sees in these headers, and those that NVIDIA's
# own stubs have. With ALL=1 the latter come from Debian's packages (1.7 GB); else their lists are known by digest.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 cc readelf nm
[ "$(uname -m)" = x86_64 ] || skip "stubs are for x86-64"
scratch
cd "$work" || exit 1

python3 -m pip download -q --no-deps --only-binary :all: --platform manylinux2014_x86_64 -d wheels \
    nvidia-cuda-runtime==13.2.75 nvidia-nvml-dev==13.2.86 nvidia-cuda-profiler-api==13.2.75 \
    nvidia-cuda-runtime-cu12==12.4.127 nvidia-nvml-dev-cu12==12.4.127 nvidia-cuda-profiler-api-cu12==12.4.127 \
    >pip 2>&1 || skip "cannot fetch NVIDIA's wheels: $(tail -1 pip)"
mkdir 12 13
for wheel in wheels/*.whl; do
    case $wheel in
    *_cu12-*) python3 -m zipfile -e "$wheel" 12 ;;
    *) python3 -m zipfile -e "$wheel" 13 ;;
    esac
done
mkdir include12 include13
cp 12/nvidia/*/include/*.h include12
cp 13/nvidia/cu13/include/*.h include13
# What these headers include of other packages; a preprocessor is content with empty files.
mkdir -p others/GL others/EGL others/vdpau
touch others/GL/gl.h others/EGL/egl.h others/EGL/eglext.h others/vdpau/vdpau.h

# stubs FOLDER INCLUDE: libcuda.so and libnvidia-ml.so of the headers in INCLUDE.
stubs() {
    mkdir -p "$1"
    "$tools/stub" libcuda.so.1 cu 34 "$1/libcuda.so" "$2"/cuda.h "$2"/cuda{GL,EGL,VDPAU,Profiler}.h || fail "libcuda.so"
    "$tools/stub" libnvidia-ml.so.1 nvml 9 "$1/libnvidia-ml.so" "$2/nvml.h" || fail "libnvidia-ml.so"
}

functions() {
    nm -D --defined-only "$1" | awk '{print $3}' | LC_ALL=C sort
}

# ---- what they are ----
for release in 12 13; do
    stubs stubs$release include$release
    for library in "stubs$release"/*.so; do
        readelf -aW "$library" >says 2>warnings || fail "readelf: $(cat warnings)"
        [ ! -s warnings ] || fail "readelf warns: $(cat warnings)"
        ! grep -i warning says || fail "readelf warns"
        if command -v eu-elflint >/dev/null; then
            eu-elflint --strict "$library" >says 2>&1 || fail "eu-elflint: $(head -3 says)"
        fi
    done
    ok "CUDA $release: $(functions stubs$release/libcuda.so | wc -l) and $(functions stubs$release/libnvidia-ml.so | wc -l) functions"
done
command -v eu-elflint >/dev/null || echo "skipped: eu-elflint (elfutils) is not installed"

# ---- what a compiler sees ----
# A compiler reads the headers once for each way that programs may ask for; together they declare what is there.
cat >declared.py <<'X2'
import re, sys
prefix, names = sys.argv[1], set()
for statement in re.split(r"[;{}]", sys.stdin.read()):
    if not re.search(r"\b(static|typedef|return)\b", statement):
        names |= set(re.findall(r"[\w*]\s*\b(%s[A-Z]\w*)\s*\(" % prefix, statement)[:1])
print("\n".join(sorted(names)))
X2
declared() {
    prefix=$1 include=$2
    shift 2
    for macro in NONE CUDA_API_PER_THREAD_DEFAULT_STREAM __CUDA_API_VERSION_INTERNAL NVML_NO_UNVERSIONED_FUNC_DEFS; do
        for header in "$@"; do
            echo "#include <$header>" | cc -E -P -Iothers "-I$include" "-D$macro" - || exit 1
        done
    done | python3 declared.py "$prefix" | LC_ALL=C sort
}
for release in 12 13; do
    declared cu include$release cuda.h cudaGL.h cudaEGL.h cudaVDPAU.h cudaProfiler.h >seen
    functions stubs$release/libcuda.so >ours
    diff seen ours >differ || fail "CUDA $release, the compiler's functions and ours: $(head -20 differ)"
    declared nvml include$release nvml.h >seen
    functions stubs$release/libnvidia-ml.so >ours
    # Names that are macros alone; NVIDIA's stub has these two.
    diff seen ours >differ || true
    [ "$(sed -n 's/^[<>]/&/p' differ | paste -sd ' ')" = \
        "> nvmlGetBlacklistDeviceCount > nvmlGetBlacklistDeviceInfoByIndex" ] ||
        fail "NVML $release, the compiler's functions and ours: $(head -20 differ)"
    ok "CUDA $release: the functions that a compiler sees in the headers"
done

# ---- what NVIDIA's stubs have ----
# Not held against ours: what no header declares, and one that is declared but missing in theirs.
undeclared='^(cudbg.*|nvmlInternalGetExportTable)$'
missing='^cuEventCreateFromEGLSync$'
digest() {
    grep -vE "$undeclared|$missing" | sha256sum | cut -d ' ' -f 1
}
theirs_cuda=52150aaf56842d753d875bb9f99d7f7951005aee4a103b0c509b4a308ba17415
theirs_nvml=ea4abd3846135ba8ba785b3d2df26b49c9172ce0909eaa9ea2f50b24e6aec3b9
[ "$(functions stubs12/libcuda.so | digest)" = $theirs_cuda ] || fail "libcuda.so of CUDA 12.4 is not as NVIDIA's"
[ "$(functions stubs12/libnvidia-ml.so | digest)" = $theirs_nvml ] || fail "libnvidia-ml.so of CUDA 12.4 is not as NVIDIA's"
ok "CUDA 12.4: the functions of NVIDIA's own stubs"

# ---- programs ----
cat >use.c <<'X2'
#include <cuda.h>
#include <nvml.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    CUdeviceptr p;
    void *f;
    CUdriverProcAddressQueryResult found;
    CUresult (*by_address)(unsigned) = cuInit;
    if (cuInit(0) != CUDA_ERROR_STUB_LIBRARY || by_address(0) != 34 || cuMemAlloc(&p, 1) != 34 ||
        cuMemcpy(p, p, 1) != 34 || cuLaunchKernel(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0) != 34 ||
        cuGetProcAddress("cuInit", &f, 12000, 0, &found) != 34)
        return 1;
    if (nvmlInit() != NVML_ERROR_DRIVER_NOT_LOADED || nvmlShutdown() != 9)
        return 2;
    puts(nvmlErrorString(nvmlInit()));
    return strstr(nvmlErrorString(NVML_ERROR_DRIVER_NOT_LOADED), "stub") ? 0 : 3;
}
X2
cat >load.c <<'X2'
#include <dlfcn.h>
int main(void)
{
    void *stub = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = stub ? (int (*)(unsigned))dlsym(stub, "cuInit") : 0;
    return !init || init(0) != 34 || dlsym(stub, "cuNoSuchThing");
}
X2
sed 's/cuInit(0)/cuNoSuchThing(0)/; s/#include <cuda.h>/&\nCUresult cuNoSuchThing(unsigned);/' use.c >wrong.c
cc -o load load.c -ldl
# Where programs run, the driver's library stands under its SONAME; here a stub plays it.
for release in 12 13; do
    mkdir run$release
    for library in "stubs$release"/*.so; do
        cp "$library" "run$release/$(basename "$library").1"
    done
    LD_LIBRARY_PATH=run$release ./load || fail "CUDA $release: dlopen"
    LD_LIBRARY_PATH=run$release LD_BIND_NOW=1 ./load || fail "CUDA $release: dlopen"
done
ok "dlopen"
for linker in bfd gold lld mold; do
    if ! command -v "ld.$linker" >/dev/null; then
        echo "skipped: ld.$linker is not installed"
        continue
    fi
    for release in 12 13; do
        for how in "-pie -fPIE" "-no-pie -fno-pie" "-pie -fPIE -O2 -DCUDA_API_PER_THREAD_DEFAULT_STREAM" \
            "-pie -fPIE -Wl,-z,now,-z,defs,--as-needed"; do
            # shellcheck disable=SC2086
            cc "-fuse-ld=$linker" $how "-Iinclude$release" -o use use.c "-Lstubs$release" -lcuda -lnvidia-ml \
                >says 2>&1 || fail "ld.$linker $how: $(head -5 says)"
            [ ! -s says ] || fail "ld.$linker $how warns: $(cat says)"
            readelf -dW use >says
            grep -q 'NEEDED.*\[libcuda.so.1\]' says && grep -q 'NEEDED.*\[libnvidia-ml.so.1\]' says ||
                fail "ld.$linker $how: $(cat says)"
            LD_LIBRARY_PATH=run$release ./use >says || fail "ld.$linker $how: the program ends with $?"
            case $how in
            *PER_THREAD*) nm -D use | grep -q 'U cuLaunchKernel_ptsz' || fail "ld.$linker: no cuLaunchKernel_ptsz" ;;
            *) nm -D use | grep -q 'U cuLaunchKernel$' || fail "ld.$linker: no cuLaunchKernel" ;;
            esac
        done
        ! cc "-fuse-ld=$linker" "-Iinclude$release" -o use wrong.c "-Lstubs$release" -lcuda -lnvidia-ml >says 2>&1 ||
            fail "ld.$linker: a function that is nowhere was found"
        grep -q 'cuNoSuchThing' says || fail "ld.$linker: $(cat says)"
        if command -v c++ >/dev/null; then
            c++ "-fuse-ld=$linker" -shared -fPIC -Wl,-z,defs "-Iinclude$release" -o libuse.so -x c++ use.c -x none \
                "-Lstubs$release" -lcuda -lnvidia-ml >says 2>&1 || fail "ld.$linker, a library in C++: $(head -5 says)"
        fi
    done
    ok "ld.$linker"
done

# ---- NVIDIA's stubs themselves ----
# judge RELEASE VERSION VERSION-OF-NVML: from Debian's non-free archive, headers and stubs of one release.
judge() {
    pool=http://deb.debian.org/debian/pool/non-free/n/nvidia-cuda-toolkit
    mkdir -p "debian$1"
    for package in "nvidia-cuda-dev_$2" "libnvidia-ml-dev_$3"; do
        curl -sSfL "$pool/${package}_amd64.deb" -o judge.deb || skip "cannot fetch $package"
        dpkg-deb --fsys-tarfile judge.deb | tar -x -C "debian$1" --wildcards '*/include/*.h' '*/stubs/*' 2>tar.err ||
            grep -q 'Not found in archive' tar.err || fail "tar: $(cat tar.err)"
        rm judge.deb
    done
    stubs "stubs-debian$1" "debian$1/usr/include"
    for library in libcuda.so libnvidia-ml.so; do
        functions "debian$1/usr/lib/x86_64-linux-gnu/stubs/$library" | grep -vE "$undeclared" >theirs
        functions "stubs-debian$1/$library" | grep -vE "$missing" >ours
        diff theirs ours >differ || fail "$library of $2, NVIDIA's functions and ours: $(head -20 differ)"
        if [ "$1" = 12 ]; then
            [ "$(digest <theirs)" = "$([ $library = libcuda.so ] && echo $theirs_cuda || echo $theirs_nvml)" ] ||
                fail "the digest of $library is out of date: $(digest <theirs)"
        fi
        ok "$library of $2: $(wc -l <ours) functions as in NVIDIA's"
    done
}
if [ -z "${ALL:-}" ]; then
    echo "skipped: NVIDIA's stubs themselves are of the longer run (ALL=1)"
    exit 0
fi
need curl dpkg-deb
judge 12 '12.4.127~12.4.1-2' '12.4.127~12.4.1-2'
judge 11 '11.8.89~11.8.0-5~deb12u1' '11.8.86~11.8.0-5~deb12u1'
