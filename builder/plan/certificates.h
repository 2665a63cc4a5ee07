/* plan/certificates.h - the recipe's `ca_certificates`: files of PEM become files made for the
 * image, one a certificate, in the folder where update-ca-certificates(8) looks for them. The
 * bundle that programs read is made where the image's own is known: assemble/files.h.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../model/lock.h"
#include "../model/recipe.h"

/* Copies and inputs into `lock`. ERR_INPUT with the place of the recipe's words: a file that is not
 * there, that holds no PEM, a private key or something besides certificates, and two files of one
 * name. What ended before `now` is told, and taken all the same. */
int certificates_take(struct lock *lock, const struct recipe *r, const char *dir, int64_t now,
                      const struct events *events, struct err *e) MUST_CHECK;
