/* SPDX-License-Identifier: Apache-2.0 */
#include "memo.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../base/fs.h"
#include "../base/path.h"

/* A file: "memo 2 <64 hex> <key length> <64 hex>\n", key, value. The first digest is the checksum,
 * over the other one, key and value; the other is that of the bytes that were seen. Files of
 * version 1 did not tell what was seen from what was said: they count for nothing. */
#define MAGIC "memo 2 "
enum { HEAD_MAX = 192, KEY_MAX = 1024 * 1024 };

struct memo {
    char *dir;
};

int memo_open(struct memo **out, const char *dir, struct err *e)
{
    struct memo *memo;

    if (fs_mkdirs_where_writable(dir, e) < 0)
        return -1;
    memo = xcalloc(1, sizeof *memo);
    memo->dir = xstrdup(dir);
    *out = memo;
    return 0;
}

void memo_clear(struct memo **memo)
{
    if (!*memo)
        return;
    free((*memo)->dir);
    free_clear(memo);
}

static char *path_of(const struct memo *memo, struct str key)
{
    char hex[DIGEST_HEX + 1];
    struct digest digest;
    struct buf path = {0};

    hash_bytes(&digest, key.p, key.len);
    digest_hex(&digest, hex);
    buf_fmt(&path, "%s/%.2s/%s", memo->dir, hex, hex + 2);
    return buf_take(&path);
}

static void seal(struct digest *out, const struct digest *of, struct str key, struct str value)
{
    CLEANUP(hash_clear) struct hash h = {0};

    hash_open(&h);
    hash_add(&h, of->bytes, sizeof of->bytes);
    hash_add(&h, key.p, key.len);
    hash_add(&h, value.p, value.len);
    hash_finish(&h, out);
}

/* What is used stays, where things go by their age (store/gc.h); to the day is enough. */
static void note_use(const char *path)
{
    enum { DAY = 24 * 3600 };
    struct stat st;

    if (stat(path, &st) == 0 && time(NULL) - st.st_mtime > DAY)
        (void)!utimensat(AT_FDCWD, path, NULL, 0);
}

/* The value in a file's text, if it is whole and of this key. */
static bool unseal(struct str text, struct str key, struct digest *of, struct str *value)
{
    struct str head, hex, number;
    struct digest said, found;
    uint64_t len;

    if (!str_line(&text, &head) || !str_skip(&head, STR(MAGIC)) ||
        !str_cut(&head, STR(" "), &hex) || !str_cut(&head, STR(" "), &number))
        return false;
    if (!digest_from_hex(&said, hex) || !digest_from_hex(of, head) || !str_u64(number, &len) ||
        len > text.len)
        return false;
    *value = str_sub(text, (size_t)len, text.len);
    if (!str_eq(str_sub(text, 0, (size_t)len), key))
        return false;
    seal(&found, of, key, *value);
    return digest_eq(&said, &found);
}

int memo_get(const struct memo *memo, struct str key, const struct digest *of, struct buf *out,
             bool *found, struct err *e)
{
    CLEANUP(free_clear) char *path = path_of(memo, key);
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* what cannot be read is not remembered */
    struct digest seen;
    struct str value;

    *found = false;
    if (!fs_exists(path) ||
        fs_read(&text, path, (uint64_t)MEMO_MAX + KEY_MAX + HEAD_MAX, &ignored) < 0)
        return 0;
    if (!unseal(buf_view(&text), key, &seen, &value) || (of && !digest_eq(of, &seen)))
        return 0;
    *found = true;
    note_use(path);
    if (out->len) {
        buf_str(out, value);
        return 0;
    }
    memmove(text.p, value.p, value.len); /* large values are not held twice */
    text.len = value.len;
    text.p[text.len] = 0;
    buf_clear(out);
    MOVE(out, &text);
    return 0;
}

void memo_keep(const struct memo *memo, struct str key)
{
    CLEANUP(free_clear) char *path = path_of(memo, key);

    note_use(path);
}

static int put(const struct memo *memo, struct str key, const struct digest *of, struct str value,
               struct err *e)
{
    CLEANUP(free_clear) char *path = path_of(memo, key);
    CLEANUP(buf_clear) struct buf head = {0};
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    CLEANUP(free_clear) char *dir = path_dir(path);
    char hex[DIGEST_HEX + 1], of_hex[DIGEST_HEX + 1];
    struct digest digest;

    if (key.len > KEY_MAX || value.len > MEMO_MAX)
        return err_set(e, ERR_INPUT, "%s: too large to be remembered", memo->dir);
    seal(&digest, of, key, value);
    digest_hex(&digest, hex);
    digest_hex(of, of_hex);
    buf_fmt(&head, MAGIC "%s %zu %s\n", hex, key.len, of_hex);
    if (fs_mkdirs(dir, e) < 0 || fs_temp_open(&temp, dir, e) < 0 ||
        fd_write_all(temp.fd.n, head.p, head.len, path, e) < 0 ||
        fd_write_all(temp.fd.n, key.p, key.len, path, e) < 0 ||
        fd_write_all(temp.fd.n, value.p, value.len, path, e) < 0)
        return -1;
    return fs_temp_publish_unsynced(&temp, path, true, e); /* the checksum tells a torn one */
}

int memo_put(const struct memo *memo, struct str key, const struct seen *of, struct str value,
             struct err *e)
{
    return put(memo, key, seen_digest(of), value, e);
}

int memo_copy(const struct memo *memo, struct str from, struct str to, const struct digest *of,
              struct err *e)
{
    CLEANUP(buf_clear) struct buf value = {0};
    bool found;

    if (memo_get(memo, from, of, &value, &found, e) < 0)
        return -1;
    return found ? put(memo, to, of, buf_view(&value), e) : 0;
}

int memo_put_text(const struct memo *memo, struct str key, struct str text, struct err *e)
{
    CLEANUP(hash_clear) struct hash h = {0};
    struct seen seen;

    hash_open(&h);
    hash_add(&h, text.p, text.len);
    hash_seen(&h, &seen);
    return memo_put(memo, key, &seen, text, e);
}
