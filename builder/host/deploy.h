/* host/deploy.h - an image as those who run it want to be told of it: a Kubernetes Job or
 * Deployment, a Compose file, a Slurm batch script, a devcontainer.json. Text from facts: the same
 * image, repository and number of GPUs give the same bytes.
 *
 * What an image says of itself is not to be trusted: a value that means something to YAML, a shell
 * or a reader of devcontainer.json other than itself is refused or left out. The image is
 * named by its digest, but where the engine of this machine has it: no registry gave it one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/image.h"
#include "node_selector.h"

/* Of /dev/shm, as a limit and no reservation: workers of a DataLoader hand over tensors there. */
#define DEPLOY_SHM "8g"

struct deploy_image {      /* borrowed by what is made of it */
    struct str repository; /* where it is pulled from: "registry.example.org/team/pytorch" */
    struct str tag;        /* of its name, to be told; may be empty */
    struct str local;      /* what the engine here calls it; empty: it is pulled, by its digest */
    struct digest digest;
    struct str architecture; /* "amd64" */
    const struct facts *facts;
    struct str user, workdir; /* as in its config; may be empty */
    const struct strs *entrypoint, *cmd;
    const struct strs *ports, *volumes; /* as in its config */
    const struct image_health *health;
};

struct deploy_volume {
    const char *path; /* "/data": letters, digits and /._- alone */
    const char *name; /* "data": a DNS label, no other volume's */
};

/* One container a student, of one machine. */
struct deploy_seats {
    const struct strs *tokens; /* one a seat, at most SEATS_MAX: letters, digits and - alone */
    struct str host; /* by which students reach the machine; NULL: no sheet is asked for */
};
enum { SEATS_MAX = 500, SEAT_PORT = 10000 }; /* seat 7 is at port 10007 */

struct deploy {
    struct arena arena;
    const struct deploy_image *image;
    const char *ref;  /* "registry.example.org/team/pytorch@sha256:..." */
    const char *name; /* "pytorch": letters, digits and dashes, a DNS label of RFC 1123 */
    const char *what; /* "PyTorch 2.6.0, CUDA 12.4, cuDNN 9.1.0.70" */
    const char *try;  /* a Python program for images that would do nothing by themselves */
    bool all_gpus;    /* nobody said how many */
    uint32_t gpus;    /* 0: none is asked for */
    bool checks;      /* the image's entrypoint begins with our start-up check */
    bool idle;        /* the image does nothing by itself */
    struct VEC_OF(struct image_port) ports;
    struct VEC_OF(struct deploy_volume) volumes;
    const struct image_health *health; /* NULL: none */
    struct node_selector wanted;       /* where gpus is not 0 */
    struct node_selector
        drivers; /* the same for the driver alone; without a term where it is not known */
    const struct deploy_seats *seats; /* borrowed; NULL: it is one container */
    uint32_t seat_port;               /* that each of them listens on */
    bool monitoring;                  /* and what watches the GPUs */
};

/* `gpus` NULL: 1, or 0 of an image that has no CUDA. ERR_USAGE: it asks for GPUs and the image has
 * no CUDA; ERR_INPUT: what the image says of itself is no version or list of architectures, or it
 * has neither CUDA nor PyTorch and it was not said that it wants no GPU; ERR_UNSAT: nothing that
 * anybody knows runs it. */
int deploy_open(struct deploy *out, const struct deploy_image *image, const uint32_t *gpus,
                const struct catalog *c, struct err *e) MUST_CHECK;
void deploy_clear(struct deploy *d);

/* They stand in place of the one container; for Compose alone. ERR_USAGE: `host` is no name of a
 * machine; ERR_INPUT: the image listens on no port that students could open, or does
 * nothing by itself. */
int deploy_take_seats(struct deploy *d, const struct deploy_seats *seats, struct err *e) MUST_CHECK;
/* ERR_USAGE: no GPU is asked for. */
int deploy_watch(struct deploy *d, struct err *e) MUST_CHECK;

/* A Job (batch/v1), for training ends; a Deployment where a health check and ports tell that the
 * image serves. GPUs by the device plugin's resource, nodes by the labels of gpu-feature-discovery
 * that are not deprecated. Where it listens on ports, a Service is in front of it. */
void deploy_k8s(struct buf *out, const struct deploy *d);
/* compose-spec, deploy.md: what Compose cannot say (driver, architectures) stands in comments. */
void deploy_compose(struct buf *out, const struct deploy *d);
/* A script for sbatch, POSIX sh: asks driver and GPUs of its node first, and ends with 78
 * (EX_CONFIG of sysexits.h, as the image's start-up check does) where the image does not run. */
void deploy_slurm(struct buf *out, const struct deploy *d);
/* devcontainer.json (containers.dev), strict JSON; what it has no word for is in
 * customizations.envbuild. */
void deploy_devcontainer(struct buf *out, const struct deploy *d);

/* What a teacher prints and cuts: each seat's address and token. HTML. */
void deploy_sheet(struct buf *out, const struct deploy *d);

/* For the above: GPUs from..to-1 are those of a seat. Each has as many as another, or one with its
 * neighbours. */
void deploy_seat_gpus(const struct deploy *d, size_t seat, uint32_t *from, uint32_t *to);
void deploy_seat_name(struct buf *out, const struct deploy *d, size_t seat); /* "seat-07" */
/* What watches the GPUs: services of a Compose file and the files that they read, or objects of
 * Kubernetes. */
void deploy_watch_services(struct buf *out);
void deploy_watch_configs(struct buf *out, const struct deploy *d);
void deploy_watch_k8s(struct buf *out);
/* For the above: the facts in words, each line behind `# `. */
void deploy_comment(struct buf *out, const struct deploy *d);
/* Letters, digits and /._- alone: nothing that ${...} or the options of a mount are made of. */
bool deploy_is_plain(struct str s);
