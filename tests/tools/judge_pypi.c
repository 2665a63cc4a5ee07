/* tests/tools/judge_pypi.c - our reading of versions, specifiers, requirements, markers, names and
 * wheel tags, for comparison with `packaging`.
 *
 * Reads questions from stdin, one a line, fields between tabs (\t and \n within a field are written
 * "\t" and "\n"); prints one answer a line. The questions, and what "-" and the rest mean, stand at
 * each function below.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>
#include "pkg/pypi/pep508.h"
#include "pkg/pypi/wheeltag.h"

enum { FIELDS = 6 };

/* version TEXT: normal form and "pre" or "final"; "-" where it is none. */
static void version(const struct str *f, struct buf *out)
{
    struct pep440 v;

    if (!pep440_parse(&v, f[0])) {
        buf_putc(out, '-');
        return;
    }
    pep440_print(out, &v);
    buf_puts(out, pep440_is_pre(&v) ? " pre" : " final");
}

/* order A B: "<", "=" or ">". */
static void order(const struct str *f, struct buf *out)
{
    struct pep440 a, b;
    int c;

    if (!pep440_parse(&a, f[0]) || !pep440_parse(&b, f[1])) {
        buf_putc(out, '-');
        return;
    }
    c = pep440_cmp(&a, &b);
    buf_putc(out, c < 0 ? '<' : c > 0 ? '>' : '=');
}

/* specifier SET VERSION: "yes" or "no"; with "!" where the set asks for pre-releases. */
static void specifier(const struct str *f, struct buf *out)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct pep440 v;
    struct str bad;

    if (!specifiers_parse(&set, f[0], &bad) || !pep440_parse(&v, f[1])) {
        buf_putc(out, '-');
        return;
    }
    buf_puts(out, specifiers_match(&set, &v) ? "yes" : "no");
    buf_puts(out, specifiers_want_pre(&set) ? "!" : "");
}

/* marker TEXT EXTRA PYTHON MACHINE: "yes" or "no"; "!" where it cannot be evaluated. */
static void marker(const struct str *f, struct buf *out)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct marker_env env = {f[2], f[3]};
    bool yes;

    buf_fmt(&text, "x; " STR_FMT, STR_ARG(f[0]));
    if (requirement_parse(&r, &a, buf_view(&text), &e) < 0)
        buf_putc(out, '-');
    else if (marker_eval(r.marker, &env, f[1], &yes, &e) < 0)
        buf_putc(out, '!');
    else
        buf_puts(out, yes ? "yes" : "no");
}

/* requirement TEXT: as it prints, all in normal form but the name. */
static void requirement(const struct str *f, struct buf *out)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (requirement_parse(&r, &a, f[0], &e) < 0)
        buf_putc(out, '-');
    else
        requirement_print(out, &r, true);
}

/* name TEXT */
static void name(const struct str *f, struct buf *out)
{
    pep503_normalise(out, f[0]);
}

/* wheel FILE MINOR GLIBC: the rank, or "none" where it does not fit. */
static void wheel(const struct str *f, struct buf *out)
{
    struct wheel_target target = {3, 0, 2, 0, STR("x86_64")};
    struct wheel_name w;
    unsigned rank;

    if (!wheel_name_parse(&w, f[0]) || !str_u32(f[1], &target.python_minor) ||
        !str_u32(f[2], &target.glibc_minor)) {
        buf_putc(out, '-');
        return;
    }
    rank = wheel_rank(&w, &target);
    if (rank == UINT_MAX)
        buf_puts(out, "none");
    else
        buf_fmt(out, "%u", rank);
}

static const struct {
    const char *key;
    void (*judge)(const struct str *fields, struct buf *out);
} kinds[] = {
    {"version", version},         {"order", order}, {"specifier", specifier}, {"marker", marker},
    {"requirement", requirement}, {"name", name},   {"wheel", wheel},
};

static void unescape(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\\' || i + 1 == s.len) {
            buf_putc(out, s.p[i]);
            continue;
        }
        i++;
        buf_putc(out, s.p[i] == 't' ? '\t' : s.p[i] == 'n' ? '\n' : s.p[i]);
    }
}

static void answer(struct str line, struct buf *out)
{
    struct buf texts[FIELDS] = {0};
    struct str fields[FIELDS] = {0}, key = {0}, field;

    str_item(&line, '\t', &key);
    for (size_t i = 0; i < FIELDS; i++) {
        if (str_item(&line, '\t', &field))
            unescape(&texts[i], field);
        fields[i] = buf_view(&texts[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(key, kinds[i].key))
            kinds[i].judge(fields, out);
    for (size_t i = 0; i < FIELDS; i++)
        buf_clear(&texts[i]);
}

int main(void)
{
    CLEANUP(free_clear) char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) > 0) {
        CLEANUP(buf_clear) struct buf out = {0};

        if (line[n - 1] == '\n')
            n--;
        answer(str_sub((struct str){line, (size_t)n}, 0, (size_t)n), &out);
        puts(out.p ? out.p : "");
    }
    return 0;
}
