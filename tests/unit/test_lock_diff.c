/* tests/unit/test_lock_diff.c - what differs between two locks, in words and for machines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc/emit.h"
#include "locktext.h"
#include "model/lock_diff.h"
#include "model/lock_files.h"

static void artifacts_differ_in_words(void **state)
{
    static const struct {
        const char *old, *now, *words;
    } rows[] = {
        {"", "", ""},
        {"deb git 1 9; wheel numpy 1 9", "deb git 1 9; wheel numpy 1 9", ""},
        {"wheel numpy 1.26.4 9", "wheel numpy 2.2.0 9", "wheel numpy 1.26.4 becomes 2.2.0\n"},
        {"", "deb git 1:2.39 9", "deb git 1:2.39 is new\n"},
        {"deb git 1:2.39 9", "", "deb git 1:2.39 is gone\n"},
        {"wheel a 1 9", "wheel a ~1 9", "wheel a 1 is another file now\n"},
        {"deb libc6 1 9 base", "deb libc6 2 9 base security", "deb libc6 1 becomes 2 (security)\n"},
        {"deb libc6 2 9 base security", "deb libc6 1 9 base", "deb libc6 2 becomes 1\n"},
        {"", "deb libc6 2 9 base security", "deb libc6 2 is new\n"},
        {"wheel a 1 9", "wheel a 2 9 x security", "wheel a 1 becomes 2\n"}, /* of debs alone */
        {"deb b 1 9; wheel b 1 9; redist b 1 9", "deb b 2 9; wheel b 3 9; redist b 4 9",
         "deb b 1 becomes 2\nwheel b 1 becomes 3\nredist b 1 becomes 4\n"},
        {"deb c 1 9; wheel a 1 9; wheel c 1 9", "deb a 1 9; deb d 1 9; wheel b 1 9",
         "deb a 1 is new\ndeb c 1 is gone\ndeb d 1 is new\nwheel a 1 is gone\nwheel b 1 is new\n"
         "wheel c 1 is gone\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0}, now = {0};
        CLEANUP(buf_clear) struct buf words = {0};
        struct lock_changes changes = {0};
        const struct lock_change *c;

        artifacts_add(&old, rows[i].old);
        artifacts_add(&now, rows[i].now);
        lock_changes(&changes, &old, &now);
        buf_puts(&words, "");
        vec_each(c, &changes) {
            lock_change_print(&words, c);
            buf_putc(&words, '\n');
        }
        assert_string_equal(words.p, rows[i].words);
        vec_clear(&changes);
    }
}

/* ---- the recipe and its files ---- */

/* "base.yaml 1, more.txt 2": paths and what stands in them */
static void inputs_add(struct lock *l, const char *text)
{
    struct str rest = str_of(text), one, path;

    while (str_item(&rest, ',', &one) && str_word(&one, &path)) {
        struct lock_input *input = vec_push(&l->inputs);

        input->path = path;
        memset(input->digest.bytes, str_trim(one).p[0], sizeof input->digest.bytes);
    }
}

static void files_beside_the_recipe_are_told(void **state)
{
    static const struct {
        unsigned schema;
        const char *old, *now, *words;
    } rows[] = {
        {3, "a 1, b 1", "a 1, b 1", ""},
        {3, "a 1, b 1", "a 2, b 1", "a changed"},
        {3, "a 1", "a 1, b 1", "b is new"},
        {3, "a 1, b 1", "b 1", "a is not named any more"},
        {3, "a 1, b 1", "b 2, c 1", "b changed; c is new; a is not named any more"},
        {1, "", "a 1", ""}, /* which did not know them */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {.schema = rows[i].schema}, now = {0};
        CLEANUP(buf_clear) struct buf words = {0};

        inputs_add(&old, rows[i].old);
        inputs_add(&now, rows[i].now);
        buf_puts(&words, "");
        lock_recipe_changes(&words, &old, &now);
        assert_string_equal(words.p, rows[i].words);
    }
}

/* "a.py 10, sub/ 0, b -> a.py": path, and size, folder or target; "*" means executable */
static void copy_add(struct lock *l, const char *from, const char *text)
{
    struct str rest = str_of(text), one, path;
    struct lock_copy *copy = vec_push(&l->copies);

    copy->from = str_of(from);
    while (str_item(&rest, ',', &one) && str_word(&one, &path)) {
        struct lock_file *f = vec_push(&copy->files);

        one = str_trim(one);
        f->executable = str_drop(&one, STR("*"));
        f->folder = str_drop(&path, STR("/"));
        f->path = str_is(path, ".") ? STR("") : path;
        if (str_skip(&one, STR("->")))
            f->link = str_trim(one);
        else
            assert_true(str_u64(one, &f->size));
    }
}

