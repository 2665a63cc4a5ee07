/* pkg/deb/deblist.h - one Packages file condensed to what a choice asks of it, sorted for look-up.
 *
 * It is made once and can be remembered: 60 000 packages are at hand again in milliseconds. All is
 * one block of bytes, in this machine's byte order: a head, the packages' short paragraphs, four
 * tables, and a text of names and versions. Paragraphs are most of it, and few are looked at: they
 * are packed, some together. A form that changes gets another DEBLIST_MAGIC.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../io/source.h"

#define DEBLIST_MAGIC "deblist2"

enum {
    DEBLIST_ESSENTIAL = 1,
    DEBLIST_IMPORTANT = 2, /* Important: yes or Protected: yes */
    DEBLIST_ANY = 4,       /* Multi-Arch: allowed */
};

/* Offsets are into the text, but for `at`: that is where the paragraph begins in its block. It
 * begins "Package: ", "Version: ", "Architecture: ". */
struct deblist_package { /* sorted by name, the highest version first, then by order */
    uint32_t block, at, len;
    uint32_t order; /* its place in the Packages file, from 0 */
    uint32_t name_at, version_at, arch_at;
    uint16_t name_len, version_len, arch_len;
    uint8_t flags, priority; /* enum deb_priority */
};
struct deblist_provide { /* sorted by name, then by package */
    uint32_t package;    /* position in `packages` */
    uint32_t name_at, version_at;
    uint16_t name_len, version_len; /* no version: 0 */
};
struct deblist_name { /* sorted by name */
    uint32_t at, len;
    uint32_t rank; /* the how manieth name that the Packages file mentions, from 0 */
};

struct deblist_block {
    uint32_t at, packed; /* of the frame (RFC 8878), among all that is packed */
    uint32_t len;        /* of its paragraphs */
};

struct deblist { /* a view into the bytes */
    const struct deblist_package *packages;
    const struct deblist_provide *provides;
    const struct deblist_name *names; /* of packages, and those in relation fields */
    const struct deblist_block *blocks;
    size_t packages_n, provides_n, names_n, blocks_n;
    struct str text, packed;
};

/* Condense a Packages file, of which at most `limit` bytes are read, and append it to the empty
 * `out`. Packages for other architectures than `arch` are passed over. `from` names it in
 * ERR_INPUT. */
int deblist_condense(struct buf *out, struct source *packages, uint64_t limit, struct str arch,
                     const char *from, struct err *e) MUST_CHECK;
/* View what deblist_condense() made, at an address that suits a uint32_t; false when `bytes` is
 * something else. */
bool deblist_view(struct deblist *out, struct str bytes) MUST_CHECK;
struct str deblist_str(const struct deblist *l, uint32_t at, uint32_t len);
/* Paragraphs that were asked for; all-zero at the start, and of one list. */
struct deblist_texts {
    struct arena arena;
    const char **blocks; /* NULL: not unpacked yet */
};
/* The short paragraph of l->packages[package], which stays until the texts are cleared. */
int deblist_paragraph(struct str *out, struct deblist_texts *texts, const struct deblist *l,
                      size_t package, struct err *e) MUST_CHECK;
void deblist_texts_clear(struct deblist_texts *texts);
/* When `name` is first mentioned; false when it is not. */
bool deblist_rank(const struct deblist *l, struct str name, uint32_t *rank);
