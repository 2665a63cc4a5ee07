/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "doc/json.h"
#include "doc/yaml.h"
#include "host/deploy.h"
#include "model/embedded.h"
#include "catalog_fixture.h"

static const struct strs none = {0};
static const struct image_health no_health = {0};

static const struct facts usual = {.pytorch = STR_INIT("2.6.0"),
                                   .cuda = STR_INIT("12.4"),
                                   .cudnn = STR_INIT("9.1.0.70"),
                                   .driver_min = STR_INIT("525.60.13"),
                                   .archs = STR_INIT("8.0 8.6 9.0")};

static struct deploy_image image_of(const struct facts *f)
{
    return (struct deploy_image){.repository = STR("registry.example.org/team/py_torch.x"),
                                 .tag = STR("2.6.0-cuda12.4-cudnn9-runtime"),
                                 .architecture = STR("amd64"),
                                 .facts = f,
                                 .entrypoint = &none,
                                 .cmd = &none,
                                 .ports = &none,
                                 .volumes = &none,
                                 .health = &no_health};
}

/* What an image says is nobody's to trust. */
static void what_is_no_fact_is_refused(void **state)
{
    static const struct {
        size_t at;
        const char *text, *words;
    } cases[] = {
        {offsetof(struct facts, driver_min), "525.60.13\nrm", "oldest driver"},
        {offsetof(struct facts, driver_min), "525", "oldest driver"},
        {offsetof(struct facts, driver_min), "525.60.99999", "oldest driver"},
        {offsetof(struct facts, archs), "8.0\nkind: Pod", "architectures"},
        {offsetof(struct facts, archs), "8.0 $(id)", "architectures"},
        {offsetof(struct facts, archs), "8.0 99999.0", "architectures"},
        {offsetof(struct facts, pytorch), "2.6.0'; id #", "version of PyTorch"},
        {offsetof(struct facts, cuda), "12.4\n", "version of CUDA"},
        {offsetof(struct facts, cudnn), "9.1 ", "version of cuDNN"},
        {offsetof(struct facts, compat), "x", "driver that it brings"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct deploy d = {0};
        struct facts f = usual;
        struct deploy_image image = image_of(&f);

        *(struct str *)((char *)&f + cases[i].at) = str_of(cases[i].text);
        if (deploy_open(&d, &image, NULL, &catalog, &e) == 0)
            fail_msg("\"%s\" was taken", cases[i].text);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, cases[i].words));
    }
}

static void gpus_are_asked_for_where_there_is_cuda(void **state)
{
    static const struct facts cpu = {.pytorch = STR_INIT("2.6.0")}, nothing = {0};
    static const struct {
        const struct facts *facts;
        int asked, gpus; /* asked -1: not; gpus: or -kind of the error */
    } cases[] = {
        {&usual, -1, 1},
        {&usual, 8, 8},
        {&usual, 0, 0},
        {&cpu, -1, 0},
        {&cpu, 0, 0},
        {&cpu, 1, -ERR_USAGE},
        {&nothing, 0, 0},
        {&nothing, -1, -ERR_INPUT},
        {&nothing, 1, -ERR_USAGE},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(deploy_clear) struct deploy d = {0};
        struct deploy_image image = image_of(cases[i].facts);
        uint32_t asked = (uint32_t)cases[i].asked;
        int result = deploy_open(&d, &image, cases[i].asked < 0 ? NULL : &asked, &catalog, &e);

        if ((result < 0 ? -(int)e.kind : (int)d.gpus) != cases[i].gpus)
            fail_msg("case %zu: %d, %u GPUs, %s", i, result, d.gpus, e.msg ? e.msg : "");
    }
}

static void what_nothing_runs_is_not_written(void **state)
{
    CLEANUP(err_clear) struct err e = {0};
    struct deploy d = {0};
    struct facts f = usual;
    struct deploy_image image = image_of(&f);

    f.archs = STR("3.5"); /* whose last driver is older than the oldest for CUDA 12 */
    assert_int_equal(deploy_open(&d, &image, NULL, &catalog, &e), -1);
    assert_int_equal(e.kind, ERR_UNSAT);
}

