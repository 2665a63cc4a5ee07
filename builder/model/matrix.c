/* SPDX-License-Identifier: Apache-2.0 */
#include "matrix.h"

#include "../doc/field.h"

/* What may differ between cells: keys with one short value each. */
static const char *const axes[] = {"pytorch", "cuda", "cudnn",       "variant", "base",
                                   "python",  "slim", "compression", NULL};

static const struct node *matrix_of(const struct doc *recipe)
{
    return node_get(recipe->root, "matrix");
}

bool matrix_is(const struct doc *recipe)
{
    return matrix_of(recipe) != NULL;
}

static bool is_exclude(const struct node *n)
{
    return str_is(n->key, "exclude");
}

/* ---- is it one? ---- */

/* Values name files: the locks of cells. */
static bool is_short(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!c_alnum(value.p[i]) && !str_has(STR("._-"), value.p[i]))
            return false;
    return value.len > 0;
}

static const struct node *find_value(const struct node *axis, struct str value)
{
    const struct node *n;

    node_each(n, axis)
        if (str_eq(n->text, value))
            return n;
    return NULL;
}

static void check_axis(const struct node *axis, const struct node *root, struct err *e)
{
    const struct node *own = node_get_str(root, axis->key), *n;

    if (own)
        err_at(e, &own->key_pos, STR_FMT ": it stands in `matrix` as well; leave out one of them",
               STR_ARG(axis->key));
    if (axis->kind != NODE_LIST || !axis->count) {
        err_at(e, &axis->pos, "matrix: " STR_FMT " wants a list of values, not %s",
               STR_ARG(axis->key), axis->kind == NODE_LIST ? "an empty one" : node_kind_name(axis));
        return;
    }
    node_each(n, axis) {
        if (!node_is_scalar(n) || !is_short(n->text))
            err_at(e, &n->pos,
                   "matrix: a value of " STR_FMT " is a text of letters, digits, \".\", \"_\" and "
                   "\"-\", which becomes part of a lock's file name",
                   STR_ARG(axis->key));
        else if (find_value(axis, n->text) != n)
            err_at(e, &n->pos, "matrix: " STR_FMT " has \"" STR_FMT "\" twice", STR_ARG(axis->key),
                   STR_ARG(n->text));
    }
}

static void check_pair(const struct node *pair, const struct node *matrix, struct err *e)
{
    const struct node *axis = is_exclude(pair) ? NULL : node_get_str(matrix, pair->key);

    if (!axis)
        err_at(e, &pair->key_pos,
               "matrix: exclude names \"" STR_FMT "\", which is no key of `matrix`",
               STR_ARG(pair->key));
    else if (!node_is_scalar(pair) || !find_value(axis, pair->text))
        err_at(e, &pair->pos,
               "matrix: exclude wants one of the values of " STR_FMT
               "; write it as it stands there",
               STR_ARG(pair->key));
}

static void check_exclude(const struct node *exclude, const struct node *matrix, struct err *e)
{
    const struct node *n, *pair;

    if (exclude->kind != NODE_LIST) {
        err_at(e, &exclude->pos, "matrix: exclude wants a list of maps such as {variant: devel}");
        return;
    }
    node_each(n, exclude) {
        if (n->kind != NODE_MAP || !n->count)
            err_at(e, &n->pos, "matrix: an item of exclude is a map such as {variant: devel}");
        node_each(pair, n->kind == NODE_MAP ? n : NULL)
            check_pair(pair, matrix, e);
    }
}

