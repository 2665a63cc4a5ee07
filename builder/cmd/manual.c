/* SPDX-License-Identifier: Apache-2.0 */
#include "manual.h"

#include "../base/version.h"
#include "../model/embedded.h"
#include "help.h"

/* When what the pages tell was last changed: a page has one date wherever it is made. */
#define DATE "November 29, 2026"

const struct manual_format manual_formats[] = {
    {"envbuild-lock", "what was chosen for a recipe"},
    {"envbuild-recipe", "what an image is made of"},
    {NULL, NULL},
};

/* ---- text as mdoc takes it: nothing in it is a macro, and quotes and dashes stay ASCII ---- */

static void add_text(struct buf *out, struct str text)
{
    bool first = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];

        if (first && (c == '.' || c == '\''))
            buf_puts(out, "\\&");
        first = c == '\n';
        switch (c) {
        case '\\':
            buf_puts(out, "\\e");
            break;
        case '-':
            buf_puts(out, "\\-");
            break;
        case '\'':
            buf_puts(out, "\\(aq");
            break;
        case '`':
            buf_puts(out, "\\(ga");
            break;
        case '~':
            buf_puts(out, "\\(ti");
            break;
        case '"':
            buf_puts(out, "\\(dq");
            break;
        default:
            buf_putc(out, c);
        }
    }
}

/* One argument of a macro. */
static void add_arg(struct buf *out, struct str text)
{
    buf_puts(out, " \"");
    add_text(out, text);
    buf_putc(out, '"');
}

/* ---- parts of pages ---- */

static void add_head(struct buf *out, const char *name, char section, struct str about)
{
    buf_puts(out, ".\\\" Made by `envbuild help --write`.\n.Dd " DATE "\n.Dt ");
    for (const char *p = name; *p; p++)
        buf_putc(out, (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
    buf_fmt(out, " %c\n.Os \"envbuild " ENVBUILD_VERSION "\"\n.Sh NAME\n.Nm %s\n.Nd ", section,
            name);
    add_text(out, about);
    buf_putc(out, '\n');
}

/* "Build the image." as ".Nd" has it. */
static void add_command_head(struct buf *out, const char *name, const struct command *c)
{
    CLEANUP(buf_clear) struct buf about = {0};
    struct str help = str_of(c->help);

    str_drop(&help, STR("."));
    buf_putc(&about, c_lower(help.p[0]));
    buf_str(&about, str_sub(help, 1, help.len - 1));
    add_head(out, name, '1', buf_view(&about));
}

static void add_prose(struct buf *out, const char *name, char section)
{
    CLEANUP(buf_clear) struct buf file = {0};
    struct str text;

    buf_fmt(&file, "%s.%c.mdoc", name, section);
    if (embedded_get(&text, buf_view(&file)))
        buf_str(out, text);
}

static void add_options(struct buf *out, const struct opt *opts)
{
    buf_puts(out, ".Pp\nThe options are, in parentheses what holds without one:\n"
                  ".Bl -tag -width Ds\n");
    for (const struct opt *o = opts; o->name; o++) {
        buf_puts(out, ".It");
        if (o->letter)
            buf_fmt(out, " Fl %c ,", o->letter);
        buf_puts(out, " Fl");
        buf_puts(out, " \\-");
        add_text(out, str_of(o->name));
        if (o->arg) {
            buf_puts(out, " Ar");
            add_arg(out, str_of(o->arg));
        }
        buf_putc(out, '\n');
        add_text(out, str_of(o->help));
        buf_puts(out, "\n");
    }
    buf_puts(out, ".El\n");
}

static void add_literal(struct buf *out, const char *title, const char *text)
{
    buf_fmt(out, ".Sh %s\n.Bd -literal -offset indent\n", title);
    add_text(out, str_of(text));
    buf_puts(out, ".Ed\n");
}

static void add_exit_codes(struct buf *out)
{
    buf_puts(out, ".Sh EXIT STATUS\n.Bl -tag -width \"130\" -compact\n");
    for (const struct exit_code *c = exit_codes; c->code; c++) {
        buf_fmt(out, ".It %s\n", c->code);
        add_text(out, str_of(c->means));
        buf_putc(out, '\n');
    }
    buf_puts(out, ".El\n");
}

static void add_also(struct buf *out)
{
    buf_puts(out, ".Sh SEE ALSO\n");
    buf_puts(out, ".Xr envbuild 1 ,\n.Xr envbuild-lock 5 ,\n.Xr envbuild-recipe 5\n");
}

/* ---- pages ---- */

void manual_command(struct buf *out, const struct command *c, const struct opt *opts)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct str rest = str_of(c->operands), word;

    buf_fmt(&name, "envbuild-%s", c->name);
    add_command_head(out, name.p, c);
    buf_fmt(out, ".Sh SYNOPSIS\n.Nm \"envbuild %s\"\n.Op Ar option ...\n", c->name);
    while (str_word(&rest, &word)) {
        buf_puts(out, ".Ar");
        add_arg(out, word);
        buf_putc(out, '\n');
    }
    buf_puts(out, ".Sh DESCRIPTION\n");
    add_text(out, str_of(c->help));
    buf_putc(out, '\n');
    add_options(out, opts);
    add_prose(out, name.p, '1');
    if (c->exits) {
        add_literal(out, "EXIT STATUS", c->exits);
        buf_puts(out, "All others are those of\n.Xr envbuild 1 .\n");
    }
    add_literal(out, "EXAMPLES", c->examples);
    add_also(out);
}

/* By their names, whichever stands first in the table. */
static void add_commands(struct buf *out)
{
    struct strs names = {0};
    const struct str *name;

    for (const struct command *c = commands; c->name; c++)
        vec_add(&names, str_of(c->name));
    vec_sort(&names, str_compare);
    vec_each(name, &names)
        buf_fmt(out, ".Xr envbuild-" STR_FMT " 1 ,\n", STR_ARG(*name));
    vec_clear(&names);
}

void manual_program(struct buf *out)
{
    add_head(out, "envbuild", '1', STR("reproducible GPU environments"));
    buf_puts(out, ".Sh SYNOPSIS\n.Nm\n.Ar RECIPE\n.Nm\n.Ar COMMAND\n.Op Ar option ...\n"
                  ".Op Ar operand ...\n.Nm\n.Fl \\-version\n.Sh DESCRIPTION\n");
    buf_puts(out, "The commands are:\n.Bl -tag -width Ds -compact\n");
    for (const struct command *c = commands; c->name; c++) {
        buf_fmt(out, ".It Xr envbuild-%s 1\n", c->name);
        add_text(out, str_of(c->help));
        buf_putc(out, '\n');
    }
    buf_puts(out, ".El\n");
    add_prose(out, "envbuild", '1');
    add_exit_codes(out);
    buf_puts(out, ".Sh SEE ALSO\n");
    add_commands(out);
    for (const struct manual_format *f = manual_formats; f->name; f++)
        buf_fmt(out, ".Xr %s 5%s\n", f->name, f[1].name ? " ," : "");
}

void manual_format(struct buf *out, const struct manual_format *format)
{
    add_head(out, format->name, '5', str_of(format->about));
    add_prose(out, format->name, '5');
    buf_puts(out, ".Sh SEE ALSO\n.Xr envbuild 1\n");
}