static void print(struct buf *out, const struct deploy_image *image,
                  void (*how)(struct buf *, const struct deploy *))
{
    CLEANUP(deploy_clear) struct deploy d = {0};
    struct err e = {0};

    assert_int_equal(deploy_open(&d, image, NULL, &catalog, &e), 0);
    how(out, &d);
}

static struct str text_at(const struct doc *doc, const char *path)
{
    const struct node *n = doc->root;
    struct str rest = str_of(path), key;

    while (str_item(&rest, '/', &key))
        n = n && n->kind == NODE_LIST ? n->child : node_get_str(n, key);
    return n ? n->text : (struct str){0};
}

static void names_are_labels_and_images_have_digests(void **state)
{
    static const char *const where = "registry.example.org/team/py_torch.x@sha256:"
                                     "00000000000000000000000000000000"
                                     "00000000000000000000000000000000";
    CLEANUP(doc_clear) struct doc job = {0};
    CLEANUP(doc_clear) struct doc compose = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct deploy_image image = image_of(&usual);
    struct err e = {0};

    print(&text, &image, deploy_k8s);
    assert_int_equal(yaml_parse(&job, buf_view(&text), "job", &e), 0);
    assert_true(str_is(text_at(&job, "metadata/name"), "py-torch-x"));
    assert_true(str_is(text_at(&job, "spec/template/spec/containers/0/image"), where));
    buf_reset(&text);
    print(&text, &image, deploy_compose);
    assert_int_equal(yaml_parse(&compose, buf_view(&text), "compose", &e), 0);
    assert_true(str_is(text_at(&compose, "services/py-torch-x/image"), where));
}

/* ${localEnv:TOKEN} would be filled in by whoever reads the file, a comma begins an option. */
static void a_devcontainer_takes_plain_words_only(void **state)
{
    static const struct {
        const char *user, *workdir, *want_user, *want_folder;
    } cases[] = {
        {"1000:1000", "/workspace", "1000", "/workspace/${localWorkspaceFolderBasename}"},
        {"student", "/srv//x/", "student", "/srv/x/${localWorkspaceFolderBasename}"},
        {"", "", "", ""},
        {"", "/", "", ""},
        {"${localEnv:TOKEN}", "/${localEnv:TOKEN}", "", ""},
        {"a b", "/x,readonly", "", ""},
        {"a/b", "x", "", ""},
        {"", "/../..", "", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        struct deploy_image image = image_of(&usual);
        struct err e = {0};

        image.user = str_of(cases[i].user);
        image.workdir = str_of(cases[i].workdir);
        print(&text, &image, deploy_devcontainer);
        assert_int_equal(json_parse(&doc, buf_view(&text), UINT64_MAX, "devcontainer", &e), 0);
        if (!str_is(text_at(&doc, "remoteUser"), cases[i].want_user) ||
            !str_is(text_at(&doc, "workspaceFolder"), cases[i].want_folder))
            fail_msg("case %zu: %s", i, text.p);
    }
}

/* A tag is a comment alone, and one that is none is left out. */
static void a_tag_cannot_end_its_comment(void **state)
{
    static void (*const how[])(struct buf *, const struct deploy *) = {
        deploy_k8s, deploy_compose, deploy_slurm, deploy_devcontainer};

    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct deploy_image image = image_of(&usual);

        image.tag = STR("x\nevil");
        print(&text, &image, how[i]);
        assert_null(strstr(text.p, "evil"));
    }
}

