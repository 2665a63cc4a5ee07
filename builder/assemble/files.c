/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <fcntl.h>

#include "../base/beneath.h"
#include "../base/path.h"
#include "../io/crypto.h"
#include "own.h"

enum { SECONDS_A_DAY = 86400 };

#define CERTIFICATES "etc/ssl/certs"

struct copies {
    struct tree *tree;
    const struct tree *skeleton;
    const struct lock *lock;
    struct spool *spool;
    int dir; /* open: what the lock's files are relative to */
};

/* Add an entry where links take it, the system's and those that came with other files, below
 * folders as the system has them. A link to a folder stays a link when a folder is put there. */
static int add(struct copies *c, struct entry *entry, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    const struct entry *there;

    if (tree_resolve(c->tree, &path, entry->path, e) < 0 ||
        own_parents(c->tree, c->lock, NULL, buf_view(&path), c->lock->created, e) < 0)
        return -1;
    entry->path = buf_view(&path);
    entry->mtime = c->lock->created;
    there = entry->type == ENTRY_DIR ? tree_follow(c->tree, entry->path) : NULL;
    if (there && there->type == ENTRY_DIR)
        entry->path = there->path;
    return tree_parents(c->tree, entry->path, entry->mtime, e) < 0
               ? -1
               : tree_add(c->tree, entry, true, e);
}

/* ---- files ---- */

/* Where one file lands, relative to the image's root. */
static int place(struct buf *out, const struct lock_copy *c, const struct lock_file *f,
                 struct err *e)
{
    if (!lock_copy_place(out, c, f))
        return err_set(e, ERR_INPUT, "files: \"" STR_FMT "\" is not a place for a file",
                       STR_ARG(c->to));
    memmove(out->p, out->p + 1, out->len); /* the leading "/" goes, the NUL comes along */
    out->len--;
    return 0;
}

static int changed(const char *disk, struct err *e)
{
    return err_set(
        e, ERR_INPUT,
        "%s changed since the lock was written; run `envbuild lock` to accept the change", disk);
}

/* Hashed as it is read, so that what was checked is what is taken. A pipe has no bytes. */
static int read_file(struct content *out, const struct lock_file *f, int dir, struct str path,
                     struct spool *spool, struct err *e)
{
    CLEANUP(free_clear) char *disk = str_dup(path);
    CLEANUP(hash_source_clear) struct hash_source hashed = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(source_clear) struct source *source = NULL;
    struct digest digest;
    uint64_t size;

    if (beneath_open(&fd, dir, path, O_RDONLY | O_NONBLOCK, disk, e) < 0 ||
        fd_size(fd.n, &size, disk, e) < 0)
        return -1;
    if (size != f->size)
        return changed(disk, e);
    source = source_file(fd.n, 0, size, disk);
    hash_source_open(&hashed, source);
    if (spool_put(out, spool, &hashed.source, size, e) < 0)
        return -1;
    hash_finish(&hashed.hash, &digest);
    return digest_eq(&digest, &f->digest) ? 0 : changed(disk, e);
}

static int take_text(struct content *out, const struct lock_copy *c, struct spool *spool,
                     struct err *e)
{
    CLEANUP(free_clear) char *what = str_dup(c->to);
    CLEANUP(source_clear) struct source *source = source_bytes(c->text, what);

    return spool_put(out, spool, source, c->text.len, e);
}

/* `root`: where the copy's `from` is, below the folder. */
static int add_file(struct copies *to, const struct lock_copy *c, const struct lock_file *f,
                    struct str root, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0}, disk = {0};
    struct entry entry = {.uid = c->uid, .gid = c->gid, .link = f->link};

    if (place(&path, c, f, e) < 0)
        return -1;
    buf_fmt(&disk, STR_FMT "%s" STR_FMT, STR_ARG(root), root.len && f->path.len ? "/" : "",
            STR_ARG(f->path));
    entry.path = buf_view(&path);
    entry.type = f->folder ? ENTRY_DIR : f->link.len ? ENTRY_SYMLINK : ENTRY_FILE;
    entry.mode = f->folder || f->executable ? 0755 : f->link.len ? 0777 : 0644;
    if (c->mode && entry.type == ENTRY_FILE)
        entry.mode = c->mode;
    else
        own_share(to->lock, &entry);
    if (entry.type == ENTRY_FILE &&
        (c->text.len ? take_text(&entry.content, c, to->spool, e)
                     : read_file(&entry.content, f, to->dir, buf_view(&disk), to->spool, e)) < 0)
        return -1;
    return add(to, &entry, e);
}

