/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include "../../base/buf.h"
#include "pep440.h"
#include "wheeltag.h"

enum { MANYLINUX_MINOR_MAX = 999 };

static bool all_words(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return s.len > 0;
}

/* A "." set of tags, none of them empty. */
static bool is_tag_set(struct str s)
{
    struct str tag;

    while (str_item(&s, '.', &tag))
        if (!tag.len)
            return false;
    return true;
}

/* Python tags are words that begin with no digit. */
static bool are_identifiers(struct str s)
{
    struct str tag;

    while (str_item(&s, '.', &tag))
        if (!all_words(tag) || c_digit(tag.p[0]))
            return false;
    return true;
}

bool wheel_name_parse(struct wheel_name *out, struct str file)
{
    struct wheel_name w = {0};
    struct pep440 version;
    struct str rest = file;

    if (!str_drop(&rest, STR(".whl")) || !str_cut_last(&rest, STR("-"), &w.platform) ||
        !str_cut_last(&rest, STR("-"), &w.abi) || !str_cut_last(&rest, STR("-"), &w.python) ||
        !str_cut(&rest, STR("-"), &w.dist))
        return false;
    if (str_cut(&rest, STR("-"), &w.version)) {
        w.build = rest;
        if (!w.build.len || !c_digit(w.build.p[0]) || str_has(w.build, '-'))
            return false;
    } else {
        w.version = rest;
    }
    if (!all_words(w.dist) || str_find_str(w.dist, STR("__")) < w.dist.len ||
        !pep440_parse(&version, w.version) || !are_identifiers(w.python) || !is_tag_set(w.abi) ||
        !is_tag_set(w.platform))
        return false;
    *out = w;
    return true;
}

/* Platforms are ranked manylinux_2_<glibc> down to manylinux_2_5 (2_17 where the machine is younger
 * than that), each with its old name right behind it, then linux. */
static unsigned oldest_minor(struct str machine)
{
    return str_is(machine, "x86_64") || str_is(machine, "i686") ? 5 : 17;
}

static unsigned slot(unsigned minor, const struct wheel_target *t)
{
    unsigned n = t->glibc_minor - minor;

    if (minor < 17 && t->glibc_minor >= 17)
        n++;
    if (minor < 12 && t->glibc_minor >= 12)
        n++;
    return n;
}

static unsigned platforms(const struct wheel_target *t)
{
    static const unsigned old_names[] = {17, 12, 5};
    unsigned oldest = oldest_minor(t->machine), n = 1;

    if (t->glibc_major != 2 || t->glibc_minor < oldest)
        return n;
    n += t->glibc_minor - oldest + 1;
    for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
        if (old_names[i] >= oldest && old_names[i] <= t->glibc_minor)
            n++;
    return n;
}

/* "manylinux_2_28" or an old name; false when it is neither. */
static bool manylinux_minor(struct str name, const struct wheel_target *t, unsigned *minor,
                            bool *old_name)
{
    uint32_t n;

    *old_name = true;
    if (str_is(name, "manylinux2014"))
        *minor = 17;
    else if (str_is(name, "manylinux2010"))
        *minor = 12;
    else if (str_is(name, "manylinux1"))
        *minor = 5;
    else {
        *old_name = false;
        if (!str_skip(&name, STR("manylinux_2_")) || !str_u32(name, &n) ||
            (name.len > 1 && name.p[0] == '0') || n > MANYLINUX_MINOR_MAX)
            return false;
        *minor = n;
    }
    return t->glibc_major == 2 && *minor <= t->glibc_minor && *minor >= oldest_minor(t->machine);
}

static unsigned platform_rank(struct str platform, const struct wheel_target *t)
{
    unsigned minor;
    bool old_name;

    if (!str_drop(&platform, t->machine) || !str_drop(&platform, STR("_")))
        return UINT_MAX;
    if (str_is(platform, "linux"))
        return platforms(t) - 1;
    if (!manylinux_minor(platform, t, &minor, &old_name))
        return UINT_MAX;
    return slot(minor, t) + old_name;
}

