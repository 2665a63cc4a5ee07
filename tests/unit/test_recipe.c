/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/emit.h"
#include "doc/json.h"
#include "faults.h"
#include "model/recipe_form.h"

#define P "pytorch: 2.6.0\n"
#define DEFAULTS \
    "\"name\":\"pytorch\",\"pytorch\":\"2.6.0\",\"variant\":\"runtime\",\"base\":\"debian-12\","
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TAG "\"tag\":\"{pytorch}-cuda{cuda}-cudnn{cudnn}-{variant}\""

static void parse(struct recipe *r, const char *yaml)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf faults = {0};

    if (recipe_parse(r, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s: %s", yaml, faults_text(&faults, &e));
}

static void print(struct buf *out, const char *yaml)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(doc_clear) struct doc doc = {0};

    parse(&r, yaml);
    emit_json(out, recipe_to_node(&r, &doc), EMIT_COMPACT);
}

static void recipes_have_one_normal_form(void **state)
{
    static const char *const cases[][2] = {
        {P, "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\"," TAG "}"},
        {"tag: a\nbase: debian-12\nenvbuild: 1\nplatforms: [linux/amd64]\n" P,
         "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\",\"tag\":\"a\"}"},
        {P "labels: {a: 007, b: 1.10, c: true, d: x}\n", /* texts, whatever they look like */
         "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\",\"labels\":{\"a\":\"007\",\"b\":"
         "\"1.10\",\"c\":\"true\",\"d\":\"x\"}," TAG "}"},
        {"pytorch: none\nname: tools\n",
         "{\"envbuild\":1,\"name\":\"tools\",\"pytorch\":\"none\",\"cuda\":\"cpu\",\"variant\":"
         "\"runtime\","
         "\"base\":\"debian-12\",\"workdir\":\"/workspace\",\"tag\":\"python{python}-{variant}\"}"},
        {P "entrypoint: []\ncmd: [sh, \"\", 1]\n",
         "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\",\"entrypoint\":[],\"cmd\":[\"sh\","
         "\"\",\"1\"]," TAG "}"},
        {P "cmd: exec jupyter lab\n", /* a text is run by the shell */
         "{\"envbuild\":1," DEFAULTS
         "\"workdir\":\"/workspace\",\"cmd\":[\"/bin/sh\",\"-c\",\"exec "
         "jupyter lab\"]," TAG "}"},
        {P "startup_check: off\n", /* no truth value, as YAML 1.1 has it */
         "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\",\"startup_check\":\"off\"," TAG
         "}"},
        {P "compression: zstd:chunked\n",
         "{\"envbuild\":1," DEFAULTS
         "\"workdir\":\"/workspace\",\"compression\":\"zstd:chunked\"," TAG "}"},
        {P "compression: gzip,single\n",
         "{\"envbuild\":1," DEFAULTS
         "\"workdir\":\"/workspace\",\"compression\":\"gzip,single\"," TAG "}"},
        {P "compression: [zstd, \"gzip,single\"]\n", /* the first is for those that read no other */
         "{\"envbuild\":1,\"name\":\"pytorch\",\"pytorch\":\"2.6.0\",\"variant\":\"runtime\","
         "\"base\":\"debian-12\","
         "\"workdir\":\"/workspace\",\"compression\":[\"gzip,single\",\"zstd\"]," TAG "}"},
        {P "compression: gzip\n", /* what no word means */
         "{\"envbuild\":1," DEFAULTS "\"workdir\":\"/workspace\"," TAG "}"},
        {P "user: {name: student}\nworkdir: //home/./student/\n",
         "{\"envbuild\":1," DEFAULTS "\"user\":{\"name\":\"student\",\"uid\":1000,\"gid\":1000},"
         "\"workdir\":\"/home/student\"," TAG "}"},
        {P "user: {name: s, uid: 501}\nenv: {HF_HOME: /data, N: 1}\n",
         "{\"envbuild\":1," DEFAULTS "\"user\":{\"name\":\"s\",\"uid\":501,\"gid\":501},\"env\":["
         "\"HF_HOME=/data\",\"N=1\"],\"workdir\":\"/workspace\"," TAG "}"},
        {P "apt: [git/stable-backports, \"git=1:2.*\"]\napt_archives:\n- {uri: http://h/d, suites: "
           "[s], components: [main], keyring: k.asc}\n",
         "{\"envbuild\":1," DEFAULTS "\"apt\":[\"git/stable-backports\",\"git=1:2.*\"],\"apt_"
         "archives\":[{\"uri\":\"http://h/d\",\"suites\":[\"s\"],\"components\":[\"main\"],"
         "\"keyring\":\"k.asc\"}],\"workdir\":\"/workspace\"," TAG "}"},
        {P "apt: [git, \"less=590-2.1~deb12u2\", \"libc6:amd64\", g++]\npip: [\"numpy<2.3\", "
           "\"x[y]\"]\n",
         "{\"envbuild\":1," DEFAULTS "\"apt\":[\"git\",\"less=590-2.1~deb12u2\",\"libc6:amd64\","
         "\"g++\"],\"pip\":[\"numpy<2.3\",\"x[y]\"],\"workdir\":\"/workspace\"," TAG "}"},
        {P "pip: [{lock: a/pylock.dev.toml, groups: [g], extras: []}]\n",
         "{\"envbuild\":1,\"name\":\"pytorch\",\"pytorch\":\"2.6.0\",\"variant\":\"runtime\","
         "\"base\":\"debian-12\",\"pip\":[{\"lock\":\"a/pylock.dev.toml\",\"extras\":[],"
         "\"groups\":[\"g\"]}],\"workdir\":\"/workspace\"," TAG "}"},
        {P "pip: [a, {requirements: r.txt}]\nconstraints: [c.txt, \"b<2\"]\nfind_links: [w]\n"
           "indexes: [https://a.test/simple/, {url: https://b.test, name: b, only: [x, y]}]\n",
         "{\"envbuild\":1," DEFAULTS
         "\"pip\":[\"a\",{\"requirements\":\"r.txt\"}],\"constraints\":["
         "\"c.txt\",\"b<2\"],\"indexes\":[{\"url\":\"https://a.test/simple/\"},{\"url\":"
         "\"https://b.test\",\"name\":\"b\",\"only\":[\"x\",\"y\"]}],\"find_links\":[\"w\"],"
         "\"workdir\":\"/workspace\"," TAG "}"},
        {P "files: [{from: notebooks/, to: /workspace/, owner: student}]\n",
         "{\"envbuild\":1," DEFAULTS "\"files\":[{\"from\":\"notebooks/\",\"to\":\"/workspace/\","
         "\"owner\":\"student\"}],\"workdir\":\"/workspace\"," TAG "}"},
        {P "ports: [8888, \"8888/tcp\", 53/udp]\nvolumes: [/data/, //srv/./x]\nca_certificates: "
           "[a/c.pem]\nfolders: [/f]\n",
         "{\"envbuild\":1," DEFAULTS "\"ca_certificates\":[\"a/c.pem\"],\"folders\":[\"/f\"],"
         "\"volumes\":[\"/data\",\"/srv/x\"],\"ports\":[\"8888/tcp\",\"8888/tcp\",\"53/udp\"],"
         "\"workdir\":\"/workspace\"," TAG "}"},
        {P "healthcheck: {command: curl x, interval: 1h2m3s, timeout: 5, retries: 9, start_period: "
           "0s}\n", /* all times are seconds */
         "{\"envbuild\":1," DEFAULTS "\"healthcheck\":{\"command\":[\"/bin/sh\",\"-c\",\"curl x\"],"
         "\"interval\":3723,\"timeout\":5,\"retries\":9},\"workdir\":\"/workspace\"," TAG "}"},
        {P "user: {name: a}\nservices: {ssh: , jupyter: {notebooks: /opt/nb/, password_hash: "
           "\"argon2:$argon2id$v=19$m=10240,t=10,p=8$c2FsdHNhbHQ$aGFzaGhhc2g\"}}\n",
         "{\"envbuild\":1," DEFAULTS "\"user\":{\"name\":\"a\",\"uid\":1000,\"gid\":1000},"
         "\"workdir\":\"/workspace\",\"services\":{\"jupyter\":{\"port\":8888,\"notebooks\":"
         "\"/opt/"
         "nb\",\"password_hash\":\"argon2:$argon2id$v=19$m=10240,t=10,p=8$c2FsdHNhbHQ$"
         "aGFzaGhhc2g\"},\"ssh\":{\"port\":2222}}," TAG "}"},
        {P "user: {name: a}\nservices: {ssh: {port: 22222, authorized_keys: [k.pub, l.pub]}}\n",
         "{\"envbuild\":1," DEFAULTS "\"user\":{\"name\":\"a\",\"uid\":1000,\"gid\":1000},"
         "\"workdir\":\"/workspace\",\"services\":{\"ssh\":{\"port\":22222,\"authorized_keys\":["
         "\"k.pub\",\"l.pub\"]}}," TAG "}"},
        {P "healthcheck: off\n",
         "{\"envbuild\":1," DEFAULTS "\"healthcheck\":\"off\",\"workdir\":\"/workspace\"," TAG "}"},
        {P "files: [{from: a, to: /a}]\ncontext: ..\n",
         "{\"envbuild\":1," DEFAULTS
         "\"context\":\"..\",\"files\":[{\"from\":\"a\",\"to\":\"/a\"}],"
         "\"workdir\":\"/workspace\"," TAG "}"},
        {"name: org/a_b__c-d--e.f\npytorch: \"2.10.0\"\ncudnn: 9.1.0.70\nvariant: compile\npython: "
         "3.10\n",
         "{\"envbuild\":1,\"name\":\"org/a_b__c-d--e.f\",\"pytorch\":\"2.10.0\",\"cudnn\":"
         "\"9.1.0.70\",\"variant\":\"compile\",\"base\":\"debian-12\",\"python\":\"3.10\","
         "\"workdir\":\"/workspace\"," TAG "}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        print(&out, cases[i][0]);
        assert_string_equal(out.p, cases[i][1]);
    }
}

static void slim_is_true_or_nothing(void **state)
{
    static const struct {
        const char *yaml, *says;
    } bad[] = {
        {P "slim: maybe\n", "x.yaml:2:7: slim: true or false is wanted here, not text"},
        {P "slim: [true]\n", "x.yaml:2:7: slim: true or false is wanted here, not a list"},
        {P "slimm: true\n", "x.yaml:2:1: unknown key \"slimm\" (did you mean \"slim\"?)"},
    };
    CLEANUP(buf_clear) struct buf slim = {0}, full = {0};

    print(&slim, P "slim: true\n");
    assert_string_equal(slim.p, "{\"envbuild\":1,\"name\":\"pytorch\",\"pytorch\":\"2.6.0\","
                                "\"variant\":\"runtime\",\"slim\":true,\"base\":\"debian-12\","
                                "\"workdir\":\"/workspace\"," TAG "}");
    buf_reset(&slim);
    print(&slim, P "wheels_only: true\n");
    assert_non_null(strstr(slim.p, "\"wheels_only\":true"));
    print(&full, P "slim: false\nwheels_only: false\n");
    assert_null(strstr(full.p, "wheels_only"));
    assert_null(strstr(full.p, "slim"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(recipe_parse(&r, str_of(bad[i].yaml), "x.yaml", &e), -1);
        assert_string_equal(faults_text(&faults, &e), bad[i].says);
    }
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void bytecode_is_asked_for_on_images_too(void **state)
{
    CLEANUP(buf_clear) struct buf with = {0}, without = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(err_clear) struct err e = {0};

    print(&with, P "bytecode: true\n");
    assert_non_null(strstr(with.p, ",\"bytecode\":true,"));
    print(&without, P "bytecode: false\n");
    assert_null(strstr(without.p, "bytecode"));
    if (recipe_parse(&r,
                     STR(P "base: {image: \"oci:x@sha256:" ZEROS "\"}\n"
                           "bytecode: true\nproject: .\nbuild: all\n"),
                     "x.yaml", &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(r.bytecode && r.build_all && r.project.path.text.len);
}

static void what_may_be_built_is_names_or_all_or_a_map(void **state)
{
    static const struct {
        const char *yaml, *normal;
    } good[] = {
        {"build: all\n", "\"build\":\"all\""},
        {"build: [DeepSpeed, rouge_score]\n", "\"build\":[\"deepspeed\",\"rouge-score\"]"},
        {"build: {docopt: , jieba: {isolation: true}}\n", "\"build\":[\"docopt\",\"jieba\"]"},
        {"variant: devel\n"
         "build: {flash-attn: {isolation: false, env: {MAX_JOBS: 2}, requires: [torch, ninja], "
         "constraints: [setuptools<82], archs: [8.0, 9.0+PTX], config_settings: {a: b, c: [1, 2]}, "
         "expect: [flash_attn_2_cuda], fetch: [{url: \"https://a.test/b\", sha256: "
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}]}, docopt: {}}\n",
         "\"build\":{\"flash-attn\":{\"isolation\":false,\"env\":[\"MAX_JOBS=2\"],\"requires\":["
         "\"torch\",\"ninja\"],\"constraints\":[\"setuptools<82\"],\"archs\":[\"8.0\",\"9.0+PTX\"],"
         "\"config_settings\":[\"a=b\",\"c=1\",\"c=2\"],\"expect\":[\"flash_attn_2_cuda\"],"
         "\"fetch\":[{\"url\":\"https://a.test/b\",\"sha256\":"
         "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]},\"docopt\":{}}"},
    };
    static const struct {
        const char *yaml, *says;
    } bad[] = {
        {"build: some\n", "x.yaml:2:8: build: names of packages are wanted here, as in "
                          "[deepspeed], or \"all\""},
        {"build: [a, A]\n", "x.yaml:2:12: build: a stands there twice"},
        {"build: [\"a b\"]\n", "x.yaml:2:9: build: \"a b\" is not the name of a package"},
        {"build: {a: {isolated: true}}\n", "x.yaml:2:13: unknown key \"isolated\"; known keys: "
                                           "isolation env requires constraints archs "
                                           "config_settings expect fetch"},
        {"build: {a: 1}\n", "x.yaml:2:12: build: a map of keys and values is wanted here, not a "
                            "number"},
        {"build: {a: {env: {9: 1}}}\n", "x.yaml:2:19: build: \"9\" is not a variable name: "
                                        "letters, digits and \"_\""},
        {"build: {a: {requires: [\"x @ https://a.test/x.whl\"]}}\n",
         "x.yaml:2:24: build: requires: \"x @ https://a.test/x.whl\" names an address; here a name "
         "and versions are wanted"},
        {"variant: devel\nbuild: {a: {archs: [80]}}\n",
         "x.yaml:3:21: build: archs: \"80\" is not one such as 8.0 or 9.0+PTX"},
        {"build: {a: {archs: [8.0]}}\n",
         "x.yaml:2:21: build: archs: what has code for GPUs is compiled with the CUDA toolkit, "
         "which only `variant: devel` has; this is runtime"},
        {"build: {a: {config_settings: {\"\": 1}}}\n",
         "x.yaml:2:31: build: config_settings: \"\" is not a name"},
        {"build: {a: {fetch: [{url: \"https://u:p@a.test/\", sha256: 00}]}}\n",
         "x.yaml:2:27: build: fetch: an address of a recipe names no user\n"
         "x.yaml:2:58: build: fetch: \"00\" is not a sha256"},
        {"build: all\nwheels_only: true\n",
         "x.yaml:2:8: build: \"all\" builds what has no wheel, and `wheels_only: true` passes it "
         "over; remove one of the two"},
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(buf_clear) struct buf yaml = {0}, normal = {0};

        buf_fmt(&yaml, P "%s", good[i].yaml);
        print(&normal, yaml.p);
        if (!strstr(normal.p, good[i].normal))
            fail_msg("%s: %s", good[i].yaml, normal.p);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0}, yaml = {0};

        buf_fmt(&yaml, P "%s", bad[i].yaml);
        assert_int_equal(recipe_parse(&r, buf_view(&yaml), "x.yaml", &e), -1);
        assert_string_equal(faults_text(&faults, &e), bad[i].says);
    }
}

