/* pkg/pypi/metadata_memo.h - METADATA of wheels, remembered from one run to the next.
 *
 * What an index announces of a wheel, or a server answers about it, is their word: it is remembered
 * with index and address, and counts for nobody else who names the same digest. What a wheel says
 * itself, once its bytes were seen, is remembered by its digest alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/event.h"
#include "../../store/cas.h"
#include "../../store/memo.h"
#include "../artifact.h"

struct metadata_source {
    struct str from, url; /* the index and the wheel's address, as in struct artifact */
    struct digest digest; /* what the index says that the wheel has */
};

/* The wheel's own if it was seen, else what was announced there. `memo` may be NULL. */
bool metadata_recall(const struct memo *memo, const struct metadata_source *source,
                     struct buf *out);
/* Only the fields of `text` are kept. A memo that cannot be written is only slower. */
void metadata_announced(const struct memo *memo, const struct metadata_source *source,
                        struct str text, const struct events *events);
/* The METADATA that stands in the wheel itself, `own`: it must be of the artifact's name and
 * version, and what was announced of the wheel when it was chosen, as far as the memo knows, must
 * be what it says: ERR_INTEGRITY names both and what differs first. Where `cas` saw the wheel's
 * bytes it is remembered, also when it differs. */
int metadata_confirm(const struct memo *memo, const struct cas *cas, const struct artifact *wheel,
                     struct str own, struct err *e) MUST_CHECK;
