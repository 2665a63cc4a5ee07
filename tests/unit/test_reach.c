/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include "oci/reach.h"

/* Documents and blobs are named by one letter: its digest is that letter in every byte. */
static struct digest named(char name)
{
    struct digest d;

    memset(d.bytes, name, sizeof d.bytes);
    return d;
}

static struct descriptor describe(char name, const char *media_type)
{
    return (struct descriptor){.media_type = str_of(media_type), .digest = named(name), .size = 10};
}

struct library {
    char *texts[128]; /* by name; NULL: it is not here */
};

static void library_clear(struct library *l)
{
    for (size_t i = 0; i < ARRAY_LEN(l->texts); i++)
        free(l->texts[i]);
}

/* `subject` 0: none */
static void put_manifest(struct library *l, char name, char config, const char *layers,
                         char subject)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    struct buf text = {0};

    m.config = describe(config, MEDIA_CONFIG);
    for (; *layers; layers++)
        vec_add(&m.layers, describe(*layers, MEDIA_LAYER_GZIP));
    m.has_subject = subject != 0;
    m.subject = describe(subject, MEDIA_MANIFEST);
    image_manifest_write(&m, &text);
    l->texts[(int)name] = buf_take(&text);
}

static void put_index(struct library *l, char name, const char *manifests)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    struct buf text = {0};

    for (; *manifests; manifests++)
        vec_add(&index.manifests, describe(*manifests, MEDIA_MANIFEST));
    image_index_write(&index, &text);
    l->texts[(int)name] = buf_take(&text);
}

static int read_text_of(void *ctx, const struct descriptor *d, struct buf *out, bool *there,
                        struct err *e)
{
    const struct library *l = ctx;
    const char *text = l->texts[d->digest.bytes[0]];

    *there = text != NULL;
    if (text)
        buf_puts(out, text);
    return 0;
}

/* i and j share layer s; x has both; r is a signature of i, q one of that signature; o one of
 * something that is nowhere; n is a manifest that is not here. */
static void put_world(struct library *l)
{
    put_manifest(l, 'i', 'c', "st", 0);
    put_manifest(l, 'j', 'd', "su", 0);
    put_index(l, 'x', "ij");
    put_manifest(l, 'r', 'e', "v", 'i');
    put_manifest(l, 'q', 'e', "w", 'r');
    put_manifest(l, 'o', 'e', "p", 'z');
}

static void print(char *out, const struct digests *list)
{
    for (size_t i = 0; i < list->n; i++)
        *out++ = (char)list->v[i].bytes[0];
    *out = '\0';
}

static void what_stays_is_what_is_led_to(void **state)
{
    static const struct {
        const char *stays, *goes; /* entries of the index, by name */
        const char *reached;
        const char *gone; /* of the referrers */
    } cases[] = {
        {"i", "", "cist", ""},
        {"i", "j", "cist", ""}, /* the shared layer stays */
        {"", "i", "", ""},
        {"x", "", "cdijstux", ""},
        {"x", "ij", "cdijstux", ""}, /* as part of the index they stay */
        {"n", "", "n", ""},          /* it leads to nothing here */
        {"ir", "", "ceirstv", ""},
        {"jr", "i", "djsu", "r"},
        {"jqr", "i", "djsu", "qr"},    /* what refers to a referrer goes with it */
        {"iqr", "j", "ceiqrstvw", ""}, /* and stays with it */
        {"qi", "r", "ceiqrstvw", ""},  /* a referrer is not for the caller to remove */
        {"o", "", "eop", ""},          /* what it refers to was never here */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(library_clear) struct library l = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct descriptor d[8];
        struct reach_entry entries[8];
        struct digests found = {0};
        char reached[64], gone[8] = "";
        size_t n = 0, g = 0;

        put_world(&l);
        for (const char *p = cases[i].stays; *p; p++, n++) {
            d[n] = describe(*p, *p == 'x' ? MEDIA_INDEX : MEDIA_MANIFEST);
            entries[n] = (struct reach_entry){.d = &d[n]};
        }
        for (const char *p = cases[i].goes; *p; p++, n++) {
            d[n] = describe(*p, MEDIA_MANIFEST);
            entries[n] = (struct reach_entry){.d = &d[n], .goes = true};
        }
        assert_ok(reach(&found, entries, n, read_text_of, &l, &e), &e);
        print(reached, &found);
        for (size_t k = 0; k < n; k++)
            if (digest_is_set(&entries[k].refers) && entries[k].goes)
                gone[g++] = (char)d[k].digest.bytes[0];
        assert_string_equal(reached, cases[i].reached);
        assert_string_equal(gone, cases[i].gone);
        vec_clear(&found);
    }
}

static void a_tag_names_a_subject(void **state)
{
    static const struct {
        const char *tag; /* "@": the digest of i in hex */
        bool refers;
    } cases[] = {{"sha256-@", true},   {"sha256-@.sig", true},  {"sha256-@x", false},
                 {"sha256-00", false}, {"sha256-@.sbom", true}, {"1.0", false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(library_clear) struct library l = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf tag = {0};
        struct descriptor image = describe('i', MEDIA_MANIFEST),
                          other = describe('j', MEDIA_MANIFEST);
        struct reach_entry entries[] = {{.d = &image, .goes = true}, {.d = &other}};
        struct digests found = {0};
        char hex[DIGEST_HEX + 1];

        put_world(&l);
        digest_hex(&image.digest, hex);
        for (const char *p = cases[i].tag; *p; p++)
            buf_fmt(&tag, *p == '@' ? "%s" : "%.1s", *p == '@' ? hex : p);
        pairs_add(&other.annotations, STR(ANNOTATION_REF_NAME), buf_view(&tag));
        assert_ok(reach(&found, entries, 2, read_text_of, &l, &e), &e);
        assert_int_equal(digest_is_set(&entries[1].refers), cases[i].refers);
        assert_int_equal(found.n, cases[i].refers ? 0 : 4); /* it went with its subject */
        vec_clear(&found);
        descriptor_clear(&other);
    }
}

static void a_size_counts_each_blob_once(void **state)
{
    CLEANUP(library_clear) struct library l = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct descriptor x = describe('x', MEDIA_INDEX);
    uint64_t size;

    put_world(&l);
    assert_ok(reach_size(&size, &x, read_text_of, &l, &e), &e);
    assert_int_equal(size, 80); /* x, i, j, c, d, s, t, u */
}

static void what_cannot_be_read_is_an_error(void **state)
{
    static const char *const damaged[] = {"", "{}", "[]", "{\"schemaVersion\":2,\"layers\":3}"};

    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        CLEANUP(library_clear) struct library l = {0};
        CLEANUP(err_clear) struct err e = {0};
        const struct descriptor d = describe('i', MEDIA_MANIFEST);
        struct reach_entry entry = {.d = &d};
        struct digests found = {0};

        l.texts['i'] = xstrdup(damaged[i]);
        assert_int_equal(reach(&found, &entry, 1, read_text_of, &l, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(found.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_is_what_is_led_to),
        cmocka_unit_test(a_tag_names_a_subject),
        cmocka_unit_test(a_size_counts_each_blob_once),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
