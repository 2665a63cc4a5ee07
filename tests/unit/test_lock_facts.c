/* tests/unit/test_derive.c - what chosen wheels and debs mean, also of a PyTorch that the catalog
 * does not know. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/lock_facts.h"
#include "catalog_fixture.h"

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
        {"torch==2.1.0+cu118", "2.1.0", "11.8", "11.8.0", "8.7.0.84", "2.15.5", "450.80.02",
         "3.7 5.0 6.0 7.0 7.5 8.0 8.6 9.0", "", NULL},
        /* a build of the index whose libraries are NVIDIA's wheels */
        {"torch==2.6.0+cu118 nvidia-cuda-runtime-cu11==11.8.89 nvidia-cudnn-cu11==9.1.0.70 "
         "nvidia-nccl-cu11==2.21.5",
         "2.6.0", "11.8", "11.8.0", "9.1.0.70", "2.21.5", "450.80.02",
         "3.7 5.0 6.0 7.0 7.5 8.0 8.6 9.0", "",
         "2.6.0 for CUDA 11.8: for which GPUs it has code is not confirmed"},
        /* what is there counts more than a name */
        {"torch==2.6.0+cu126 nvidia-cuda-runtime-cu12==12.4.127", "2.6.0", "12.4", "12.4.1", "", "",
         "525.60.13", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", "", NULL},
        /* a CUDA family of tomorrow */
        {"torch==3.0.0 cuda-toolkit==14.0.0", "3.0.0", "14.0", "14.0.0", "", "", "", "", "",
         "3.0.0 for CUDA 14.0 is not in the catalog"},
        /* no CUDA at all, and nothing of PyPI's build of that release */
        {"torch==2.16.0+cpu", "2.16.0", "", "", "", "", "", "", "", NULL},
        {"torch==2.6.0+cpu", "2.6.0", "", "", "", "", "", "", "", NULL},
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
        lock_facts_derive(&lock, &catalog, &events);
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

static void images_ask_for_what_they_need(void **state)
{
    static const char *const cases[][2] = {
        {"torch==2.6.0 nvidia-cuda-runtime-cu12==12.4.127", "driver>=525.60.13"},
        {"torch==2.13.0 cuda-toolkit==13.0.3.0", "driver>=580.65.06"},
        {"torch==3.0.0 cuda-toolkit==14.0.0", "cuda>=14.0"}, /* a family of tomorrow */
        {"torch==2.6.0+cpu", ""},
        {"torch==2.6.0 nvidia-cuda-runtime-cu12==12.4.127 deb:cuda-compat-12-4==550.54.15-1",
         "driver>=525.60.13"}, /* works on 535 alone, which needs none */
        {"torch==2.13.0 cuda-toolkit==13.0.3.0 deb:cuda-compat-13-0==580.65.06-1",
         "driver>=580.65.06 brand=quadro,driver>=535,driver<536 "
         "brand=quadrortx,driver>=535,driver<536 brand=nvidiartx,driver>=535,driver<536 "
         "brand=tesla,driver>=535,driver<536 brand=nvidia,driver>=535,driver<536 "
         "brand=quadro,driver>=570,driver<571 brand=quadrortx,driver>=570,driver<571 "
         "brand=nvidiartx,driver>=570,driver<571 brand=tesla,driver>=570,driver<571 "
         "brand=nvidia,driver>=570,driver<571"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock lock = {0};

        choose(&lock, str_of(cases[i][0]));
        lock_facts_derive(&lock, &catalog, NULL);
        if (!str_is(lock.facts.require, cases[i][1]))
            fail_msg("%s: " STR_FMT, cases[i][0], STR_ARG(lock.facts.require));
    }
}

static void the_toolkit_names_its_driver(void **state)
{
    CLEANUP(lock_clear) struct lock lock = {0};

    choose(&lock, STR("torch==2.13.0 cuda-toolkit==13.0.3.0"));
    lock_facts_derive(&lock, &catalog, NULL);
    assert_true(str_is(lock.facts.driver_full, "580.126.20"));
}

/* "x,y,cu13:z" as what a wheel needs, itself and by an extra. */
static void add_needs(struct artifact *a, struct arena *arena, struct str text)
{
    struct str one, extra;

    a->needs.v = arena_alloc(arena, 8 * sizeof *a->needs.v);
    while (str_item(&text, ',', &one)) {
        struct strs *to = &a->needs;

        if (str_cut(&one, STR(":"), &extra)) {
            struct artifact_extra *x = a->extras.v = arena_alloc(arena, sizeof *x);

            a->extras.n = 1;
            *x = (struct artifact_extra){extra, {.v = arena_alloc(arena, sizeof one)}};
            to = &x->needs;
        }
        to->v[to->n++] = one;
    }
}

/* `chosen` as for choose(), "name==version@place" where it matters where a wheel is from, and
 * "name==version>need" where what it needs does. */
static void check_choice(struct buf *faults, const char *yaml, const char *chosen)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct artifact *a;

    if (recipe_parse(&r, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s: %s", yaml, e.msg);
    choose(&lock, str_of(chosen));
    vec_each(a, &lock.artifacts) {
        struct str needs = a->version, from;

        if (str_cut(&needs, STR(">"), &a->version))
            add_needs(a, &lock.doc.arena, needs);
        from = a->version;
        a->from = a->url = str_cut(&from, STR("@"), &a->version) ? from : STR("index");
    }
    lock_facts_derive(&lock, &catalog, NULL);
    if (lock_facts_check(&lock, &catalog, &r, &e) < 0)
        assert_int_equal(e.kind, ERR_UNSAT);
    for (const struct err *f = &e; f && f->msg; f = f->next)
        buf_fmt(faults, "%s%u: %s", faults->len ? "\n" : "", f->line, f->msg);
}

static void a_choice_is_of_one_build_and_the_one_asked_for(void **state)
{
#define P "pytorch: 2.6.0\n"
#define RUN118 " nvidia-cuda-runtime-cu11==11.8.89"
#define RUN124 " nvidia-cuda-runtime-cu12==12.4.127"
    static const char *const cases[][3] = {
        {P, "torch==2.6.0" RUN124 " torchvision==0.21.0 torchaudio==2.6.0", ""},
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 " torchvision==0.21.0+cu118", ""},
        {"pytorch: 2.1.0\ncuda: 11.8\n", "torch==2.1.0+cu118 torchvision==0.16.0+cu118", ""},
        {P "cuda: cpu\n", "torch==2.6.0+cpu torchvision==0.21.0+cpu", ""},
        /* another build than the one asked for */
        {P "cuda: 11.8\n", "torch==2.6.0" RUN124,
         "2: cuda: \"11.8\" is asked for, but PyTorch 2.6.0 from index comes with CUDA 12.4"},
        {"pytorch: 2.99.0\ncuda: 12.9\n", "torch==2.99.0 nvidia-cuda-runtime-cu12==12.8.90",
         "2: cuda: \"12.9\" is asked for, but PyTorch 2.99.0 from index comes with CUDA 12.8; the "
         "catalog does not know this release, so name the index of its other builds: {url: "
         "\"https://download.pytorch.org/whl/cu129/\", only: [torch, torchvision, torchaudio]}"},
        {P "cuda: cpu\n", "torch==2.6.0+cu118",
         "2: cuda: cpu is asked for, but PyTorch 2.6.0 comes with CUDA 11.8"},
        {P "cuda: cpu\n", "torch==2.6.0+cpu nvidia-nccl-cu12==2.21.5",
         "2: cuda: cpu is asked for, and nvidia-nccl-cu12 2.21.5 would be in the image; a "
         "requirement in `pip` asks for CUDA"},
        {P, "torch==2.6.0+cpu",
         "1: pytorch: the wheel of 2.6.0 from index names no CUDA library; where it has none, "
         "write `cuda: cpu`"},
        /* torchvision and its like: their label says it, and none is PyPI's build */
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 " torchvision==0.21.0+cu126",
         "1: torchvision 0.21.0+cu126 is built for CUDA 12.6, and torch 2.6.0+cu118 is built for "
         "CUDA 11.8: both must be of one build"},
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 " torchaudio==2.6.0",
         "1: torchaudio 2.6.0 is built for CUDA 12.4, and torch 2.6.0+cu118 is built for CUDA "
         "11.8: both must be of one build"},
        {P, "torch==2.6.0" RUN124 " torchaudio==2.6.0+cpu",
         "1: torchaudio 2.6.0+cpu is built for the CPU, and torch 2.6.0 is built for CUDA 12.4: "
         "both must be of one build"},
        {P "cuda: cpu\n", "torch==2.6.0+cpu torchvision==0.21.0",
         "1: torchvision 0.21.0 is built for CUDA 12.4, and torch 2.6.0+cpu is built for the CPU: "
         "both must be of one build"},
        {P, "torch==2.6.0" RUN124 " torchvision==0.21.0+cu124", ""},
        {P "cuda: 12.4\n", "torch==2.6.0+cu124" RUN124 " torchvision==0.21.0", ""},
        /* where all is of one build, and what one has built oneself */
        {P "cuda: 11.8\n",
         "torch==2.6.0+cu118" RUN118 " xformers==0.0.29@https://download.pytorch.org/whl/cu118/",
         ""},
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 " torchvision==0.21.0@./torchvision.whl",
         ""},
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 " torchmetrics==1.0 numpy==2.0+mine", ""},
        /* one library twice */
        {P "cuda: 11.8\n", "torch==2.6.0+cu118" RUN118 RUN124,
         "0: two copies of one library would be in the image: nvidia-cuda-runtime-cu11 11.8.89 and "
         "nvidia-cuda-runtime-cu12 12.4.127; a requirement in `pip` asks for "
         "nvidia-cuda-runtime-cu12, and PyTorch 2.6.0 comes with CUDA 11.8: leave that out, or "
         "take a PyTorch of the other CUDA"},
        {P, "torch==2.6.0" RUN124 " nvidia-nccl-cu12==2 nvidia-nccl-cu11==2 x==1>nvidia-nccl-cu11",
         "0: two copies of one library would be in the image: nvidia-nccl-cu12 2 and "
         "nvidia-nccl-cu11 2; x asks for nvidia-nccl-cu11, and PyTorch 2.6.0 comes with CUDA 12.4: "
         "leave that out, or take a PyTorch of the other CUDA"},
        /* on purpose, and what the image asks of a driver stays true */
        {P,
         "torch==2.6.0" RUN124
         " dsl==1>nvidia-dsl-cu11,cu12:nvidia-dsl-cu12 nvidia-dsl-cu11==1 nvidia-dsl-cu12==1",
         ""},
        {"pytorch: 2.14.1\n",
         "torch==2.14.1 cuda-toolkit==13.0.3 dsl==1>nvidia-dsl,nvidia-dsl-cu12 nvidia-dsl-cu12==1 "
         "nvidia-dsl==1",
         ""},
        {"pytorch: 2.14.1\n",
         "torch==2.14.1 cuda-toolkit==13.0.3 dsl==1>nvidia-dsl-cu12,cu13:nvidia-dsl-cu13 "
         "nvidia-dsl-cu12==1 nvidia-dsl-cu13==1",
         ""},
        /* a newer one than torch's would need another driver */
        {P,
         "torch==2.6.0" RUN124 " dsl==1>nvidia-dsl-cu12,cu13:nvidia-dsl-cu13 nvidia-dsl-cu12==1 "
         "nvidia-dsl-cu13==1",
         "0: two copies of one library would be in the image: nvidia-dsl-cu12 1 and "
         "nvidia-dsl-cu13 "
         "1; dsl[cu13] asks for nvidia-dsl-cu13, and PyTorch 2.6.0 comes with CUDA 12.4: leave "
         "that "
         "out, or take a PyTorch of the other CUDA"},
        {P,
         "torch==2.6.0" RUN124
         " dsl==1>nvidia-dsl-cu12,nvidia-dsl nvidia-dsl==1 nvidia-dsl-cu12==1",
         "0: two copies of one library would be in the image: nvidia-dsl 1 and nvidia-dsl-cu12 1; "
         "dsl asks for nvidia-dsl, and PyTorch 2.6.0 comes with CUDA 12.4: leave that out, or take "
         "a PyTorch of the other CUDA"},
    };
#undef P

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf faults = {0};

        check_choice(&faults, cases[i][0], cases[i][1]);
        assert_string_equal(faults.p ? faults.p : "", cases[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_come_from_what_is_chosen),
        cmocka_unit_test(images_ask_for_what_they_need),
        cmocka_unit_test(the_toolkit_names_its_driver),
        cmocka_unit_test(a_choice_is_of_one_build_and_the_one_asked_for),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