/* The folder that files are copied into belongs to their owner too, unless that is root. */
static int add_target(struct copies *to, const struct lock_copy *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    struct entry entry = {.type = ENTRY_DIR, .mode = 0755, .uid = c->uid, .gid = c->gid};
    bool renamed = c->files.n == 1 && !c->files.v[0].path.len && !str_ends(c->to, STR("/"));

    if (!c->uid || renamed || !path_clean(&path, c->to) || path.len < 2)
        return 0;
    entry.path = str_sub(buf_view(&path), 1, path.len);
    own_share(to->lock, &entry);
    return add(to, &entry, e);
}

static int add_copy(struct copies *to, const struct lock_copy *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf root = {0};

    if (!beneath_resolve(&root, to->dir, c->from, false))
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" leads out of the recipe's folder",
                       STR_ARG(c->from));
    if (add_target(to, c, e) < 0)
        return -1;
    for (size_t i = 0; i < c->files.n; i++)
        if (add_file(to, c, &c->files.v[i], buf_view(&root), e) < 0)
            return -1;
    return 0;
}

/* ---- certificates ---- */

/* The first free name <subject hash>.N, which leads to the certificate. */
static int add_hash_link(struct copies *c, struct str pem, const char *name, struct err *e)
{
    struct entry entry = {.type = ENTRY_SYMLINK, .mode = 0777, .link = str_of(name)};
    uint32_t hash;

    if (cert_subject_hash(&hash, pem, name, e) < 0)
        return -1;
    for (unsigned n = 0;; n++) {
        CLEANUP(buf_clear) struct buf path = {0}, real = {0};

        buf_fmt(&path, CERTIFICATES "/%08x.%u", hash, n);
        if (tree_resolve(c->tree, &real, buf_view(&path), e) < 0)
            return -1;
        if (tree_get(c->tree, buf_view(&real)) || tree_get(c->skeleton, buf_view(&real)))
            continue;
        entry.path = buf_view(&path);
        return add(c, &entry, e);
    }
}

/* "corp.pem" and its hash lead to "corp.crt". */
static int add_links(struct copies *c, const struct lock_copy *copy, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0}, path = {0};
    struct entry entry = {.type = ENTRY_SYMLINK, .mode = 0777, .link = copy->to};
    struct str base = path_base(copy->to);

    str_drop(&base, STR(".crt"));
    buf_fmt(&name, STR_FMT ".pem", STR_ARG(base));
    buf_fmt(&path, CERTIFICATES "/%s", name.p);
    entry.path = buf_view(&path);
    return add(c, &entry, e) < 0 ? -1 : add_hash_link(c, copy->text, name.p, e);
}

static int add_bundle(struct copies *c, const char *path, struct str old, struct str own,
                      struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct entry entry = {.path = str_of(path), .type = ENTRY_FILE, .mode = 0644};

    buf_str(&text, old);
    if (text.len && text.p[text.len - 1] != '\n')
        buf_putc(&text, '\n');
    buf_str(&text, own);
    entry.content = (struct content){CONTENT_BYTES, .size = text.len, .bytes = text.p};
    return add(c, &entry, e);
}

static struct str text_of(const struct copies *c, const char *path)
{
    const struct entry *e = tree_get(c->skeleton, str_of(path));

    return e && e->type == ENTRY_FILE ? (struct str){e->content.bytes, e->content.size}
                                      : (struct str){0};
}

