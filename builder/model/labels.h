/* model/labels.h - what an image of ours says of itself, in its labels; assemble/image.h writes
 * them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/descriptor.h"
#include "lock.h"

#define LABEL_PREFIX "io.envbuild."

/* False for an image that is not ours. Texts live as long as the labels; what is not said is empty.
 */
bool labels_read(struct facts *out, const struct pairs *labels);
