/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_registry.h"

#include "ref.h"

static int not_there(const struct registry *r, struct str reference, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s has no image " STR_FMT, registry_name(r), STR_ARG(reference));
}

static int no_digest(struct str text, const struct digest *now, struct err *e)
{
    char digest[DIGEST_TEXT + 1];

    digest_text(now, digest);
    return err_set(e, ERR_INPUT,
                   "\"" STR_FMT
                   "\" can change, and names no digest; what stands there now is \"" STR_FMT
                   "@%s\"",
                   STR_ARG(text), STR_ARG(text), digest);
}

/* As it is called, without the digest. */
static void take_name(struct stored *s, const struct ref *ref)
{
    CLEANUP(buf_clear) struct buf name = {0};

    buf_puts(&name, registry_name(s->files.registry));
    if (ref->tag || !digest_is_set(&ref->digest))
        buf_fmt(&name, ":%s", ref->tag ? ref->tag : "latest");
    s->name = arena_str(&s->files.arena, buf_view(&name));
}

int stored_registry_open(struct stored *s, struct digest *digest, const struct stored_text *place,
                         struct str text, bool any, struct registries *registries, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(buf_clear) struct buf json = {0}, path = {0};
    struct registry *r;
    struct str reference;
    char wanted[DIGEST_TEXT + 1];
    bool found;

    if (!registries)
        return err_set(e, ERR_NET, "\"" STR_FMT "\": no registry is asked here", STR_ARG(text));
    if (ref_parse(&ref, place->path, e) < 0 || registries_get(&r, registries, place->path, e) < 0)
        return -1;
    buf_fmt(&path, "docker://%s", registry_name(r));
    s->files = (struct stored_files){.path = buf_take(&path), .registry = r};
    digest_text(&ref.digest, wanted);
    reference = digest_is_set(&ref.digest) ? str_of(wanted) : str_of(ref.tag ? ref.tag : "latest");
    if (registry_manifest(&found, &json, digest, r, reference, e) < 0)
        return -1;
    if (!found)
        return not_there(r, reference, e);
    if (!any && !digest_is_set(&ref.digest))
        return no_digest(text, digest, e);
    s->files.top = *digest;
    s->files.top_text = arena_str(&s->files.arena, buf_view(&json));
    take_name(s, &ref);
    return 0;
}
