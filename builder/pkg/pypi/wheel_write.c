/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel_write.h"

struct ordered {
    const struct zip_entry *entry;
    bool last; /* in .dist-info */
};
struct order VEC_OF(struct ordered);

static int compare(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;

    return x->last != y->last ? x->last - y->last : str_cmp(x->entry->name, y->entry->name);
}

/* All but RECORD and what signs it. */
static void put_in_order(struct order *out, const struct wheel *w)
{
    const struct zip_entry *entry;

    vec_each(entry, &w->zip.entries) {
        struct str rest = entry->name;
        bool last = str_skip(&rest, w->dist_info) && str_skip(&rest, STR("/"));

        if (!entry->directory &&
            !(last && (str_is(rest, "RECORD") || str_starts(rest, STR("RECORD.")))))
            vec_add(out, ((struct ordered){entry, last}));
    }
    vec_sort(out, compare);
}

/* CSV, as Python's csv module writes it with "\n". */
static void put_path(struct buf *out, struct str path)
{
    bool quote = false;

    for (size_t i = 0; i < path.len; i++)
        quote = quote || str_has(STR(",\"\r\n"), path.p[i]);
    if (quote)
        buf_putc(out, '"');
    for (size_t i = 0; i < path.len; i++) {
        if (path.p[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, path.p[i]);
    }
    if (quote)
        buf_putc(out, '"');
}

static int put_record(struct zip_writer *z, const struct wheel *w, struct buf *rows, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    struct content content = {.kind = CONTENT_BYTES};
    struct digest unused;

    buf_fmt(&path, STR_FMT "/RECORD", STR_ARG(w->dist_info));
    put_path(rows, buf_view(&path));
    buf_puts(rows, ",,\n");
    content.bytes = rows->p;
    content.size = rows->len;
    return zip_writer_add(z, buf_view(&path), false, &content, &unused, e);
}

static int write_all(struct zip_writer *z, const struct wheel *w, const struct order *order,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf rows = {0};
    const struct ordered *o;

    vec_each(o, order) {
        struct digest digest;

        if (zip_writer_add(z, o->entry->name, o->entry->executable, &o->entry->content, &digest,
                           e) < 0)
            return -1;
        put_path(&rows, o->entry->name);
        buf_puts(&rows, ",sha256=");
        base64_encode(&rows, digest.bytes, sizeof digest.bytes, true);
        buf_fmt(&rows, ",%llu\n", (unsigned long long)o->entry->content.size);
    }
    return put_record(z, w, &rows, e) < 0 ? -1 : zip_writer_end(z, e);
}

int wheel_write(struct sink *to, const struct wheel *w, struct inflater *inflater,
                const char *scratch, unsigned threads, struct err *e)
{
    CLEANUP(zip_writer_clear) struct zip_writer z = {0};
    struct order order = {0};
    int result;

    if (zip_writer_open(&z, to, inflater, scratch, threads, e) < 0)
        return -1;
    put_in_order(&order, w);
    result = write_all(&z, w, &order, e);
    vec_clear(&order);
    return result;
}
