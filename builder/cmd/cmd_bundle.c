/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../oci/ref.h"
#include "../out/bundle.h"
#include "../out/bundle_box.h"
#include "../out/published.h"
#include "output.h"
#include "room.h"
#include "stored_facts.h"
#include "work.h"

struct bundle_args {
    const char *output, *split;
    uint32_t jobs;
};

/* One operand, open. */
struct bundled {
    struct work work; /* of a recipe */
    struct stored image;
    struct ref ref;
    char *repository;        /* owned */
    struct str called;       /* the same as engines show it; borrowed from that */
    struct buf recipe, lock; /* their texts; empty where there is none */
    struct buf lock_name, recipe_name;
};

static void bundled_clear(struct bundled *b)
{
    buf_clear(&b->lock_name);
    buf_clear(&b->recipe_name);
    buf_clear(&b->lock);
    buf_clear(&b->recipe);
    free(b->repository);
    ref_clear(&b->ref);
    stored_clear(&b->image);
    work_clear(&b->work);
}

/* 4G, 2048M or bytes. */
static int read_size(uint64_t *out, const char *text, struct err *e)
{
    struct str s = str_of(text);
    unsigned shift = str_drop(&s, STR("G")) ? 30 : str_drop(&s, STR("M")) ? 20 : 0;
    uint64_t n;

    if (!str_u64(s, &n) || !n || n > BUNDLE_PART_MAX >> shift)
        return err_set(e, ERR_USAGE,
                       "--split: \"%s\" is not a size such as 2G or 700M, below the 4G that a file "
                       "of a stick with FAT32 may have",
                       text);
    *out = n << shift;
    return 0;
}

/* The image that a build of the recipe leaves in ./images, with what it was built by. */
static int open_recipe(struct bundled *b, struct session *s, const char *recipe, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct work *w = &b->work;

    if (work_open(w, s, recipe, NULL, e) < 0)
        return -1;
    if (!w->lock.built)
        return err_set(e, ERR_INPUT, "%s is not built; run `envbuild build %s` first", recipe,
                       recipe);
    buf_fmt(&name, "oci:images:" STR_FMT ":" STR_FMT, STR_ARG(w->lock.name), STR_ARG(w->lock.tag));
    if (stored_facts_image(&b->image, s, name.p, e) < 0)
        return err_wrap(e, "%s: run `envbuild build %s`, or name its image", recipe, recipe);
    if (!digest_eq(&b->image.digest, &w->lock.manifest))
        return err_set(e, ERR_INPUT,
                       "%s is not what %s was built to; run `envbuild build %s` again", name.p,
                       w->lock_path, recipe);
    buf_str(&b->recipe_name, path_base(str_of(recipe)));
    buf_str(&b->lock_name, path_base(str_of(w->lock_path)));
    return fs_read(&b->recipe, recipe, LOCK_SIZE_MAX, e) < 0 ||
                   fs_read(&b->lock, w->lock_path, LOCK_SIZE_MAX, e) < 0
               ? -1
               : 0;
}

/* The lock that travels with an image goes along. */
static int open_image(struct bundled *b, struct session *s, const char *operand, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(err_clear) struct err none = {0}; /* then there is none */

    if (stored_facts_image(&b->image, s, operand, e) < 0)
        return -1;
    if (b->image.no_digests)
        return err_set(e, ERR_INPUT,
                       "%s does not tell the digests of its image; `envbuild copy %s "
                       "oci:images:NAME:TAG` gives it one that has them",
                       operand, operand);
    if (published_lock(&lock, &b->lock, &b->image, &none) == 0)
        buf_fmt(&b->lock_name, STR_FMT ".lock", STR_ARG(lock.name));
    else
        buf_reset(&b->lock);
    return 0;
}

static int open_one(struct bundled *b, struct session *s, const char *operand, struct err *e)
{
    bool recipe = recipe_is_name(str_of(operand));

    if ((recipe ? open_recipe(b, s, operand, e) : open_image(b, s, operand, e)) < 0)
        return -1;
    if (!b->image.name.len || ref_parse(&b->ref, b->image.name, e) < 0)
        return err_is_set(e)
                   ? -1
                   : err_set(e, ERR_INPUT,
                             "%s has no name that an engine could call it by; `envbuild copy %s "
                             "oci:images:NAME:TAG` gives it one",
                             operand, operand);
    b->repository = ref_repository(&b->ref);
    b->called = str_of(b->repository);
    if (str_skip(&b->called, STR("docker.io/")))
        str_skip(&b->called, STR("library/"));
    return 0;
}

