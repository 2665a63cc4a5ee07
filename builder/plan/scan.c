/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/beneath.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"

enum { FILES_MAX = 200000, LINK_MAX = 4096, KEY_MAX = 64 * 1024 };

struct scan {
    struct lock_copy *copy;
    struct arena *arena;
    struct scan_rules *rules;
    struct str from;  /* what is scanned, from the context, without links */
    bool named;       /* the recipe names what the built-in list has */
    bool inside_left; /* the folder at hand is left out already, but for what is taken back */
};

static int walk(struct scan *s, const char *disk, const char *inside, struct err *e);

static int scan_link(struct scan *s, struct lock_file *file, const char *disk, struct err *e)
{
    char target[LINK_MAX];
    ssize_t n = readlink(disk, target, sizeof target);

    if (n < 0)
        return err_errno(e, "cannot read %s", disk);
    if ((size_t)n == sizeof target)
        return err_set(e, ERR_INPUT, "%s: the link's target is longer than %d bytes", disk,
                       LINK_MAX);
    file->link = arena_str(s->arena, (struct str){target, (size_t)n});
    return 0;
}

static int scan_file(struct lock_file *file, const char *disk, const struct stat *st, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};

    file->executable = st->st_mode & 0111;
    return fd_open(&fd, disk, O_RDONLY | O_NOFOLLOW, 0, e) < 0
               ? -1
               : hash_fd(&file->digest, &file->size, fd.n, disk, e);
}

static int scan_folder(struct scan *s, const char *disk, const char *inside, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    int result = 0;

    if (fs_list(&names, disk, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n && result == 0; i++) {
        CLEANUP(free_clear) char *below = path_join(disk, names.v[i]);
        CLEANUP(free_clear) char *path = path_join(inside, names.v[i]);

        result = walk(s, below, path, e);
    }
    return result;
}

/* Does it hold a private key in PEM? What cannot be read is told when it is taken. */
static bool is_key(const char *disk)
{
    CLEANUP(err_clear) struct err ignored = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct str name = str_of(disk);

    return (str_ends(name, STR(".pem")) || str_ends(name, STR(".key"))) &&
           fs_read(&text, disk, KEY_MAX, &ignored) == 0 &&
           str_find_str(buf_view(&text), STR("PRIVATE KEY-----")) < text.len;
}

static enum ignored find_rule(const struct scan *s, const char *disk, const char *inside,
                              const struct stat *st)
{
    CLEANUP(buf_clear) struct buf path = {0};
    enum ignored found = ignore_find(&s->rules->exclude, str_of(inside));

    if (found != IGNORE_NOT)
        return found;
    buf_fmt(&path, STR_FMT "%s%s", STR_ARG(s->from), s->from.len && inside[0] ? "/" : "", inside);
    found = ignore_find(&s->rules->ignore, buf_view(&path));
    if (found == IGNORE_BUILT_IN && s->named)
        return IGNORE_NOT;
    if (found == IGNORE_NOT && s->rules->ignore.rules.n && S_ISREG(st->st_mode) && is_key(disk))
        return IGNORE_BUILT_IN;
    return found;
}

/* A folder that is left out stays for what a pattern with "!" takes back below it. */
static int leave_out(struct scan *s, const struct lock_file *file, const char *disk,
                     const char *inside, enum ignored why, struct err *e)
{
    size_t n = s->copy->files.n;
    bool before = s->inside_left;

    if (file->folder && (s->rules->ignore.takes_back || s->rules->exclude.takes_back)) {
        vec_add(&s->copy->files, *file);
        s->inside_left = true;
        if (scan_folder(s, disk, inside, e) < 0)
            return -1;
        s->inside_left = before;
        if (s->copy->files.n > n + 1)
            return 0;
        s->copy->files.n = n;
    }
    if (why == IGNORE_BUILT_IN && !before) {
        CLEANUP(buf_clear) struct buf path = {0};

        buf_fmt(&path, STR_FMT "%s%s", STR_ARG(s->from), s->from.len ? "/" : "", inside);
        names_add(&s->rules->built_in, path.p);
    }
    return 0;
}

static int walk(struct scan *s, const char *disk, const char *inside, struct err *e)
{
    struct lock_file file = {.path = arena_str(s->arena, str_of(inside))};
    struct stat st;

    if (lstat(disk, &st) < 0)
        return err_errno(e, "cannot read %s", disk);
    file.folder = S_ISDIR(st.st_mode);
    if (inside[0]) {
        enum ignored why = find_rule(s, disk, inside, &st);

        if (why == IGNORE_OWN || why == IGNORE_BUILT_IN)
            return leave_out(s, &file, disk, inside, why, e);
    }
    if (inside[0] && !path_is_safe(file.path))
        return err_set(e, ERR_INPUT, "%s: this name cannot stand in an image", disk);
    if (s->copy->files.n >= FILES_MAX)
        return err_set(e, ERR_INPUT, STR_FMT " holds more than %d files", STR_ARG(s->copy->from),
                       FILES_MAX);
    if (S_ISLNK(st.st_mode) ? scan_link(s, &file, disk, e) < 0
                            : S_ISREG(st.st_mode) && scan_file(&file, disk, &st, e) < 0)
        return -1;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !file.folder)
        return err_set(e, ERR_INPUT, "%s is neither file, folder nor link", disk);
    if (inside[0] || !file.folder)
        vec_add(&s->copy->files, file);
    return file.folder ? scan_folder(s, disk, inside, e) : 0;
}

static int file_compare(const void *a, const void *b)
{
    return str_cmp(((const struct lock_file *)a)->path, ((const struct lock_file *)b)->path);
}

/* Where `from` is, without links on the way. Itself it may be a link, as long as that does not lead
 * out either. */
static int find(struct buf *real, struct str from, const char *dir, struct err *e)
{
    CLEANUP(fd_clear) struct fd root = {0};

    if (fd_open(&root, dir, O_PATH | O_DIRECTORY, 0, e) < 0)
        return -1;
    if (!beneath_resolve(real, root.n, from, true) || !beneath_resolve(real, root.n, from, false))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT
                       "\" leads out of the recipe's folder, or its context; a wider one can be "
                       "named at the top, as in `context: ..`",
                       STR_ARG(from));
    return 0;
}

void scan_rules_clear(struct scan_rules *rules)
{
    ignore_clear(&rules->ignore);
    ignore_clear(&rules->exclude);
    names_clear(&rules->built_in);
}

int scan_files(struct lock_copy *copy, struct arena *a, const char *dir, struct scan_rules *rules,
               struct err *e)
{
    CLEANUP(buf_clear) struct buf real = {0};
    CLEANUP(free_clear) char *disk = NULL;
    struct scan s = {.copy = copy, .arena = a, .rules = rules};

    if (find(&real, copy->from, dir, e) < 0)
        return -1;
    s.from = buf_view(&real);
    switch (ignore_find(&rules->ignore, s.from)) {
    case IGNORE_OWN:
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is left out by .dockerignore; take its line away, or add "
                       "\"!" STR_FMT "\" below it",
                       STR_ARG(copy->from), STR_ARG(s.from));
    case IGNORE_BUILT_IN:
        s.named = true;
        break;
    case IGNORE_NOT:
    case IGNORE_BACK:
        break;
    }
    disk = real.len ? path_join(dir, real.p) : xstrdup(dir);
    if (walk(&s, disk, "", e) < 0)
        return -1;
    vec_sort(&copy->files, file_compare);
    return 0;
}
