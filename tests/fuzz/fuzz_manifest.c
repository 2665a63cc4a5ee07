/* No document is a manifest and an index; what parsed is written, and that parses back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check_manifest(struct str text)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf one = {0}, two = {0};

    if (image_manifest_parse(&m, text, NULL, "manifest", &e) < 0)
        return false;
    image_manifest_write(&m, &one);
    if (one.len > IMAGE_DOC_MAX) /* escapes may make it longer */
        return true;
    assert(image_manifest_parse(&again, buf_view(&one), NULL, "manifest", &e) == 0);
    image_manifest_write(&again, &two);
    assert(str_eq(buf_view(&one), buf_view(&two)));
    return true;
}

static bool check_index(struct str text)
{
    CLEANUP(image_index_clear) struct image_index x = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf one = {0}, two = {0};

    if (image_index_parse(&x, text, NULL, "index", &e) < 0)
        return false;
    image_index_write(&x, &one);
    if (one.len > IMAGE_DOC_MAX)
        return true;
    assert(image_index_parse(&again, buf_view(&one), NULL, "index", &e) == 0);
    image_index_write(&again, &two);
    assert(str_eq(buf_view(&one), buf_view(&two)));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    bool manifest = check_manifest(text), index = check_index(text);

    assert(!(manifest && index));
    return 0;
}
