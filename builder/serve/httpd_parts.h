/* serve/httpd_parts.h - what the files httpd*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "httpd.h"

/* One request, from its headers to the last byte. */
struct request {
    struct httpd_answer answer;
    void *transfer;
    bool began;
    int socket;
    uint64_t from, len; /* the range that goes out */
};

/* What goes out of the whole: the range that is asked for, or nothing. */
void httpd_apply_conditions(struct httpd_answer *a, const struct httpd_ask *ask, uint64_t *from,
                            uint64_t *len);
/* The part in which byte `at` is. */
const struct httpd_part *httpd_part_at(const struct httpd_parts *parts, uint64_t at);
/* Bytes of the pieces, from any place of the range on; -1: a file has become shorter. */
ssize_t httpd_read_pieces(const struct request *r, uint64_t at, char *to, size_t max);
