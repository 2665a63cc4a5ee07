/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_order.h"

bool layer_order_needs(const struct lock *lock, const struct artifact *a)
{
    return a->eco == ECO_DEB || a->eco == ECO_REDIST ||
           (a->eco == ECO_WHEEL && lock->toolkit.from.len && str_starts(a->name, STR("nvidia-")));
}

bool layer_order_is_late(enum lock_group group)
{
    return group >= LOCK_TOOLKIT;
}

bool layer_order_is_above(const struct lock *lock, size_t artifact)
{
    const struct lock_layer *l = lock->toolkit.from.len ? lock_layer_of(lock, LOCK_TOOLKIT) : NULL;

    if (!l)
        return false;
    for (size_t i = 0; i < l->artifacts.n; i++)
        if (l->artifacts.v[i] == artifact)
            return true;
    return lock->artifacts.v[artifact].eco == ECO_WHEEL;
}
