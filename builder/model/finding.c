/* SPDX-License-Identifier: Apache-2.0 */
#include "finding.h"

#include "../base/path.h"
#include "../pkg/pypi/pep508.h"

enum { TOLD = 5 }; /* of one rank, one by one */

static const char *const rank_names[] = {[FINDING_IMPORT] = "import",
                                         [FINDING_REQUESTED] = "requested-plug-in",
                                         [FINDING_OTHER] = "other"};

bool finding_is_named(const struct lock *lock, struct str owner)
{
    CLEANUP(buf_clear) struct buf name = {0};
    const struct artifact *a;

    pep503_normalise(&name, owner);
    a = lock_find(lock, ECO_WHEEL, buf_view(&name));
    if (!a)
        a = lock_find(lock, ECO_DEB, owner);
    return a && a->requested && (a->eco == ECO_WHEEL || str_is(a->group, "apt"));
}

/* Where what is said of the file begins. */
static size_t verb_at(struct str words)
{
    static const char *const verbs[] = {" needs ", " is started by ", " takes "};
    size_t at = words.len;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        size_t found = str_find_str(words, str_of(verbs[i]));

        at = found < at ? found : at;
    }
    return at;
}

void finding_read(struct finding *out, const struct lock *lock, struct str words)
{
    bool plugin = str_skip(&words, STR(FINDING_PLUGIN));
    size_t at = verb_at(words), open;
    struct str who = str_sub(words, 0, at);

    *out = (struct finding){.file = who, .what = str_trim(str_sub(words, at, words.len))};
    open = str_find_str(who, STR(" ("));
    if (open < who.len && str_ends(who, STR(")"))) {
        out->file = str_sub(who, 0, open);
        out->owner = str_sub(who, open + 2, who.len - open - 3);
    }
    if (str_starts(out->what, STR("takes ")))
        out->rank = FINDING_OTHER;
    else if (!plugin)
        out->rank = FINDING_IMPORT;
    else
        out->rank = out->owner.len && finding_is_named(lock, out->owner) ? FINDING_REQUESTED
                                                                         : FINDING_OTHER;
}

/* ---- what is told of new ones ---- */

/* What plug-ins of one package lack is one line. */
struct plugins {
    struct str owner;
    struct finding first;
    size_t n;
};
struct plugins_list VEC_OF(struct plugins);

static void add_plugin(struct plugins_list *list, const struct finding *f)
{
    struct plugins *p;

    vec_each(p, list) {
        if (!str_eq(p->owner, f->owner))
            continue;
        p->n++;
        return;
    }
    *(struct plugins *)vec_push(list) = (struct plugins){f->owner, *f, 1};
}

static void say_plugins(struct names *out, const struct plugins *p)
{
    CLEANUP(buf_clear) struct buf line = {0};

    buf_fmt(&line, STR_FMT ": " STR_FMT " " STR_FMT, STR_ARG(p->owner),
            STR_ARG(path_base(p->first.file)), STR_ARG(p->first.what));
    if (p->n > 1)
        buf_fmt(&line, "; %zu more of its plug-ins lack something", p->n - 1);
    buf_puts(&line, "; it is met only where that plug-in is asked for");
    names_add(out, line.p);
}

void findings_summary(struct names *out, const struct lock *lock, const char *recipe)
{
    CLEANUP(buf_clear) struct buf line = {0};
    struct plugins_list plugins = {0};
    const struct plugins *p;
    const struct str *words;
    size_t imports = 0, told = 0;

    vec_each(words, &lock->findings) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct finding f;

        finding_read(&f, lock, *words);
        if (f.rank == FINDING_REQUESTED)
            add_plugin(&plugins, &f);
        if (f.rank != FINDING_IMPORT || imports++ >= TOLD)
            continue;
        buf_str(&text, *words);
        names_add(out, text.p);
        told++;
    }
    vec_each(p, &plugins) {
        if (p - plugins.v >= TOLD)
            break;
        say_plugins(out, p);
        told += p->n;
    }
    vec_clear(&plugins);
    if (told == lock->findings.n)
        return;
    buf_fmt(&line, "%zu %snote%s on how libraries load; `envbuild explain --findings %s` lists all",
            lock->findings.n - told, told ? "more " : "", lock->findings.n - told == 1 ? "" : "s",
            recipe);
    names_add(out, line.p);
}

/* ---- all of them ---- */

void findings_print(struct buf *out, const struct lock *lock)
{
    static const char *const heads[] = {[FINDING_IMPORT] = "would not load",
                                        [FINDING_REQUESTED] =
                                            "plug-ins of packages that the recipe names",
                                        [FINDING_OTHER] = "others"};
    const struct str *words;

    if (!lock->built)
        buf_puts(out, "nothing is known before the first build\n");
    else if (!lock->findings.n)
        buf_puts(out, "everything in the image would load\n");
    for (size_t rank = 0; rank < ARRAY_LEN(heads); rank++) {
        bool headed = false;

        vec_each(words, &lock->findings) {
            struct finding f;

            finding_read(&f, lock, *words);
            if (f.rank != rank)
                continue;
            if (!headed)
                buf_fmt(out, "%s\n", heads[rank]);
            headed = true;
            buf_fmt(out, "  " STR_FMT "\n", STR_ARG(*words));
        }
    }
}

void findings_put(struct doc *d, struct node *root, const struct lock *lock)
{
    const struct str *words;
    struct node *list;

    if (!lock->built) /* then nothing was looked for */
        return;
    list = node_put(d, root, "findings", node_new_list(d));
    vec_each(words, &lock->findings) {
        struct node *n = node_add(d, list, node_new_map(d));
        struct finding f;

        finding_read(&f, lock, *words);
        node_put_str(d, n, "rank", str_of(rank_names[f.rank]));
        node_put_str(d, n, "package", f.owner);
        node_put_str(d, n, "file", f.file);
        node_put_str(d, n, "sentence", *words);
    }
}
