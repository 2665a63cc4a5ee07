/* plan/pypi/wheel_texts.h - METADATA of wheels on indexes, by whatever way is shortest: remembered
 * from an earlier run, announced beside the wheel (PEP 658), a few ranges of it, or, where a
 * server answers no ranges, all of it.
 *
 * What was read once is remembered, see pkg/pypi/metadata_memo.h. The wheel itself is held against
 * it when its layer is made.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../pkg/pypi/project.h"
#include "../../fetch/pages.h"

struct wheel_texts_options {
    struct pages *pages;
    struct http *http; /* NULL when offline */
    struct memo *memo; /* may be NULL */
    unsigned parallel; /* range requests at once */
    const struct events *events;
};

struct wheel_texts; /* opaque; wheel_texts_open to wheel_texts_clear */

struct wheel_texts *wheel_texts_open(const struct wheel_texts_options *options);
void wheel_texts_clear(struct wheel_texts **texts);

/* Lives as long as `texts`. ERR_INPUT: the wheel is broken, or not what its name says. */
int wheel_texts_get(struct wheel_texts *texts, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e) MUST_CHECK;
/* The same for many at once; failures are met again by wheel_texts_get(). -1 only when
 * interrupted. */
int wheel_texts_prefetch(struct wheel_texts *texts, const struct pypi_likely *likely, size_t n,
                         struct err *e) MUST_CHECK;
