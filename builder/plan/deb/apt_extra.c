/* plan/deb/apt_extra.c - a recipe's own apt archives: their keys, and what the image gets of them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "apt_extra.h"

#include "../../base/fs.h"
#include "../../base/path.h"
#include "../../io/crypto.h"

#define KEYRINGS "/etc/apt/keyrings/"
#define SOURCES "/etc/apt/sources.list.d/recipe.sources"

enum { KEYRING_MAX = 4 << 20 };

/* RFC 9580, 6.2: armour is headers, an empty line, base64, a checksum behind "=", a tail line. */
static bool dearmor(struct buf *out, struct str text)
{
    CLEANUP(buf_clear) struct buf base64 = {0};
    struct str line;
    bool body = false;

    while (str_line(&text, &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("-----END PGP PUBLIC KEY BLOCK")))
            return body && base64.len && base64_decode(out, buf_view(&base64), false);
        if (!line.len)
            body = true;
        else if (body && line.p[0] != '=')
            buf_str(&base64, line);
    }
    return false;
}

static bool is_armoured(struct str text)
{
    return str_starts(str_trim_left(text), STR("-----BEGIN PGP PUBLIC KEY BLOCK"));
}

/* RFC 9580, 4.2: a public key is a packet of type 6, in the new framing or the old. */
static bool is_key(struct str bytes)
{
    unsigned char first = bytes.len ? (unsigned char)bytes.p[0] : 0;

    return (first & 0xc0) == 0xc0 ? (first & 0x3f) == 6 : (first & 0xbc) == 0x98;
}

/* The file's bytes, as they are and as gpgv wants them. */
static int read_keyring(struct buf *raw, struct buf *binary, const struct value *name,
                        const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *from = str_dup(name->text);
    CLEANUP(free_clear) char *path = path_join(dir, from);
    CLEANUP(err_clear) struct err fault = {0};

    if (fs_read(raw, path, KEYRING_MAX, &fault) < 0)
        return err_at(e, &name->pos, "apt_archives: keyring: %s", fault.msg);
    if (!is_armoured(buf_view(raw)))
        buf_str(binary, buf_view(raw));
    else if (!dearmor(binary, buf_view(raw)))
        return err_at(e, &name->pos, "apt_archives: \"" STR_FMT "\" is damaged: no OpenPGP armour",
                      STR_ARG(name->text));
    if (!is_key(buf_view(binary)))
        return err_at(e, &name->pos,
                      "apt_archives: \"" STR_FMT
                      "\" holds no OpenPGP key; `gpg --export KEY` makes "
                      "such a file",
                      STR_ARG(name->text));
    return 0;
}

/* apt tells armour from binary by the name. */
static void image_name(struct buf *out, struct str keyring, bool armoured)
{
    static const char *const ends[] = {".gpg", ".asc", ".pgp", ".key"};
    struct str base = path_base(keyring);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_drop(&base, str_of(ends[i])))
            break;
    buf_fmt(out, KEYRINGS STR_FMT "%s", STR_ARG(base), armoured ? ".asc" : ".gpg");
}

static void put_words(struct buf *out, const char *field, const struct values *words)
{
    if (words->n)
        buf_fmt(out, "%s:", field);
    for (size_t i = 0; i < words->n; i++)
        buf_fmt(out, " " STR_FMT, STR_ARG(words->v[i].text));
    buf_puts(out, words->n ? "\n" : "");
}

static void put_source(struct buf *out, const struct recipe_archive *a, struct str keyring)
{
    buf_fmt(out, "%sTypes: deb\nURIs: " STR_FMT "\n", out->len ? "\n" : "", STR_ARG(a->uri.text));
    put_words(out, "Suites", &a->suites);
    put_words(out, "Components", &a->components);
    buf_fmt(out, "Signed-By: " STR_FMT "\n", STR_ARG(keyring));
}

static void add_copy(struct lock *lock, struct str from, struct str text, struct str to,
                     struct str bytes)
{
    struct arena *a = &lock->doc.arena;
    struct lock_file file = {.size = bytes.len};
    struct lock_copy *copy;

