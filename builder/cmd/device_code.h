/* cmd/device_code.h - has a wheel that was built the code that its GPUs want? A build that sees no
 * GPU may leave it out without a word.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../io/zip.h"
#include "../pkg/artifact.h"

/* `archs`: "8.0", "9.0+PTX", as TORCH_CUDA_ARCH_LIST has them. Machine code for a GPU is of its
 * capability, or of an earlier one of the same major; "+PTX" wants PTX of that very one. ERR_INPUT
 * when something of them is missing. A wheel without any device code is one too where the recipe
 * asks for it (`asked`); else libraries without it are warned of, for they may need none. */
int device_code_check(const struct zip *zip, const struct strs *archs, bool asked,
                      const struct artifact *wheel, const struct events *events,
                      struct err *e) MUST_CHECK;
