/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/path.h"
#include "faults.h"
#include "base/fs.h"
#include "io/crypto.h"
#include "pkg/pypi/reqfile.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void put_bytes(const char *dir, const char *name, struct str bytes)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    struct err e = {0};

    assert_int_equal(fs_mkdirs_for(path, &e), 0);
    assert_int_equal(fs_write(path, bytes, &e), 0);
}

static void put(const char *dir, const char *name, const char *text)
{
    put_bytes(dir, name, str_of(text));
}

static int setup(void **state)
{
    char dir[] = "/tmp/test_reqfile.XXXXXX";

    *state = mkdtemp(dir) ? xstrdup(dir) : NULL;
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    CLEANUP(free_clear) char *command = NULL;
    struct buf b = {0};

    buf_fmt(&b, "rm -rf '%s'", (char *)*state);
    command = buf_take(&b);
    free(*state);
    return system(command);
}

/* Every line as "file:line [c] text +hashes". */
static const char *lines(struct buf *out, const struct reqfile *r)
{
    const struct req_line *l;

    buf_reset(out);
    buf_puts(out, "");
    vec_each(l, &r->lines) {
        buf_fmt(out, "%s%s:%u %s" STR_FMT, out->len ? "\n" : "", l->pos.file, l->pos.line,
                l->constraint ? "c " : "", STR_ARG(l->text));
        if (l->hashes.n)
            buf_fmt(out, " +%zu", l->hashes.n);
    }
    return out->p;
}

static void files_that_pip_reads(void **state)
{
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"", ""},
        {"\xef\xbb\xbfnumpy\r\n", "r.txt:1 numpy"},
        {"# a comment\n\n  numpy<2  # why\nname#frag\n", "r.txt:3 numpy<2\nr.txt:4 name#frag"},
        {"requests[socks] >= 2.8.1, == 2.8.* ; python_version < '3.12'\n",
         "r.txt:1 requests[socks] >= 2.8.1, == 2.8.* ; python_version < '3.12'"},
        {"a==1 \\\n    --hash=sha256:" HEX " \\\n    --hash sha256:" HEX2
         "\nb==2 --hash=sha256:" HEX,
         "r.txt:1 a==1 +2\nr.txt:4 b==2 +1"},
        {"a \\\n# in between\nb\n", "r.txt:1 a\nr.txt:3 b"},
        {"-r sub/more.txt\nlast\n", "sub/more.txt:1 inner\nsub/deep.txt:1 c deep<3\nr.txt:2 last"},
        {"--requirement=sub/deep.txt\n-c sub/deep.txt\n-rsub/deep.txt\n",
         "sub/deep.txt:1 deep<3\nsub/deep.txt:1 c deep<3\nsub/deep.txt:1 deep<3"},
        {"--prefer-binary\n--only-binary :all:\n--use-feature=fast-deps\nx\n", "r.txt:4 x"},
        {"./w/a_b-1.0-py3-none-any.whl\nw/c-1-py3-none-any.whl[x,y]\n",
         "r.txt:1 a_b @ ./w/a_b-1.0-py3-none-any.whl\nr.txt:2 c[x,y] @ ./w/c-1-py3-none-any.whl"},
        {"d @ https://h.test/d-1-py3-none-any.whl\n",
         "r.txt:1 d @ https://h.test/d-1-py3-none-any.whl"},
        {"https://h.test/d_e-1%2Bcu124-py3-none-any.whl#sha256=" HEX "\n"
         "https://h.test/e-1-py3-none-any.whl; python_version < '3'  # why\n"
         "https://h.test/f-1-py3-none-any.whl ;os_name=='nt'\nfile:///w/g-1-py3-none-any.whl\n",
         "r.txt:1 d_e @ https://h.test/d_e-1%2Bcu124-py3-none-any.whl#sha256=" HEX "\n"
         "r.txt:2 e @ https://h.test/e-1-py3-none-any.whl ; python_version < '3'\n"
         "r.txt:3 f @ https://h.test/f-1-py3-none-any.whl ; os_name=='nt'\n"
         "r.txt:4 g @ file:///w/g-1-py3-none-any.whl"},
        {"https://h.test/d-1.tar.gz\nhttps://h.test/d.whl\ngit+https://h.test/d-1-py3-none-any.whl",
         "r.txt:1 https://h.test/d-1.tar.gz\nr.txt:2 https://h.test/d.whl\n"
         "r.txt:3 git+https://h.test/d-1-py3-none-any.whl"}, /* told by who parses them */
    };
    CLEANUP(buf_clear) struct buf got = {0};

    put(*state, "sub/more.txt", "inner\n-c deep.txt\n");
    put(*state, "sub/deep.txt", "deep<3");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(reqfile_clear) struct reqfile r = {0};
        struct err e = {0};

        put(*state, "r.txt", cases[i].text);
        assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), 0);
        assert_string_equal(lines(&got, &r), cases[i].lines);
        assert_false(r.pre);
    }
}

