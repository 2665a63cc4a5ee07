/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_read_parts.h"

/* "12", "-3"; with a fraction where `fraction`, which is dropped. */
static bool pax_number(struct str s, bool fraction, int64_t *out)
{
    bool minus = str_skip(&s, STR("-"));
    struct str rest = s, whole = s;
    uint64_t n;

    if (fraction && str_cut(&rest, STR("."), &whole))
        for (size_t i = 0; i < rest.len; i++)
            if (!c_digit(rest.p[i]))
                return false;
    if (!str_u64(whole, &n) || n > INT64_MAX)
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

/* GNU's records of files with holes. */
static bool sparse_record(struct tar_reader *t, struct str key, struct str value)
{
    struct extra *x = &t->extra;
    uint64_t n = 0;

    if (str_is(key, "name")) {
        x->path = value;
        return x->has_path = true;
    }
    if (str_is(key, "map"))
        return tar_pieces_of_text(t, value);
    if (!str_u64(value, &n))
        return false;
    if (str_is(key, "offset"))
        return tar_piece_add(t, n);
    if (str_is(key, "numbytes")) {
        if (!t->pieces.n)
            return false;
        t->pieces.v[t->pieces.n - 1].len = n;
    } else if (str_is(key, "size") || str_is(key, "realsize")) {
        x->real = n;
        x->sparse = x->has_real = true;
    } else if (str_is(key, "major")) {
        x->map_in_data = n == 1;
        return n <= 1;
    }
    return true;
}

static bool signed_record(bool *has, int64_t *out, struct str value, bool fraction)
{
    *has = true;
    return pax_number(value, fraction, out);
}

static bool pax_record(struct tar_reader *t, struct str key, struct str value)
{
    struct extra *x = &t->extra;
    int64_t n;

    if (str_skip(&key, STR("GNU.sparse.")))
        return !str_has(value, '\0') && sparse_record(t, key, value);
    if (str_is(key, TAR_CAPS))
        x->caps = value;
    if (str_starts(key, STR("SCHILY.xattr.")))
        return value.len <= XATTR_MAX;
    if (!value.len) /* takes back what is said otherwise; nothing is */
        return true;
    if (str_is(key, "path") || str_is(key, "linkpath")) {
        bool link = key.p[0] == 'l';

        *(link ? &x->link : &x->path) = value;
        return *(link ? &x->has_link : &x->has_path) = !str_has(value, '\0');
    }
    if (str_is(key, "uid"))
        return signed_record(&x->has_uid, &x->uid, value, false);
    if (str_is(key, "gid"))
        return signed_record(&x->has_gid, &x->gid, value, false);
    if (str_is(key, "mtime"))
        return signed_record(&x->has_mtime, &x->mtime, value, true);
    if (!str_is(key, "size"))
        return true;
    x->has_size = true;
    if (!pax_number(value, false, &n) || n < 0)
        return false;
    x->size = (uint64_t)n;
    return true;
}

/* The next "LEN key=value\n" of *rest, where LEN counts itself. */
static bool next_record(struct str *rest, struct str *key, struct str *value)
{
    size_t space = str_find(*rest, ' ');
    uint64_t len;

    if (space > NUMBER_MAX || !str_u64(str_sub(*rest, 0, space), &len) || len > rest->len ||
        len < space + 2 || rest->p[len - 1] != '\n')
        return false;
    *value = str_sub(*rest, space + 1, (size_t)len - space - 2);
    *rest = str_sub(*rest, (size_t)len, rest->len);
    return str_cut(value, STR("="), key) && key->len;
}

int tar_pax_read(struct tar_reader *t, bool global, struct err *e)
{
    struct str rest = buf_view(&t->records), key, value;

    if (!global) {
        t->extra = (struct extra){.pax = true};
        t->pieces.n = 0;
    }
    while (rest.len) {
        if (!next_record(&rest, &key, &value))
            return tar_bad(t, "a broken pax header", e);
        if (global && !str_is(key, "comment"))
            return tar_bad(t, "a global pax header that says more than a comment", e);
        if (!global && !pax_record(t, key, value))
            return err_set(e, ERR_INPUT,
                           "%s is not a valid tar: a pax header with a \"" STR_FMT
                           "\" that cannot be, at byte %llu",
                           t->in->name, STR_ARG(key), (unsigned long long)t->offset);
    }
    return 0;
}
