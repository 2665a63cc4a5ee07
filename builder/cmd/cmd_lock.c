/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/emit.h"
#include "work.h"

static void say(struct session *s, const char *fmt, ...) PRINTF(2, 3);
static void say(struct session *s, const char *fmt, ...)
{
    va_list args;

    if (s->quiet)
        return;
    progress_pause(s->progress);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Bytes that a first build of this lock downloads. */
static uint64_t download_size(const struct lock *lock)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < lock->artifacts.n; i++)
        sum += lock->artifacts.v[i].size;
    return sum;
}

static void print_json(const struct work *w, bool changed)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct node *root = node_new_map(&d);
    char digest[DIGEST_TEXT + 1];
    struct digest own;

    lock_digest(&own, &w->lock);
    digest_text(&own, digest);
    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "lock", str_of(w->lock_path));
    node_put_str(&d, root, "digest", str_of(digest));
    node_put_bool(&d, root, "changed", changed);
    node_put_u64(&d, root, "artifacts", w->lock.artifacts.n);
    node_put_u64(&d, root, "bytes", download_size(&w->lock));
    emit_json(&text, root, EMIT_LINES);
    fwrite(text.p, 1, text.len, stdout);
}

static int lock_recipe(struct session *s, const char *recipe, bool offline, const char *index,
                       struct err *e)
{
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(buf_clear) struct buf words = {0};
    bool had;

    if (work_open(&w, s, recipe, e) < 0)
        return -1;
    had = w.has_lock;
    if (had && work_changes(&w, &words, e) < 0)
        return -1;
    if (had && !words.len) {
        say(s, "%s is up to date", w.lock_path);
        if (s->json)
            print_json(&w, false);
        return 0;
    }
    if (had)
        say(s, "%s changed: %s", recipe, words.p);
    if (work_connect(&w, s, index, offline, e) < 0 || work_resolve(&w, s, e) < 0 ||
        work_write_lock(&w, e) < 0)
        return -1;
    say(s, "wrote %s: %zu artifacts, %.1f MiB", w.lock_path, w.lock.artifacts.n,
        (double)download_size(&w.lock) / (1024 * 1024));
    if (s->json)
        print_json(&w, true);
    return 0;
}

int cmd_lock(struct session *s, int argc, char **argv, struct err *e)
{
    const char *index = NULL;
    bool offline = false;
    const struct opt own[] = {
        {0, "index", "URL", "simple index to ask (https://pypi.org/simple/)", opt_str, &index},
        {0, "offline", NULL, "use only what the store has", opt_flag, &offline},
    };

    if (session_begin(s, "lock", own, ARRAY_LEN(own), &argc, argv, 1, e) < 0)
        return -1;
    return s->help ? 0 : lock_recipe(s, argv[0], offline, index, e);
}