/* Every bundle that the system has gets them behind its own, and Debian's is there in any case. */
static int add_certificates(struct copies *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf own = {0};
    struct str system = {0};
    const struct lock_copy *copy;
    const char *path;

    vec_each(copy, &c->lock->copies)
        if (lock_copy_is_certificate(copy)) {
            if (add_links(c, copy, e) < 0)
                return -1;
            buf_str(&own, copy->text);
        }
    for (size_t i = 0; (path = skeleton_bundle(i)); i++) {
        struct str old = text_of(c, path);

        system = system.len ? system : old;
        if (i && old.len && add_bundle(c, path, old, buf_view(&own), e) < 0)
            return -1;
    }
    return own.len ? add_bundle(c, skeleton_bundle(0), system, buf_view(&own), e) : 0;
}

/* ---- user and work folder ---- */

static bool has_line(struct str text, struct str name)
{
    struct str line, field;

    while (str_line(&text, &line))
        if (str_cut(&line, STR(":"), &field) && str_eq(field, name))
            return true;
    return false;
}

/* The name, first field, of the line that has `id` as its third; empty when none has. */
static struct str name_of(struct str text, uint32_t id)
{
    struct str line, name, field;
    uint32_t n;

    while (str_line(&text, &line))
        if (str_cut(&line, STR(":"), &name) && str_cut(&line, STR(":"), &field) &&
            (str_cut(&line, STR(":"), &field) || (field = line).len) && str_u32(field, &n) &&
            n == id)
            return name;
    return (struct str){0};
}

/* An image may lack what every Debian has. */
static int add_missing(struct copies *c, const char *path, struct str line, struct err *e)
{
    struct entry entry = {.path = str_of(path), .type = ENTRY_FILE, .mode = 0644};

    if (str_is(entry.path, "etc/shadow") || str_is(entry.path, "etc/gshadow"))
        return 0;
    entry.content = (struct content){CONTENT_BYTES, .size = line.len, .bytes = line.p};
    return add(c, &entry, e);
}

/* One account file with a line more; owner and mode as the system has them. */
static int add_account(struct copies *c, const char *path, struct str line, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const struct entry *old = tree_get(c->skeleton, str_of(path));
    struct entry entry;

    if (!old && c->lock->image.ref.len)
        return add_missing(c, path, line, e);
    if (!old)
        return err_set(e, ERR_INPUT, "user: the base has no /%s", path);
    entry = *old;
    buf_str(&text, text_of(c, path));
    if (text.len && text.p[text.len - 1] != '\n')
        buf_putc(&text, '\n');
    buf_str(&text, line);
    entry.content = (struct content){CONTENT_BYTES, .size = text.len, .bytes = text.p};
    return add(c, &entry, e);
}

/* Somebody's image may have accounts of its own; Ubuntu's has a user 1000. */
static int check_free(const struct copies *c, const struct lock_user *u, struct err *e)
{
    struct str other = name_of(text_of(c, "etc/passwd"), u->uid);

    if (other.len)
        return err_set(e, ERR_INPUT,
                       "user: uid %u is the base image's own user \"" STR_FMT
                       "\"; write `user: {name: " STR_FMT
                       ", uid: %u}` to be that one, or another `uid`",
                       u->uid, STR_ARG(other), STR_ARG(other), u->uid);
    if (has_line(text_of(c, "etc/group"), u->name))
        return err_set(e, ERR_INPUT, "user: the base image has a group \"" STR_FMT "\" already",
                       STR_ARG(u->name));
    if (name_of(text_of(c, "etc/group"), u->gid).len)
        return err_set(e, ERR_INPUT,
                       "user: the base image has a group with gid %u already; write another `gid`",
                       u->gid);
    return 0;
}

