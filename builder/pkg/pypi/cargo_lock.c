/* SPDX-License-Identifier: Apache-2.0 */
#include "cargo_lock.h"

#include "../../doc/toml.h"

/* Both are parts of an address and of a file's name. */
static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !strchr("-_.+", s.p[i]))
            return false;
    return s.len && s.p[0] != '.';
}

static bool is_of_crates_io(struct str source)
{
    return str_is(source, "registry+https://github.com/rust-lang/crates.io-index") ||
           str_is(source, "sparse+https://index.crates.io/");
}

int cargo_lock_parse(struct crates *out, struct arena *arena, struct str text, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *list, *n;

    if (toml_parse(&doc, text, "Cargo.lock", e) < 0)
        return -1;
    list = node_get(doc.root, "package");
    if (!list || list->kind != NODE_LIST)
        return 0;
    node_each(n, list) {
        struct crate c = {.name = node_text_of(n, "name"), .version = node_text_of(n, "version")};

        if (!is_of_crates_io(node_text_of(n, "source")))
            continue;
        if (!is_word(c.name) || !is_word(c.version) ||
            !digest_from_hex(&c.digest, node_text_of(n, "checksum")))
            return err_set(e, ERR_INPUT,
                           "Cargo.lock: \"" STR_FMT " " STR_FMT "\" is no crate with a checksum",
                           STR_ARG(c.name), STR_ARG(c.version));
        c.name = arena_str(arena, c.name);
        c.version = arena_str(arena, c.version);
        vec_add(out, c);
    }
    return 0;
}
