/* cmd/credentials.h - users, passwords and tokens for a recipe's indexes and downloads.
 *
 * For an index with a name, ENVBUILD_INDEX_<NAME>_USERNAME and _PASSWORD, or _TOKEN; the name in
 * capitals, what is neither letter nor digit as "_"; for a download ENVBUILD_DOWNLOAD_<NAME>_... A
 * user that stands in the address (https://me@host/) or in _USERNAME without a password is looked
 * up by the configured keyring: `PROGRAM get ADDRESS USER` prints it. All else is for ~/.netrc.
 * Nothing of it is ever written anywhere.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/recipe.h"
#include "../net/auth.h"
#include "config.h"
#include "session.h"

/* `index` is the command line's, and may be NULL; a user and password in it are used. */
int credentials_of(struct auth *out, const struct recipe *r, const char *index,
                   const struct config *config, const struct session *s, struct err *e) MUST_CHECK;
