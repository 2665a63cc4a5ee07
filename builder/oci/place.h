/* oci/place.h - where an image is put: a layout, an archive, a pipe, a registry.
 *
 * The order is blobs (layers and config), then images, then close. What a place cannot show whole
 * it does not show: an archive appears under its name at close, a layout's tag moves when the image
 * is complete. A place that is freed without close leaves no half thing.
 *
 *     place_blob_open(&b, place, NULL, 0, e); ... sink_write(&b.sink, ...); sink_finish(&b.sink,
 * e); place_put_bytes(place, config, &config_digest, e); place_put_image(place, manifest, &name,
 * &platform, &digest, e); place_close(place, e); place_clear(&place);
 *
 * A sink cannot go back. Where a place loses its line in the midst of a blob, write or finish fails
 * and b.again is set: whoever makes the blob asks place_blob_again() and makes all of it once more,
 * into the same blob, with the same bytes. What the other end has kept is passed over there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/crypto.h"
#include "../io/entry.h"
#include "../io/sink.h"
#include "image.h"

struct place;

/* Some of a blob's bytes, as they lie in a file that stays. */
struct place_part {
    const struct input *file; /* borrowed */
    uint64_t offset, size;    /* bytes */
};
struct place_parts VEC_OF(struct place_part);

/* A blob on its way in. It does not move while it is open: the sink points into it. */
struct place_blob {
    struct sink sink;     /* write here; sink_finish() publishes the blob */
    struct digest digest; /* valid after finish; what is expected before, if known */
    uint64_t size;        /* the same, in bytes */
    bool known;           /* digest and size were given; finish verifies both */
    struct place *place;  /* borrowed; NULL when empty */
    struct hash hash;
    struct seen seen; /* valid after finish */
    uint64_t written; /* bytes so far */
    bool again;       /* it failed by something that may pass: see above */
    const char *name; /* what messages and progress call it; borrowed; NULL: nobody is told */
    void *state;      /* the place's own */
};

/* What an image is called. */
struct image_name {
    struct str repository; /* "pytorch", "org/pytorch" or with a host; may be empty in a layout */
    struct str tag;
    struct str layout_tag; /* the layout's ref.name where it is another than `tag`; else empty */
    struct str title;      /* the image's own name; empty: whatever has the tag is replaced */
    struct str recipe;     /* file name of its recipe */
    bool replace;          /* also what another recipe made */
};

/* What a name stands for. */
struct tagged {
    bool found;
    struct digest digest;  /* of the manifest */
    uint64_t size;         /* 0: not told */
    struct digest subject; /* in a layout, of what it refers to; else all-zero */
};

struct place_ops {
    int (*has_blob)(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e);
    /* *shared: the place now has the blob, from elsewhere on its disk. NULL: it never can. */
    int (*share_blob)(bool *shared, struct place *p, const struct digest *digest, uint64_t size,
                      struct err *e);
    int (*blob_open)(struct place *p, struct place_blob *b, struct err *e);
    int (*blob_write)(struct place_blob *b, const void *bytes, size_t len, struct err *e);
    int (*blob_finish)(struct place_blob *b, struct err *e); /* digest and size are verified */
    void (*blob_clear)(struct place_blob *b);                /* also after finish */
    /* NULL: bytes are written. Else a blob may be told by where they lie; its digest is verified.
     */
    int (*put_parts)(struct place *p, const struct digest *digest, uint64_t size,
                     const struct place_parts *parts, struct err *e);
    /* `json` is the manifest, `d` what points at it. Unless p->manifests_apart, it is there as a
     * blob. `manifest` is NULL when it is an index. */
    int (*put_image)(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e);
    int (*close)(struct place *p, struct err *e);
    void (*free)(struct place *p);
    /* NULL: a blob never fails so that it could be made again. */
    int (*blob_again)(struct place_blob *b, struct err *e);
    /* Where manifests are apart from blobs; else NULL. */
    int (*has_manifest)(bool *has, struct place *p, const struct digest *digest, struct err *e);
    int (*ask_blobs)(struct place *p, const struct descriptors *blobs, struct err *e); /* or NULL */
    /* What has that name now; NULL: the place is for one image, and keeps nothing that refers to it
     * either. */
    int (*tagged)(struct tagged *out, struct place *p, const struct image_name *name,
                  struct err *e);
};

