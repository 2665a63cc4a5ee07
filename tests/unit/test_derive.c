/* tests/unit/test_derive.c - what chosen wheels and debs mean, also of a PyTorch that the catalog
 * does not know. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/derive.h"

static struct catalog catalog;

static int begin(void **state)
{
    struct err e = {0};

    return catalog_open(&catalog, NULL, &e);
}

static int end(void **state)
{
    catalog_clear(&catalog);
    return 0;
}

static void hear(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_WARNING)
        buf_fmt(ctx, "%s\n", event->name);
}

/* "torch==2.6.0 deb:git==1": the artifacts of a lock. */
static void choose(struct lock *lock, struct str words)
{
    struct str word, name;

    lock->python = STR("3.11");
    while (str_word(&words, &word)) {
        bool deb = str_skip(&word, STR("deb:"));

        assert_true(str_cut(&word, STR("=="), &name));
        vec_add(
            &lock->artifacts,
            ((struct artifact){.eco = deb ? ECO_DEB : ECO_WHEEL, .name = name, .version = word}));
    }
}

static void facts_come_from_what_is_chosen(void **state)
{
    static const struct {
        const char *chosen, *pytorch, *cuda, *toolkit, *cudnn, *nccl, *driver, *archs, *compat;
        const char *warns; /* NULL: not at all */
    } cases[] = {
        /* nvidia's own pins */
        {"torch==2.6.0 nvidia-cuda-runtime-cu12==12.4.127 nvidia-cudnn-cu12==9.1.0.70 "
         "nvidia-nccl-cu12==2.21.5",
         "2.6.0", "12.4", "12.4.1", "9.1.0.70", "2.21.5", "525.60.13",
         "5.0 6.0 7.0 7.5 8.0 8.6 9.0", "", NULL},
        {"torch==2.16.0 nvidia-cuda-runtime-cu12==12.9.79 nvidia-cudnn-cu12==9.30.0.1", "2.16.0",
         "12.9", "", "9.30.0.1", "", "525.60.13", "", "", "2.16.0 for CUDA 12.9 is not in"},
        /* the meta package and its extras, beside nvidia's wheels without a suffix or alone */
        {"torch==2.16.0 cuda-toolkit==13.4.1 nvidia-cuda-runtime==13.4.40 nvidia-cudnn-cu13==9.30",
         "2.16.0", "13.4", "13.4.1", "9.30", "", "580.65.06", "", "", "2.16.0 for CUDA 13.4 is"},
        {"torch==2.16.0 cuda-toolkit==13.4.1", "2.16.0", "13.4", "13.4.1", "", "", "580.65.06", "",
         "", "2.16.0 for CUDA 13.4 is not in the catalog"},
        {"torch==2.13.0 cuda-toolkit==13.0.3.0 nvidia-cuda-runtime==13.0.96", "2.13.0", "13.0",
         "13.0.3", "", "", "580.65.06", "7.5 8.0 8.6 9.0 10.0 12.0", "", NULL},
        {"torch==2.99.0 cuda-toolkit==13", "2.99.0", "13", "13", "", "", "580.65.06", "", "",
         "2.99.0 for CUDA 13 is not in the catalog"},
        /* the local tag: the libraries are in the wheel */
        {"torch==2.16.0+cu134", "2.16.0", "13.4", "", "", "", "580.65.06", "", "",
         "2.16.0 for CUDA 13.4 is not in the catalog"},
        {"torch==2.1.0+cu118", "2.1.0", "11.8", "11.8.0", "", "", "450.80.02",
         "3.7 5.0 6.0 7.0 7.5 8.0 8.6 9.0", "", NULL},
        /* what is there counts more than a name */
        {"torch==2.6.0+cu126 nvidia-cuda-runtime-cu12==12.4.127", "2.6.0", "12.4", "12.4.1", "", "",
         "525.60.13", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", "", NULL},
        /* a CUDA family of tomorrow */
        {"torch==3.0.0 cuda-toolkit==14.0.0", "3.0.0", "14.0", "14.0.0", "", "", "", "", "",
         "3.0.0 for CUDA 14.0 is not in the catalog"},
        /* no CUDA at all: derive_check() says so */
        {"torch==2.16.0+cpu", "2.16.0", "", "", "", "", "", "", "", NULL},
        /* one secondary source */
        {"torch==2.14.0 cuda-toolkit==13.0.3", "2.14.0", "13.0", "13.0.3", "", "", "580.65.06",
         "7.5 8.0 8.6 9.0 10.0 12.0", "", "for which GPUs it has code is not confirmed"},
        /* a forward-compatibility package */
        {"torch==2.6.0 nvidia-cuda-runtime-cu12==12.4.127 deb:cuda-compat-12-4==550.54.15-1 "
         "deb:cuda-compat-12-6==560.35.05-0ubuntu1 deb:cuda-compat-12-5==555.42.06-1",
         "2.6.0", "12.4", "12.4.1", "", "", "525.60.13", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", "560.35.05",
         NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock lock = {0};
        CLEANUP(buf_clear) struct buf heard = {0};
        const struct events events = {.emit = hear, .ctx = &heard};
        const struct facts *f = &lock.facts;

        choose(&lock, str_of(cases[i].chosen));
        derive_facts(&lock, &catalog, &events);
        if (!str_is(f->pytorch, cases[i].pytorch) || !str_is(f->cuda, cases[i].cuda) ||
            !str_is(f->cuda_toolkit, cases[i].toolkit) || !str_is(f->cudnn, cases[i].cudnn) ||
            !str_is(f->nccl, cases[i].nccl) || !str_is(f->driver_min, cases[i].driver) ||
            !str_is(f->archs, cases[i].archs) || !str_is(f->compat, cases[i].compat))
            fail_msg("%s: PyTorch " STR_FMT ", CUDA " STR_FMT ", toolkit " STR_FMT, cases[i].chosen,
                     STR_ARG(f->pytorch), STR_ARG(f->cuda), STR_ARG(f->cuda_toolkit));
        if (!cases[i].warns && heard.len)
            fail_msg("%s: %s", cases[i].chosen, heard.p);
        if (cases[i].warns && (!heard.p || !strstr(heard.p, cases[i].warns)))
            fail_msg("%s: %s", cases[i].chosen, heard.p ? heard.p : "no warning");
    }
}

static void the_toolkit_names_its_driver(void **state)
{
    CLEANUP(lock_clear) struct lock lock = {0};

    choose(&lock, STR("torch==2.13.0 cuda-toolkit==13.0.3.0"));
    derive_facts(&lock, &catalog, NULL);
    assert_true(str_is(lock.facts.driver_full, "580.126.20"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(facts_come_from_what_is_chosen),
                                       cmocka_unit_test(the_toolkit_names_its_driver)};

    return cmocka_run_group_tests(tests, begin, end);
}
