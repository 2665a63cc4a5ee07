/* pkg/pypi/reader.h - a requirement's text while it is read: the cursor that requirements and
 * markers share. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"

struct reader {
    struct str rest, whole;
    struct arena *arena;
    unsigned depth;
    struct err *e;
};

static inline int reader_fail(struct reader *r, const char *why)
{
    return err_set(r->e, ERR_INPUT, "requirement \"" STR_FMT "\": %s at byte %zu",
                   STR_ARG(r->whole), why, r->whole.len - r->rest.len);
}

static inline void reader_skip_blanks(struct reader *r)
{
    while (r->rest.len && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
        r->rest = str_sub(r->rest, 1, r->rest.len);
}

static inline bool reader_take(struct reader *r, const char *token)
{
    return str_skip(&r->rest, str_of(token));
}

static inline bool reader_is_word(char c)
{
    return c_alnum(c) || c == '_';
}

/* Take `word` where it is not the front of a longer one. */
static inline bool reader_take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    if (!str_starts(r->rest, str_of(word)) || (r->rest.len > n && reader_is_word(r->rest.p[n])))
        return false;
    return reader_take(r, word);
}
