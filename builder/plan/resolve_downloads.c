/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../net/url.h"
#include "resolve_parts.h"

/* "https://host:port": who was asked. */
static struct str origin_of(struct arena *a, struct str url)
{
    size_t begin = str_find_str(url, STR("://")) + 3;
    struct str rest = str_sub(url, begin < url.len ? begin : url.len, url.len);

    for (size_t i = 0; i < rest.len; i++)
        if (rest.p[i] == '/' || rest.p[i] == '?')
            return arena_str(a, str_sub(url, 0, begin + i));
    return arena_str(a, url);
}

/* What an address calls its file, or what the recipe calls it. */
static struct str file_of(struct arena *a, const struct recipe_download *d)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* it names no file */
    CLEANUP(buf_clear) struct buf name = {0};

    return arena_str(a, url_file_name(&name, d->url.text, &ignored) < 0 ? d->name.text
                                                                        : buf_view(&name));
}

static struct str version_of(struct arena *a, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    return arena_str(a, (struct str){hex, ARTIFACT_SHORT});
}

static void add(struct lock *lock, const struct recipe_download *d, const struct digest *digest,
                uint64_t size)
{
    struct arena *a = &lock->doc.arena;

    vec_add(&lock->artifacts, ((struct artifact){.eco = ECO_DOWNLOAD,
                                                 .name = arena_str(a, d->name.text),
                                                 .version = version_of(a, digest),
                                                 .file = file_of(a, d),
                                                 .url = arena_str(a, d->url.text),
                                                 .from = origin_of(a, d->url.text),
                                                 .requested = true,
                                                 .size = size,
                                                 .digest = *digest}));
}

/* What the recipe says of the bytes; all-zero: nothing. */
static struct digest asked(const struct recipe_download *d)
{
    struct digest digest = {0};

    (void)digest_from_hex(&digest, d->sha256.text);
    return digest;
}

/* The older lock's, where that is still what the recipe asks for. */
static const struct artifact *kept(const struct pins *pins, const struct recipe_download *d)
{
    const struct artifact *a = pins->old ? lock_find(pins->old, ECO_DOWNLOAD, d->name.text) : NULL;
    struct digest want = asked(d);

    return a && pins_has(pins, a) && str_eq(a->url, d->url.text) &&
                   (!digest_is_set(&want) || digest_eq(&want, &a->digest))
               ? a
               : NULL;
}

int resolve_downloads(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    const struct recipe_download *d;

    vec_each(d, &in->recipe->downloads) {
        const struct artifact *old = kept(&in->pins, d);
        struct learn_file file = {.url = d->url.text, .name = d->name.text, .digest = asked(d)};

        if (!old && pages_file(in->pages, &file, e) < 0)
            return err_wrap(e, "download " STR_FMT, STR_ARG(d->name.text));
        add(lock, d, old ? &old->digest : &file.digest, old ? old->size : file.size);
    }
    return 0;
}

void resolve_downloads_again(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe_download *d;

    vec_each(d, &in->recipe->downloads) {
        const struct artifact *old = lock_find(in->pins.old, ECO_DOWNLOAD, d->name.text);
        struct digest want = asked(d);

        if (old)
            add(lock, d, digest_is_set(&want) ? &want : &old->digest, old->size);
    }
}

int resolve_places(struct lock *lock, const struct recipe *r, struct err *e)
{
    struct arena *arena = &lock->doc.arena;
    const struct recipe_download *d;
    struct artifact *a;

    vec_each(a, &lock->artifacts)
        vec_each(d, &r->downloads) {
            CLEANUP(buf_clear) struct buf to = {0};
            const struct lock_folder *own;
            struct artifact_place *p;

            if (a->eco != ECO_DOWNLOAD || !str_eq(a->name, d->name.text))
                continue;
            p = arena_alloc(arena, sizeof *p);
            *p = (struct artifact_place){.to = arena_str(arena, d->to.text), .unpack = d->unpack};
            if (!str_octal(d->mode.text, &p->mode))
                p->mode = 0; /* the recipe names none */
            if (resolve_owner(&p->uid, &p->gid, r, "downloads", &d->owner, lock->format, e) < 0)
                return -1;
            own = !d->owner.text.len && path_clean(&to, p->to) ? lock_folder_of(lock, buf_view(&to))
                                                               : NULL;
            if (own)
                p->uid = own->uid;
            a->place = p;
        }
    return 0;
}
