/* Lock files of other tools: what is chosen is the same again, has a name in its normal form and a
 * place, and no two are of one name. The first byte says whose lock it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/pypi/pep508.h"
#include "pkg/pypi/tool_lock.h"

static const struct marker_env env = {STR_INIT("3.11.2"), STR_INIT("x86_64")};

static int choose(struct buf *out, const struct tool_lock *lock)
{
    CLEANUP(tool_lock_picks_clear) struct tool_lock_picks picks = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct tool_lock_choice choice = {.env = &env};

    if (tool_lock_choose(&picks, &arena, lock, &choice, &e) < 0) {
        assert(err_is_set(&e));
        return -1;
    }
    for (size_t i = 0; i < picks.n; i++) {
        const struct tool_lock_pick *p = &picks.v[i];

        assert(str_eq(p->name, pep503_name(&arena, p->name)) && p->pos.line);
        assert(str_starts(p->text, p->name));
        for (size_t j = 0; j < i && j < 100; j++)
            assert(!str_eq(p->name, picks.v[j].name));
        buf_fmt(out, STR_FMT " %zu\n", STR_ARG(p->text), p->hashes.n);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str names[] = {STR_INIT("uv.lock"), STR_INIT("poetry.lock"),
                                       STR_INIT("sub/pylock.toml")};
    CLEANUP(tool_lock_clear) struct tool_lock lock = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0};
    struct str text = str_sub((struct str){(const char *)data, size}, 1, size);

    if (!size || tool_lock_parse(&lock, text, names[data[0] % ARRAY_LEN(names)], &e) < 0)
        return 0;
    if (choose(&once, &lock) == 0) {
        assert(choose(&twice, &lock) == 0);
        assert(str_eq(buf_view(&once), buf_view(&twice)));
    }
    return 0;
}
