/* plan/lock_facts.h - what a choice of wheels means: CUDA, cuDNN, NCCL, the driver and
 * architectures. The wheels are the truth, the catalog fills in what they do not say. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../model/catalog.h"
#include "../model/lock.h"

/* Fill lock->facts from lock->artifacts: CUDA from the nvidia wheels, else from cuda-toolkit, else
 * from the local tag of torch's version ("+cu124"); texts go into the lock's arena. */
void lock_facts_derive(struct lock *lock, const struct catalog *catalog,
                       const struct events *events);
/* The choice must be what the recipe asks for: its CUDA (or none), its cuDNN, torchvision and its
 * like of torch's own build, one version of each nvidia library. ERR_UNSAT, all faults at once. */
int lock_facts_check(const struct lock *lock, const struct catalog *catalog,
                     const struct recipe *recipe, struct err *e) MUST_CHECK;
