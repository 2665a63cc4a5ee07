/* SPDX-License-Identifier: Apache-2.0 */
#include "git.h"

#include <unistd.h>

#include "../base/path.h"
#include "../io/program.h"
#include "../store/unpacked.h"
#include "git_parts.h"

enum { SAID_MAX = 256 << 20, TAGS_MAX = 64 };

static const uint64_t archive_max = (uint64_t)16 << 30; /* bytes */

/* ---- running git ---- */

/* All but its own: these may name hooks, folders and settings. */
void git_inherit(struct names *env)
{
    names_add(env, "LC_ALL=C.UTF-8");
    for (char **v = environ; *v; v++)
        if (!str_starts(str_of(*v), STR("GIT_")) && !str_starts(str_of(*v), STR("LC_ALL=")) &&
            !str_starts(str_of(*v), STR("LANGUAGE=")) &&
            !str_starts(str_of(*v), STR("SSH_ASKPASS")))
            names_add(env, *v);
}

void git_environment(struct names *env, const struct git_repo *r)
{
    names_add(env, "GIT_CONFIG_NOSYSTEM=1");
    names_add(env, "GIT_CONFIG_GLOBAL=/dev/null");
    names_add(env, "GIT_TERMINAL_PROMPT=0");
    names_add(env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes");
    names_add(env, r->file ? "GIT_ALLOW_PROTOCOL=file" : "GIT_ALLOW_PROTOCOL=https:http:ssh:git");
    git_inherit(env);
    vec_add(env, NULL);
}

void git_arguments(struct names *argv, const struct git_repo *r)
{
    static const char *const settings[] = {
        "core.hooksPath=/dev/null", "core.fsmonitor=false",   "core.askPass=",
        "credential.helper=",       "protocol.version=2",     "gc.auto=0",
        "maintenance.auto=false",   "log.showSignature=false"};

    names_add(argv, "git");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        names_add(argv, "-c");
        names_add(argv, settings[i]);
    }
    names_add(argv, "--git-dir");
    names_add(argv, r->dir);
}

int git_run(struct buf *out, const struct git_repo *r, bool remote, const char *const *args,
            struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(names_clear) struct names argv = {0}, env = {0};
    CLEANUP(program_clear) struct program *program = NULL;
    struct program_end end;
    struct err fault = {0};

    buf_fmt(&name, "git %s", args[0]);
    git_arguments(&argv, r);
    for (; *args; args++)
        names_add(&argv, *args);
    vec_add(&argv, NULL);
    git_environment(&env, r);
    const struct program_how how = {.name = name.p,
                                    .argv = argv.v,
                                    .env = env.v,
                                    .missing = GIT_MISSING,
                                    .errors =
                                        remote ? PROGRAM_ERRORS_OUTPUT : PROGRAM_ERRORS_DROPPED,
                                    .output_max = SAID_MAX,
                                    .events = r->means->events};

    if (program_open(&program, &how, e) < 0 || program_wait(program, &end, e) < 0)
        return -1;
    buf_str(out, end.output);
    if (program_judge(&end, name.p, NULL, &fault) == 0)
        return 0;
    if (remote && fault.kind == ERR_SYSTEM)
        fault.kind = ERR_NET;
    return err_join(e, &fault);
}

int git_repo_open(struct git_repo *out, const struct git_means *means, const char *dir,
                  struct str url, bool file, struct err *e)
{
    CLEANUP(git_repo_clear)
    struct git_repo made = {.means = means, .dir = xstrdup(dir), .url = url, .file = file};
    CLEANUP(buf_clear) struct buf said = {0};

    if (git_run(&said, &made, false,
                (const char *const[]){"init", "-q", "--bare", "--template=", "--object-format=sha1",
                                      NULL},
                e) < 0)
        return -1;
    MOVE(out, &made);
    return 0;
}

void git_repo_clear(struct git_repo *r)
{
    free_clear(&r->dir);
}

/* ---- the other side ---- */

static int fetch(const struct git_repo *r, const struct names *refspecs, bool shallow,
                 struct err *e)
{
    CLEANUP(free_clear) char *url = str_dup(r->url);
    CLEANUP(buf_clear) struct buf said = {0};
    struct VEC_OF(const char *) args = {0};
    int result;

    vec_add(&args, "fetch");
    vec_add(&args, "-q");
    vec_add(&args, "--no-write-fetch-head");
    vec_add(&args, "--no-recurse-submodules");
    if (shallow)
        vec_add(&args, "--depth=1");
    vec_add(&args, "--");
    vec_add(&args, url);
    for (size_t i = 0; i < refspecs->n; i++)
        vec_add(&args, refspecs->v[i]);
    vec_add(&args, NULL);
    result = git_run(&said, r, true, args.v, e);
    vec_clear(&args);
    return result;
}

static int fetch_all(const struct git_repo *r, struct err *e)
{
    CLEANUP(names_clear) struct names specs = {0};

    names_add(&specs, "+refs/heads/*:refs/all/*");
    names_add(&specs, "+refs/tags/*:refs/tags/*");
    return fetch(r, &specs, false, e);
}

