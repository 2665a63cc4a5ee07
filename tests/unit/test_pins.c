/* tests/unit/test_pins.c - what of an older lock stays when a recipe is chosen for anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc/emit.h"
#include "doc/json.h"
#include "faults.h"
#include "locktext.h"
#include "plan/pins.h"

#define ARTIFACTS "deb git 1 9 apt; deb libc6 2 9 base; wheel git 3 9; wheel numpy 1.26 9"

static void words_of(struct strs *out, const char *text)
{
    struct str rest = str_of(text), word;

    while (str_word(&rest, &word))
        vec_add(out, word);
}

static void what_is_upgraded_is_free(void **state)
{
    static const struct {
        const char *upgrade;
        bool all;
        const char *kept; /* of ARTIFACTS, by type and name */
    } rows[] = {
        {"", false, "deb git, deb libc6, wheel git, wheel numpy"},
        {"numpy", false, "deb git, deb libc6, wheel git"},
        {"git", false, "deb libc6, wheel numpy"}, /* of both ecosystems */
        {"deb:git", false, "deb libc6, wheel git, wheel numpy"},
        {"wheel:git deb:libc6", false, "deb git, wheel numpy"},
        {"", true, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0};
        CLEANUP(buf_clear) struct buf kept = {0};
        struct strs upgrade = {0};
        struct pins k = {.old = &old, .upgrade_all = rows[i].all, .upgrade = &upgrade};
        struct err e = {0};
        const struct artifact *a;

        artifacts_add(&old, ARTIFACTS);
        words_of(&upgrade, rows[i].upgrade);
        assert_int_equal(pins_check(&k, &e), 0);
        buf_puts(&kept, "");
        vec_each(a, &old.artifacts) {
            if (pins_has(&k, a))
                buf_fmt(&kept, "%s%s " STR_FMT, kept.len ? ", " : "", ecosystem_name(a->eco),
                        STR_ARG(a->name));
        }
        assert_string_equal(kept.p, rows[i].kept);
        k.old = NULL;
        assert_int_equal(pins_check(&k, &e), 0);
        assert_false(pins_has(&k, &old.artifacts.v[0]));
        vec_clear(&upgrade);
    }
}

