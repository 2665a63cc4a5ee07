/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "../base/path.h"
#include "../io/inflate.h"
#include "../io/zip.h"
#include "device_code.h"
#include "output.h"
#include "own_source.h"
#include "rebuilt.h"
#include "sealed_parts.h"

#define CONFIG_MAX (1 << 20)

struct sealed *sealed_open(struct work *w, struct session *s, const struct sealed_how *how)
{
    struct sealed *x = xcalloc(1, sizeof *x);

    *x = (struct sealed){.work = w, .session = s, .how = *how};
    return x;
}

void sealed_clear(struct sealed **sealed)
{
    struct sealed *x = *sealed;

    if (!x)
        return;
    for (size_t i = 0; i < x->roots.n; i++)
        sealed_root_clear(x->roots.v[i]);
    vec_clear(&x->roots);
    memo_clear(&x->memo);
    place_clear(&x->place);
    stored_clear(&x->image);
    free(x->logs);
    buf_clear(&x->asked);
    arena_clear(&x->arena);
    free_clear(sealed);
}

/* "amp_C" is there as amp_C.so, amp_C.cpython-311-x86_64-linux-gnu.so, amp_C.py or a folder, at the
 * top or in a package. */
static bool is_module(struct str path, struct str module)
{
    struct str part, rest = path;

    while (str_cut(&rest, STR("/"), &part))
        if (str_eq(part, module))
            return true;
    return str_skip(&rest, module) && str_starts(rest, STR(".")) &&
           (str_ends(rest, STR(".so")) || str_ends(rest, STR(".py")));
}

static void check_expected(const struct artifact *wheel, const struct zip *zip, struct err *e)
{
    const struct strs *expect = &wheel->source->expect;
    const struct zip_entry *entry;

    for (size_t i = 0; i < expect->n; i++) {
        bool found = false;

        vec_each(entry, &zip->entries)
            found |= is_module(entry->name, expect->v[i]);
        if (!found)
            err_set(e, ERR_INPUT, "%s has no module " STR_FMT ", which `expect` names",
                    wheel->file.p, STR_ARG(expect->v[i]));
    }
}

