/* tests/unit/test_fleet.c - fleets as documents: what is read, what is refused and where. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/json.h"
#include "model/fleet.h"
#include "catalog_fixture.h"

#define F "envbuild_fleet: 1\nmachines:\n"

static void machines_are_read(void **state)
{
    CLEANUP(fleet_clear) struct fleet f = {0};
    struct err e = {0};

    assert_int_equal(
        fleet_parse(&f,
                    STR(F "  - {name: lab, driver: \"535.104.05\", gpu: RTX 4090, count: 8}\n"
                          "  - {driver: 580.65.06, gpus: [A100, sm_89, 8.6]}\n"
                          "  - {name: 3, driver: 470.82, gpu: Tesla V100-SXM2-16GB}\n"
                          "  - {driver: 550.54.15-0ubuntu1, gpu: A100-SXM4-80GB MIG 1g.10gb}\n"
                          "  - {driver: 580.65.06, arch: aarch64, gpu: B200}\n"),
                    "x.yaml", &catalog, &e),
        0);
    assert_int_equal(f.machines.n, 5);
    assert_int_equal(f.machines.v[3].arch.len, 0);
    assert_true(str_is(f.machines.v[4].arch, "arm64"));
    assert_true(str_is(f.machines.v[3].driver, "550.54.15"));
    assert_true(str_is(f.machines.v[3].gpus.v[0].name, "A100"));
    assert_true(str_is(f.machines.v[0].name, "lab"));
    assert_true(str_is(f.machines.v[0].driver, "535.104.05"));
    assert_int_equal(f.machines.v[0].count, 8);
    assert_true(str_is(f.machines.v[0].gpus.v[0].name, "GeForce RTX 4090"));
    assert_true(str_is(f.machines.v[1].name, "machine 2"));
    assert_int_equal(f.machines.v[1].gpus.n, 3);
    assert_true(str_is(f.machines.v[1].gpus.v[1].cc, "8.9"));
    assert_int_equal(f.machines.v[1].count, 1);
    assert_true(str_is(f.machines.v[2].name, "3"));
}

static void faults_say_where_and_what_would_work(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"- {driver: 1}\n",
         "x.yaml:1:1: fleet: a map of keys and values is wanted here, not a list"},
        {"machines: []\n", "x.yaml:1:1: fleet: \"envbuild_fleet\" is missing"},
        {"machines: []\n", "x.yaml:1:11: machines: the list is empty"},
        {"envbuild_fleet: 1\n", "x.yaml:1:1: fleet: \"machines\" is missing"},
        {"envbuild_fleet: 2\nmachines: []\n",
         "x.yaml:1:17: fleet schema 2 is not known; this envbuild reads 1"},
        {"envbuild_fleet: 1\nmachine: []\n",
         "x.yaml:2:1: unknown key \"machine\" (did you mean \"machines\"?)"},
        {F "  - {drivers: 550.54.15, gpu: A100}\n",
         "x.yaml:3:6: unknown key \"drivers\" (did you mean \"driver\"?)"},
        {F "  - {drivers: 550.54.15, gpu: A100}\n", "x.yaml:3:5: machine: \"driver\" is missing"},
        {F "  - {driver: 550.54.15, gup: A100}\n",
         "x.yaml:3:25: unknown key \"gup\" (did you mean \"gpu\"?)"},
        {F "  - {driver: latest, gpu: A100}\n",
         "x.yaml:3:14: driver: \"latest\" is not a version such as 550.54.15"},
        {F "  - {driver: 550.54.15, gpu: A100, arch: mips}\n",
         "x.yaml:3:42: arch: \"mips\" is neither amd64 nor arm64"},
        {F "  - {driver: R550, gpu: A100}\n",
         "x.yaml:3:14: driver: \"R550\" is a branch, and its releases differ in what they run; "
         "name "
         "the whole version, as nvidia-smi prints it, or the oldest of the branch, \"550."},
        {F "  - {driver: R551, gpu: A100}\n", "x.yaml:3:14: driver: \"R551\" is a branch, and its "
                                              "releases differ in what they run; name "
                                              "the whole version, as nvidia-smi prints it"},
        {F "  - {driver: 550.54.15, gpu: RTX 4009}\n",
         "x.yaml:3:30: gpu: \"RTX 4009\" is not a GPU that the catalog knows; do you mean"},
        {F "  - {driver: 550.54.15, gpus: [A100, Radeon]}\n",
         "x.yaml:3:38: gpus: \"Radeon\" is not a GPU that the catalog knows"},
        {F "  - {driver: 550.54.15, gpu: RTX 6000}\n",
         "x.yaml:3:30: gpu: \"RTX 6000\" is not a GPU"},
        {F "  - {driver: 550.54.15}\n", "x.yaml:3:5: machine: neither \"gpu\" nor \"gpus\" is"},
        {F "  - {driver: 550.54.15, gpu: A100, gpus: [A100]}\n", "x.yaml:3:25: gpu: stands beside"},
        {F "  - {driver: 550.54.15, gpus: []}\n", "x.yaml:3:31: gpus: the list is empty"},
        {F "  - {driver: 550.54.15, gpus: A100}\n", "x.yaml:3:31: gpus: a list is wanted here"},
        {F "  - {driver: 550.54.15, gpu: [A100]}\n", "x.yaml:3:30: gpu: the name of a GPU is"},
        {F "  - {driver: 550.54.15, gpu: A100, count: 0}\n", "x.yaml:3:43: count: 0 machines"},
        {F "  - {driver: 550.54.15, gpu: A100, count: -1}\n",
         "x.yaml:3:43: count: a whole number is wanted here, not \"-1\""},
        {F "  - {driver: 550.54.15, gpu: A100, count: 1000001}\n",
         "x.yaml:3:43: count: 1000001 is more than 1000000"},
        {F "  - {name: a, driver: 1.2, gpu: A100}\n  - {name: a, driver: 1.2, gpu: A100}\n",
         "x.yaml:4:12: name: \"a\" is the name of another machine already"},
        {F "  - {name: \"\", driver: 1.2, gpu: A100}\n", "x.yaml:3:12: name: is empty"},
        {F "  - A100\n", "x.yaml:3:5: machine: a map of keys and values is wanted here, not text"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(fleet_clear) struct fleet f = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf all = {0};
        const struct err *fault;

        assert_int_equal(fleet_parse(&f, str_of(cases[i].text), "x.yaml", &catalog, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(f.machines.n, 0);
        for (fault = &e; fault; fault = fault->next) {
            err_format(fault, &all);
            buf_putc(&all, '\n');
        }
        if (!strstr(all.p, cases[i].says))
            fail_msg("%s: %s", cases[i].text, all.p);
    }
}

static void a_fleet_has_an_end(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_puts(&text, F);
    for (int i = 0; i < FLEET_MACHINES_MAX + 1; i++) {
        CLEANUP(fleet_clear) struct fleet f = {0};
        CLEANUP(err_clear) struct err e = {0};

        buf_puts(&text, "  - {driver: 550.54.15, gpu: A100}\n");
        if (i + 1 < FLEET_MACHINES_MAX)
            continue;
        assert_int_equal(fleet_parse(&f, buf_view(&text), "x.yaml", &catalog, &e),
                         i + 1 == FLEET_MACHINES_MAX ? 0 : -1);
    }
}

/* A key that neither knows is refused by both, and every key of the schema is known here. */
static void same_keys(const struct node *schema, const char *const *keys)
{
    const struct node *properties = node_get(schema, "properties"), *n;
    size_t found = 0, count = 0;

    assert_non_null(properties);
    assert_false(node_get(schema, "additionalProperties")->boolean);
    for (; keys[count]; count++)
        found += node_get(properties, keys[count]) != NULL;
    assert_int_equal(found, count);
    node_each(n, properties)
        count--;
    assert_int_equal(count, 0);
}

static void the_schema_has_the_same_keys(void **state)
{
    static const char *const fleet[] = {"envbuild_fleet", "machines", NULL};
    static const char *const machine[] = {"name", "driver", "arch", "gpu", "gpus", "count", NULL};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct node *machines;

    if (json_read(&doc, "builder/model/fleet.schema.json", 1 << 20, &e) < 0)
        fail_msg("%s (tests run in the top directory)", e.msg);
    same_keys(doc.root, fleet);
    machines = node_get(node_get(doc.root, "properties"), "machines");
    same_keys(node_get(machines, "items"), machine);
    assert_true(str_is(node_get(machines, "maxItems")->text, "500"));
    assert_int_equal(FLEET_MACHINES_MAX, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines_are_read),
        cmocka_unit_test(faults_say_where_and_what_would_work),
        cmocka_unit_test(a_fleet_has_an_end),
        cmocka_unit_test(the_schema_has_the_same_keys),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