static void a_project_is_a_folder(void **state)
{
    static const char *const good[][2] = {
        {"project: .\n", "\"project\":\".\""},
        {"project: {path: ..}\n", "\"project\":\"..\""},
        {"project: {path: a, extras: [B_b], groups: [c]}\n",
         "\"project\":{\"path\":\"a\",\"extras\":[\"b-b\"],\"groups\":[\"c\"]}"},
    };
    static const char *const bad[][2] = {
        {"project: /x\n",
         "x.yaml:2:10: project: \"/x\" must be relative to the recipe's folder, as "
         "in `project: ..`"},
        {"project: [a]\n", "x.yaml:2:10: project: a folder is wanted here, as in `project: .`, or "
                           "{path: ., extras: [x]}"},
        {"project: {extras: [a]}\n", "x.yaml:2:10: project: \"path\" is missing"},
        {"project: {path: ., extra: [a]}\n",
         "x.yaml:2:20: unknown key \"extra\" (did you mean \"extras\"?)"},
        {"project: {path: ., groups: [\"a b\"]}\n",
         "x.yaml:2:29: project: groups: \"a b\" is not a name"},
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(buf_clear) struct buf yaml = {0}, normal = {0};

        buf_fmt(&yaml, P "%s", good[i][0]);
        print(&normal, yaml.p);
        if (!strstr(normal.p, good[i][1]))
            fail_msg("%s: %s", good[i][0], normal.p);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0}, yaml = {0};

        buf_fmt(&yaml, P "%s", bad[i][0]);
        assert_int_equal(recipe_parse(&r, buf_view(&yaml), "x.yaml", &e), -1);
        assert_string_equal(faults_text(&faults, &e), bad[i][1]);
    }
}

