/* SPDX-License-Identifier: Apache-2.0 */
#include "layer.h"

#include "../../io/crypto.h"
#include "../../io/deflate.h"
#include "../../io/gzip.h"
#include "../../io/inflate.h"
#include "../../io/packers.h"
#include "../../io/source.h"
#include "../../io/tar.h"
#include "file_hashes.h"

enum { MANY_MIN = 32 * 1024 * 1024 }; /* bytes of a file that several threads compress */

/* Counts and hashes the bytes of a blob, and passes them on. */
struct blob_sink {
    struct sink sink;
    struct hash hash; /* where `to` has none of them */
    const struct layer_output *to;
    uint64_t size; /* bytes so far */
};

static int blob_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct blob_sink *b = (struct blob_sink *)self;

    b->size += len;
    if (b->hash.ctx)
        hash_add(&b->hash, bytes, len);
    return b->to->blob ? sink_write(b->to->blob, bytes, len, e) : 0;
}

static void blob_open(struct blob_sink *b, const struct layer_output *to)
{
    *b = (struct blob_sink){.sink = {blob_write, NULL}, .to = to};
    if (!to->blob_hash)
        hash_open(&b->hash);
}

static void blob_seen(const struct blob_sink *b, struct seen *out)
{
    hash_seen_so_far(b->hash.ctx ? &b->hash : b->to->blob_hash, out);
}

/* A layer being written. `literal` and `copied` are the two ways into the blob. */
struct writer {
    const struct layer_output *to;
    const struct events *events;
    struct blob_sink blob;
    struct hash_thread *diff; /* NULL when the diff_id is known */
    struct file_hashes files; /* with `diff` */
    struct inflater *inflater;
    struct deflater *deflater;
    struct sink form_to;     /* what comes from the form, or from `many` */
    struct layer_form *form; /* NULL: gzip of many members, by `group` and what follows */
    struct buf group;        /* plain bytes of the member that is being gathered */
    struct buf packed;       /* that member */
    bool group_has_data;     /* not only headers and padding */
    struct packers *many;    /* while a big file passes: all its members have data */
    uint64_t tar_size;       /* so far */
    uint64_t done, total;    /* for events */
};

static void writer_clear(struct writer *w)
{
    packers_clear(&w->many);
    hash_clear(&w->blob.hash);
    hash_thread_clear(&w->diff); /* first: its thread writes to `files` */
    file_hashes_clear(&w->files);
    inflater_clear(&w->inflater);
    deflater_clear(&w->deflater);
    layer_form_clear(&w->form);
    buf_clear(&w->group);
    buf_clear(&w->packed);
}

static int literal(struct writer *w, const void *bytes, size_t len, struct err *e)
{
    if (w->to->segments)
        segments_literal(w->to->segments, len);
    if (w->to->literals && sink_write(w->to->literals, bytes, len, e) < 0)
        return -1;
    return sink_write(&w->blob.sink, bytes, len, e);
}

static int form_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return literal((struct writer *)((char *)self - offsetof(struct writer, form_to)), bytes, len,
                   e);
}

static int plain(struct writer *w, const void *bytes, size_t len, struct err *e)
{
    return w->diff ? sink_write(hash_thread_sink(w->diff), bytes, len, e) : 0;
}

static void put_member(struct deflater *d, struct buf *out, struct str group, bool has_data)
{
    unsigned char tail[GZIP_TAIL];

    buf_add(out, gzip_head, GZIP_HEAD);
    if (has_data)
        deflate_1(d, out, group.p, group.len);
    else
        deflate_fixed1(out, group.p, group.len);
    gzip_tail(tail, crc32_add(0, group.p, group.len), group.len);
    buf_add(out, tail, sizeof tail);
}

static int hand_to_many(struct writer *w, struct err *e)
{
    packers_add(w->many, w->group.p, w->group.len);
    return packers_cut(w->many, e);
}

static int compress_here(struct writer *w, struct err *e)
{
    buf_reset(&w->packed);
    put_member(w->deflater, &w->packed, buf_view(&w->group), w->group_has_data);
    return literal(w, w->packed.p, w->packed.len, e);
}

