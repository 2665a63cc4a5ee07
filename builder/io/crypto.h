/* io/crypto.h - hashes, the only home of OpenSSL's digests and certificates. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "sink.h"
#include "source.h"

enum { MD5_HEX = 32, SHA1_LEN = 20 };

/* Incremental SHA-256. hash_open may be called again to start over. */
struct hash {
    void *ctx; /* EVP_MD_CTX, owned */
};
void hash_open(struct hash *h);
/* The same of another length: 48 bytes are SHA-384, 64 SHA-512; others end the program. */
void hash_open_len(struct hash *h, size_t len);
void hash_add(struct hash *h, const void *bytes, size_t len);
void hash_finish(struct hash *h, struct digest *out);
/* Is it `want`, of the length that it was opened for? */
bool hash_is(struct hash *h, struct str want);
void hash_clear(struct hash *h);

/* Evidence that bytes were seen: their SHA-256, made by a hasher of ours. Only io/crypto.c
 * and io/hash_pair.c fill one in (`make lint` holds it), so nothing that a lock, an index or a
 * place says becomes one. All-zero: nothing was seen. */
struct seen {
    struct digest made_by_hash; /* the hashers' alone; others ask seen_digest() */
};
const struct digest *seen_digest(const struct seen *s);
/* The end of a hash, as evidence. */
void hash_seen(struct hash *h, struct seen *out);
/* The same of what was added until now; more may follow. */
void hash_seen_so_far(const struct hash *h, struct seen *out);
/* SHA-256 of a file's bytes from its start. */
int seen_fd(struct seen *out, uint64_t *size, int fd, const char *what, struct err *e) MUST_CHECK;

void hash_bytes(struct digest *out, const void *bytes, size_t len);
int hash_fd(struct digest *out, uint64_t *size, int fd, const char *what, struct err *e) MUST_CHECK;

/* Are they the same? Takes as long whatever differs, their lengths too. */
bool secret_is(struct str said, struct str secret);

/* MD5, which dpkg's Conffiles field and md5sums speak. Never used to verify anything. */
void md5_hex(char out[MD5_HEX + 1], const void *bytes, size_t len);
/* SHA-1, which git's files end with. Never used to verify anything. */
void sha1_bytes(unsigned char out[SHA1_LEN], const void *bytes, size_t len);

/* A sink that hashes and counts what passes on to `next` (may be NULL). */
struct hash_sink {
    struct sink sink;
    struct hash hash;
    struct sink *next;    /* borrowed */
    uint64_t size;        /* bytes so far */
    struct digest digest; /* valid after finish */
};
void hash_sink_open(struct hash_sink *s, struct sink *next);
void hash_sink_clear(struct hash_sink *s);

/* A source that hashes what is read through it. */
struct hash_source {
    struct source source;
    struct source *from; /* borrowed, so it is not `below` */
    struct hash hash;    /* hash_finish() when all is read */
};
void hash_source_open(struct hash_source *s, struct source *from);
void hash_source_clear(struct hash_source *s);

/* Bytes to a sink on a thread of its own: the writer only copies into a ring. For the hashes of a
 * layer's tar while another thread inflates. Where no thread can be started, the writer's is taken.
 * `to` gets no more once it fails, and is not finished. */
struct hash_thread;
struct hash_thread *hash_thread_open(struct sink *to);
struct sink *hash_thread_sink(struct hash_thread *t);
/* Joins the thread and frees it; -1 with what `to` failed with. */
int hash_thread_finish(struct hash_thread **t, struct err *e) MUST_CHECK;
void hash_thread_clear(struct hash_thread **t);

/* base64 (RFC 4648) without line breaks; `url` uses "-_" and no padding (wheel RECORD). Only the
 * one right way to write bytes is decoded. At most 1 GiB. */
void base64_encode(struct buf *out, const void *bytes, size_t len, bool url);
bool base64_decode(struct buf *out, struct str text, bool url);

/* A certificate of a text in PEM (RFC 7468). */
struct cert {
    struct buf pem;     /* as OpenSSL writes it, alone */
    struct buf subject; /* for people: "CN = Corp Root, O = Corp" */
    int64_t ends;       /* seconds since 1970 */
};
/* Take the next one from `rest`; *more is false where none is left. ERR_INPUT for a block that is
 * damaged or no certificate, in words that follow the file's name: "holds ...". */
int cert_next(struct cert *out, struct str *rest, bool *more, struct err *e) MUST_CHECK;
void cert_clear(struct cert *c);

/* X509_subject_name_hash of the first PEM certificate in `pem`, as c_rehash names links. */
int cert_subject_hash(uint32_t *out, struct str pem, const char *what, struct err *e) MUST_CHECK;
