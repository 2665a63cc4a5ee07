/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include "../../base/dotted.h"

/* Take the next field, folded lines joined by a space; false at the blank line that ends them. */
static bool take_field(struct str *text, struct str *key, struct buf *value)
{
    struct str line;

    buf_reset(value);
    do {
        if (!str_line(text, &line) || !line.len)
            return false;
    } while (!str_cut(&line, STR(":"), key)); /* what is no field is passed over, as pip does */
    buf_str(value, str_trim(line));
    while (text->len && (text->p[0] == ' ' || text->p[0] == '\t') && str_line(text, &line)) {
        buf_putc(value, ' ');
        buf_str(value, str_trim(line));
    }
    return true;
}

/* 2.2 and later say what may still change. */
static bool tells_dynamic(struct str version)
{
    uint32_t parts[2] = {0};

    return dotted_numbers(parts, 2, version) == 2 &&
           (parts[0] > 2 || (parts[0] == 2 && parts[1] >= 2));
}

static bool is_need(struct str field)
{
    return str_eq_nocase(field, STR("Requires-Dist")) ||
           str_eq_nocase(field, STR("Requires-Python")) ||
           str_eq_nocase(field, STR("Provides-Extra"));
}

static int add_field(struct metadata *m, struct str key, struct str value, struct err *e)
{
    if (str_eq_nocase(key, STR("Requires-Dist")))
        return requirement_parse(vec_push(&m->requires), &m->arena, value, e);
    if (str_eq_nocase(key, STR("Provides-Extra")))
        vec_add(&m->extras, pep503_name(&m->arena, value));
    else if (str_eq_nocase(key, STR("Name")) && !m->name.len)
        m->name = arena_str(&m->arena, value);
    else if (str_eq_nocase(key, STR("Version")) && !m->version.len)
        m->version = arena_str(&m->arena, value);
    else if (str_eq_nocase(key, STR("Requires-Python")) && !m->requires_python.len)
        m->requires_python = arena_str(&m->arena, value);
    else if (str_eq_nocase(key, STR("Metadata-Version")))
        m->fixed = tells_dynamic(value);
    return 0;
}

int metadata_parse(struct metadata *out, struct str text, const char *what, struct err *e)
{
    CLEANUP(metadata_clear) struct metadata m = {0};
    CLEANUP(buf_clear) struct buf value = {0};
    bool dynamic = false;
    struct str key;

    str_skip(&text, STR("\xef\xbb\xbf"));
    while (take_field(&text, &key, &value)) {
        dynamic |= str_eq_nocase(key, STR("Dynamic")) && is_need(str_trim(buf_view(&value)));
        if (add_field(&m, key, str_trim(buf_view(&value)), e) < 0)
            return err_wrap(e, "%s", what);
    }
    m.fixed &= !dynamic;
    if (!m.name.len || !m.version.len)
        return err_set(e, ERR_INPUT, "%s: METADATA without %s", what,
                       m.name.len ? "Version" : "Name");
    MOVE(out, &m);
    return 0;
}

void metadata_clear(struct metadata *m)
{
    struct requirement *r;

    vec_each(r, &m->requires)
        requirement_clear(r);
    vec_clear(&m->requires);
    vec_clear(&m->extras);
    arena_clear(&m->arena);
    *m = (struct metadata){0};
}
