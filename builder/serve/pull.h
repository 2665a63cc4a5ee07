/* serve/pull.h - the answers of a read-only registry. OCI distribution-spec 1.1: pulling, and
 * content discovery. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "httpd.h"
#include "route.h"
#include "shelf.h"

/* An error of the registry's form. */
void pull_answer_error(struct httpd_answer *out, unsigned status, const char *code,
                       const char *message);
/* `ask->path` is one of the registry's. */
void pull_answer(struct httpd_answer *out, const struct shelf *shelf, const struct httpd_ask *ask);