static void files_that_go_in_are_told(void **state)
{
    static const struct {
        const char *from, *old, *now, *words;
    } rows[] = {
        {"src/", "a 1, b/ 0", "a 1, b/ 0", ""},
        {"src/", "a 1", "a 2", "src/a changed"},
        {"src", "a 1", "a 1*", "src/a changed"},
        {"src/", "a 1", "a -> b", "src/a changed"},
        {"src/", "a -> b", "a -> c", "src/a changed"},
        {"src/", "a/ 0", "a 0", "src/a changed"},
        {"src/", "a 1, c 1", "b 1, c 1", "src/b is new; src/a is gone"},
        {"one.txt", ". 1", ". 2", "one.txt changed"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0}, now = {0};
        CLEANUP(buf_clear) struct buf words = {0};

        copy_add(&old, rows[i].from, rows[i].old);
        copy_add(&now, rows[i].from, rows[i].now);
        buf_puts(&words, "");
        lock_recipe_changes(&words, &old, &now);
        assert_string_equal(words.p, rows[i].words);
    }
}

/* A file that decides and goes in is told once. */
static void a_file_of_both_kinds_is_told_once(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    inputs_add(&old, "r.txt 1");
    inputs_add(&now, "r.txt 2");
    copy_add(&old, "r.txt", ". 1");
    copy_add(&now, "r.txt", ". 2");
    lock_recipe_changes(&words, &old, &now);
    assert_string_equal(words.p, "r.txt changed");
}

/* A recipe that changed is told by its keys alone: its `files` are among them. */
static void another_recipe_is_told_by_its_keys(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf words = {0};
    struct node *a = node_new_map(&old.doc), *b = node_new_map(&now.doc);

    node_put_str(&old.doc, a, "cuda", STR("12.4"));
    node_put_str(&now.doc, b, "cuda", STR("12.6"));
    old.recipe = a;
    now.recipe = b;
    now.recipe_digest.bytes[0] = 1;
    copy_add(&old, "src/", "a 1");
    copy_add(&now, "src/", "a 2");
    lock_recipe_changes(&words, &old, &now);
    assert_string_equal(words.p, "cuda: \"12.4\" became \"12.6\"");
}

#define EIGHT(x) x x x x x x x x
#define ONES EIGHT("11111111")
#define TWOS EIGHT("22222222")

static void wheels_beside_the_recipe_are_told_with_both_digests(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    artifacts_add(&old, "deb b 1 1; wheel a 1 1; wheel b 1 1; wheel c 1 1");
    artifacts_add(&now, "wheel b 1 1; wheel c 1 1");
    for (size_t i = 0; i < now.artifacts.n; i++) {
        memset(now.artifacts.v[i].digest.bytes, 0x22, sizeof(struct digest));
        memset(old.artifacts.v[2 + i].digest.bytes, 0x11, sizeof(struct digest));
        now.artifacts.v[i].url = i ? STR("file:///srv/c.whl") : STR("./lib/b.whl");
    }
    lock_wheel_changes(&words, &old, &now);
    assert_string_equal(words.p,
                        "lib/b.whl changed: it is sha256:" TWOS ", and the lock has sha256:" ONES
                        "; file:///srv/c.whl changed: it is sha256:" TWOS
                        ", and the lock has sha256:" ONES);
    assert_false(lock_take_files(&old, &now)); /* a choice */
}

/* Its wheel, its layer and the image are to be made anew; all else stays. */
static void a_project_is_taken_over(void **state)
{
    static struct str env[] = {STR_INIT("SCM=2")};
    const struct artifact_source was = {.sdist = {.digest = {{1}}, .size = 1}, .isolated = true};
    struct artifact_source is = {.sdist = {.digest = {{2}}, .size = 2}, .env = {env, 1, 0}};
    CLEANUP(lock_clear) struct lock lock = {.built = true, .config = {{1}}, .manifest = {{1}}};
    CLEANUP(lock_clear) struct lock now = {0};
    CLEANUP(buf_clear) struct buf words = {0};
    const struct artifact *a;

    artifacts_add(&lock, "wheel app 1 1 project; wheel numpy 1 1");
    artifacts_add(&now, "wheel app 1 1 project");
    lock.artifacts.v[0].source = &was;
    now.artifacts.v[0].source = &is;
    for (size_t i = 0; i < 3; i++) {
        struct lock_layer *l = vec_push(&lock.layers);

        l->kind = i < 2 ? LOCK_WHEELS : LOCK_FILES;
        if (i < 2)
            vec_add(&l->artifacts, 1 - i);
        l->digest.bytes[0] = l->diff_id.bytes[0] = 1;
        l->size = l->unpacked = 5;
    }
    lock_wheel_changes(&words, &lock, &now);
    assert_string_equal(words.p, "the project app changed");
    assert_true(lock_take_files(&lock, &now));
    a = lock_project(&lock);
    assert_true(!digest_is_set(&a->digest) && !a->size && !a->file.len);
    assert_true(a->source->sdist.size == 2 && a->source->isolated && a->source->env.n == 1);
    assert_true(digest_is_set(&lock.artifacts.v[1].digest));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(digest_is_set(&lock.layers.v[i].digest), i == 0);
    assert_true(lock.settled && !lock.built && !digest_is_set(&lock.manifest));
    artifacts_add(&now, "wheel numpy ~1 1"); /* a choice */
    assert_false(lock_take_files(&lock, &now));
}

