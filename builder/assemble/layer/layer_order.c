/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_order.h"

bool layer_order_needs(const struct lock *lock, const struct artifact *a)
{
    return a->eco == ECO_DEB || a->eco == ECO_REDIST ||
           (a->eco == ECO_WHEEL && lock->toolkit.from.len && str_starts(a->name, STR("nvidia-")));
}

size_t layer_order_toolkit(const struct lock *lock)
{
    const struct lock_layer *l = lock->toolkit.from.len ? lock_layer_of(lock, LOCK_TOOLKIT) : NULL;

    return l ? (size_t)(l - lock->layers.v) : lock->layers.n;
}

bool layer_order_is_above(const struct lock *lock, size_t artifact)
{
    size_t toolkit = layer_order_toolkit(lock);

    if (toolkit == lock->layers.n)
        return false;
    for (size_t i = 0; i < lock->layers.v[toolkit].artifacts.n; i++)
        if (lock->layers.v[toolkit].artifacts.v[i] == artifact)
            return true;
    return lock->artifacts.v[artifact].eco == ECO_WHEEL;
}
