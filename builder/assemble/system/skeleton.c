/* SPDX-License-Identifier: Apache-2.0 */
#include "skeleton.h"

#include "../../base/path.h"
#include "../../doc/emit.h"
#include "../../doc/field.h"
#include "../../doc/json.h"

enum { SKELETON_MAX = 4 * 1024 * 1024 };

static const char *const accounts[] = {"etc/group", "etc/gshadow", "etc/passwd", "etc/shadow"};

static bool is_account(struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(accounts); i++)
        if (str_is(path, accounts[i]))
            return true;
    return false;
}

/* Of Debian, Ubuntu, Alpine and distroless images; of Fedora and RHEL; of SUSE. */
static const char *const bundles[] = {"etc/ssl/certs/ca-certificates.crt",
                                      "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                      "var/lib/ca-certificates/ca-bundle.pem"};

const char *skeleton_bundle(size_t i)
{
    return i < ARRAY_LEN(bundles) ? bundles[i] : NULL;
}

bool skeleton_is_bundle(struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++)
        if (str_is(path, bundles[i]))
            return true;
    return false;
}

/* "etc/ssl/certs/5ed36f99.0" */
static bool is_hash_link(struct str path)
{
    struct str name = path_base(path), number = name;
    uint32_t n;

    return str_cut(&number, STR("."), &name) && name.len == 8 && str_u32(number, &n) &&
           str_find_str(path, STR("certs/")) < path.len;
}

static bool leads_to_folder(const struct tree *system, const struct entry *link)
{
    const struct entry *target = tree_follow(system, link->path);

    return target && target->type == ENTRY_DIR;
}

static bool wanted(const struct tree *system, const struct entry *e, bool certificates)
{
    switch (e->type) {
    case ENTRY_DIR:
        return e->mode != 0755 || e->uid || e->gid;
    case ENTRY_SYMLINK:
        return leads_to_folder(system, e) || (certificates && is_hash_link(e->path));
    case ENTRY_FILE:
        return is_account(e->path) || (certificates && skeleton_is_bundle(e->path));
    case ENTRY_HARDLINK:
        return false;
    }
    return false;
}

/* With the folders above it, so that files cannot take their places. */
static int add(struct tree *t, const struct tree *system, const struct entry *entry, struct err *e)
{
    return tree_parents_of(t, system, entry->path, e) < 0 ? -1 : tree_add(t, entry, false, e);
}

/* tree_follow() can only walk through what is in the tree, so a link's target comes along. */
static int add_target(struct tree *t, const struct tree *system, const struct entry *link,
                      struct err *e)
{
    const struct entry *target = tree_follow(system, link->path);

    return target && target->type == ENTRY_DIR && !tree_get(t, target->path)
               ? add(t, system, target, e)
               : 0;
}

int skeleton_of(struct tree *out, const struct tree *system, bool certificates,
                struct inflater *inflater, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {0};

    for (size_t i = 0; i < system->entries.n; i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct entry entry = system->entries.v[i];

        if (!wanted(system, &entry, certificates) || tree_get(&t, entry.path))
            continue;
        if (entry.type == ENTRY_FILE) {
            if (content_read(inflater, &entry.content, &text, SKELETON_MAX, entry.path.p, e) < 0)
                return -1;
            entry.content = (struct content){CONTENT_BYTES, .size = text.len, .bytes = text.p};
        }
        if (add(&t, system, &entry, e) < 0 ||
            (entry.type == ENTRY_SYMLINK && add_target(&t, system, &entry, e) < 0))
            return -1;
    }
    tree_sort(&t);
    MOVE(out, &t);
    return 0;
}

void skeleton_print(struct buf *out, const struct tree *skeleton)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *list = node_new_list(&d);

    for (size_t i = 0; i < skeleton->entries.n; i++) {
        const struct entry *e = &skeleton->entries.v[i];
        struct node *n = node_add(&d, list, node_new_map(&d));

        node_put_str(&d, n, "path", e->path);
        node_put_u64(&d, n, "type", e->type);
        node_put_u64(&d, n, "mode", e->mode);
        node_put_u64(&d, n, "uid", e->uid);
        node_put_u64(&d, n, "gid", e->gid);
        if (e->type == ENTRY_SYMLINK)
            node_put_str(&d, n, "link", e->link);
        if (e->type == ENTRY_FILE)
            node_put_str(&d, n, "text", (struct str){e->content.bytes, e->content.size});
    }
    emit_json(out, list, EMIT_COMPACT);
}

static uint32_t need_u32(const struct fields *f, const char *key, uint32_t max)
{
    uint64_t n = 0;

    field_need_u64(f, key, &n, max);
    return (uint32_t)n;
}

int skeleton_parse(struct tree *out, struct str text, struct err *e)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(tree_clear) struct tree t = {0};
    const struct node *n;

    if (json_parse(&d, text, SKELETON_MAX, "skeleton", e) < 0)
        return -1;
    node_each(n, d.root) {
        struct fields f = fields_of(n, "skeleton", e);
        struct entry entry = {.type = (enum entry_type)need_u32(&f, "type", ENTRY_HARDLINK),
                              .mode = need_u32(&f, "mode", 07777),
                              .uid = need_u32(&f, "uid", INT32_MAX),
                              .gid = need_u32(&f, "gid", INT32_MAX)};
        struct str bytes = {0};

        field_need_str(&f, "path", &entry.path);
        field_str(&f, "link", &entry.link);
        if (field_str(&f, "text", &bytes))
            entry.content = (struct content){CONTENT_BYTES, .size = bytes.len, .bytes = bytes.p};
        if (err_is_set(e) || tree_add(&t, &entry, false, e) < 0)
            return -1;
    }
    tree_sort(&t);
    MOVE(out, &t);
    return 0;
}
