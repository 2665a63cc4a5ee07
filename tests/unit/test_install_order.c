/* plan/pypi/install_order.c: graphs, and the order that pip's get_topological_weights() (23.2.1)
 * gives them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "plan/pypi/install_order.h"

#define NAMES_MAX 32

struct named {
    struct str names[NAMES_MAX];
    size_t n;
    struct install_graph g;
    uint32_t turns[NAMES_MAX];
};

static uint32_t position(struct named *all, struct str name)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_eq(all->names[i], name))
            return (uint32_t)i;
    assert_true(all->n < NAMES_MAX);
    vec_push(&all->g.nodes);
    all->names[all->n] = name;
    return (uint32_t)all->n++;
}

/* "* a b; a c": the wishes are a and b, and a needs c. */
static void read_graph(struct named *all, const char *text)
{
    struct str rest = str_of(text), one, name;

    while (str_item(&rest, ';', &one)) {
        uint32_t from, to;

        assert_true(str_word(&one, &name));
        from = position(all, name);
        while (str_word(&one, &name)) {
            to = position(all, name);
            vec_add(&all->g.nodes.v[from].needs, to);
        }
    }
}

static bool is_before(const struct named *all, size_t a, size_t b)
{
    return all->turns[a] != all->turns[b] ? all->turns[a] < all->turns[b]
                                          : str_cmp(all->names[a], all->names[b]) > 0;
}

/* Projects alone, as pip lists them: what has brackets or "Python" in it is none. */
static void order_words(struct buf *out, const struct named *all)
{
    bool told[NAMES_MAX] = {false};

    for (size_t i = 1; i < all->n; i++) {
        size_t first = 0;

        for (size_t j = 1; j < all->n; j++)
            if (!told[j] && (!first || is_before(all, j, first)))
                first = j;
        told[first] = true;
        if (!str_has(all->names[first], '[') && !str_is(all->names[first], "<Python>"))
            buf_fmt(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(all->names[first]));
    }
}

static void pip_would_install_in_this_order(void **state)
{
    static const struct {
        const char *graph, *order;
    } cases[] = {
        {"* a b c", "c b a"}, /* by name, the last first */
        {"* a; a b; b c", "c b a"},
        {"* b a; a c", "c b a"}, /* b needs nothing either */
        {"* c b; c a", "b a c"},
        /* What says which Python it needs comes a round later than what does not. */
        {"* a b; b <Python>", "a b"},
        {"* a b; a <Python>; b <Python>", "b a"},
        /* An extra is a thing of its own, which needs the plain one. */
        {"* a[x]; a[x] a b", "b a"},
        {"* a[x] c; a[x] a b; c a[x]", "b a c"},
        {"* b; b a[x]; a[x] a c; a <Python>", "c a b"},
        /* Cycles: those farthest from the wishes by the longest path come first. */
        {"* a; a b; b a", "b a"},
        {"* b; a b; b a", "a b"},
        {"* a; a b; b c; c a", "c b a"},
        {"* a d; a b; b a; d c; c d", "c b d a"},
        {"* a z; a b; b a; z y; y x; x y", "x y b z a"},
        {"* a; a b c; b c; c b", "c b a"},
        /* What needs a cycle comes behind what needs none. */
        {"* a q; a b; b c; c b; q r", "r q c b a"},
        {"* a c; a b; b a; c a", "b a c"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct named all = {0};
        CLEANUP(buf_clear) struct buf got = {0};

        read_graph(&all, cases[i].graph);
        install_turns(all.turns, &all.g);
        order_words(&got, &all);
        assert_string_equal(got.p, cases[i].order);
        install_graph_clear(&all.g);
    }
}

/* What is added without being needed moves nobody's turn. */
static void turns_hang_on_what_is_needed(void **state)
{
    struct named one = {0}, more = {0};

    read_graph(&one, "* a; a b; b c");
    read_graph(&more, "* a z; a b; b c; z y; y x; x w");
    install_turns(one.turns, &one.g);
    install_turns(more.turns, &more.g);
    for (size_t i = 1; i < one.n; i++)
        assert_int_equal(one.turns[i], more.turns[position(&more, one.names[i])]);
    install_graph_clear(&one.g);
    install_graph_clear(&more.g);
}

/* Where everything needs everything, the paths are too many to be walked. */
static void a_thick_cycle_ends(void **state)
{
    struct named all = {0};
    char names[NAMES_MAX][4];

    position(&all, STR("*"));
    for (uint32_t i = 1; i < NAMES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "p%02u", i);
        position(&all, str_of(names[i]));
    }
    for (uint32_t i = 0; i < NAMES_MAX; i++)
        for (uint32_t j = 1; j < NAMES_MAX; j++)
            vec_add(&all.g.nodes.v[i].needs, j);
    install_turns(all.turns, &all.g);
    for (size_t i = 1; i < all.n; i++)
        assert_true(all.turns[i] > 0);
    install_graph_clear(&all.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pip_would_install_in_this_order),
        cmocka_unit_test(turns_hang_on_what_is_needed),
        cmocka_unit_test(a_thick_cycle_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
