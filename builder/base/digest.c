/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

bool digest_is_set(const struct digest *d)
{
    static const struct digest none;

    return !digest_eq(d, &none);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return digest_cmp(a, b) == 0;
}

int digest_cmp(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

int digest_order(const void *a, const void *b)
{
    return digest_cmp(a, b);
}

static int nibble(char c)
{
    if (c_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_from_hex(struct digest *out, struct str hex)
{
    struct digest d;

    if (hex.len != DIGEST_HEX)
        return false;
    for (size_t i = 0; i < sizeof d.bytes; i++) {
        int high = nibble(hex.p[2 * i]), low = nibble(hex.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        d.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = d;
    return true;
}

bool digest_from_text(struct digest *out, struct str text)
{
    return str_skip(&text, STR("sha256:")) && digest_from_hex(out, text);
}

void digest_hex(const struct digest *d, char out[DIGEST_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof d->bytes; i++) {
        out[2 * i] = digits[d->bytes[i] >> 4];
        out[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    out[DIGEST_HEX] = '\0';
}

void digest_text(const struct digest *d, char out[DIGEST_TEXT + 1])
{
    memcpy(out, "sha256:", 7);
    digest_hex(d, out + 7);
}