static void cuda_is_written_in_many_ways(void **state)
{
    static const char *const cases[][2] = {
        {"12.4", "12.4"},    {"\"12.4\"", "12.4"}, {"12.4.1", "12.4.1"},   {"cu124", "12.4"},
        {"cuda124", "12.4"}, {"cuda12.4", "12.4"}, {"cu12.4.1", "12.4.1"}, {"cu118", "11.8"},
        {"cu130", "13.0"},   {"cpu", "cpu"},       {"12.10", "12.10"}, /* as written: never 12.1 */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(buf_clear) struct buf yaml = {0};

        buf_fmt(&yaml, P "cuda: %s\n", cases[i][0]);
        parse(&r, yaml.p);
        assert_true(str_is(r.cuda.text, cases[i][1]));
        assert_int_equal(r.cuda.pos.line, 2);
        assert_int_equal(r.cuda.pos.col, 7);
    }
}

static void faults_say_where_what_and_what_would_work(void **state)
{
    static const char *const cases[][2] = {
        {"cuda: \"12.4\"\n",
         "x.yaml:1:1: \"pytorch\" is missing: name a release, as in `pytorch: \"2.6.0\"`; an "
         "image without it is `pytorch: none`"},
        {"[a]\n", "x.yaml:1:1: recipe: a map of keys and values is wanted here, not a list"},
        {"pytorch: 2.6\n",
         "x.yaml:1:10: pytorch: \"2.6\" is not a whole release number; write \"2.6.0\""},
        {"pytorch: newest\n",
         "x.yaml:1:10: pytorch: \"newest\" is not a release number such as \"2.6.0\""},
        {"pytorch: none\n", "x.yaml:1:10: pytorch: an image that has none needs a name of its own, "
                            "as in `name: tools`"},
        {"name: tools\npytorch: none\ncuda: \"12.4\"\nvariant: devel\n",
         "x.yaml:3:7: cuda: it comes with PyTorch, and `pytorch: none` has none; leave it out"},
        {"name: tools\npytorch: none\nvariant: devel\n",
         "x.yaml:3:10: variant: devel adds a CUDA toolkit, and cpu has none; variant: compile has "
         "gcc "
         "and g++"},
        {"pytorch: 2.6.0+cu124\n",
         "x.yaml:1:10: pytorch: \"2.6.0+cu124\" is not a release number such "
         "as \"2.6.0\""},
        {"pytorch: \"\"\n",
         "x.yaml:1:10: pytorch: nothing stands here; leave the key out or give it a value"},
        {"pytorch:\n", "x.yaml:1:9: pytorch: text is wanted here, not nothing"},
        {P "envbuild: 2\n",
         "x.yaml:2:11: envbuild: recipe schema \"2\" is not known to this envbuild, which reads 1"},
        {P "cudda: 12.4\n", "x.yaml:2:1: unknown key \"cudda\" (did you mean \"cuda\"?)"},
        {P "zzzzzzzz: []\n",
         "x.yaml:2:1: unknown key \"zzzzzzzz\"; known keys: envbuild name pytorch cuda cudnn "
         "variant "
         "toolkit base python platforms apt apt_archives ca_certificates pip constraints indexes "
         "find_links context files downloads user env workdir folders volumes ports healthcheck "
         "entrypoint cmd startup_check services labels tag slim wheels_only build project bytecode "
         "compression matrix"},
        {P "pip: [{lock: requirements.txt}]\n",
         "x.yaml:2:14: pip: lock: \"requirements.txt\" is not the name of a lock that is read: "
         "pylock.toml, pylock.NAME.toml, uv.lock, poetry.lock"},
        {P "pip: [{lock: uv.lock, requirements: r.txt, extras: x, groups: [[]]}]\n",
         "x.yaml:2:23: unknown key \"requirements\"; known keys: lock extras groups\n"
         "x.yaml:2:52: extras: a list is wanted here, not text\n"
         "x.yaml:2:64: groups: text is wanted here, not a list"},
        {P "pip: [{requirement: r.txt}]\n",
         "x.yaml:2:8: unknown key \"requirement\" (did you mean \"requirements\"?)\n"
         "x.yaml:2:7: pip: \"requirements\" is missing"},
        {P "indexes: []\n",
         "x.yaml:2:10: indexes: the list is empty; leave the key out to ask PyPI"},
        {P "indexes: [pypi.org/simple]\n", "x.yaml:2:11: indexes: \"pypi.org/simple\" is not a "
                                           "usable address: it begins with none of "
                                           "https://, http://, file://"},
        {P "indexes: [{url: \"https://me:secret@h.test/simple/\", name: \"a b\"}]\n",
         "x.yaml:2:59: indexes: \"a b\" is not a name: letters, digits, \"-\" and \"_\"\n"
         "x.yaml:2:17: indexes: a password in a recipe is everybody's; keep it in ~/.netrc, in a "
         "keyring, or give the index a name and set ENVBUILD_INDEX_<NAME>_PASSWORD"},
        {P "find_links: [\"https://h.test/w/\"]\n",
         "x.yaml:2:14: find_links: \"https://h.test/w/\" is not a folder; an index on the web goes "
         "under `indexes`"},
        {P "services: {}\n",
         "x.yaml:2:11: services: none stands here; there are jupyter and ssh, as "
         "in {jupyter: {port: 8888}}"},
        {P "services: [jupyter]\n",
         "x.yaml:2:11: services: a map of keys and values is wanted here, not a list"},
        {P "services: {jupiter: {}}\n",
         "x.yaml:2:12: unknown key \"jupiter\" (did you mean \"jupyter\"?)"},
        {P "services: {jupyter: {token: \"\", password: \"  \"}}\n",
         "x.yaml:2:29: services: jupyter: with an empty token anybody who reaches the port runs "
         "programs there; leave it out, and each start makes a token and prints the link\n"
         "x.yaml:2:43: services: jupyter: with an empty password anybody who reaches the port runs "
         "programs there; leave it out, and each start makes a token and prints the link"},
        {P "services: {jupyter: {token: }}\n",
         "x.yaml:2:29: services: jupyter: with an empty token anybody who reaches the port runs "
         "programs there; leave it out, and each start makes a token and prints the link"},
        {P "services: {jupyter: {password: hunter2}}\n",
         "x.yaml:2:32: services: jupyter: a password in the recipe is known to everybody who has "
         "the image; give a token to who runs it, as JUPYTER_TOKEN or /run/secrets/jupyter_token, "
         "or write password_hash"},
        {P "services: {jupyter: {password_hash: \"sha1:67c9e60bb8b6:9ffede0825894254\"}}\n",
         "x.yaml:2:37: services: jupyter: password_hash is not what Jupyter makes of a password, "
         "\"argon2:$argon2id$...\"; in a container of the image `python3 -c \"from "
         "jupyter_server.auth import passwd; print(passwd())\"` asks for one and prints it"},
        {P "services: {jupyter: {port: 80, notebooks: nb}}\n",
         "x.yaml:2:28: services: jupyter: port 80 is root's; take one from 1024 on: which port of "
         "the host leads there is for who runs it, as in `docker run -p 80:8888`\n"
         "x.yaml:2:43: services: jupyter: notebooks \"nb\" is not an absolute path of the image, "
         "such as \"/opt/notebooks\""},
        {P "services: {ssh: {port: 65536}}\n",
         "x.yaml:2:24: port: 65536 is more than 65535, the most allowed\n"
         "x.yaml:2:12: services: ssh: root is never let in, and the image has no other user; add "
         "`user: {name: student}`"},
        {P "user: {name: me}\ncmd: [x]\nservices: {jupyter: , ssh: {port: 8888, authorized_keys: "
           "[/k.pub]}}\n",
         "x.yaml:4:59: services: ssh: \"/k.pub\" must be relative to the recipe's folder\n"
         "x.yaml:4:23: services: jupyter and ssh cannot both have port 8888\n"
         "x.yaml:3:6: cmd: the image's command starts its services; leave `cmd` out, and name "
         "another command when you run it, as in `docker run IMAGE COMMAND`"},
        {P "base: {image: \"oci:x@sha256:" DIGEST "\"}\nservices: {jupyter: {}}\n",
         "x.yaml:3:1: services: their programs are packages, which cannot be added to an image "
         "that is named as the base; name a base such as debian-12"},
        {P "matrix: {}\n",
         "x.yaml:2:9: matrix: nothing varies; name a key with a list of values, such "
         "as variant: [runtime, devel]"},
        {P "matrix: {variant: [runtime, devel], exclude: [{variant: devel}]}\n",
         "x.yaml has a `matrix`, so it stands for several recipes; one is wanted here"},
        {P "cuda: 12\n", "x.yaml:2:7: cuda: \"12\" is neither cpu nor a CUDA version such as "
                         "\"12.4\", \"12.4.1\" or "
                         "\"cu124\""},
        {P "cuda: cu12x\n",
         "x.yaml:2:7: cuda: \"cu12x\" is neither cpu nor a CUDA version such as \"12.4\", "
         "\"12.4.1\" or \"cu124\""},
        {P "cuda: cpu\ncudnn: 9\n",
         "x.yaml:3:8: cudnn: a build for the CPU has none; leave it out"},
        {P "cuda: [12.4]\n", "x.yaml:2:7: cuda: text is wanted here, not a list"},
        {P "cudnn: nine\n", "x.yaml:2:8: cudnn: \"nine\" is not a cuDNN version such as \"9\" or "
                            "\"9.1.0.70\""},
        {P "cuda: cpu\nvariant: devel\n",
         "x.yaml:3:10: variant: devel adds a CUDA toolkit, and cpu has none; variant: compile has "
         "gcc and g++"},
        {P "variant: devel\nbase: {image: \"oci:x@sha256:" DIGEST "\"}\n",
         "x.yaml:2:10: variant: devel needs a base of packages such as debian-12; an image that is "
         "named as the base brings its own compiler and toolkit"},
        {P "toolkit: [nvcc]\n",
         "x.yaml:2:10: toolkit: only variant: devel has one; this is runtime"},
        {P "variant: devel\ntoolkit: nvcc\n",
         "x.yaml:3:10: toolkit: a map of keys and values is wanted here, not text"},
        {P "variant: devel\ntoolkit: {from: nvdia}\n",
         "x.yaml:3:17: toolkit: \"nvdia\" is not a place that it comes from (did you mean "
         "\"nvidia\"?); there are pypi, nvidia (its redistributable archives) and apt (the base's "
         "own packages)"},
        {P "variant: devel\ntoolkit: {part: [nvcc]}\n",
         "x.yaml:3:11: unknown key \"part\" (did you mean \"parts\"?)"},
        {P "startup_check: no\n",
         "x.yaml:2:16: startup_check: \"no\" is not known; warn says that the host's driver is too "
         "old, fail ends the container then, off checks nothing"},
        {P "startup_check: wran\n",
         "x.yaml:2:16: startup_check: \"wran\" is not known (did you mean \"warn\"?); warn says "
         "that "
         "the host's driver is too old, fail ends the container then, off checks nothing"},
        {P "compression: zst\n",
         "x.yaml:2:14: compression: \"zst\" is not known (did you mean \"zstd\"?); gzip is read by "
         "all, gzip,single by those too that stop after one gzip member, zstd and zstd:chunked by "
         "podman, containerd and Docker from 23 on"},
        {P "compression: {gzip: 1}\n", "x.yaml:2:14: compression: text is wanted here, not a map"},
        {P "compression: [gzip, zst]\n",
         "x.yaml:2:21: compression: \"zst\" is not known (did you mean \"zstd\"?); gzip is read by "
         "all, gzip,single by those too that stop after one gzip member, zstd and zstd:chunked by "
         "podman, containerd and Docker from 23 on"},
        {P "compression: [zstd, zstd:chunked]\n",
         "x.yaml:2:14: compression: a list is one kind of gzip and one of zstd, as in [gzip, "
         "zstd]: "
         "an index of both, from which each client takes what it reads"},
        {P "startup_check: [warn]\n",
         "x.yaml:2:16: startup_check: text is wanted here, not a list"},
        {P "variant: runtim\n", "x.yaml:2:10: variant: \"runtim\" is not known (did you mean "
                                "\"runtime\"?); variants: runtime, compile, devel"},
        {P "python: 3\n", "x.yaml:2:9: python: \"3\" is not a version such as \"3.11\""},
        {P "base: {image: x}\n",
         "x.yaml:2:15: base: \"x\" is not a stored image; write oci:DIR@sha256:… for a layout, "
         "oci-archive:FILE@sha256:… for an archive, dir:DIR@sha256:… for a folder of skopeo's or "
         "docker://HOST/NAME@sha256:… for a registry"},
        {P "platforms: [linux/arm64]\n",
         "x.yaml:2:13: platforms: \"linux/arm64\" comes later; linux/amd64 is there"},
        {P "platforms: [amd64]\n",
         "x.yaml:2:13: platforms: \"amd64\" is not known; linux/amd64 is there"},
        {P "platforms: [[x]]\n", "x.yaml:2:13: platforms: text is wanted here, not a list"},
        {P "platforms: []\n", "x.yaml:2:12: platforms: the list is empty; write [linux/amd64]"},
        {P "apt: git\n", "x.yaml:2:6: apt: a list is wanted here, not text"},
        {P "apt: [\"\"]\n", "x.yaml:2:7: apt: text is wanted here, not an empty one"},
        {P "apt: [Git]\n",
         "x.yaml:2:7: apt: \"Git\" is not a package; write name, name=version or name/suite"},
        {P "apt: [git=]\n",
         "x.yaml:2:7: apt: \"git=\" is not a package; write name, name=version or name/suite"},
        {P "apt: [git/]\n",
         "x.yaml:2:7: apt: \"git/\" is not a package; write name, name=version or name/suite"},
        {P "apt_archives: [{uri: http://h/d, suites: [a]}]\n",
         "x.yaml:2:16: apt_archives: an archive needs uri, suites and keyring"},
        {P "apt_archives: [{uri: http://h/d, keyring: k, suites: [a]}]\n",
         "x.yaml:2:55: apt_archives: suite \"a\" needs components, as in [main]; a flat archive's "
         "ends in \"/\""},
        {P "apt_archives: [{uri: http://h/d, keyring: k, suites: [./], components: [main]}]\n",
         "x.yaml:2:55: apt_archives: suite \"./\" is a flat archive and has no components"},
        {P "apt_archives: [{uri: http://h/d, keyring: /k, suites: [./]}]\n",
         "x.yaml:2:43: apt_archives: \"/k\" must be relative to the recipe's folder"},
        {P "apt_archives: [{uri: http://u:p@h/d, keyring: k, suites: [./]}]\n",
         "x.yaml:2:22: apt_archives: \"http://u:p@h/d\" must be host and path alone"},
        {P "apt_archives: [{uri: http://h/d, keyring: k, suites: [./], fingerprints: [AB]}]\n",
         "x.yaml:2:75: apt_archives: \"AB\" is not a fingerprint: 40 hex digits, no blanks"},
        {P "apt: [-q]\n",
         "x.yaml:2:7: apt: \"-q\" is not a package; write name, name=version or name/suite"},
        {P "apt: [\"git=1 x\"]\n",
         "x.yaml:2:7: apt: \"git=1 x\" is not a package; write name, name=version or name/suite"},
        {P "apt: [\"git:\"]\n",
         "x.yaml:2:7: apt: \"git:\" is not a package; write name, name=version or name/suite"},
        {P "files: [a]\n", "x.yaml:2:9: files: a map of keys and values is wanted here, not text"},
        {P "files: [{from: a}]\n", "x.yaml:2:9: files: \"to\" is missing"},
        {P "files: [{from: /etc/passwd, to: /x}]\n",
         "x.yaml:2:16: files: \"/etc/passwd\" must be relative to the recipe's folder, or its "
         "context"},
        {P "context: /srv\n", "x.yaml:2:10: context: \"/srv\" must be relative to the recipe's "
                              "folder, as in `context: ..`"},
        {P "context: []\n", "x.yaml:2:10: context: text is wanted here, not a list"},
        {P "files: [{from: a, to: x}]\n", "x.yaml:2:23: files: \"x\" is not an absolute path"},
        {P "files: [{from: a, to: /../x}]\n",
         "x.yaml:2:23: files: \"/../x\" is not an absolute path"},
        {P "files: [{from: a, to: /x, onwer: root}]\n",
         "x.yaml:2:27: unknown key \"onwer\" (did you mean \"owner\"?)"},
        {P "user: student\n", "x.yaml:2:7: user: a map is wanted here, not text"},
        {P "user: {uid: 5}\n", "x.yaml:2:7: user: \"name\" is missing"},
        {P "user: {name: root}\n", "x.yaml:2:14: user: leave `user` out to be root"},
        {P "user: {name: x, uid: 0}\n",
         "x.yaml:2:7: user: uid 0 is root; leave `user` out to be root"},
        {P "user: {name: Ann}\n",
         "x.yaml:2:14: user: \"Ann\" is not a user name: lower-case letters, "
         "digits, \"_\" and \"-\""},
        {P "user: {name: \"x:0:0\"}\n",
         "x.yaml:2:14: user: \"x:0:0\" is not a user name: lower-case "
         "letters, digits, \"_\" and \"-\""},
        {P "user: {name: x, uid: 2147483648}\n",
         "x.yaml:2:22: uid: 2147483648 is more than 2147483647, the most allowed"},
        {P "user: {name: x, uid: me}\n",
         "x.yaml:2:22: uid: a whole number is wanted here, not \"me\""},
        {P "env: {1A: x}\n",
         "x.yaml:2:7: env: \"1A\" is not a variable name: letters, digits and \"_\""},
        {P "env: {A=B: x}\n",
         "x.yaml:2:7: env: \"A=B\" is not a variable name: letters, digits and \"_\""},
        {P "env: {A: [x]}\n", "x.yaml:2:10: env: text is wanted here, not a list"},
        {P "env: {A: \"x\\0y\"}\n", "x.yaml:2:10: text must not hold a NUL (\\0)"},
        {P "workdir: work\n", "x.yaml:2:10: workdir: \"work\" is not an absolute path"},
        {P "workdir: /x/../proc/1\n", "x.yaml:2:10: workdir: nothing can be worked on in /proc"},
        {P "cmd: [[a]]\n", "x.yaml:2:7: cmd: text is wanted here, not a list"},
        {P "cmd: [\"\", x]\n", "x.yaml:2:7: cmd: text is wanted here, not an empty one"},
        {P "entrypoint: {a: b}\n", "x.yaml:2:13: entrypoint: text is wanted here, not a map"},
        {P "labels: {a: [x]}\n", "x.yaml:2:13: labels: text is wanted here, not a list"},
        {P "labels: {\"\": x}\n", "x.yaml:2:10: labels: a label needs a name"},
        {P "labels: {io.envbuild.version: 9}\n",
         "x.yaml:2:10: labels: names under io.envbuild. are envbuild's own"},
        {P "name: A\n",
         "x.yaml:2:7: name: \"A\" is not an image name: lower-case letters and digits, "
         "joined by \".\", \"_\", \"__\" or dashes, parts joined by \"/\""},
        {P "name: a..b\n",
         "x.yaml:2:7: name: \"a..b\" is not an image name: lower-case letters and "
         "digits, joined by \".\", \"_\", \"__\" or dashes, parts joined by \"/\""},
        {P "tag: \"{pytroch}\"\n",
         "x.yaml:2:6: tag: {pytroch} is not known (did you mean \"pytorch\"?); there are {pytorch} "
         "{cuda} {cudnn} {variant} {python} {base} {compression}"},
        {P "tag: \"{cuda\"\n", "x.yaml:2:6: tag: a \"{\" without its \"}\""},
        {P "tag: \"a b\"\n",
         "x.yaml:2:6: tag: \"a b\" is not a tag: letters, digits, \".\", \"_\" and "
         "\"-\", at most 128, and no \".\" or \"-\" first"},
        {P "tag: \"-{cuda}\"\n", "x.yaml:2:6: tag: \"-{cuda}\" is not a tag: letters, digits, "
                                 "\".\", \"_\" and \"-\", at most "
                                 "128, and no \".\" or \"-\" first"},
        {P "tag: \"cuda}\"\n",
         "x.yaml:2:6: tag: \"cuda}\" is not a tag: letters, digits, \".\", \"_\" "
         "and \"-\", at most 128, and no \".\" or \"-\" first"},
        /* All of them in one run. */
        {"pytorh: 2.6.0\ncuda: 99\nvariant: runtim\nuser: {name: A, uid: -1}\n",
         "x.yaml:1:1: unknown key \"pytorh\" (did you mean \"pytorch\"?)\n"
         "x.yaml:1:1: \"pytorch\" is missing: name a release, as in `pytorch: \"2.6.0\"`; an "
         "image without it is `pytorch: none`\n"
         "x.yaml:2:7: cuda: \"99\" is neither cpu nor a CUDA version such as \"12.4\", \"12.4.1\" "
         "or \"cu124\"\n"
         "x.yaml:3:10: variant: \"runtim\" is not known (did you mean \"runtime\"?); variants: "
         "runtime, compile, devel\n"
         "x.yaml:4:14: user: \"A\" is not a user name: lower-case letters, digits, \"_\" and "
         "\"-\"\n"
         "x.yaml:4:22: uid: a whole number is wanted here, not \"-1\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        if (recipe_parse(&r, str_of(cases[i][0]), "x.yaml", &e) == 0)
            fail_msg("accepted: %s", cases[i][0]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(r.doc.root);
        assert_string_equal(faults_text(&faults, &e), cases[i][1]);
    }
}

static void differences_are_told_in_words(void **state)
{
    static const char *const cases[][3] = {
        {P, P, ""},
        {P "cuda: \"12.4\"\n", P "cuda: cu124 # the same\n", ""},
        {P "cuda: 12.4\n", P "cuda: 12.6\n", "cuda: \"12.4\" became \"12.6\""},
        {P, P "cuda: 12.6\n", "cuda: \"12.6\" is new"},
        {P "cuda: 12.6\n", P, "cuda is gone"},
        {P "pip: [numpy, x]\n", P "pip: [\"numpy<2\", x]\n",
         "pip: \"numpy<2\" is new; pip: \"numpy\" is gone"},
        {P "pip: [a, b]\n", P "pip: [b, a]\n", "pip changed"},
        {P "pip: [a]\n", P "pip: [a, {requirements: r.txt}]\n", "pip: \"r.txt\" is new"},
        {P "pip: [a]\n", P "pip: [a, {lock: uv.lock}]\n", "pip: \"uv.lock\" is new"},
        {P "pip: [{lock: uv.lock}]\n", P "pip: [{lock: uv.lock, extras: []}]\n", "pip changed"},
        {P, P "apt: [git]\n", "apt is new"},
        {P "user: {name: x}\n", P "user: {name: x, uid: 7}\n", "user changed"},
        {P "files: [{from: a, to: /a}]\n", P "files: [{from: a, to: /b}]\n", "files changed"},
        {P "labels: {v: 1.10}\n", P "labels: {v: 1.1}\n", "labels changed"},
        {P, P "entrypoint: []\n", "entrypoint is new"},
        {P "cuda: 12.4\n", P "cuda: 12.6\nvariant: compile\n",
         "cuda: \"12.4\" became \"12.6\"; variant: \"runtime\" became \"compile\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf old_text = {0}, words = {0};
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(doc_clear) struct doc old = {0}, now = {0};
        CLEANUP(err_clear) struct err e = {0};

        print(&old_text, cases[i][0]); /* the old one comes out of a lock */
        assert_int_equal(json_parse(&old, buf_view(&old_text), 1 << 20, "x.lock", &e), 0);
        parse(&r, cases[i][1]);
        recipe_diff(&words, old.root, recipe_to_node(&r, &now));
        assert_string_equal(words.p ? words.p : "", cases[i][2]);
    }
}

static void tags_come_from_the_template(void **state)
{
    static const char *const cases[][2] = {
        {P, "2.6.0-cuda12.4-cudnn9-runtime"},
        {P "cuda: cpu\n", "2.6.0-cpu-runtime"},
        {P "tag: \"{pytorch}\"\n", "2.6.0"},
        {P "tag: py{python}_{base}.{variant}\n", "py3.11_debian-12.runtime"},
        {P "tag: latest\n", "latest"},
        {P "tag: \"{pytorch}-{compression}\"\n", "2.6.0-zstd-chunked"},
    };
    struct recipe_tag with = {STR("2.6.0"), STR("12.4"),      STR("9"),           STR("runtime"),
                              STR("3.11"),  STR("debian-12"), STR("zstd-chunked")};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        parse(&r, cases[i][0]);
        with.cuda = r.cuda.text.len ? r.cuda.text : STR("12.4");
        assert_int_equal(recipe_expand_tag(&out, &r, &with, &e), 0);
        assert_string_equal(out.p, cases[i][1]);
    }
}

static void a_tag_that_comes_out_wrong_is_refused(void **state)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf out = {0}, faults = {0}, yaml = {0};
    struct recipe_tag with = {.base = STR("bases/my.yaml")};

    parse(&r, P "tag: \"x-{base}\"\n");
    assert_int_equal(recipe_expand_tag(&out, &r, &with, &e), -1);
    assert_string_equal(
        faults_text(&faults, &e),
        "x.yaml:2:6: tag: \"x-bases/my.yaml\" is not a tag: letters, digits, \".\", "
        "\"_\" and \"-\", at most 128, and no \".\" or \"-\" first");

    for (size_t len = 127; len <= 129; len++) { /* around the edge */
        CLEANUP(recipe_clear) struct recipe edge = {0};

        buf_reset(&yaml);
        buf_puts(&yaml, P "tag: ");
        for (size_t i = 0; i < len; i++)
            buf_putc(&yaml, 'x');
        err_clear(&e);
        assert_int_equal(recipe_parse(&edge, buf_view(&yaml), "x.yaml", &e), len <= 128 ? 0 : -1);
    }
}

/* ---- the schema for editors says the same ---- */

static void words_behind(struct names *out, const char *text, const char *marker)
{
    const char *at = strstr(text, marker);
    struct str rest, word;

    assert_non_null(at);
    for (rest = str_of(at + strlen(marker)); str_word(&rest, &word);) {
        CLEANUP(free_clear) char *copy = str_dup(word);

        names_add(out, copy);
    }
}

/* The keys that a map of the recipe may have, as the complaint about an unknown one lists them. */
static void keys_of(struct names *out, const char *yaml)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(recipe_parse(&r, str_of(yaml), "x.yaml", &e), -1);
    words_behind(out, e.msg, "known keys:");
}

