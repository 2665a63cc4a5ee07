/* SPDX-License-Identifier: Apache-2.0 */
#include "import_wheel.h"

#include "../../base/dotted.h"
#include "../../io/crypto.h"
#include "../../pkg/pypi/wheel.h"

enum { SCRIPT_MAX = 64 * 1024 * 1024, SHEBANG_MAX = 127 };

#define SHEBANG "#!python"

struct importer {
    struct tree *tree;
    const struct wheel_import *how;
    const struct wheel *wheel;
    struct inflater *inflater;
    int64_t newest;    /* of the wheel's own files: the date of what is generated */
    struct str site;   /* "opt/venv/lib/python3.11/site-packages" */
    struct names rows; /* of the new RECORD */
    struct buf path;   /* scratch */
};

/* ---- RECORD ---- */

static void csv_add(struct buf *out, struct str field)
{
    if (!str_has(field, ',') && !str_has(field, '"') && !str_has(field, '\n')) {
        buf_str(out, field);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < field.len; i++)
        buf_fmt(out, field.p[i] == '"' ? "\"\"" : "%c", field.p[i]);
    buf_putc(out, '"');
}

/* A path as RECORD has it: relative to site-packages. Lines end as pip's, which Python's csv
 * module ends with CR LF. */
static void record(struct importer *im, struct str path, struct str hash, struct str length)
{
    struct buf row = {0}, shown = {0};
    struct str rest = path;

    if (str_skip(&rest, im->site) && str_skip(&rest, STR("/")))
        buf_str(&shown, rest);
    else if (str_skip(&path, im->how->prefix) && str_skip(&path, STR("/")))
        buf_fmt(&shown, "../../../" STR_FMT, STR_ARG(path));
    csv_add(&row, buf_view(&shown));
    buf_fmt(&row, "," STR_FMT "," STR_FMT "\r\n", STR_ARG(hash), STR_ARG(length));
    vec_add(&im->rows, buf_take(&row));
    buf_clear(&shown);
}

static void record_bytes(struct importer *im, struct str path, struct str bytes)
{
    CLEANUP(buf_clear) struct buf hash = {0};
    struct digest digest;
    char length[24];

    hash_bytes(&digest, bytes.p, bytes.len);
    buf_puts(&hash, "sha256=");
    base64_encode(&hash, digest.bytes, sizeof digest.bytes, true);
    snprintf(length, sizeof length, "%zu", bytes.len);
    record(im, path, buf_view(&hash), str_of(length));
}

/* ---- adding ---- */

/* As pip writes: through the links of the environment (lib64), over a file that is there. */
static int add(struct importer *im, struct str path, uint32_t mode, const struct content *content,
               int64_t mtime, struct err *e)
{
    CLEANUP(buf_clear) struct buf real = {0};
    struct entry entry = {.type = ENTRY_FILE, .mode = mode, .mtime = mtime, .content = *content};
    struct str rest;

    if (tree_resolve(im->tree, &real, path, e) < 0)
        return -1;
    entry.path = rest = buf_view(&real);
    if (!str_skip(&rest, im->how->prefix) || !str_starts(rest, STR("/")))
        return err_set(e, ERR_INPUT, "/" STR_FMT " leads out of the environment, to /" STR_FMT,
                       STR_ARG(path), STR_ARG(entry.path));
    if (im->how->paths)
        wheel_paths_add(im->how->paths, &entry);
    if (im->how->without && im->how->without->n &&
        bsearch(&entry.path, im->how->without->v, im->how->without->n, sizeof entry.path,
                str_compare))
        return 0;
    return tree_parents(im->tree, entry.path, im->newest, e) < 0
               ? -1
               : tree_add(im->tree, &entry, true, e);
}

static int add_bytes(struct importer *im, struct str path, uint32_t mode, struct str bytes,
                     struct err *e)
{
    struct content content = {CONTENT_BYTES, .size = bytes.len, .bytes = bytes.p};

    record_bytes(im, path, bytes);
    return add(im, path, mode, &content, im->newest, e);
}

static struct str path_in(struct importer *im, const char *folder, struct str name)
{
    buf_reset(&im->path);
    buf_fmt(&im->path, STR_FMT "/%s%s" STR_FMT, STR_ARG(im->how->prefix), folder,
            folder[0] ? "/" : "", STR_ARG(name));
    return buf_view(&im->path);
}

static struct str target_path(struct importer *im, const struct wheel_file *f)
{
    struct str dist = im->wheel->dist_info, name = {0};

