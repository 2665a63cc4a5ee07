/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../base/fd.h"
#include "../base/thread.h"

enum { READ_CHUNK = 256 * 1024, BASE64_MAX = 1 << 30 };

/* libcrypto fails here only when memory is gone or the build is broken. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

static const EVP_MD *algorithm(size_t len)
{
    switch (len) {
    case 32:
        return EVP_sha256();
    case 48:
        return EVP_sha384();
    case 64:
        return EVP_sha512();
    }
    abort();
}

void hash_open_len(struct hash *h, size_t len)
{
    if (!h->ctx)
        h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    must(EVP_DigestInit_ex(h->ctx, algorithm(len), NULL));
}

void hash_open(struct hash *h)
{
    hash_open_len(h, sizeof((struct digest *)0)->bytes);
}

void hash_add(struct hash *h, const void *bytes, size_t len)
{
    must(EVP_DigestUpdate(h->ctx, bytes, len));
}

void hash_finish(struct hash *h, struct digest *out)
{
    unsigned len = sizeof out->bytes;

    must(EVP_DigestFinal_ex(h->ctx, out->bytes, &len));
}

bool hash_is(struct hash *h, struct str want)
{
    unsigned char found[EVP_MAX_MD_SIZE];
    unsigned len = sizeof found;

    must(EVP_DigestFinal_ex(h->ctx, found, &len));
    return len == want.len && memcmp(found, want.p, len) == 0;
}

void hash_clear(struct hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

const struct digest *seen_digest(const struct seen *s)
{
    return &s->made_by_hash;
}

void hash_seen(struct hash *h, struct seen *out)
{
    hash_finish(h, &out->made_by_hash);
}

void hash_seen_so_far(const struct hash *h, struct seen *out)
{
    CLEANUP(hash_clear) struct hash copy = {EVP_MD_CTX_new()};

    must(copy.ctx && EVP_MD_CTX_copy_ex(copy.ctx, h->ctx));
    hash_seen(&copy, out);
}

void hash_bytes(struct digest *out, const void *bytes, size_t len)
{
    must(EVP_Digest(len ? bytes : "", len, out->bytes, NULL, EVP_sha256(), NULL));
}

int seen_fd(struct seen *out, uint64_t *size, int fd, const char *what, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(READ_CHUNK);
    CLEANUP(hash_clear) struct hash h = {0};
    uint64_t at = 0;
    size_t got;

    hash_open(&h);
    do {
        if (fd_pread_some(fd, chunk, READ_CHUNK, at, &got, what, e) < 0)
            return -1;
        hash_add(&h, chunk, got);
        at += got;
    } while (got);
    hash_seen(&h, out);
    *size = at;
    return 0;
}

int hash_fd(struct digest *out, uint64_t *size, int fd, const char *what, struct err *e)
{
    struct seen seen;

    if (seen_fd(&seen, size, fd, what, e) < 0)
        return -1;
    *out = seen.made_by_hash;
    return 0;
}

bool secret_is(struct str said, struct str secret)
{
    struct digest a, b;

    hash_bytes(&a, said.p, said.len);
    hash_bytes(&b, secret.p, secret.len);
    return CRYPTO_memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

void sha1_bytes(unsigned char out[SHA1_LEN], const void *bytes, size_t len)
{
    must(EVP_Digest(len ? bytes : "", len, out, NULL, EVP_sha1(), NULL));
}

void md5_hex(char out[MD5_HEX + 1], const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char md[MD5_HEX / 2];

    must(EVP_Digest(len ? bytes : "", len, md, NULL, EVP_md5(), NULL));
    for (size_t i = 0; i < sizeof md; i++) {
        out[2 * i] = digits[md[i] >> 4];
        out[2 * i + 1] = digits[md[i] & 15];
    }
    out[MD5_HEX] = '\0';
}

/* ---- hashing on the way ---- */

static int hash_sink_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct hash_sink *s = (struct hash_sink *)self;

    hash_add(&s->hash, bytes, len);
    s->size += len;
    return s->next ? sink_write(s->next, bytes, len, e) : 0;
}

static int hash_sink_finish(struct sink *self, struct err *e)
{
    struct hash_sink *s = (struct hash_sink *)self;

    hash_finish(&s->hash, &s->digest);
    return s->next ? sink_finish(s->next, e) : 0;
}

