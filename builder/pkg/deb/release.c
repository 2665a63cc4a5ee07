/* pkg/deb/release.c - a suite's signed InRelease: who signed it, when, and the hashes of its
 * indexes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "release.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../base/date.h"
#include "../../base/fs.h"
#include "../../base/path.h"
#include "../../io/program.h"
#include "control.h"

enum { STATUS_MAX = 1 << 20, INRELEASE_MAX = 16 << 20, FINGERPRINT_HEX = 40, SLACK_S = 10 };

/* A private folder for the files that gpgv reads and writes, removed with all in it. */
struct workroom {
    char path[64];
    bool made;
};

static int workroom_open(struct workroom *w, struct err *e)
{
    snprintf(w->path, sizeof w->path, "/tmp/envbuild-gpgv-%ld-XXXXXX", (long)getpid());
    if (!mkdtemp(w->path)) /* mode 0700 */
        return err_errno(e, "cannot make a folder in /tmp for gpgv");
    w->made = true;
    return 0;
}

static void workroom_clear(struct workroom *w)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* what stays behind is in /tmp and harmless */

    if (!w->made || fs_list(&names, w->path, &ignored) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *file = path_join(w->path, names.v[i]);
        unlink(file);
    }
    rmdir(w->path);
    w->made = false;
}

static int put_file(const struct workroom *w, const char *name, struct str text, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(w->path, name);
    CLEANUP(fd_clear) struct fd fd = {0};

    if (fd_open(&fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600, e) < 0)
        return -1;
    return fd_write_all(fd.n, text.p, text.len, path, e);
}

/* Run gpgv in `w`: the signed text goes to "payload". */
static int run_gpgv(const struct workroom *w, struct buf *status, int *code,
                    const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *keyring = path_join(w->path, "keyring");
    CLEANUP(free_clear) char *payload = path_join(w->path, "payload");
    CLEANUP(free_clear) char *inrelease = path_join(w->path, "InRelease");
    CLEANUP(program_clear) struct program *gpgv = NULL;
    CLEANUP(buf_clear) struct buf home = {0};
    struct program_end end;

    buf_fmt(&home, "GNUPGHOME=%s", w->path);
    char *argv[] = {"gpgv",     "--keyring", keyring,   "--status-fd", "1",
                    "--output", payload,     inrelease, NULL};
    char *envp[] = {"LC_ALL=C", home.p, NULL};
    const struct program_how how = {
        .name = "gpgv",
        .argv = argv,
        .env = envp,
        .missing = "cannot verify apt archives without gpgv; install the package \"gpgv\"",
        .errors = PROGRAM_ERRORS_DROPPED,
        .output_max = STATUS_MAX,
        .events = events};

    if (program_open(&gpgv, &how, e) < 0 || program_wait(gpgv, &end, e) < 0)
        return -1;
    if (end.signal)
        return err_set(e, ERR_SYSTEM, "gpgv was ended by signal %d", end.signal);
    buf_str(status, end.output);
    *code = end.code;
    return 0;
}

/* What the status lines said. doc/DETAILS of GnuPG describes them. */
struct verdict {
    struct strs signers; /* primary fingerprints of valid signatures that are on the list */
    struct str bad;      /* the first word that spoils everything; empty when none */
    struct str stranger; /* a valid signature's fingerprint that is not on the list */
    struct str missing;  /* a signature's key that the keyring lacks */
};

static void verdict_clear(struct verdict *v)
{
    vec_clear(&v->signers);
}

static bool has_fingerprint(const struct strs *list, struct str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq_nocase(list->v[i], s))
            return true;
    return false;
}

/* VALIDSIG fpr date time expire version reserved pk-algo hash-algo class primary-fpr. */
static void judge_valid(struct verdict *v, struct str rest, const struct strs *allowed)
{
    struct str word, hash = {0}, primary = {0};
    uint32_t algorithm;

    for (unsigned i = 0; str_word(&rest, &word); i++) {
        if (i == 7)
            hash = word;
        primary = word;
    }
    if (!str_u32(hash, &algorithm) || algorithm <= 3) /* MD5, SHA-1 and RIPEMD-160 prove nothing */
        v->bad = v->bad.len ? v->bad : STR("a weak digest algorithm");
    else if (primary.len != FINGERPRINT_HEX || (allowed && !has_fingerprint(allowed, primary)))
        v->stranger = primary;
    else if (!has_fingerprint(&v->signers, primary))
        vec_add(&v->signers, primary);
}

