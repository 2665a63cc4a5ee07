/* SPDX-License-Identifier: Apache-2.0 */
#include "reqfile.h"

#include "../../base/fs.h"
#include "../../base/path.h"
#include "../../base/utf8.h"
#include "../../io/crypto.h"
#include "../../net/url.h"
#include "tool_lock.h"
#include "wheeltag.h"

struct reading {
    struct reqfile *out;
    const char *dir;
    struct str path; /* of the file, in the arena */
    struct pos pos;  /* of the line */
    bool constraint, hashed;
    unsigned depth;
    const struct reading *above; /* the file that names this one */
    struct err *e;
};

/* What an option of pip means here. */
enum meaning { IDLE, FILE_OF, CONSTRAINT, PRE, HASHES, PLACE, REFUSED };

static const struct option {
    const char *name, *brief; /* brief may be NULL */
    bool has_value;
    enum meaning meaning;
    const char *instead; /* PLACE, REFUSED: why, and what would work */
} options[] = {
    {"--requirement", "-r", true, FILE_OF, NULL},
    {"--constraint", "-c", true, CONSTRAINT, NULL},
    {"--pre", NULL, false, PRE, NULL},
    {"--require-hashes", NULL, false, HASHES, NULL},
    {"--prefer-binary", NULL, false, IDLE, NULL}, /* only wheels are installed anyway */
    {"--only-binary", NULL, true, IDLE, NULL},
    {"--use-feature", NULL, true, IDLE, NULL},
    {"--no-cache-dir", NULL, false, IDLE, NULL},
    {"--trusted-host", NULL, true, IDLE, NULL}, /* certificates are always checked */
    {"--index-url", "-i", true, PLACE, "name the index under `indexes` in the recipe"},
    {"--extra-index-url", NULL, true, PLACE,
     "pip mixes indexes, which lets anybody slip in a newer version; name them in order of "
     "priority under `indexes` in the recipe"},
    {"--find-links", "-f", true, PLACE, "name the folder under `find_links` in the recipe"},
    {"--no-index", NULL, false, REFUSED, "name the indexes under `indexes` in the recipe"},
    {"--editable", "-e", true, REFUSED, "folders are not built; build a wheel and name its file"},
    {"--no-binary", NULL, true, REFUSED,
     "name what is built from source under `build` in the recipe"},
    {"--config-settings", NULL, true, REFUSED, "write it under `build` in the recipe"},
    {"--global-option", NULL, true, REFUSED, "write it under `build` in the recipe"},
};

static int read_file(struct reading *in);

static int fault(struct reading *in, const char *why, struct str word)
{
    return err_at(in->e, &in->pos, "\"" STR_FMT "\": %s", STR_ARG(word), why);
}

static bool names_option(const struct option *o, struct str word)
{
    return str_is(word, o->name) || (o->brief && str_is(word, o->brief));
}

/* "-r file", "-rfile", "--requirement file" and "--requirement=file": the value. */
static const struct option *find_option(struct str *word, struct str *value)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        struct str rest = *word, head;

        if (names_option(o, *word))
            return o;
        if (str_starts(*word, STR("--")) && str_cut(&rest, STR("="), &head) &&
            str_is(head, o->name)) {
            *value = rest;
            *word = head;
            return o;
        }
        if (o->brief && !str_starts(*word, STR("--")) && str_skip(&rest, str_of(o->brief))) {
            *value = rest;
            return o;
        }
    }
    return NULL;
}

/* ---- other files ---- */

static bool is_open(const struct reading *in, struct str path)
{
    for (; in; in = in->above)
        if (str_eq(in->path, path))
            return true;
    return false;
}