void hash_sink_open(struct hash_sink *s, struct sink *next)
{
    *s = (struct hash_sink){{hash_sink_write, hash_sink_finish}, .next = next};
    hash_open(&s->hash);
}

void hash_sink_clear(struct hash_sink *s)
{
    hash_clear(&s->hash);
    *s = (struct hash_sink){0};
}

static int hash_source_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct hash_source *s = (struct hash_source *)self;

    if (source_read(s->from, to, len, got, e) < 0)
        return -1;
    hash_add(&s->hash, to, *got);
    return 0;
}

void hash_source_open(struct hash_source *s, struct source *from)
{
    *s = (struct hash_source){.from = from};
    source_init(&s->source, hash_source_read, NULL, NULL);
    s->source.name = from->name;
    hash_open(&s->hash);
}

void hash_source_clear(struct hash_source *s)
{
    err_clear(&s->source.fault);
    hash_clear(&s->hash);
    *s = (struct hash_source){0};
}

/* ---- hashing on a thread ---- */

enum { SLOTS = 4, SLOT_SIZE = 256 * 1024 };

struct hash_thread {
    struct sink sink;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t fill[SLOTS];  /* bytes of full slots */
    unsigned head, full; /* the slot being written; full ones wait before it */
    size_t used;         /* bytes in the slot being written; the writer's own */
    bool closing, alone; /* alone: no thread could be started */
    struct sink *to;     /* borrowed; NULL once it failed on the thread */
    struct err err;      /* its, the thread's own until it is joined */
    char slots[SLOTS][SLOT_SIZE];
};

static void *hash_run(void *arg)
{
    struct hash_thread *t = arg;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (!t->full && !t->closing)
            pthread_cond_wait(&t->changed, &t->lock);
        if (!t->full)
            break;
        unsigned i = (t->head + SLOTS - t->full) % SLOTS;

        pthread_mutex_unlock(&t->lock);
        if (t->to && sink_write(t->to, t->slots[i], t->fill[i], &t->err) < 0)
            t->to = NULL;
        pthread_mutex_lock(&t->lock);
        t->full--;
        pthread_cond_signal(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* Hand the slot over and wait until the next one is free. */
static void hash_thread_pass(struct hash_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->fill[t->head] = t->used;
    t->head = (t->head + 1) % SLOTS;
    t->full++;
    t->used = 0;
    pthread_cond_signal(&t->changed);
    while (t->full == SLOTS)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static int hash_thread_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct hash_thread *t = (struct hash_thread *)self;
    const char *p = bytes;

    if (t->alone)
        return sink_write(t->to, bytes, len, e);
    while (len) {
        size_t n = SLOT_SIZE - t->used < len ? SLOT_SIZE - t->used : len;

        memcpy(t->slots[t->head] + t->used, p, n);
        t->used += n;
        p += n;
        len -= n;
        if (t->used == SLOT_SIZE)
            hash_thread_pass(t);
    }
    return 0;
}

struct hash_thread *hash_thread_open(struct sink *to)
{
    struct hash_thread *t = xmalloc(sizeof *t);

    memset(t, 0, offsetof(struct hash_thread, slots)); /* the slots cost nothing until used */
    t->sink.write = hash_thread_write;
    t->to = to;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->alone = !thread_start(&t->thread, hash_run, t);
    return t;
}

struct sink *hash_thread_sink(struct hash_thread *t)
{
    return &t->sink;
}

static void hash_thread_join(struct hash_thread *h)
{
    if (h->used)
        hash_thread_pass(h);
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
}

int hash_thread_finish(struct hash_thread **t, struct err *e)
{
    struct hash_thread *h = *t;
    int result = 0;

    if (!h->alone)
        hash_thread_join(h);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    if (err_is_set(&h->err))
        result = err_join(e, &h->err);
    free(h);
    *t = NULL;
    return result;
}

void hash_thread_clear(struct hash_thread **t)
{
    struct err none = {0};

    if (*t && hash_thread_finish(t, &none) < 0)
        err_clear(&none); /* given up for another cause */
}

/* ---- base64 (RFC 4648) ---- */

/* Swap "+/" for "-_", or back. */
static void base64_swap(struct buf *b, size_t from, const char *old, const char *new)
{
    for (size_t i = from; i < b->len; i++)
        for (size_t k = 0; k < 2; k++)
            if (b->p[i] == old[k]) {
                b->p[i] = new[k];
                break;
            }
}

void base64_encode(struct buf *out, const void *bytes, size_t len, bool url)
{
    size_t start = out->len;

    assert(len <= BASE64_MAX);
    buf_room(out, len / 3 * 4 + 5); /* and the NUL that libcrypto adds */
    out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->p + start, bytes, (int)len);
    if (!url)
        return;
    base64_swap(out, start, "+/", "-_");
    while (out->len > start && out->p[out->len - 1] == '=')
        out->p[--out->len] = '\0';
}

/* libcrypto passes over spaces and bits behind the last byte; so what it reads must encode to the
 * same text again. */
bool base64_decode(struct buf *out, struct str text, bool url)
{
    CLEANUP(buf_clear) struct buf padded = {0};
    CLEANUP(buf_clear) struct buf again = {0};
    size_t start = out->len;
    int n;

    if (text.len > BASE64_MAX || (url && str_has(text, '=')))
        return false;
    buf_str(&padded, text);
    if (url)
        base64_swap(&padded, 0, "-_", "+/");
    while (padded.len % 4)
        buf_putc(&padded, '=');
    if (!padded.len)
        return true;
    n = EVP_DecodeBlock((unsigned char *)buf_room(out, padded.len), (unsigned char *)padded.p,
                        (int)padded.len);
    if (n < 0)
        return false;
    out->len += (size_t)n;
    for (int i = 0; i < 2 && out->len > start && str_ends(buf_view(&padded), STR("=")); i++) {
        padded.len--;
        out->len--; /* a zero that stands for "=" */
    }
    base64_encode(&again, out->p + start, out->len - start, url);
    out->p[out->len] = '\0';
    return str_eq(buf_view(&again), text);
}

int cert_subject_hash(uint32_t *out, struct str pem, const char *what, struct err *e)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    if (!cert)
        return err_set(e, ERR_INPUT, "%s holds no PEM certificate", what);
    *out = (uint32_t)X509_subject_name_hash(cert);
    X509_free(cert);
    return 0;
}