static void judge_line(struct verdict *v, struct str line, const struct strs *allowed)
{
    static const char *const fatal[] = {"BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG",
                                        "NODATA", "ERROR",  "FAILURE",   "UNEXPECTED"};
    struct str word;

    if (!str_skip(&line, STR("[GNUPG:] ")) || !str_word(&line, &word))
        return;
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        if (str_is(word, fatal[i]) && !v->bad.len)
            v->bad = word;
    if (str_is(word, "VALIDSIG"))
        judge_valid(v, line, allowed);
    else if (str_is(word, "NO_PUBKEY"))
        v->missing = str_trim(line);
    else if (str_is(word, "ERRSIG")) {
        /* ERRSIG keyid pk-algo hash-algo class time rc: rc 9 is a missing key, told above. */
        for (unsigned i = 0; i < 6 && str_word(&line, &word); i++)
            ;
        if (!str_is(word, "9") && !v->bad.len)
            v->bad = STR("ERRSIG");
    }
}

static int refuse(const struct verdict *v, int code, const char *what, struct err *e)
{
    if (v->bad.len)
        return err_set(e, ERR_INTEGRITY, "%s: the signature does not hold: gpgv says " STR_FMT,
                       what, STR_ARG(v->bad));
    if (v->stranger.len)
        return err_set(e, ERR_INTEGRITY,
                       "%s is signed by " STR_FMT
                       ", which is not among the fingerprints that may sign",
                       what, STR_ARG(v->stranger));
    if (v->missing.len)
        return err_set(e, ERR_INTEGRITY,
                       "%s is signed by key " STR_FMT ", which is not in the archive's keyring",
                       what, STR_ARG(v->missing));
    return err_set(e, ERR_INTEGRITY, "%s has no valid signature: gpgv ended with code %d", what,
                   code);
}

static int judge(struct verdict *v, struct str status, int code, const struct strs *allowed,
                 const char *what, struct err *e)
{
    struct str line;

    while (str_line(&status, &line))
        judge_line(v, line, allowed);
    if (v->bad.len || !v->signers.n || !(code == 0 || (code == 2 && v->missing.len)))
        return refuse(v, code, what, e);
    vec_sort(&v->signers, str_compare);
    return 0;
}

int release_verify(struct release *out, struct str inrelease, struct str keyring,
                   const struct strs *fingerprints, const char *what, const struct events *events,
                   struct err *e)
{
    CLEANUP(workroom_clear) struct workroom w = {0};
    CLEANUP(buf_clear) struct buf status = {0}, payload = {0};
    CLEANUP(verdict_clear) struct verdict verdict = {0};
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(free_clear) char *path = NULL;
    int code = -1;

    if (workroom_open(&w, e) < 0)
        return -1;
    path = path_join(w.path, "payload");
    if (put_file(&w, "InRelease", inrelease, e) < 0 || put_file(&w, "keyring", keyring, e) < 0 ||
        run_gpgv(&w, &status, &code, events, e) < 0 ||
        judge(&verdict, buf_view(&status), code, fingerprints, what, e) < 0 ||
        fs_read(&payload, path, INRELEASE_MAX, e) < 0 ||
        release_parse(&r, buf_view(&payload), what, e) < 0)
        return -1;
    for (size_t i = 0; i < verdict.signers.n; i++)
        vec_add(&r.signers, arena_str(&r.arena, verdict.signers.v[i]));
    MOVE(out, &r);
    return 0;
}

