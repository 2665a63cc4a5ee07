/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oci/image.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define D0 "sha256:" ZEROS
#define D1 "sha256:" ONES

static const char golden_config[] =
    "{\"created\":\"2023-11-14T22:13:20Z\",\"author\":\"a\",\"architecture\":\"amd64\",\"os\":"
    "\"linux\","
    "\"config\":{\"User\":\"1000:100\",\"ExposedPorts\":{\"22/tcp\":{},\"8888/tcp\":{}},"
    "\"Env\":[\"B=2\",\"A=1\"],\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Cmd\":[\"echo \\\"\\u0001é\"],"
    "\"Volumes\":{\"/d\":{}},\"WorkingDir\":\"/workspace\",\"Labels\":{\"a\":\"1\",\"b\":\"2\"},"
    "\"StopSignal\":\"SIGINT\",\"Healthcheck\":{\"Test\":[\"CMD\",\"curl\",\"\"],\"Interval\":"
    "3000000000,\"Retries\":2}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]},"
    "\"history\":[{\"created\":\"1970-01-01T00:00:00Z\",\"created_by\":\"x\",\"author\":\"w\","
    "\"comment\":\"c\"},"
    "{\"empty_layer\":true}]}";

static const char golden_manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_MANIFEST
    "\",\"config\":{\"mediaType\":\"" MEDIA_CONFIG "\",\"digest\":\"" D1
    "\",\"size\":5},\"layers\":[{\"mediaType\":\"" MEDIA_LAYER_GZIP "\",\"digest\":\"" D1
    "\",\"size\":9223372036854775807,\"annotations\":{\"k\":\"v\"}}],"
    "\"annotations\":{\"a\":\"1\",\"b\":\"2\"}}";

static const char golden_index[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
    "\",\"manifests\":[{\"mediaType\":\"" MEDIA_MANIFEST "\",\"digest\":\"" D1
    "\",\"size\":7,\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\","
    "\"variant\":\"v8\"}}]}";

static void fill_config(struct image_config *c)
{
    struct digest ones;

    assert_true(digest_from_text(&ones, STR(D1)));
    c->platform = (struct platform){STR("linux"), STR("amd64"), {0}};
    c->dated = true;
    c->created = 1700000000;
    c->author = STR("a");
    c->user = STR("1000:100");
    c->workdir = STR("/workspace");
    c->stop_signal = STR("SIGINT");
    vec_add(&c->env, STR("B=2"));
    vec_add(&c->env, STR("A=1"));
    vec_add(&c->entrypoint, STR("/bin/sh"));
    vec_add(&c->entrypoint, STR("-c"));
    vec_add(&c->cmd, STR("echo \"\001\303\251"));
    vec_add(&c->ports, STR("8888/tcp")); /* not in order, and one twice */
    vec_add(&c->ports, STR("22/tcp"));
    vec_add(&c->ports, STR("22/tcp"));
    vec_add(&c->volumes, STR("/d"));
    vec_add(&c->health.command, STR("curl"));
    vec_add(&c->health.command, STR(""));
    c->health.interval = 3;
    c->health.retries = 2;
    pairs_add(&c->labels, STR("b"), STR("1"));
    pairs_add(&c->labels, STR("a"), STR("1"));
    pairs_add(&c->labels, STR("b"), STR("2")); /* replaces */
    vec_add(&c->diff_ids, ones);
    vec_add(&c->history, ((struct image_history){true, 0, STR("w"), STR("x"), STR("c"), false}));
    vec_add(&c->history, ((struct image_history){.empty_layer = true}));
}

static void config_is_written_in_one_way(void **state)
{
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    fill_config(&config);
    image_config_write(&config, &json);
    assert_string_equal(json.p, golden_config);
}

static void config_reads_back_the_same(void **state)
{
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    assert_int_equal(image_config_parse(&config, str_of(golden_config), "c", &e), 0);
    image_config_write(&config, &json);
    assert_string_equal(json.p, golden_config);
}

static void manifest_and_index_read_back_the_same(void **state)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(image_index_clear) struct image_index x = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    assert_int_equal(image_manifest_parse(&m, str_of(golden_manifest), MEDIA_MANIFEST, "m", &e), 0);
    assert_int_equal(m.layers.n, 1);
    assert_int_equal(m.layers.v[0].size, INT64_MAX);
    image_manifest_write(&m, &json);
    assert_string_equal(json.p, golden_manifest);
    buf_reset(&json);
    assert_int_equal(image_index_parse(&x, str_of(golden_index), NULL, "x", &e), 0);
    image_index_write(&x, &json);
    assert_string_equal(json.p, golden_index);
}