/* `text` of ASCII in UTF-16, with its mark. */
static void wide(struct buf *out, const char *text, bool big_endian)
{
    buf_puts(out, big_endian ? "\xfe\xff" : "\xff\xfe");
    for (; *text; text++) {
        if (big_endian)
            buf_putc(out, 0);
        buf_putc(out, *text);
        if (!big_endian)
            buf_putc(out, 0);
    }
}

static void what_powershell_writes(void **state)
{
    CLEANUP(buf_clear) struct buf got = {0}, text = {0};

    for (int big = 0; big < 2; big++) {
        CLEANUP(reqfile_clear) struct reqfile r = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct digest digest;

        buf_reset(&text);
        wide(&text, "requests==2.32.3\r\nnumpy==1.26.4\r\n", big);
        put_bytes(*state, "r.txt", buf_view(&text));
        assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), 0);
        assert_string_equal(lines(&got, &r), "r.txt:1 requests==2.32.3\nr.txt:2 numpy==1.26.4");
        hash_bytes(&digest, text.p, text.len); /* of the file, not of what it says */
        assert_true(digest_eq(&r.sources.v[0].digest, &digest));
        buf_str(&text, big ? STR("\xd8\x3d\0x") : STR("\x3d\xd8x\0"));
        put_bytes(*state, "r.txt", buf_view(&text));
        assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), -1);
        assert_string_equal(faults_text(&got, &e),
                            "r.txt:3:1: the file begins with the byte order mark of UTF-16, and "
                            "half a character stands here; save it as UTF-8");
    }
}

static void files_that_are_refused(void **state)
{
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {"a\n--no-index\n-e .\n",
         "r.txt:2:1: \"--no-index\": name the indexes under `indexes` in the recipe\n"
         "r.txt:3:1: \"-e\": folders are not built; build a wheel and name its file"},
        {"a --index-url https://x.test/simple\n",
         "r.txt:1:1: \"--index-url\": name the index under `indexes` in the recipe"},
        {"-f\n", "r.txt:1:1: \"-f\": the option wants a value"},
        {"--frobnicate\n",
         "r.txt:1:1: \"--frobnicate\": this option of pip's requirements format is not known"},
        {"-r\n", "r.txt:1:1: \"-r\": the option wants a value"},
        {"-r r.txt\n", "r.txt:1:1: \"r.txt\": the file brings in itself"},
        {"-r https://x.test/r.txt\n", "r.txt:1:1: \"https://x.test/r.txt\": requirement files on "
                                      "the web are not read; keep a copy beside the recipe"},
        {"a @ https://${TOKEN}@x.test/a-1-py3-none-any.whl\n",
         "r.txt:1:1: \"a @ https://${TOKEN}@x.test/a-1-py3-none-any.whl\": variables of the "
         "environment are not read; write the value"},
        {"a==1 --hash=md5:00\n", "r.txt:1:1: \"md5:00\": only sha256 hashes are compared"},
        {"a==1 --hash=sha256:00\n",
         "r.txt:1:1: \"00\": this is not a sha256, which has 64 hex digits"},
        {"a==1 --hash=sha256:" HEX "\nb==2\n",
         "r.txt:2:1: \"b==2\" has no --hash, but other requirements of this file have"},
        {"--require-hashes\nb==2\n",
         "r.txt:2:1: \"b==2\" has no --hash, but other requirements of this file have"},
        {"a --config-settings x=y\n", "r.txt:1:1: \"--config-settings\": write it under `build` "
                                      "in the recipe"},
        {"a -x\n", "r.txt:1:1: \"-x\": only --hash may stand behind a requirement"},
    };
    CLEANUP(buf_clear) struct buf got = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(reqfile_clear) struct reqfile r = {0};
        CLEANUP(err_clear) struct err e = {0};

        put(*state, "r.txt", cases[i].text);
        assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), -1);
        assert_string_equal(faults_text(&got, &e), cases[i].faults);
    }
}