/* The list that `name` begins stands on the following lines: " hash size path". */
static int parse_indexes(struct release *out, struct str lines, const char *what, struct err *e)
{
    struct str line, hash, size;

    while (str_line(&lines, &line)) {
        struct release_index x = {0};
        if (!str_trim(line).len)
            continue;
        if (!str_word(&line, &hash) || !str_word(&line, &size) || !str_word(&line, &x.path) ||
            str_trim(line).len || !digest_from_hex(&x.digest, hash) || !str_u64(size, &x.size))
            return err_set(e, ERR_INPUT, "%s: a line of the SHA256 list is not \"hash size path\"",
                           what);
        vec_add(&out->indexes, x);
    }
    return 0;
}

static int index_compare(const void *a, const void *b)
{
    const struct release_index *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

static void split_words(struct strs *out, struct str text)
{
    struct str word;

    while (str_word(&text, &word))
        vec_add(out, word);
}

static int parse_dates(struct release *r, const struct control *c, const char *what, struct err *e)
{
    struct str date = control_get(c, "Date"), until = control_get(c, "Valid-Until");

    if (!date_parse_mail(&r->date, date))
        return err_set(e, ERR_INPUT, "%s: Date: \"" STR_FMT "\" is not a date in UTC", what,
                       STR_ARG(date));
    if (until.len && !date_parse_mail(&r->valid_until, until))
        return err_set(e, ERR_INPUT, "%s: Valid-Until: \"" STR_FMT "\" is not a date in UTC", what,
                       STR_ARG(until));
    return 0;
}

int release_parse(struct release *out, struct str payload, const char *what, struct err *e)
{
    CLEANUP(control_clear) struct control c = {0};
    CLEANUP(release_clear) struct release r = {0};
    struct str text = arena_str(&r.arena, payload);
    bool more;

    if (control_next(&c, &text, &more, what, e) < 0)
        return -1;
    if (!more || str_trim(text).len)
        return err_set(e, ERR_INPUT, "%s is not one paragraph of fields", what);
    r.suite = control_get(&c, "Suite");
    r.codename = control_get(&c, "Codename");
    r.by_hash = str_eq_nocase(control_get(&c, "Acquire-By-Hash"), STR("yes"));
    r.not_automatic = str_eq_nocase(control_get(&c, "NotAutomatic"), STR("yes"));
    r.automatic_upgrades = str_eq_nocase(control_get(&c, "ButAutomaticUpgrades"), STR("yes"));
    split_words(&r.components, control_get(&c, "Components"));
    split_words(&r.architectures, control_get(&c, "Architectures"));
    if (parse_dates(&r, &c, what, e) < 0 ||
        parse_indexes(&r, control_get(&c, "SHA256"), what, e) < 0)
        return -1;
    if (!r.indexes.n)
        return err_set(e, ERR_INPUT, "%s lists no SHA256 of its indexes", what);
    vec_sort(&r.indexes, index_compare);
    MOVE(out, &r);
    return 0;
}

int release_check(const struct release *r, struct str suite, int64_t now, bool dated,
                  const char *what, struct err *e)
{
    if (!str_eq(r->suite, suite) && !str_eq(r->codename, suite))
        return err_set(e, ERR_INTEGRITY,
                       "%s: asked for suite \"" STR_FMT "\", got suite \"" STR_FMT
                       "\", codename \"" STR_FMT "\"",
                       what, STR_ARG(suite), STR_ARG(r->suite), STR_ARG(r->codename));
    if (r->date > now + SLACK_S)
        return err_set(e, ERR_INTEGRITY,
                       "%s: its Date is %lld s in the future; is this machine's clock right?", what,
                       (long long)(r->date - now));
    if (!dated && r->valid_until && r->valid_until + SLACK_S < now)
        return err_set(e, ERR_INTEGRITY,
                       "%s: its Valid-Until passed %lld days ago; the mirror is stale or somebody "
                       "holds updates back",
                       what, (long long)(now - r->valid_until) / 86400);
    return 0;
}

void release_clear(struct release *r)
{
    vec_clear(&r->components);
    vec_clear(&r->architectures);
    vec_clear(&r->signers);
    vec_clear(&r->indexes);
    arena_clear(&r->arena);
}

const struct release_index *release_find(const struct release *r, struct str path)
{
    struct release_index key = {.path = path};

    return r->indexes.n ? bsearch(&key, r->indexes.v, r->indexes.n, sizeof key, index_compare)
                        : NULL;
}
