/* serve/gate.h - who may come in: those that know the passphrase, the "code". It is what `docker
 * login`, curl and browsers send by themselves: Basic (RFC 7617), of any user.
 *
 * Scripts have a key in the code's place, made anew at each start, so that the code stands in no
 * file of a machine in the room.
 *
 * Of the wrong ones an address has GATE_FREE at once and then one a second (of IPv6 its /64); until
 * then it is not heard, whatever it says, for else it could go on trying. So no machine can try
 * many, and none keeps another address out. What is remembered of them is bounded. Takes as long
 * whatever differs. For several threads at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "../base/err.h"

enum { GATE_FREE = 20, GATE_CODE_MIN = 6, GATE_CODE_MAX = 64 };

enum gate_says {
    GATE_COME_IN,
    GATE_WHO,   /* nothing was said, or of another kind */
    GATE_WRONG, /* it is not the code */
    GATE_LATER, /* not heard; in a second */
};

struct gate; /* opaque */

/* ERR_INPUT for a code that is too short or has characters other than letters, digits and "-._~",
 * which mean nothing to shells, addresses and curl. */
int gate_open(struct gate **out, struct str code, struct err *e) MUST_CHECK;
void gate_free(struct gate *g);
/* `authorization` is the header's value; `now_ms` a clock that began at any time. */
enum gate_says gate_knock(struct gate *g, const char *peer, struct str authorization,
                          uint64_t now_ms);
const char *gate_key(const struct gate *g);
/* Append the password of "Basic ..."; false: it is none. */
bool gate_password(struct buf *out, struct str authorization);
