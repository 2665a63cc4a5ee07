/* tests/tools/solve_deb.c - the apt solver on Packages files, to be compared with apt.
 *
 * solve_deb ARCH SUITE/COMPONENT[@PIN]=FILE... [--essential] [-g GROUP NAME...]...
 * Prints "name version group" a line, sorted by name; an error goes to stderr, with its code. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "plan/deb/solve_deb.h"

enum { PACKAGES_MAX = 256 << 20 };

/* SUITE/COMPONENT[@PIN]=FILE */
static int add_file(struct debindex *index, struct str arg, struct err *e)
{
    CLEANUP(free_clear) char *label = NULL;
    CLEANUP(buf_clear) struct buf text = {0}, bytes = {0};
    struct deb_origin origin = {.base_url = STR("https://archive.example"), .pin = DEB_PIN_USUAL};
    CLEANUP(source_clear) struct source *source = NULL;
    struct str from, pin, suite;

    if (!str_cut(&arg, STR("="), &from))
        return err_set(e, ERR_USAGE, "\"" STR_FMT "\" is not LABEL=FILE", STR_ARG(arg));
    if (fs_read(&text, arg.p, PACKAGES_MAX, e) < 0)
        return -1;
    if (str_cut_last(&from, STR("@"), &pin) && !str_u32(pin, &origin.pin))
        return err_set(e, ERR_USAGE, "\"" STR_FMT "\" is not a pin", STR_ARG(pin));
    origin.from = suite = from;
    str_item(&suite, '/', &origin.suite);
    label = str_dup(from);
    source = source_bytes(buf_view(&text), label);
    if (deblist_condense(&bytes, source, text.len, index->arch, label, e) < 0)
        return -1;
    return debindex_add_list(index, &bytes, &origin, e);
}

static int run_group(struct deb_solver *s, const char *group, bool essential, char **names,
                     size_t n, struct err *e)
{
    CLEANUP(free_clear) struct deb_want *wants = xcalloc(n + 1, sizeof *wants);

    for (size_t i = 0; i < n; i++)
        wants[i].text = str_of(names[i]);
    return deb_solver_install(s, group, essential, wants, n, e);
}

static int run_groups(struct deb_solver *s, char **argv, bool essential, struct err *e)
{
    while (*argv && !strcmp(*argv, "-g") && argv[1]) {
        const char *group = argv[1];
        size_t n = 0;
        for (argv += 2; argv[n] && strcmp(argv[n], "-g") != 0;)
            n++;
        if (run_group(s, group, essential, argv, n, e) < 0)
            return -1;
        argv += n;
        essential = false;
    }
    return *argv ? err_set(e, ERR_USAGE, "\"%s\" is not -g GROUP", *argv) : 0;
}

static int solve(char **argv, struct debindex *index, struct err *e)
{
    CLEANUP(deb_solver_clear) struct deb_solver *s = NULL;
    struct deb_solution solution = {0};
    bool essential;

    index->arch = str_of(*argv++);
    for (; *argv && **argv != '-'; argv++)
        if (add_file(index, str_of(*argv), e) < 0)
            return -1;
    debindex_finish(index);
    s = deb_solver_open(index, "the archive");
    essential = *argv && !strcmp(*argv, "--essential");
    if (run_groups(s, argv + essential, essential, e) < 0)
        return -1;
    deb_solver_solution(s, &solution);
    for (size_t i = 0; i < solution.n; i++)
        printf(STR_FMT " " STR_FMT " %s\n", STR_ARG(solution.v[i].package->name),
               STR_ARG(solution.v[i].package->version), solution.v[i].group);
    vec_clear(&solution);
    return 0;
}

int main(int argc, char **argv)
{
    CLEANUP(debindex_clear) struct debindex index = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (argc > 1 && solve(argv + 1, &index, &e) == 0)
        return 0;
    for (const struct err *one = &e; one; one = one->next) {
        CLEANUP(buf_clear) struct buf line = {0};
        err_format(one, &line);
        fprintf(stderr, "%s\n", line.p);
    }
    return (int)e.kind;
}
