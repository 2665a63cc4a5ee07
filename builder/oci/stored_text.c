/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_text.h"

#include "ref.h"

static int bad_form(struct str text, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "\"" STR_FMT "\" is not a stored image; write oci:DIR@sha256:… for a layout, "
                   "oci-archive:FILE@sha256:… for an archive, dir:DIR@sha256:… for a folder of "
                   "skopeo's or docker://HOST/NAME@sha256:… for a registry",
                   STR_ARG(text));
}

static const struct prefix {
    struct str text;
    enum stored_form form;
    bool built_on;
} prefixes[] = {
    {STR_INIT("oci:"), STORED_LAYOUT, true},
    {STR_INIT("oci-archive:"), STORED_ARCHIVE, true},
    {STR_INIT("dir:"), STORED_FOLDER, true},
    {STR_INIT("docker-archive:"), STORED_ARCHIVE, false},
    {STR_INIT("docker://"), STORED_REGISTRY, true},
    {STR_INIT("docker:"), STORED_DOCKER, false},
    {STR_INIT("podman:"), STORED_PODMAN, false},
};

enum stored_form stored_text_form(struct str *text, bool any)
{
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if ((any || prefixes[i].built_on) && str_skip(text, prefixes[i].text))
            return prefixes[i].form;
    return STORED_BARE;
}

/* An engine's image goes by its name or the beginning of its number. */
static int check_name(struct stored_text *out, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};

    if ((out->form == STORED_REGISTRY ? ref_parse_stored : ref_parse)(&ref, out->path, e) < 0)
        return -1;
    out->digest = ref.digest;
    return 0;
}

int stored_text_parse(struct stored_text *out, struct str text, bool any, struct err *e)
{
    struct str rest = text, place, tag;

    *out = (struct stored_text){.any = any};
    out->form = stored_text_form(&rest, any);
    if (out->form == STORED_BARE && !any)
        return bad_form(text, e);
    if (out->form == STORED_DOCKER || out->form == STORED_PODMAN || out->form == STORED_REGISTRY) {
        out->path = rest;
        return check_name(out, e);
    }
    if (str_cut(&rest, STR("@"), &place)) {
        if (!digest_from_text(&out->digest, rest))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\" is not a digest; a digest is sha256: and 64 hex digits",
                           STR_ARG(rest));
        rest = place;
    }
    out->path = rest;
    if (out->form != STORED_FOLDER && str_cut(&out->path, STR(":"), &place)) {
        tag = out->path;
        out->path = place;
        if (!ref_tag_ok(tag) && !ref_name_ok(tag))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a tag", STR_ARG(tag));
        out->tag = tag;
    }
    return out->path.len && !str_has(out->path, '\0') ? 0 : bad_form(text, e);
}