/* ---- all of it ---- */

static void lock_make(struct lock *l, const char *artifacts)
{
    l->recipe = node_new_map(&l->doc);
    l->name = STR("pytorch");
    l->tag = STR("1");
    l->variant = STR("runtime");
    l->base = STR("debian-12");
    l->workdir = STR("/workspace");
    l->facts.cuda = STR("12.4");
    artifacts_add(l, artifacts);
    for (size_t i = 0; i < l->artifacts.n; i++) {
        struct lock_layer *layer = vec_push(&l->layers);

        layer->name = l->artifacts.v[i].name;
        layer->kind = l->artifacts.v[i].eco == ECO_WHEEL ? LOCK_WHEELS : LOCK_SYSTEM;
        vec_add(&layer->artifacts, i);
    }
}

static void the_same_lock_says_nothing(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    lock_make(&old, "wheel numpy 1 9");
    lock_make(&now, "wheel numpy 1 9");
    now.built = true; /* which is not of the chosen part */
    lock_diff_print(&text, &old, &now);
    assert_int_equal(text.len, 0);
}

static void all_is_told_in_lines(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    lock_make(&old, "deb git 1 1M apt; wheel numpy 1 3M; wheel torch 2 5M");
    lock_make(&now, "deb git 1 1M apt; wheel numpy 2 4M; wheel torch 2 5M");
    now.tag = STR("2");
    now.user.name = STR("me");
    now.facts.cuda = STR("");
    now.facts.cudnn = STR("9");
    vec_add(&now.entrypoint, STR(LOCK_STARTUP_CHECK));
    vec_push(&now.slim)->rule = slim_rule_named(STR("numpy-tests"));
    lock_diff_print(&text, &old, &now);
    assert_string_equal(text.p, "tag: 1 becomes 2\n"
                                "user: root becomes me (0:0)\n"
                                "CUDA: 12.4 becomes nothing\n"
                                "cuDNN: nothing becomes 9\n"
                                "entrypoint: nothing becomes " LOCK_STARTUP_CHECK "\n"
                                "slim numpy-tests: kept becomes left out\n"
                                "wheel numpy 1 becomes 2\n"
                                "download: 9.0 MiB becomes 10.0 MiB, of it 4.0 MiB new\n"
                                "layers: 2 of 3 stay the same\n");
}

/* A layer stays when it holds the very same, in the same order, and is slimmed by the same rules.
 */