static void a_file_that_is_missing_is_told_where_it_is_named(void **state)
{
    CLEANUP(reqfile_clear) struct reqfile r = {0};
    CLEANUP(err_clear) struct err e = {0};

    put(*state, "r.txt", "a\n-c none.txt\n");
    assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), -1);
    assert_int_equal(e.line, 2);
    assert_non_null(strstr(e.msg, "none.txt"));
}

static void options_for_who_knows_the_recipe(void **state)
{
    static const struct {
        const char *name, *value;
        bool place;
    } want[] = {
        {"--index-url", "https://x.test/simple", true},
        {"--extra-index-url", "https://y.test/", true},
        {"--find-links", "wheels", true},
        {"--prefer-binary", "", false},
        {"--trusted-host", "x.test", false},
        {"--no-cache-dir", "", false},
        {"--use-feature", "fast-deps", false},
        {"--only-binary", ":all:", false},
    };
    CLEANUP(reqfile_clear) struct reqfile r = {0};
    struct err e = {0};

    put(*state, "o.txt", "--use-feature fast-deps\n--only-binary=:all:\n");
    put(*state, "r.txt",
        "-i https://x.test/simple\n--extra-index-url=https://y.test/\n-f wheels\n"
        "--prefer-binary\n--trusted-host x.test\n--no-cache-dir\n-r o.txt\nx\n");
    assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), false, &e), 0);
    assert_int_equal(r.options.n, ARRAY_LEN(want));
    for (size_t i = 0; i < r.options.n; i++) {
        const struct req_option *o = &r.options.v[i];

        assert_string_equal(o->name, want[i].name);
        assert_true(str_is(o->value, want[i].value));
        assert_int_equal(o->instead != NULL, want[i].place);
        assert_string_equal(o->pos.file, i < 6 ? "r.txt" : "o.txt");
        assert_int_equal(o->pos.line, i < 6 ? i + 1 : i - 5);
    }
}

static void sources_and_pre(void **state)
{
    CLEANUP(reqfile_clear) struct reqfile r = {0};
    struct err e = {0};

    put(*state, "c.txt", "x<3\n");
    put(*state, "r.txt", "--pre\n-c c.txt\nx\n");
    assert_int_equal(reqfile_read(&r, *state, STR("r.txt"), true, &e), 0);
    assert_true(r.pre && r.sources.n == 2 && r.lines.n == 2);
    assert_true(str_is(r.sources.v[0].path, "r.txt") && str_is(r.sources.v[1].path, "c.txt"));
    assert_true(digest_is_set(&r.sources.v[1].digest));
    assert_true(r.lines.v[1].constraint); /* a constraints file makes all it holds constraints */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_that_pip_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(what_powershell_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_missing_is_told_where_it_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(options_for_who_knows_the_recipe, setup, teardown),
        cmocka_unit_test_setup_teardown(sources_and_pre, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
