/* Debs: whatever comes in, what gets through is safe: paths that stay inside, types a layer can
 * hold, names that may become file names. A refusal says why and leaves nothing behind. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>
#include "assemble/import/import_deb.h"
#include "base/path.h"

static void check_entry(const struct deb_entry *d)
{
    const struct entry *entry = &d->entry;

    assert(path_is_safe(entry->path));
    assert(entry->mode <= 07777);
    assert(entry->mtime >= 0);
    assert(entry->type != ENTRY_HARDLINK || path_is_safe(entry->link));
    assert(entry->type != ENTRY_SYMLINK || entry->link.len);
    assert(entry->type == ENTRY_FILE || !entry->content.size);
    assert(entry->content.kind != CONTENT_DEFLATE);
}

static void check_package(const struct debpkg *p)
{
    const struct deb_entry *d;
    const struct deb_info *info;

    assert(p->name.len && !str_has(p->name, '/') && !str_has(p->arch, '/'));
    vec_each(d, &p->entries)
        check_entry(d);
    vec_each(info, &p->infos)
        assert(info->name.len && !str_has(info->name, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(spool_clear) struct spool spool = {0};
    CLEANUP(debpkg_clear) struct debpkg p = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in = {.name = "fuzz.deb", .size = len};

    in.fd = (struct fd){memfd_create("deb", MFD_CLOEXEC), true};
    if (in.fd.n < 0 || write(in.fd.n, bytes, len) != (ssize_t)len)
        abort();
    spool_open(&spool, "/tmp");
    if (import_deb(&p, &spool, &in, &e) == 0) {
        check_package(&p);
    } else {
        assert(err_is_set(&e));
        assert(!p.entries.n && !p.name.len);
    }
    fd_clear(&in.fd);
    return 0;
}
