/* cmd/stored_facts.h - what a stored image is and needs: by its labels where they are to be
 * believed, else by what is found in its layers. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../look/inspect.h"
#include "session.h"

struct stored_facts {
    struct stored image;
    struct inspection found; /* empty where the labels were enough */
    struct facts facts;      /* borrows from both, and from the catalog */
};

/* Our labels are believed while nobody has put layers on top of ours. */
bool stored_facts_labelled(struct facts *out, const struct image_config *config);
/* `operand` as stored_open_any() takes it. */
int stored_facts_image(struct stored *out, struct session *s, const char *operand,
                       struct err *e) MUST_CHECK;
/* The same, and what it is. */
int stored_facts_open(struct stored_facts *out, struct session *s, const char *operand,
                      const struct catalog *catalog, struct err *e) MUST_CHECK;
/* Read all layers. `image` must outlive `out`. */
int stored_facts_look(struct inspection *out, struct session *s, const struct stored *image,
                      const struct catalog *catalog, struct err *e) MUST_CHECK;
void stored_facts_clear(struct stored_facts *f);

/* An image, and all that its layers tell. It stays where it is. */
struct looked {
    struct stored image;
    struct inspection found;
};
int looked_open(struct looked *out, struct session *s, const char *operand,
                const struct catalog *catalog, struct err *e) MUST_CHECK;
void looked_clear(struct looked *l);
