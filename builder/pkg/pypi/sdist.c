/* SPDX-License-Identifier: Apache-2.0 */
#include "sdist.h"

#include "../../base/path.h"
#include "../../io/gunzip.h"
#include "../../io/inflate.h"
#include "../../io/tar_read.h"
#include "../../io/zip.h"

enum { TEXT_MAX = 16 << 20 };
#define UNPACKED_MAX ((uint64_t)16 << 30)

/* Where a file of the project's folder goes; NULL: it says nothing of the package. */
static struct buf *place_of(struct sdist *s, struct str path, struct str folder)
{
    struct str top;
    struct buf *to = NULL;

    str_skip(&path, STR("./"));
    if (!str_cut(&path, STR("/"), &top) ||
        (folder.len && (!str_skip(&path, folder) || !str_skip(&path, STR("/")))))
        return NULL;
    if (str_is(path, "PKG-INFO"))
        to = &s->pkg_info;
    else if (str_is(path, "pyproject.toml"))
        to = &s->pyproject;
    return to && !to->len ? to : NULL;
}

static int read_tar(struct sdist *s, const struct input *in, struct str folder, struct err *e)
{
    struct source *bytes = source_input(in, 0, in->size);
    struct source *plain = str_ends(str_of(in->name), STR(".tar")) ? bytes : gunzip(bytes);
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;
    const struct tar_entry *entry;

    plain->limit = UNPACKED_MAX;
    tar = tar_open(plain, TAR_PACKAGE);
    while (!s->pkg_info.len || !s->pyproject.len) {
        struct buf *to;

        if (tar_next(tar, &entry, e) < 0)
            return -1;
        if (!entry)
            break;
        to = entry->entry.type == ENTRY_FILE ? place_of(s, entry->entry.path, folder) : NULL;
        if (to && source_read_all(tar_data(tar), to, TEXT_MAX, e) < 0)
            return -1;
    }
    return 0;
}

static int read_zip(struct sdist *s, const struct input *in, struct str folder, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(zip_clear) struct zip zip = {0};
    const struct zip_entry *entry;

    if (zip_open(&zip, in, e) < 0)
        return -1;
    vec_each(entry, &zip.entries) {
        struct buf *to = entry->directory ? NULL : place_of(s, entry->name, folder);

        if (to && content_read(inflater, &entry->content, to, TEXT_MAX, in->name, e) < 0)
            return -1;
    }
    return 0;
}

int sdist_read(struct sdist *out, const struct input *in, struct str folder, struct err *e)
{
    CLEANUP(sdist_clear) struct sdist s = {0};
    struct str name = str_of(in->name);
    struct err fault = {0};

    if ((str_ends(name, STR(".zip")) ? read_zip(&s, in, folder, &fault)
                                     : read_tar(&s, in, folder, &fault)) < 0) {
        if (fault.kind == ERR_INTEGRITY) /* its digest is right: it was made so */
            fault.kind = ERR_INPUT;
        return err_join(e, &fault);
    }
    MOVE(out, &s);
    return 0;
}

void sdist_clear(struct sdist *s)
{
    buf_clear(&s->pkg_info);
    buf_clear(&s->pyproject);
}
