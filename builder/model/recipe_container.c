/* How containers of the image run, and what they offer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/path.h"
#include "../oci/image.h"

enum { SECONDS_MAX = 24 * 60 * 60, RETRIES_MAX = 1000 };

/* Made, and the user's own. */
static void check_folders(struct reading *in, const char *key, struct values *out)
{
    bool plain = out == &in->r->volumes; /* an engine's options name them */
    const struct node *n;

    node_each(n, field_list(&in->f, key)) {
        CLEANUP(buf_clear) struct buf clean = {0};
        bool bad;
        struct value v;

        if (!reading_text(in, n, key, &v))
            continue;
        bad = !reading_absolute(v.text) || !path_clean(&clean, v.text) || clean.len < 2;
        bad = bad || (plain && !reading_all_of(v.text, "/._-"));
        bad = bad || path_is_kernels(buf_view(&clean));
        v.text = arena_str(&in->r->doc.arena, buf_view(&clean));
        if (bad)
            err_at(in->e, &n->pos,
                   "%s: \"" STR_FMT "\" is not an absolute path such as \"/data\", outside "
                   "/proc, /sys and /dev%s",
                   key, STR_ARG(n->text),
                   str_has(n->text, ':') ? "; what of the host stands there is for who runs it"
                                         : "");
        else
            vec_add(out, v);
    }
}

/* A number of the container; which one of the host it is, is for who runs it. */
static void check_ports(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "ports")) {
        struct image_port port;
        struct value v;

        if (!reading_text(in, n, "ports", &v))
            continue;
        if (!image_port_parse(&port, v.text)) {
            err_at(
                in->e, &n->pos,
                "ports: \"" STR_FMT "\" is not a port such as 8888, \"8888/tcp\" or \"53/udp\"%s",
                STR_ARG(v.text),
                str_has(v.text, ':') ? "; the host's port is for who runs it: `envbuild run` and "
                                       "`emit` take the same"
                                     : "");
            continue;
        }
        v.text = str_of(arena_fmt(&in->r->doc.arena, "%u/%s", port.number, port.protocol));
        vec_add(&in->r->ports, v);
    }
}

/* ---- the health check ---- */

/* "30", "30s", "1m30s", "2h". */
static bool is_time(uint32_t *seconds, struct str text)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'h', 3600}, {'m', 60}, {'s', 1}};
    uint32_t n, sum = 0;
    struct str rest = text;

    if (str_u32(text, seconds))
        return *seconds <= SECONDS_MAX;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t at = str_find(rest, units[i].unit);

        if (at == rest.len)
            continue;
        if (!str_u32(str_sub(rest, 0, at), &n) || n > SECONDS_MAX)
            return false;
        sum += n * units[i].seconds;
        rest = str_sub(rest, at + 1, rest.len);
    }
    *seconds = sum;
    return text.len && !rest.len && sum <= SECONDS_MAX;
}

static void get_time(struct reading *in, const struct fields *f, const char *key, bool zero,
                     uint32_t *out)
{
    const struct node *n = node_get(f->map, key);
    struct str text;

    if (!field_str(f, key, &text))
        return;
    if (!is_time(out, text) || (!*out && !zero))
        err_at(in->e, &n->pos,
               "healthcheck: %s \"" STR_FMT "\" is not a time such as 30s or 1m30s, of at most 24h",
               key, STR_ARG(text));
}

/* A list is taken as it is, and all but the program may be empty; a text is run by the shell. */
static void get_command(struct reading *in, const char *key, const struct node *value,
                        struct values *out)
{
    const struct node *n;
    struct value v;

    if (value->kind == NODE_LIST) {
        node_each(n, value)
            if (n->kind == NODE_STRING && n != value->child)
                vec_add(out, ((struct value){n->text, n->pos}));
            else if (reading_text(in, n, key, &v))
                vec_add(out, v);
    } else if (reading_text(in, value, key, &v)) {
        vec_add(out, ((struct value){STR("/bin/sh"), v.pos}));
        vec_add(out, ((struct value){STR("-c"), v.pos}));
        vec_add(out, v);
    }
}

/* `off`, or {command: ..., interval: 30s, timeout: 5s, retries: 3, start_period: 1m}. */
static void check_health(struct reading *in)
{
    static const char *const known[] = {"command", "interval",     "timeout",
                                        "retries", "start_period", NULL};
    const struct node *n = node_get(in->f.map, "healthcheck"), *command;
    struct recipe_health *h = &in->r->health;
    uint64_t retries = 0;
    struct fields f;

    in->r->has_healthcheck = n != NULL;
    if (!n || (node_is_scalar(n) && str_is(n->text, "off")))
        return;
    f = fields_of(n, "healthcheck", in->e);
    fields_only(&f, known);
    if (!f.map)
        return;
    command = node_get(f.map, "command");
    if (command && (command->kind != NODE_LIST || command->count))
        get_command(in, "healthcheck", command, &h->command);
    else
        err_at(in->e, &n->pos,
               "healthcheck: it needs a command, as in `command: [python, -c, \"import torch\"]`; "
               "write `off` to have none");
    get_time(in, &f, "interval", false, &h->interval);
    get_time(in, &f, "timeout", false, &h->timeout);
    get_time(in, &f, "start_period", true, &h->start_period);
    if (field_u64(&f, "retries", &retries, RETRIES_MAX) && !retries)
        err_at(in->e, &node_get(f.map, "retries")->pos, "healthcheck: retries must be at least 1");
    h->retries = (uint32_t)retries;
}

static void check_command(struct reading *in, const char *key, bool *has, struct values *out)
{
    const struct node *value = node_get(in->f.map, key);

    *has = value != NULL;
    if (value)
        get_command(in, key, value, out);
}

void recipe_read_container(struct reading *in)
{
    struct recipe *r = in->r;

    check_folders(in, "folders", &r->folders);
    check_folders(in, "volumes", &r->volumes);
    check_ports(in);
    check_health(in);
    check_command(in, "entrypoint", &r->has_entrypoint, &r->entrypoint);
    check_command(in, "cmd", &r->has_cmd, &r->cmd);
}
