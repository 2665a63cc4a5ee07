/* A certificate that was taken is written as one that is taken as the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "io/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    bool more = true;

    while (more) {
        CLEANUP(cert_clear) struct cert cert = {0}, again = {0};
        CLEANUP(err_clear) struct err e = {0};
        size_t before = rest.len;
        struct str pem;
        uint32_t hash;

        if (cert_next(&cert, &rest, &more, &e) < 0) {
            assert(e.kind == ERR_INPUT);
            return 0;
        }
        if (!more)
            break;
        assert(rest.len < before);
        pem = buf_view(&cert.pem);
        assert(cert_subject_hash(&hash, pem, "it", &e) == 0);
        assert(cert_next(&again, &pem, &more, &e) == 0 && more && !pem.len);
        assert(str_eq(buf_view(&again.pem), buf_view(&cert.pem)) && again.ends == cert.ends);
    }
    return 0;
}
