// Uses what a CUDA program of any size uses: kernels, the runtime, the driver's API, and libraries of the toolkit and of
// PyTorch's wheels. Without a GPU it tells versions; with one it computes.
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include <cublas_v2.h>
#include <cuda.h>
#include <cudnn.h>
#include <nccl.h>
#include <nvml.h>

__global__ void twice(float *x)
{
    x[threadIdx.x] *= 2;
}

static int compute()
{
    float *x, v[32];
    cublasHandle_t handle;
    CUdevice device;
    int nccl = 0;

    for (float &value : v)
        value = 21;
    if (cudaMalloc(&x, sizeof v) != cudaSuccess || cudaMemcpy(x, v, sizeof v, cudaMemcpyHostToDevice) != cudaSuccess)
        return 1;
    twice<<<1, 32>>>(x);
    if (cudaMemcpy(v, x, sizeof v, cudaMemcpyDeviceToHost) != cudaSuccess || cuInit(0) != CUDA_SUCCESS || cuDeviceGet(&device, 0) != CUDA_SUCCESS || nvmlInit() != NVML_SUCCESS ||
        cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS || ncclGetVersion(&nccl) != ncclSuccess)
        return 1;
    cublasDestroy(handle);
    std::printf("computed %.0f\n", (double)v[31]);
    return v[31] == 42.0f ? 0 : 1;
}

int main(int argc, char **)
{
    int runtime = 0, devices = 0;

    cudaRuntimeGetVersion(&runtime);
    std::printf("runtime %d, cuDNN %zu\n", runtime, cudnnGetVersion());
    // Linked against the driver's stub, it needs the driver's library only where there is a GPU.
    if (argc > 1 || (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0))
        return compute();
    return 0;
}
