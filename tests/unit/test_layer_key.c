/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "assemble/layer/layer_key.h"

enum { BASE, TOOLS, TORCH, FILES, LAYERS };

/* A lock of two system layers, one of wheels, and the recipe's files. */
struct world {
    struct lock lock;
    struct artifact artifacts[4]; /* two debs, two wheels */
    size_t base[1], tools[1], torch[2];
    struct lock_layer layers[LAYERS];
    struct lock_file file[1];
    struct lock_copy copy[1];
    struct slim_count slim[1];
};

#define LIST(list, from) ((list).v = (from), (list).n = (list).cap = ARRAY_LEN(from))

static void make(struct world *w)
{
    struct lock *l = &w->lock;

    *w = (struct world){
        .artifacts = {{.eco = ECO_DEB, .name = STR("base-files"), .digest = {{1}}},
                      {.eco = ECO_DEB, .name = STR("git"), .digest = {{2}}},
                      {.eco = ECO_WHEEL, .name = STR("nvidia-nccl-cu12"), .digest = {{3}}},
                      {.eco = ECO_WHEEL, .name = STR("torch"), .digest = {{4}}}},
        .base = {0},
        .tools = {1},
        .torch = {2, 3},
        .layers = {{.name = STR("base"), .kind = LOCK_SYSTEM, .group = LOCK_BASE},
                   {.name = STR("apt"), .kind = LOCK_SYSTEM, .group = LOCK_APT},
                   {.name = STR("torch"), .kind = LOCK_WHEELS},
                   {.name = STR("files"), .kind = LOCK_FILES}},
        .file = {{.path = STR("a.py"), .size = 5, .digest = {{5}}}},
        .copy = {{.from = STR("src"), .to = STR("/w/"), .uid = 1000, .gid = 1000}},
    };
    LIST(w->layers[BASE].artifacts, w->base);
    LIST(w->layers[TOOLS].artifacts, w->tools);
    LIST(w->layers[TORCH].artifacts, w->torch);
    LIST(w->copy[0].files, w->file);
    LIST(l->artifacts, w->artifacts);
    LIST(l->layers, w->layers);
    LIST(l->copies, w->copy);
    l->format = 1;
    l->arch = STR("amd64");
    l->python = STR("3.11");
    l->python_full = STR("3.11.2");
    l->apt_sources = STR("Types: deb\n");
    l->apt_sources_path = STR(LOCK_SOURCES_PATH);
    l->created = 1700000000;
    l->workdir = STR("/w");
}

/* ---- changes, and whose bytes hang on them ---- */

static void format(struct world *w)
{
    w->lock.format++;
}

static void base_deb(struct world *w)
{
    w->artifacts[0].digest.bytes[31] ^= 1;
}

static void apt_deb(struct world *w)
{
    w->artifacts[1].digest.bytes[31] ^= 1;
}

static void wheel(struct world *w)
{
    w->artifacts[3].digest.bytes[31] ^= 1;
}

static void order_of_wheels(struct world *w)
{
    w->torch[0] = 3;
    w->torch[1] = 2;
}

static void requested(struct world *w)
{
    w->artifacts[3].requested = true;
}

static void python_patch(struct world *w)
{
    w->lock.python_full = STR("3.11.4");
}

static void python(struct world *w)
{
    w->lock.python = STR("3.12");
}

static void architecture(struct world *w)
{
    w->lock.arch = STR("arm64");
}

static void apt_sources(struct world *w)
{
    w->lock.apt_sources = STR("Types: deb\nTrusted: yes\n");
}

static void apt_sources_path(struct world *w)
{
    w->lock.apt_sources_path = STR("/etc/apt/sources.list");
}

static void file_digest(struct world *w)
{
    w->file[0].digest.bytes[0] ^= 1;
}

static void file_mode(struct world *w)
{
    w->file[0].executable = true;
}

static void file_link(struct world *w)
{
    w->file[0].link = STR("b.py");
}

static void file_owner(struct world *w)
{
    w->copy[0].uid = 0;
}

static void file_place(struct world *w)
{
    w->copy[0].to = STR("/x/");
}

static void user(struct world *w)
{
    w->lock.user = (struct lock_user){STR("student"), 1000, 1000};
}

static void workdir(struct world *w)
{
    w->lock.workdir = STR("/x");
}

static void date(struct world *w)
{
    w->lock.created++;
}

static void slim(struct world *w)
{
    w->slim[0].rule = NULL;
    for (size_t i = 0; !w->slim[0].rule && slim_rule_at(i); i++)
        if (slim_concerns(slim_rule_at(i), STR("torch")))
            w->slim[0].rule = slim_rule_at(i);
    assert_non_null(w->slim[0].rule);
    LIST(w->lock.slim, w->slim);
}