static int add_user(struct copies *c, struct err *e)
{
    const struct lock_user *u = &c->lock->user;
    CLEANUP(buf_clear) struct buf passwd = {0}, group = {0}, shadow = {0}, gshadow = {0};
    CLEANUP(buf_clear) struct buf home = {0};
    struct entry entry = {.type = ENTRY_DIR, .mode = 0755, .uid = u->uid, .gid = u->gid};

    if (c->lock->image.ref.len && str_eq(name_of(text_of(c, "etc/passwd"), u->uid), u->name))
        return 0; /* the image's own user; home and work folder follow */
    if (has_line(text_of(c, "etc/passwd"), u->name))
        return err_set(e, ERR_INPUT, "user: the base has a user \"" STR_FMT "\" already",
                       STR_ARG(u->name));
    if (c->lock->image.ref.len && check_free(c, u, e) < 0)
        return -1;
    buf_fmt(&passwd, STR_FMT ":x:%u:%u::/home/" STR_FMT ":/bin/bash\n", STR_ARG(u->name), u->uid,
            u->gid, STR_ARG(u->name));
    buf_fmt(&group, STR_FMT ":x:%u:\n", STR_ARG(u->name), u->gid);
    buf_fmt(&shadow, STR_FMT ":!:%lld:0:99999:7:::\n", STR_ARG(u->name),
            (long long)(c->lock->created / SECONDS_A_DAY));
    buf_fmt(&gshadow, STR_FMT ":!::\n", STR_ARG(u->name));
    buf_fmt(&home, "home/" STR_FMT, STR_ARG(u->name));
    entry.path = buf_view(&home);
    return add_account(c, "etc/passwd", buf_view(&passwd), e) < 0 ||
                   add_account(c, "etc/group", buf_view(&group), e) < 0 ||
                   add_account(c, "etc/shadow", buf_view(&shadow), e) < 0 ||
                   add_account(c, "etc/gshadow", buf_view(&gshadow), e) < 0
               ? -1
               : add(c, &entry, e);
}

/* The work folder is the user's own; one that files were put in keeps what they made of it. */
static int add_workdir(struct copies *c, struct err *e)
{
    struct entry entry = {.type = ENTRY_DIR, .mode = 0755};

    entry.path = str_sub(c->lock->workdir, 1, c->lock->workdir.len);
    if (!entry.path.len || tree_get(c->tree, entry.path) || tree_follow(c->skeleton, entry.path))
        return 0;
    entry.uid = c->lock->user.uid;
    entry.gid = c->lock->user.gid;
    return add(c, &entry, e);
}

/* The user's own folders, whatever files were put there. Where the system has one it keeps its
 * mode, and one like /tmp is everybody's already. */
static int add_folders(struct copies *c, struct err *e)
{
    for (size_t i = 0; i < c->lock->folders.n; i++) {
        const struct lock_folder *own = &c->lock->folders.v[i];
        struct entry entry = {.path = str_sub(own->path, 1, own->path.len),
                              .type = ENTRY_DIR,
                              .mode = 0755,
                              .uid = own->uid};
        const struct entry *there = tree_follow(c->tree, entry.path);

        if (!there)
            there = tree_follow(c->skeleton, entry.path);
        if (there && there->type == ENTRY_DIR && there->mode & 01000)
            continue;
        if (there && there->type == ENTRY_DIR)
            entry.mode = there->mode;
        entry.mode |= (entry.mode & 0700) >> 3;
        if (add(c, &entry, e) < 0)
            return err_wrap(e, "folders");
    }
    return 0;
}

int files_build(struct tree *out, const struct lock *lock, const char *dir, struct spool *spool,
                const struct tree *skeleton, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {.below = skeleton};
    CLEANUP(fd_clear) struct fd folder = {0};
    struct copies c = {&t, skeleton, lock, spool, 0};

    if (fd_open(&folder, dir, O_PATH | O_DIRECTORY, 0, e) < 0)
        return -1;
    c.dir = folder.n;
    if (lock->user.name.len && add_user(&c, e) < 0)
        return -1;
    for (size_t i = 0; i < lock->copies.n; i++)
        if (add_copy(&c, &lock->copies.v[i], e) < 0)
            return err_wrap(e, "files");
    if (lock_has_certificates(lock) && add_certificates(&c, e) < 0)
        return err_wrap(e, "ca_certificates");
    if (lock->folders.n ? add_folders(&c, e) < 0 : add_workdir(&c, e) < 0)
        return -1;
    tree_sort(&t);
    MOVE(out, &t);
    return 0;
}
