/* SPDX-License-Identifier: Apache-2.0 */
#include "../../base/dotted.h"
#include "tool_lock_parts.h"

/* 2.1 is the first that tells groups and markers. */
static bool check_version(struct choosing *in, const struct node *metadata)
{
    struct fields f = fields_of(metadata, "metadata", in->e);
    struct str version = {0};
    uint32_t numbers[2];

    if (!field_need_str(&f, "lock-version", &version))
        return false;
    if (dotted_numbers(numbers, 2, version) == 2 && numbers[0] == 2 && numbers[1] >= 1)
        return true;
    err_at(in->e, &node_get(metadata, "lock-version")->pos,
           "lock-version: \"" STR_FMT "\" does not tell which package is of which group; write it "
           "anew with Poetry 2: `poetry lock`",
           STR_ARG(version));
    return false;
}

/* In a chosen group, and its marker holds, which may be one for each group. */
static bool is_wanted(struct choosing *in, const struct node *package)
{
    const struct node *groups = node_get(package, "groups"),
                      *markers = node_get(package, "markers");
    const struct node *n;

    node_each(n, groups)
        if (strs_has(&in->groups, n->text) &&
            marker_holds(in, markers && markers->kind == NODE_MAP ? node_get_str(markers, n->text)
                                                                  : markers))
            return true;
    return false;
}

static void take_source(struct choosing *in, struct tool_lock_pick *p, const struct node *source)
{
    struct str type = node_text_of(source, "type"), url = node_text_of(source, "url");

    if (!source)
        pick_version(in, p, STR("https://pypi.org/simple/"));
    else if (str_is(type, "legacy"))
        pick_version(in, p, url);
    else if (str_is(type, "git"))
        pick_git(in, p, url, node_text_of(source, "resolved_reference"),
                 node_text_of(source, "subdirectory"));
    else if (str_is(type, "url"))
        pick_address(in, p, url);
    else
        pick_path(in, p, url); /* file, directory */
}

static void take_package(struct choosing *in, const struct node *package)
{
    struct tool_lock_pick *p = add_pick(in, package);
    const struct node *file;

    if (!p)
        return;
    take_source(in, p, node_get(package, "source"));
    node_each(file, node_get(package, "files"))
        pick_hash(in, p, file, node_text_of(file, "hash"));
}

void tool_lock_poetry(struct choosing *in)
{
    const struct fields f = {in->root, "lock", in->e};
    const struct node *metadata = field_need_map(&f, "metadata"), *n;
    const struct node *packages = field_need_list(&f, "package");
    struct strs extras = {0}, groups = {0};

    if (!metadata || !check_version(in, metadata))
        return;
    check_python(in, "python-versions", node_get(metadata, "python-versions"));
    strs_add_once(&groups, STR("main"));
    strs_add_once(&in->groups, STR("main"));
    node_each(n, packages)
        add_names(in, &groups, node_get(n, "groups"));
    add_names(in, &extras, field_map(&f, "extras"));
    choose_names(in, "extras", in->choice->extras, &extras, &in->extras);
    choose_names(in, "groups", in->choice->groups, &groups, &in->groups);
    if (!err_is_set(in->e))
        node_each(n, packages)
            if (is_wanted(in, n))
                take_package(in, n);
    vec_clear(&extras);
    vec_clear(&groups);
}
