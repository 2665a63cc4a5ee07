/* oci/ref.h - image references: [host[:port]/]path[:tag][@sha256:hex].
 *
 * The grammar is the distribution spec's ("Pulling manifests"): path components of [a-z0-9] joined
 * by ".", "_", "__" or dashes, host and path at most 255 bytes, a tag of at most 128 characters.
 * As every client has it, a first component is a host only if it holds a "." or ":" or is
 * "localhost".
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/err.h"

enum { REF_NAME_MAX = 255, REF_TAG_MAX = 128 };

struct ref {
    char *host;           /* owned; NULL when the text names none */
    char *path;           /* owned */
    char *tag;            /* owned; NULL when the text names none */
    struct digest digest; /* all-zero when the text names none */
};

/* ERR_INPUT says which part is wrong and what such a part may hold. */
int ref_parse(struct ref *out, struct str text, struct err *e) MUST_CHECK;
/* One in a registry, as written behind docker://. `localhost:5000` or `ghcr.io` alone would be an
 * image of Docker Hub, and is never meant so: it is refused. */
int ref_parse_stored(struct ref *out, struct str text, struct err *e) MUST_CHECK;
/* As containerd names it: the host and "library/" that Docker's short names leave out are added,
 * and ":latest" where there is neither tag nor digest. */
void ref_print_full(const struct ref *ref, struct buf *out);
/* Host and path, without tag and digest; owned. */
char *ref_repository(const struct ref *ref);
void ref_clear(struct ref *ref);

bool ref_host_ok(struct str host);
bool ref_path_ok(struct str path);
bool ref_tag_ok(struct str tag);
/* What an org.opencontainers.image.ref.name may be: a tag, or "name:tag", or a path of such. */
bool ref_name_ok(struct str name);
