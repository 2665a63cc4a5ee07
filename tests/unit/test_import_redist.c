/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include <archive.h>
#include <archive_entry.h>
#include "assemble/import/import_redist.h"
#include "base/path.h"
#include "io/crypto.h"

#define TOP "cuda_x-linux-x86_64-12.4.127-archive/"

static void xz(struct buf *out, struct str bytes)
{
    size_t room = bytes.len + 65536, used = 0;
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();

    archive_write_add_filter_xz(a);
    archive_write_set_format_raw(a);
    assert_int_equal(archive_write_open_memory(a, buf_room(out, room), room, &used), ARCHIVE_OK);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, bytes.p, bytes.len), (la_ssize_t)bytes.len);
    archive_write_close(a);
    archive_entry_free(entry);
    archive_write_free(a);
    out->len += used;
}

struct import {
    struct spool spool;
    struct redist_pkg p;
    struct err e;
};

static void import_clear(struct import *i)
{
    redist_pkg_clear(&i->p);
    spool_clear(&i->spool);
    err_clear(&i->e);
}

static int import_as(struct import *i, const struct mk *files, const char *component,
                     const char *version)
{
    CLEANUP(buf_clear) struct buf tar = {0}, packed = {0};
    struct input in;
    int result;

    for (; files->path; files++)
        mk_tar(&tar, files);
    mk_tar_end(&tar);
    xz(&packed, buf_view(&tar));
    mk_input(&in, "x.tar.xz", buf_view(&packed));
    spool_open(&i->spool, "/tmp");
    result = import_redist(&i->p, &i->spool, &in, str_of(component), str_of(version), &i->e);
    fd_clear(&in.fd);
    return result;
}

static int import(struct import *i, const struct mk *files)
{
    return import_as(i, files, "cuda_x", "12.4.127");
}

static void read_content(struct buf *out, const struct content *c)
{
    struct err e = {0};

    if (c->kind == CONTENT_BYTES)
        buf_add(out, c->bytes, c->size);
    else
        assert_int_equal(
            fd_pread_all(c->input->fd.n, buf_room(out, c->size), c->size, c->offset, "x", &e), 0);
    out->len = c->size;
}

static void describe(struct buf *out, const struct redist_pkg *p)
{
    const struct entry *entry;

    buf_puts(out, "");
    vec_each(entry, &p->entries) {
        CLEANUP(buf_clear) struct buf bytes = {0};

        if (entry->type == ENTRY_FILE && entry->content.size <= 64)
            read_content(&bytes, &entry->content);
        assert_true(!entry->uid && !entry->gid && path_is_safe(entry->path));
        buf_fmt(out, "%c %04o " STR_FMT "%s" STR_FMT "%s\n", "fdlh"[entry->type], entry -> mode,
                STR_ARG(entry->path), entry -> link.len ? " -> " : "", STR_ARG(entry->link),
                bytes.p ? bytes.p : "");
    }
}

static void expect(const struct mk *files, const char *want)
{
    CLEANUP(import_clear) struct import i = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    if (import(&i, files) < 0)
        fail_msg("%s", i.e.msg);
    describe(&text, &i.p);
    assert_string_equal(text.p, want);
}