/* The image's own command stays, unless it would do nothing where nobody types. */
static void only_an_idle_image_is_told_what_to_do(void **state)
{
    static const struct {
        const char *cmd[2];
        bool told;
    } cases[] = {
        {{NULL}, true},           {{"/bin/bash"}, true},   {{"python3"}, true},
        {{"bash", "run"}, false}, {{"/usr/bin/x"}, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct deploy_image image = image_of(&usual);
        struct strs cmd = {0};

        for (size_t k = 0; k < 2 && cases[i].cmd[k]; k++)
            vec_add(&cmd, str_of(cases[i].cmd[k]));
        image.cmd = &cmd;
        print(&text, &image, deploy_k8s);
        assert_int_equal(strstr(text.p, "args:") != NULL, cases[i].told);
        vec_clear(&cmd);
    }
}

/* What an image says of its ports and volumes is nobody's to trust either. */
static void what_is_no_port_or_volume_is_left_out(void **state)
{
    static const char *const said_ports[] = {"8888/tcp", "80-90/tcp", "8888", "53/udp", "x\n- 1"};
    static const char *const said_volumes[] = {
        "/data", "/a,readonly", "/${localEnv:TOKEN}", "/proc/x", "/",      "/data/",
        "/shm",  "/Srv/x.y",    "/srv/x-y",           "rel",     "/a\n- b"};
    CLEANUP(deploy_clear) struct deploy d = {0};
    struct deploy_image image = image_of(&usual);
    struct strs ports = {0}, volumes = {0};
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(said_ports); i++)
        vec_add(&ports, str_of(said_ports[i]));
    for (size_t i = 0; i < ARRAY_LEN(said_volumes); i++)
        vec_add(&volumes, str_of(said_volumes[i]));
    image.ports = &ports;
    image.volumes = &volumes;
    assert_int_equal(deploy_open(&d, &image, NULL, &catalog, &e), 0);
    assert_int_equal(d.ports.n, 2);
    assert_int_equal(d.ports.v[0].number, 53);
    assert_int_equal(d.ports.v[1].number, 8888);
    assert_int_equal(d.volumes.n, 4);
    assert_string_equal(d.volumes.v[0].path, "/Srv/x.y");
    assert_string_equal(d.volumes.v[0].name, "srv-x-y");
    assert_string_equal(d.volumes.v[1].path, "/data");
    assert_string_equal(d.volumes.v[1].name, "data");
    assert_string_equal(d.volumes.v[2].path, "/shm"); /* a Job has a volume of that name */
    assert_string_equal(d.volumes.v[2].name, "shm-2");
    assert_string_equal(d.volumes.v[3].path, "/srv/x-y");
    assert_string_equal(d.volumes.v[3].name, "srv-x-y-2");
    vec_clear(&ports);
    vec_clear(&volumes);
}

static const struct node *at(const struct doc *doc, const char *path)
{
    const struct node *n = doc->root;
    struct str rest = str_of(path), key;

    while (str_item(&rest, '/', &key))
        n = n && n->kind == NODE_LIST ? n->child : node_get_str(n, key);
    assert_non_null(n);
    return n;
}

static void a_check_is_said_in_each_ones_words(void **state)
{
    CLEANUP(doc_clear) struct doc job = {0}, compose = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct deploy_image image = image_of(&usual);
    struct image_health health = {.interval = 20, .start_period = 50, .retries = 2};
    struct err e = {0};

    vec_add(&health.command, STR("sh"));
    vec_add(&health.command, STR("a\": $HOME #\n"));
    image.health = &health;
    print(&text, &image, deploy_k8s);
    assert_int_equal(yaml_parse(&job, buf_view(&text), "job", &e), 0);
#define BOX "spec/template/spec/containers/0/"
    assert_true(str_is(at(&job, BOX "livenessProbe/exec/command")->last->text, "a\": $HOME #\n"));
    assert_true(str_is(text_at(&job, BOX "readinessProbe/timeoutSeconds"), "30"));
    assert_true(str_is(text_at(&job, BOX "startupProbe/failureThreshold"), "5"));
    buf_reset(&text);
    print(&text, &image, deploy_compose);
    assert_int_equal(yaml_parse(&compose, buf_view(&text), "compose", &e), 0);
#define CHECK "services/py-torch-x/healthcheck/"
    assert_true(str_is(at(&compose, CHECK "test")->last->text, "a\": $$HOME #\n"));
    assert_true(str_is(text_at(&compose, CHECK "interval"), "20s"));
    assert_null(text_at(&compose, CHECK "timeout").p);
    vec_clear(&health.command);
}

/* Each seat has a part of the GPUs, no GPU is left over, and some share where they are too few. */
static void seats_share_what_there_is(void **state)
{
    for (uint32_t gpus = 1; gpus < 20; gpus++)
        for (size_t n = 1; n < 20; n++) {
            struct strs tokens = {.n = n};
            struct deploy_seats seats = {.tokens = &tokens};
            struct deploy d = {.gpus = gpus, .seats = &seats};
            uint32_t least = UINT32_MAX, most = 0, from, to, last = 0;

            for (size_t i = 0; i < n; i++) {
                deploy_seat_gpus(&d, i, &from, &to);
                if (to <= from || to > gpus || from > last || from + 1 < last)
                    fail_msg("%u GPUs, %zu seats: seat %zu has %u..%u", gpus, n, i, from, to);
                least = to - from < least ? to - from : least;
                most = to - from > most ? to - from : most;
                last = to;
            }
            if (last != gpus || most > least + 1)
                fail_msg("%u GPUs, %zu seats: %u to %u each, up to %u", gpus, n, least, most, last);
        }
}

