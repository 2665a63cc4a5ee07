/* SPDX-License-Identifier: Apache-2.0 */
#include "opt.h"

enum { HELP_INDENT = 27, HELP_WIDTH = 80 };

int opt_flag(void *value, const char *arg, struct err *e)
{
    *(bool *)value = true;
    return 0;
}

int opt_str(void *value, const char *arg, struct err *e)
{
    if (!arg[0])
        return err_set(e, ERR_USAGE, "is empty");
    *(const char **)value = arg;
    return 0;
}

int opt_cell(void *value, const char *arg, struct err *e)
{
    if (*(const char **)value)
        return err_set(e, ERR_USAGE,
                       "stands twice; several values are one text, as pytorch=2.6.0,variant=devel");
    return opt_str(value, arg, e);
}

int opt_add(void *value, const char *arg, struct err *e)
{
    struct strs *list = value;

    vec_add(list, str_of(arg));
    return 0;
}

int opt_u32(void *value, const char *arg, struct err *e)
{
    uint32_t n;

    if (!str_u32(str_of(arg), &n) || n < 1 || n > 1024)
        return err_set(e, ERR_USAGE, "\"%s\" is not a number from 1 to 1024", arg);
    *(uint32_t *)value = n;
    return 0;
}

int opt_age(void *value, const char *arg, struct err *e)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"h", 3600}, {"d", 24 * 3600}, {"w", 7 * 24 * 3600}};
    uint32_t n;

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str text = str_of(arg);

        if (!str_drop(&text, str_of(units[i].unit)) || !str_u32(text, &n) || n < 1 || n > 10000)
            continue;
        *(int64_t *)value = n * units[i].seconds;
        return 0;
    }
    return err_set(e, ERR_USAGE, "\"%s\" is not an age; write hours, days or weeks: 12h, 30d or 4w",
                   arg);
}

static bool ends(const struct opt *o)
{
    return !o->letter && !o->name;
}

static int unknown(const struct opt *opts, struct str name, struct err *e)
{
    const struct opt *best = NULL;
    unsigned nearest = 3;

    for (const struct opt *o = opts; !ends(o); o++) {
        unsigned d = o->name ? str_distance(name, str_of(o->name), nearest) : nearest;

        if (d < nearest) {
            nearest = d;
            best = o;
        }
    }
    if (best)
        return err_set(e, ERR_USAGE, "--" STR_FMT " is not an option here; did you mean --%s?",
                       STR_ARG(name), best->name);
    return err_set(e, ERR_USAGE, "--" STR_FMT " is not an option here; --help lists them",
                   STR_ARG(name));
}

static int set(const struct opt *o, const char *shown, const char *arg, struct err *e)
{
    if (o->set(o->value, arg, e) < 0)
        return err_wrap(e, "%s", shown);
    return 0;
}

/* --name, --name=value or --name value; returns how many arguments it took, or -1. */
static int take_long(const struct opt *opts, char *const *argv, int left, struct err *e)
{
    struct str rest = str_of(argv[0] + 2), name = rest;
    bool has_value = str_cut(&rest, STR("="), &name);

    for (const struct opt *o = opts; !ends(o); o++) {
        char shown[64];

        if (!o->name || !str_is(name, o->name))
            continue;
        snprintf(shown, sizeof shown, "--%s", o->name);
        if (!o->arg && has_value)
            return err_set(e, ERR_USAGE, "%s takes no value", shown);
        if (!o->arg || has_value)
            return set(o, shown, has_value ? rest.p : NULL, e) < 0 ? -1 : 1;
        if (left < 2)
            return err_set(e, ERR_USAGE, "%s needs a value: %s", shown, o->arg);
        return set(o, shown, argv[1], e) < 0 ? -1 : 2;
    }
    return unknown(opts, name, e);
}

/* -x, -xVALUE, -x VALUE or several flags at once. */
static int take_short(const struct opt *opts, char *const *argv, int left, struct err *e)
{
    for (const char *p = argv[0] + 1; *p; p++) {
        const struct opt *o = opts;
        char shown[3] = {'-', *p, '\0'};

        while (!ends(o) && o->letter != *p)
            o++;
        if (ends(o))
            return err_set(e, ERR_USAGE, "%s is not an option here; --help lists them", shown);
        if (!o->arg) {
            if (set(o, shown, NULL, e) < 0)
                return -1;
            continue;
        }
        if (p[1])
            return set(o, shown, p + 1, e) < 0 ? -1 : 1;
        if (left < 2)
            return err_set(e, ERR_USAGE, "%s needs a value: %s", shown, o->arg);
        return set(o, shown, argv[1], e) < 0 ? -1 : 2;
    }
    return 1;
}

int opt_parse(const struct opt *opts, int *argc, char **argv, struct err *e)
{
    int kept = 0, i = 0;

    while (i < *argc) {
        int took;

        if (argv[i][0] != '-' || !argv[i][1]) {
            argv[kept++] = argv[i++];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            for (i++; i < *argc; i++)
                argv[kept++] = argv[i];
            break;
        }
        took = argv[i][1] == '-' ? take_long(opts, argv + i, *argc - i, e)
                                 : take_short(opts, argv + i, *argc - i, e);
        if (took < 0)
            return -1;
        i += took;
    }
    *argc = kept;
    return 0;
}

void opt_wrap(struct buf *out, struct str text, size_t indent)
{
    size_t at = indent;
    struct str word;

    while (str_word(&text, &word)) {
        if (at > indent && at + 1 + word.len > HELP_WIDTH) {
            buf_fmt(out, "\n%*s", (int)indent, "");
            at = indent;
        }
        buf_fmt(out, "%s" STR_FMT, at > indent ? " " : "", STR_ARG(word));
        at += (at > indent) + word.len;
    }
    buf_putc(out, '\n');
}

void opt_help(const struct opt *opts, struct buf *out)
{
    for (const struct opt *o = opts; !ends(o); o++) {
        char left[48];

        snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        buf_fmt(out, "  %-24s ", left);
        opt_wrap(out, str_of(o->help), HELP_INDENT);
    }
}
