/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_text.h"

#include "ref.h"

static int bad_form(struct str text, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "\"" STR_FMT "\" is not a stored image; write oci:DIR@sha256:… for a layout or "
                   "oci-archive:FILE@sha256:… for an archive",
                   STR_ARG(text));
}

static bool parse_prefix(struct stored_text *out, struct str *rest)
{
    if (str_skip(rest, STR("oci-archive:")) || (out->any && str_skip(rest, STR("docker-archive:"))))
        out->archive = true;
    else if (!str_skip(rest, STR("oci:")))
        out->bare = true;
    return !out->bare || out->any;
}

int stored_text_parse(struct stored_text *out, struct str text, bool any, struct err *e)
{
    struct str rest = text, place, tag;

    *out = (struct stored_text){.any = any};
    if (!parse_prefix(out, &rest))
        return bad_form(text, e);
    if (str_cut(&rest, STR("@"), &place)) {
        if (!digest_from_text(&out->digest, rest))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\" is not a digest; a digest is sha256: and 64 hex digits",
                           STR_ARG(rest));
        rest = place;
    }
    out->path = rest;
    if (str_cut(&out->path, STR(":"), &place)) {
        tag = out->path;
        out->path = place;
        if (!ref_tag_ok(tag) && !ref_name_ok(tag))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a tag", STR_ARG(tag));
        out->tag = tag;
    }
    return out->path.len && !str_has(out->path, '\0') ? 0 : bad_form(text, e);
}