/* `path` stands in the file that is being read. */
static int include(struct reading *in, struct str path, bool constraint)
{
    struct arena *a = &in->out->arena;
    CLEANUP(free_clear) char *folder = path_dir(in->path.p);
    CLEANUP(free_clear) char *name = str_dup(path);
    CLEANUP(free_clear) char *joined = path_join(str_is(str_of(folder), ".") ? "" : folder, name);
    struct reading sub = {.out = in->out,
                          .dir = in->dir,
                          .path = arena_str(a, str_of(joined)),
                          .pos = in->pos,
                          .constraint = in->constraint || constraint,
                          .depth = in->depth + 1,
                          .above = in,
                          .e = in->e};

    if (str_find_str(path, STR("://")) < path.len)
        return fault(in, "requirement files on the web are not read; keep a copy beside the recipe",
                     path);
    if (is_open(in, sub.path))
        return fault(in, "the file brings in itself", path);
    if (sub.depth > REQFILE_DEPTH)
        return fault(in, "files bring in files too deep", path);
    return read_file(&sub);
}

static int take_option(struct reading *in, struct str word, struct str rest)
{
    struct str value = {0};
    const struct option *o = find_option(&word, &value);

    if (!o)
        return fault(in, "this option of pip's requirements format is not known", word);
    if (o->has_value && !value.len)
        str_word(&rest, &value);
    if (o->has_value && !value.len)
        return fault(in, "the option wants a value", word);
    switch (o->meaning) {
    case IDLE:
    case PLACE:
        vec_add(&in->out->options,
                ((struct req_option){o->name, arena_str(&in->out->arena, value), in->pos,
                                     o->meaning == PLACE ? o->instead : NULL}));
        return 0;
    case FILE_OF:
        return include(in, value, false);
    case CONSTRAINT:
        return include(in, value, true);
    case PRE:
        in->out->pre = true;
        return 0;
    case HASHES:
        in->hashed = true;
        return 0;
    case REFUSED:
        break;
    }
    return fault(in, o->instead, word);
}

/* ---- a requirement and its hashes ---- */

static int take_hash(struct reading *in, struct req_line *line, struct str word, struct str *rest)
{
    struct str value = word;
    struct digest digest;

    if (!str_skip(&value, STR("--hash=")) && !(str_is(word, "--hash") && str_word(rest, &value))) {
        const struct option *o = find_option(&word, &value);

        return fault(
            in, o && o->instead ? o->instead : "only --hash may stand behind a requirement", word);
    }
    if (!str_skip(&value, STR("sha256:")))
        return fault(in, "only sha256 hashes are compared", value);
    if (!digest_from_hex(&digest, value))
        return fault(in, "this is not a sha256, which has 64 hex digits", value);
    vec_add(&line->hashes, digest);
    return 0;
}

/* The options begin at the first word that begins with "-". */
static size_t options_at(struct str line)
{
    for (size_t i = 1; i < line.len; i++)
        if (line.p[i] == '-' && c_space(line.p[i - 1]))
            return i;
    return line.len;
}

static bool has_variable(struct str line)
{
    size_t at = str_find_str(line, STR("${"));

    return at < line.len && str_has(str_sub(line, at, line.len), '}');
}

static int take_requirement(struct reading *in, struct str text)
{
    struct arena *a = &in->out->arena;
    size_t at = options_at(text);
    struct str rest = str_sub(text, at, text.len), word;
    struct req_line *line = vec_push(&in->out->lines);

    *line = (struct req_line){.text = reqfile_wheel(a, str_trim(str_sub(text, 0, at))),
                              .pos = in->pos,
                              .constraint = in->constraint};
    while (str_word(&rest, &word))
        if (take_hash(in, line, word, &rest) < 0)
            return -1;
    in->hashed |= line->hashes.n > 0;
    return 0;
}

/* ---- lines ---- */

/* Without its comment: "#" at the start or behind white space. */
static struct str strip(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] == '#' && (!i || c_space(line.p[i - 1])))
            return str_trim(str_sub(line, 0, i));
    return str_trim(line);
}

