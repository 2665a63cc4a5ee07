/* cmd/called.h - what an image is called in another place, where nobody says. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/str.h"

struct called {
    char *repository, *tag; /* owned; the first is NULL where it has no name */
};

/* By its full name, which may be empty; the tag is "latest" where there is none. */
void called_find(struct called *out, struct str name);
void called_clear(struct called *c);
