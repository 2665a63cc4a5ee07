/* net/pace.c: a refusal makes all wait who ask the same server. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/call.h"
#include "net/http_parts.h"
#include "net/pace.h"
#include "peer.h"

enum { PAUSE = 30 };

PEER_OF_GROUP("tests/peers/http_peer.py")

static int64_t waited(struct pace *p)
{
    CLEANUP(err_clear) struct err e = {0};
    int64_t begun = now_ms();

    assert_int_equal(pace_wait(p, NULL, &e), 0);
    return now_ms() - begun;
}

static bool always(void *ctx)
{
    return true;
}

/* Waiting can be interrupted, and only waiting. */
static bool has_to_wait(struct pace *p)
{
    const struct events events = {.cancelled = always};
    CLEANUP(err_clear) struct err e = {0};
    int result = pace_wait(p, &events, &e);

    assert_true(result == 0 || e.kind == ERR_INTERRUPTED);
    return result < 0;
}

static void a_refusal_makes_all_wait_and_the_next_one_longer(void **state)
{
    const struct http_options o = {.pause_ms = PAUSE, .pause_max_ms = 5 * PAUSE};
    CLEANUP(pace_clear) struct pace *p = pace_open();
    int64_t first = now_ms();

    assert_false(has_to_wait(p));
    pace_answered(p, &o, true, first, 0);
    assert_true(waited(p) >= PAUSE);
    assert_false(has_to_wait(p)); /* it is over */
    pace_answered(p, &o, true, now_ms(), 0);
    pace_answered(p, &o, true, first, 0); /* it was on its way before: one of the same */
    assert_true(waited(p) >= 2 * PAUSE);
    pace_answered(p, &o, false, now_ms(), 0);
    pace_answered(p, &o, true, now_ms(), 100000); /* no longer than the longest */
    assert_true(waited(p) >= 5 * PAUSE);
    assert_false(has_to_wait(p));
}

static void waiting_can_be_interrupted(void **state)
{
    const struct http_options o = {.pause_ms = 1000000, .pause_max_ms = 1000000};
    CLEANUP(pace_clear) struct pace *p = pace_open();

    pace_answered(p, &o, true, now_ms(), 0);
    assert_true(has_to_wait(p));
}

static unsigned ask(struct caller *c, const char *path)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.limit = 4096, .once = true};
    CLEANUP(buf_clear) struct buf url = {0};
    CLEANUP(err_clear) struct err e = {0};

    buf_fmt(&url, "http://127.0.0.1:%d%s", peer.port, path);
    w.ask = (struct call_ask){.method = "GET", .url = buf_view(&url)};
    if (call_run(c, &w, &e) < 0)
        fail_msg("%s: %s", path, e.msg);
    return w.status;
}

/* Two repositories of one host: what the one was told holds for the other. */
static void callers_of_one_host_share_it(void **state)
{
    CLEANUP(pace_clear) struct pace *p = pace_open();
    CLEANUP(caller_clear) struct caller *one = NULL, *other = NULL;
    const struct http_options o = {.pace = p, .pause_ms = PAUSE};
    struct err e = {0};
    int64_t begun;

    if (!peer.port)
        skip();
    assert_int_equal(caller_open(&one, &o, &e) | caller_open(&other, &o, &e), 0);
    begun = now_ms(); /* the pause begins with the answer, whenever we are told of that */
    assert_int_equal(ask(one, "/flaky/a/1/429/bytes/10"), 429);
    assert_int_equal(ask(other, "/bytes/10"), 200);
    assert_true(now_ms() - begun >= PAUSE - 1);
    assert_int_equal(ask(one, "/flaky/b/1/503/bytes/10"), 503);
    assert_false(has_to_wait(p)); /* that is no wish for fewer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_makes_all_wait_and_the_next_one_longer),
        cmocka_unit_test(waiting_can_be_interrupted),
        cmocka_unit_test(callers_of_one_host_share_it),
    };

    return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
