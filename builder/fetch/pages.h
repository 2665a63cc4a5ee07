/* fetch/pages.h - small documents of indexes and archives through a store on disk, for the rooms
 * that choose.
 *
 * A page that is in the store is asked for again with its ETag or date, once a run: all of a run
 * sees one state. Offline, the store alone answers. One thread at a time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../net/http.h"
#include "git.h"
#include "learn.h"
#include "../store/cas.h"
#include "../store/memo.h"

struct pages; /* opaque; pages_open to pages_clear */

struct pages_options {
    bool offline;
    unsigned parallel;           /* requests at once; 0: 16 */
    struct str bucket;           /* what addresses begin with where 403 means missing as well: a
                                    store that may not be listed; empty: none */
    const struct events *events; /* may be NULL */
};

/* All are borrowed; `http` may be NULL when offline. `memo` keeps the documents, `cas` the blobs.
 */
struct pages *pages_open(struct http *http, struct memo *memo, struct cas *cas,
                         const struct pages_options *options);
void pages_clear(struct pages **pages);
bool pages_is_offline(const struct pages *pages);

struct page {
    bool missing;    /* 404 or 410 (or see bucket): there is no such page; the rest is empty */
    bool from_store; /* the server said "not modified", or offline */
    struct buf body;
    char *content_type; /* owned; NULL when the server gave none */
    char *final_url;    /* owned; after redirects, to join relative links with */
    char *etag;         /* owned or NULL */
};
void page_clear(struct page *page);

/* The page at `url`; `accept` (may be NULL) is sent as Accept. A page that does not exist is no
 * error here, see `missing`. Offline and not in the store: ERR_NET that says so. */
int pages_get(struct pages *pages, const char *url, const char *accept, uint64_t limit,
              struct page *out, struct err *e) MUST_CHECK;
/* Bring pages into the store in parallel; pages_get() with the same accept and limit then needs no
 * network. Failures are not told here: pages_get() meets them again. -1 only when interrupted. */
int pages_prefetch(struct pages *pages, const char *const *urls, size_t n, const char *accept,
                   uint64_t limit, struct err *e) MUST_CHECK;

/* A file of known digest and size (0: not known, then at most `limit`), kept in the store.
 * ERR_INTEGRITY on other bytes. *missing (may be NULL: then it is an error) is set for a 404 or
 * 410, and then *out is untouched. cas_input_clear(out) by the caller; its name is `url`, borrowed.
 */
int pages_blob(struct pages *pages, const char *url, const struct digest *digest, uint64_t size,
               uint64_t limit, struct input *out, bool *missing, struct err *e) MUST_CHECK;
/* A file that is wanted whole and whose digest may not be known: with *digest set it must have it,
 * else it becomes what the file has. Afterwards it is in the store; *size may be NULL. */
int pages_learn(struct pages *pages, const char *url, struct digest *digest, uint64_t *size,
                struct err *e) MUST_CHECK;
/* A file by its address, however large. As learn_fetch(). */
int pages_file(struct pages *pages, struct learn_file *f, struct err *e) MUST_CHECK;
/* A commit of a git repository, in the store. As git_get(). */
int pages_git(struct pages *pages, struct git_commit *out, struct arena *a,
              const struct git_ref *ref, struct str name, struct err *e) MUST_CHECK;
/* Where a file of the store lies. Owned by the caller. */
char *pages_path(const struct pages *pages, const struct digest *digest);
/* Bring such files into the store in parallel; as pages_prefetch. */
struct page_want {
    const char *url;
    struct digest digest;
    uint64_t size, limit;
};
int pages_prefetch_blobs(struct pages *pages, const struct page_want *wants, size_t n,
                         struct err *e) MUST_CHECK;
