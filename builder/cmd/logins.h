/* cmd/logins.h - who the user is to a registry: what `docker login` and `podman login` left behind.
 *
 * The files, in this order: $REGISTRY_AUTH_FILE; config.json in $DOCKER_CONFIG or ~/.docker;
 * auth.json in $XDG_RUNTIME_DIR/containers (without it /run/containers/UID) and
 * ~/.config/containers. Of one file: the helper under
 * `credHelpers`, the one of `credsStore`, then `auths`. Keys are a host, as podman has it with a
 * part of the repository (the longest counts), or an old "https://host/v1/". A helper is started
 * for the host that is asked and no other; one that fails is an error, never the next way.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../net/tokens.h"

/* `environment` as of a process; finding nobody is fine. */
int logins_find(struct login *out, char *const *environment, struct str host, struct str repository,
                const struct events *events, struct err *e) MUST_CHECK;
/* The value of a variable, or NULL. */
const char *environment_get(char *const *environment, const char *name);