    switch (f->scheme) {
    case SCHEME_SITE:
        buf_reset(&im->path);
        buf_fmt(&im->path, STR_FMT "/" STR_FMT, STR_ARG(im->site), STR_ARG(f->path));
        return buf_view(&im->path);
    case SCHEME_SCRIPTS:
        return path_in(im, "bin", f->path);
    case SCHEME_HEADERS:
        str_cut(&dist, STR("-"), &name);
        buf_reset(&im->path);
        buf_fmt(&im->path, STR_FMT "/include/site/python" STR_FMT "/" STR_FMT "/" STR_FMT,
                STR_ARG(im->how->prefix), STR_ARG(im->how->python), STR_ARG(name),
                STR_ARG(f->path));
        return buf_view(&im->path);
    case SCHEME_DATA:
        return path_in(im, "", f->path);
    }
    return (struct str){0};
}

static int check_shebang(const struct importer *im, struct err *e)
{
    if (im->how->prefix.len + sizeof "#!//bin/python" > SHEBANG_MAX)
        return err_set(e, ERR_INPUT, "/" STR_FMT " is too long a path for scripts to start with",
                       STR_ARG(im->how->prefix));
    return 0;
}

static bool hash_holds(struct str bytes, struct str want)
{
    CLEANUP(hash_clear) struct hash h = {0};

    hash_open_len(&h, want.len);
    hash_add(&h, bytes.p, bytes.len);
    return hash_is(&h, want);
}

/* A script that begins with `#!python` gets the environment's own interpreter. */
static int add_python_script(struct importer *im, const struct wheel_file *f, struct str path,
                             struct err *e)
{
    CLEANUP(buf_clear) struct buf old = {0}, new = {0}, what = {0};
    struct str text, first;

    buf_fmt(&what, "its script \"" STR_FMT "\", whose first line is to be rewritten,",
            STR_ARG(f->path));
    if (content_read(im->inflater, &f->content, &old, SCRIPT_MAX, what.p, e) < 0)
        return -1;
    text = buf_view(&old);
    if (!hash_holds(text, f->content.hash))
        return err_set(e, ERR_INTEGRITY, "its file \"" STR_FMT "\" is not what its RECORD says",
                       STR_ARG(f->entry->name));
    first = str_sub(text, 0, str_find(text, '\n'));
    buf_fmt(&new, "#!/" STR_FMT "/bin/python", STR_ARG(im->how->prefix));
    buf_str(&new, str_sub(text, first.len, text.len));
    return add_bytes(im, path, 0755, buf_view(&new), e);
}

/* Its first bytes tell which: any other, also a native program of any size, is a file like all. */
static int add_script(struct importer *im, const struct wheel_file *f, struct err *e)
{
    CLEANUP(buf_clear) struct buf head = {0};
    struct str path = target_path(im, f);

    if (content_head(im->inflater, &f->content, &head, sizeof SHEBANG - 1, f->path.p, e) < 0)
        return -1;
    if (str_is(buf_view(&head), SHEBANG))
        return add_python_script(im, f, path, e);
    record(im, path, f->hash, f->length);
    return add(im, path, 0755, &f->content, f->entry->mtime, e);
}

/* Is it left out by a rule? Then it counts there. */
static bool left_out(struct importer *im, const struct wheel_file *f)
{
    const struct content *content = &f->entry->content;
    struct slim_count *c;

    if (!im->how->slim || f->scheme != SCHEME_SITE)
        return false;
    vec_each(c, im->how->slim)
        if (slim_concerns(c->rule, im->how->name) && slim_takes(c->rule, f->path)) {
            c->files++;
            c->bytes += content->size;
            c->packed += content->kind == CONTENT_DEFLATE ? content->packed : content->size;
            return true;
        }
    return false;
}

static int add_file(struct importer *im, const struct wheel_file *f, struct err *e)
{
    struct str path, own = im->wheel->dist_info, rest = f->path;

    if (f->scheme == SCHEME_SITE && str_skip(&rest, own) && str_is(rest, "/RECORD"))
        return 0; /* written anew */
    if (f->scheme == SCHEME_SCRIPTS)
        return add_script(im, f, e);
    path = target_path(im, f);
    record(im, path, f->hash, f->length);
    return add(im, path, f->entry->executable ? 0755 : 0644, &f->content, f->entry->mtime, e);
}

/* ---- what an installer generates ---- */

