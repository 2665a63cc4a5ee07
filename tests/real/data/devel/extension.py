# SPDX-License-Identifier: Apache-2.0
"""A CUDA extension as torch.utils.cpp_extension builds it; its argument is the list of architectures."""
import os, sys

os.environ["TORCH_CUDA_ARCH_LIST"] = sys.argv[1]
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

with open("plus.cu", "w") as f:
    f.write("""
#include <torch/extension.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

__global__ void add(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        x[i] += 1;
}

torch::Tensor plus_one(torch::Tensor t)
{
    if (!t.is_cuda())
        return t + 1;
    add<<<(t.numel() + 255) / 256, 256>>>(t.data_ptr<float>(), t.numel());
    return t;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m)
{
    m.def("plus_one", &plus_one);
}
""")
setup(name="plus", ext_modules=[CUDAExtension("plus_ext", ["plus.cu"])], cmdclass={"build_ext": BuildExtension},
      script_args=["build_ext", "--inplace"])
