/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include "../io/crypto.h"

void auth_add(struct auth *auth, struct str url, struct str user, struct str password)
{
    struct auth_entry *entry = vec_push(&auth->entries);
    struct buf header = {0};

    if (user.len) {
        CLEANUP(buf_clear) struct buf both = {0};

        buf_fmt(&both, STR_FMT ":" STR_FMT, STR_ARG(user), STR_ARG(password));
        buf_puts(&header, "Authorization: Basic ");
        base64_encode(&header, both.p, both.len, false);
    } else {
        buf_fmt(&header, "Authorization: Bearer " STR_FMT, STR_ARG(password));
    }
    entry->url = str_dup(url);
    entry->header = buf_take(&header);
}

static size_t common(struct str a, struct str b)
{
    size_t n = 0;

    while (n < a.len && n < b.len && a.p[n] == b.p[n])
        n++;
    return n;
}

static const struct auth_entry *find(const struct auth *auth, const struct url *url)
{
    const struct auth_entry *entry, *best = NULL;
    size_t best_len = 0;

    vec_each(entry, &auth->entries) {
        CLEANUP(err_clear) struct err ignored = {0}; /* it was an address when it was added */
        struct url mine;

        if (url_parse(&mine, str_of(entry->url), &ignored) < 0 || !url_same_origin(&mine, url) ||
            (best && common(mine.path, url->path) <= best_len))
            continue;
        best = entry;
        best_len = common(mine.path, url->path);
    }
    return best;
}

const char *auth_header(const struct auth *auth, const struct url *url)
{
    const struct auth_entry *entry = find(auth, url);

    return entry ? entry->header : NULL;
}

void auth_clear(struct auth *auth)
{
    for (size_t i = 0; i < auth->entries.n; i++) {
        free(auth->entries.v[i].url);
        free(auth->entries.v[i].header);
    }
    vec_clear(&auth->entries);
    free_clear(&auth->netrc);
}
