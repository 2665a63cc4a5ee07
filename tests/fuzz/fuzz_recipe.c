/* Recipes: the normal form is a recipe's own, and comes out of a lock as it went in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "doc/emit.h"
#include "doc/json.h"
#include "model/recipe_form.h"
#include "oci/ref.h"

static void check_lock(const struct node *normal)
{
    CLEANUP(doc_clear) struct doc again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, words = {0};
    CLEANUP(err_clear) struct err e = {0};

    emit_json(&text, normal, EMIT_LINES);
    assert(json_parse(&again, buf_view(&text), UINT64_MAX, "printed", &e) == 0);
    recipe_diff(&words, again.root, normal);
    assert(!words.len);
}

static void check_tag(const struct recipe *r)
{
    struct recipe_tag with = {STR("2.6.0"), STR("12.4"),      STR("9"),   STR("runtime"),
                              STR("3.11"),  STR("debian-12"), STR("gzip")};
    CLEANUP(buf_clear) struct buf tag = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (recipe_expand_tag(&tag, r, &with, &e) == 0)
        assert(ref_tag_ok(buf_view(&tag)));
    else
        assert(err_is_set(&e) && tag.len > REF_TAG_MAX); /* all else was refused before */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (recipe_parse(&r, (struct str){(const char *)data, size}, "input", &e) < 0) {
        for (const struct err *one = &e; one; one = one->next)
            assert(one->kind == ERR_INPUT && one->msg[0]);
        return 0;
    }
    check_lock(recipe_to_node(&r, &doc));
    check_tag(&r);
    return 0;
}
