/* locktext.h - the artifacts of a lock from words, for tests that are tables.
 *
 * "wheel torch 2.6.0 700M variant; deb git 1 9 apt": type, name, version, size in bytes or MiB,
 * and the group where there is one. "~" before a version makes it another file of that version.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "model/lock.h"

static inline struct artifact artifact_of(struct str words)
{
    struct artifact a = {.from = STR_INIT("somewhere")};
    struct str type, size;
    bool other;

    assert_true(str_word(&words, &type) && str_word(&words, &a.name));
    assert_true(str_word(&words, &a.version) && str_word(&words, &size));
    other = str_skip(&a.version, STR("~"));
    a.eco = str_is(type, "deb")      ? ECO_DEB
            : str_is(type, "wheel")  ? ECO_WHEEL
            : str_is(type, "redist") ? ECO_REDIST
                                     : ECO_DOWNLOAD;
    a.group = str_trim(words);
    if (str_drop(&a.group, STR(" security")))
        a.from = STR("bookworm-security/main");
    if (str_drop(&size, STR("M"))) {
        assert_true(str_u64(size, &a.size));
        a.size <<= 20;
    } else {
        assert_true(str_u64(size, &a.size));
    }
    memset(a.digest.bytes, other, sizeof a.digest.bytes);
    for (size_t i = 0; i < a.name.len; i++)
        a.digest.bytes[i % 16] = (unsigned char)(a.digest.bytes[i % 16] * 31 + a.name.p[i]);
    for (size_t i = 0; i < a.version.len; i++)
        a.digest.bytes[16 + i % 16] ^= (unsigned char)a.version.p[i];
    return a;
}

/* The texts stay the caller's. */
static inline void artifacts_add(struct lock *l, const char *text)
{
    struct str rest = str_of(text), one;

    while (str_item(&rest, ';', &one))
        if (str_trim(one).len)
            vec_add(&l->artifacts, artifact_of(str_trim(one)));
}
