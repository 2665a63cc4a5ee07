/* The head of a delta, behind four bytes that say how long its body is: what parses lies inside the
 * body and inside OLD's layers, and prints and parses back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "out/delta.h"

static void check_piece(const struct delta *d, const struct delta_layer *l,
                        const struct delta_piece *p, uint64_t end)
{
    uint64_t plain = 0, literal = 0, near = 0;

    if (p->kind == DELTA_COPY) {
        assert(p->layer < d->old.layers.n && p->at + p->packed <= d->old.layers.v[p->layer].size);
        return;
    }
    assert(p->at + p->packed <= end && (p->kind == DELTA_BYTES) == (l->form != DELTA_MEMBERS));
    assert(p->run + p->runs <= d->runs.n && p->near + p->nears <= d->runs.n);
    for (size_t i = 0; i < p->runs + p->nears; i++) {
        const struct delta_run *r = &d->runs.v[p->run + i]; /* near follows */

        assert(r->layer <= d->old.layers.n && r->size);
        *(i < p->runs ? &plain : &near) += r->size;
        literal += i < p->runs && !r->layer ? r->size : 0;
    }
    assert(p->kind == DELTA_RAW || (plain == p->plain && literal == p->literal));
    assert(plain <= DELTA_CHUNK && near <= DELTA_NEAR_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(delta_clear) struct delta d = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, twice = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct delta_layer *l;
    const struct delta_piece *p;
    uint64_t end = 0;

    if (len < 4)
        return 0;
    for (size_t i = 0; i < 4; i++)
        end |= (uint64_t)bytes[i] << 8 * i;
    if (delta_head_read(&d, (struct str){(const char *)bytes + 4, len - 4}, 0, end, &e) < 0) {
        assert(e.kind == ERR_INPUT && !d.layers.n && !d.runs.n);
        return 0;
    }
    vec_each(l, &d.layers)
        vec_each(p, &l->pieces)
            check_piece(&d, l, p, end);
    delta_head_write(&d, &text);
    assert(delta_head_read(&again, buf_view(&text), 0, end, &e) == 0);
    delta_head_write(&again, &twice);
    assert(str_eq(buf_view(&text), buf_view(&twice)));
    return 0;
}