/* As NVIDIA's cuda_nvcc and cuda_cudart are, together. */
static void a_toolkit_stands_where_it_is_looked_for(void **state)
{
    static const struct mk files[] = {
        MK_DIR(TOP, 0755),
        MK_OWNED(TOP "LICENSE", 0664, "mine", "1001", "builder"),
        MK_DIR(TOP "bin/", 02775),
        MK_FILE(TOP "bin/nvcc", 0775, "#!"),
        MK_FILE(TOP "bin/nvcc.profile", 0600, "TOP = $(_HERE_)/.."),
        MK_FILE(TOP "bin/setuid", 04711, "x"),
        MK_DIR(TOP "include/", 0755),
        MK_FILE(TOP "include/cuda.h", 0444, "/* */"),
        MK_DIR(TOP "lib/", 0755),
        MK_LINK(TOP "lib/libx.so", "libx.so.12"),
        MK_LINK(TOP "lib/libx.so.12", "libx.so.12.4.127"),
        MK_FILE(TOP "lib/libx.so.12.4.127", 0644, "elf"),
        MK_DIR(TOP "lib/cmake/", 0755),
        MK_FILE(TOP "lib/cmake/x.cmake", 0644, ""),
        MK_FILE(TOP "lib/stubs/libcuda.so", 0644, "stub"), /* without its folder */
        MK_DIR(TOP "nvvm/", 0755),
        MK_FILE(TOP "nvvm/bin/cicc", 0755, "c"),
        MK_FILE(TOP "nvvm/lib64/libnvvm.so.4.0.0", 0755, "n"),
        MK_LINK(TOP "nvvm/lib64/libnvvm.so", "libnvvm.so.4.0.0"),
        MK_FILE(TOP "nvvm/libdevice/libdevice.10.bc", 0644, "bc"),
        MK_FILE(TOP "pkg-config/cudart-12.4.pc", 0644, "cudaroot=/usr/local/cuda-12.4"),
        MK_DIR(TOP "src/", 0755),
        MK_FILE(TOP "libexec/y", 0644, "y"), /* no lib */
        MK_END,
    };

    expect(files, "d 0755 bin\n"
                  "f 0755 bin/nvcc#!\n"
                  "f 0644 bin/nvcc.profileTOP = $(_HERE_)/..\n"
                  "f 0755 bin/setuidx\n"
                  "d 0755 include\n"
                  "f 0644 include/cuda.h/* */\n"
                  "d 0755 lib64\n"
                  "d 0755 lib64/cmake\n"
                  "f 0644 lib64/cmake/x.cmake\n"
                  "l 0777 lib64/libx.so -> libx.so.12\n"
                  "l 0777 lib64/libx.so.12 -> libx.so.12.4.127\n"
                  "f 0644 lib64/libx.so.12.4.127elf\n"
                  "d 0755 lib64/pkgconfig\n"
                  "f 0644 lib64/pkgconfig/cudart-12.4.pccudaroot=/usr/local/cuda-12.4\n"
                  "d 0755 lib64/stubs\n"
                  "f 0644 lib64/stubs/libcuda.sostub\n"
                  "d 0755 libexec\n"
                  "f 0644 libexec/yy\n"
                  "d 0755 nvvm\n"
                  "d 0755 nvvm/bin\n"
                  "f 0755 nvvm/bin/ciccc\n"
                  "d 0755 nvvm/lib64\n"
                  "l 0777 nvvm/lib64/libnvvm.so -> libnvvm.so.4.0.0\n"
                  "f 0755 nvvm/lib64/libnvvm.so.4.0.0n\n"
                  "d 0755 nvvm/libdevice\n"
                  "f 0644 nvvm/libdevice/libdevice.10.bcbc\n"
                  "d 0755 share\n"
                  "d 0755 share/doc\n"
                  "d 0755 share/doc/cuda_x\n"
                  "f 0644 share/doc/cuda_x/LICENSEmine\n"
                  "d 0755 src\n");
}

static void documentation_and_samples_stay_behind(void **state)
{
    static const struct mk files[] = {
        MK_FILE(TOP "doc/a.html", 0644, "a"),
        MK_FILE(TOP "docs/a.html", 0644, "a"),
        MK_FILE(TOP "samples/a.cu", 0644, "a"),
        MK_DIR(TOP "sample/", 0755),
        MK_FILE(TOP "extras/CUPTI/samples/a.cu", 0644, "a"),
        MK_FILE(TOP "extras/CUPTI/doc/a.html", 0644, "a"),
        MK_FILE(TOP "extras/CUPTI/include/cupti.h", 0644, "kept"),
        MK_FILE(TOP "share/doc/a.html", 0644, "a"),
        MK_FILE(TOP "compute-sanitizer/docs/a.html", 0644, "a"),
        MK_FILE(TOP "compute-sanitizer/compute-sanitizer", 0755, "kept"),
        MK_FILE(TOP "nvvm/libnvvm-samples/a.c", 0644, "a"),
        MK_LINK(TOP "extras/demo", "../samples/a.cu"), /* would dangle */
        MK_END,
    };

    expect(files, "d 0755 compute-sanitizer\n"
                  "f 0755 compute-sanitizer/compute-sanitizerkept\n"
                  "d 0755 extras\n"
                  "d 0755 extras/CUPTI\n"
                  "d 0755 extras/CUPTI/include\n"
                  "f 0644 extras/CUPTI/include/cupti.hkept\n");
}