static void layers_are_the_same_by_what_they_hold(void **state)
{
    static const struct {
        const char *old, *now, *rule;
        const char *says;
    } rows[] = {
        {"wheel a 1 9; wheel numpy 1 9", "wheel a 1 9; wheel numpy 1 9", "numpy-tests", "1 of 2"},
        {"wheel a 1 9", "wheel a 1 9", "numpy-tests", "1 of 1"},
        {"wheel a 1 9", "wheel a ~1 9", "numpy-tests", "0 of 1"},
        {"deb a 1 9", "wheel a 1 9", "numpy-tests", "0 of 1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock old = {0}, now = {0};
        CLEANUP(buf_clear) struct buf text = {0};

        lock_make(&old, rows[i].old);
        lock_make(&now, rows[i].now);
        vec_push(&now.slim)->rule = slim_rule_named(str_of(rows[i].rule));
        lock_diff_print(&text, &old, &now);
        if (!strstr(text.p, rows[i].says))
            fail_msg("%s, %s: %s", rows[i].old, rows[i].now, text.p);
    }
}

/* "bytecode" stands for a layer of it. */
static void plan_make(struct lock *l, const char *plan)
{
    struct str rest = str_of(plan), one;

    lock_make(l, "");
    while (str_item(&rest, ';', &one)) {
        struct lock_layer *layer = vec_push(&l->layers);
        bool wheel = !str_is(str_trim(one), "bytecode");

        layer->kind = wheel ? LOCK_WHEELS : LOCK_BYTECODE;
        if (!wheel)
            continue;
        vec_add(&l->artifacts, artifact_of(str_trim(one)));
        vec_add(&layer->artifacts, l->artifacts.n - 1);
        if (str_starts(str_trim(one), STR("deb"))) {
            layer->kind = LOCK_SYSTEM;
            layer->group = LOCK_PYTHON;
        }
    }
}

/* Bytecode stays when its wheels and Python do. */
static void bytecode_is_the_same_of_the_same_wheels(void **state)
{
    static const char old[] = "deb p 1 9; wheel a 1 9; wheel b 1 9; bytecode; wheel c 1 9; "
                              "bytecode";
    static const struct {
        const char *now, *says;
    } rows[] = {
        {old, "6 of 6"},
        {"deb p 1 9; wheel a 1 9; wheel b 1 9; bytecode; wheel c ~1 9; bytecode", "4 of 6"},
        {"deb p 1 9; wheel a ~1 9; wheel b 1 9; bytecode; wheel c 1 9; bytecode", "4 of 6"},
        {"deb p ~1 9; wheel a 1 9; wheel b 1 9; bytecode; wheel c 1 9; bytecode", "3 of 6"},
        {"deb p 1 9; wheel a 1 9; bytecode; wheel b 1 9; bytecode; wheel c 1 9; bytecode",
         "5 of 7"},
        {"deb p 1 9; wheel a 1 9; wheel b 1 9; wheel c 1 9; bytecode", "4 of 5"},
        {"wheel a 1 9; wheel b 1 9; bytecode; wheel c 1 9; bytecode", "3 of 5"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock before = {0}, after = {0};
        CLEANUP(buf_clear) struct buf text = {0};

        plan_make(&before, old);
        plan_make(&after, rows[i].now);
        lock_diff_print(&text, &before, &after);
        if (text.len && !strstr(text.p, rows[i].says))
            fail_msg("%s: %s", rows[i].now, text.p);
        assert_true(text.len || rows[i].now == old);
    }
}

static void machines_are_told_the_same(void **state)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct node *root = node_new_map(&doc);

    lock_make(&old, "deb git 1 10 apt; deb libc6 1 10 base; wheel numpy 1 30");
    lock_make(&now, "deb git 1 10 apt; deb libc6 2 11 base security; wheel torch 2 50");
    now.facts.cuda = STR("12.6");
    vec_push(&now.slim)->rule = slim_rule_named(STR("numpy-tests"));
    lock_diff_put(&doc, root, &old, &now);
    emit_json(&text, root, EMIT_COMPACT);
    assert_string_equal(
        text.p,
        "{\"facts\":{\"cuda\":{\"old\":\"12.4\",\"new\":\"12.6\"}},"
        "\"settings\":[{\"what\":\"slim numpy-tests\",\"old\":\"kept\",\"new\":\"left out\"}],"
        "\"slim\":{\"old\":[],\"new\":[\"numpy-tests\"]},"
        "\"packages\":["
        "{\"type\":\"deb\",\"name\":\"libc6\",\"old\":\"1\",\"new\":\"2\",\"security\":true},"
        "{\"type\":\"wheel\",\"name\":\"numpy\",\"old\":\"1\",\"security\":false},"
        "{\"type\":\"wheel\",\"name\":\"torch\",\"new\":\"2\",\"security\":false}],"
        "\"download\":{\"old\":50,\"new\":71,\"missing\":61},"
        "\"layers\":{\"new\":3,\"same\":1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(artifacts_differ_in_words),
        cmocka_unit_test(files_beside_the_recipe_are_told),
        cmocka_unit_test(files_that_go_in_are_told),
        cmocka_unit_test(a_file_of_both_kinds_is_told_once),
        cmocka_unit_test(another_recipe_is_told_by_its_keys),
        cmocka_unit_test(wheels_beside_the_recipe_are_told_with_both_digests),
        cmocka_unit_test(a_project_is_taken_over),
        cmocka_unit_test(the_same_lock_says_nothing),
        cmocka_unit_test(all_is_told_in_lines),
        cmocka_unit_test(layers_are_the_same_by_what_they_hold),
        cmocka_unit_test(bytecode_is_the_same_of_the_same_wheels),
        cmocka_unit_test(machines_are_told_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
