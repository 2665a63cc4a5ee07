/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "io/crypto.h"
#include "serve/gate.h"

#define CODE "right-code"

static struct gate *opened(void)
{
    CLEANUP(err_clear) struct err e = {0};
    struct gate *g = NULL;

    assert_int_equal(gate_open(&g, STR(CODE), &e), 0);
    return g;
}

static enum gate_says knock(struct gate *g, const char *peer, const char *code, uint64_t now)
{
    CLEANUP(buf_clear) struct buf both = {0}, header = {0};

    buf_fmt(&both, "any:%s", code);
    buf_puts(&header, "Basic ");
    base64_encode(&header, both.p, both.len, false);
    return gate_knock(g, peer, buf_view(&header), now);
}

static void a_password_is_what_stands_behind_the_first_colon(void **state)
{
    static const struct {
        const char *header, *password; /* NULL: it is none */
    } cases[] = {
        {"Basic YTpiOmM=", "b:c"},
        {"basic  OmI= ", "b"},
        {"BASIC YTo=", ""},
        {"Basic", NULL},
        {"Basic ", NULL},
        {"Basic YWI=", NULL},
        {"", NULL},
        {"Bearer YTpi", NULL},
        {"Basic YTpi YTpi", NULL},
        {"BasicYTpi", NULL},
        {"Basic YTpi!", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf got = {0};

        assert_int_equal(gate_password(&got, str_of(cases[i].header)), cases[i].password != NULL);
        assert_true(str_is(buf_view(&got), cases[i].password ? cases[i].password : ""));
    }
}

static void the_code_and_the_key_open(void **state)
{
    struct gate *g = opened();

    assert_int_equal(knock(g, "10.0.0.1", CODE, 0), GATE_COME_IN);
    assert_int_equal(knock(g, "10.0.0.1", gate_key(g), 0), GATE_COME_IN);
    assert_int_equal(knock(g, "10.0.0.1", "", 0), GATE_WRONG);
    assert_int_equal(knock(g, "10.0.0.1", CODE "s", 0), GATE_WRONG);
    assert_int_equal(gate_knock(g, "10.0.0.1", STR(""), 0), GATE_WHO);
    gate_free(g);
}

/* Who asks without a code does not use up what is free. */
static void an_address_with_many_wrong_ones_waits(void **state)
{
    struct gate *g = opened();

    for (unsigned i = 0; i < GATE_FREE; i++) {
        assert_int_equal(gate_knock(g, "10.0.0.1", STR(""), 500), GATE_WHO);
        assert_int_equal(knock(g, "10.0.0.1", "guess", 500), GATE_WRONG);
    }
    assert_int_equal(knock(g, "10.0.0.1", "guess", 500), GATE_LATER);
    assert_int_equal(knock(g, "10.0.0.1", CODE, 1499), GATE_LATER);
    assert_int_equal(knock(g, "10.0.0.2", CODE, 500), GATE_COME_IN);
    assert_int_equal(knock(g, "10.0.0.1", CODE, 1500), GATE_COME_IN);
    assert_int_equal(knock(g, "10.0.0.1", "guess", 1500), GATE_WRONG);
    assert_int_equal(knock(g, "10.0.0.1", CODE, 1500), GATE_LATER);
    assert_int_equal(knock(g, "10.0.0.1", CODE, 60000), GATE_COME_IN);
    gate_free(g);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
    struct gate *g = opened();

    for (unsigned i = 0; i < GATE_FREE; i++) {
        CLEANUP(buf_clear) struct buf peer = {0};

        buf_fmt(&peer, "fd00:1:2:3::%x", i);
        assert_int_equal(knock(g, peer.p, "guess", 0), GATE_WRONG);
    }
    assert_int_equal(knock(g, "fd00:1:2:3:ffff::1", CODE, 0), GATE_LATER);
    assert_int_equal(knock(g, "fd00:1:2:4::1", CODE, 0), GATE_COME_IN);
    gate_free(g);
}

/* More addresses than are remembered: who tries most is not forgotten for them. */
static void many_addresses_fill_nothing(void **state)
{
    struct gate *g = opened();

    for (unsigned i = 0; i < GATE_FREE; i++)
        assert_int_equal(knock(g, "10.0.0.1", "guess", 0), GATE_WRONG);
    for (unsigned i = 0; i < 5000; i++) {
        CLEANUP(buf_clear) struct buf peer = {0};

        buf_fmt(&peer, "172.16.%u.%u", i / 250, i % 250);
        assert_int_equal(knock(g, peer.p, "guess", 0), GATE_WRONG);
    }
    assert_int_equal(knock(g, "10.0.0.1", CODE, 0), GATE_LATER);
    assert_int_equal(knock(g, "10.0.0.2", CODE, 0), GATE_COME_IN);
    gate_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_what_stands_behind_the_first_colon),
        cmocka_unit_test(the_code_and_the_key_open),
        cmocka_unit_test(an_address_with_many_wrong_ones_waits),
        cmocka_unit_test(a_network_of_ipv6_is_one_address),
        cmocka_unit_test(many_addresses_fill_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
