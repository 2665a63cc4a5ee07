/* host/verdict.h - will an image run on a host? A judgement from numbers alone: what the image
 * needs, which driver and GPUs are there, and what the catalog knows of both.
 *
 * Each reason has a code that stays, the rule that it follows from, and a sentence with the number
 * that is there and the one that is needed. Nothing is guessed: where the catalog does not know,
 * nothing is said against the image.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/catalog.h"
#include "../model/lock.h"

struct host {
    bool has_driver;   /* false: nothing is known of a driver, and none is judged */
    struct str driver; /* "550.54.15"; empty: there is none */
    bool hidden;       /* there is one, and its version cannot be read */
    struct str arch;   /* of its processor, "arm64"; empty: nobody says */
    bool asked;        /* a machine was: these are all its GPUs, and it may have none */
    struct VEC_OF(struct catalog_gpu) gpus;
    struct strs unknown; /* names of GPUs whose capability nobody tells */
};

/* The processor: that of the GPU where it is sold with one alone, else what is told; may be empty.
 */
struct str host_arch(const struct host *h);
/* Is there something that nobody can judge, so that nothing is advised? */
bool host_unseen(const struct host *h);

enum verdict { VERDICT_RUNS, VERDICT_LIMITS, VERDICT_NO };
const char *verdict_name(enum verdict v); /* "runs", "runs-with-limits", "does-not-run" */

struct reason {
    const char *code, *rule;
    enum verdict verdict; /* what it alone would make of the image; VERDICT_RUNS: it is but told */
    bool
        beside; /* a limit of what PyTorch itself does not do: a program of one's own may meet it */
    struct str sentence;
};

struct judgement {
    struct arena arena; /* owns the sentences */
    enum verdict verdict;
    struct VEC_OF(struct reason) reasons; /* the gravest first; empty: nothing stands against it */
};

/* A GPU as a machine names it: its own compute capability counts, its name gives the class. `cc` or
 * `name` may be empty. False when neither tells the capability. Texts live as long as the
 * arguments' and the catalog. */
bool host_gpu(struct catalog_gpu *out, const struct catalog *c, struct str name, struct str cc);

void judge(struct judgement *out, const struct facts *image, const struct host *h,
           const struct catalog *c);
void judgement_clear(struct judgement *j);
/* Does all run that PyTorch itself does? */
bool judgement_whole(const struct judgement *j);

/* What the catalog says of a build, as an image of it would need; empty texts where it does not
 * know. Texts live as long as the catalog. */
void facts_of_build(struct facts *out, const struct catalog *c, struct str pytorch,
                    const struct catalog_build *b);
/* The newest release of which a build runs on the host with all that PyTorch itself does, else with
 * limits; of several PyPI's, else that of the newest CUDA. False when none does. */
bool newest_that_runs(struct facts *out, const struct host *h, const struct catalog *c);