/* Servers before protocol 2 hand out a commit only by a name of theirs. */
int git_fetch_commit(const struct git_repo *r, struct str commit, bool shallow, struct err *e)
{
    CLEANUP(buf_clear) struct buf spec = {0};
    CLEANUP(names_clear) struct names specs = {0};
    struct err fault = {0};

    buf_fmt(&spec, "+" STR_FMT ":refs/it", STR_ARG(commit));
    names_add(&specs, spec.p);
    if (fetch(r, &specs, shallow, &fault) == 0)
        return 0;
    if (fault.kind != ERR_NET || !strstr(fault.msg, "unadvertised object"))
        return err_join(e, &fault);
    err_clear(&fault);
    return fetch_all(r, e);
}

/* Append the commit of a name that the repository has here. */
static int rev_parse(struct buf *out, const struct git_repo *r, struct str name, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0}, what = {0};
    struct err fault = {0};

    buf_fmt(&what, STR_FMT "^{commit}", STR_ARG(name));
    if (git_run(
            &said, r, false,
            (const char *const[]){"rev-parse", "-q", "--verify", "--end-of-options", what.p, NULL},
            &fault) < 0 &&
        fault.kind != ERR_SYSTEM)
        return err_join(e, &fault);
    err_clear(&fault);
    if (!git_ref_is_commit(str_trim(buf_view(&said))))
        return err_set(e, ERR_INPUT, "it has no commit " STR_FMT, STR_ARG(name));
    buf_str(out, str_trim(buf_view(&said)));
    return 0;
}

/* A branch before a tag, as with pip; of a tag what it is put on. */
static void pick_ref(struct buf *out, struct str said, struct str ref)
{
    static const char *const forms[][2] = {
        {"", ""}, {"refs/heads/", ""}, {"refs/tags/", "^{}"}, {"refs/tags/", ""}};

    for (size_t i = 0; i < ARRAY_LEN(forms) && !out->len; i++) {
        CLEANUP(buf_clear) struct buf want = {0};
        struct str rest = said, line, commit;

        if (!i && ref.len && !str_starts(ref, STR("refs/"))) /* of a full name alone */
            continue;
        buf_fmt(&want, "%s" STR_FMT "%s", forms[i][0], STR_ARG(ref.len ? ref : STR("HEAD")),
                forms[i][1]);
        while (!out->len && str_line(&rest, &line))
            if (str_cut(&line, STR("\t"), &commit) && str_eq(line, buf_view(&want)) &&
                git_ref_is_commit(commit))
                buf_str(out, commit);
    }
}

/* Append the object that the other side has under that name now. */
static int find_ref(struct buf *out, const struct git_repo *r, struct str ref, struct err *e)
{
    CLEANUP(free_clear) char *url = str_dup(r->url);
    CLEANUP(buf_clear) struct buf said = {0};

    if (git_run(&said, r, true, (const char *const[]){"ls-remote", "--", url, NULL}, e) < 0)
        return -1;
    pick_ref(out, buf_view(&said), ref);
    return 0;
}

static bool may_be_short(struct str ref)
{
    size_t n = 0;

    while (n < ref.len && (c_digit(ref.p[n]) || (ref.p[n] >= 'a' && ref.p[n] <= 'f')))
        n++;
    return n == ref.len && n >= 7;
}

/* Fetch what `ref` names, and append its commit. */
static int fetch_ref(struct buf *out, const struct git_repo *r, struct str ref, struct err *e)
{
    CLEANUP(buf_clear) struct buf found = {0};

    if (git_ref_is_commit(ref))
        buf_str(&found, ref);
    else if (find_ref(&found, r, ref, e) < 0)
        return -1;
    if (found.len)
        return git_fetch_commit(r, buf_view(&found), false, e) < 0
                   ? -1
                   : rev_parse(out, r, buf_view(&found), e);
    if (may_be_short(ref))
        return fetch_all(r, e) < 0 ? -1 : rev_parse(out, r, ref, e);
    return err_set(e, ERR_INPUT, "it has no branch and no tag %s" STR_FMT,
                   ref.len ? "" : "that HEAD names", STR_ARG(ref));
}

static int fetch_known(const struct git_repo *r, const struct git_commit *known, struct err *e)
{
    CLEANUP(names_clear) struct names specs = {0};

    if (git_fetch_commit(r, known->commit, false, e) < 0)
        return -1;
    for (size_t i = 0; i < known->tags.n; i++) {
        CLEANUP(buf_clear) struct buf spec = {0};

        buf_fmt(&spec, "+refs/tags/" STR_FMT ":refs/tags/" STR_FMT, STR_ARG(known->tags.v[i]),
                STR_ARG(known->tags.v[i]));
        names_add(&specs, spec.p);
    }
    return specs.n ? fetch(r, &specs, false, e) : 0;
}

/* ---- tags ---- */

/* What stands before the first digit, where git takes it for itself in a pattern. */
static bool prefix_of(struct str *out, struct str tag)
{
    size_t n = 0;

    while (n < tag.len && !c_digit(tag.p[n]))
        if (strchr("*?[]\\", tag.p[n++]))
            return false;
    *out = str_sub(tag, 0, n);
    return n < tag.len;
}