/* Two locks of one name would be one file. An image that is not ours has neither lock nor recipe. */
static void add_text(struct bundling *to, const struct buf *name, const struct buf *text)
{
    if (!text->len)
        return;
    for (size_t i = 0; i < to->texts.n; i++)
        if (strcmp(to->texts.v[i].name, name->p) == 0)
            return;
    vec_add(&to->texts, ((struct bundle_text){name->p, buf_view(text)}));
}

static int check_room(const char *dir, uint64_t bytes, struct err *e)
{
    struct room_need need = {.path = dir, .bytes = bytes};

    fs_room(&need.have, dir);
    return room_check(&need, 1, e);
}

static void print_json(struct session *s, const char *output, uint64_t size)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "bundle", str_of(output));
    node_put_u64(&d, root, "size", size);
    session_json(s, &d, root);
}

static int write_all(struct session *s, const struct bundle_args *a, const struct bundled *all,
                     size_t n, struct err *e)
{
    CLEANUP(bundling_clear)
    struct bundling b = {.part = BUNDLE_PART_MAX, .jobs = a->jobs, .events = s->events};
    CLEANUP(buf_clear) struct buf size = {0};

    for (size_t i = 0; i < n; i++) {
        const struct bundled *one = &all[i];

        vec_add(&b.images,
                ((struct bundle_image){&one->image,
                                       {.repository = one->called,
                                        .tag = str_of(one->ref.tag ? one->ref.tag : "latest")}}));
        add_text(&b, &one->recipe_name, &one->recipe);
        add_text(&b, &one->lock_name, &one->lock);
    }
    if (a->split && box_is_tar(a->output))
        return err_set(e, ERR_USAGE,
                       "--split: %s is one file; name a folder, or cut it with `split -b %s %s`",
                       a->output, a->split, a->output);
    if ((a->split && read_size(&b.part, a->split, e) < 0) ||
        check_room(a->output, bundle_size(&b), e) < 0)
        return -1;
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "write the bundle"});
    if (bundle_write(a->output, &b, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        print_json(s, a->output, bundle_size(&b));
        return 0;
    }
    output_print("%s\n", a->output);
    progress_size(&size, bundle_size(&b));
    if (!s->quiet)
        output_message(box_is_tar(a->output)
                           ? "envbuild: %s for those without a network; `tar -xf %s` unpacks it, "
                             "and its README.html says how it is loaded"
                           : "envbuild: %s for those without a network; %s/README.html says how "
                             "it is loaded",
                       size.p, a->output);
    return 0;
}

static int bundle(struct session *s, const struct bundle_args *a, int argc, char **argv,
                  struct err *e)
{
    CLEANUP(free_clear) struct bundled *all = xcalloc((size_t)argc, sizeof *all);
    int result = 0;

    for (int i = 0; i < argc && result == 0; i++)
        result = open_one(&all[i], s, argv[i], e);
    if (result == 0)
        result = write_all(s, a, all, (size_t)argc, e);
    for (int i = 0; i < argc; i++)
        bundled_clear(&all[i]);
    return result;
}

int cmd_bundle(struct session *s, int argc, char **argv, struct err *e)
{
    struct bundle_args a = {.output = "stick", .jobs = 4};
    const struct opt own[] = {
        {'o', "output", "DIR|FILE.tar",
         "the folder that is made, on a stick, or a tar of it (stick)", opt_str, &a.output},
        {0, "split", "SIZE", "the largest file: 700M, 2G (what FAT32 takes, just below 4G)",
         opt_str, &a.split},
        {'j', "jobs", "N", "layers at once (4)", opt_u32, &a.jobs},
    };

    if (session_begin(s, "bundle", own, ARRAY_LEN(own), &argc, argv, 1, INT32_MAX, e) < 0)
        return -1;
    return s->help ? 0 : bundle(s, &a, argc, argv, e);
}
