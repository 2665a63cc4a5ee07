/* pkg/deb/debindex.h - the packages of several suites as one universe for the solver.
 *
 * Kept as the index texts plus a small record a package, so that bookworm's 63 000 fit in less
 * than 100 MiB. Relations are parsed when asked for, but for Provides.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/digest.h"
#include "../../base/map.h"
#include "control.h"

/* Priority: deb-control(5) and Policy 2.5, the most important first. */
enum deb_priority {
    DEB_REQUIRED = 1,
    DEB_IMPORTANT,
    DEB_STANDARD,
    DEB_OPTIONAL,
    DEB_EXTRA,
    DEB_UNRANKED, /* none given, or an unknown word */
};

struct deb_package {
    struct str name, version, arch;
    struct str paragraph;      /* the whole text; a view into an index text */
    struct str from;           /* "bookworm-security/main" */
    struct str base_url;       /* of the archive, without final "/"; Filename is relative to it */
    bool essential, important; /* Essential: yes; Important: yes or Protected: yes */
    bool any;                  /* Multi-Arch: allowed, so that "name:any" means it too */
    enum deb_priority priority;
    uint32_t order;                   /* counts up in the order of adding */
    struct deb_package *next_version; /* same name, the next lower version */
};

struct deb_provider {
    const struct deb_package *package;
    struct str version; /* of the provided name; empty when unversioned */
    struct deb_provider *next;
};

struct debindex {
    struct arena arena;
    struct VEC_OF(struct str) texts;              /* owned */
    struct VEC_OF(struct deb_package *) packages; /* sorted by name; the highest version of each */
    struct map by_name;                           /* name to the highest deb_package */
    struct map provides; /* name to struct deb_provider, by deb_provider_cmp, then name */
    size_t added;        /* packages ever added, those of all suites */
    struct str arch;     /* the target, "amd64"; set before the first add, outlives the index */
};

/* Take over the text of one Packages file (owned by the index from now on, freed with it; also
 * when this fails). Packages for other architectures are passed over. Where two suites have one
 * version, the one added first stays. */
int debindex_add(struct debindex *index, char *text, size_t len, const char *from,
                 const char *base_url, struct err *e) MUST_CHECK;
/* After the last add: order versions and providers. */
void debindex_finish(struct debindex *index);
void debindex_clear(struct debindex *index);

/* Make a version the one that debindex_find() gives, as a pin of apt does. False when it is that
 * already, or is not there. */
bool debindex_prefer(struct debindex *index, struct str name, struct str version);

/* The highest version, or the preferred one; NULL when there is none. */
const struct deb_package *debindex_find(const struct debindex *index, struct str name);
/* Who provides `name`; NULL when nobody does. */
const struct deb_provider *debindex_providers(const struct debindex *index, struct str name);
/* Negative when apt tries `a` before `b`, 0 when neither flag nor priority tells. */
int deb_provider_cmp(const struct deb_package *a, const struct deb_package *b);
/* For each `order`, when the name of that package is first mentioned in the texts, as itself or in
 * a relation: apt numbers packages so, and among equal providers it takes the last. Highest
 * versions only; owned by the caller, index->added entries. A pass over all texts. */
uint32_t *debindex_mentions(const struct debindex *index);
/* One field of the package's paragraph; empty when absent. */
struct str deb_package_field(const struct deb_package *p, const char *field);
/* URL, size and SHA-256 of its file. */
struct deb_file {
    struct str url, file; /* in the arena */
    uint64_t size;
    struct digest digest;
};
int deb_package_file(struct deb_file *out, struct arena *a, const struct deb_package *p,
                     struct err *e) MUST_CHECK;