    for (size_t i = 0; i < lock->copies.n; i++)
        if (from.len && str_eq(lock->copies.v[i].from, from) && str_eq(lock->copies.v[i].to, to))
            return; /* two archives with one keyring */
    hash_bytes(&file.digest, bytes.p, bytes.len);
    copy = vec_push(&lock->copies);
    copy->from = arena_str(a, from);
    copy->text = arena_str(a, text);
    copy->to = arena_str(a, to);
    vec_add(&copy->files, file);
}

static int take_keyring(struct lock *lock, struct buf *to, const struct value *name,
                        const char *dir, struct err *e)
{
    CLEANUP(buf_clear) struct buf raw = {0}, binary = {0};
    struct lock_input input = {.path = name->text, .use = STR("apt")};

    if (read_keyring(&raw, &binary, name, dir, e) < 0)
        return -1;
    image_name(to, name->text, is_armoured(buf_view(&raw)));
    for (size_t i = 0; i < lock->copies.n; i++)
        if (str_eq(lock->copies.v[i].to, buf_view(to)) &&
            !str_eq(lock->copies.v[i].from, name->text))
            return err_at(e, &name->pos,
                          "apt_archives: two keyrings would be %s in the image; "
                          "rename one",
                          to->p);
    add_copy(lock, name->text, (struct str){0}, buf_view(to), buf_view(&raw));
    hash_bytes(&input.digest, raw.p, raw.len);
    for (size_t i = 0; i < lock->inputs.n; i++)
        if (str_eq(lock->inputs.v[i].path, name->text))
            return 0;
    input.path = arena_str(&lock->doc.arena, name->text);
    vec_add(&lock->inputs, input);
    return 0;
}

int apt_extra_take(struct lock *lock, const struct recipe *r, const char *dir, struct err *e)
{
    CLEANUP(buf_clear) struct buf sources = {0};
    struct err fault = {0};

    for (size_t i = 0; i < r->archives.n; i++) {
        CLEANUP(buf_clear) struct buf keyring = {0};

        if (take_keyring(lock, &keyring, &r->archives.v[i].keyring, dir, &fault) == 0)
            put_source(&sources, &r->archives.v[i], buf_view(&keyring));
    }
    if (err_is_set(&fault))
        return err_join(e, &fault);
    if (sources.len)
        add_copy(lock, (struct str){0}, buf_view(&sources), STR(SOURCES), buf_view(&sources));
    return 0;
}

static void add_source(struct apt_extra *x, const struct recipe_archive *a, struct str suite,
                       struct str keyring)
{
    struct apt_source *s = vec_push(&x->sources);

    s->uri = a->uri.text;
    s->suite = suite;
    s->keyring = keyring;
    s->any_key = !a->fingerprints.n;
    for (size_t i = 0; i < a->components.n; i++)
        vec_add(&s->components, a->components.v[i].text);
    for (size_t i = 0; i < a->fingerprints.n; i++)
        vec_add(&s->fingerprints, a->fingerprints.v[i].text);
}

int apt_extra_open(struct apt_extra *out, const struct recipe *r, const char *dir, struct err *e)
{
    CLEANUP(apt_extra_clear) struct apt_extra x = {0};

    for (size_t i = 0; i < r->archives.n; i++) {
        const struct recipe_archive *a = &r->archives.v[i];
        CLEANUP(buf_clear) struct buf raw = {0};
        struct buf *keyring = vec_push(&x.keyrings);

        if (read_keyring(&raw, keyring, &a->keyring, dir, e) < 0)
            return -1;
        for (size_t j = 0; j < a->suites.n; j++)
            add_source(&x, a, a->suites.v[j].text, buf_view(keyring));
    }
    MOVE(out, &x);
    return 0;
}

void apt_extra_clear(struct apt_extra *x)
{
    for (size_t i = 0; i < x->sources.n; i++) {
        vec_clear(&x->sources.v[i].components);
        vec_clear(&x->sources.v[i].fingerprints);
    }
    vec_clear(&x->sources);
    for (size_t i = 0; i < x->keyrings.n; i++)
        buf_clear(&x->keyrings.v[i]);
    vec_clear(&x->keyrings);
}
