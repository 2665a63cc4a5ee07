/* tests/unit/test_lock_artifact.c - the lock that travels with an image: its tags, its manifest. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/crypto.h"
#include "model/lock_artifact.h"
#include "oci/ref.h"

static void tags_fit(void **state)
{
    static const size_t lengths[] = {1, 100, 110, 111, 128};
    struct digest lock;
    char tag[REF_TAG_MAX + 1];

    hash_bytes(&lock, "x", 1);
    memset(tag, 'a', sizeof tag);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        CLEANUP(buf_clear) struct buf fixed = {0}, longest = {0};
        struct str from = {tag, lengths[i]};

        lock_artifact_tag(&fixed, from, &lock, NULL);
        lock_artifact_tag(&longest, from, &lock, &lock);
        buf_puts(&longest, LOCK_TAG_END);
        assert_true(ref_tag_ok(buf_view(&fixed)) && ref_tag_ok(buf_view(&longest)));
        assert_true(str_ends(buf_view(&fixed), STR("-2d711642b726")));
        assert_true(str_starts(buf_view(&longest), buf_view(&fixed)));
        assert_true(str_ends(buf_view(&longest), STR("-2d711642b726.2d711642b726.lock")));
        assert_int_equal(fixed.len, (lengths[i] < 97 ? lengths[i] : 97) + 13);
    }
}

static void a_tag_tells_what_it_is_of(void **state)
{
    static const char *const rows[][2] = {
        {"1-0123456789ab.lock", "1"},
        {"pytorch:2.6.0-cuda12.4-0123456789ab.lock", "pytorch:2.6.0-cuda12.4"},
        {"1-0123456789ab.ba9876543210.lock", "1"},
        {"1-0123456789ab.ba9876543210-0123456789ab.lock", "1-0123456789ab.ba9876543210"},
        {"1-0123456789ab.ba987654321.lock", NULL},
        {"1-0123456789.ba9876543210.lock", NULL},
        {"1-0123456789ab.ba9876543210.ba9876543210.lock", NULL},
        {"1-0123456789ab", NULL},
        {"1-0123456789aB.lock", NULL},
        {"1-0123456789abc.lock", NULL},
        {"0123456789ab.lock", NULL},
        {".lock", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str of;

        assert_int_equal(lock_artifact_of(&of, str_of(rows[i][0])), rows[i][1] != NULL);
        if (rows[i][1])
            assert_true(str_is(of, rows[i][1]));
    }
}

static void write_one(struct buf *out, const struct digest *before)
{
    const struct node recipe = {.kind = NODE_MAP};
    struct lock lock = {.recipe = &recipe, .name = STR("x"), .created = 1700000000};
    struct descriptor image = {.media_type = STR(MEDIA_MANIFEST), .size = 7};
    struct lock_artifact says = {.before = *before};

    hash_bytes(&image.digest, "image", 5);
    lock_artifact_write(out, &lock, STR("the text"), &image, &says);
}

static void what_is_written_reads_back(void **state)
{
    struct digest befores[2] = {{{0}}, {{0}}};

    hash_bytes(&befores[1], "before", 6);
    for (size_t i = 0; i < ARRAY_LEN(befores); i++) {
        CLEANUP(buf_clear) struct buf json = {0}, again = {0};
        CLEANUP(image_manifest_clear) struct image_manifest m = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct lock_artifact says;
        struct digest text;

        write_one(&json, &befores[i]);
        write_one(&again, &befores[i]);
        assert_string_equal(json.p, again.p);
        assert_int_equal(image_manifest_parse(&m, buf_view(&json), NULL, "x", &e), 0);
        assert_true(lock_artifact_read(&says, &m));
        assert_true(digest_eq(&says.before, &befores[i]) && digest_is_set(&says.lock));
        hash_bytes(&text, "the text", 8);
        assert_true(digest_eq(&m.layers.v[0].digest, &text) && m.layers.v[0].size == 8);
        assert_true(m.has_subject && m.subject.size == 7);
    }
}

static void other_artifacts_are_none(void **state)
{
    static const char *const edits[][2] = {
        {"\"artifactType\":\"application/vnd.envbuild.lock.v1+json\"", "\"artifactType\":\"a/b\""},
        {"\"subject\"", "\"sabject\""},
        {"\"io.envbuild.lock.digest\"", "\"io.envbuild.luck.digest\""},
        {"\"io.envbuild.lock.digest\":\"sha256:", "\"io.envbuild.lock.digest\":\"sha257:"},
        {"\"io.envbuild.before\":\"sha256:", "\"io.envbuild.before\":\"sha257:"},
    };
    struct digest before;

    hash_bytes(&before, "before", 6);
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        CLEANUP(buf_clear) struct buf json = {0}, edited = {0};
        CLEANUP(image_manifest_clear) struct image_manifest m = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct lock_artifact says;
        struct str rest, head;

        write_one(&json, &before);
        rest = buf_view(&json);
        assert_true(str_cut(&rest, str_of(edits[i][0]), &head));
        buf_fmt(&edited, STR_FMT "%s" STR_FMT, STR_ARG(head), edits[i][1], STR_ARG(rest));
        assert_int_equal(image_manifest_parse(&m, buf_view(&edited), NULL, "x", &e), 0);
        assert_false(lock_artifact_read(&says, &m));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_fit),
        cmocka_unit_test(a_tag_tells_what_it_is_of),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(other_artifacts_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
