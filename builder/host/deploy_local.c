/* What runs on the machine where it is read: Compose and dev containers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../doc/emit.h"
#include "../oci/ref.h"
#include "deploy.h"

/* Of /dev/shm, as a limit and not a reservation: workers of a DataLoader hand over tensors there.
 */
#define SHM "8g"

void deploy_compose(struct buf *out, const struct deploy *d)
{
    deploy_comment(out, d);
    if (d->gpus && d->checks)
        buf_puts(out, "# Compose cannot ask for a driver or a kind of GPU. The image says at its "
                      "start when the driver is too old;\n"
                      "# the command belongs into command: below, for entrypoint: would take the "
                      "place of that check.\n");
    else if (d->gpus)
        buf_puts(out, "# Compose cannot ask for a driver or a kind of GPU: see to it that the "
                      "machine has them.\n");
    buf_puts(out, "services:\n  ");
    emit_json_string(out, str_of(d->name));
    buf_puts(out, ":\n    image: ");
    emit_json_string(out, str_of(d->ref));
    buf_puts(out, "\n");
    if (d->try) {
        buf_puts(out, "    command: [\"python3\", \"-c\", ");
        emit_json_string(out, str_of(d->try));
        buf_puts(out, "]\n");
    }
    if (d->image->facts->pytorch.len)
        buf_puts(out, "    shm_size: \"" SHM "\" # for the workers of a DataLoader; else 64m\n");
    if (d->gpus)
        buf_fmt(out,
                "    deploy:\n"
                "      resources:\n"
                "        reservations:\n"
                "          devices:\n"
                "            - driver: nvidia\n"
                "              count: %u\n"
                "              capabilities: [gpu]\n",
                d->gpus);
}

/* ---- dev containers ---- */

/* Letters that neither ${...} nor the commas of a mount are made of. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '/' && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return s.len && s.len <= 256;
}

/* The project below the image's own working folder, whose files stay to be seen. */
static void put_workspace(struct doc *doc, struct node *root, struct str workdir)
{
    CLEANUP(buf_clear) struct buf clean = {0};
    const char *folder;

    if (!is_plain(workdir) || workdir.p[0] != '/' || !path_clean(&clean, workdir) || clean.len < 2)
        return; /* its own choice is /workspaces */
    folder = arena_fmt(&doc->arena, "%s/${localWorkspaceFolderBasename}", clean.p);
    node_put_str(doc, root, "workspaceMount",
                 str_of(arena_fmt(&doc->arena, "source=${localWorkspaceFolder},target=%s,type=bind",
                                  folder)));
    node_put_str(doc, root, "workspaceFolder", str_of(folder));
}

static void put_run_args(struct doc *doc, struct node *root, const struct deploy *d)
{
    struct node *args = node_new_list(doc);

    if (d->gpus) {
        node_add_str(doc, args, STR("--gpus"));
        node_add_str(doc, args,
                     d->all_gpus ? STR("all") : str_of(arena_fmt(&doc->arena, "%u", d->gpus)));
    }
    if (d->image->facts->pytorch.len) {
        node_add_str(doc, args, STR("--shm-size"));
        node_add_str(doc, args, STR(SHM));
    }
    if (args->count)
        node_put(doc, root, "runArgs", args);
}

/* What the image needs, for people and programs that look for it. */
static void put_facts(struct doc *doc, struct node *root, const struct deploy *d)
{
    const struct facts *f = d->image->facts;
    struct node *own = node_put(doc, node_put(doc, root, "customizations", node_new_map(doc)),
                                "envbuild", node_new_map(doc));

    if (ref_tag_ok(d->image->tag))
        node_put_str(doc, own, "tag", d->image->tag);
    node_put_str(doc, own, "holds", str_of(d->what));
    if (d->gpus && f->driver_min.len)
        node_put_str(doc, own, "driver",
                     str_of(arena_fmt(&doc->arena, STR_FMT " or newer", STR_ARG(f->driver_min))));
    if (d->gpus && f->archs.len)
        node_put_str(doc, own, "compute_capabilities", f->archs);
}

void deploy_devcontainer(struct buf *out, const struct deploy *d)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct node *root = node_new_map(&doc);
    struct str user = d->image->user;

    user = str_sub(user, 0, str_find(user, ':')); /* "1000:1000" */
    node_put_str(&doc, root, "name", str_of(d->what));
    node_put_str(&doc, root, "image", str_of(d->ref));
    /* Where this stands its readers add `--gpus all` by themselves, which is more than a number. */
    if (d->gpus && d->all_gpus)
        node_put_bool(&doc, node_put(&doc, root, "hostRequirements", node_new_map(&doc)), "gpu",
                      true);
    put_run_args(&doc, root, d);
    put_workspace(&doc, root, d->image->workdir);
    if (is_plain(user) && !str_has(user, '/'))
        node_put_str(&doc, root, "remoteUser", user);
    put_facts(&doc, root, d);
    emit_json(out, root, EMIT_LINES);
}