static void take_line(struct reading *in, struct str line)
{
    struct str rest, word;

    line = strip(line);
    rest = line;
    if (!line.len)
        return;
    if (has_variable(line))
        fault(in, "variables of the environment are not read; write the value", line);
    else if (line.p[0] == '-' && str_word(&rest, &word))
        (void)!take_option(in, word, rest);
    else
        (void)!take_requirement(in, arena_str(&in->out->arena, line));
}

/* Lines that end in "\" go on in the next; a comment line ends such a run. */
static void take_text(struct reading *in, struct str text)
{
    CLEANUP(buf_clear) struct buf joined = {0};
    struct str line;
    unsigned number = 0;

    while (str_line(&text, &line)) {
        bool comment = str_starts(str_trim_left(line), STR("#"));

        number++;
        if (!joined.len)
            in->pos.line = number;
        if (!comment && str_drop(&line, STR("\\"))) {
            buf_str(&joined, line);
            buf_putc(&joined, ' ');
            continue;
        }
        if (!comment)
            buf_str(&joined, line);
        take_line(in, buf_view(&joined));
        buf_reset(&joined);
    }
    take_line(in, buf_view(&joined));
}

static unsigned count_lines(struct str text)
{
    struct str line;
    unsigned n = 0;

    while (str_line(&text, &line))
        n++;
    return n;
}

/* A byte order mark at the front tells UTF-8 or UTF-16, which is what PowerShell's ">" writes; then
 * `made` holds the text. */
static int decode(struct reading *in, struct str *text, struct buf *made)
{
    bool big = str_skip(text, STR("\xfe\xff"));

    if (str_skip(text, STR("\xef\xbb\xbf")) || (!big && !str_skip(text, STR("\xff\xfe"))))
        return 0;
    if (!utf8_from_utf16(made, *text, big)) {
        buf_putc(made, '?'); /* a line that begins with the fault counts */
        in->pos.line = count_lines(buf_view(made));
        return err_at(in->e, &in->pos,
                      "the file begins with the byte order mark of UTF-16, and half a character "
                      "stands here; save it as UTF-8");
    }
    *text = buf_view(made);
    return 0;
}

/* As pip: where one requirement of a file has a hash, all must. */
static void check_hashes(struct reading *in, size_t from)
{
    for (size_t i = from; in->hashed && i < in->out->lines.n; i++) {
        struct req_line *line = &in->out->lines.v[i];

        if (!line->hashes.n && !line->constraint && str_is(in->path, line->pos.file))
            err_at(in->e, &line->pos,
                   "\"" STR_FMT "\" has no --hash, but other requirements of this file have",
                   STR_ARG(line->text));
    }
}

const char *reqfile_instead(struct str path)
{
    static const struct {
        const char *name, *instead;
    } others[] = {
        {"uv.lock", "write {lock: uv.lock}"},
        {"poetry.lock", "write {lock: poetry.lock}"},
        {"pdm.lock", "write one with `pdm export -o requirements.txt`"},
        {"Pipfile", "write one with `pipenv requirements > requirements.txt`"},
        {"Pipfile.lock", "write one with `pipenv requirements > requirements.txt`"},
        {"pyproject.toml", "lock it with `uv lock` or `poetry lock`, and write {lock: uv.lock} or "
                           "{lock: poetry.lock}"},
        {"setup.py", "write one with `uv pip compile setup.py -o requirements.txt`"},
        {"setup.cfg", "write one with `uv pip compile setup.cfg -o requirements.txt`"},
        {"environment.yml",
         "list what it has under `pip:` in the recipe, system packages in `apt`"},
        {"environment.yaml",
         "list what it has under `pip:` in the recipe, system packages in `apt`"},
    };
    struct str name = path_base(path);

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(name, others[i].name))
            return others[i].instead;
    return tool_lock_is_name(name) ? "write {lock: FILE} with its name" : NULL;
}

