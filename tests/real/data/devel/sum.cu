// The headers of CCCL: Thrust, CUB and libcu++.
// SPDX-License-Identifier: Apache-2.0
#include <cub/cub.cuh>
#include <cuda/std/utility>
#include <thrust/device_vector.h>
#include <thrust/reduce.h>

float sum(int n)
{
    thrust::device_vector<float> v(n, 1.0f);

    return thrust::reduce(v.begin(), v.end());
}
