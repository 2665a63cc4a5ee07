/* cmd/config.h - what a user sets for all recipes on a machine: mirrors, and the keyring's command.
 *
 * $XDG_CONFIG_HOME/envbuild/config.yaml, or ~/.config/envbuild/config.yaml. Nothing in it can
 * change which bytes are chosen or built: a mirror's must have the hashes that are known.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"
#include "../net/http.h"

struct config {
    struct doc doc;          /* owns every text below */
    struct http_rules rules; /* mirrors by what they stand in for; all addresses end in "/" */
    struct strs keyring;     /* a program and its arguments; empty: none */
};

/* A file that is not there, or a NULL path, is an empty configuration. */
int config_read(struct config *out, const char *path, struct err *e) MUST_CHECK;
void config_clear(struct config *c);
