# SPDX-License-Identifier: Apache-2.0
"""A CUDA extension as torch.utils.cpp_extension builds it; its argument is the list of architectures. g++ reads all of
torch's headers, nvcc those for kernels; with "all" behind it nvcc reads all too, which takes two minutes."""
import os, sys

os.environ["TORCH_CUDA_ARCH_LIST"] = sys.argv[1]
os.environ["MAX_JOBS"] = "2"
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

with open("plus_kernel.cu", "w") as f:
    f.write("#include <torch/extension.h>\n" if "all" in sys.argv else "")
    f.write("""
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

__global__ void add(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        x[i] += 1;
}

void launch(float *x, int n)
{
    add<<<(n + 255) / 256, 256, 0, c10::cuda::getCurrentCUDAStream()>>>(x, n);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
}
""")
with open("plus.cpp", "w") as f:
    f.write("""
#include <torch/extension.h>

void launch(float *x, int n);

torch::Tensor plus_one(torch::Tensor t)
{
    if (!t.is_cuda())
        return t + 1;
    launch(t.data_ptr<float>(), static_cast<int>(t.numel()));
    return t;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m)
{
    m.def("plus_one", &plus_one);
}
""")
setup(name="plus", ext_modules=[CUDAExtension("plus_ext", ["plus.cpp", "plus_kernel.cu"], extra_compile_args={"cxx": ["-g0", "-O0"], "nvcc": []})],
      cmdclass={"build_ext": BuildExtension}, script_args=["build_ext", "--inplace"])