/* GPUDirect Storage, and NVML's example. */
static void some_rules_are_for_one_component(void **state)
{
    static const struct mk files[] = {
        MK_DIR("@/etc/", 0755),
        MK_FILE("@/etc/cufile.json", 0644, "{}"),
        MK_FILE("@/man/man3/a.3", 0644, "m"),
        MK_FILE("@/nvml/example/a.c", 0644, "n"),
        MK_FILE("@/tools/gdscheck", 0755, "t"),
        MK_END,
    };
    static const struct {
        const char *component, *want;
    } cases[] = {
        {"libcufile", "d 0755 gds\nf 0644 gds/cufile.json{}\nd 0755 gds/tools\n"
                      "f 0755 gds/tools/gdscheckt\nd 0755 nvml\nd 0755 nvml/example\n"
                      "f 0644 nvml/example/a.cn\n"},
        {"cuda_nvml_dev", "d 0755 etc\nf 0644 etc/cufile.json{}\nd 0755 man\nd 0755 man/man3\n"
                          "f 0644 man/man3/a.3m\nd 0755 tools\nf 0755 tools/gdscheckt\n"},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(import_clear) struct import i = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        struct mk real[ARRAY_LEN(files)];
        char paths[ARRAY_LEN(files)][100];

        memcpy(real, files, sizeof real);
        for (size_t n = 0; files[n].path; n++) {
            snprintf(paths[n], sizeof paths[n], "%s-linux-x86_64-1.2-archive%s", cases[k].component,
                     files[n].path + 1);
            real[n].path = paths[n];
        }
        if (import_as(&i, real, cases[k].component, "1.2") < 0)
            fail_msg("%s", i.e.msg);
        describe(&text, &i.p);
        assert_string_equal(text.p, cases[k].want);
    }
}

static void links_lead_where_their_targets_go(void **state)
{
    static const struct mk files[] = {
        MK_FILE(TOP "LICENSE", 0644, "l"),
        MK_LINK(TOP "bin/license", "../LICENSE"),
        MK_LINK(TOP "bin/x", "../lib/libx.so"),
        MK_LINK(TOP "bin/folder", "./../lib"),
        MK_LINK(TOP "bin/dangling", "../lib/liby.so"),
        MK_LINK(TOP "bin/top", ".."),
        MK_LINK(TOP "bin/same", "sub/../nvcc"),
        MK_FILE(TOP "lib/libx.so", 0644, "x"),
        MK_LINK(TOP "lib/stubs/a.so", "../libx.so"),
        MK_LINK(TOP "lib/stubs/b.pc", "../../pkg-config/x.pc"),
        MK_LINK(TOP "lib64", "lib"), /* the same folder */
        MK_LINK(TOP "pkg-config/libx.so", "../lib/libx.so"),
        MK_FILE(TOP "pkg-config/x.pc", 0644, "p"),
        MK_HARD(TOP "bin/hard", TOP "lib/libx.so"),
        MK_END,
    };

    expect(files, "d 0755 bin\n"
                  "l 0777 bin/dangling -> ../lib64/liby.so\n"
                  "l 0777 bin/folder -> ../lib64\n"
                  "f 0644 bin/hardx\n" /* of a file's names the first is the file */
                  "l 0777 bin/license -> ../share/doc/cuda_x/LICENSE\n"
                  "l 0777 bin/same -> sub/../nvcc\n"
                  "l 0777 bin/top -> ..\n"
                  "l 0777 bin/x -> ../lib64/libx.so\n"
                  "d 0755 lib64\n"
                  "h 0644 lib64/libx.so -> bin/hard\n"
                  "d 0755 lib64/pkgconfig\n"
                  "l 0777 lib64/pkgconfig/libx.so -> ../libx.so\n"
                  "f 0644 lib64/pkgconfig/x.pcp\n"
                  "d 0755 lib64/stubs\n"
                  "l 0777 lib64/stubs/a.so -> ../libx.so\n"
                  "l 0777 lib64/stubs/b.pc -> ../pkgconfig/x.pc\n"
                  "d 0755 share\n"
                  "d 0755 share/doc\n"
                  "d 0755 share/doc/cuda_x\n"
                  "f 0644 share/doc/cuda_x/LICENSEl\n");
}