static int check(const struct doc *recipe, struct err *e)
{
    const struct node *matrix = matrix_of(recipe), *n;
    CLEANUP(err_clear) struct err fault = {0};
    const char *known[ARRAY_LEN(axes) + 1] = {"exclude"};
    struct fields f = fields_of(matrix, "matrix", &fault);
    uint64_t cells = 1;
    size_t n_axes = 0;

    memcpy(known + 1, axes, sizeof axes);
    fields_only(&f, known);
    node_each(n, matrix->kind == NODE_MAP ? matrix : NULL) {
        if (is_exclude(n))
            continue;
        check_axis(n, recipe->root, &fault);
        n_axes++;
        if (cells <= MATRIX_CELLS_MAX)
            cells *= n->count;
    }
    if (matrix->kind == NODE_MAP && !n_axes)
        err_at(&fault, &matrix->pos,
               "matrix: nothing varies; name a key with a list of values, "
               "such as variant: [runtime, devel]");
    if (cells > MATRIX_CELLS_MAX)
        err_at(&fault, &matrix->pos, "matrix: more than %d cells", MATRIX_CELLS_MAX);
    if (!err_is_set(&fault) && (n = node_get(matrix, "exclude")))
        check_exclude(n, matrix, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

/* ---- its cells ---- */

static size_t product(const struct node *matrix)
{
    const struct node *axis;
    size_t n = 1;

    node_each(axis, matrix)
        n *= is_exclude(axis) ? 1 : axis->count;
    return n;
}

/* The value that combination `at` has of each axis; the last axis changes first. */
static void print_cell(struct buf *out, const struct node *matrix, size_t at)
{
    size_t below = product(matrix);
    const struct node *axis;

    node_each(axis, matrix) {
        const struct node *value = axis->child;

        if (is_exclude(axis))
            continue;
        below /= axis->count;
        for (size_t i = at / below % axis->count; i; i--)
            value = value->next;
        buf_fmt(out, "%s" STR_FMT "=" STR_FMT, out->len ? "," : "", STR_ARG(axis->key),
                STR_ARG(value->text));
    }
}

/* Has the cell the value "key=value"? */
static bool has_pair(struct str cell, struct str pair)
{
    struct str item;

    while (str_item(&cell, ',', &item))
        if (str_eq(item, pair))
            return true;
    return false;
}

static bool has_all(struct str cell, struct str pairs)
{
    struct str pair;

    while (str_item(&pairs, ',', &pair))
        if (pair.len && !has_pair(cell, pair))
            return false;
    return true;
}

static bool is_like(struct str cell, const struct node *exclusion)
{
    const struct node *n;

    node_each(n, exclusion) {
        CLEANUP(buf_clear) struct buf pair = {0};

        buf_fmt(&pair, STR_FMT "=" STR_FMT, STR_ARG(n->key), STR_ARG(n->text));
        if (!has_pair(cell, buf_view(&pair)))
            return false;
    }
    return true;
}

static bool is_excluded(struct str cell, const struct node *matrix)
{
    const struct node *n;

    node_each(n, node_get(matrix, "exclude"))
        if (is_like(cell, n))
            return true;
    return false;
}

static int no_cell(const struct node *matrix, struct str of, struct err *e)
{
    CLEANUP(buf_clear) struct buf first = {0};
    bool excluded = false;

    for (size_t i = 0; i < product(matrix); i++) {
        CLEANUP(buf_clear) struct buf cell = {0};

        print_cell(&cell, matrix, i);
        if (is_excluded(buf_view(&cell), matrix))
            excluded |= has_all(buf_view(&cell), of);
        else if (!first.len)
            MOVE(&first, &cell);
    }
    return err_at(e, &matrix->pos, "matrix: %s \"" STR_FMT "\"; write a cell as in \"%s\"",
                  excluded ? "exclude leaves out" : "no cell has", STR_ARG(of), first.p);
}

int matrix_cells(struct strs *out, struct arena *arena, const struct doc *recipe, struct str of,
                 struct err *e)
{
    const struct node *matrix = matrix_of(recipe);
    size_t all = 0, taken = 0;

    if (check(recipe, e) < 0)
        return -1;
    for (size_t i = 0; i < product(matrix); i++) {
        CLEANUP(buf_clear) struct buf cell = {0};

        print_cell(&cell, matrix, i);
        if (is_excluded(buf_view(&cell), matrix))
            continue;
        all++;
        if (has_all(buf_view(&cell), of)) {
            vec_add(out, arena_str(arena, buf_view(&cell)));
            taken++;
        }
    }
    if (!all)
        return err_at(e, &matrix->pos, "matrix: exclude leaves no cell");
    return taken ? 0 : no_cell(matrix, of, e);
}

void matrix_take(struct doc *recipe, struct str cell)
{
    struct node *root = node_new_map(recipe), *n;
    const struct node *matrix = matrix_of(recipe), *from, *axis, *value;
    struct str item, key;

    root->pos = recipe->root->pos;
    node_each(from, recipe->root) {
        if (from == matrix)
            continue;
        n = arena_alloc(&recipe->arena, sizeof *n); /* keeps its place in the file */
        *n = *from;
        n->next = NULL;
        node_add(recipe, root, n);
    }
    while (str_item(&cell, ',', &item)) {
        str_cut(&item, STR("="), &key);
        axis = node_get_str(matrix, key);
        value = find_value(axis, item);
        n = arena_alloc(&recipe->arena, sizeof *n);
        *n = *value;
        n->next = NULL;
        n->key = axis->key;
        n->key_pos = axis->key_pos;
        node_add(recipe, root, n);
    }
    recipe->root = root;
}
