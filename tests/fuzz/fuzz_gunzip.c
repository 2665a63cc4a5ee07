/* Compressed bytes of all kinds: what comes out does not hang on the steps in which it is read, is
 * bounded, and a fault stays a fault. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "io/decompress.h"

enum { MOST = 8 << 20 };

/* A source that gives a few bytes at a time. */
struct slow {
    struct source source;
    struct str rest;
    size_t step;
};

static int slow_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct slow *s = (struct slow *)self;

    *got = s->step < len ? s->step : len;
    *got = *got < s->rest.len ? *got : s->rest.len;
    if (*got)
        memcpy(to, s->rest.p, *got);
    s->rest = str_sub(s->rest, *got, s->rest.len);
    return 0;
}

static int unpack(struct buf *out, struct str bytes, size_t in, size_t step)
{
    struct slow *slow = xcalloc(1, sizeof *slow);
    CLEANUP(source_clear) struct source *s = NULL;
    CLEANUP(err_clear) struct err e = {0}, again = {0};
    size_t got = 1;

    source_init(&slow->source, slow_read, NULL, NULL);
    slow->source.name = "fuzz";
    slow->rest = bytes;
    slow->step = in;
    s = decompress(&slow->source);
    s->limit = MOST;
    while (got) {
        if (source_read(s, buf_room(out, step), step, &got, &e) < 0) {
            assert(e.kind == ERR_INPUT || e.kind == ERR_INTEGRITY);
            assert(source_read(s, buf_room(out, 1), 1, &got, &again) < 0);
            assert(strcmp(e.msg, again.msg) == 0);
            return -1;
        }
        out->len += got;
        assert(out->len <= MOST && s->produced == out->len);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const size_t steps[][2] = {{1, 1 << 16}, {7, 1000}, {4096, 1 << 18}};
    const struct str packed = {(const char *)bytes, len};
    CLEANUP(buf_clear) struct buf want = {0};
    int result = unpack(&want, packed, len + 1, 1 << 17);

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(buf_clear) struct buf got = {0};

        assert(unpack(&got, packed, steps[i][0], steps[i][1]) == result);
        assert(result < 0 || str_eq(buf_view(&got), buf_view(&want)));
    }
    return 0;
}
