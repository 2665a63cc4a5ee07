/* look/report.h - what was found in an image, in words and for machines. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "inspect.h"
#include "proof.h"

void report_print(struct buf *out, const struct inspection *in, const struct proof *proof);
/* What explain says of a lock: all packages and layers, and not what is odd about them. */
void report_explain(struct buf *out, const struct inspection *in);
void report_explain_put(struct doc *doc, struct node *root, const struct inspection *in);
/* What report_print() tells, and more of it, as members of `root`. */
void report_put(struct doc *doc, struct node *root, const struct inspection *in,
                const struct proof *proof);

/* Copies of a library, each in a place of its own: how many of `libraries`, from number `i` on,
 * have its name? */
size_t report_copies(const struct inspection *in, size_t i);