static void names_at_the_top_may_have_a_variant(void **state)
{
    static const struct {
        const char *top;
        bool good;
    } cases[] = {
        {"cuda_x-linux-x86_64-12.4.127-archive", true},
        {"cuda_x-linux-x86_64-12.4.127_cuda12-archive", true},
        {"cuda_x-linux-sbsa-12.4.127-archive", true},
        {"cuda_x-linux-x86_64-12.4.128-archive", false},
        {"cuda_x-linux-x86_64-12.4.1271-archive", false},
        {"cuda_x-linux-x86_64-12.4.127", false},
        {"cuda_x-12.4.127-archive", false},
        {"cuda_y-linux-x86_64-12.4.127-archive", false},
        {"cuda_x", false},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(import_clear) struct import i = {0};
        CLEANUP(buf_clear) struct buf path = {0};

        buf_fmt(&path, "%s/bin/x", cases[k].top);
        assert_int_equal(import(&i, (struct mk[]){MK_FILE(path.p, 0644, "x"), MK_END}),
                         cases[k].good ? 0 : -1);
        assert_int_equal(i.e.kind, cases[k].good ? ERR_NONE : ERR_INPUT);
    }
}

static void times_are_the_archives_own(void **state)
{
    static const struct mk files[] = {MK_DIR(TOP, 0755), MK_FILE(TOP "lib/a", 0644, "a"), MK_END};
    CLEANUP(import_clear) struct import i = {0};

    assert_int_equal(import(&i, files), 0);
    assert_int_equal(i.p.newest, 1700000000);
    assert_int_equal(i.p.entries.n, 2);
    assert_int_equal(i.p.entries.v[0].mtime, 1700000000); /* a folder that is not in the archive */
    assert_true(str_is(i.p.name, "cuda_x") && str_is(i.p.version, "12.4.127"));
}

static char *filled(size_t len)
{
    char *bytes = xmalloc(len + 1);

    memset(bytes, 'e', len);
    bytes[len] = '\0';
    return bytes;
}

static void big_libraries_are_hashed(void **state)
{
    CLEANUP(free_clear) char *big = filled(1 << 20), *small = filled((1 << 20) - 1);
    const struct mk files[] = {
        MK_FILE(TOP "lib/libz.so.12.4", 0644, big),    MK_FILE(TOP "lib/liba.so", 0755, big),
        MK_FILE(TOP "lib/libsmall.so.1", 0644, small), MK_FILE(TOP "lib/libb_static.a", 0644, big),
        MK_FILE(TOP "lib/notlib.so", 0644, big),       MK_FILE(TOP "lib/libc.sound", 0644, big),
        MK_FILE(TOP "samples/libd.so", 0644, big),     MK_LINK(TOP "lib/libz.so", "libz.so.12.4"),
        MK_HARD(TOP "lib/aaa.so", TOP "lib/liba.so"),  MK_END,
    };
    static const char *const want[] = {"lib64/aaa.so", "lib64/libz.so.12.4"};
    CLEANUP(import_clear) struct import i = {0};
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct digest digest;

    if (import(&i, files) < 0)
        fail_msg("%s", i.e.msg);
    hash_bytes(&digest, big, 1 << 20);
    assert_int_equal(i.p.libs.n, ARRAY_LEN(want));
    for (size_t k = 0; k < ARRAY_LEN(want); k++) {
        assert_true(str_is(i.p.libs.v[k].path, want[k]));
        assert_int_equal(i.p.libs.v[k].size, 1 << 20);
        assert_true(digest_eq(&i.p.libs.v[k].digest, &digest));
    }
    assert_true(i.p.entries.v[1].content.kind == CONTENT_RANGE);
    read_content(&bytes, &i.p.entries.v[1].content);
    assert_memory_equal(bytes.p, big, 1 << 20);
}

