/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "faults.h"
#include "model/baselayer.h"
#include "model/embedded.h"

#define FPR "0123456789ABCDEF0123456789ABCDEF01234567"

static const struct pos place = {"x.yaml", 3, 7};

static bool has(const struct strs *list, const char *word)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_is(list->v[i], word))
            return true;
    return false;
}

static void debian_12_is_built_in(void **state)
{
    CLEANUP(baselayer_clear) struct baselayer b = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf read = {0};
    struct str keys;

    assert_int_equal(baselayer_open(&b, STR("debian-12"), "/nonexistent", &place, &e), 0);
    assert_true(str_is(b.name, "debian-12"));
    assert_true(str_is(b.arch, "amd64"));
    assert_int_equal(b.glibc_major, 2);
    assert_int_equal(b.glibc_minor, 36);
    assert_int_equal(b.archives.n, 2);
    assert_true(str_is(b.archives.v[0].uri, "https://deb.debian.org/debian"));
    assert_true(has(&b.archives.v[0].suites, "bookworm"));
    assert_true(has(&b.archives.v[0].suites, "bookworm-updates"));
    assert_true(str_is(b.archives.v[1].uri, "https://deb.debian.org/debian-security"));
    assert_true(has(&b.archives.v[1].suites, "bookworm-security"));
    assert_true(has(&b.archives.v[1].components, "main"));
    assert_true(has(&b.base, "ca-certificates"));
    assert_true(has(&b.python, "python3"));
    assert_true(has(&b.compile, "gcc") && has(&b.compile, "python3-dev"));
    assert_true(str_is(b.python_version, "3.11"));
    assert_true(str_is(b.python_package, "python3.11"));
    assert_true(has(&b.fingerprints, "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8"));
    assert_true(str_find_str(b.sources, STR("Suites: bookworm-security\n")) < b.sources.len);
    assert_true(embedded_get(&keys, STR("debian-12.gpg")));
    assert_int_equal(baselayer_keyring(&read, &b, &e), 0);
    assert_true(str_eq(buf_view(&read), keys));
    assert_true((unsigned char)keys.p[0] & 0x80); /* a packet, not ASCII armour: RFC 4880, 4.2 */
}

static void debian_13_is_built_in(void **state)
{
    CLEANUP(baselayer_clear) struct baselayer b = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf read = {0};
    struct str keys;

    assert_int_equal(baselayer_open(&b, STR("debian-13"), "/nonexistent", &place, &e), 0);
    assert_true(str_is(b.name, "debian-13"));
    assert_int_equal(b.glibc_minor, 41);
    assert_true(has(&b.archives.v[0].suites, "trixie-updates"));
    assert_true(has(&b.archives.v[1].suites, "trixie-security"));
    assert_true(has(&b.base, "passwd")); /* no longer there by dependency */
    assert_true(str_is(b.python_version, "3.13"));
    assert_true(str_is(b.python_package, "python3.13"));
    assert_true(has(&b.fingerprints, "41587F7DB8C774BCCF131416762F67A0B2C39DE4"));
    assert_true(embedded_get(&keys, STR("debian-13.gpg")));
    assert_int_equal(baselayer_keyring(&read, &b, &e), 0);
    assert_true(str_eq(buf_view(&read), keys));
}

static void expect_inside(const char *path, const char *name)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str inside;

    assert_int_equal(fs_read(&bytes, path, 16 << 20, &e), 0);
    if (!embedded_get(&inside, str_of(name)))
        fail_msg("%s has no line in embedded.c", path);
    assert_true(str_eq(inside, buf_view(&bytes)));
}

