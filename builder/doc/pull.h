/* doc/pull.h - JSON (RFC 8259) read once from front to back, without making a tree of it: for index
 * pages of megabytes, of which little is wanted.
 *
 * After a fault every question is answered with "no more", so loops end; pull_done() and pull_end()
 * tell. At most 64 lists and maps stand in one another. Unlike json_parse() it takes a key that
 * stands twice in a map.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "node.h"

struct pull {
    struct str text; /* all of it */
    struct str rest;
    struct arena *arena; /* for texts with escapes in them */
    unsigned depth;
    size_t key_at;     /* where the last key began */
    bool fresh;        /* right behind "{" or "[" */
    const char *fault; /* what is wrong; NULL: nothing */
    size_t fault_at;
    struct {
        size_t at;
        unsigned line, col; /* from 0 */
    } mark;                 /* the last place that was asked for */
};

void pull_open(struct pull *p, struct str text, struct arena *a);
/* What the next value is; NODE_NULL also at a fault or the end. */
enum node_kind pull_kind(struct pull *p);

/* Enter a map; false, and nothing taken, when the next value is none. Then for each pull_key() that
 * is true take exactly one value; where it is false the map has been left. */
bool pull_map(struct pull *p);
bool pull_key(struct pull *p, struct str *key);
/* The same for a list. */
bool pull_list(struct pull *p);
bool pull_item(struct pull *p);

/* Take a value: false when it is not of that kind; it is skipped then. Texts are borrowed from the
 * input or live in the arena. */
bool pull_text(struct pull *p, struct str *out);
bool pull_number(struct pull *p, struct str *out); /* as written */
bool pull_bool(struct pull *p, bool *out);
void pull_skip(struct pull *p);

/* Where the next value begins, and where the last key did; the column counts characters. Places
 * must be asked for in their order. */
struct pos pull_pos(struct pull *p, const char *file);
struct pos pull_key_pos(struct pull *p, const char *file);
/* Say that something is wrong with what begins at the last place that was asked for. */
void pull_refuse(struct pull *p, const char *fault);

/* Whether all was well and nothing is left. */
bool pull_done(struct pull *p);
/* The same; the error tells the place. `file` is its name for messages. */
int pull_end(struct pull *p, const char *file, struct err *e) MUST_CHECK;
