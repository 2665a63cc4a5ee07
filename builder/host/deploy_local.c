/* What runs on the machine where it is read: Compose and dev containers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../doc/emit.h"
#include "../oci/ref.h"
#include "deploy.h"

/* Compose fills in $NAME; $$ is a dollar. */
static void put_text(struct buf *out, struct str text)
{
    CLEANUP(buf_clear) struct buf escaped = {0};

    for (size_t i = 0; i < text.len; i++) {
        buf_putc(&escaped, text.p[i]);
        if (text.p[i] == '$')
            buf_putc(&escaped, '$');
    }
    emit_json_string(out, buf_view(&escaped));
}

static void put_time(struct buf *out, const char *key, uint32_t seconds)
{
    if (seconds)
        buf_fmt(out, "      %s: %us\n", key, seconds);
}

static void put_health(struct buf *out, const struct image_health *h)
{
    buf_puts(out, "    healthcheck:\n      test: [\"CMD\"");
    for (size_t i = 0; i < h->command.n; i++) {
        buf_puts(out, ", ");
        put_text(out, h->command.v[i]);
    }
    buf_puts(out, "]\n");
    put_time(out, "interval", h->interval);
    put_time(out, "timeout", h->timeout);
    put_time(out, "start_period", h->start_period);
    if (h->retries)
        buf_fmt(out, "      retries: %u\n", h->retries);
}

/* Ports for this machine alone: what listens there may ask for no password. */
static void put_ports(struct buf *out, const struct deploy *d)
{
    const struct image_port *p;

    if (d->ports.n)
        buf_puts(out, "    ports: # without 127.0.0.1 other machines reach them too\n");
    vec_each(p, &d->ports)
        buf_fmt(out, "      - \"127.0.0.1:%u:%u%s%s\"\n", p->number, p->number,
                strcmp(p->protocol, "tcp") == 0 ? "" : "/",
                strcmp(p->protocol, "tcp") == 0 ? "" : p->protocol);
}

/* `owner`, if any, stands before each name. */
static void put_volumes(struct buf *out, const struct deploy *d, const char *owner)
{
    const struct deploy_volume *v;

    if (d->volumes.n)
        buf_puts(out, "    volumes:\n");
    vec_each(v, &d->volumes)
        buf_fmt(out, "      - \"%s%s:%s\"\n", owner, v->name, v->path);
}

static void put_named_volumes(struct buf *out, const struct deploy *d, const char *owner)
{
    const struct deploy_volume *v;

    vec_each(v, &d->volumes)
        buf_fmt(out, "  \"%s%s\": {}\n", owner, v->name);
}

static void put_reservation(struct buf *out, const char *which)
{
    buf_fmt(out,
            "    deploy:\n"
            "      resources:\n"
            "        reservations:\n"
            "          devices:\n"
            "            - driver: nvidia\n"
            "              %s\n"
            "              capabilities: [gpu]\n",
            which);
}

/* What all containers of the image have. */
static void put_common(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "    image: ");
    emit_json_string(out, str_of(d->ref));
    buf_puts(out, "\n");
    if (d->try && !d->seats) {
        buf_puts(out, "    command: [\"python3\", \"-c\", ");
        emit_json_string(out, str_of(d->try));
        buf_puts(out, "]\n");
    }
    if (d->image->facts->pytorch.len)
        buf_puts(out,
                 "    shm_size: \"" DEPLOY_SHM "\" # for the workers of a DataLoader; else 64m\n");
}

static void put_service(struct buf *out, const struct deploy *d)
{
    char count[32];

    buf_puts(out, "services:\n  ");
    emit_json_string(out, str_of(d->name));
    buf_puts(out, ":\n");
    put_common(out, d);
    put_ports(out, d);
    put_volumes(out, d, "");
    if (d->health)
        put_health(out, d->health);
    snprintf(count, sizeof count, "count: %u", d->gpus);
    if (d->gpus)
        put_reservation(out, count);
}

/* ---- many students ---- */

/* "device_ids: [\"0\", \"1\"]". */
static void put_seat_gpus(struct buf *out, const struct deploy *d, size_t seat)
{
    CLEANUP(buf_clear) struct buf ids = {0};
    uint32_t from, to;

    deploy_seat_gpus(d, seat, &from, &to);
    for (uint32_t gpu = from; gpu < to; gpu++)
        buf_fmt(&ids, "%s\"%u\"", gpu > from ? ", " : "device_ids: [", gpu);
    buf_puts(&ids, "]");
    if (d->gpus)
        put_reservation(out, ids.p);
}

