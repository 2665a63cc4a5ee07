/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#define IMAGE_MEANS                                                                                \
    "IMAGE is a path, or oci:DIR[:TAG], dir:DIR, oci-archive:FILE, docker-archive:FILE; "          \
    "docker:NAME and podman:NAME are images of the local engine, docker://HOST/NAME[:TAG] is one " \
    "of a registry."

const struct exit_code exit_codes[] = {
    {"0", "done"},
    {"1", "checked, and the answer is no"},
    {"2", "the command line is wrong"},
    {"3", "recipe, lock or artifact is wrong"},
    {"4", "nothing satisfies the recipe"},
    {"5", "network or registry"},
    {"6", "a digest or a signature is wrong"},
    {"7", "this machine: disk, rights, programs"},
    {"130", "interrupted; the same command continues"},
    {NULL, NULL},
};

void help_program(struct buf *out)
{
    buf_puts(out, "usage: envbuild RECIPE                    the same as envbuild build RECIPE\n"
                  "       envbuild COMMAND [OPTION...] OPERAND\n\n");
    for (const struct command *c = commands; c->name; c++) {
        buf_fmt(out, "  %-9s ", c->name);
        opt_wrap(out, str_of(c->help), 12);
    }
    buf_puts(out, "\nExit codes:\n");
    for (const struct exit_code *c = exit_codes; c->code; c++)
        buf_fmt(out, "  %-3s %s\n", c->code, c->means);
    buf_puts(out,
             "\nenvbuild help COMMAND tells its options and gives examples; envbuild --version "
             "the\nversion.\n");
}

static void add_lines(struct buf *out, const char *title, const char *lines)
{
    struct str rest = str_of(lines), line;

    buf_fmt(out, "\n%s:\n", title);
    while (str_line(&rest, &line))
        buf_fmt(out, "  " STR_FMT "\n", STR_ARG(line));
}

void help_command(struct buf *out, const struct command *c, const struct opt *opts)
{
    buf_fmt(out, "usage: envbuild %s [OPTION...]%s%s\n\n", c->name, c->operands[0] ? " " : "",
            c->operands);
    opt_wrap(out, str_of(c->help), 0);
    if (strstr(c->operands, "IMAGE")) {
        buf_putc(out, '\n');
        opt_wrap(out, STR(IMAGE_MEANS), 0);
    }
    add_lines(out, "Examples", c->examples);
    buf_puts(out, "\nOptions, in parentheses what holds without one:\n");
    opt_help(opts, out);
    if (c->exits)
        add_lines(out, "Exit codes, beside those of envbuild --help", c->exits);
}
