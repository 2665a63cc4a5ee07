/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../model/tag.h"
#include "output.h"
#include "session.h"

static int init(struct session *s, const char *text, const char *path, struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(buf_clear) struct buf recipe = {0}, name = {0};
    struct catalog_build build = {0};
    struct tag tag;

    if (tag_parse(&tag, &arena, str_of(text), e) < 0 ||
        catalog_open(&catalog, s->catalog_dir, e) < 0 || tag_check(&tag, &catalog, e) < 0)
        return -1;
    catalog_build(&catalog, tag.pytorch, tag.cuda, &build);
    if (!path) {
        buf_puts(&name, "pytorch-");
        tag_print(&name, &tag);
        buf_puts(&name, ".yaml");
        path = name.p;
    }
    if (fs_exists(path))
        return err_set(e, ERR_INPUT, "%s exists already; choose another name with -o FILE", path);
    tag_recipe(&recipe, &tag, &build);
    if (fs_write(path, buf_view(&recipe), e) < 0)
        return -1;
    progress_pause(s->progress);
    output_print("%s\n", path);
    return 0;
}

int cmd_init(struct session *s, int argc, char **argv, struct err *e)
{
    const char *path = NULL;
    const struct opt own[] = {
        {'o', "output", "FILE", "the recipe to write (pytorch-TAG.yaml)", opt_str, &path},
    };

    if (session_begin(s, "init", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    return s->help ? 0 : init(s, argv[0], path, e);
}
