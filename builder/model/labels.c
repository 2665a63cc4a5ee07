/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

static struct str label(const struct pairs *labels, const char *key)
{
    const struct str *value = pairs_get(labels, key);

    return value ? *value : (struct str){0};
}

bool labels_read(struct facts *out, const struct pairs *labels)
{
    if (!pairs_get(labels, LABEL_PREFIX "version") || !pairs_get(labels, LABEL_PREFIX "format"))
        return false;
    *out = (struct facts){
        .pytorch = label(labels, LABEL_PREFIX "pytorch.version"),
        .python = label(labels, LABEL_PREFIX "python.version"),
        .cuda = label(labels, LABEL_PREFIX "cuda.version"),
        .cuda_toolkit = label(labels, LABEL_PREFIX "cuda.toolkit"),
        .driver_min = label(labels, LABEL_PREFIX "cuda.driver.min"),
        .driver_full = label(labels, LABEL_PREFIX "cuda.driver.full"),
        .archs = label(labels, LABEL_PREFIX "cuda.archs"),
        .cudnn = label(labels, LABEL_PREFIX "cudnn.version"),
        .nccl = label(labels, LABEL_PREFIX "nccl.version"),
    };
    return true;
}
