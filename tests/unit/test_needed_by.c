/* model/needed_by.c: chains and the tree over what wheels need, with extras and circles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "model/needed_by.h"

static struct str needs_a[] = {STR_INIT("b"), STR_INIT("c[x]"), STR_INIT("elsewhere")},
                  needs_b[] = {STR_INIT("d")}, needs_d[] = {STR_INIT("b")},
                  needs_extra[] = {STR_INIT("d"), STR_INIT("e")};
static struct artifact_extra extras_c[] = {{STR_INIT("x"), {needs_extra, 2, 0}}};

/* The recipe names a; b and d need each other; c needs d and e only with its extra. */
static void fill(struct lock *lock)
{
    static const struct artifact wheels[] = {
        {.eco = ECO_WHEEL,
         .name = STR_INIT("a"),
         .version = STR_INIT("1"),
         .requested = true,
         .needs = {needs_a, 3, 0}},
        {.eco = ECO_WHEEL,
         .name = STR_INIT("b"),
         .version = STR_INIT("2"),
         .needs = {needs_b, 1, 0}},
        {.eco = ECO_WHEEL,
         .name = STR_INIT("c"),
         .version = STR_INIT("3"),
         .extras = {extras_c, 1, 0}},
        {.eco = ECO_WHEEL,
         .name = STR_INIT("d"),
         .version = STR_INIT("4"),
         .needs = {needs_d, 1, 0}},
        {.eco = ECO_WHEEL, .name = STR_INIT("e"), .version = STR_INIT("5")},
    };

    lock->format = 2;
    for (size_t i = 0; i < ARRAY_LEN(wheels); i++)
        vec_add(&lock->artifacts, wheels[i]);
}

static void the_shortest_chain_is_told(void **state)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"E", "  a 1 needs c 3 needs e 5\n"},
        {"d", "  a 1 needs b 2 needs d 4\n"},
        {"a", "  the recipe asks for it\n"},
    };
    struct lock lock = {0};

    fill(&lock);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf text = {0};

        needed_by_print(&text, &lock, needed_by_find(&lock, str_of(cases[i].name)));
        assert_string_equal(strchr(text.p, '\n') + 1, cases[i].says);
    }
    assert_null(needed_by_find(&lock, STR("elsewhere")));
    lock_clear(&lock);
}

static void the_tree_ends_where_packages_need_each_other(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct lock lock = {0};

    fill(&lock);
    needed_by_tree(&text, &lock);
    assert_string_equal(text.p, "a 1\n  b 2\n    d 4\n      b 2 (as above)\n  c 3\n"
                                "    d 4 (as above)\n    e 5\n");
    lock_clear(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shortest_chain_is_told),
        cmocka_unit_test(the_tree_ends_where_packages_need_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
