/* net/call.h: what ends an exchange, and what is worth another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/call.h"
#include "peer.h"

PEER_OF_GROUP("tests/peers/http_peer.py")

struct asked {
    unsigned status;
    struct buf body, fault;
};

static void asked_clear(struct asked *a)
{
    buf_clear(&a->body);
    buf_clear(&a->fault);
}

/* Milliseconds of 0: the usual. */
static void ask_within(struct asked *out, uint32_t header_ms, uint32_t stall_ms, const char *path,
                       struct str header)
{
    const struct http_options o = {.header_ms = header_ms, .stall_ms = stall_ms};
    CLEANUP(caller_clear) struct caller *caller = NULL;
    CLEANUP(call_whole_clear) struct call_whole w = {.limit = 1 << 20, .once = true};
    CLEANUP(buf_clear) struct buf url = {0};
    CLEANUP(err_clear) struct err e = {0};

    buf_fmt(&url, "http://127.0.0.1:%d%s", peer.port, path);
    w.ask = (struct call_ask){
        .method = "GET", .url = buf_view(&url), .headers = &header.p, .headers_n = header.len > 0};
    assert_int_equal(caller_open(&caller, &o, &e), 0);
    if (call_run(caller, &w, &e) < 0) {
        assert_int_equal(e.kind, ERR_NET);
        buf_puts(&out->fault, e.msg);
    }
    out->status = w.status;
    buf_str(&out->body, buf_view(&w.body));
}

static void ask(struct asked *out, const char *path, struct str header)
{
    ask_within(out, 0, 0, path, header);
}

/* What must come in time on a busy machine has the usual time. */
static void what_moves_too_slowly_is_dead(void **state)
{
    static const struct {
        const char *path;
        uint32_t header_ms, stall_ms;
        const char *words;
    } cases[] = {
        {"/silent/x", 500, 0, "the server does not answer"},
        {"/slow/bytes/10", 500, 0, "the server does not answer"}, /* its head comes line by line */
        {"/stall/10/bytes/1000", 0, 500, "the transfer stalled"},
        {"/drip/10/bytes/1000", 0, 500, "the transfer stalled"}, /* something comes all the time */
        {"/drip/10/bytes/20", 0, 0, NULL},
    };

    if (!peer.port)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(asked_clear) struct asked a = {0};

        ask_within(&a, cases[i].header_ms, cases[i].stall_ms, cases[i].path, (struct str){0});
        if (cases[i].words ? !a.fault.p || !strstr(a.fault.p, cases[i].words) : a.fault.p != NULL)
            fail_msg("%s: %s", cases[i].path, a.fault.p ? a.fault.p : "no fault");
    }
}

static void another_server_is_not_told_who_we_are(void **state)
{
    CLEANUP(asked_clear) struct asked here = {0}, away = {0}, refuses = {0};

    if (!peer.port)
        skip();
    ask(&here, "/echo", STR("Authorization: Basic c2VjcmV0"));
    assert_non_null(strstr(here.body.p, "Authorization: Basic c2VjcmV0"));
    assert_non_null(strstr(here.body.p, "Accept-Encoding: identity"));
    ask(&away, "/away/echo", STR("Authorization: Basic c2VjcmV0"));
    assert_int_equal(away.status, 200);
    assert_null(strstr(away.body.p, "Authorization"));
    ask(&refuses, "/away/status/401", (struct str){0});
    assert_non_null(strstr(refuses.fault.p, "it is not told who is logged in"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_moves_too_slowly_is_dead),
        cmocka_unit_test(another_server_is_not_told_who_we_are),
    };

    return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