static void unknown_names_are_refused_with_the_nearest(void **state)
{
    static const struct {
        const char *upgrade, *fault;
    } rows[] = {
        {"nunpy", "\"nunpy\" is not in the lock (did you mean \"numpy\"?)"},
        {"deb:numpy", "\"deb:numpy\" is not in the lock (did you mean \"numpy\"?)"},
        {"rpm:git", "\"rpm:git\" is not in the lock (did you mean \"git\"?)"},
        {"tensorflow",
         "\"tensorflow\" is not in the lock; --upgrade takes names of its packages, such as "
         "numpy or deb:git"},
        {"gitt numpy libc7", "\"gitt\" is not in the lock (did you mean \"git\"?)\n"
                             "\"libc7\" is not in the lock (did you mean \"libc6\"?)"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        struct strs upgrade = {0};
        struct pins k = {.old = &old, .upgrade = &upgrade};

        artifacts_add(&old, ARTIFACTS);
        words_of(&upgrade, rows[i].upgrade);
        assert_int_equal(pins_check(&k, &e), -1);
        assert_int_equal(e.kind, ERR_USAGE);
        assert_string_equal(faults_text(&text, &e), rows[i].fault);
        vec_clear(&upgrade);
    }
}

/* ---- taking over as a whole ---- */

#define RECIPE                                                                                 \
    "{\"pytorch\": \"2.6.0\", \"cuda\": \"12.4\", \"cudnn\": \"9\", \"base\": \"debian-12\", " \
    "\"variant\": \"runtime\", \"apt\": [\"git\"], \"pip\": [\"numpy\"]}"

static void lock_of(struct lock *l, const char *recipe, const char *variant)
{
    struct err e = {0};

    assert_int_equal(json_parse(&l->doc, str_of(recipe), UINT64_MAX, "recipe", &e), 0);
    l->recipe = l->doc.root;
    l->format = LOCK_FORMAT;
    l->variant = str_of(variant);
    l->python_full = STR("3.11.2");
    l->toolkit.version = STR("12.4.1");
    l->toolkit.from = STR("nvidia");
    artifacts_add(l, ARTIFACTS "; redist cuda_nvcc 12.4 9 toolkit");
}

static void input_add(struct lock *l, const char *path, const char *use, unsigned char fill)
{
    struct lock_input *input = vec_push(&l->inputs);

    input->path = str_of(path);
    input->use = str_of(use);
    memset(input->digest.bytes, fill, sizeof input->digest.bytes);
}

/* "dwa": debs, wheels and archives; "-" for those that must be chosen anew. */
static const char *kept(const struct pins *k, const struct lock *now)
{
    static char out[4];

    out[0] = pins_all_debs(k, now) ? 'd' : '-';
    out[1] = pins_all_wheels(k, now) ? 'w' : '-';
    out[2] = pins_all_archives(k, now) ? 'a' : '-';
    return out;
}

static void a_change_frees_what_hangs_on_it(void **state)
{
    static const struct {
        const char *change, *runtime, *devel; /* a member more, or another one, of the recipe */
    } rows[] = {
        {"\"env\": {\"A\": \"b\"}", "dwa", "dwa"},
        {"\"user\": {\"name\": \"me\"}", "dwa", "dwa"},
        {"\"pytorch\": \"2.7.0\"", "d--", "---"}, /* a toolkit's debs hang on CUDA */
        {"\"cuda\": \"12.6\"", "d--", "---"},
        {"\"cudnn\": \"8\"", "dw-", "-w-"},
        {"\"base\": \"debian-13\"", "--a", "--a"},
        {"\"python\": \"3.12\"", "--a", "--a"},
        {"\"variant\": \"compile\"", "---", "---"},
        {"\"toolkit\": {\"from\": \"apt\"}", "---", "---"},
        {"\"apt\": [\"git\", \"gcc\"]", "-wa", "-wa"},
        {"\"apt_archives\": [{\"uri\": \"https://a\"}]", "-wa", "-wa"},
        {"\"pip\": [\"numpy<2\"]", "d-a", "d-a"},
        {"\"constraints\": [\"numpy<2\"]", "d-a", "d-a"},
        {"\"indexes\": [\"https://a/\"]", "d-a", "d-a"},
        {"\"find_links\": [\"wheels\"]", "d-a", "d-a"},
    };
    static const char *const keys[] = {"pytorch", "cuda", "cudnn", "base", "variant", "apt", "pip"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int devel = 0; devel < 2; devel++) {
            CLEANUP(lock_clear) struct lock old = {0}, now = {0};
            CLEANUP(buf_clear) struct buf text = {0};
            struct pins k = {.old = &old};
            struct str change = str_of(rows[i].change), key;
            struct err e = {0};
            CLEANUP(doc_clear) struct doc doc = {0};

            /* The changed member stands first; the one that it replaces is renamed away. */
            str_skip(&change, STR("\""));
            assert_true(str_cut(&change, STR("\""), &key));
            buf_fmt(&text, "{%s", rows[i].change);
            assert_int_equal(json_parse(&doc, STR(RECIPE), UINT64_MAX, "recipe", &e), 0);
            for (size_t j = 0; j < ARRAY_LEN(keys); j++) {
                CLEANUP(buf_clear) struct buf value = {0};

                if (str_is(key, keys[j]))
                    continue;
                emit_json(&value, node_get(doc.root, keys[j]), EMIT_COMPACT);
                buf_fmt(&text, ", \"%s\": %s", keys[j], value.p);
            }
            buf_puts(&text, "}");
            lock_of(&old, RECIPE, devel ? "devel" : "runtime");
            lock_of(&now, text.p, devel ? "devel" : "runtime");
            if (strcmp(kept(&k, &now), devel ? rows[i].devel : rows[i].runtime) != 0)
                fail_msg("%s%s: %s", devel ? "devel: " : "", rows[i].change, kept(&k, &now));
        }
}

static void more_than_the_recipe_decides(void **state)
{
    static const struct {
        const char *what, *use, *upgrade, *python, *toolkit, *from;
        bool all;
        const char *kept;
    } rows[] = {
        {"nothing changed", NULL, "", "3.11.2", "12.4.1", "nvidia", false, "dwa"},
        {"a requirement file changed", "pip", "", "3.11.2", "12.4.1", "nvidia", false, "d-a"},
        {"a base of one's own changed", "base", "", "3.11.2", "12.4.1", "nvidia", false, "---"},
        {"a keyring changed", "apt", "", "3.11.2", "12.4.1", "nvidia", false, "---"},
        {"a wheel is upgraded", NULL, "numpy", "3.11.2", "12.4.1", "nvidia", false, "d-a"},
        {"a deb is upgraded", NULL, "libc6", "3.11.2", "12.4.1", "nvidia", false, "-wa"},
        {"a name of both is upgraded", NULL, "git", "3.11.2", "12.4.1", "nvidia", false, "--a"},
        {"all is upgraded", NULL, "", "3.11.2", "12.4.1", "nvidia", true, "---"},
        {"the base's Python is newer", NULL, "", "3.11.3", "12.4.1", "nvidia", false, "d-a"},
        {"the toolkit is newer", NULL, "", "3.11.2", "12.4.2", "nvidia", false, "dw-"},
        {"the toolkit is another's", NULL, "", "3.11.2", "12.4.1", "pypi", false, "dw-"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0}, now = {0};
        struct strs upgrade = {0};
        struct pins k = {.old = &old, .upgrade_all = rows[i].all, .upgrade = &upgrade};

        lock_of(&old, RECIPE, "runtime");
        lock_of(&now, RECIPE, "runtime");
        words_of(&upgrade, rows[i].upgrade);
        now.python_full = str_of(rows[i].python);
        now.toolkit.version = str_of(rows[i].toolkit);
        now.toolkit.from = str_of(rows[i].from);
        if (rows[i].use) {
            input_add(&old, "file", rows[i].use, 1);
            input_add(&now, "file", rows[i].use, 2);
        }
        if (strcmp(kept(&k, &now), rows[i].kept) != 0)
            fail_msg("%s: %s", rows[i].what, kept(&k, &now));
        old.format = 1; /* which does not say what wheels need */
        assert_true(kept(&k, &now)[1] == '-');
        k.old = NULL;
        assert_string_equal(kept(&k, &now), "---");
        vec_clear(&upgrade);
    }
}

/* A file that is named no more frees as one that is named anew. */
static void an_input_may_come_and_go(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        CLEANUP(lock_clear) struct lock old = {0}, now = {0};
        struct pins k = {.old = &old};

        lock_of(&old, RECIPE, "runtime");
        lock_of(&now, RECIPE, "runtime");
        input_add(gone ? &old : &now, "requirements.txt", "pip", 1);
        assert_string_equal(kept(&k, &now), "d-a");
    }
}

