/* A library that answers as NVML does, for tests on machines without a GPU. FAKE_NVML_INIT is what
 * nvmlInit_v2() returns, FAKE_NVML_DRIVER the version, FAKE_NVML_GPUS "NAME=9.0;NAME=8.9". */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlSystemGetDriverVersion(char *version, unsigned size);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetName(void *device, char *name, unsigned size);
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor);

enum { OK = 0, INVALID_ARGUMENT = 2 };

static const char *set(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

/* The text of GPU `index`, up to ";"; NULL behind the last. */
static const char *gpu(unsigned index)
{
    const char *at = set("FAKE_NVML_GPUS");

    while (index-- && at)
        at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL;
    return at && *at ? at : NULL;
}

int nvmlInit_v2(void)
{
    return (int)strtol(set("FAKE_NVML_INIT"), NULL, 10);
}

int nvmlShutdown(void)
{
    return OK;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    snprintf(version, size, "%s", set("FAKE_NVML_DRIVER"));
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    for (*n = 0; gpu(*n);)
        ++*n;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    const char *at = gpu(index);

    memcpy(device, &at, sizeof at);
    return at ? OK : INVALID_ARGUMENT;
}

int nvmlDeviceGetName(void *device, char *name, unsigned size)
{
    const char *at = device;

    snprintf(name, size, "%.*s", (int)strcspn(at, "="), at);
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor)
{
    const char *at = strchr((const char *)device, '=');

    return at && sscanf(at, "=%d.%d", major, minor) == 2 ? OK : INVALID_ARGUMENT;
}