static const char *const watch_files[] = {"counters.csv",    "prometheus.yml", "alerts.yml",
                                          "datasources.yml", "dashboards.yml", "dashboard.json"};

static struct str watch_file(const char *name)
{
    CLEANUP(buf_clear) struct buf own = {0};
    struct str text = {0};

    buf_fmt(&own, "host-watch-%s", name);
    assert_true(embedded_get(&text, buf_view(&own)));
    return text;
}

static void watched(struct buf *out, void (*how)(struct buf *, const struct deploy *))
{
    CLEANUP(deploy_clear) struct deploy d = {0};
    struct deploy_image image = image_of(&usual);
    struct err e = {0};

    assert_int_equal(deploy_open(&d, &image, NULL, &catalog, &e), 0);
    assert_int_equal(deploy_watch(&d, &e), 0);
    how(out, &d);
}

/* Compose's $$ is a dollar. */
static void undollar(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        buf_putc(out, text.p[i]);
        i += text.p[i] == '$' && i + 1 < text.len && text.p[i + 1] == '$';
    }
}

static void files_arrive_as_they_are(void **state)
{
    CLEANUP(doc_clear) struct doc compose = {0};
    CLEANUP(buf_clear) struct buf text = {0}, k8s = {0};
    struct str rest, one;
    struct err e = {0};
    size_t documents = 0, maps = 0;

    watched(&text, deploy_compose);
    assert_int_equal(yaml_parse(&compose, buf_view(&text), "compose", &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(watch_files); i++) {
        CLEANUP(buf_clear) struct buf got = {0};
        const struct node *config =
            node_get_str(node_get(compose.root, "configs"), str_of(watch_files[i]));

        assert_non_null(config);
        undollar(&got, node_get(config, "content")->text);
        assert_true(str_starts(buf_view(&got), watch_file(watch_files[i])));
    }
    watched(&k8s, deploy_k8s);
    rest = buf_view(&k8s);
    for (bool more = true; more; documents++) {
        CLEANUP(doc_clear) struct doc doc = {0};

        more = str_cut(&rest, STR("\n---\n"), &one);
        assert_int_equal(yaml_parse(&doc, more ? one : rest, "k8s", &e), 0);
        if (!str_is(text_at(&doc, "kind"), "ConfigMap"))
            continue;
        maps++;
        for (size_t i = 0; i < ARRAY_LEN(watch_files); i++)
            assert_true(
                str_eq(node_get_str(node_get(doc.root, "data"), str_of(watch_files[i]))->text,
                       watch_file(watch_files[i])));
    }
    assert_int_equal(documents, 8);
    assert_int_equal(maps, 1);
}

static void what_asks_for_no_gpu_is_not_watched(void **state)
{
    CLEANUP(deploy_clear) struct deploy d = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct deploy_image image = image_of(&usual);
    uint32_t no_gpu = 0;

    assert_int_equal(deploy_open(&d, &image, &no_gpu, &catalog, &e), 0);
    assert_int_equal(deploy_watch(&d, &e), -1);
    assert_int_equal(e.kind, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_fact_is_refused),
        cmocka_unit_test(gpus_are_asked_for_where_there_is_cuda),
        cmocka_unit_test(what_nothing_runs_is_not_written),
        cmocka_unit_test(names_are_labels_and_images_have_digests),
        cmocka_unit_test(a_devcontainer_takes_plain_words_only),
        cmocka_unit_test(a_tag_cannot_end_its_comment),
        cmocka_unit_test(only_an_idle_image_is_told_what_to_do),
        cmocka_unit_test(what_is_no_port_or_volume_is_left_out),
        cmocka_unit_test(a_check_is_said_in_each_ones_words),
        cmocka_unit_test(seats_share_what_there_is),
        cmocka_unit_test(files_arrive_as_they_are),
        cmocka_unit_test(what_asks_for_no_gpu_is_not_watched),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
