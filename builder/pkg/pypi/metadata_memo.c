/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_memo.h"

#include "metadata.h"

static void own_key(struct buf *out, const struct digest *wheel)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(wheel, hex);
    buf_fmt(out, "wheel metadata 2 of the wheel\n%s", hex);
}

static void announced_key(struct buf *out, const struct metadata_source *s)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(&s->digest, hex);
    buf_fmt(out, "wheel metadata 2 announced\n%s\n" STR_FMT "\n" STR_FMT, hex, STR_ARG(s->from),
            STR_ARG(s->url));
}

/* A description can be long, and nobody asks for it. */
static struct str fields_only(struct str text)
{
    size_t unix_end = str_find_str(text, STR("\n\n")), dos_end = str_find_str(text, STR("\n\r\n"));

    return str_sub(text, 0, (unix_end < dos_end ? unix_end : dos_end) + 1);
}

/* A memo that cannot be read knows nothing. */
static bool get(const struct memo *memo, const struct buf *key, const struct digest *of,
                struct buf *out)
{
    CLEANUP(err_clear) struct err unused = {0};
    bool found = false;

    return memo_get(memo, buf_view(key), of, out, &found, &unused) == 0 && found;
}

void metadata_announced(const struct memo *memo, const struct metadata_source *source,
                        struct str text, const struct events *events)
{
    CLEANUP(err_clear) struct err unused = {0};
    CLEANUP(buf_clear) struct buf key = {0};

    if (!memo || !digest_is_set(&source->digest))
        return;
    announced_key(&key, source);
    if (memo_put_text(memo, buf_view(&key), fields_only(text), &unused) < 0)
        events_note(events, "not remembered: %s", unused.msg);
}

bool metadata_recall(const struct memo *memo, const struct metadata_source *source, struct buf *out)
{
    CLEANUP(buf_clear) struct buf key = {0}, other_key = {0}, other = {0};

    if (!memo || !digest_is_set(&source->digest))
        return false;
    own_key(&key, &source->digest);
    announced_key(&other_key, source);
    if (!get(memo, &key, &source->digest, out))
        return get(memo, &other_key, NULL, out);
    /* From now on the choice rests on the wheel: another announcement is forgotten. */
    if (get(memo, &other_key, NULL, &other) && !str_eq(buf_view(&other), buf_view(out)))
        metadata_announced(memo, source, buf_view(out), NULL);
    return true;
}

/* ---- what differs ---- */

static struct str at(const struct strs *list, size_t i)
{
    return i < list->n ? list->v[i] : (struct str){0};
}

static void show(struct buf *out, struct str value)
{
    if (value.len)
        buf_fmt(out, "\"" STR_FMT "\"", STR_ARG(value));
    else
        buf_puts(out, "nothing");
}

/* The fields that a choice rests on, in their order; false when the first i of both are alike. */
static bool differ(struct buf *words, const char *field, struct str announced, struct str own)
{
    if (str_eq(announced, own))
        return false;
    buf_fmt(words, "%s: announced was ", field);
    show(words, announced);
    buf_puts(words, ", the wheel says ");
    show(words, own);
    return true;
}

static bool lists_differ(struct buf *words, const char *field, const struct strs *announced,
                         const struct strs *own)
{
    for (size_t i = 0; i < announced->n || i < own->n; i++)
        if (differ(words, field, at(announced, i), at(own, i)))
            return true;
    return false;
}

static void texts_of(struct strs *out, const struct metadata *m)
{
    for (size_t i = 0; i < m->requires.n; i++)
        vec_add(out, m->requires.v[i].text);
}

static bool metadata_differ(struct buf *words, const struct metadata *announced,
                            const struct metadata *own)
{
    struct strs was = {0}, is = {0};
    bool other;

    texts_of(&was, announced);
    texts_of(&is, own);
    other = differ(words, "Requires-Python", announced->requires_python, own->requires_python) ||
            lists_differ(words, "Requires-Dist", &was, &is) ||
            lists_differ(words, "Provides-Extra", &announced->extras, &own->extras);
    vec_clear(&was);
    vec_clear(&is);
    return other;
}

/* ---- confirming ---- */

static int check_name(const struct metadata *own, const struct artifact *wheel, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct pep440 is, want;

    pep503_normalise(&name, own->name);
    if (str_eq(buf_view(&name), wheel->name) && pep440_parse(&is, own->version) &&
        pep440_parse(&want, wheel->version) && pep440_cmp(&is, &want) == 0)
        return 0;
    return err_set(e, ERR_INTEGRITY,
                   STR_FMT " says in METADATA that it is " STR_FMT " " STR_FMT
                           ", and the lock has it as " STR_FMT " " STR_FMT,
                   STR_ARG(wheel->file), STR_ARG(own->name), STR_ARG(own->version),
                   STR_ARG(wheel->name), STR_ARG(wheel->version));
}

static int check_announced(const struct memo *memo, const struct metadata *own,
                           const struct artifact *wheel, const char *what, struct err *e)
{
    const struct metadata_source source = {wheel->from, wheel->url, wheel->digest};
    CLEANUP(metadata_clear) struct metadata announced = {0};
    CLEANUP(buf_clear) struct buf key = {0}, text = {0}, words = {0};
    CLEANUP(err_clear) struct err damaged = {0}; /* as good as not remembered */

    announced_key(&key, &source);
    if (!get(memo, &key, NULL, &text) ||
        metadata_parse(&announced, buf_view(&text), what, &damaged) < 0 ||
        !metadata_differ(&words, &announced, own))
        return 0;
    return err_set(e, ERR_INTEGRITY,
                   "%s: its METADATA is not what " STR_FMT
                   " announced when it was chosen: %s; choose by the wheel itself with "
                   "`envbuild lock --upgrade RECIPE " STR_FMT "`",
                   what, STR_ARG(wheel->from), words.p, STR_ARG(wheel->name));
}

int metadata_confirm(const struct memo *memo, const struct cas *cas, const struct artifact *wheel,
                     struct str own, struct err *e)
{
    CLEANUP(metadata_clear) struct metadata m = {0};
    CLEANUP(free_clear) char *what = str_dup(wheel->file);
    CLEANUP(buf_clear) struct buf key = {0};
    struct seen seen;

    if (metadata_parse(&m, own, what, e) < 0 || check_name(&m, wheel, e) < 0)
        return -1;
    own_key(&key, &wheel->digest);
    if (cas_saw(cas, &wheel->digest, &seen) &&
        memo_put(memo, buf_view(&key), &seen, fields_only(own), e) < 0)
        return -1;
    return check_announced(memo, &m, wheel, what, e);
}
