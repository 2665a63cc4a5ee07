/* SPDX-License-Identifier: Apache-2.0 */
#include "segments.h"

#include "../../io/source.h"

static void append(struct segments *s, struct segment next)
{
    struct segment *last = s->list.n ? &s->list.v[s->list.n - 1] : NULL;

    if (!next.len)
        return;
    if (last && last->source == next.source && last->offset + last->len == next.offset)
        last->len += next.len;
    else
        vec_add(&s->list, next);
}

void segments_literal(struct segments *s, uint64_t len)
{
    append(s, (struct segment){SEGMENT_LITERAL, s->literal_size, len});
    s->literal_size += len;
}

void segments_range(struct segments *s, const struct digest *input, uint64_t offset, uint64_t len)
{
    size_t i = s->inputs.n;

    while (i-- > 0) /* a layer has few inputs, and the last one is nearly always meant */
        if (digest_eq(&s->inputs.v[i], input))
            break;
    if (i == SIZE_MAX) {
        vec_add(&s->inputs, *input);
        i = s->inputs.n - 1;
    }
    append(s, (struct segment){(uint32_t)i + 1, offset, len});
}

void segments_clear(struct segments *s)
{
    vec_clear(&s->list);
    vec_clear(&s->inputs);
    *s = (struct segments){0};
}

static int write_range(const struct input *in, uint64_t offset, uint64_t len, struct sink *to,
                       const struct events *events, struct err *e)
{
    CLEANUP(source_clear) struct source *range = source_input(in, offset, len);

    range->events = events;
    return source_copy(range, to, NULL, e);
}

int segments_write(const struct segments *s, const struct input *literals,
                   const struct input *const *inputs, struct sink *to, const struct events *events,
                   struct err *e)
{
    for (size_t i = 0; i < s->list.n; i++) {
        const struct segment *seg = &s->list.v[i];
        const struct input *in = seg->source ? inputs[seg->source - 1] : literals;

        if (write_range(in, seg->offset, seg->len, to, events, e) < 0)
            return -1;
    }
    return 0;
}