static int add_wrapper(struct importer *im, const struct wheel_script *s, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str first = dotted_first(s->function, 1);

    buf_fmt(&text,
            "#!/" STR_FMT "/bin/python\nimport sys\nfrom " STR_FMT " import " STR_FMT
            "\nif __name__ == '__main__':\n"
            "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n"
            "    sys.exit(" STR_FMT "())\n",
            STR_ARG(im->how->prefix), STR_ARG(s->module), STR_ARG(first), STR_ARG(s->function));
    return add_bytes(im, path_in(im, "bin", s->name), 0755, buf_view(&text), e);
}

/* pip names its own commands by the Python it is installed for, whatever its entry points say. */
static int add_pip_wrappers(struct importer *im, const struct wheel_script *pip, struct err *e)
{
    struct wheel_script minor = *pip, major = *pip;
    CLEANUP(buf_clear) struct buf name = {0};

    buf_fmt(&name, "pip" STR_FMT, STR_ARG(im->how->python));
    minor.name = buf_view(&name);
    major.name = STR("pip3");
    return add_wrapper(im, pip, e) < 0 || add_wrapper(im, &major, e) < 0
               ? -1
               : add_wrapper(im, &minor, e);
}

static int add_wrappers(struct importer *im, struct err *e)
{
    bool pip = str_is(im->how->name, "pip");

    for (size_t i = 0; i < im->wheel->scripts.n; i++) {
        const struct wheel_script *s = &im->wheel->scripts.v[i];

        if (pip && str_is(s->name, "pip") && add_pip_wrappers(im, s, e) < 0)
            return -1;
        if (!pip && add_wrapper(im, s, e) < 0)
            return -1;
    }
    return 0;
}

static struct str info_path(struct importer *im, const char *name)
{
    buf_reset(&im->path);
    buf_fmt(&im->path, STR_FMT "/" STR_FMT "/%s", STR_ARG(im->site), STR_ARG(im->wheel->dist_info),
            name);
    return buf_view(&im->path);
}

/* INSTALLER says "pip", so that pip in the image feels free to change what it finds. */
static int add_info(struct importer *im, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct content content;

    if (add_bytes(im, info_path(im, "INSTALLER"), 0644, STR("pip\n"), e) < 0 ||
        (im->how->requested && add_bytes(im, info_path(im, "REQUESTED"), 0644, STR(""), e) < 0))
        return -1;
    record(im, info_path(im, "RECORD"), STR(""), STR(""));
    vec_sort(&im->rows, strp_compare);
    for (size_t i = 0; i < im->rows.n; i++)
        buf_puts(&text, im->rows.v[i]);
    content = (struct content){CONTENT_BYTES, .size = text.len, .bytes = text.p};
    return add(im, info_path(im, "RECORD"), 0644, &content, im->newest, e);
}

static int import_files(struct importer *im, struct err *e)
{
    if (check_shebang(im, e) < 0)
        return -1;
    for (size_t i = 0; i < im->wheel->files.n; i++)
        if (im->wheel->files.v[i].entry->mtime > im->newest)
            im->newest = im->wheel->files.v[i].entry->mtime;
    for (size_t i = 0; i < im->wheel->files.n; i++)
        if (!left_out(im, &im->wheel->files.v[i]) && add_file(im, &im->wheel->files.v[i], e) < 0)
            return -1;
    return add_wrappers(im, e) < 0 ? -1 : add_info(im, e);
}

int import_wheel(struct tree *t, const struct input *input, const struct wheel_import *how,
                 struct inflater *inflater, struct err *e)
{
    CLEANUP(wheel_clear) struct wheel wheel = {0};
    CLEANUP(buf_clear) struct buf site = {0};
    struct importer im = {.tree = t, .how = how, .wheel = &wheel, .inflater = inflater};
    struct str metadata;
    int result;

    if (wheel_open(&wheel, input, how->name, how->version, inflater, e) < 0)
        return -1;
    if (how->metadata) {
        if (wheel_metadata(&metadata, &wheel, inflater, e) < 0)
            return err_wrap(e, "%s", input->name);
        buf_str(how->metadata, metadata);
    }
    buf_fmt(&site, STR_FMT "/lib/python" STR_FMT "/site-packages", STR_ARG(how->prefix),
            STR_ARG(how->python));
    im.site = buf_view(&site);
    result = import_files(&im, e);
    names_clear(&im.rows);
    buf_clear(&im.path);
    return result < 0 ? err_wrap(e, "%s", input->name) : 0;
}