/* "cp312" or "py3": the letters, the major and the minor (-1 when there is none). */
static bool python_tag(struct str tag, const char *letters, unsigned *major, int *minor)
{
    uint32_t n;

    if (!str_skip(&tag, str_of(letters)) || !tag.len || !c_digit(tag.p[0]))
        return false;
    *major = (unsigned)(tag.p[0] - '0');
    *minor = -1;
    tag = str_sub(tag, 1, tag.len);
    if (!tag.len)
        return true;
    if (!str_u32(tag, &n) || n > 999 || (tag.len > 1 && tag.p[0] == '0'))
        return false;
    *minor = (int)n;
    return true;
}

/* Place of a "py" tag among those of the target: py312, py3, py311, ..., py30. */
static unsigned py_rank(struct str tag, const struct wheel_target *t)
{
    int own = (int)t->python_minor, minor;
    unsigned major;

    if (!python_tag(tag, "py", &major, &minor) || major != t->python_major || minor > own)
        return UINT_MAX;
    if (minor < 0)
        return 1;
    return minor == own ? 0 : (unsigned)(own - minor) + 1;
}

/* Blocks of the preference list (PyPA platform-compatibility-tags; the order is `packaging`'s). For
 * CPython 3.N: one block of platforms each for cp3N-cp3N, cp3N-abi3, cp3N-none, N-2 older abi3, N+2
 * py tags; behind them the list of "any". */
static unsigned any_rank(struct str python, bool own, const struct wheel_target *t, unsigned blocks)
{
    unsigned rank = own ? 0 : py_rank(python, t);

    if (rank == UINT_MAX)
        return UINT_MAX;
    return blocks * platforms(t) + rank + !own;
}

static unsigned tag_rank(struct str python, struct str abi, struct str platform,
                         const struct wheel_target *t)
{
    unsigned major = 0, np = platforms(t), p, block, older = t->python_minor - 2;
    int minor = -1;
    bool cp = python_tag(python, "cp", &major, &minor) && major == t->python_major && minor >= 0;
    bool own = cp && minor == (int)t->python_minor;
    bool none = str_is(abi, "none");

    if (str_is(platform, "any"))
        return none ? any_rank(python, own, t, 3 + older + t->python_minor + 2) : UINT_MAX;
    p = platform_rank(platform, t);
    if (p == UINT_MAX)
        return UINT_MAX;
    if (own && str_eq(abi, python))
        block = 0;
    else if (own && str_is(abi, "abi3"))
        block = 1;
    else if (own && none)
        block = 2;
    else if (cp && str_is(abi, "abi3") && minor >= 2 && minor < (int)t->python_minor)
        block = 3 + t->python_minor - 1 - (unsigned)minor;
    else if (none && py_rank(python, t) != UINT_MAX)
        block = 3 + older + py_rank(python, t);
    else
        return UINT_MAX;
    return block * np + p;
}

static struct str lower(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_putc(out, c_lower(s.p[i]));
    return buf_view(out);
}

unsigned wheel_rank(const struct wheel_name *name, const struct wheel_target *target)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0}, c = {0};
    struct str pythons = lower(&a, name->python), all_abis = lower(&b, name->abi), python;
    struct str all_platforms = lower(&c, name->platform);
    unsigned best = UINT_MAX;

    while (str_item(&pythons, '.', &python)) {
        struct str abis = all_abis, abi;

        while (str_item(&abis, '.', &abi)) {
            struct str rest = all_platforms, platform;

            while (str_item(&rest, '.', &platform)) {
                unsigned rank = tag_rank(python, abi, platform, target);

                best = rank < best ? rank : best;
            }
        }
    }
    return best;
}

/* The number at the front, without leading zeros; what is left in *s. */
static struct str take_digits(struct str *s)
{
    struct str number;
    size_t n = 0;

    while (n < s->len && c_digit(s->p[n]))
        n++;
    number = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->len);
    while (number.len > 1 && number.p[0] == '0')
        number = str_sub(number, 1, number.len);
    return number;
}

int wheel_build_cmp(struct str a, struct str b)
{
    struct str na, nb;

    if (!a.len || !b.len)
        return (a.len > 0) - (b.len > 0);
    na = take_digits(&a);
    nb = take_digits(&b);
    if (na.len != nb.len)
        return na.len > nb.len ? 1 : -1;
    if (str_cmp(na, nb))
        return str_cmp(na, nb);
    return str_cmp(a, b);
}
