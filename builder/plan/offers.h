/* plan/offers.h - what containers of an image offer and keep: ports, volumes, the health check; the
 * recipe's, besides those of the image that is its base, as a Dockerfile has it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../model/recipe.h"

/* `below` is the base image's config; NULL: there is none. */
void offers_set(struct lock *lock, const struct recipe *r, const struct image_config *below);
