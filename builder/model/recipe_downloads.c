/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/digest.h"
#include "../net/url.h"

enum { DOWNLOADS_MAX = 20 };

#define WHERE_SECRETS_GO                                                                       \
    "keep it in ~/.netrc, or set ENVBUILD_DOWNLOAD_<NAME>_TOKEN, or _USERNAME and _PASSWORD, " \
    "by the download's `name`"

/* Words of a parameter's name that say that its value is nobody else's. */
static const char *const secret_words[] = {
    "token", "secret", "password", "passwd", "pwd",     "key",       "apikey",     "auth", "sig",
    "sign",  "sas",    "jwt",      "code",   "session", "signature", "credential", NULL};

static bool is_secret_word(struct str word)
{
    for (size_t i = 0; secret_words[i]; i++)
        if (str_eq_nocase(word, str_of(secret_words[i])))
            return true;
    return false;
}

/* "access_token", "X-Amz-Signature", "apiKey". */
static bool is_secret_name(struct str name)
{
    size_t begin = 0;

    for (size_t i = 0; i <= name.len; i++) {
        bool capital = i && i < name.len && name.p[i] >= 'A' && name.p[i] <= 'Z';

        if (i < name.len && c_alnum(name.p[i]) &&
            !(capital && name.p[i - 1] >= 'a' && name.p[i - 1] <= 'z'))
            continue;
        if (is_secret_word(str_sub(name, begin, i)))
            return true;
        begin = i + !capital;
    }
    return false;
}

/* What would stand in the lock, and travel with the image. */
static void check_secrets(struct reading *in, const struct value *v, const struct url *u)
{
    CLEANUP(buf_clear) struct buf plain = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is read as it stands */
    struct str rest = u->query, part, name;

    if (u->userinfo.len) {
        err_at(in->e, &v->pos,
               "downloads: an address of a recipe names no user, for the lock has it and travels "
               "with the image; " WHERE_SECRETS_GO);
        return;
    }
    while (str_item(&rest, '&', &part)) {
        if (!str_cut(&part, STR("="), &name))
            name = part;
        buf_reset(&plain);
        if (url_decode(&plain, name, &ignored) == 0)
            name = buf_view(&plain);
        err_clear(&ignored);
        if (is_secret_name(name)) {
            err_at(in->e, &v->pos,
                   "downloads: the address has a credential, \"" STR_FMT
                   "\", and the lock, which has the address, travels with the "
                   "image; " WHERE_SECRETS_GO,
                   STR_ARG(name));
            return;
        }
    }
}

static void check_url(struct reading *in, const struct value *v)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct url u;

    if (url_parse(&u, v->text, &fault) < 0)
        err_at(in->e, &v->pos, "downloads: %s", fault.msg);
    else if (url_is_file(&u))
        err_at(in->e, &v->pos,
               "downloads: a file of this machine is no download; `files` copies what stands "
               "beside the recipe");
    else if (u.fragment.p)
        err_at(in->e, &v->pos, "downloads: the address must end before the \"#\"");
    else
        check_secrets(in, v, &u);
}

/* The address's file, less what a name may not have. */
static void name_by_url(struct reading *in, struct recipe_download *d, const struct node *n)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* it names no file */
    CLEANUP(buf_clear) struct buf file = {0}, name = {0};

    d->name.pos = n->pos;
    if (url_file_name(&file, d->url.text, &ignored) < 0)
        buf_reset(&file);
    for (size_t i = 0; i < file.len; i++) {
        bool fits = c_alnum(file.p[i]) || str_has(STR("+-._"), file.p[i]);

        if (name.len || c_alnum(file.p[i]))
            buf_putc(&name, fits ? file.p[i] : '-');
    }
    if (name.len)
        d->name.text = arena_str(&in->r->doc.arena, buf_view(&name));
    else
        err_at(in->e, &n->pos, "downloads: the address names no file; give the download a `name`");
}

static void check_name(struct reading *in, struct recipe_download *d, const struct node *n)
{
    struct fields f = {n, "downloads", in->e};
    struct reading sub = {in->r, f, in->e};
    const struct recipe_download *other;

    reading_value(&sub, "name", &d->name);
    if (!d->name.pos.line && d->url.text.len && !err_is_set(in->e))
        name_by_url(in, d, n);
    else if (d->name.text.len &&
             (!reading_all_of(d->name.text, "+-._") || !c_alnum(d->name.text.p[0])))
        err_at(in->e, &d->name.pos,
               "downloads: \"" STR_FMT
               "\" is not a name: letters, digits, \"+\", \"-\", \".\" and \"_\"",
               STR_ARG(d->name.text));
    vec_each(other, &in->r->downloads)
        if (other != d && d->name.text.len && str_eq(other->name.text, d->name.text))
            err_at(in->e, &d->name.pos,
                   "downloads: two are called \"" STR_FMT "\"; give one of them a `name`",
                   STR_ARG(d->name.text));
}

static void check_to(struct reading *in, const struct recipe_download *d)
{
    struct str to = d->to.text;

    if (to.len && !reading_absolute(to))
        err_at(in->e, &d->to.pos, "downloads: \"" STR_FMT "\" is not an absolute path",
               STR_ARG(to));
    else if (to.len && d->unpack && str_is(to, "/"))
        err_at(in->e, &d->to.pos,
               "downloads: an archive is unpacked into a folder, not over the whole image");
}

static void check_sha256(struct reading *in, struct value *v)
{
    struct digest digest;

    str_skip(&v->text, STR("sha256:"));
    if (v->text.len && (!digest_from_hex(&digest, v->text) || !digest_is_set(&digest)))
        err_at(in->e, &v->pos, "downloads: \"" STR_FMT "\" is not a sha256: 64 hex digits",
               STR_ARG(v->text));
}

static void check_download(struct reading *in, const struct node *n)
{
    static const char *const known[] = {"url",    "name",  "sha256", "to",
                                        "unpack", "owner", "mode",   NULL};
    struct fields f = fields_of(n, "downloads", in->e);
    struct reading sub = {in->r, f, in->e};
    struct recipe_download *d = vec_push(&in->r->downloads);

    fields_only(&f, known);
    if (field_need_str(&f, "url", &d->url.text))
        reading_value(&sub, "url", &d->url);
    if (field_need_str(&f, "to", &d->to.text))
        reading_value(&sub, "to", &d->to);
    field_bool(&f, "unpack", &d->unpack);
    reading_value(&sub, "sha256", &d->sha256);
    reading_value(&sub, "owner", &d->owner);
    reading_value(&sub, "mode", &d->mode);
    if (d->url.text.len)
        check_url(in, &d->url);
    check_to(in, d);
    check_sha256(in, &d->sha256);
    reading_mode(in, "downloads", &d->mode);
    check_name(in, d, n);
}

void recipe_read_downloads(struct reading *in)
{
    const struct node *n, *list = field_list(&in->f, "downloads");

    node_each(n, list)
        check_download(in, n);
    if (in->r->downloads.n > DOWNLOADS_MAX)
        err_at(
            in->e, &list->pos,
            "downloads: each is a layer, and an image cannot have them all; name at most %d, and "
            "archives with `unpack: true` where there are more files",
            DOWNLOADS_MAX);
}