/* What a room has besides code, as "ROOM-FILE"; returns how many. */
static size_t expect_room_inside(const char *room)
{
    CLEANUP(free_clear) char *folder = path_join("builder", room);
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err e = {0};
    size_t found = 0;

    if (fs_list(&names, folder, &e) < 0)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *path = path_join(folder, names.v[i]);
        CLEANUP(buf_clear) struct buf name = {0};

        if (str_ends(str_of(path), STR(".c")) || str_ends(str_of(path), STR(".h")) ||
            !strchr(names.v[i], '.')) /* a folder of code */
            continue;
        buf_fmt(&name, "%s-%s", room, names.v[i]);
        expect_inside(path, name.p);
        found++;
    }
    return found;
}

/* What is in the program is what stands in the tree: a stale object would hold older bytes. */
static void the_built_in_files_are_those_of_the_tree(void **state)
{
    static const char *const folders[] = {"base-layers", "builder/catalog", "builder/man"};
    static const char *const rooms[] = {"host", "out", "plan", "seal", "serve"};
    size_t found = 0, listed = 0;
    struct str name;

    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        found += expect_room_inside(rooms[i]);
    expect_inside("builder/model/engine.sh", "engine.sh"); /* of several rooms */
    found++;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        CLEANUP(names_clear) struct names names = {0};
        CLEANUP(err_clear) struct err e = {0};

        if (fs_list(&names, folders[i], &e) < 0)
            fail_msg("%s (tests run in the top directory)", e.msg);
        for (size_t j = 0; j < names.n; j++) {
            CLEANUP(free_clear) char *path = path_join(folders[i], names.v[j]);

            expect_inside(path, names.v[j]);
            found++;
        }
    }
    for (size_t at = 0; embedded_next(&at, "", &name);)
        listed++;
    assert_int_equal(found, listed);
}

static void an_unknown_base_lists_those_there_are(void **state)
{
    static const char *const cases[] = {"debian-99", "pytorch", "cuda", "", "debian-12.gpg"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(baselayer_clear) struct baselayer b = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0}, want = {0};

        assert_int_equal(baselayer_open(&b, str_of(cases[i]), ".", &place, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        buf_fmt(&want,
                "x.yaml:3:7: base: \"%s\" is not known; bases: debian-12, debian-13, ubuntu-22.04, "
                "ubuntu-24.04 (or the path "
                "of a base file)",
                cases[i]);
        assert_string_equal(faults_text(&faults, &e), want.p);
    }
}

#define HEAD \
    "envbuild_base: 1\nname: mine\narch: amd64\nglibc: \"2.36\"\nsources: x\nkeyring: k.gpg\n"
#define ARCHIVES "archives: [{uri: \"http://x\", suites: [s], components: [main]}]\n"
#define PACKAGES "packages: {base: [a], python: [b], compile: [c]}\n"
#define PYTHON "python: {version: 3.11, package: python3.11}\n"

static void write_file(const char *dir, const char *name, const char *text)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(fs_write(path, str_of(text), &e), 0);
}

static void remove_file(const char *dir, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);

    unlink(path);
}

