/* SPDX-License-Identifier: Apache-2.0 */
#include "../fetch/learn.h"
#include "../out/delta_apply.h"
#include "../out/dest.h"
#include "../out/load.h"
#include "called.h"
#include "output.h"
#include "session.h"
#include "stored_facts.h"
#include "work.h"

struct apply_args {
    const char *output;
    uint32_t jobs;
};

static bool is_engine(const struct dest *d)
{
    return d->kind == DEST_DOCKER || d->kind == DEST_PODMAN;
}

static int open_as(struct stored *out, struct session *s, const char *engine, const char *name,
                   struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    err_clear(e);
    buf_fmt(&text, "%s:%s", engine, name);
    return stored_facts_image(out, s, text.p, e);
}

/* An engine's image goes by the digest of its config, or where containerd keeps it of its manifest;
 * there Docker 26 saves it by a name alone. */
static int open_saved(struct stored *out, struct session *s, const struct delta *delta,
                      const char *engine, struct err *e)
{
    const struct digest *const ids[] = {&delta->old.config, &delta->old.manifest};
    char hex[DIGEST_HEX + 1];

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        CLEANUP(buf_clear) struct buf name = {0};

        digest_hex(ids[i], hex);
        if (open_as(out, s, engine, hex, e) == 0)
            return 0;
        if (e->kind != ERR_INTERRUPTED && load_name(&name, engine, hex, s->events) &&
            open_as(out, s, engine, name.p, e) == 0)
            return 0;
        if (e->kind == ERR_INTERRUPTED)
            return -1;
    }
    digest_hex(&delta->old.config, hex);
    return err_wrap(e, "%s needs the image sha256:%s in %s", delta->path, hex, engine);
}

/* By its digest, whatever it is called there. */
static int open_old(struct stored *out, struct session *s, const struct delta *delta,
                    const struct dest *place, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&delta->old.manifest, digest);
    switch (place->kind) {
    case DEST_DOCKER:
        return open_saved(out, s, delta, "docker", e);
    case DEST_PODMAN:
        return open_saved(out, s, delta, "podman", e);
    case DEST_LAYOUT:
        buf_fmt(&text, "oci:%s@%s", place->path, digest);
        break;
    case DEST_OCI_ARCHIVE:
    case DEST_DOCKER_ARCHIVE:
        if (!place->path)
            return err_set(e, ERR_USAGE,
                           "apply: standard output has no old image; name a place "
                           "that has it, and -o docker-archive:-");
        buf_fmt(&text, "oci-archive:%s@%s", place->path, digest);
        break;
    case DEST_FOLDER:
        buf_fmt(&text, "dir:%s", place->path);
        break;
    case DEST_REGISTRY:
        if (!place->name)
            return err_set(e, ERR_USAGE, "apply: name the repository: docker://HOST/NAME:TAG");
        buf_fmt(&text, "docker://%s@%s", place->name, digest);
        break;
    }
    return stored_facts_image(out, s, text.p, e) < 0
               ? err_wrap(e, "%s needs the image %s", delta->path, digest)
               : 0;
}

/* ---- a delta that `envbuild serve` makes ---- */

static bool is_address(struct str file)
{
    return str_starts(file, STR("http://")) || str_starts(file, STR("https://"));
}

/* What the place has under the name that the new image is to get. */
static int find_have(struct digest *out, struct session *s, const char *place,
                     const struct dest *source, struct str asked, struct err *e)
{
    const char *engine = source->kind == DEST_PODMAN ? "podman" : "docker";
    CLEANUP(stored_clear) struct stored image = {0};
    CLEANUP(buf_clear) struct buf name = {0};

    if (!is_engine(source)) {
        if (stored_facts_image(&image, s, place, e) < 0)
            return -1;
        *out = image.digest;
        return 0;
    }
    if (source->name)
        buf_fmt(&name, "%s:%s", source->name, source->tag ? source->tag : "latest");
    else
        buf_str(&name, asked);
    return load_id(out, engine, name.p, s->events)
               ? 0
               : err_set(e, ERR_INPUT, "%s has no image %s that a delta could be applied to",
                         engine, name.p);
}

/* http://HOST:PORT/NAME[:TAG]; *file becomes where it was brought to, owned. */
static int fetch_delta(char **file, struct work *w, struct session *s, struct str address,
                       const char *place, const struct dest *source, struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0};
    struct learn_file asked = {.name = STR("the delta")};
    struct str path = address, host, scheme;
    char have_text[DIGEST_TEXT + 1];
    struct digest have;

    str_cut(&path, STR("://"), &scheme);
    if (!str_cut(&path, STR("/"), &host) || !path.len)
        return err_set(e, ERR_USAGE,
                       "apply: \"" STR_FMT
                       "\" names no image; write http://HOST:PORT/NAME:TAG of what "
                       "`envbuild serve` hands out",
                       STR_ARG(address));
    if (find_have(&have, s, place, source, path, e) < 0)
        return -1;
    digest_text(&have, have_text);
    buf_fmt(&url, STR_FMT "://" STR_FMT "/delta/" STR_FMT "?have=%s", STR_ARG(scheme),
            STR_ARG(host), STR_ARG(path), have_text);
    asked.url = buf_view(&url);
    if (work_open_lender(w, s, e) < 0 || work_connect(w, s, NULL, e) < 0)
        return -1;
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "fetch the delta"});
    if (learn_fetch(&asked,
                    &(struct learn_means){
                        .http = w->http, .cas = w->cas, .memo = w->metadata, .events = s->events},
                    e) < 0)
        return -1;
    *file = cas_path(w->cas, &asked.digest);
    return 0;
}