/* ---- debs one by one ---- */

static void index_of(struct debindex *index, const char *packages)
{
    struct str rest = str_of(packages), word, name, version;
    struct buf text = {0};
    struct err e = {0};

    while (str_word(&rest, &word)) {
        assert_true(str_cut(&word, STR("="), &name));
        version = word;
        buf_fmt(&text,
                "Package: " STR_FMT "\nVersion: " STR_FMT "\nArchitecture: amd64\n"
                "Filename: a.deb\nSize: 1\nSHA256: %064d\n\n",
                STR_ARG(name), STR_ARG(version), 7);
    }
    index->arch = STR("amd64");
    size_t len = text.len;
    assert_int_equal(debindex_add(index, buf_take(&text), len, "test/main", "https://a", &e), 0);
    debindex_finish(index);
}

static const char *chosen(struct buf *out, const struct debindex *index)
{
    static const char *const names[] = {"git", "gitk", "less"};

    buf_reset(out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        buf_fmt(out, "%s%s " STR_FMT, i ? ", " : "", names[i],
                STR_ARG(debindex_find(index, str_of(names[i]))->version));
    return out->p;
}

static void debs_stay_until_they_are_in_the_way(void **state)
{
    static const struct {
        const char *upgrade, *first, *fault, *then;
    } rows[] = {
        {"", "git 1, gitk 1, less 2", "git 1 needs perl", "git 2, gitk 1, less 2"},
        {"", "git 1, gitk 1, less 2", "gitk: git cannot be had", "git 2, gitk 2, less 2"},
        {"", "git 1, gitk 1, less 2", "git-man, libgit and git.x are not git's",
         "git 2, gitk 1, less 2"},
        {"", "git 1, gitk 1, less 2", "libgit and xgit-man",
         "git 2, gitk 2, less 2"}, /* nobody: all */
        {"gitk", "git 1, gitk 2, less 2", "less cannot be had", "git 2, gitk 2, less 2"},
        {"deb:git", "git 2, gitk 1, less 2", "(gitk)", "git 2, gitk 2, less 2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0};
        CLEANUP(debindex_clear) struct debindex index = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(err_clear) struct err fault = {0};
        struct pins_moved moved = {0};
        struct strs upgrade = {0};
        struct pins k = {.old = &old, .upgrade = &upgrade};

        artifacts_add(&old, "deb git 1 9 apt; deb gitk 1 9 apt; deb gone 1 9 apt; "
                            "deb less 2 9 apt; wheel git 1 9");
        words_of(&upgrade, rows[i].upgrade);
        index_of(&index, "git=1 git=2 gitk=1 gitk=2 less=1 less=2");
        pins_prefer_debs(&k, &index, &moved);
        assert_string_equal(chosen(&text, &index), rows[i].first);
        (void)err_set(&fault, ERR_UNSAT, "%s", rows[i].fault);
        assert_true(pins_yield(&index, &moved, &fault));
        if (strcmp(chosen(&text, &index), rows[i].then) != 0)
            fail_msg("%s: %s", rows[i].fault, text.p);
        while (moved.n)
            assert_true(pins_yield(&index, &moved, &fault));
        assert_false(pins_yield(&index, &moved, &fault));
        assert_true(str_is(debindex_find(&index, STR("git"))->version, "2"));
        vec_clear(&moved);
        vec_clear(&upgrade);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_upgraded_is_free),
        cmocka_unit_test(unknown_names_are_refused_with_the_nearest),
        cmocka_unit_test(a_change_frees_what_hangs_on_it),
        cmocka_unit_test(more_than_the_recipe_decides),
        cmocka_unit_test(an_input_may_come_and_go),
        cmocka_unit_test(debs_stay_until_they_are_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
