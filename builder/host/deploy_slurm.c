/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy.h"

/* The variables of fits() and new_enough() in the script. */
static const char *const variables[SELECTOR_NUMBERS] = {
    [SELECTOR_DRIVER_MAJOR] = "$major",     [SELECTOR_DRIVER_MINOR] = "$minor",
    [SELECTOR_DRIVER_REVISION] = "$rev",    [SELECTOR_COMPUTE_MAJOR] = "$sm_major",
    [SELECTOR_COMPUTE_MINOR] = "$sm_minor",
};

static void put_test(struct buf *out, size_t begin, enum selector_number n, const char *op,
                     uint32_t value)
{
    buf_fmt(out, "%s[ \"%s\" %s %u ]", out->len > begin ? " && " : "", variables[n], op, value);
}

static void put_term(struct buf *out, const struct selector_term *t)
{
    size_t begin = out->len;

    for (unsigned i = 0; i < SELECTOR_NUMBERS; i++) {
        enum selector_number n = (enum selector_number)i;
        struct selector_bounds b = t->of[n];

        if (b.least == b.most) {
            put_test(out, begin, n, "-eq", b.least);
            continue;
        }
        if (b.least)
            put_test(out, begin, n, "-ge", b.least);
        if (b.most != SELECTOR_ANY)
            put_test(out, begin, n, "-le", b.most);
    }
    if (out->len == begin)
        buf_puts(out, "true");
}

/* A function that is true when one of the terms holds. */
static void put_terms(struct buf *out, const char *function, const struct node_selector *w)
{
    const struct selector_term *t;

    buf_fmt(out, "%s() {\n", function);
    vec_each(t, &w->terms) {
        buf_puts(out, t == w->terms.v ? "    { " : " ||\n        { ");
        put_term(out, t);
        buf_puts(out, "; }");
    }
    buf_puts(out, "\n}\n\n");
}

/* "CUDA 12.4 needs 525.60.13 or newer"; or but that it needs a driver. */
static void put_need(struct buf *out, const struct facts *f)
{
    buf_fmt(out, "CUDA " STR_FMT " needs ", STR_ARG(f->cuda));
    if (f->driver_min.len)
        buf_fmt(out, STR_FMT " or newer", STR_ARG(f->driver_min));
    else
        buf_puts(out, "one");
}

static void put_driver_check(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "check_driver() { # VERSION\n"
                  "    case $1 in\n"
                  "    *[!0-9.]* | '') no \"the driver's version reads \\\"$1\\\"\" ;;\n"
                  "    esac\n"
                  "    IFS=. read -r major minor rev _ <<END\n"
                  "$1.0.0\n"
                  "END\n");
    if (d->drivers.terms.n) {
        buf_puts(out, "    new_enough || no \"NVIDIA driver $1 is installed, and ");
        put_need(out, d->image->facts);
        buf_puts(out, "\"\n");
    }
    buf_puts(out, "}\n\n");
}

static void put_gpu_check(struct buf *out, const struct deploy *d)
{
    const struct facts *f = d->image->facts;

    buf_puts(out, "check_gpu() { # DRIVER CAPABILITY\n"
                  "    check_driver \"$1\"\n"
                  "    case $2 in\n"
                  "    *[!0-9.]* | '') no \"the GPU's compute capability reads \\\"$2\\\"\" ;;\n"
                  "    esac\n"
                  "    IFS=. read -r sm_major sm_minor _ <<END\n"
                  "$2.0\n"
                  "END\n"
                  "    fits || no \"driver $1 and a GPU of compute capability $2 are here, and the "
                  "image does not run on them; it has code for ");
    if (f->archs.len)
        buf_str(out, f->archs);
    else
        buf_puts(out, "GPUs that are not known");
    buf_puts(out, "\"\n}\n\n");
}

/* nvidia-smi before 510 does not know compute_cap. */
static void put_node_check(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "if gpus=$(nvidia-smi --query-gpu=driver_version,compute_cap "
                  "--format=csv,noheader 2>/dev/null); then\n"
                  "    case $gpus in\n"
                  "    *[0-9]*) ;;\n"
                  "    *) no \"nvidia-smi shows no GPU\" ;;\n"
                  "    esac\n"
                  "    while IFS=', ' read -r driver capability; do\n"
                  "        check_gpu \"$driver\" \"$capability\"\n"
                  "    done <<END\n"
                  "$gpus\n"
                  "END\n"
                  "elif [ -r /sys/module/nvidia/version ]; then\n"
                  "    read -r driver </sys/module/nvidia/version\n"
                  "    check_driver \"$driver\"\n"
                  "    echo \"$(uname -n): which GPUs are here nvidia-smi does not tell; they are "
                  "not checked\" >&2\n"
                  "else\n"
                  "    no \"no NVIDIA driver is installed, and ");
    put_need(out, d->image->facts);
    buf_puts(out, "\"\nfi\n\n");
}

