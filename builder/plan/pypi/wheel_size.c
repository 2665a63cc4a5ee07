/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel_size.h"

static void memo_key(struct buf *out, const struct artifact *a)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(&a->digest, hex);
    buf_fmt(out, "wheel size 2\n%s " STR_FMT, hex, STR_ARG(a->url));
}

/* A memo that does not work is only slower. */
static void recall(struct artifact *a, struct memo *memo)
{
    CLEANUP(err_clear) struct err unused = {0};
    CLEANUP(buf_clear) struct buf key = {0}, value = {0};
    bool found = false;

    memo_key(&key, a);
    if (!memo || memo_get(memo, buf_view(&key), NULL, &value, &found, &unused) < 0 || !found ||
        !str_u64(buf_view(&value), &a->size))
        a->size = 0;
}

static void remember(const struct artifact *a, struct memo *memo)
{
    CLEANUP(err_clear) struct err unused = {0};
    CLEANUP(buf_clear) struct buf key = {0}, value = {0};

    if (!memo)
        return;
    memo_key(&key, a);
    buf_fmt(&value, "%llu", (unsigned long long)a->size);
    (void)!memo_put_text(memo, buf_view(&key), buf_view(&value), &unused);
}

int wheel_sizes(struct artifact *wheels, size_t n, struct http *http, struct memo *memo,
                unsigned parallel, struct err *e)
{
    CLEANUP(free_clear) struct http_request *all = xcalloc(n + 1, sizeof *all);
    CLEANUP(free_clear) struct http_request **ask = xcalloc(n + 1, sizeof *ask);
    size_t asked = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        if (wheels[i].size || !str_starts(wheels[i].url, STR("http")))
            continue;
        recall(&wheels[i], memo);
        all[i] = (struct http_request){.url = wheels[i].url, .last = 1, .limit = 1};
        if (!wheels[i].size && http)
            ask[asked++] = &all[i];
    }
    if (asked)
        rc = http_run(http, ask, asked, parallel, NULL, NULL, e);
    for (size_t i = 0; i < n; i++) {
        /* A server without ranges tells before it is cut off. */
        if (all[i].status == 206 || all[i].status == 200) {
            wheels[i].size = all[i].total;
            remember(&wheels[i], memo);
        }
        http_request_clear(&all[i]);
    }
    return rc;
}
