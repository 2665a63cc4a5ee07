/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel.h"

#include "../../base/path.h"
#include "../../io/crypto.h"
#include "pep440.h"
#include "pep508.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

/* ---- finding .dist-info ---- */

static int find_dist_info(struct wheel *w, struct str name, struct str version, struct err *e)
{
    struct pep440 want, have;
    struct str dist, rest;

    for (size_t i = 0; i < w->zip.entries.n; i++) {
        struct str top =
            str_sub(w->zip.entries.v[i].name, 0, str_find(w->zip.entries.v[i].name, '/'));

        if (top.len == w->zip.entries.v[i].name.len || !str_ends(top, STR(".dist-info")))
            continue;
        if (w->dist_info.len && !str_eq(w->dist_info, top))
            return err_set(e, ERR_INPUT, "holds two .dist-info folders");
        w->dist_info = top;
    }
    rest = w->dist_info;
    str_drop(&rest, STR(".dist-info"));
    if (!w->dist_info.len || !str_cut(&rest, STR("-"), &dist))
        return err_set(e, ERR_INPUT, "holds no .dist-info folder");
    if (!str_eq(pep503_name(&w->arena, dist), name) || !pep440_parse(&want, version) ||
        !pep440_parse(&have, rest) || pep440_cmp(&want, &have) != 0)
        return err_set(e, ERR_INPUT, "is of " STR_FMT " " STR_FMT ", not of " STR_FMT " " STR_FMT,
                       STR_ARG(dist), STR_ARG(rest), STR_ARG(name), STR_ARG(version));
    return 0;
}

static int read_text(struct str *out, struct wheel *w, const char *name, bool must,
                     struct inflater *inflater, struct err *e)
{
    struct str path = str_of(arena_fmt(&w->arena, STR_FMT "/%s", STR_ARG(w->dist_info), name));
    const struct zip_entry *entry = zip_find(&w->zip, path);
    struct buf text = {0};

    *out = (struct str){0};
    if (!entry)
        return must ? err_set(e, ERR_INPUT, "has no %s", path.p) : 0;
    if (content_read(inflater, &entry->content, &text, TEXT_MAX, path.p, e) < 0) {
        buf_clear(&text);
        return -1;
    }
    *out = buf_view(&text);
    vec_add(&w->texts, buf_take(&text));
    out->p = w->texts.v[w->texts.n - 1];
    return 0;
}

static int check_version(struct str text, struct err *e)
{
    struct str line, key;

    while (str_line(&text, &line))
        if (str_cut(&line, STR(":"), &key) && str_eq_nocase(str_trim(key), STR("Wheel-Version"))) {
            line = str_trim(line);
            if (str_starts(line, STR("1.")) || str_is(line, "1"))
                return 0;
            return err_set(e, ERR_INPUT, "is a wheel of version " STR_FMT ", and only 1.x is known",
                           STR_ARG(line));
        }
    return err_set(e, ERR_INPUT, "does not say its Wheel-Version");
}

/* ---- RECORD (CSV, RFC 4180) ---- */

struct row {
    struct str path, hash, length;
};

/* Take one field; unquoted ones are views, quoted ones go into the arena. */
static bool csv_field(struct str *text, struct str *out, struct arena *a)
{
    struct buf value = {0};
    size_t i = 0;

    if (!str_starts(*text, STR("\""))) {
        while (i < text->len && text->p[i] != ',' && text->p[i] != '\n' && text->p[i] != '\r')
            i++;
        *out = str_sub(*text, 0, i);
        *text = str_sub(*text, i, text->len);
        return true;
    }
    for (i = 1; i < text->len; i++) {
        if (text->p[i] != '"')
            buf_putc(&value, text->p[i]);
        else if (i + 1 < text->len && text->p[i + 1] == '"')
            buf_putc(&value, text->p[i++]);
        else
            break;
    }
    *out = arena_str(a, buf_view(&value));
    buf_clear(&value);
    if (i >= text->len)
        return false;
    *text = str_sub(*text, i + 1, text->len);
    return true;
}

static int csv_row(struct row *row, struct str *text, struct arena *a, struct err *e)
{
    struct str *const fields[] = {&row->path, &row->hash, &row->length};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if ((i && !str_skip(text, STR(","))) || !csv_field(text, fields[i], a))
            return err_set(e, ERR_INPUT, "has a RECORD that is not a list of path, hash and size");
    str_skip(text, STR("\r"));
    if (text->len && !str_skip(text, STR("\n")))
        return err_set(e, ERR_INPUT, "has a RECORD that is not a list of path, hash and size");
    return 0;
}

/* "sha256=" and the like, then URL-safe base64, whose padding some leave in: to bytes. */
static bool hash_read(struct str *out, struct str text, struct arena *a)
{
    static const struct {
        const char *name;
        size_t len;
    } kinds[] = {{"sha256=", 32}, {"sha384=", 48}, {"sha512=", 64}};

    while (str_drop(&text, STR("=")))
        ;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};

        if (!str_skip(&text, str_of(kinds[i].name)))
            continue;
        if (!base64_decode(&bytes, text, true) || bytes.len != kinds[i].len)
            return false;
        *out = arena_str(a, buf_view(&bytes));
        return true;
    }
    return false;
}

static int read_record(struct map *rows, struct wheel *w, struct str text, struct err *e)
{
    while (text.len) {
        struct row *row = arena_alloc(&w->arena, sizeof *row);

        if (str_skip(&text, STR("\n")) || str_skip(&text, STR("\r\n")))
            continue;
        if (csv_row(row, &text, &w->arena, e) < 0)
            return -1;
        if (map_set(rows, row->path, row))
            return err_set(e, ERR_INPUT, "names \"" STR_FMT "\" twice in RECORD",
                           STR_ARG(row->path));
    }
    return 0;
}

