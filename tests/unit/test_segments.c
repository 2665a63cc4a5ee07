/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include "assemble/layer/segments.h"

static const struct digest first = {{1}}, second = {{2}};

/* "SOURCE:OFFSET+LEN" of each, with spaces between. */
static void show(struct buf *out, const struct segments *s)
{
    const struct segment *seg;

    buf_reset(out);
    buf_puts(out, "");
    vec_each(seg, &s->list)
        buf_fmt(out, "%s%u:%llu+%llu", out->len ? " " : "", seg->source,
                (unsigned long long)seg->offset, (unsigned long long)seg->len);
}

static void what_continues_the_last_range_is_merged_with_it(void **state)
{
    CLEANUP(segments_clear) struct segments s = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    segments_literal(&s, 10);
    segments_literal(&s, 5);
    segments_range(&s, &first, 100, 20);
    segments_range(&s, &first, 120, 30);
    show(&text, &s);
    assert_string_equal(text.p, "0:0+15 1:100+50");
    assert_int_equal(s.literal_size, 15);
}

static void what_does_not_stays_a_range_of_its_own(void **state)
{
    CLEANUP(segments_clear) struct segments s = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    segments_range(&s, &first, 100, 20);
    segments_range(&s, &first, 121, 1);  /* a gap */
    segments_range(&s, &first, 100, 22); /* back again */
    segments_range(&s, &second, 122, 1); /* the next byte, of another input */
    segments_literal(&s, 7);
    segments_range(&s, &second, 123, 1);
    segments_literal(&s, 1); /* literals go on where they were */
    show(&text, &s);
    assert_string_equal(text.p, "1:100+20 1:121+1 1:100+22 2:122+1 0:0+7 2:123+1 0:7+1");
}

static void an_input_is_there_once(void **state)
{
    CLEANUP(segments_clear) struct segments s = {0};

    segments_range(&s, &first, 0, 1);
    segments_range(&s, &second, 0, 1);
    segments_range(&s, &first, 5, 1);
    assert_int_equal(s.inputs.n, 2);
    assert_true(digest_eq(&s.inputs.v[0], &first) && digest_eq(&s.inputs.v[1], &second));
    assert_int_equal(s.list.v[2].source, 1);
}

static void nothing_makes_no_range(void **state)
{
    CLEANUP(segments_clear) struct segments s = {0};

    segments_literal(&s, 0);
    segments_range(&s, &first, 9, 0);
    assert_int_equal(s.list.n, 0);
    assert_int_equal(s.literal_size, 0);
}

/* ---- writing ---- */

struct world {
    struct input literals, a, b;
    const struct input *inputs[2];
    struct segments s;
    struct sink sink;
    struct buf written;
};

static int take(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct world *w = (struct world *)((char *)self - offsetof(struct world, sink));

    buf_add(&w->written, bytes, len);
    return 0;
}

static void put(struct input *in, const char *name, const char *text)
{
    CLEANUP(err_clear) struct err e = {0};

    *in = (struct input){.name = name, .fd = {memfd_create(name, MFD_CLOEXEC), true}};
    assert_int_equal(fd_write_all(in->fd.n, text, strlen(text), name, &e), 0);
}

/* LITERALS holds "<>!", the inputs "hello world" and "0123456789". */
static void open_world(struct world *w)
{
    *w = (struct world){.sink = {take, NULL}};
    put(&w->literals, "literals", "<>!");
    put(&w->a, "a.whl", "hello world");
    put(&w->b, "b.whl", "0123456789");
    w->inputs[0] = &w->a;
    w->inputs[1] = &w->b;
    segments_literal(&w->s, 1);
    segments_range(&w->s, &first, 6, 5);
    segments_literal(&w->s, 1);
    segments_range(&w->s, &second, 0, 3);
    segments_range(&w->s, &first, 0, 5);
    segments_literal(&w->s, 1);
}

static void world_clear(struct world *w)
{
    fd_clear(&w->literals.fd);
    fd_clear(&w->a.fd);
    fd_clear(&w->b.fd);
    segments_clear(&w->s);
    buf_clear(&w->written);
}

static void ranges_and_literals_give_the_blob_back(void **state)
{
    CLEANUP(world_clear) struct world w;
    CLEANUP(err_clear) struct err e = {0};

    open_world(&w);
    assert_int_equal(segments_write(&w.s, &w.literals, w.inputs, &w.sink, NULL, &e), 0);
    assert_string_equal(w.written.p, "<world>012hello!");
}

static void an_input_that_ends_early_is_refused(void **state)
{
    CLEANUP(world_clear) struct world w;
    CLEANUP(err_clear) struct err e = {0};

    open_world(&w);
    segments_range(&w.s, &second, 8, 3); /* one byte more than it has */
    assert_int_equal(segments_write(&w.s, &w.literals, w.inputs, &w.sink, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "b.whl"));
}

static bool always(void *ctx)
{
    return true;
}

static void cancelling_ends_it(void **state)
{
    CLEANUP(world_clear) struct world w;
    CLEANUP(err_clear) struct err e = {0};
    const struct events events = {.cancelled = always};

    open_world(&w);
    assert_int_equal(segments_write(&w.s, &w.literals, w.inputs, &w.sink, &events, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_continues_the_last_range_is_merged_with_it),
        cmocka_unit_test(what_does_not_stays_a_range_of_its_own),
        cmocka_unit_test(an_input_is_there_once),
        cmocka_unit_test(nothing_makes_no_range),
        cmocka_unit_test(ranges_and_literals_give_the_blob_back),
        cmocka_unit_test(an_input_that_ends_early_is_refused),
        cmocka_unit_test(cancelling_ends_it),
    };
    return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