static void refuse(const struct mk *files, const char *says)
{
    CLEANUP(import_clear) struct import i = {0};

    assert_int_equal(import(&i, files), -1);
    assert_string_equal(i.e.msg, says);
    assert_int_equal(i.e.kind, ERR_INPUT);
    assert_true(!i.p.entries.n && !i.p.libs.n && !i.p.name.len);
}

static void other_archives_are_refused(void **state)
{
    static const struct {
        struct mk files[4];
        const char *says;
    } cases[] = {
        {{MK_END}, "x.tar.xz: an empty archive"},
        {{MK_DIR("./", 0755), MK_END}, "x.tar.xz: an empty archive"},
        {{MK_FILE("bin/x", 0644, "x"), MK_END},
         "x.tar.xz: \"bin\" at its top is not a folder of cuda_x 12.4.127"},
        {{MK_FILE(TOP "a", 0644, "x"), MK_FILE("README", 0644, "x"), MK_END},
         "x.tar.xz: \"README\" stands beside \"cuda_x-linux-x86_64-12.4.127-archive\" at its top, "
         "where one folder belongs"},
        {{MK_DIR(TOP, 0755), MK_DIR("cuda_x-linux-sbsa-12.4.127-archive/", 0755), MK_END},
         "x.tar.xz: \"cuda_x-linux-sbsa-12.4.127-archive\" stands beside "
         "\"cuda_x-linux-x86_64-12.4.127-archive\" at its top, where one folder belongs"},
        {{MK_FILE("cuda_x-linux-x86_64-12.4.127-archive", 0644, "x"), MK_END},
         "x.tar.xz: \"cuda_x-linux-x86_64-12.4.127-archive\" at its top is not a folder"},
        {{MK_FILE(TOP "a", 0644, "x"), MK_FILE(TOP "a", 0644, "y"), MK_END},
         "x.tar.xz: \"a\" is there twice"},
        {{MK_DIR(TOP "a", 0755), MK_FILE(TOP "a", 0644, "y"), MK_END},
         "x.tar.xz: \"a\" is there twice"},
        {{MK_FILE(TOP "lib/x", 0644, "x"), MK_FILE(TOP "lib64/x", 0644, "x"), MK_END},
         "x.tar.xz: two things would stand at \"lib64/x\""},
        {{MK_FILE(TOP "pkg-config/x", 0644, "x"), MK_FILE(TOP "lib/pkgconfig/x", 0644, "x"),
          MK_END},
         "x.tar.xz: two things would stand at \"lib64/pkgconfig/x\""},
        {{MK_DIR(TOP "lib", 0755), MK_LINK(TOP "lib64", "bin"), MK_END},
         "x.tar.xz: two things would stand at \"lib64\""},
        {{MK_LINK(TOP "lib64", "bin"), MK_FILE(TOP "lib/x", 0644, "x"), MK_END},
         "x.tar.xz: /lib64/x needs a folder where /lib64 is a link; leave one of the two out"},
        {{MK_FILE(TOP "bin/x", 0644, "x"), MK_LINK(TOP "bin", "etc"), MK_END},
         "x.tar.xz: /bin/x needs a folder where /bin is a link; leave one of the two out"},
        {{MK_FILE(TOP "a", 0644, "x"), MK_FILE(TOP "share/doc/cuda_x/a", 0644, "x"), MK_END}, NULL},
        {{MK_LINK(TOP "lib/x", "/etc/passwd"), MK_END},
         "x.tar.xz: the link \"lib/x\" to \"/etc/passwd\" leads out of it"},
        {{MK_LINK(TOP "lib/x", "../../x"), MK_END},
         "x.tar.xz: the link \"lib/x\" to \"../../x\" leads out of it"},
        {{MK_LINK(TOP "x", ".."), MK_END}, "x.tar.xz: the link \"x\" to \"..\" leads out of it"},
        {{MK_HARD(TOP "x", TOP "y"), MK_END},
         "x.tar.xz: the hard link \"x\" to \"" TOP "y\" leads to no file that is kept"},
        {{MK_FILE(TOP "doc/y", 0644, "y"), MK_HARD(TOP "x", TOP "doc/y"), MK_END},
         "x.tar.xz: the hard link \"x\" to \"" TOP "doc/y\" leads to no file that is kept"},
        {{MK_HARD(TOP "x", TOP "y"), MK_FILE(TOP "y", 0644, "y"), MK_END},
         "x.tar.xz: the hard link \"x\" to \"" TOP "y\" leads to no file that is kept"},
        {{MK_FILE(TOP "y", 0644, "y"), MK_HARD(TOP "x", "y"), MK_END},
         "x.tar.xz: the hard link \"x\" to \"y\" leads to no file that is kept"},
        {{MK_OTHER(TOP "bin/null", '3'), MK_END},
         "x.tar.xz: \"" TOP "bin/null\": neither file, folder nor link; only these may enter an "
         "image"},
        {{MK_FILE(TOP "../x", 0644, "x"), MK_END}, "x.tar.xz: \"" TOP "../x\" is not a safe path"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (cases[i].says)
            refuse(cases[i].files, cases[i].says);
        else
            expect(cases[i].files, "d 0755 share\nd 0755 share/doc\nd 0755 share/doc/cuda_x\n"
                                   "f 0644 share/doc/cuda_x/ax\n");
}

static void other_bytes_are_refused(void **state)
{
    static const char *const cases[] = {"", "PK\3\4", "<html>not found</html>"};

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(import_clear) struct import i = {0};
        struct input in;

        mk_input(&in, "x.tar.xz", str_of(cases[k]));
        spool_open(&i.spool, "/tmp");
        assert_int_equal(import_redist(&i.p, &i.spool, &in, STR("cuda_x"), STR("12.4.127"), &i.e),
                         -1);
        assert_int_equal(i.e.kind, ERR_INPUT);
        fd_clear(&in.fd);
    }
}

/* Long names in GNU's way and in pax's: both are only ways to say a path. */
static void long_names_are_read(void **state)
{
    CLEANUP(buf_clear) struct buf path = {0}, record = {0}, want = {0};

    buf_puts(&path, TOP "include/");
    for (int i = 0; i < 12; i++)
        buf_fmt(&path, "a_folder_%d/", i);
    buf_puts(&path, "x.h");
    assert_true(path.len > 100 && path.len < 980);
    buf_fmt(&record, "%zu path=%s\n", path.len + 10, path.p);
    buf_puts(&want, "f 0644 ");
    buf_fmt(&want, "%s", path.p + strlen(TOP));

    for (int pax = 0; pax < 2; pax++) {
        CLEANUP(import_clear) struct import i = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        const struct mk files[] = {
            {.path = pax ? "PaxHeaders/x" : "././@LongLink",
             .type = pax ? 'x' : 'L',
             .data = pax ? record.p : path.p,
             .posix = pax},
            {.path = "cut", .type = '0', .mode = 0644, .data = "h", .posix = pax},
            MK_END,
        };

        if (import(&i, files) < 0)
            fail_msg("%s", i.e.msg);
        describe(&text, &i.p);
        assert_non_null(strstr(text.p, want.p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_toolkit_stands_where_it_is_looked_for),
        cmocka_unit_test(documentation_and_samples_stay_behind),
        cmocka_unit_test(some_rules_are_for_one_component),
        cmocka_unit_test(links_lead_where_their_targets_go),
        cmocka_unit_test(names_at_the_top_may_have_a_variant),
        cmocka_unit_test(times_are_the_archives_own),
        cmocka_unit_test(big_libraries_are_hashed),
        cmocka_unit_test(other_archives_are_refused),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(long_names_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