/* ---- files ---- */

/* `X.data/<key>/path`; the keys are those of Python's installation schemes. */
static int place_data(struct wheel_file *f, struct str path, struct err *e)
{
    static const struct {
        const char *key;
        enum wheel_scheme scheme;
    } keys[] = {{"purelib", SCHEME_SITE},
                {"platlib", SCHEME_SITE},
                {"scripts", SCHEME_SCRIPTS},
                {"headers", SCHEME_HEADERS},
                {"data", SCHEME_DATA}};
    struct str key;

    if (str_cut(&path, STR("/"), &key))
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (str_is(key, keys[i].key)) {
                f->scheme = keys[i].scheme;
                f->path = path;
                return 0;
            }
    return err_set(e, ERR_INPUT, "holds \"" STR_FMT "\", which belongs nowhere",
                   STR_ARG(f->entry->name));
}

static bool is_signature(const struct wheel *w, struct str name)
{
    return str_skip(&name, w->dist_info) &&
           (str_is(name, "/RECORD") || str_is(name, "/RECORD.jws") || str_is(name, "/RECORD.p7s"));
}

static int add_file(struct wheel *w, const struct zip_entry *entry, const struct map *rows,
                    struct str data_folder, struct err *e)
{
    struct wheel_file *f = vec_push(&w->files);
    const struct row *row = map_get(rows, entry->name);
    struct str path = entry->name;

    *f = (struct wheel_file){
        .entry = entry, .scheme = SCHEME_SITE, .path = path, .content = entry->content};
    if (str_skip(&path, data_folder) && str_skip(&path, STR("/")) && place_data(f, path, e) < 0)
        return -1;
    if (is_signature(w, entry->name))
        return 0;
    if (!row || !hash_read(&f->content.hash, row->hash, &w->arena))
        return err_set(e, ERR_INPUT, "holds \"" STR_FMT "\", which RECORD does not vouch for",
                       STR_ARG(entry->name));
    f->hash = row->hash;
    f->length = row->length;
    return 0;
}

static int add_files(struct wheel *w, const struct map *rows, struct err *e)
{
    struct str data = w->dist_info;

    str_drop(&data, STR(".dist-info"));
    data = str_of(arena_fmt(&w->arena, STR_FMT ".data", STR_ARG(data)));
    for (size_t i = 0; i < w->zip.entries.n; i++) {
        const struct zip_entry *entry = &w->zip.entries.v[i];

        if (!entry->directory && add_file(w, entry, rows, data, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- entry_points.txt ---- */

static bool is_identifier_path(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' && (unsigned char)s.p[i] < 0x80)
            return false;
    return s.len > 0;
}

static bool is_script_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(STR("_.-+ "), s.p[i]))
            return false;
    return path_is_safe(s) && !str_has(s, '/');
}

static int add_script(struct wheel *w, struct str line, struct err *e)
{
    struct wheel_script *s = vec_push(&w->scripts);
    struct str extras, whole = line;

    if (!str_cut(&line, STR("="), &s->name) || !str_cut(&line, STR(":"), &s->module))
        return err_set(e, ERR_INPUT, "has entry point \"" STR_FMT "\", which names no function",
                       STR_ARG(whole));
    s->name = str_trim(s->name);
    s->module = str_trim(s->module);
    s->function = line;
    if (str_cut(&line, STR("["), &extras))
        s->function = extras;
    s->function = str_trim(s->function);
    if (!is_script_name(s->name) || !is_identifier_path(s->module) ||
        !is_identifier_path(s->function))
        return err_set(e, ERR_INPUT, "has entry point \"" STR_FMT "\", which is not a safe name",
                       STR_ARG(whole));
    return 0;
}

static int read_entry_points(struct wheel *w, struct str text, struct err *e)
{
    bool scripts = false;
    struct str line;

    while (str_line(&text, &line)) {
        line = str_trim(line);
        if (!line.len || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[')
            scripts = str_is(line, "[console_scripts]") || str_is(line, "[gui_scripts]");
        else if (scripts && add_script(w, line, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- all of it ---- */

static int read_wheel(struct wheel *w, struct str name, struct str version,
                      struct inflater *inflater, struct err *e)
{
    CLEANUP(map_clear) struct map rows = {0};
    struct str meta, record, points;

    if (find_dist_info(w, name, version, e) < 0 ||
        read_text(&meta, w, "WHEEL", true, inflater, e) < 0 || check_version(meta, e) < 0 ||
        read_text(&record, w, "RECORD", true, inflater, e) < 0 ||
        read_text(&points, w, "entry_points.txt", false, inflater, e) < 0 ||
        read_record(&rows, w, record, e) < 0 || add_files(w, &rows, e) < 0)
        return -1;
    return read_entry_points(w, points, e);
}

int wheel_open(struct wheel *out, const struct input *input, struct str name, struct str version,
               struct inflater *inflater, struct err *e)
{
    CLEANUP(wheel_clear) struct wheel w = {0};

    if (zip_open(&w.zip, input, e) < 0)
        return -1;
    if (read_wheel(&w, name, version, inflater, e) < 0)
        return err_wrap(e, "%s", input->name);
    MOVE(out, &w);
    return 0;
}

int wheel_metadata(struct str *out, struct wheel *w, struct inflater *inflater, struct err *e)
{
    return read_text(out, w, "METADATA", true, inflater, e);
}

void wheel_clear(struct wheel *w)
{
    for (size_t i = 0; i < w->texts.n; i++)
        free(w->texts.v[i]);
    vec_clear(&w->texts);
    vec_clear(&w->files);
    vec_clear(&w->scripts);
    arena_clear(&w->arena);
    zip_clear(&w->zip);
    *w = (struct wheel){0};
}
