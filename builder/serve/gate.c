/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include "../base/random.h"
#include "../base/vec.h"
#include "../io/crypto.h"

enum {
    ADDRESSES = 1024, /* that are remembered; of more the one that is quiet for longest goes */
    EACH = 1000,      /* milliseconds that a wrong one costs */
};

struct tries {
    struct in6_addr from;
    uint64_t paid; /* when all wrong ones of it are forgotten */
};

struct gate {
    struct buf code, key; /* secrets */
    pthread_mutex_t lock; /* over those below */
    struct VEC_OF(struct tries) tries;
};

int gate_open(struct gate **out, struct str code, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0};

    for (size_t i = 0; i < code.len; i++)
        if (!c_alnum(code.p[i]) && !str_has(STR("-._~"), code.p[i]))
            return err_set(e, ERR_INPUT,
                           "the code may have letters, digits and -._~ and nothing else, for it "
                           "is typed in shells and browsers");
    if (code.len < GATE_CODE_MIN || code.len > GATE_CODE_MAX)
        return err_set(e, ERR_INPUT, "the code has %zu characters; it may have %d to %d", code.len,
                       GATE_CODE_MIN, GATE_CODE_MAX);
    if (random_code(&key, 6, e) < 0)
        return -1;
    *out = xcalloc(1, sizeof **out);
    buf_str(&(*out)->code, code);
    MOVE(&(*out)->key, &key);
    pthread_mutex_init(&(*out)->lock, NULL);
    return 0;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    pthread_mutex_destroy(&g->lock);
    vec_clear(&g->tries);
    buf_wipe(&g->code);
    buf_wipe(&g->key);
    free(g);
}

const char *gate_key(const struct gate *g)
{
    return g->key.p;
}

/* ---- what is said ---- */

bool gate_password(struct buf *out, struct str authorization)
{
    CLEANUP(buf_wipe) struct buf both = {0};
    struct str scheme = str_sub(authorization, 0, 6), rest, user;

    if (!str_eq_nocase(scheme, STR("Basic ")))
        return false;
    rest = str_trim(str_sub(authorization, 6, authorization.len));
    if (!base64_decode(&both, rest, false))
        return false;
    rest = buf_view(&both);
    if (!str_cut(&rest, STR(":"), &user))
        return false;
    buf_str(out, rest);
    return true;
}

static bool is_right(const struct gate *g, struct str said)
{
    bool code = secret_is(said, buf_view(&g->code)), key = secret_is(said, buf_view(&g->key));

    return code || key;
}

/* ---- who tries ---- */

/* Who has a network of IPv6 has all addresses of it. */
static struct in6_addr address_of(const char *peer)
{
    struct in6_addr a = {0};

    if (inet_pton(AF_INET6, peer, &a) == 1)
        memset(&a.s6_addr[8], 0, 8);
    else
        inet_pton(AF_INET, peer, &a.s6_addr[12]);
    return a;
}

static struct tries *tries_of(struct gate *g, const struct in6_addr *from)
{
    struct tries *t;

    vec_each(t, &g->tries)
        if (memcmp(&t->from, from, sizeof *from) == 0)
            return t;
    return NULL;
}

/* In the place of the one that is forgotten next, where there is none left. */
static void note_wrong(struct gate *g, const struct in6_addr *from, uint64_t now)
{
    struct tries *t = tries_of(g, from), *each;

    if (!t && g->tries.n < ADDRESSES)
        t = vec_push(&g->tries);
    if (!t) {
        t = g->tries.v;
        vec_each(each, &g->tries)
            if (each->paid < t->paid)
                t = each;
        t->paid = 0;
    }
    t->from = *from;
    t->paid = (t->paid > now ? t->paid : now) + EACH;
}

enum gate_says gate_knock(struct gate *g, const char *peer, struct str authorization,
                          uint64_t now_ms)
{
    const struct in6_addr from = address_of(peer);
    CLEANUP(buf_wipe) struct buf said = {0};
    enum gate_says says = GATE_COME_IN;
    const struct tries *t;

    if (!gate_password(&said, authorization))
        return GATE_WHO;
    pthread_mutex_lock(&g->lock);
    t = tries_of(g, &from);
    if (t && t->paid > now_ms + (GATE_FREE - 1) * EACH) {
        says = GATE_LATER;
    } else if (!is_right(g, buf_view(&said))) {
        note_wrong(g, &from, now_ms);
        says = GATE_WRONG;
    }
    pthread_mutex_unlock(&g->lock);
    return says;
}
