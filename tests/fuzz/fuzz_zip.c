/* Zip: what we take, libarchive lists the same of, and the range reader finds the same METADATA. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <locale.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/inflate.h"
#include "io/zip.h"

#define METADATA STR(".dist-info/METADATA")

static void compare_with_libarchive(const struct zip *zip, const uint8_t *bytes, size_t len)
{
    locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    size_t n = 0;
    int result;

    uselocale(utf8); /* in which libarchive keeps names */
    archive_read_support_format_zip_seekable(a);
    assert(archive_read_open_memory(a, bytes, len) == ARCHIVE_OK);
    while ((result = archive_read_next_header(a, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN) {
        const char *name = archive_entry_pathname_utf8(entry);
        const struct zip_entry *ours = name ? zip_find(zip, str_of(name)) : NULL;

        assert(ours);
        assert(ours->directory || archive_entry_filetype(entry) != AE_IFDIR);
        assert(!archive_entry_size_is_set(entry) || ours->directory ||
               (uint64_t)archive_entry_size(entry) == ours->content.size);
        n++;
    }
    assert(n == zip->entries.n);
    archive_read_free(a);
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(utf8);
}

static void compare_with_ranges(const struct zip *zip, struct str bytes)
{
    CLEANUP(err_clear) struct err e = {0};
    const struct zip_entry *entry, *found = NULL;
    struct zip_directory d;
    struct zip_member m;
    size_t times = 0;

    vec_each(entry, &zip->entries) {
        size_t slash = str_find(entry->name, '/');

        if (str_ends(entry->name, METADATA) && slash + sizeof "METADATA" == entry->name.len) {
            found = entry;
            times++;
        }
    }
    assert(zip_locate(&d, bytes, bytes.len, &e) == 0);
    assert((zip_find_member(&m, &d, str_sub(bytes, d.offset, d.size), METADATA, &e) == 0) ==
           (times == 1));
    if (times == 1)
        assert(m.size == found->content.size && m.crc == found->content.crc &&
               m.packed == found->content.packed &&
               m.deflated == (found->content.kind == CONTENT_DEFLATE) &&
               m.header_offset < found->content.offset);
}

static void try(const uint8_t *bytes, size_t len)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    struct input in = {
        .name = "x.whl", .fd = {memfd_create("zip", MFD_CLOEXEC), true}, .size = len};

    assert(write(in.fd.n, bytes, len) == (ssize_t)len);
    if (zip_open(&zip, &in, &e) == 0) {
        compare_with_libarchive(&zip, bytes, len);
        compare_with_ranges(&zip, (struct str){(const char *)bytes, len});
        for (size_t i = 0; i < zip.entries.n; i++) {
            CLEANUP(buf_clear) struct buf text = {0};
            CLEANUP(err_clear) struct err broken = {0};

            if (content_read(inflater, &zip.entries.v[i].content, &text, 1 << 20, "x", &broken) ==
                0)
                assert(text.len == zip.entries.v[i].content.size);
        }
    }
    fd_clear(&in.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    try(bytes, len);
    return 0;
}
