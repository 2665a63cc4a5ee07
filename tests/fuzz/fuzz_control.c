/* Paragraphs and relations: what parsed prints and parses back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/deb/control.h"

static void put_relations(struct buf *out, const struct relations *list)
{
    static const char *const ops[] = {"", "<<", "<=", "=", ">=", ">>"};

    for (size_t i = 0; i < list->n; i++)
        for (size_t j = 0; j < list->v[i].n; j++) {
            const struct relation *r = &list->v[i].v[j];
            buf_puts(out, j ? " | " : i ? ", " : "");
            buf_str(out, r->name);
            if (r->arch.len) {
                buf_putc(out, ':');
                buf_str(out, r->arch);
            }
            if (r->op == DEBVER_ANY)
                continue;
            buf_fmt(out, " (%s ", ops[r->op]);
            buf_str(out, r->version);
            buf_putc(out, ')');
        }
}

static bool print_relations(struct buf *out, struct str text)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(relations_clear) struct relations list = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (relations_parse(&list, &a, text, STR("amd64"), &e) < 0)
        return false;
    put_relations(out, &list);
    return true;
}

static void check_relations(struct str text)
{
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0};

    if (!print_relations(&once, text))
        return;
    assert(print_relations(&twice, buf_view(&once)));
    assert(str_eq(buf_view(&once), buf_view(&twice)));
}

static void check_paragraph(const struct control *c)
{
    CLEANUP(buf_clear) struct buf printed = {0};
    CLEANUP(control_clear) struct control again = {0};
    CLEANUP(err_clear) struct err e = {0};
    bool more;

    for (size_t i = 0; i < c->fields.n; i++) {
        buf_str(&printed, c->fields.v[i].name);
        buf_puts(&printed, ": ");
        buf_str(&printed, c->fields.v[i].value);
        buf_putc(&printed, '\n');
        check_relations(c->fields.v[i].value);
    }
    struct str text = buf_view(&printed);
    assert(control_next(&again, &text, &more, "printed", &e) == 0 && more);
    assert(again.fields.n == c->fields.n);
    for (size_t i = 0; i < c->fields.n; i++) {
        assert(str_eq(again.fields.v[i].name, c->fields.v[i].name));
        assert(str_eq(again.fields.v[i].value, c->fields.v[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(control_clear) struct control c = {0};
    CLEANUP(err_clear) struct err e = {0};
    bool more = true;

    check_relations(text);
    while (control_next(&c, &text, &more, "input", &e) == 0 && more && c.fields.n)
        check_paragraph(&c);
    return 0;
}