static void known_layers(struct digests *out, struct session *s, const struct delta *delta,
                         const struct dest *to)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(&delta->old.config, hex);
    if (to->kind == DEST_DOCKER)
        load_known(out, "docker", hex, s->events);
}

static void tell(struct session *s, const struct dest *to, const char *reference,
                 const struct delta *delta, const struct place *place,
                 const struct delta_applied *done)
{
    CLEANUP(buf_clear) struct buf size = {0}, read = {0}, sent = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    char digest[DIGEST_TEXT + 1];
    uint64_t sent_n = place->sent;
    struct node *root;

    digest_text(&done->digest, digest);
    progress_pause(s->progress);
    if (s->json && !dest_is_stdout(to)) {
        root = node_new_map(&d);
        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "reference", str_of(reference));
        node_put_str(&d, root, "digest", str_of(digest));
        node_put_u64(&d, root, "layers", done->layers);
        node_put_u64(&d, root, "made_layers", done->made);
        node_put_u64(&d, root, "delta_size", delta->size);
        node_put_u64(&d, root, "read", done->read);
        node_put_u64(&d, root, "sent", sent_n);
        session_json(s, &d, root);
        return;
    }
    if (dest_is_stdout(to))
        output_message("%s@%s", reference, digest);
    else
        output_print("%s\n", reference);
    progress_size(&size, delta->size);
    progress_size(&read, done->read);
    if (sent_n) {
        buf_puts(&sent, "; sent ");
        progress_size(&sent, sent_n);
    }
    if (!s->quiet)
        output_message("envbuild: made %zu of %zu layers from %s of the old ones and a delta of "
                       "%s%s",
                       done->made, done->layers, read.p, size.p, sent.p ? sent.p : "");
}

/* What is open while a delta is applied; the place is freed before what it borrows. */
struct applying {
    struct work work; /* of a delta that is fetched */
    char *fetched;    /* owned; NULL: it is a file of the user's */
    struct delta delta;
    struct dest source, dest;
    struct stored old;
    struct digests known;
    struct called called;
    char *scratch;
    struct place *place;
};

static void applying_clear(struct applying *a)
{
    place_clear(&a->place);
    free(a->scratch);
    called_clear(&a->called);
    vec_clear(&a->known);
    stored_clear(&a->old);
    dest_clear(&a->dest);
    dest_clear(&a->source);
    delta_clear(&a->delta);
    free(a->fetched);
    work_clear(&a->work);
}

static int open_places(struct applying *a, struct session *s, char **operands,
                       const struct apply_args *args, struct err *e)
{
    if (dest_parse(&a->source, operands[1], e) < 0 ||
        dest_parse(&a->dest, args->output ? args->output : operands[1], e) < 0)
        return -1;
    if (a->source.compressed || a->dest.compressed)
        return err_set(e, ERR_USAGE, "compression: apply makes an image as it is");
    if (is_address(str_of(operands[0])) &&
        fetch_delta(&a->fetched, &a->work, s, str_of(operands[0]), operands[1], &a->source, e) < 0)
        return -1;
    if (delta_open(&a->delta, a->fetched ? a->fetched : operands[0], e) < 0 ||
        session_scratch(&a->scratch, s, e) < 0 ||
        open_old(&a->old, s, &a->delta, &a->source, e) < 0)
        return -1;
    return delta_check_old(&a->delta, &a->old, e);
}

static int apply(struct session *s, char **operands, const struct apply_args *args, struct err *e)
{
    CLEANUP(applying_clear) struct applying a = {0};
    CLEANUP(buf_clear) struct buf reference = {0};
    const struct blob_files files = {.events = s->events};
    struct delta_applied done;
    struct image_name name;

    if (open_places(&a, s, operands, args, e) < 0)
        return -1;
    called_find(&a.called, a.delta.name);
    name = dest_image_name(&a.dest, str_of(a.called.repository), str_of(a.called.tag));
    known_layers(&a.known, s, &a.delta, &a.dest);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "make the new image"});
    if (dest_open(&a.place, &a.dest,
                  &(struct dest_ways){
                      .files = &files, .registries = reach_registries(s->reach), .base = &a.old},
                  e) < 0 ||
        delta_apply(&done, a.place,
                    &(struct delta_applying){.delta = &a.delta,
                                             .from = &a.old,
                                             .engine = is_engine(&a.dest) ||
                                                       a.dest.kind == DEST_DOCKER_ARCHIVE,
                                             .known = &a.known,
                                             .name = &name,
                                             .jobs = args->jobs,
                                             .scratch = a.scratch,
                                             .events = s->events},
                    e) < 0 ||
        place_close(a.place, e) < 0)
        return -1;
    dest_print_put(&a.dest, &name, &done.digest, &reference);
    tell(s, &a.dest, reference.p, &a.delta, a.place, &done);
    return 0;
}

int cmd_apply(struct session *s, int argc, char **argv, struct err *e)
{
    struct apply_args a = {.jobs = 4};
    const struct opt own[] = {
        {'o', "output", "PLACE", "another place for the new image (where the old one is)", opt_str,
         &a.output},
        {'j', "jobs", "N", "layers at once (4)", opt_u32, &a.jobs},
    };

    if (session_begin(s, "apply", own, ARRAY_LEN(own), &argc, argv, 2, 2, e) < 0)
        return -1;
    return s->help ? 0 : apply(s, argv, &a, e);
}
