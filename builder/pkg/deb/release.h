/* pkg/deb/release.h - a suite's signed InRelease: who signed it, when, and the hashes of its
 * indexes.
 *
 * gpgv decides by its status lines (FORMATS: never by its exit code alone), and only the payload it
 * wrote is parsed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../base/event.h"
#include "../../base/vec.h"

struct release_index {
    struct str path; /* relative to dists/<suite>/, e.g. "main/binary-amd64/Packages.xz" */
    uint64_t size;
    struct digest digest;
};

struct release {
    struct arena arena;
    struct str suite, codename;
    int64_t date;                           /* seconds since 1970 */
    int64_t valid_until;                    /* 0 when the file has none */
    bool by_hash;                           /* Acquire-By-Hash: yes */
    bool not_automatic, automatic_upgrades; /* NotAutomatic, ButAutomaticUpgrades: yes */
    struct strs components, architectures;
    struct strs signers; /* primary fingerprints with a VALIDSIG that are on the list, sorted */
    struct VEC_OF(struct release_index) indexes;
};

/* Check `inrelease` (the file's text) with the OpenPGP keys in `keyring` (binary), accepting only
 * `fingerprints` (40 hex digits; NULL: any key of the keyring), and parse what was signed. `what`
 * names the suite. ERR_INTEGRITY when it does not hold; ERR_SYSTEM when gpgv cannot be started.
 * `events` may be NULL. */
int release_verify(struct release *out, struct str inrelease, struct str keyring,
                   const struct strs *fingerprints, const char *what, const struct events *events,
                   struct err *e) MUST_CHECK;
/* Parse a verified payload. */
int release_parse(struct release *out, struct str payload, const char *what,
                  struct err *e) MUST_CHECK;
/* Is it the suite that was asked for (by Suite or Codename), not from the future and not out of
 * date? `now` is in seconds since 1970; apt's 10 s of slack are granted. `dated` is for snapshots,
 * whose Valid-Until is long past: it is not looked at. ERR_INTEGRITY. */
int release_check(const struct release *r, struct str suite, int64_t now, bool dated,
                  const char *what, struct err *e) MUST_CHECK;
void release_clear(struct release *r);
/* NULL when the suite has no such index. */
const struct release_index *release_find(const struct release *r, struct str path);