/* The first member of each kind of place. */
struct place {
    const struct place_ops *ops;
    bool known_first;      /* an archive: a blob's digest and size must be given before its bytes */
    bool manifests_apart;  /* a registry: a manifest is no blob */
    bool no_foreign;       /* ... which may not hand on each layer: see place_refuses() */
    const char *task;      /* of the events for a blob on its way: "write", "send" */
    const char *there;     /* how the last place_has_blob() came to say yes; main thread */
    _Atomic uint64_t sent; /* bytes of blobs over a network */
    unsigned wrong; /* blobs that were there with other bytes than their name says; main thread */
};

/* *has is true when the place holds this blob already, so that it need not be made or sent: its
 * bytes were seen, and are not only named so. */
int place_has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                   struct err *e) MUST_CHECK;

static inline bool place_can_share(const struct place *p)
{
    return p->ops->share_blob;
}
/* Where the blob is known to be elsewhere on the disk, the place takes it over without a copy. To
 * be asked when it lacks the blob. */
int place_share_blob(bool *shared, struct place *p, const struct digest *digest, uint64_t size,
                     struct err *e) MUST_CHECK;
static inline bool place_takes_parts(const struct place *p)
{
    return p->ops->put_parts;
}
/* A blob that nobody has to write: the parts in their order are its bytes. ERR_INTEGRITY where they
 * hash to another digest. */
int place_put_parts(struct place *p, const struct digest *digest, uint64_t size,
                    const struct place_parts *parts, struct err *e) MUST_CHECK;
/* Before place_has_blob() of each of these: ask for all at once, where each question costs a round
 * trip. Digest and size count. */
int place_ask_blobs(struct place *p, const struct descriptors *blobs, struct err *e) MUST_CHECK;

/* Begin a blob. With `digest` (and `size`) given, finish fails with ERR_INTEGRITY on any other
 * content. Where the blob is there already, the bytes are checked and dropped. Where
 * p->known_first, `digest` must not be NULL. Blobs may be open in several threads at once; an
 * archive makes the second wait until the first is cleared, so no thread may hold two, and the one
 * that opened a blob clears it. */
int place_blob_open(struct place_blob *b, struct place *p, const struct digest *digest,
                    uint64_t size, struct err *e) MUST_CHECK;
void place_blob_clear(struct place_blob *b); /* abandons what is not finished */
/* After a failure with b->again: wait if need be, and be ready for the first byte. */
int place_blob_again(struct place_blob *b, struct err *e) MUST_CHECK;
/* All of a blob that is open, as often as it takes: `make` writes it into `to` without finishing
 * it. Other failures than the place's line are final. */
int place_blob_make(struct place_blob *b, int (*make)(void *ctx, struct sink *to, struct err *e),
                    void *ctx, struct err *e) MUST_CHECK;

/* A layer whose digest and size are known, from begin to end, with the events of it; `name` is what
 * they and messages call it. */
int place_put_layer(struct place *p, const struct descriptor *d, const char *name,
                    int (*make)(void *ctx, struct sink *to, struct err *e), void *ctx,
                    const struct events *events, struct err *e) MUST_CHECK;

/* Is a layer of this type only named there, and not put? */
bool place_refuses(const struct place *p, struct str media_type);

/* A small blob: a config. */
int place_put_bytes(struct place *p, struct str bytes, struct digest *digest,
                    struct err *e) MUST_CHECK;
/* The image whose manifest (or index) is `json`, under `name`: stored last, when all it points at
 * is there (else ERR_INPUT). Replaces what had this tag. `platform` may be NULL; `out` is the
 * manifest's descriptor digest. */
int place_put_image(struct place *p, struct str json, const struct image_name *name,
                    const struct platform *platform, struct digest *out, struct err *e) MUST_CHECK;

/* Does the place know tags, and keep what refers to an image? */
bool place_keeps(const struct place *p);
/* Which manifest has that name there now? Of a place that keeps. */
int place_tagged(struct tagged *out, struct place *p, const struct image_name *name,
                 struct err *e) MUST_CHECK;

/* Commit. Nothing but place_free() may follow. */
int place_close(struct place *p, struct err *e) MUST_CHECK;
void place_free(struct place *p); /* NULL is fine */
void place_clear(struct place **p);
