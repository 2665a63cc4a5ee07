/* A config that parses keeps the rules, is written, and parses back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(image_config_clear) struct image_config c = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf one = {0}, two = {0};

    if (image_config_parse(&c, text, "config", &e) < 0) {
        assert(err_is_set(&e));
        return 0;
    }
    assert(c.platform.os.len && c.platform.architecture.len);
    assert(!c.workdir.len || c.workdir.p[0] == '/');
    image_config_write(&c, &one);
    if (one.len > IMAGE_DOC_MAX) /* escapes may make it longer */
        return 0;
    assert(image_config_parse(&again, buf_view(&one), "config", &e) == 0);
    image_config_write(&again, &two);
    assert(str_eq(buf_view(&one), buf_view(&two)));
    return 0;
}
