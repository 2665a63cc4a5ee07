/* oci/registry_upload.c: what is told of a line that is too slow. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "io/crypto.h"
#include "oci/registries.h"
#include "peer.h"

enum { SIZE = 9 << 20 };

PEER_OF_GROUP("tests/peers/registry_peer.py")

struct watched {
    uint32_t max_ms;
    struct buf warned;
    unsigned warnings;
    struct events events;
};

static void emit(void *ctx, const struct event *event)
{
    struct watched *w = ctx;

    if (event->kind != EVENT_WARNING)
        return;
    buf_puts(&w->warned, event->name);
    w->warnings++;
}

static int find(void *ctx, struct registry_how *how, struct err *e)
{
    struct watched *w = ctx;

    w->events = (struct events){.emit = emit, .ctx = w};
    how->http.events = &w->events;
    how->upload_max_ms = w->max_ms;
    return 0;
}

static void send(struct watched *w, char fill)
{
    CLEANUP(registries_clear) struct registries *all = NULL;
    CLEANUP(free_clear) char *bytes = xmalloc(SIZE);
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct upload *u = NULL;
    struct registry *r = NULL;
    struct digest digest;
    bool again = false;

    memset(bytes, fill, SIZE);
    hash_bytes(&digest, bytes, SIZE);
    buf_fmt(&name, "127.0.0.1:%d/x", peer.port);
    registries_open(&all, find, w);
    assert_int_equal(registries_get(&r, all, buf_view(&name), &e), 0);
    upload_open(&u, r, &digest, SIZE);
    if (upload_write(u, 0, bytes, SIZE, &again, &e) < 0 ||
        upload_finish(u, &digest, SIZE, &again, &e) < 0)
        fail_msg("%s", e.msg);
    upload_clear(&u);
}

static void a_layer_that_cannot_arrive_in_time_is_told_once(void **state)
{
    struct watched slow = {.max_ms = 1}, fast = {.max_ms = 3600000}, none = {0};

    if (!peer.port)
        skip();
    send(&slow, 'a');
    assert_non_null(slow.warned.p);
    assert_non_null(strstr(slow.warned.p, "MB take"));
    assert_non_null(strstr(slow.warned.p, "ends an upload after"));
    assert_int_equal(slow.warnings, 1);
    send(&fast, 'b');
    send(&none, 'c');
    assert_int_equal(fast.warnings + none.warnings, 0);
    buf_clear(&slow.warned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_that_cannot_arrive_in_time_is_told_once),
    };

    return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