static void nulls_and_unknown_members_are_as_if_absent(void **state)
{
    static const char json[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"new\":[1],\"author\":null,\"history\":null,"
        "\"config\":{\"Env\":null,\"Cmd\":null,\"Labels\":null,\"Volumes\":null,\"ArgsEscaped\":"
        "true},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(image_config_parse(&config, str_of(json), "c", &e), 0);
    assert_int_equal(config.env.n, 0);
    assert_false(config.dated);
}

#define CONFIG(settings, rest) \
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{" settings "}," rest "}"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}"

/* What Docker writes there; times are rounded up to seconds, and what is none is Docker's own. */
static void health_checks_are_read_as_docker_has_them(void **state)
{
    static const struct {
        const char *json;
        unsigned words;
        const char *last;
        uint32_t interval, timeout, start_period, retries;
    } cases[] = {
        {"null", 0, "", 0, 0, 0, 0},
        {"{}", 0, "", 0, 0, 0, 0},
        {"{\"Test\":[]}", 0, "", 0, 0, 0, 0},
        {"{\"Test\":[\"NONE\"],\"Interval\":1}", 0, "", 0, 0, 0, 0},
        {"{\"Test\":[\"CMD\"]}", 0, "", 0, 0, 0, 0},
        {"{\"Test\":[\"CMD\",\"a\",\"b\"]}", 2, "b", 0, 0, 0, 0},
        {"{\"Test\":[\"CMD-SHELL\",\"a | b\"]}", 3, "a | b", 0, 0, 0, 0},
        {"{\"Test\":[\"CMD\",\"a\"],\"Interval\":1,\"Timeout\":1000000000,\"StartPeriod\":"
         "1000000001,\"Retries\":7}",
         1, "a", 1, 1, 2, 7},
        {"{\"Test\":[\"CMD\",\"a\"],\"Interval\":-1,\"Timeout\":\"x\",\"StartPeriod\":"
         "99999999999999999999,\"Retries\":-1}",
         1, "a", 0, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(image_config_clear) struct image_config c = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf json = {0};
        const struct image_health *h = &c.health;

        buf_fmt(&json, CONFIG("\"Healthcheck\":%s", ROOTFS), cases[i].json);
        if (image_config_parse(&c, buf_view(&json), "c", &e) < 0)
            fail_msg("%s: %s", cases[i].json, e.msg);
        assert_int_equal(h->command.n, cases[i].words);
        assert_true(!h->command.n || str_is(h->command.v[h->command.n - 1], cases[i].last));
        assert_int_equal(h->interval, cases[i].interval);
        assert_int_equal(h->timeout, cases[i].timeout);
        assert_int_equal(h->start_period, cases[i].start_period);
        assert_int_equal(h->retries, cases[i].retries);
    }
}

static void ports_are_a_number_and_a_protocol(void **state)
{
    static const struct {
        const char *text, *protocol; /* NULL: it is none */
        uint32_t number;
    } cases[] = {{"8888", "tcp", 8888}, {"53/udp", "udp", 53}, {"65535/sctp", "sctp", 65535},
                 {"0", NULL, 0},        {"65536", NULL, 0},    {"80-90/tcp", NULL, 0},
                 {"80/", NULL, 0},      {"/tcp", NULL, 0},     {"80/TCP", NULL, 0},
                 {"", NULL, 0},         {"8080:80", NULL, 0},  {" 80", NULL, 0}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_port port;

        assert_int_equal(image_port_parse(&port, str_of(cases[i].text)), cases[i].protocol != NULL);
        if (!cases[i].protocol)
            continue;
        assert_string_equal(port.protocol, cases[i].protocol);
        assert_int_equal(port.number, cases[i].number);
    }
}

static void hostile_configs_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "a list"},
        {CONFIG("\"Healthcheck\":[]", ROOTFS), "Healthcheck is a list where a map belongs"},
        {CONFIG("\"Healthcheck\":{\"Test\":\"x\"}", ROOTFS), "Test"},
        {"{", ""},
        {"{\"os\":\"linux\"," ROOTFS "}", "no architecture"},
        {"{\"architecture\":\"amd64\"," ROOTFS "}", "no os"},
        {"{\"os\":\"linux\",\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS "}", "os"},
        {CONFIG("", "\"x\":1"), "no rootfs"},
        {CONFIG("", "\"rootfs\":{\"type\":\"tree\",\"diff_ids\":[]}"), "layers"},
        {CONFIG("", "\"rootfs\":{\"type\":\"layers\"}"), "diff_ids"},
        {CONFIG("", "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../../etc\"]}"), "etc"},
        {CONFIG("", "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}"), "diff_ids"},
        {CONFIG("\"User\":\"2147483648\"", ROOTFS), "2147483648"},
        {CONFIG("\"User\":\"0:99999999999999999999999\"", ROOTFS), "over"},
        {CONFIG("\"User\":7", ROOTFS), "User"},
        {CONFIG("\"WorkingDir\":\"work\"", ROOTFS), "absolute"},
        {CONFIG("\"WorkingDir\":\"/proc/self/fd/8\"", ROOTFS), "/proc"},
        {CONFIG("\"Env\":[1]", ROOTFS), "Env"},
        {CONFIG("\"Env\":{}", ROOTFS), "Env"},
        {CONFIG("\"ExposedPorts\":[\"1\"]", ROOTFS), "ExposedPorts"},
        {CONFIG("\"Labels\":{\"a\":1}", ROOTFS), "\"a\""},
        {CONFIG("", ROOTFS ",\"created\":\"yesterday\""), "yesterday"},
        {CONFIG("", ROOTFS ",\"history\":[]"), NULL}, /* an empty history says nothing: fine */
        {CONFIG("", ROOTFS ",\"history\":[{\"empty_layer\":1}]"), "empty_layer"},
        {CONFIG("\"User\":\"2147483647\"", ROOTFS), NULL},
        {CONFIG("\"WorkingDir\":\"/process\"", ROOTFS), NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(image_config_clear) struct image_config c = {0};
        CLEANUP(err_clear) struct err e = {0};
        int rc = image_config_parse(&c, str_of(cases[i][0]), "config", &e);

        if (rc != (cases[i][1] ? -1 : 0))
            fail_msg("%s gave %d %s", cases[i][0], rc, e.msg ? e.msg : "");
        if (cases[i][1] && !strstr(e.msg, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
        if (cases[i][1])
            assert_int_equal(e.kind, ERR_INPUT);
    }
}

/* It is told as if there were none, rather than of the wrong layers. */
static void a_history_that_does_not_fit_is_left_out(void **state)
{
    static const struct {
        const char *history;
        size_t n;
    } cases[] = {
        {"[{\"empty_layer\":true}]", 0},    {"[{},{}]", 0}, {"[]", 0}, {"[{}]", 1},
        {"[{\"empty_layer\":true},{}]", 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(image_config_clear) struct image_config c = {0};
        CLEANUP(buf_clear) struct buf json = {0};
        CLEANUP(err_clear) struct err e = {0};

        buf_fmt(&json, "%.*s,\"history\":%s}", (int)sizeof CONFIG("", ROOTFS) - 2,
                CONFIG("", ROOTFS), cases[i].history);
        if (image_config_parse(&c, buf_view(&json), "config", &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(c.history.n, cases[i].n);
    }
}

#define DESC(digest, size) "{\"mediaType\":\"a/b\",\"digest\":\"" digest "\",\"size\":" size "}"
#define MANIFEST(config, layers) \
    "{\"schemaVersion\":2,\"config\":" config ",\"layers\":[" layers "]}"

static void hostile_manifests_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {MANIFEST(DESC(D1, "1"), DESC(D0, "0")), NULL},
        {"{\"schemaVersion\":1,\"config\":" DESC(D1, "1") ",\"layers\":[]}", "schemaVersion"},
        {"{\"config\":" DESC(D1, "1") ",\"layers\":[]}", "schemaVersion"},
        {"{\"schemaVersion\":2,\"layers\":[]}", "no config"},
        {"{\"schemaVersion\":2,\"config\":" DESC(D1, "1") "}", "layers"},
        {"{\"schemaVersion\":2,\"config\":" DESC(D1, "1") ",\"layers\":[],\"manifests\":[]}",
         "at once"},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
         "\",\"config\":" DESC(D1, "1") ",\"layers\":[]}",
         "mediaType"},
        {MANIFEST(DESC("sha256:../../../etc/passwd", "1"), ""), "passwd"},
        {MANIFEST(DESC("sha512:" ONES ONES, "1"), ""), "sha512"},
        {MANIFEST(DESC("SHA256:" ONES, "1"), ""), "SHA256"},
        {MANIFEST(DESC(D1, "-1"), ""), "-1"},
        {MANIFEST(DESC(D1, "1.5"), ""), "1.5"},
        {MANIFEST(DESC(D1, "9223372036854775808"), ""), "9223372036854775808"},
        {MANIFEST(DESC(D1, "\"1\""), ""), "size"},
        {MANIFEST("{\"mediaType\":\"ab\",\"digest\":\"" D1 "\",\"size\":1}", ""), "\"ab\""},
        {MANIFEST("{\"digest\":\"" D1 "\",\"size\":1}", ""), "media type"},
        {MANIFEST("{\"mediaType\":\"a/b\",\"size\":1}", ""), "no digest"},
        {MANIFEST("{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\"}", ""), "no size"},
        {MANIFEST(DESC(D1, "1"), "7"), "layer"},
        {MANIFEST("[]", ""), "config"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(image_manifest_clear) struct image_manifest m = {0};
        CLEANUP(err_clear) struct err e = {0};
        int rc = image_manifest_parse(&m, str_of(cases[i][0]), NULL, "manifest", &e);

        if (rc != (cases[i][1] ? -1 : 0))
            fail_msg("%s gave %d %s", cases[i][0], rc, e.msg ? e.msg : "");
        if (cases[i][1] && !strstr(e.msg, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
    }
}

static void a_document_is_not_two_things(void **state)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(image_index_clear) struct image_index x = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(
        image_manifest_parse(&m, str_of(golden_manifest), MEDIA_DOCKER_MANIFEST, "m", &e), -1);
    assert_non_null(strstr(e.msg, MEDIA_DOCKER_MANIFEST));
    assert_int_equal(image_manifest_parse(&m, str_of(golden_index), NULL, "m", &e), -1);
    assert_int_equal(image_index_parse(&x, str_of(golden_manifest), NULL, "x", &e), -1);
    assert_int_equal(image_index_parse(&x, str_of(golden_index), MEDIA_DOCKER_LIST, "x", &e), -1);
    assert_true(image_is_index(str_of(golden_index)));
    assert_false(image_is_index(str_of(golden_manifest)));
}

static void documents_end_at_four_mebibytes(void **state)
{
    static const int64_t over[] = {-1, 0, 1};

    for (size_t i = 0; i < ARRAY_LEN(over); i++) {
        CLEANUP(image_index_clear) struct image_index x = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf json = {0};
        size_t want = (size_t)(IMAGE_DOC_MAX + over[i]);

        buf_puts(&json, golden_index);
        while (json.len < want)
            buf_putc(&json, ' ');
        assert_int_equal(image_index_parse(&x, buf_view(&json), NULL, "x", &e),
                         over[i] > 0 ? -1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_is_written_in_one_way),
        cmocka_unit_test(config_reads_back_the_same),
        cmocka_unit_test(manifest_and_index_read_back_the_same),
        cmocka_unit_test(nulls_and_unknown_members_are_as_if_absent),
        cmocka_unit_test(health_checks_are_read_as_docker_has_them),
        cmocka_unit_test(ports_are_a_number_and_a_protocol),
        cmocka_unit_test(hostile_configs_are_refused),
        cmocka_unit_test(a_history_that_does_not_fit_is_left_out),
        cmocka_unit_test(hostile_manifests_are_refused),
        cmocka_unit_test(a_document_is_not_two_things),
        cmocka_unit_test(documents_end_at_four_mebibytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