static void a_base_of_ones_own_is_found_by_path(void **state)
{
    char dir[] = "/tmp/test_baselayer.XXXXXX";
    CLEANUP(baselayer_clear) struct baselayer b = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf faults = {0}, keys = {0};

    assert_non_null(mkdtemp(dir));
    write_file(dir, "mine.yaml", HEAD ARCHIVES "fingerprints: [" FPR "]\n" PACKAGES PYTHON);
    assert_int_equal(baselayer_open(&b, STR("./mine.yaml"), dir, &place, &e), 0);
    assert_true(str_is(b.name, "mine"));
    assert_int_equal(baselayer_keyring(&keys, &b, &e), -1);
    assert_true(str_starts(str_of(e.msg), STR("keyring: "))); /* it is not there yet */
    err_clear(&e);
    write_file(dir, "k.gpg", "keys");
    assert_int_equal(baselayer_keyring(&keys, &b, &e), 0);
    assert_true(str_is(buf_view(&keys), "keys"));
    assert_int_equal(b.fingerprints.n, 1);
    remove_file(dir, "mine.yaml");
    remove_file(dir, "k.gpg");

    baselayer_clear(&b);
    assert_int_equal(baselayer_open(&b, STR("mine.yaml"), dir, &place, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_true(str_starts(str_of(faults_text(&faults, &e)),
                           STR("x.yaml:3:7: base: there is no file /tmp/test_baselayer.")));
    err_clear(&e);
    assert_int_equal(baselayer_open(&b, STR("./"), dir, &place, &e), -1); /* the folder itself */
    assert_true(str_starts(str_of(faults_text(&faults, &e)), STR("x.yaml:3:7: base: ")));
    assert_true(str_ends(buf_view(&faults), STR(" is a folder, not a file")));
    rmdir(dir);
}

static void a_faulty_base_is_refused(void **state)
{
    static const char *const cases[][2] = {
        /* Nobody's signature would be a base that anybody can sign. */
        {HEAD ARCHIVES "fingerprints: []\n" PACKAGES PYTHON,
         ":8:15: fingerprints: the list is empty"},
        {HEAD ARCHIVES "fingerprints: [ABC]\n" PACKAGES PYTHON,
         ":8:15: fingerprints: \"ABC\" is not 40 upper-case hex digits"},
        {HEAD ARCHIVES "fingerprints: [0123456789abcdef0123456789ABCDEF01234567]\n" PACKAGES PYTHON,
         ":8:15: fingerprints: \"0123456789abcdef0123456789ABCDEF01234567\" is not 40 upper-case "
         "hex "
         "digits"},
        {HEAD "archives: []\nfingerprints: [" FPR "]\n" PACKAGES PYTHON,
         ":7:11: archives: the list is empty"},
        {HEAD "archives: [{uri: x, suites: [], components: [a]}]\nfingerprints: [" FPR
              "]\n" PACKAGES PYTHON,
         ":7:29: suites: the list is empty"},
        {HEAD ARCHIVES "fingerprints: [" FPR "]\n" PYTHON,
         ":1:1: base layer: \"packages\" is missing"},
        {HEAD ARCHIVES "fingerprints: [" FPR "]\npackges: {}\n" PACKAGES PYTHON,
         ":9:1: unknown key \"packges\" (did you mean \"packages\"?)"},
        {"envbuild_base: 2\nname: mine\narch: arm64\nglibc: two\nsources: x\nkeyring: k\n" ARCHIVES
         "fingerprints: [" FPR "]\n" PACKAGES PYTHON,
         ":1:1: base schema 2 is not known; this envbuild reads 1\n"
         ":3:7: arch: \"arm64\" comes later; amd64 is there\n"
         ":4:8: glibc: a version such as \"2.36\""},
    };
    char dir[] = "/tmp/test_baselayer.XXXXXX";

    assert_non_null(mkdtemp(dir));
    write_file(dir, "k.gpg", "keys");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(baselayer_clear) struct baselayer b = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        write_file(dir, "mine.yaml", cases[i][0]);
        if (baselayer_open(&b, STR("mine.yaml"), dir, &place, &e) == 0)
            fail_msg("accepted: %s", cases[i][0]);
        for (struct err *one = &e; one; one = one->next) {
            assert_int_equal(one->kind, ERR_INPUT);
            assert_true(str_starts(str_of(one->file), str_of(dir)));
            memset(one->file, '\0', 1); /* the folder has another name each time */
        }
        assert_string_equal(faults_text(&faults, &e), cases[i][1]);
    }
    remove_file(dir, "mine.yaml");
    remove_file(dir, "k.gpg");
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debian_12_is_built_in),
        cmocka_unit_test(debian_13_is_built_in),
        cmocka_unit_test(the_built_in_files_are_those_of_the_tree),
        cmocka_unit_test(an_unknown_base_lists_those_there_are),
        cmocka_unit_test(a_base_of_ones_own_is_found_by_path),
        cmocka_unit_test(a_faulty_base_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