static void same_keys(const struct node *schema, const char *yaml, size_t more)
{
    CLEANUP(names_clear) struct names keys = {0};
    const struct node *properties = node_get(schema, "properties"), *n;
    size_t found = 0;

    keys_of(&keys, yaml);
    assert_non_null(properties);
    assert_int_equal(node_get(schema, "additionalProperties")->kind, NODE_BOOL);
    assert_false(node_get(schema, "additionalProperties")->boolean);
    node_each(n, properties) {
        size_t before = found;

        for (size_t i = 0; i < keys.n; i++)
            found += str_is(n->key, keys.v[i]);
        if (found == before)
            fail_msg("recipe.c does not know \"" STR_FMT "\" of the schema", STR_ARG(n->key));
    }
    assert_int_equal(found, keys.n - more);
}

static void the_schema_has_the_same_keys(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct node *properties, *services;

    if (json_read(&doc, "builder/model/recipe.schema.json", 1 << 20, &e) < 0)
        fail_msg("%s (tests run in the top directory)", e.msg);
    properties = node_get(doc.root, "properties");
    same_keys(doc.root, P "zzzzzzzzzzzz: 1\n", 0);
    same_keys(node_get(node_get(properties, "files"), "items"),
              P "files: [{zzzzzzzzzzzz: 1, from: a, to: /a}]\n", 0);
    services = node_get(node_get(properties, "services"), "properties");
    same_keys(node_get(properties, "services"), P "services: {zzzzzzzzzzzz: 1}\n", 0);
    same_keys(node_get(services, "jupyter"), P "services: {jupyter: {zzzzzzzzzzzz: 1}}\n",
              2); /* token and password have a sentence of their own */
    same_keys(node_get(services, "ssh"), P "user: {name: a}\nservices: {ssh: {zzzzzzzzzzzz: 1}}\n",
              0);
    same_keys(node_get(properties, "user"), P "user: {zzzzzzzzzzzz: 1, name: a}\n", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipes_have_one_normal_form),
        cmocka_unit_test(slim_is_true_or_nothing),
        cmocka_unit_test(bytecode_is_asked_for_on_images_too),
        cmocka_unit_test(what_may_be_built_is_names_or_all_or_a_map),
        cmocka_unit_test(a_project_is_a_folder),
        cmocka_unit_test(cuda_is_written_in_many_ways),
        cmocka_unit_test(faults_say_where_what_and_what_would_work),
        cmocka_unit_test(differences_are_told_in_words),
        cmocka_unit_test(tags_come_from_the_template),
        cmocka_unit_test(a_tag_that_comes_out_wrong_is_refused),
        cmocka_unit_test(the_schema_has_the_same_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
