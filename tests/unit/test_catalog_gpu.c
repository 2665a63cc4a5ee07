/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/dotted.h"
#include "model/catalog.h"

static void open_built_in(struct catalog *c)
{
    CLEANUP(err_clear) struct err e = {0};

    if (catalog_open(c, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}

static void names_mean_what_people_mean(void **state)
{
    static const struct {
        const char *asked, *name, *cc, *class, *arch;
    } cases[] = {
        /* as nvidia-smi prints them */
        {"NVIDIA GeForce RTX 5090", "GeForce RTX 5090", "12.0", "geforce", "Blackwell"},
        {"NVIDIA GeForce RTX 5070 Ti Laptop GPU", "GeForce RTX 5070 Ti", "12.0", "geforce",
         "Blackwell"},
        {"NVIDIA GeForce RTX 4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"NVIDIA GeForce RTX 4090 Laptop GPU", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"NVIDIA GeForce RTX 4070 Ti SUPER", "GeForce RTX 4070 Ti SUPER", "8.9", "geforce", "Ada"},
        {"NVIDIA GeForce RTX 3090 Ti", "GeForce RTX 3090 Ti", "8.6", "geforce", "Ampere"},
        {"NVIDIA GeForce RTX 3080", "GeForce RTX 3080", "8.6", "geforce", "Ampere"},
        {"NVIDIA GeForce RTX 3050 6GB Laptop GPU", "GeForce RTX 3050", "8.6", "geforce", "Ampere"},
        {"GeForce RTX 2080 Ti", "GeForce RTX 2080 Ti", "7.5", "geforce", "Turing"},
        {"GeForce RTX 2080 with Max-Q Design", "GeForce RTX 2080", "7.5", "geforce", "Turing"},
        {"NVIDIA GeForce GTX 1660 SUPER", "GeForce GTX 1660 SUPER", "7.5", "geforce", "Turing"},
        {"NVIDIA GeForce GTX 1660 Ti", "GeForce GTX 1660 Ti", "7.5", "geforce", "Turing"},
        {"NVIDIA GeForce GTX 1060 6GB", "GeForce GTX 1060", "6.1", "geforce", "Pascal"},
        {"GeForce GTX 1080 Ti", "GeForce GTX 1080 Ti", "6.1", "geforce", "Pascal"},
        {"NVIDIA GeForce GTX 970", "GeForce GTX 970", "5.2", "geforce", "Maxwell"},
        {"NVIDIA GeForce GTX TITAN X", "GeForce GTX TITAN X", "5.2", "geforce", "Maxwell"},
        {"NVIDIA GeForce GTX 750 Ti", "GeForce GTX 750 Ti", "5.0", "geforce", "Maxwell"},
        {"NVIDIA TITAN RTX", "TITAN RTX", "7.5", "titan", "Turing"},
        {"NVIDIA TITAN V", "TITAN V", "7.0", "titan", "Volta"},
        {"NVIDIA TITAN Xp", "TITAN Xp", "6.1", "titan", "Pascal"},
        {"NVIDIA TITAN X (Pascal)", "TITAN X (Pascal)", "6.1", "titan", "Pascal"},
        {"NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
         "RTX PRO 6000 Blackwell Workstation Edition", "12.0", "workstation", "Blackwell"},
        {"NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
         "RTX PRO 6000 Blackwell Max-Q Workstation Edition", "12.0", "workstation", "Blackwell"},
        {"NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell Server Edition",
         "12.0", "datacenter", "Blackwell"},
        {"NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", "8.9", "workstation", "Ada"},
        {"NVIDIA RTX 2000 Ada Generation Laptop GPU", "RTX 2000 Ada", "8.9", "workstation", "Ada"},
        {"NVIDIA RTX A6000", "RTX A6000", "8.6", "workstation", "Ampere"},
        {"NVIDIA RTX A2000 12GB", "RTX A2000", "8.6", "workstation", "Ampere"},
        {"Quadro RTX 8000", "Quadro RTX 8000", "7.5", "workstation", "Turing"},
        {"Quadro RTX 6000", "Quadro RTX 6000", "7.5", "workstation", "Turing"},
        {"NVIDIA T1000 8GB", "T1000", "7.5", "workstation", "Turing"},
        {"Quadro GV100", "Quadro GV100", "7.0", "workstation", "Volta"},
        {"Quadro P5000", "Quadro P5000", "6.1", "workstation", "Pascal"},
        {"Quadro M6000 24GB", "Quadro M6000", "5.2", "workstation", "Maxwell"},
        {"NVIDIA GB10", "GB10", "12.1", "datacenter", "Blackwell"},
        {"NVIDIA GB300", "GB300", "10.3", "datacenter", "Blackwell"},
        {"NVIDIA B300 SXM6 AC", "B300", "10.3", "datacenter", "Blackwell"},
        {"NVIDIA GB200", "GB200", "10.0", "datacenter", "Blackwell"},
        {"NVIDIA B200", "B200", "10.0", "datacenter", "Blackwell"},
        {"NVIDIA H200", "H200", "9.0", "datacenter", "Hopper"},
        {"NVIDIA GH200 480GB", "GH200", "9.0", "datacenter", "Hopper"},
        {"NVIDIA H100 80GB HBM3", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA H100 PCIe", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA H100 NVL", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA L4", "L4", "8.9", "datacenter", "Ada"},
        {"NVIDIA L40S", "L40S", "8.9", "datacenter", "Ada"},
        {"NVIDIA A40", "A40", "8.6", "datacenter", "Ampere"},
        {"NVIDIA A10G", "A10G", "8.6", "datacenter", "Ampere"},
        {"NVIDIA A100-SXM4-80GB", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA A100 80GB PCIe", "A100", "8.0", "datacenter", "Ampere"},
        {"A100-PCIE-40GB", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA A800-SXM4-80GB", "A800", "8.0", "datacenter", "Ampere"},
        {"Tesla T4", "T4", "7.5", "datacenter", "Turing"},
        {"Tesla V100-SXM2-32GB", "V100", "7.0", "datacenter", "Volta"},
        {"Tesla V100S-PCIE-32GB", "V100S", "7.0", "datacenter", "Volta"},
        {"Tesla P100-PCIE-16GB", "P100", "6.0", "datacenter", "Pascal"},
        {"Tesla P40", "P40", "6.1", "datacenter", "Pascal"},
        {"Tesla M60", "M60", "5.2", "datacenter", "Maxwell"},
        {"Orin (nvgpu)", "Jetson AGX Orin", "8.7", "jetson", "Ampere"},
        {"NVIDIA GeForce GTX 1650 Ti with Max-Q Design", "GeForce GTX 1650 Ti", "7.5", "geforce",
         "Turing"},
        {"NVIDIA GeForce MX150", "GeForce MX150", "6.1", "geforce", "Pascal"},
        {"Quadro T2000", "Quadro T2000", "7.5", "workstation", "Turing"},
        {"Quadro T1000", "T1000", "7.5", "workstation", "Turing"},
        {"NVIDIA RTX A500 Laptop GPU", "RTX A500", "8.6", "workstation", "Ampere"},
        {"Tesla K80", "K80", "3.7", "datacenter", "Kepler"},
        {"Tesla K40m", "K40m", "3.5", "datacenter", "Kepler"},
        {"Quadro K600", "Quadro K600", "3.0", "workstation", "Kepler"},
        {"NVIDIA GeForce RTX 4090 D", "GeForce RTX 4090 D", "8.9", "geforce", "Ada"},
        {"RTX 5090D", "GeForce RTX 5090 D", "12.0", "geforce", "Blackwell"},
        {"NVIDIA L2", "L2", "8.9", "datacenter", "Ada"},
        {"NVIDIA L20", "L20", "8.9", "datacenter", "Ada"},
        {"NVIDIA RTX 5880 Ada Generation", "RTX 5880 Ada", "8.9", "workstation", "Ada"},
        {"NVIDIA RTX 500 Ada Generation Laptop GPU", "RTX 500 Ada", "8.9", "workstation", "Ada"},
        {"NVIDIA Thor", "Jetson AGX Thor", "11.0", "jetson", "Blackwell"},
        {"GB10 (DGX Spark)", "GB10", "12.1", "datacenter", "Blackwell"},
        /* virtual GPUs */
        {"GRID T4-16Q", "T4", "7.5", "datacenter", "Turing"},
        {"GRID P40-24Q", "P40", "6.1", "datacenter", "Pascal"},
        {"GRID M60-2B4", "M60", "5.2", "datacenter", "Maxwell"},
        {"GRID V100DX-32Q", "V100", "7.0", "datacenter", "Volta"},
        {"NVIDIA A40-48Q", "A40", "8.6", "datacenter", "Ampere"},
        {"NVIDIA H100L-47C", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA H100XM-80C", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA A100-4-20C", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA A100DX-80C", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA RTXA6000-48Q", "RTX A6000", "8.6", "workstation", "Ampere"},
        {"NVIDIA L40S-48Q", "L40S", "8.9", "datacenter", "Ada"},
        {"GRID RTX8000P-48Q", "Quadro RTX 8000", "7.5", "workstation", "Turing"},
        /* MIG devices, labels, pasted lines */
        {"NVIDIA A100-SXM4-80GB MIG 1g.10gb", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA-H100-80GB-HBM3-MIG-1g.10gb.me", "H100", "9.0", "datacenter", "Hopper"},
        {"NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED", "A100", "8.0", "datacenter", "Ampere"},
        {"NVIDIA-L40S-SHARED", "L40S", "8.9", "datacenter", "Ada"},
        {"NVIDIA-GeForce-RTX-4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5b3e6b1e-8f6a-4a0e-9d0e-0123456789ab)", "A100",
         "8.0", "datacenter", "Ampere"},
        {" GPU 12: Tesla T4 (UUID: GPU-0a)\n", "T4", "7.5", "datacenter", "Turing"},
        /* as people write them */
        {"K80", "K80", "3.7", "datacenter", "Kepler"},
        {"RTX 4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"rtx4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"RTX-4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"4090", "GeForce RTX 4090", "8.9", "geforce", "Ada"},
        {"3090 Ti", "GeForce RTX 3090 Ti", "8.6", "geforce", "Ampere"},
        {"3090ti", "GeForce RTX 3090 Ti", "8.6", "geforce", "Ampere"},
        {"GTX 1080", "GeForce GTX 1080", "6.1", "geforce", "Pascal"},
        {"gtx1080ti", "GeForce GTX 1080 Ti", "6.1", "geforce", "Pascal"},
        {"geforce 970", "GeForce GTX 970", "5.2", "geforce", "Maxwell"},
        {"rtx 3060 laptop", "GeForce RTX 3060", "8.6", "geforce", "Ampere"},
        {"A100", "A100", "8.0", "datacenter", "Ampere"},
        {"a100 40 GB", "A100", "8.0", "datacenter", "Ampere"},
        {"a100-80g", "A100", "8.0", "datacenter", "Ampere"},
        {"H100", "H100", "9.0", "datacenter", "Hopper"},
        {"h100 sxm5", "H100", "9.0", "datacenter", "Hopper"},
        {"nvidia l40s", "L40S", "8.9", "datacenter", "Ada"},
        {"v100", "V100", "7.0", "datacenter", "Volta"},
        {"Nvidia Tesla T4", "T4", "7.5", "datacenter", "Turing"},
        {"A6000", "RTX A6000", "8.6", "workstation", "Ampere"},
        {"Quadro RTX A6000", "RTX A6000", "8.6", "workstation", "Ampere"},
        {"RTX 6000 Ada", "RTX 6000 Ada", "8.9", "workstation", "Ada"},
        {"6000 ada", "RTX 6000 Ada", "8.9", "workstation", "Ada"},
        {"RTX PRO 6000 Blackwell", "RTX PRO 6000 Blackwell Workstation Edition", "12.0",
         "workstation", "Blackwell"},
        {"rtx pro 6000", "RTX PRO 6000 Blackwell Workstation Edition", "12.0", "workstation",
         "Blackwell"},
        {"RTX 8000", "Quadro RTX 8000", "7.5", "workstation", "Turing"},
        {"titan v", "TITAN V", "7.0", "titan", "Volta"},
        {"DGX Spark", "DGX Spark", "12.1", "datacenter", "Blackwell"},
        {"Jetson Orin Nano Developer Kit", "Jetson Orin Nano", "8.7", "jetson", "Ampere"},
        {"orin nx", "Jetson Orin NX", "8.7", "jetson", "Ampere"},
        /* by capability */
        {"sm_89", "", "8.9", "", "Ada"},
        {"SM_89", "", "8.9", "", "Ada"},
        {"sm_90a", "", "9.0", "", "Hopper"},
        {"compute_75", "", "7.5", "", "Turing"},
        {"8.9", "", "8.9", "", "Ada"},
        {" 89 ", "", "8.9", "", "Ada"},
        {"100", "", "10.0", "", "Blackwell"},
        {"12.0", "", "12.0", "", "Blackwell"},
        {"3.7", "", "3.7", "", "Kepler"},
        /* not known, or of several capabilities */
        {"RTX 6000", NULL, NULL, NULL, NULL}, /* Quadro 7.5, Ada 8.9 */
        {"RTX 4000", NULL, NULL, NULL, NULL},
        {"6000", NULL, NULL, NULL, NULL},
        {"TITAN X", NULL, NULL, NULL, NULL}, /* Maxwell 5.2, Pascal 6.1 */
        {"RTX 4091", NULL, NULL, NULL, NULL},
        {"RTX 3090 Ti Super Duper", NULL, NULL, NULL, NULL},
        {"Radeon RX 7900", NULL, NULL, NULL, NULL},
        {"NVIDIA", NULL, NULL, NULL, NULL},
        {"GeForce", NULL, NULL, NULL, NULL},
        {"RTX", NULL, NULL, NULL, NULL},
        {"RTX6000-8Q", NULL, NULL, NULL, NULL},
        {"RTX 4090 (A100)", NULL, NULL, NULL, NULL},
        {"MIG 1g.10gb", NULL, NULL, NULL, NULL},
        {"GPU 0:", NULL, NULL, NULL, NULL},
        {"-16Q", NULL, NULL, NULL, NULL},
        {"100 GB", NULL, NULL, NULL, NULL},
        {"quadro", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
        {"sm_42", NULL, NULL, NULL, NULL},
        {"9.9", NULL, NULL, NULL, NULL},
        {"one two three four five six seven eight nine ten 1 2 3 4 5 6 7 8 9", NULL, NULL, NULL,
         NULL},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_gpu g = {0};
        bool found = catalog_gpu(&c, str_of(cases[i].asked), &g);

        if (found != (cases[i].cc != NULL))
            fail_msg("%s: %s " STR_FMT, cases[i].asked, found ? "found" : "not found",
                     STR_ARG(g.name));
        if (!found)
            continue;
        if (!str_is(g.name, cases[i].name) || !str_is(g.cc, cases[i].cc))
            fail_msg("%s: " STR_FMT " " STR_FMT, cases[i].asked, STR_ARG(g.name), STR_ARG(g.cc));
        assert_true(str_is(g.class, cases[i].class));
        assert_true(str_is(g.arch, cases[i].arch));
        assert_false(g.unconfirmed);
    }
}

static void what_is_not_confirmed_is_told(void **state)
{
    static const char *const names[] = {"B100", "NVIDIA H20", "Quadro M5000M"};
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct catalog_gpu g = {0};

        assert_true(catalog_gpu(&c, str_of(names[i]), &g));
        assert_true(g.unconfirmed);
    }
}

static void near_names_are_listed(void **state)
{
    static const char *const cases[][2] = {
        {"RTX 6000", "RTX 6000 Ada|Quadro RTX 6000|RTX PRO 6000 Blackwell Workstation Edition"},
        {"TITAN X", "TITAN X (Pascal)|GeForce GTX TITAN X"},
        {"RTX 3091", "GeForce RTX 3090"},
        {"H101", "H100"},
        {"RTX 5070 Ti SUPER", "GeForce RTX 5070 Ti"},
        {"Voodoo 3", ""},
        {"K81", "K80"},
        {"K90", "K80"},
        {"TX3", ""}, /* TX1 and TX2 are of two generations */
        {"MX120", ""},
        {"RTX 9090", ""},
        {"", ""},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf got = {0};
        struct strs names = {0};
        const struct str *name;

        catalog_gpu_nearest(&c, str_of(cases[i][0]), 3, &names);
        assert_true(names.n <= 3);
        buf_puts(&got, "");
        vec_each(name, &names)
            buf_fmt(&got, "%s" STR_FMT, got.len ? "|" : "", STR_ARG(*name));
        vec_clear(&names);
        if (strncmp(got.p, cases[i][1], strlen(cases[i][1])) != 0 ||
            (cases[i][1][0] == '\0' && got.len))
            fail_msg("%s: %s", cases[i][0], got.p);
    }
}

/* Of each name in the table with another last digit. */
static void a_suggestion_is_of_the_same_generation(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    const struct node *cc, *group, *list, *name;
    size_t suggested = 0;

    open_built_in(&c);
    node_each(cc, node_get(c.gpu.root, "products"))
        node_each(group, cc)
            for (list = group->kind == NODE_MAP ? group->child : group; list;
                 list = group->kind == NODE_MAP ? list->next : NULL)
                node_each(name, list) {
                    CLEANUP(buf_clear) struct buf asked = {0};
                    struct catalog_gpu g;
                    struct strs near = {0};
                    const struct str *n;
                    size_t at = name->text.len;

                    while (at && !c_digit(name->text.p[at - 1]))
                        at--;
                    if (!at || str_find_str(name->text, STR("000")) < name->text.len)
                        continue; /* "RTX 4001" is of no line */
                    buf_str(&asked, name->text);
                    asked.p[at - 1] = asked.p[at - 1] == '9' ? '1' : '9';
                    if (catalog_gpu(&c, buf_view(&asked), &g))
                        continue;
                    catalog_gpu_nearest(&c, buf_view(&asked), 4, &near);
                    vec_each(n, &near) {
                        assert_true(catalog_gpu(&c, *n, &g));
                        if (!str_eq(dotted_first(g.cc, 1), dotted_first(cc->key, 1)))
                            fail_msg("%s: " STR_FMT, asked.p, STR_ARG(*n));
                        suggested++;
                    }
                    vec_clear(&near);
                }
    assert_true(suggested > 50);
}

static void who_is_sold_with_an_arm64_processor_alone(void **state)
{
    static const char *const arm64[] = {
        "NVIDIA GB10",  "DGX Spark",        "NVIDIA GH200 480GB", "NVIDIA GB200", "GB300",
        "Orin (nvgpu)", "Jetson Orin Nano", "NVIDIA Thor",        "sm_121",       "8.7",
        "11.0"};
    static const char *const either[] = {
        "NVIDIA H100 PCIe", "B200", "L4", "RTX 4090", "9.0", "10.0", "3.5"};
    CLEANUP(catalog_clear) struct catalog c = {0};
    struct catalog_gpu g;

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(arm64); i++)
        if (!catalog_gpu(&c, str_of(arm64[i]), &g) || !g.arm64)
            fail_msg("%s", arm64[i]);
    for (size_t i = 0; i < ARRAY_LEN(either); i++)
        if (!catalog_gpu(&c, str_of(either[i]), &g) || g.arm64)
            fail_msg("%s", either[i]);
}

static void architectures_tell_what_drives_them(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    struct catalog_arch a = {0};

    open_built_in(&c);
    assert_true(catalog_arch(&c, STR("6.1"), &a));
    assert_true(str_is(a.name, "Pascal") && str_is(a.toolkit_last, "12.9"));
    assert_true(str_is(a.branch_first, "367") && str_is(a.branch_last, "580"));
    assert_true(catalog_arch(&c, STR("12.0"), &a));
    assert_true(str_is(a.toolkit_first, "12.8") && a.toolkit_last.len == 0);
    assert_true(str_is(a.driver, "570.86.16") && a.driver_unconfirmed && !a.branches_unconfirmed);
    assert_true(a.branch_last.len == 0);
    assert_false(catalog_arch(&c, STR("4.2"), &a));
}

static void code_runs_where_the_rules_say(void **state)
{
    static const struct {
        const char *archs, *gpu;
        enum catalog_code want;
        const char *by;
    } cases[] = {
        {"5.0 6.0 7.0 7.5 8.0 8.6 9.0", "8.9", CODE_MACHINE, "8.6"},
        {"5.0 6.0 7.0 7.5 8.0 8.6 9.0", "8.0", CODE_MACHINE, "8.0"},
        {"5.0 6.0 7.0 7.5 8.0 8.6 9.0", "6.1", CODE_MACHINE, "6.0"},
        {"5.0 6.0 7.0 7.5 8.0 8.6 9.0", "12.0", CODE_NONE, ""}, /* never across majors */
        {"7.5 8.0 8.6 9.0 10.0 12.0", "7.0", CODE_NONE, ""},    /* never down */
        {"7.5 8.0 8.6 9.0 10.0 12.0", "10.3", CODE_MACHINE, "10.0"},
        {"7.5 8.0 8.6 9.0 10.0 12.0", "12.1", CODE_MACHINE, "12.0"},
        {"7.5 8.0 8.6 9.0 10.0 12.0+PTX", "12.0", CODE_MACHINE, "12.0"},
        {"8.0 9.0+PTX", "12.0", CODE_PTX, "9.0"},
        {"8.0+PTX 9.0+PTX", "12.0", CODE_PTX, "9.0"},
        {"8.0 9.0+PTX", "8.6", CODE_MACHINE, "8.0"},
        {"8.6+PTX", "8.0", CODE_NONE, ""},
        {"9.0a", "9.0", CODE_MACHINE, "9.0a"},
        {"10.0a", "10.3", CODE_NONE, ""}, /* that capability only */
        {"10.0f", "10.3", CODE_MACHINE, "10.0f"},
        {"9.0a+PTX", "12.0", CODE_NONE, ""},
        {"", "8.9", CODE_NONE, ""},
        {"all 8.x", "8.9", CODE_NONE, ""},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_gpu gpu = {0};
        struct str by = {0};

        assert_true(catalog_gpu(&c, str_of(cases[i].gpu), &gpu));
        if (catalog_code(str_of(cases[i].archs), &gpu, &by) != cases[i].want ||
            !str_is(by, cases[i].by))
            fail_msg("%s on %s: " STR_FMT, cases[i].archs, cases[i].gpu, STR_ARG(by));
    }
}

/* Every name in the table is found as itself, stands there once, and its capability is known. */
static void the_table_is_consistent(void **state)
{
    static const char *const classes[] = {"geforce", "titan", "workstation", "datacenter",
                                          "jetson"};
    CLEANUP(catalog_clear) struct catalog c = {0};
    const struct node *cc, *group, *list, *name;
    size_t n = 0;

    open_built_in(&c);
    node_each(cc, node_get(c.gpu.root, "products")) {
        struct catalog_arch a = {0};

        if (!catalog_arch(&c, cc->key, &a) || !a.name.len)
            fail_msg(STR_FMT " is not an architecture", STR_ARG(cc->key));
        node_each(group, cc) {
            bool nested = str_is(group->key, "same_chip") || str_is(group->key, "unconfirmed");

            for (list = nested ? group->child : group; list; list = nested ? list->next : NULL) {
                bool known = false;

                for (size_t i = 0; i < ARRAY_LEN(classes); i++)
                    known |= str_is(list->key, classes[i]);
                if (!known || list->kind != NODE_LIST)
                    fail_msg(STR_FMT " is not a class", STR_ARG(list->key));
                node_each(name, list) {
                    struct catalog_gpu g = {0};

                    if (!catalog_gpu(&c, name->text, &g) || g.name.p != name->text.p)
                        fail_msg(STR_FMT " is not found as itself", STR_ARG(name->text));
                    assert_true(str_eq(g.cc, cc->key) && str_eq(g.class, list->key));
                    n++;
                }
            }
        }
    }
    assert_true(n > 180);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_mean_what_people_mean),
        cmocka_unit_test(what_is_not_confirmed_is_told),
        cmocka_unit_test(near_names_are_listed),
        cmocka_unit_test(a_suggestion_is_of_the_same_generation),
        cmocka_unit_test(who_is_sold_with_an_arm64_processor_alone),
        cmocka_unit_test(architectures_tell_what_drives_them),
        cmocka_unit_test(code_runs_where_the_rules_say),
        cmocka_unit_test(the_table_is_consistent),
    };

    return cmocka_run_group_tests_name("catalog_gpu", tests, NULL, NULL);
}