/* A file of another tool is told as a whole, and not each of its lines. */
static int refuse_other(struct reading *in)
{
    const char *instead = reqfile_instead(in->path);

    if (!instead)
        return 0;
    if (in->pos.file)
        return err_at(in->e, &in->pos, "%s is not a requirements file; %s", in->path.p, instead);
    return err_set(in->e, ERR_INPUT, "%s is not a requirements file; %s", in->path.p, instead);
}

static int read_file(struct reading *in)
{
    CLEANUP(buf_clear) struct buf read = {0}, made = {0};
    CLEANUP(free_clear) char *path = path_join(in->dir, in->path.p);
    CLEANUP(err_clear) struct err unread = {0};
    size_t from = in->out->lines.n;
    struct req_source *source;
    struct str text;

    if (refuse_other(in) < 0)
        return -1;
    if (fs_read(&read, path, REQFILE_MAX, &unread) < 0) {
        if (in->pos.file)
            return err_at(in->e, &in->pos, "%s", unread.msg);
        return err_join(in->e, &unread);
    }
    source = vec_push(&in->out->sources);
    source->path = in->path;
    hash_bytes(&source->digest, read.p, read.len);
    in->pos.file = in->path.p;
    in->pos.col = 1;
    text = buf_view(&read);
    if (decode(in, &text, &made) < 0)
        return -1;
    take_text(in, text);
    check_hashes(in, from);
    return 0;
}

int reqfile_read(struct reqfile *out, const char *dir, struct str path, bool constraint,
                 struct err *e)
{
    struct err found = {0};
    struct reading in = {.out = out,
                         .dir = dir,
                         .path = arena_str(&out->arena, path),
                         .constraint = constraint,
                         .e = &found};

    (void)!read_file(&in);
    return err_is_set(&found) ? err_join(e, &found) : 0;
}

void reqfile_clear(struct reqfile *r)
{
    for (size_t i = 0; i < r->lines.n; i++)
        vec_clear(&r->lines.v[i].hashes);
    vec_clear(&r->lines);
    vec_clear(&r->sources);
    vec_clear(&r->options);
    arena_clear(&r->arena);
    *r = (struct reqfile){0};
}

/* "https://h.test/a-1.0-py3-none-any.whl ; marker": as pip, which wants a blank behind the ";". */
static struct str wheel_at_url(struct arena *a, struct str text)
{
    CLEANUP(buf_clear) struct buf file = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* then it is told as what it is */
    struct str rest = text, url;
    struct wheel_name name;
    bool marker;

    if (!str_word(&rest, &url))
        return text;
    rest = str_trim(rest);
    marker = str_drop(&url, STR(";")) || str_skip(&rest, STR(";"));
    rest = str_trim(rest);
    if (url_file_name(&file, url, &unused) < 0 || !wheel_name_parse(&name, buf_view(&file)))
        return text;
    return str_of(arena_fmt(a, STR_FMT " @ " STR_FMT "%s%s" STR_FMT, STR_ARG(name.dist),
                            STR_ARG(url), marker ? " ;" : "", rest.len ? " " : "", STR_ARG(rest)));
}

struct str reqfile_wheel(struct arena *a, struct str text)
{
    struct str path = text, extras = {0};
    struct wheel_name name;

    if (str_find_str(text, STR("://")) < text.len)
        return wheel_at_url(a, text);
    if (str_ends(path, STR("]")) && str_find_str(path, STR(".whl[")) < path.len) {
        path = str_sub(text, 0, str_find_str(text, STR(".whl[")) + strlen(".whl"));
        extras = str_sub(text, path.len, text.len);
    }
    for (size_t i = 0; i < path.len; i++)
        if (c_space(path.p[i]))
            return text;
    if (!str_ends(path, STR(".whl")) || !wheel_name_parse(&name, path_base(path)))
        return text;
    return str_of(arena_fmt(a, STR_FMT STR_FMT " @ %s" STR_FMT, STR_ARG(name.dist), STR_ARG(extras),
                            path.p[0] == '.' || path.p[0] == '/' ? "" : "./", STR_ARG(path)));
}