/* ---- certificates ---- */

static void take_bio(struct buf *out, BIO *bio)
{
    char *text;
    long n = BIO_get_mem_data(bio, &text);

    buf_str(out, (struct str){text, n > 0 ? (size_t)n : 0});
}

static void print_cert(struct cert *out, X509 *x)
{
    BIO *pem = BIO_new(BIO_s_mem()), *subject = BIO_new(BIO_s_mem());
    struct tm tm = {0};

    must(pem && subject);
    must(PEM_write_bio_X509(pem, x));
    must(X509_NAME_print_ex(subject, X509_get_subject_name(x), 0, XN_FLAG_ONELINE) >= 0);
    take_bio(&out->pem, pem);
    take_bio(&out->subject, subject);
    BIO_free(pem);
    BIO_free(subject);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
        out->ends = timegm(&tm);
}

/* A "trusted" one has settings of OpenSSL's behind it. */
static int parse_cert(struct cert *out, const char *name, const unsigned char *der, long n,
                      struct err *e)
{
    X509 *x = NULL;

    if (strcmp(name, PEM_STRING_X509_TRUSTED) == 0)
        x = d2i_X509_AUX(NULL, &der, n);
    else if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
        x = d2i_X509(NULL, &der, n);
    else
        return err_set(e, ERR_INPUT, "holds a \"%s\", and only certificates belong there", name);
    if (!x)
        return err_set(e, ERR_INPUT, "holds a certificate that is damaged");
    print_cert(out, x);
    X509_free(x);
    return 0;
}

int cert_next(struct cert *out, struct str *rest, bool *more, struct err *e)
{
    BIO *bio = BIO_new_mem_buf(rest->len ? rest->p : "", (int)rest->len);
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    int result = 0;
    long n = 0;

    must(bio != NULL);
    ERR_clear_error();
    *more = PEM_read_bio(bio, &name, &header, &der, &n) == 1;
    if (*more)
        result = parse_cert(out, name, der, n, e);
    else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        result = err_set(e, ERR_INPUT, "holds a PEM block that is damaged");
    *rest = str_sub(*rest, rest->len - (size_t)BIO_pending(bio), rest->len);
    ERR_clear_error();
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return result;
}

void cert_clear(struct cert *c)
{
    buf_clear(&c->pem);
    buf_clear(&c->subject);
    *c = (struct cert){0};
}
