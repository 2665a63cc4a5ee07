/* SPDX-License-Identifier: Apache-2.0 */
#include "../oci/ref.h"
#include "../out/copy.h"
#include "../out/dest.h"
#include "called.h"
#include "output.h"
#include "session.h"
#include "stored_facts.h"

struct copy_args {
    bool all;
    uint32_t jobs;
    struct strs tags;
};

static int check_tags(const struct strs *tags, struct err *e)
{
    const struct str *tag;

    vec_each(tag, tags)
        if (!ref_tag_ok(*tag))
            return err_set(e, ERR_USAGE,
                           "--tag: \"" STR_FMT
                           "\" is not a tag; it holds A-Z, a-z, 0-9, _, . and -, at most %d "
                           "characters, and starts with no . or -",
                           STR_ARG(*tag), REF_TAG_MAX);
    return 0;
}

struct names_list VEC_OF(struct image_name);

/* The first is what DST says, or the image is called; then those of --tag. */
static void list_names(struct names_list *out, const struct image_name *first,
                       const struct copy_args *a)
{
    vec_add(out, *first);
    for (size_t i = 0; i < a->tags.n; i++) {
        struct image_name more = *first;

        more.tag = a->tags.v[i];
        more.layout_tag = (struct str){0};
        vec_add(out, more);
    }
}

static void print_copied(struct session *s, const struct dest *dest, const char *reference,
                         const struct digest *digest)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root;
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    progress_pause(s->progress);
    if (dest_is_stdout(dest)) {
        output_message("%s@%s", reference, text);
    } else if (s->json) {
        root = node_new_map(&d);
        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "reference", str_of(reference));
        node_put_str(&d, root, "digest", str_of(text));
        session_json(s, &d, root);
    } else {
        output_print("%s\n", reference);
    }
}

static int copy(struct session *s, char **operands, const struct copy_args *a, struct err *e)
{
    CLEANUP(stored_clear) struct stored from = {0};
    CLEANUP(dest_clear) struct dest dest = {0};
    CLEANUP(place_clear) struct place *place = NULL;
    CLEANUP(called_clear) struct called called = {0};
    CLEANUP(buf_clear) struct buf reference = {0};
    const struct blob_files files = {.events = s->events};
    struct names_list names = {0};
    struct image_name first;
    struct digest digest;
    int result;

    if (check_tags(&a->tags, e) < 0 || dest_parse(&dest, operands[1], e) < 0 ||
        stored_facts_image(&from, s, operands[0], e) < 0)
        return -1;
    if (dest.compressed)
        return err_set(e, ERR_USAGE,
                       "compression: copy keeps an image as it is; build it with `-o "
                       "DEST,compression=%s`",
                       compression_name(dest.compression));
    called_find(&called, from.name);
    first = dest_image_name(&dest, str_of(called.repository), str_of(called.tag));
    if (dest_open(&place, &dest,
                  &(struct dest_ways){
                      .files = &files, .registries = reach_registries(s->reach), .base = &from},
                  e) < 0)
        return -1;
    list_names(&names, &first, a);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "copy"});
    result = copy_image(
        place,
        &(struct copying){.from = &from, .all = a->all, .jobs = a->jobs, .events = s->events},
        names.v, names.n, &digest, e);
    vec_clear(&names);
    if (result < 0 || place_close(place, e) < 0)
        return -1;
    dest_print_put(&dest, &first, &digest, &reference);
    print_copied(s, &dest, reference.p, &digest);
    return 0;
}

int cmd_copy(struct session *s, int argc, char **argv, struct err *e)
{
    struct copy_args a = {.jobs = 4};
    const struct opt own[] = {
        {0, "all", NULL,
         "all images that the index names, and between registries what refers to them", opt_flag,
         &a.all},
        {0, "tag", "TAG", "a further tag; may be repeated (none)", opt_add, &a.tags},
        {'j', "jobs", "N", "layers at once (4)", opt_u32, &a.jobs},
    };
    int result = session_begin(s, "copy", own, ARRAY_LEN(own), &argc, argv, 2, 2, e);

    if (result == 0 && !s->help)
        result = copy(s, argv, &a, e);
    vec_clear(&a.tags);
    return result;
}