/* enroot's own notation: the registry ends in "#", docker.io is left out, and a digest stands where
 * a tag does. */
static void put_pyxis(struct buf *out, const struct deploy *d)
{
    struct str path = d->image->repository, host = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&d->image->digest, digest);
    if (str_cut(&path, STR("/"), &host) && !str_is(host, "docker.io"))
        buf_fmt(out, STR_FMT "#", STR_ARG(host));
    buf_fmt(out, STR_FMT ":%s", STR_ARG(path), digest);
}

/* A container of Apptainer has the node's network. */
static void put_ports(struct buf *out, const struct deploy *d)
{
    const struct image_port *p;

    vec_each(p, &d->ports)
        buf_fmt(out,
                "# It listens on port %u of its node: `ssh -L %u:NODE:%u LOGIN` brings it to your "
                "machine.\n",
                p->number, p->number, p->number);
}

static void put_head(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "#!/bin/sh\n");
    deploy_comment(out, d);
    buf_puts(out, "#\n# sbatch FILE [COMMAND...] runs it on one node");
    buf_puts(out, d->gpus ? ", which is asked first for its driver and GPUs.\n" : ".\n");
    buf_puts(out, "# Apptainer (or Singularity) pulls the image; with pyxis the last line is\n"
                  "#   srun --container-entrypoint --container-image='");
    put_pyxis(out, d);
    buf_puts(out, "' \"$@\"\n");
    put_ports(out, d);
    buf_fmt(out,
            "#SBATCH --job-name=%s\n"
            "#SBATCH --nodes=1\n"
            "#SBATCH --ntasks=1\n",
            d->name);
    if (d->gpus)
        buf_fmt(out, "#SBATCH --gres=gpu:%u\n", d->gpus);
    buf_fmt(out, "set -eu\nimage='%s'\n\n", d->ref);
    buf_puts(out, "no() { # the image does not run here, and why\n"
                  "    echo \"$(uname -n): $1\" >&2\n"
                  "    exit 78\n"
                  "}\n\n");
}

/* All who use the node have the same /tmp there; torch.compile asks for a name. */
static void put_own(struct buf *out)
{
    buf_puts(out,
             "USER=${USER:-$(id -un 2>/dev/null || id -u)}\n"
             "TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-/tmp/torchinductor_$(id -u)}\n"
             "export USER TORCHINDUCTOR_CACHE_DIR\n");
}

static void put_volumes(struct buf *out, const struct deploy *d)
{
    const struct deploy_volume *v;

    if (!d->volumes.n)
        return;
    buf_puts(out, "volumes=$PWD/volumes # what stays when it ended\nmkdir -p");
    vec_each(v, &d->volumes)
        buf_fmt(out, " \"$volumes/%s\"", v->name);
    buf_putc(out, '\n');
}

void deploy_slurm(struct buf *out, const struct deploy *d)
{
    const struct deploy_volume *v;

    put_head(out, d);
    if (d->gpus) {
        if (d->drivers.terms.n)
            put_terms(out, "new_enough", &d->drivers);
        put_terms(out, "fits", &d->wanted);
        put_driver_check(out, d);
        put_gpu_check(out, d);
        put_node_check(out, d);
    }
    buf_puts(out, "run=$(command -v apptainer || command -v singularity) || no \"neither apptainer "
                  "nor singularity is installed\"\n");
    if (d->try)
        buf_fmt(out, "[ $# -gt 0 ] || set -- python3 -c '%s'\n", d->try);
    if (d->image->facts->pytorch.len)
        put_own(out);
    put_volumes(out, d);
    buf_fmt(out, "exec srun \"$run\" run %s", d->gpus ? "--nv " : "");
    vec_each(v, &d->volumes)
        buf_fmt(out, "--bind \"$volumes/%s:%s\" ", v->name, v->path);
    buf_puts(out, "\"docker://$image\" \"$@\"\n");
}
