/* serve/page.h - the page for the room: what to type, who fetches. Made anew for who asks; its
 * texts stand in page.html and page-image.html as {{English|Chinese}}, its values as {{name}}. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "shelf.h"
#include "watch.h"

struct page {
    const struct shelf *shelf;
    struct watch *watch;
    struct str host; /* "192.168.1.7:5000": by what the room reaches the server */
    const char *key; /* what scripts say in the code's place; NULL: no code is wanted */
    bool encrypts;   /* TLS */
    bool chinese;
};

void page_write(struct buf *out, const struct page *p);
/* The table alone, by which a script replaces the one in the page. */
void page_table(struct buf *out, const struct page *p);

enum page_script { PAGE_SH, PAGE_PS1 };
/* A script that fetches that image and loads it into an engine; `tar` is the size of its archive.
 */
void page_script_write(struct buf *out, const struct page *p, enum page_script script,
                       struct str repository, const struct shelf_tag *tag, uint64_t tar);

/* Does who accepts `languages` (RFC 9110, 12.5.4) want Chinese? The first that we have counts. */
bool page_wants_chinese(struct str languages);
/* The host of a request, where it is one that others can type, too; else `own`. */
struct str page_host(struct str asked, struct str own);