/* Close the gathered member, if there is any. */
static int flush(struct writer *w, struct err *e)
{
    struct buf *group = &w->group;

    if (!group->len)
        return 0;
    if (events_cancelled(w->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (plain(w, group->p, group->len, e) < 0 ||
        (w->many ? hand_to_many(w, e) : compress_here(w, e)) < 0)
        return -1;
    buf_reset(group);
    w->group_has_data = false;
    return 0;
}

static int pack_member(void *tool, struct buf *out, struct str group, struct err *e)
{
    put_member(tool, out, group, true);
    return 0;
}

static const struct packing members = {layer_deflater_open, pack_member, layer_deflater_free};

/* Plain bytes for a form. */
static int pass(struct writer *w, const void *bytes, size_t len, struct err *e)
{
    w->tar_size += len;
    if (events_cancelled(w->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    return plain(w, bytes, len, e) < 0 ? -1 : sink_write(&w->form->sink, bytes, len, e);
}

/* Gather plain bytes; a member is closed as soon as it is full. */
static int gather(struct writer *w, const void *bytes, size_t len, bool data, struct err *e)
{
    const char *p = bytes;

    if (w->form)
        return pass(w, bytes, len, e);
    w->tar_size += len;
    while (len) {
        size_t n = LAYER_GROUP - w->group.len;

        if (n > len)
            n = len;
        buf_add(&w->group, p, n);
        w->group_has_data |= data;
        p += n;
        len -= n;
        if (w->group.len == LAYER_GROUP && flush(w, e) < 0)
            return -1;
    }
    return 0;
}

struct data_sink {
    struct sink sink;
    struct writer *writer;
    struct sink *seen; /* of the watch; may be NULL */
};

static int data_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct data_sink *d = (struct data_sink *)self;

    if (d->seen && sink_write(d->seen, bytes, len, e) < 0)
        return -1;
    return gather(d->writer, bytes, len, true, e);
}

enum { TICK = 1024 * 1024 };

/* Passes on the bytes of one big file; tells its progress and looks for Ctrl-C now and then. */
struct tick_sink {
    struct sink sink;
    struct sink *next;
    struct sink *seen; /* of the watch; may be NULL */
    struct writer *writer;
    uint64_t passed, told;
    bool plain; /* the bytes count as the tar's */
};

static int tick_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct tick_sink *t = (struct tick_sink *)self;
    struct writer *w = t->writer;

    t->passed += len;
    if (t->passed - t->told >= TICK) {
        t->told = t->passed;
        if (events_cancelled(w->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (t->plain)
            events_emit(w->events, &(struct event){EVENT_ADVANCE, "assemble", w->to->name,
                                                   w->done + t->passed, w->total});
    }
    if (t->seen && sink_write(t->seen, bytes, len, e) < 0)
        return -1;
    return sink_write(t->next, bytes, len, e);
}

/* One member whose deflate bytes are the wheel's own. */
static int copy_member(struct writer *w, const struct content *c, const char *what,
                       struct sink *seen, struct err *e)
{
    unsigned char tail[GZIP_TAIL];
    struct tick_sink tick = {{tick_write, NULL},
                             w->diff ? hash_thread_sink(w->diff) : &w->blob.sink,
                             w->diff ? seen : NULL,
                             w,
                             .plain = w->diff != NULL};
    CLEANUP(source_clear)
    struct source *in = source_input(c->input, c->offset, c->packed);

    if (flush(w, e) < 0 || literal(w, gzip_head, GZIP_HEAD, e) < 0)
        return -1;
    if (w->to->segments)
        segments_range(w->to->segments, &c->input->digest, c->offset, c->packed);
    if (w->diff) {
        if (inflate_exact(w->inflater, in, c->packed, c->size, c->crc, &tick.sink, &w->blob.sink,
                          what, e) < 0)
            return -1;
    } else if (source_copy(in, &tick.sink, NULL, e) < 0) {
        return -1;
    }
    w->tar_size += c->size;
    gzip_tail(tail, c->crc, c->size);
    return literal(w, tail, sizeof tail, e);
}

/* The bytes of a file, for what is compressed anew. */
static int add_data(struct writer *w, const struct content *c, const char *what, struct sink *seen,
                    struct err *e)
{
    struct data_sink data = {{data_write, NULL}, w, seen};
    struct tick_sink tick = {{tick_write, NULL}, &data.sink, NULL, w, .plain = true};

    if (!w->form && c->size >= MANY_MIN)
        w->many = packers_open(&members, layer_form_threads(w->to->threads), &w->form_to);
    if (content_copy(w->inflater, c, &tick.sink, what, e) < 0 ||
        (w->many && packers_finish(w->many, e) < 0))
        return -1;
    packers_clear(&w->many);
    return 0;
}

static uint64_t weight(const struct entry *entry)
{
    return entry->type == ENTRY_FILE ? entry->content.size + TAR_BLOCK : TAR_BLOCK;
}

static int write_entry(struct writer *w, const struct entry *entry, struct err *e)
{
    static const char zeros[TAR_BLOCK];
    const struct content *c = &entry->content;
    struct buf head = {0};
    struct sink *seen = NULL;
    int result;

    if (events_cancelled(w->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    result = tar_header(&head, entry, e);
    if (result == 0)
        result = gather(w, head.p, head.len, false, e);
    buf_clear(&head);
    if (result < 0)
        return -1;
    if (w->to->watch)
        w->to->watch->begin(w->to->watch, entry, &seen);
    if (layer_form_mark(w->form, entry, e) < 0)
        return -1;
    if (w->diff && entry->type == ENTRY_FILE)
        file_hashes_tell(&w->files, entry, w->tar_size);
    if (entry->type == ENTRY_FILE && c->size) {
        bool copied = !w->form && c->kind == CONTENT_DEFLATE && c->size >= LAYER_COPY_MIN;

        if ((copied ? copy_member(w, c, entry->path.p, seen, e)
                    : add_data(w, c, entry->path.p, seen, e)) < 0 ||
            layer_form_mark(w->form, NULL, e) < 0 ||
            gather(w, zeros, tar_padding(c->size), false, e) < 0)
            return -1;
    }
    if (seen && w->to->watch->end(w->to->watch, e) < 0)
        return -1;
    w->done += weight(entry);
    events_emit(w->events,
                &(struct event){EVENT_ADVANCE, "assemble", w->to->name, w->done, w->total});
    return 0;
}

uint64_t layer_weight(const struct tree *tree)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < tree->entries.n; i++)
        sum += weight(&tree->entries.v[i]);
    return sum;
}

static void take_form(struct layer_result *out, const struct layer_form *form, const char *name,
                      const struct events *events)
{
    out->chunked = form->chunked;
    if (form->no_toc)
        events_warn(events, "layer %s gets no table of contents, so clients pull it as a whole: %s",
                    name, form->no_toc);
}

int layer_write(struct layer_result *out, const struct tree *tree, const struct layer_output *to,
                const struct events *events, struct err *e)
{
    CLEANUP(writer_clear) struct writer w = {.to = to, .events = events};
    CLEANUP(buf_clear) struct buf end = {0};

    w.total = layer_weight(tree);

    blob_open(&w.blob, to);
    file_hashes_open(&w.files, tree);
    w.diff = to->skip_diff_id ? NULL : hash_thread_open(&w.files.sink);
    w.inflater = inflater_open();
    w.deflater = deflater_open();
    w.form_to.write = form_write;
    if (layer_form_open(&w.form, to->compression, &w.form_to, to->threads, e) < 0)
        return err_wrap(e, "layer %s", to->name);
    events_emit(events, &(struct event){EVENT_BEGIN, "assemble", to->name, 0, w.total});
    for (size_t i = 0; i < tree->entries.n; i++)
        if (write_entry(&w, &tree->entries.v[i], e) < 0)
            return err_wrap(e, "layer %s", to->name);
    *out = (struct layer_result){0};
    tar_end(&end);
    if (gather(&w, end.p, end.len, false, e) < 0 || flush(&w, e) < 0 ||
        (w.form && sink_finish(&w.form->sink, e) < 0))
        return err_wrap(e, "layer %s", to->name);
    if (w.form)
        take_form(out, w.form, to->name, events);
    blob_seen(&w.blob, &out->digest);
    out->size = w.blob.size;
    if (!to->skip_diff_id) {
        if (hash_thread_finish(&w.diff, e) < 0)
            return err_wrap(e, "layer %s", to->name);
        file_hashes_finish(&w.files, &out->diff_id);
    }
    out->tar_size = w.tar_size;
    events_emit(events, &(struct event){EVENT_END, "assemble", to->name, w.total, w.total});
    return 0;
}
