/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <unistd.h>

#include "../base/fs.h"
#include "../base/version.h"
#include "../base/path.h"
#include "../base/vec.h"
#include "help.h"
#include "output.h"

const struct command *command_find(struct str name)
{
    const struct command *c = commands;

    while (c->name && !str_is(name, c->name))
        c++;
    return c->name ? c : NULL;
}

int command_unknown(struct str name, struct err *e)
{
    if (str_is(name, "login") || str_is(name, "logout"))
        return err_set(e, ERR_USAGE,
                       "\"" STR_FMT "\" is not a command of ours: `docker " STR_FMT
                       " HOST` or `podman " STR_FMT
                       " HOST` does that, and what they know of registries is used",
                       STR_ARG(name), STR_ARG(name), STR_ARG(name));
    for (const struct command *c = commands; c->name; c++)
        if (str_distance(name, str_of(c->name), 2) <= 2)
            return err_set(e, ERR_USAGE, "\"" STR_FMT "\" is not a command; did you mean \"%s\"?",
                           STR_ARG(name), c->name);
    return err_set(e, ERR_USAGE,
                   "\"" STR_FMT "\" is neither a command nor a recipe; envbuild --help lists both",
                   STR_ARG(name));
}

void session_describe(struct session *s, const struct command *c, const struct opt *opts)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (s->describe) {
        s->describe(s->describe_ctx, c, opts);
        return;
    }
    help_command(&text, c, opts);
    output_text(buf_view(&text)); /* help that was asked for is a result */
}

int session_begin(struct session *s, const char *command, const struct opt *own, size_t own_n,
                  int *argc, char **argv, int least, int most, struct err *e)
{
    const struct opt common[] = {
        {0, "store", "DIR",
         "where downloads are kept ($XDG_CACHE_HOME/envbuild, else ~/.cache/envbuild)", opt_str,
         &s->store_opt},
        {0, "catalog", "DIR", "use the catalog in DIR (the built-in one)", opt_str,
         &s->catalog_dir},
        {0, "json", NULL, "print one JSON object on stdout, errors included", opt_flag, &s->json},
        {'q', "quiet", NULL, "say nothing but errors", opt_flag, &s->quiet},
        {'v', "verbose", NULL, "say more", opt_flag, &s->verbose},
        {'h', "help", NULL, "print this", opt_flag, &s->help},
    };
    struct VEC_OF(struct opt) all = {0};
    const struct command *c = command_find(str_of(command));
    int result;

    for (size_t i = 0; i < own_n; i++) {
        vec_add(&all, own[i]);
        s->cells |= own[i].set == opt_cell;
    }
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        vec_add(&all, common[i]);
    vec_push(&all);
    result = opt_parse(all.v, argc, argv, e);
    if (result == 0 && s->help)
        session_describe(s, c, all.v);
    else if (result == 0 && !most && *argc)
        result = err_set(e, ERR_USAGE,
                         "%s takes no operands, and \"%s\" is one; envbuild %s --help tells more",
                         command, argv[0], command);
    else if (result == 0 && (*argc < least || *argc > most))
        result = err_set(e, ERR_USAGE,
                         "%s takes %d operand%s (%s), not %d; envbuild %s --help tells more",
                         command, least, least == 1 ? "" : "s", c->operands, *argc, command);
    vec_clear(&all);
    if (result < 0 || s->help)
        return result;
    if (s->store_opt) {
        free(s->store_dir);
        s->store_dir = xstrdup(s->store_opt);
    }
    if (!s->store_dir)
        return err_set(e, ERR_USAGE,
                       "neither HOME nor XDG_CACHE_HOME is set; name a store with --store DIR");
    s->progress = progress_open(s->quiet     ? SAY_NOTHING
                                : s->verbose ? SAY_MORE
                                             : SAY_NORMAL,
                                s->terminal, NULL, s->cancelled);
    s->events = progress_events(s->progress);
    s->reach = reach_open(&(struct reach_from){.environment = s->environment,
                                               .config_path = s->config_path,
                                               .ca_file = s->ca_file,
                                               .ca_dir = s->ca_dir,
                                               .user_agent = "envbuild/" ENVBUILD_VERSION,
                                               .store_dir = s->store_dir,
                                               .offline = s->offline,
                                               .events = s->events});
    return 0;
}

int session_scratch(char **out, const struct session *s, struct err *e)
{
    CLEANUP(free_clear) char *own = path_join(s->store_dir, "scratch");

    if (fs_mkdirs_where_writable(own, e) < 0)
        return -1;
    *out = xstrdup(access(own, W_OK) == 0 ? own : s->tmp_dir);
    return 0;
}

void session_put_errors(struct doc *d, struct node *root, const struct err *e)
{
    struct node *list = node_put(d, root, "errors", node_new_list(d));

    for (; e && err_is_set(e); e = e->next) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_u64(d, n, "code", (uint64_t)e->kind);
        if (e->file)
            node_put_str(d, n, "file", str_of(e->file));
        if (e->line) {
            node_put_u64(d, n, "line", e->line);
            node_put_u64(d, n, "column", e->col);
        }
        node_put_str(d, n, "message", str_of(e->msg));
    }
}

void session_json(struct session *s, struct doc *d, struct node *root)
{
    const struct names *said = s->progress ? progress_warnings(s->progress) : NULL;
    struct node *list;

    if (said && said->n) {
        list = node_put(d, root, "warnings", node_new_list(d));
        for (size_t i = 0; i < said->n; i++)
            node_add_str(d, list, arena_str(&d->arena, str_of(said->v[i])));
    }
    output_json(root);
}

struct stored_scratch session_ways(const struct session *s, const char *dir)
{
    return (struct stored_scratch){dir, s->events, reach_registries(s->reach)};
}
