/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../base/path.h"
#include "completion.h"
#include "help.h"
#include "manual.h"
#include "output.h"

struct writing {
    struct completion completion;
    const char *dir; /* such as /usr/share */
    struct err *e;   /* of the first file that could not be written */
};

static void write_file(const struct writing *w, const char *name, const struct buf *text)
{
    CLEANUP(free_clear) char *path = path_join(w->dir, name);

    if (err_is_set(w->e) || fs_mkdirs_for(path, w->e) < 0 ||
        fs_write(path, buf_view(text), w->e) < 0)
        return;
}

static void write_page(const struct writing *w, const char *name, char section,
                       const struct buf *text)
{
    CLEANUP(buf_clear) struct buf path = {0};

    buf_fmt(&path, "man/man%c/%s.%c", section, name, section);
    write_file(w, path.p, text);
}

/* Called with the tables of each command in turn. */
static void write_command(void *ctx, const struct command *c, const struct opt *opts)
{
    struct writing *w = ctx;
    CLEANUP(buf_clear) struct buf name = {0}, text = {0};

    buf_fmt(&name, "envbuild-%s", c->name);
    manual_command(&text, c, opts);
    write_page(w, name.p, '1', &text);
    completion_add(&w->completion, c, opts);
}

static int describe_all(struct session *s, struct writing *w, struct err *e)
{
    char *words[] = {(char[]){"--help"}, NULL};

    for (const struct command *c = commands; c->name; c++) {
        struct session own = *s;

        own.describe = write_command;
        own.describe_ctx = w;
        if (c->run(&own, 1, words, e) < 0)
            return -1;
    }
    return 0;
}

static int write_all(struct session *s, const char *dir, struct err *e)
{
    struct writing w = {.dir = dir, .e = e};
    struct buf text = {0};

    if (describe_all(s, &w, e) == 0) {
        manual_program(&text);
        write_page(&w, "envbuild", '1', &text);
    }
    for (const struct manual_format *f = manual_formats; f->name; f++) {
        buf_reset(&text);
        manual_format(&text, f);
        write_page(&w, f->name, '5', &text);
    }
    for (enum completion_shell shell = COMPLETION_BASH; shell <= COMPLETION_FISH; shell++) {
        buf_reset(&text);
        completion_print(&text, &w.completion, shell);
        write_file(&w, completion_path(shell), &text);
    }
    buf_clear(&text);
    completion_clear(&w.completion);
    return err_is_set(e) ? -1 : 0;
}

static int tell(struct session *s, const char *name, struct err *e)
{
    char *words[] = {(char[]){"--help"}, NULL};
    const struct command *c = command_find(str_of(name));

    return c ? c->run(s, 1, words, e) : command_unknown(str_of(name), e);
}

int cmd_help(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const char *dir = NULL;
    const struct opt opts[] = {
        {0, "write", "DIR",
         "write manual pages and completions for bash, zsh and fish below DIR, such as "
         "~/.local/share (none)",
         opt_str, &dir},
        {'h', "help", NULL, "print this", opt_flag, &s->help},
        {0},
    };

    if (opt_parse(opts, &argc, argv, e) < 0)
        return -1;
    if (s->help) {
        session_describe(s, command_find(STR("help")), opts);
        return 0;
    }
    if (argc > 1 || (argc && dir))
        return err_set(e, ERR_USAGE, "help takes one command, or --write DIR");
    if (dir)
        return write_all(s, dir, e);
    if (argc)
        return tell(s, argv[0], e);
    help_program(&text);
    output_text(buf_view(&text));
    return 0;
}
