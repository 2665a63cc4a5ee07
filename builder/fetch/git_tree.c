/* SPDX-License-Identifier: Apache-2.0 */
#include "git_tree.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/program.h"
#include "../pkg/pypi/pep440.h"
#include "git_parts.h"

enum { SAID_MAX = 256 << 20, DEPTH_MAX = 16, SHORT = 7 /* digits of a commit */ };

bool git_tree_is(const char *dir)
{
    CLEANUP(err_clear) struct err none = {0}; /* then it is none */
    char *at = NULL;
    bool found = false, top = fs_absolute(&at, dir, &none) < 0;

    while (!found && !top) {
        CLEANUP(free_clear) char *git = path_join(at, ".git"), *was = at;

        found = fs_exists(git);
        at = path_dir(was);
        top = strcmp(at, was) == 0;
    }
    free(at);
    return found;
}

static int run(struct buf *out, const char *dir, const char *const *args,
               const struct events *events, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(names_clear) struct names argv = {0}, env = {0};
    CLEANUP(program_clear) struct program *program = NULL;
    const char *const words[] = {
        "git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-C", dir};
    struct program_end end;
    struct err fault = {0};

    buf_fmt(&name, "git %s in %s", args[0], dir);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        names_add(&argv, words[i]);
    for (; *args; args++)
        names_add(&argv, *args);
    vec_add(&argv, NULL);
    names_add(&env, "GIT_OPTIONAL_LOCKS=0");
    git_inherit(&env);
    vec_add(&env, NULL);
    const struct program_how how = {.name = name.p,
                                    .argv = argv.v,
                                    .env = env.v,
                                    .missing = "there is no program git, which knows what belongs "
                                               "to this project; install git",
                                    .errors = PROGRAM_ERRORS_OUTPUT,
                                    .output_max = SAID_MAX,
                                    .events = events};

    if (program_open(&program, &how, e) < 0 || program_wait(program, &end, e) < 0)
        return -1;
    if (program_judge(&end, name.p, NULL, &fault) < 0) {
        fault.kind = ERR_INPUT;
        return err_join(e, &fault);
    }
    buf_str(out, end.output);
    return 0;
}

/* ---- files ---- */

static int list(struct names *out, const char *dir, const char *inside, unsigned depth,
                const struct events *events, struct err *e);

/* A submodule is a folder among the files; one that was never fetched has no files here. */
static int add(struct names *out, const char *dir, const char *path, const char *inside,
               unsigned depth, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *at = path_join(dir, path), *git = path_join(at, ".git");
    CLEANUP(free_clear) char *whole = path_join(inside, path);

    if (fs_exists(git))
        return depth < DEPTH_MAX ? list(out, at, whole, depth + 1, events, e) : 0;
    names_add(out, whole);
    return 0;
}

static int list(struct names *out, const char *dir, const char *inside, unsigned depth,
                const struct events *events, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};
    struct str rest, item;
    int result = 0;

    if (run(&said, dir, (const char *const[]){"ls-files", "-z", "-co", "--exclude-standard", NULL},
            events, e) < 0)
        return -1;
    rest = buf_view(&said);
    while (result == 0 && str_item(&rest, '\0', &item)) {
        CLEANUP(free_clear) char *path = str_dup(item);

        if (item.len && !str_ends(item, STR("/"))) /* a repository that is none of this one */
            result = add(out, dir, path, inside, depth, events, e);
    }
    return result;
}

int git_tree_list(struct names *out, const char *dir, const struct events *events, struct err *e)
{
    size_t n = 0;

    if (list(out, dir, "", 0, events, e) < 0)
        return -1;
    vec_sort(out, strp_compare);
    for (size_t i = 0; i < out->n; i++) /* one that is being merged is there thrice */
        if (n && strcmp(out->v[n - 1], out->v[i]) == 0)
            free(out->v[i]);
        else
            out->v[n++] = out->v[i];
    out->n = n;
    return 0;
}

/* ---- the version ---- */

/* "1.2.0" as "1.2.1", "1.0rc1" as "1.0rc2": the number that it ends in. */
static void put_next(struct buf *out, struct str version)
{
    size_t at = version.len;
    uint64_t n = 0;

    while (at && c_digit(version.p[at - 1]))
        at--;
    (void)str_u64(str_sub(version, at, version.len), &n);
    buf_fmt(out, STR_FMT "%llu", STR_ARG(str_sub(version, 0, at)), (unsigned long long)n + 1);
}

/* "v1.2.0-3-g0123456789": a tag, commits since it, and the last one. */
static bool describe(struct buf *out, struct str said)
{
    struct str node, since, tag = said;
    struct pep440 unused;
    size_t at = 0;

    if (!str_cut_last(&tag, STR("-g"), &node) || !str_cut_last(&tag, STR("-"), &since))
        return false;
    while (at < tag.len && !c_digit(tag.p[at]))
        at++;
    tag = str_sub(tag, at, tag.len);
    tag = str_sub(tag, 0, str_find(tag, '+'));
    if (!pep440_parse(&unused, tag))
        return false;
    if (str_is(since, "0")) {
        buf_str(out, tag);
        return true;
    }
    put_next(out, tag);
    buf_fmt(out, ".dev" STR_FMT "+g" STR_FMT, STR_ARG(since), STR_ARG(str_sub(node, 0, SHORT)));
    return true;
}

bool git_tree_version(struct buf *out, const char *dir, const struct events *events)
{
    CLEANUP(err_clear) struct err none = {0}; /* no tag, no commit */
    CLEANUP(buf_clear) struct buf said = {0}, count = {0}, node = {0};

    if (run(&said, dir,
            (const char *const[]){"describe", "--tags", "--long", "--abbrev=40", "--match",
                                  "*[0-9]*", NULL},
            events, &none) == 0)
        return describe(out, str_trim(buf_view(&said)));
    err_clear(&none);
    if (run(&count, dir, (const char *const[]){"rev-list", "--count", "HEAD", NULL}, events,
            &none) < 0 ||
        run(&node, dir, (const char *const[]){"rev-parse", "HEAD", NULL}, events, &none) < 0)
        return false;
    buf_fmt(out, "0.1.dev" STR_FMT "+g" STR_FMT, STR_ARG(str_trim(buf_view(&count))),
            STR_ARG(str_sub(str_trim(buf_view(&node)), 0, SHORT)));
    return true;
}
