/* plan/services.h - the recipe's `services`: JupyterLab and an SSH server as the image's command.
 *
 * What they are made of joins what the recipe asks for: tini and openssh-server of the base's
 * packages, jupyterlab of Python's. What starts them is services.py, a file made for the image
 * whose whole text stands in the lock, as the start-up check's does; what it reads is a second one.
 * It says with which secret Jupyter is reached, makes the host keys, hands the container's
 * environment to sessions of ssh, and answers the health check.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../model/recipe.h"
#include "deb/deb_want.h"

struct deb_wants VEC_OF(struct deb_want);

#define SERVICES_JUPYTER "jupyterlab>=4" /* the first whose server has identity providers */

/* Append the packages that they need and `apt` does not name. */
void services_debs(struct deb_wants *wants, const struct recipe *r);
/* Files and inputs into `lock`. ERR_INPUT with the place of the recipe's words: a file of keys that
 * is not there or holds something else. */
int services_take(struct lock *lock, const struct recipe *r, const char *dir,
                  struct err *e) MUST_CHECK;
/* Command, ports, and the health check where the recipe says none. */
void services_set(struct lock *lock, const struct recipe *r);
/* Have both recipes (in their normal form) the same services, whatever their settings? */
bool services_same(const struct node *a, const struct node *b);
