/* net/answer.c: what registries say in the head of an answer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/answer.h"

static void lines_of_registries_are_kept(void **state)
{
    static const char *const lines[] = {
        "Docker-Content-Digest: sha256:1\r\n",
        "docker-content-digest: sha256:2",
        "OCI-Subject: sha256:3",
        "RANGE:0-1023",
        "Link: </v2/x/tags/list?last=a>; rel=\"next\"",
        "OCI-Chunk-Min-Length: 5242880",
        "WWW-Authenticate: Negotiate",
        "WWW-Authenticate: Bearer realm=\"x\"",
        "Retry-After: 7",
    };
    CLEANUP(answer_clear) struct answer a = {0};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        answer_line(&a, str_of(lines[i]), 0);
    assert_string_equal(a.digest, "sha256:1");
    assert_string_equal(a.subject, "sha256:3");
    assert_string_equal(a.range, "0-1023");
    assert_string_equal(a.link, "</v2/x/tags/list?last=a>; rel=\"next\"");
    assert_int_equal(a.chunk_min, 5242880);
    assert_string_equal(a.challenges, "Negotiate, Bearer realm=\"x\"");
    assert_int_equal(a.retry_after_s, 7);
}

static void what_makes_no_sense_is_left_out(void **state)
{
    static const char *const lines[] = {"OCI-Chunk-Min-Length: many", "Retry-After: soon", "Range",
                                        "WWW-Authenticate:"};
    CLEANUP(answer_clear) struct answer a = {0};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        answer_line(&a, str_of(lines[i]), 0);
    assert_int_equal(a.chunk_min, 0);
    assert_int_equal(a.retry_after_s, 0);
    assert_null(a.range);
    assert_null(a.challenges);
}

static void a_pause_without_end_is_one(void **state)
{
    static const char *const lines[] = {"Retry-After: 4294967295", "Retry-After: 99999999999",
                                        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(answer_clear) struct answer a = {0};

        answer_line(&a, str_of(lines[i]), 0);
        assert_int_equal(a.retry_after_s, UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_registries_are_kept),
        cmocka_unit_test(what_makes_no_sense_is_left_out),
        cmocka_unit_test(a_pause_without_end_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
