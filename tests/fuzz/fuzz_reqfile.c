/* Requirement files: what is asked for, written as a plain file, asks for the same again. A form
 * feed ends the first file and begins `a`, another one `b`, which it may name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/path.h"
#include "pkg/pypi/reqfile.h"

static const char *const names[] = {"first", "a", "b"};
static char dir[] = "/tmp/envbuild-fuzz-reqfile.XXXXXX";

static void remove_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(free_clear) char *path = path_join(dir, names[i]);

        unlink(path);
    }
    rmdir(dir);
}

static void put(const char *name, struct str text)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(err_clear) struct err e = {0};

    if (fs_write(path, text, &e) < 0)
        abort();
}

static void print(struct buf *out, const struct reqfile *r)
{
    const struct req_line *l;
    char hex[DIGEST_HEX + 1];

    buf_puts(out, "\xef\xbb\xbf"); /* so that no line can begin as another mark */
    if (r->pre)
        buf_puts(out, "--pre\n");
    vec_each(l, &r->lines) {
        buf_str(out, l->text);
        for (size_t i = 0; i < l->hashes.n; i++) {
            digest_hex(&l->hashes.v[i], hex);
            buf_fmt(out, " --hash=sha256:%s", hex);
        }
        buf_putc(out, '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, part;
    static bool made;
    CLEANUP(reqfile_clear) struct reqfile r = {0}, again = {0};
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (!made && (!mkdtemp(dir) || atexit(remove_all)))
        abort();
    made = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put(names[i], str_cut(&rest, STR("\f"), &part) ? part : rest);
    if (reqfile_read(&r, dir, STR("first"), false, &e) < 0) {
        assert(err_is_set(&e));
        return 0;
    }
    print(&once, &r);
    put("first", buf_view(&once));
    if (reqfile_read(&again, dir, STR("first"), false, &e) < 0) {
        fprintf(stderr, "%s\n%s\n", e.msg, once.p);
        abort();
    }
    print(&twice, &again);
    assert(str_eq(buf_view(&once), buf_view(&twice)));
    return 0;
}
