/* oci/layout_gc.h - what a layout holds, and removing what no image in it needs.
 *
 * Images that go lose their entry in index.json first, on the disk; then go the blobs that nothing
 * in it leads to (reach.h). So a run that is ended between leaves blobs for the next, and never an
 * image without its blobs. Only files are removed that are named as blobs are, or that a killed run
 * of ours left, and no link is followed. Who writes into the layout by other tools meanwhile is not
 * seen.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/walk.h"
#include "image.h"

/* An image goes when each rule that is given lets it. Without rules none does. Referrers, images
 * without a tag, and entries whose document is not here are not for rules. */
struct layout_rules {
    uint32_t keep;  /* 0, or this many stay of each name, the newest */
    int64_t before; /* 0, or only those made, and put here, before this time go */
};

struct layout_image {
    char *tag;            /* owned; as index.json has it, or NULL */
    char *name;           /* owned; repository, as far as it is known; else "" */
    struct digest digest; /* of the manifest or index */
    bool here;            /* its document is */
    bool dated;
    int64_t created; /* as its config says, in seconds since 1970 */
    int64_t put;     /* when its document came here, in nanoseconds since 1970 */
    uint64_t bytes;  /* of all blobs that it leads to */
    bool referrer, goes;
};
struct layout_images VEC_OF(struct layout_image);

struct layout_content {
    struct layout_images images; /* as index.json has them */
    struct walk_use all;         /* of the folder, before anything is removed */
    struct walk_use unneeded;    /* of that, what goes; `real` is what becomes free */
};

/* What is there, and what goes by the rules; nothing is changed. ERR_INPUT: `dir` is no layout. */
int layout_survey(struct layout_content *out, const char *dir, const struct layout_rules *rules,
                  struct err *e) MUST_CHECK;
/* The same, and it goes. Waits until nobody uses the layout. */
int layout_prune(struct layout_content *out, const char *dir, const struct layout_rules *rules,
                 const struct events *events, struct err *e) MUST_CHECK;
void layout_content_clear(struct layout_content *c);

/* The rules alone; sets `goes`. */
void layout_judge(struct layout_images *images, const struct layout_rules *rules);