/* Does the wheel have what it was built for? */
static int check_made(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    const struct artifact_source *s = wheel->source;
    const struct recipe_build *b = recipe_build_of(&x->work->recipe, wheel->name);
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};
    struct err fault = {0};

    if (!s->expect.n && !sealed_sees_cuda(s))
        return 0;
    if (cas_input(&input, x->work->cas, &wheel->digest, wheel->file.p, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    check_expected(wheel, &zip, &fault);
    if (sealed_sees_cuda(s) &&
        device_code_check(&zip, &s->archs, b && b->archs.n, wheel, x->session->events, &fault) < 0)
        return err_join(e, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

char *sealed_folder(const char *dir, const struct artifact *wheel)
{
    CLEANUP(free_clear) char *name = str_dup(wheel->source->abi);

    return *name ? path_join(dir, name) : xstrdup(dir);
}

/* As torch tells those who compile for it. */
static int read_abi(bool *cxx11, const struct sealed *x, const struct artifact *torch,
                    struct err *e)
{
    static const char file[] = "torch/share/cmake/Torch/TorchConfig.cmake";
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct zip_entry *entry;
    struct str rest, before;

    if (cas_input(&input, x->work->cas, &torch->digest, torch->file.p, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    entry = zip_find(&zip, str_of(file));
    if (entry && content_read(inflater, &entry->content, &text, CONFIG_MAX, torch->file.p, e) < 0)
        return -1;
    rest = buf_view(&text);
    *cxx11 =
        !str_cut(&rest, STR("_GLIBCXX_USE_CXX11_ABI="), &before) || !str_starts(rest, STR("0"));
    return 0;
}

/* What an extension of torch is bound to: its very version, and the names of C++'s library. */
static int take_abi(struct sealed *x, struct artifact_source *s, struct err *e)
{
    struct arena *arena = &x->work->lock.doc.arena;

    for (size_t i = 0; i < s->requires_n; i++) {
        const struct artifact *torch = &s->requires[i];
        bool cxx11;

        if (!str_is(torch->name, "torch") || !sealed_of_root(torch))
            continue;
        if (sealed_fetch(x, torch, 1, NULL, NULL, e) < 0 || read_abi(&cxx11, x, torch, e) < 0)
            return -1;
        s->abi = str_of(arena_fmt(arena, "torch" STR_FMT "cxx11abi%s", STR_ARG(torch->version),
                                  cxx11 ? "TRUE" : "FALSE"));
    }
    return 0;
}

/* Export and import of `envbuild wheel`: what has the digest of the lock is as good as built. */
static int take_beside(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    CLEANUP(free_clear) char *wheels = path_join(x->work->dir, "wheels");
    CLEANUP(free_clear) char *folder = sealed_folder(wheels, wheel);
    CLEANUP(free_clear) char *name = str_dup(wheel->file), *path = path_join(folder, name);
    CLEANUP(cas_put_clear) struct cas_put put = {0};
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(fd_clear) struct fd fd = {0};
    struct err fault = {0};
    uint64_t size;

    if (!fs_exists(path))
        return 0;
    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, &size, path, e) < 0 ||
        cas_put_open(&put, x->work->cas, &wheel->digest, size, e) < 0)
        return -1;
    from = source_file_take(&fd, 0, size, path);
    if (source_copy(from, &put.sink, NULL, &fault) == 0 && sink_finish(&put.sink, &fault) == 0)
        return 0;
    if (fault.kind != ERR_INTEGRITY)
        return err_join(e, &fault);
    err_clear(&fault);
    events_warn(x->session->events, "%s is not the wheel of the lock; it is left alone", path);
    return 0;
}

/* Is the wheel that the lock has at hand? */
static int have(const struct sealed *x, const struct artifact *wheel, bool *is, struct err *e)
{
    *is = digest_is_set(&wheel->digest) && cas_has(x->work->cas, &wheel->digest, wheel->size);
    if (*is || !digest_is_set(&wheel->digest))
        return 0;
    if (take_beside(x, wheel, e) < 0)
        return -1;
    *is = cas_has(x->work->cas, &wheel->digest, wheel->size);
    return 0;
}

static int list_made(struct strs *out, struct sealed *x, const struct seal_wheel *made,
                     struct err *e)
{
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};

    if (cas_input(&input, x->work->cas, &made->digest, made->file, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    *out = rebuilt_list(&x->work->lock.doc.arena, &zip);
    return 0;
}

/* Where the lock says what comes out, that comes out, or what differs is told. */
static int check_same(struct sealed *x, const struct artifact *wheel, const struct seal_wheel *made,
                      const struct strs *files, struct err *e)
{
    char want[DIGEST_TEXT + 1], got[DIGEST_TEXT + 1];
    CLEANUP(buf_clear) struct buf words = {0};

    if (!digest_is_set(&wheel->digest) || digest_eq(&wheel->digest, &made->digest))
        return 0;
    digest_text(&wheel->digest, want);
    digest_text(&made->digest, got);
    if (wheel->source->made.n)
        rebuilt_differ(&words, &wheel->source->made, files);
    if (x->how.rebuild_ok) {
        events_warn(x->session->events, STR_FMT " " STR_FMT ": the lock takes another wheel%s%s",
                    STR_ARG(wheel->name), STR_ARG(wheel->version), words.len ? ": " : "",
                    words.len ? words.p : "");
        return 0;
    }
    return err_set(e, ERR_INTEGRITY,
                   "built again it is %s of %llu bytes (%s), and the lock has %s of %llu bytes "
                   "(%s)%s%s: not all of it repeats, or the tools changed; `build --rebuild-ok` "
                   "takes the new one into the lock",
                   got, (unsigned long long)made->size, made->file, want,
                   (unsigned long long)wheel->size, wheel->file.p, words.len ? "; " : "",
                   words.len ? words.p : "");
}

static int take_result(struct sealed *x, struct artifact *wheel, const struct seal_wheel *made,
                       struct err *e)
{
    struct arena *arena = &x->work->lock.doc.arena;
    struct artifact_source *own = arena_alloc(arena, sizeof *own);
    struct strs files = {0};

    *own = *wheel->source;
    if (list_made(&files, x, made, e) < 0 || check_same(x, wheel, made, &files, e) < 0 ||
        take_abi(x, own, e) < 0)
        return -1;
    /* A list that a lock lacks stays away; a project is another one with each edit. */
    if (!digest_eq(&wheel->digest, &made->digest) && !artifact_is_project(wheel))
        own->made = files;
    wheel->source = own;
    wheel->file = arena_str(arena, str_of(made->file));
    wheel->size = made->size;
    wheel->digest = made->digest;
    if (artifact_is_project(wheel) && own_source_take(x->work, wheel, e) < 0)
        return -1;
    return check_made(x, wheel, e);
}

/* A lock is a file that strangers edit: only the recipe says what may run. */
static int check_allowed(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    if (artifact_is_project(wheel) ? own_source_is(x->work, wheel)
                                   : recipe_may_build(&x->work->recipe, wheel->name))
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s builds " STR_FMT " from source, and `%s` of the recipe does not name it",
                   x->work->lock_path ? x->work->lock_path : "the lock", STR_ARG(wheel->name),
                   artifact_is_project(wheel) ? "project" : "build");
}

static int ask_wheel(void *ctx, const struct seal_build *b, const struct seal_means *m,
                     struct err *e)
{
    return seal_wheel(ctx, b, m, e);
}

int sealed_build(struct sealed *x, struct artifact *wheel, const struct lock *lock,
                 const struct artifact *pip, struct err *e)
{
    CLEANUP(seal_wheel_clear) struct seal_wheel made = {0};
    bool there;

    if (check_allowed(x, wheel, e) < 0 || have(x, wheel, &there, e) < 0)
        return -1;
    if (there)
        return 0;
    if (sealed_run(x, wheel, lock, pip, ask_wheel, &made, e) < 0)
        return -1;
    return take_result(x, wheel, &made, e) < 0 ? sealed_say_which(wheel, e) : 0;
}

static int need_pip(const struct sealed *x, const struct artifact **pip, struct err *e)
{
    *pip = lock_find(&x->work->lock, ECO_WHEEL, STR("pip"));
    if (*pip)
        return 0;
    return err_set(e, ERR_INPUT, "%s builds wheels, and has no pip", x->work->lock_path);
}

int sealed_first(struct sealed *x, bool *changed, struct err *e)
{
    struct lock *lock = &x->work->lock;
    const struct artifact *pip;
    struct artifact *a;

    *changed = false;
    vec_each(a, &lock->artifacts) {
        struct digest before = a->digest;

        if (!a->source || (digest_is_set(&before) && !x->how.rebuild_ok))
            continue;
        if (need_pip(x, &pip, e) < 0 || sealed_build(x, a, lock, pip, e) < 0)
            return -1;
        *changed |= !digest_eq(&before, &a->digest);
    }
    return 0;
}

int sealed_have(struct sealed *x, const struct artifact *artifacts, size_t n, struct err *e)
{
    const struct artifact *pip;

    for (size_t i = 0; i < n; i++) {
        struct artifact wheel = artifacts[i];

        if (wheel.source &&
            (need_pip(x, &pip, e) < 0 || sealed_build(x, &wheel, &x->work->lock, pip, e) < 0))
            return -1;
    }
    return 0;
}
