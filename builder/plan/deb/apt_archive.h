/* plan/deb/apt_archive.h - the packages of an apt archive's suites, verified, as one index.
 *
 * InRelease is fetched and checked with gpgv; from then on every byte is known by its SHA-256:
 * Packages.xz is asked for by hash where the archive offers that, so there is no update race.
 * Debian repository format: https://wiki.debian.org/DebianRepository/Format
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"
#include "../../pkg/deb/debindex.h"
#include "../../fetch/pages.h"

/* One suite of one archive. Everything is borrowed for the call. */
struct apt_source {
    struct str uri;   /* "https://deb.debian.org/debian"; a final "/" does not matter */
    struct str suite; /* "bookworm-security": the name under dists/; ending in "/": the folder of a
                         flat archive, which has no components */
    struct strs components;
    struct str keyring;       /* the OpenPGP keys, binary */
    struct strs fingerprints; /* primary keys that may sign: 40 hex digits */
    bool any_key;             /* all keys of the keyring may; fingerprints are not looked at */
    bool snapshot;            /* a dated copy of the archive: its Valid-Until is long past */
};

struct apt_archive {
    struct arena arena;
    struct debindex index;                       /* finished */
    struct VEC_OF(struct lock_archive) releases; /* in the order of the sources; texts live in
                                                    the arena */
};

/* Fetch, verify and index all suites, in parallel; `own`, which may be empty, is a Packages text of
 * ours that is added to them. `memo` (may be NULL) keeps each list as
 * deblist.h condenses it, so that an unchanged one is not read again. `arch` is Debian's name
 * ("amd64"); `now` is in seconds since 1970: a Date later than that or a Valid-Until before it is
 * refused. `events` may be NULL. ERR_NET, ERR_INTEGRITY, ERR_INPUT; ERR_SYSTEM without gpgv. */
int apt_archive_open(struct apt_archive *out, struct pages *pages, struct memo *memo,
                     const struct apt_source *sources, size_t n, struct str own, struct str arch,
                     int64_t now, const struct events *events, struct err *e) MUST_CHECK;
void apt_archive_clear(struct apt_archive *a);