static void name_of_wheels(struct world *w)
{
    w->layers[TORCH].name = STR("python");
}

static void what_a_build_filled_in(struct world *w)
{
    for (size_t i = 0; i < LAYERS; i++) {
        w->layers[i].digest.bytes[0] = 9;
        w->layers[i].diff_id.bytes[0] = 9;
        w->layers[i].size = w->layers[i].unpacked = 9;
    }
    w->lock.built = true;
}

static void url(struct world *w)
{
    for (size_t i = 0; i < ARRAY_LEN(w->artifacts); i++)
        w->artifacts[i].url = STR("https://mirror/x");
}

static void settings(struct world *w)
{
    static struct str env[] = {STR_INIT("A=b")};

    LIST(w->lock.env, env);
    LIST(w->lock.cmd, env);
    w->lock.tag = STR("other");
}

static void a_key_names_what_decides_its_layers_bytes(void **state)
{
    /* The letters of the layers whose keys change: base, apt, wheels, files; and the whole system.
     */
    static const struct {
        const char *what;
        void (*change)(struct world *w);
        const char *keys;
    } cases[] = {
        {"format", format, "bawfs"},
        {"architecture", architecture, "bafs"},
        {"a deb of the base", base_deb, "bafs"}, /* what is above is a difference to it */
        {"a deb above", apt_deb, "afs"},
        {"the patch version of Python", python_patch, "bafs"},
        {"Python", python, "w"},
        {"apt's sources", apt_sources, "bafs"},
        {"their path", apt_sources_path, "bafs"},
        {"a wheel", wheel, "w"},
        {"the order of wheels", order_of_wheels, "w"},
        {"a wheel that was asked for", requested, "w"},
        {"what a slim image leaves out", slim, "w"},
        {"a file", file_digest, "f"},
        {"its mode", file_mode, "f"},
        {"its link", file_link, "f"},
        {"its owner", file_owner, "f"},
        {"its place", file_place, "f"},
        {"the user", user, "f"},
        {"the work folder", workdir, "f"},
        {"the date", date, "f"},
        {"the name of a layer of wheels", name_of_wheels, ""},
        {"what a build filled in", what_a_build_filled_in, ""},
        {"where artifacts come from", url, ""},
        {"the image's settings", settings, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf changed = {0};
        struct world before, after;

        make(&before);
        make(&after);
        cases[i].change(&after);
        for (size_t k = 0; k <= LAYERS; k++) {
            CLEANUP(buf_clear) struct buf a = {0}, b = {0};

            if (k < LAYERS) {
                layer_key(&a, &before.lock, k);
                layer_key(&b, &after.lock, k);
            } else {
                system_key(&a, &before.lock);
                system_key(&b, &after.lock);
            }
            assert_true(a.len);
            if (!str_eq(buf_view(&a), buf_view(&b)))
                buf_putc(&changed, "bawfs"[k]);
        }
        if (!str_is(buf_view(&changed), cases[i].keys))
            fail_msg("%s changes the keys \"%s\", not \"%s\"", cases[i].what,
                     changed.p ? changed.p : "", cases[i].keys);
    }
}

/* Python and what it stands on, and the wheels below. */
static void bytecode_hangs_on_python_and_wheels(void **state)
{
    static const struct {
        void (*change)(struct world *w);
        bool is;
    } cases[] = {
        {format, true},
        {architecture, true},
        {base_deb, true},
        {apt_deb, true},
        {wheel, true},
        {order_of_wheels, true},
        {slim, true},
        {python_patch, true},
        {python, true},
        {user, false},
        {what_a_build_filled_in, false},
        {workdir, false},
        {date, false},
        {url, false},
        {settings, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf a = {0}, b = {0};
        struct world w;

        make(&w);
        w.layers[TOOLS].group = LOCK_PYTHON;
        w.layers[TOOLS].name = STR("python");
        w.layers[FILES] = (struct lock_layer){.name = STR("bytecode"), .kind = LOCK_BYTECODE};
        layer_key(&a, &w.lock, FILES);
        cases[i].change(&w);
        layer_key(&b, &w.lock, FILES);
        if (str_eq(buf_view(&a), buf_view(&b)) == cases[i].is)
            fail_msg("change %zu", i);
    }
}

/* Of two layers of bytecode each hangs on the wheels between it and the one below. */
static void bytecode_hangs_on_its_own_wheels(void **state)
{
    for (size_t wheel = 2; wheel < 4; wheel++) {
        struct buf keys[2][2] = {{{0}, {0}}, {{0}, {0}}};
        struct world w;

        make(&w);
        for (size_t i = 0; i < 2; i++) {
            w.layers[2 * i] = (struct lock_layer){.name = STR("w"), .kind = LOCK_WHEELS};
            w.layers[2 * i].artifacts.v = &w.torch[i];
            w.layers[2 * i].artifacts.n = w.layers[2 * i].artifacts.cap = 1;
            w.layers[2 * i + 1] = (struct lock_layer){.name = STR("b"), .kind = LOCK_BYTECODE};
        }
        for (size_t change = 0; change < 2; change++) {
            w.artifacts[wheel].digest.bytes[31] ^= (unsigned char)change;
            for (size_t i = 0; i < 2; i++)
                layer_key(&keys[i][change], &w.lock, 2 * i + 1);
        }
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(str_eq(buf_view(&keys[i][0]), buf_view(&keys[i][1])), i != wheel - 2);
            assert_int_equal(lock_bytecode_from(&w.lock, 2 * i + 1), 2 * i);
            buf_clear(&keys[i][0]);
            buf_clear(&keys[i][1]);
        }
    }
}

/* What was made for a lock of format 2 serves one of format 3: its wheels, not its system. */
static void format_3_writes_wheels_as_2(void **state)
{
    for (size_t i = 0; i < LAYERS; i++) {
        CLEANUP(buf_clear) struct buf a = {0}, b = {0};
        struct world w;

        make(&w);
        w.lock.format = 2;
        layer_key(&a, &w.lock, i);
        w.lock.format = 3;
        layer_key(&b, &w.lock, i);
        assert_int_equal(str_eq(buf_view(&a), buf_view(&b)), i == TORCH);
    }
}

static void a_state_hangs_on_the_order_of_the_system(void **state)
{
    for (int moved = 0; moved < 2; moved++) {
        struct buf groups[2] = {{0}, {0}}, states[2] = {{0}, {0}};

        for (int i = 0; i < 2; i++) {
            struct world w;
            struct lock_layer base;

            make(&w);
            w.lock.format = 3;
            w.layers[FILES] =
                (struct lock_layer){.name = STR("state"), .kind = LOCK_SYSTEM, .group = LOCK_STATE};
            base = w.layers[BASE];
            if (i && moved) {
                w.layers[BASE] = w.layers[TOOLS];
                w.layers[TOOLS] = base;
            }
            layer_key(&groups[i], &w.lock, i && moved ? BASE : TOOLS);
            layer_key(&states[i], &w.lock, FILES);
        }
        assert_true(str_eq(buf_view(&groups[0]), buf_view(&groups[1])));
        assert_int_equal(str_eq(buf_view(&states[0]), buf_view(&states[1])), !moved);
        for (int i = 0; i < 2; i++) {
            buf_clear(&groups[i]);
            buf_clear(&states[i]);
        }
    }
}

static void no_two_layers_have_one_key(void **state)
{
    struct buf keys[LAYERS + 1] = {0};
    struct world w;

    make(&w);
    for (size_t i = 0; i < LAYERS; i++)
        layer_key(&keys[i], &w.lock, i);
    system_key(&keys[LAYERS], &w.lock);
    for (size_t i = 0; i <= LAYERS; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(buf_view(&keys[i]), buf_view(&keys[k])));
    for (size_t i = 0; i <= LAYERS; i++)
        buf_clear(&keys[i]);
}

/* Texts of any length stand behind their lengths, so none can pretend to be the next line. */
static void texts_do_not_run_into_each_other(void **state)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};
    struct world w;

    make(&w);
    w.copy[0].from = STR("src 4 /w/x");
    w.copy[0].to = STR("/");
    layer_key(&a, &w.lock, FILES);
    w.copy[0].from = STR("src");
    w.copy[0].to = STR("/w/x 1 /");
    layer_key(&b, &w.lock, FILES);
    assert_false(str_eq(buf_view(&a), buf_view(&b)));
}

static void a_layer_of_the_base_image_has_none(void **state)
{
    CLEANUP(buf_clear) struct buf key = {0};
    struct world w;

    make(&w);
    w.layers[BASE].kind = LOCK_IMAGE;
    layer_key(&key, &w.lock, BASE);
    assert_int_equal(key.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_names_what_decides_its_layers_bytes),
        cmocka_unit_test(bytecode_hangs_on_python_and_wheels),
        cmocka_unit_test(bytecode_hangs_on_its_own_wheels),
        cmocka_unit_test(format_3_writes_wheels_as_2),
        cmocka_unit_test(a_state_hangs_on_the_order_of_the_system),
        cmocka_unit_test(no_two_layers_have_one_key),
        cmocka_unit_test(texts_do_not_run_into_each_other),
        cmocka_unit_test(a_layer_of_the_base_image_has_none),
    };
    return cmocka_run_group_tests_name("layer_key", tests, NULL, NULL);
}
