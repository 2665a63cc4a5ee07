/* pkg/deb/debindex.h - the packages of several suites as one universe for the solver.
 *
 * Kept as condensed lists (deblist.h) plus a small record a package, so that noble's 75 000 fit in
 * 100 MiB and are there in milliseconds. Relations are parsed when asked for, but for Provides.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/digest.h"
#include "control.h"
#include "deblist.h"

/* Priority: deb-control(5) and Policy 2.5, the most important first. */
enum deb_priority {
    DEB_REQUIRED = 1,
    DEB_IMPORTANT,
    DEB_STANDARD,
    DEB_OPTIONAL,
    DEB_EXTRA,
    DEB_UNRANKED, /* none given, or an unknown word */
};

/* The pins that apt gives to versions, apt_preferences(5): the highest of all wins over the highest
 * version. */
enum { DEB_PIN_NEVER_BY_ITSELF = 1, DEB_PIN_BACKPORTS = 100, DEB_PIN_USUAL = 500 };

struct deb_origin {             /* where a list of packages comes from */
    struct str from;            /* "bookworm-security/main" */
    struct str base_url;        /* of the archive */
    struct str suite, codename; /* "name/suite" may mean either */
    unsigned pin;
};

struct deb_package {
    struct str name, version, arch;
    const struct deb_origin *origin;
    struct debindex_list *list; /* whose packages it is among */
    bool essential, important;  /* Essential: yes; Important: yes or Protected: yes */
    bool any;                   /* Multi-Arch: allowed, so that "name:any" means it too */
    bool listed;                /* false: the same version was added before, from another list */
    bool preferred;             /* by debindex_prefer() */
    unsigned pin;               /* the highest of all origins of this version */
    struct deb_package *twin;   /* the same version from the next list that has it */
    enum deb_priority priority;
    uint32_t order;                   /* counts up in the order of adding */
    struct deb_package *next_version; /* same name, the next lower version but the first's */
};

struct deb_provider {
    struct str name; /* what is provided */
    const struct deb_package *package;
    struct str version; /* of the provided name; empty when unversioned */
    struct deb_provider *next;
};

struct debindex_list { /* one Packages file */
    char *bytes;       /* owned */
    struct deblist list;
    struct deblist_texts texts;
    struct deb_package *packages; /* as many and in the same order as the list's */
};

struct debindex {
    struct arena arena;
    struct VEC_OF(struct debindex_list *) lists;   /* in the arena */
    struct VEC_OF(struct deb_package *) packages;  /* sorted by name; the highest version of each */
    struct VEC_OF(struct deb_provider *) provides; /* sorted by name; the first of each, followed by
                                                      the others by deb_provider_cmp, then name */
    size_t added;                                  /* packages ever added, those of all suites */
    struct str arch; /* the target, "amd64"; set before the first add, outlives the index */
};

/* Add what deblist_condense() made; `bytes` is owned by the index from now on, also when this
 * fails; of `origin` a copy is taken, without a final "/" of its URL. Where two lists have one
 * version, that of the list added first stays. */
int debindex_add_list(struct debindex *index, struct buf *bytes, const struct deb_origin *origin,
                      struct err *e) MUST_CHECK;
/* The same from the text of a Packages file, which is freed; its suite is what `from` begins with,
 * its pin the usual one. */
int debindex_add(struct debindex *index, char *text, size_t len, const char *from,
                 const char *base_url, struct err *e) MUST_CHECK;
/* After the last add: order versions and providers. The first version of a name is the one with the
 * highest pin, then the highest. */
void debindex_finish(struct debindex *index);
void debindex_clear(struct debindex *index);

/* Make a version the one that debindex_find() gives, as a pin of apt does. False when it is that
 * already, or is not there. */
bool debindex_prefer(struct debindex *index, struct str name, struct str version);

/* The first version, or the preferred one; NULL when there is none. */
const struct deb_package *debindex_find(const struct debindex *index, struct str name);
/* Is this version in that suite, by its name or codename? */
bool deb_package_in(const struct deb_package *p, struct str suite);
/* Who provides `name`; NULL when nobody does. */
const struct deb_provider *debindex_providers(const struct debindex *index, struct str name);
/* Negative when apt tries `a` before `b`, 0 when neither flag nor priority tells. */
int deb_provider_cmp(const struct deb_package *a, const struct deb_package *b);
/* When the name of that package is first mentioned in the Packages files, as itself or in a
 * relation: apt numbers packages so, and among equal providers it takes the last. */
uint64_t debindex_mention(const struct debindex *index, const struct deb_package *p);
/* One field of the package's paragraph; empty when absent, or none that deblist.h keeps. */
int deb_package_field(struct str *out, const struct deb_package *p, const char *field,
                      struct err *e) MUST_CHECK;
/* URL, size and SHA-256 of its file. */
struct deb_file {
    struct str url, file; /* in the arena */
    uint64_t size;
    struct digest digest;
};
int deb_package_file(struct deb_file *out, struct arena *a, const struct deb_package *p,
                     struct err *e) MUST_CHECK;