static int nearest(struct strs *out, struct arena *a, const struct git_repo *r, struct str prefix,
                   const char *commit, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0}, pattern = {0};

    buf_fmt(&pattern, STR_FMT "[0-9]*", STR_ARG(prefix));
    if (git_run(&said, r, false,
                (const char *const[]){"describe", "--tags", "--abbrev=0", "--match", pattern.p,
                                      commit, NULL},
                e) < 0)
        return -1;
    strs_add_once(out, arena_str(a, str_trim(buf_view(&said))));
    return 0;
}

static int choose_tags(struct strs *out, struct arena *a, const struct git_repo *r,
                       struct str commit, struct err *e)
{
    CLEANUP(free_clear) char *at = str_dup(commit);
    CLEANUP(buf_clear) struct buf merged = {0}, said = {0};
    struct strs prefixes = {0}, tags = {0};
    struct str rest, line, prefix;
    int result = 0;

    buf_fmt(&merged, "--merged=%s", at);
    if (git_run(&said, r, false,
                (const char *const[]){"for-each-ref", merged.p, "--format=%(refname:lstrip=2)",
                                      "refs/tags", NULL},
                e) < 0)
        return -1;
    rest = buf_view(&said);
    while (str_line(&rest, &line))
        if (prefix_of(&prefix, line) && prefixes.n < TAGS_MAX)
            strs_add_once(&prefixes, prefix);
    for (size_t i = 0; i < prefixes.n && result == 0; i++)
        result = nearest(&tags, a, r, prefixes.v[i], at, e);
    vec_sort(&tags, str_compare);
    out->v = arena_alloc(a, (tags.n + 1) * sizeof *out->v);
    out->n = tags.n;
    for (size_t i = 0; i < tags.n; i++)
        out->v[i] = tags.v[i];
    vec_clear(&tags);
    vec_clear(&prefixes);
    return result;
}

/* ---- all of it ---- */

static int make(struct git_commit *out, struct arena *a, const struct git_means *means,
                const struct git_ref *ref, struct str name, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *top = path_join(dir, "top");
    CLEANUP(git_repo_clear) struct git_repo r = {0};
    CLEANUP(cas_put_clear) struct cas_put put = {0};
    CLEANUP(buf_clear) struct buf commit = {0};
    const struct digest *expect = out->commit.len ? &out->digest : NULL;

    if (git_repo_open(&r, means, top, ref->url, str_starts(ref->url, STR("file:")), e) < 0)
        return -1;
    if (expect) {
        if (fetch_known(&r, out, e) < 0)
            return -1;
    } else {
        if (fetch_ref(&commit, &r, ref->ref, e) < 0)
            return -1;
        out->commit = arena_str(a, buf_view(&commit));
        if (choose_tags(&out->tags, a, &r, out->commit, e) < 0)
            return -1;
    }
    if (cas_put_open(&put, means->cas, expect, archive_max, e) < 0 ||
        git_archive(&put.sink, &r, dir, name, out->commit, &out->tags, e) < 0 ||
        sink_finish(&put.sink, e) < 0)
        return -1;
    out->digest = put.digest;
    out->size = put.size;
    return 0;
}

static void place_key(struct digest *out, const struct git_ref *ref)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_fmt(&text, "git " STR_FMT, STR_ARG(ref->url));
    hash_bytes(out, text.p, text.len);
}

int git_get(struct git_commit *out, struct arena *a, const struct git_means *means,
            const struct git_ref *ref, struct str name, struct err *e)
{
    CLEANUP(unpacked_clear) struct unpacked place = {0};
    CLEANUP(err_clear) struct err left = {0}; /* the next one here, or prune, removes it */
    struct git_commit made = *out;
    struct digest key;
    int result;

    if (made.commit.len && cas_has(means->cas, &made.digest, made.size))
        return 0;
    if (means->offline)
        return err_set(e, ERR_NET,
                       STR_FMT " is not in the store, and offline it cannot be fetched; run once "
                               "without --offline",
                       STR_ARG(ref->url));
    place_key(&key, ref);
    if (unpacked_open(&place, means->cas, UNPACKED_BUILD, &key, means->events, e) < 0)
        return -1;
    events_note(means->events, "git fetches " STR_FMT, STR_ARG(ref->url));
    result = make(&made, a, means, ref, name, place.files, e);
    (void)!unpacked_drop(&place, &left);
    if (result < 0 && e->kind == ERR_INTEGRITY)
        return err_wrap(e,
                        STR_FMT ": commit " STR_FMT
                                " is another file than in the lock, so a tag of "
                                "it moved or the lock was edited; `envbuild lock --upgrade " STR_FMT
                                "` takes what it is now",
                        STR_ARG(ref->url), STR_ARG(made.commit), STR_ARG(name));
    if (result < 0)
        return err_wrap(e, STR_FMT, STR_ARG(ref->url));
    *out = made;
    return 0;
}
