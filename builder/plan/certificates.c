/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include "../base/date.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"

enum { FILE_MAX = 4 << 20 };

struct taking {
    struct lock *lock;
    const struct value *name; /* as the recipe has it */
    int64_t now;
    const struct events *events;
};

static int fault(const struct taking *t, struct err *e, const char *what, const char *remedy)
{
    return err_at(e, &t->name->pos, "ca_certificates: \"" STR_FMT "\" %s%s", STR_ARG(t->name->text),
                  what, remedy);
}

/* What people have instead of certificates in PEM. */
static int check_text(const struct taking *t, struct str text, struct err *e)
{
    CLEANUP(buf_clear) struct buf remedy = {0};

    if (str_find_str(text, STR("PRIVATE KEY-----")) < text.len)
        return fault(t, e, "holds a private key, which everybody with the image would have",
                     "; give the certificates alone");
    if (str_find_str(text, STR("-----BEGIN ")) < text.len)
        return 0;
    if (!text.len || text.p[0] != '0') /* how a DER sequence begins */
        return fault(t, e, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", "");
    buf_fmt(&remedy, "; `openssl x509 -inform der -in " STR_FMT " -out ca.pem` makes PEM of it",
            STR_ARG(t->name->text));
    return fault(t, e, "is in DER, and PEM is wanted", remedy.p);
}

static void tell_ended(const struct taking *t, const struct cert *cert)
{
    CLEANUP(buf_clear) struct buf when = {0};

    if (cert->ends >= t->now)
        return;
    date_print(&when, cert->ends);
    events_warn(t->events,
                "ca_certificates: " STR_FMT
                ": the certificate \"%s\" ended at %s, so no program trusts it",
                STR_ARG(t->name->text), cert->subject.p, when.p);
}

/* "corp" of "ca/corp.pem", with what a shell or update-ca-certificates stumbles over as "_". */
static void stem_of(struct buf *out, struct str name)
{
    static const char *const ends[] = {".pem", ".crt", ".cer"};
    struct str base = path_base(name);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_drop(&base, str_of(ends[i])))
            break;
    for (size_t i = 0; i < base.len; i++)
        buf_putc(out, c_alnum(base.p[i]) || strchr("._-+", base.p[i]) ? base.p[i] : '_');
}

static void add_copy(struct lock *lock, struct str pem, const char *to)
{
    struct arena *a = &lock->doc.arena;
    struct lock_copy *copy = vec_push(&lock->copies);
    struct lock_file file = {.size = pem.len};

    hash_bytes(&file.digest, pem.p, pem.len);
    copy->text = arena_str(a, pem);
    copy->to = arena_str(a, str_of(to));
    vec_add(&copy->files, file);
}

static int check_free(const struct taking *t, const char *to, struct err *e)
{
    CLEANUP(buf_clear) struct buf what = {0};

    for (size_t i = 0; i < t->lock->copies.n; i++)
        if (str_is(t->lock->copies.v[i].to, to)) {
            buf_fmt(&what, "would be %s in the image, which another file is already", to);
            return fault(t, e, what.p, "; rename it");
        }
    return 0;
}

/* "corp.crt"; of several in one file "corp-1.crt", "corp-2.crt": OpenSSL wants one in each. */
static int add_all(const struct taking *t, struct str text, struct err *e)
{
    CLEANUP(buf_clear) struct buf stem = {0};
    size_t count = 0, n = 0;
    struct str rest = text, mark = STR("-----BEGIN "), head;
    bool more = true;

    while (str_cut(&rest, mark, &head))
        count++;
    stem_of(&stem, t->name->text);
    for (rest = text;;) {
        CLEANUP(cert_clear) struct cert cert = {0};
        CLEANUP(err_clear) struct err why = {0};
        CLEANUP(buf_clear) struct buf to = {0};

        if (cert_next(&cert, &rest, &more, &why) < 0)
            return fault(t, e, why.msg, "");
        if (!more)
            return n ? 0 : fault(t, e, "holds no certificate", "");
        buf_fmt(&to, LOCK_CERTIFICATES "%s", stem.p);
        if (count > 1)
            buf_fmt(&to, "-%zu", n + 1);
        buf_puts(&to, ".crt");
        if (check_free(t, to.p, e) < 0)
            return -1;
        tell_ended(t, &cert);
        add_copy(t->lock, buf_view(&cert.pem), to.p);
        n++;
    }
}

static int take(const struct taking *t, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *from = str_dup(t->name->text);
    CLEANUP(free_clear) char *path = path_join(dir, from);
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct lock_input input = {.use = STR("ca_certificates")};

    if (fs_read(&text, path, FILE_MAX, &why) < 0)
        return err_at(e, &t->name->pos, "ca_certificates: %s", why.msg);
    if (check_text(t, buf_view(&text), e) < 0 || add_all(t, buf_view(&text), e) < 0)
        return -1;
    hash_bytes(&input.digest, text.p, text.len);
    input.path = arena_str(&t->lock->doc.arena, t->name->text);
    vec_add(&t->lock->inputs, input);
    return 0;
}

int certificates_take(struct lock *lock, const struct recipe *r, const char *dir, int64_t now,
                      const struct events *events, struct err *e)
{
    struct err fault = {0};

    for (size_t i = 0; i < r->certificates.n; i++) {
        struct taking t = {lock, &r->certificates.v[i], now, events};
        struct err why = {0};

        if (take(&t, dir, &why) < 0)
            err_join(&fault, &why);
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
