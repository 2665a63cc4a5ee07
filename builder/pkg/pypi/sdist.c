/* SPDX-License-Identifier: Apache-2.0 */
#include "sdist.h"

#include "../../base/path.h"
#include "../../io/gunzip.h"
#include "../../io/inflate.h"
#include "../../io/tar_read.h"
#include "../../io/zip.h"

enum { TEXT_MAX = 16 << 20 };
#define UNPACKED_MAX ((uint64_t)16 << 30)

/* What is read so far. */
struct reading {
    struct sdist *s;
    struct str folder; /* of the project, in its own; empty: the top */
    size_t deep;       /* folders above the Cargo.lock that was read, + 1; 0: none was */
};

static bool is_of_rust(const struct sdist *s)
{
    struct str text = buf_view(&s->pyproject);

    return str_find_str(text, STR("maturin")) < text.len ||
           str_find_str(text, STR("setuptools-rust")) < text.len ||
           str_find_str(text, STR("setuptools_rust")) < text.len;
}

static bool is_all(const struct reading *r)
{
    return r->s->pkg_info.len && r->s->pyproject.len && (!is_of_rust(r->s) || r->deep == 1);
}

static struct buf *place_of_lock(struct reading *r, struct str path)
{
    size_t deep = 1;

    for (size_t i = 0; i < path.len; i++)
        deep += path.p[i] == '/';
    if (r->deep && deep >= r->deep)
        return NULL;
    r->deep = deep;
    buf_reset(&r->s->cargo_lock);
    return &r->s->cargo_lock;
}

/* Where a file of the project's folder, or a Cargo.lock, goes; NULL: it says nothing of the
 * package. */
static struct buf *place_of(struct reading *r, struct str path)
{
    struct sdist *s = r->s;
    struct str top;
    struct buf *to = NULL;

    str_skip(&path, STR("./"));
    if (!str_cut(&path, STR("/"), &top))
        return NULL;
    if (str_is(path_base(path), "Cargo.lock")) /* of a workspace it stands above the folder */
        return place_of_lock(r, path);
    if (r->folder.len && (!str_skip(&path, r->folder) || !str_skip(&path, STR("/"))))
        return NULL;
    if (str_is(path, "PKG-INFO"))
        to = &s->pkg_info;
    else if (str_is(path, "pyproject.toml"))
        to = &s->pyproject;
    return to && !to->len ? to : NULL;
}

static int read_tar(struct reading *r, const struct input *in, struct err *e)
{
    struct source *bytes = source_input(in, 0, in->size);
    struct source *plain = str_ends(str_of(in->name), STR(".tar")) ? bytes : gunzip(bytes);
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;
    const struct tar_entry *entry;

    plain->limit = UNPACKED_MAX;
    tar = tar_open(plain, TAR_PACKAGE);
    while (!is_all(r)) {
        struct buf *to;

        if (tar_next(tar, &entry, e) < 0)
            return -1;
        if (!entry)
            break;
        to = entry->entry.type == ENTRY_FILE ? place_of(r, entry->entry.path) : NULL;
        if (to && source_read_all(tar_data(tar), to, TEXT_MAX, e) < 0)
            return -1;
    }
    return 0;
}

static int read_zip(struct reading *r, const struct input *in, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(zip_clear) struct zip zip = {0};
    const struct zip_entry *entry;

    if (zip_open(&zip, in, e) < 0)
        return -1;
    vec_each(entry, &zip.entries) {
        struct buf *to = entry->directory ? NULL : place_of(r, entry->name);

        if (to && content_read(inflater, &entry->content, to, TEXT_MAX, in->name, e) < 0)
            return -1;
    }
    return 0;
}

int sdist_read(struct sdist *out, const struct input *in, struct str folder, struct err *e)
{
    CLEANUP(sdist_clear) struct sdist s = {0};
    struct reading r = {.s = &s, .folder = folder};
    struct str name = str_of(in->name);
    struct err fault = {0};

    if ((str_ends(name, STR(".zip")) ? read_zip(&r, in, &fault) : read_tar(&r, in, &fault)) < 0) {
        if (fault.kind == ERR_INTEGRITY) /* its digest is right: it was made so */
            fault.kind = ERR_INPUT;
        return err_join(e, &fault);
    }
    if (!is_of_rust(&s))
        buf_clear(&s.cargo_lock);
    MOVE(out, &s);
    return 0;
}

void sdist_clear(struct sdist *s)
{
    buf_clear(&s->pkg_info);
    buf_clear(&s->pyproject);
    buf_clear(&s->cargo_lock);
}
