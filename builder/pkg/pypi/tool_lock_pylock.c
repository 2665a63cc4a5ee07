/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_lock_parts.h"

static void check_version(struct choosing *in, const struct fields *f)
{
    struct str version = {0};

    if (field_need_str(f, "lock-version", &version) && !str_starts(version, STR("1.")))
        err_at(in->e, &node_get(in->root, "lock-version")->pos,
               "lock-version: \"" STR_FMT "\" is not known; 1.0 is", STR_ARG(version));
}

/* A wheel, sdist or archive. */
static void take_file(struct choosing *in, struct tool_lock_pick *p, const struct node *file)
{
    const struct node *hashes = node_get(file, "hashes"), *sha256 = node_get(hashes, "sha256");
    CLEANUP(buf_clear) struct buf text = {0};

    if (sha256)
        buf_fmt(&text, "sha256:" STR_FMT, STR_ARG(sha256->text));
    else if (hashes && hashes->count)
        err_at(in->e, &hashes->pos, STR_FMT ": no sha256, and only those are compared",
               STR_ARG(p->name));
    pick_hash(in, p, file, buf_view(&text));
}

static void take_archive(struct choosing *in, struct tool_lock_pick *p, const struct node *archive)
{
    struct str url = node_text_of(archive, "url");

    take_file(in, p, archive);
    if (url.len)
        pick_address(in, p, url);
    else
        pick_path(in, p, node_text_of(archive, "path"));
}

static void take_repository(struct choosing *in, struct tool_lock_pick *p, const struct node *vcs)
{
    struct str url = node_text_of(vcs, "url");

    pick_git(in, p, url.len ? url : node_text_of(vcs, "path"), node_text_of(vcs, "commit-id"),
             node_text_of(vcs, "subdirectory"));
}

static void take_package(struct choosing *in, const struct node *package)
{
    const struct node *folder = node_get(package, "directory"), *n;
    struct tool_lock_pick *p;

    if (str_is(node_text_of(folder, "path"), ".")) /* the project itself */
        return;
    check_python(in, "requires-python", node_get(package, "requires-python"));
    p = add_pick(in, package);
    if (!p)
        return;
    if (folder) {
        pick_path(in, p, node_text_of(folder, "path"));
    } else if (node_get(package, "archive")) {
        take_archive(in, p, node_get(package, "archive"));
    } else if (node_get(package, "vcs")) {
        take_repository(in, p, node_get(package, "vcs"));
    } else {
        pick_version(in, p, node_text_of(package, "index"));
        node_each(n, node_get(package, "wheels"))
            take_file(in, p, n);
        if (node_get(package, "sdist"))
            take_file(in, p, node_get(package, "sdist"));
    }
}

/* Packages of that name whose markers hang on extras or groups; whether any was taken. */
static unsigned count_hanging(struct choosing *in, const struct node *packages, struct str name,
                              bool *taken)
{
    const struct node *n;
    unsigned hanging = 0;

    node_each(n, packages) {
        if (!str_eq(node_text_of(n, "name"), name))
            continue;
        hanging += marker_hangs(in, node_get(n, "marker"));
        *taken |= marker_holds(in, node_get(n, "marker"));
    }
    return hanging;
}

/* Several packages of one name, told apart by extras or groups, of which nobody chose one. */
static bool is_ambiguous(struct choosing *in, const struct node *packages)
{
    struct str last = {0};
    const struct node *n;

    node_each(n, packages) {
        struct str name = node_text_of(n, "name");
        bool taken = false;

        if (n->next && !str_eq(name, last) && str_eq(name, node_text_of(n->next, "name")) &&
            count_hanging(in, packages, name, &taken) > 1 && !taken)
            return true;
        last = name;
    }
    return false;
}

static void check_choice(struct choosing *in, const struct node *packages,
                         const struct strs *extras, const struct strs *groups)
{
    if (in->choice->extras || in->choice->groups || !is_ambiguous(in, packages))
        return;
    if (extras->n)
        tell_ambiguous(in, "extras", extras);
    else if (groups->n)
        tell_ambiguous(in, "groups", groups);
}

void tool_lock_pylock(struct choosing *in)
{
    const struct fields f = {in->root, "lock", in->e};
    const struct node *packages = field_need_list(&f, "packages"), *n;
    struct strs extras = {0}, groups = {0};

    check_version(in, &f);
    check_python(in, "requires-python", node_get(in->root, "requires-python"));
    add_names(in, &extras, field_list(&f, "extras"));
    add_names(in, &groups, field_list(&f, "dependency-groups"));
    choose_names(in, "extras", in->choice->extras, &extras, &in->extras);
    choose_names(in, "groups", in->choice->groups, &groups, &in->groups);
    if (!in->choice->groups)
        add_names(in, &in->groups, field_list(&f, "default-groups"));
    check_environments(in, "environments");
    check_choice(in, packages, &extras, &groups);
    if (!err_is_set(in->e))
        node_each(n, packages)
            if (marker_holds(in, node_get(n, "marker")))
                take_package(in, n);
    vec_clear(&extras);
    vec_clear(&groups);
}