static void put_seats(struct buf *out, const struct deploy *d)
{
    const struct strs *tokens = d->seats->tokens;

    buf_puts(out, "# One container a seat. Other machines reach their ports; each asks for the "
                  "token of its seat.\n"
                  "x-seat: &seat\n");
    put_common(out, d);
    if (d->health)
        put_health(out, d->health);
    buf_puts(out, "    restart: unless-stopped\n"
                  "services:\n");
    for (size_t i = 0; i < tokens->n; i++) {
        CLEANUP(buf_clear) struct buf name = {0}, owner = {0};

        deploy_seat_name(&name, d, i);
        buf_fmt(&owner, "%s-", name.p);
        buf_fmt(out,
                "  %s:\n"
                "    <<: *seat\n"
                "    hostname: %s\n"
                "    environment: {JUPYTER_TOKEN: \"" STR_FMT "\"}\n"
                "    ports: [\"%zu:%u\"]\n",
                name.p, name.p, STR_ARG(tokens->v[i]), SEAT_PORT + 1 + i, d->seat_port);
        put_volumes(out, d, owner.p);
        put_seat_gpus(out, d, i);
    }
}

static void put_all_volumes(struct buf *out, const struct deploy *d)
{
    if (!d->volumes.n)
        return;
    buf_puts(out, "volumes:\n");
    if (!d->seats)
        put_named_volumes(out, d, "");
    for (size_t i = 0; d->seats && i < d->seats->tokens->n; i++) {
        CLEANUP(buf_clear) struct buf owner = {0};

        deploy_seat_name(&owner, d, i);
        buf_puts(&owner, "-");
        put_named_volumes(out, d, owner.p);
    }
}

static void put_heads(struct buf *out, const struct deploy *d)
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
    else if (d->image->facts->cuda.len)
        buf_puts(out,
                 "# With --gpus N it asks for N; Compose does not start what asks for a GPU on "
                 "a machine without one.\n");
    if (d->monitoring)
        buf_puts(out, "# It needs Docker Compose 2.23.1 or newer, for the files under configs:.\n");
}

void deploy_compose(struct buf *out, const struct deploy *d)
{
    put_heads(out, d);
    if (d->seats)
        put_seats(out, d);
    else
        put_service(out, d);
    if (d->monitoring)
        deploy_watch_services(out);
    put_all_volumes(out, d);
    if (d->monitoring)
        deploy_watch_configs(out, d);
}

/* ---- dev containers ---- */

/* The project below the image's own working folder, whose files stay to be seen. */
static void put_workspace(struct doc *doc, struct node *root, struct str workdir)
{
    CLEANUP(buf_clear) struct buf clean = {0};
    const char *folder;

    if (!deploy_is_plain(workdir) || workdir.p[0] != '/' || !path_clean(&clean, workdir) ||
        clean.len < 2)
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

    if (d->gpus && !d->all_gpus) {
        node_add_str(doc, args, STR("--gpus"));
        node_add_str(doc, args, str_of(arena_fmt(&doc->arena, "%u", d->gpus)));
    }
    if (d->image->facts->pytorch.len) {
        node_add_str(doc, args, STR("--shm-size"));
        node_add_str(doc, args, STR(DEPLOY_SHM));
    }
    if (args->count)
        node_put(doc, root, "runArgs", args);
}

/* forwardPorts are those of TCP. A volume is of this project alone. */
static void put_container(struct doc *doc, struct node *root, const struct deploy *d)
{
    struct node *ports = node_new_list(doc), *mounts = node_new_list(doc);
    const struct image_port *p;
    const struct deploy_volume *v;

    vec_each(p, &d->ports)
        if (strcmp(p->protocol, "tcp") == 0)
            node_add_u64(doc, ports, p->number);
    if (ports->count)
        node_put(doc, root, "forwardPorts", ports);
    vec_each(v, &d->volumes)
        node_add_str(
            doc, mounts,
            str_of(arena_fmt(&doc->arena, "source=%s-%s-${devcontainerId},target=%s,type=volume",
                             d->name, v->name, v->path)));
    if (mounts->count)
        node_put(doc, root, "mounts", mounts);
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
    /* Its readers add `--gpus all` where the engine has GPUs, and start it without elsewhere. */
    if (d->gpus && d->all_gpus)
        node_put_str(&doc, node_put(&doc, root, "hostRequirements", node_new_map(&doc)), "gpu",
                     STR("optional"));
    put_run_args(&doc, root, d);
    put_container(&doc, root, d);
    put_workspace(&doc, root, d->image->workdir);
    if (deploy_is_plain(user) && !str_has(user, '/'))
        node_put_str(&doc, root, "remoteUser", user);
    put_facts(&doc, root, d);
    emit_json(out, root, EMIT_LINES);
}
