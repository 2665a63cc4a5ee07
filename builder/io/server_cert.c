/* SPDX-License-Identifier: Apache-2.0 */
#include "server_cert.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "../base/date.h"
#include "../base/fs.h"

enum { PEM_MAX = 1 << 20 };

/* ---- reading ---- */

/* Asked where a key is encrypted. */
static int no_passphrase(char *to, int size, int writes, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *read_key(const struct buf *pem, bool *encrypted)
{
    BIO *bio = BIO_new_mem_buf(pem->p ? pem->p : "", (int)pem->len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, encrypted) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static int check_key(const struct server_cert *c, const char *cert, const char *path, struct err *e)
{
    bool encrypted = false;
    EVP_PKEY *key = read_key(&c->key, &encrypted);
    int fits = key ? X509_check_private_key(c->x509, key) : 0;

    EVP_PKEY_free(key);
    ERR_clear_error();
    if (encrypted)
        return err_set(e, ERR_INPUT,
                       "%s is encrypted; `openssl pkey -in %s -out plain.key` writes the key "
                       "without its passphrase",
                       path, path);
    if (!key)
        return err_set(
            e, ERR_INPUT,
            "%s holds no private key in PEM; such a file has the line -----BEGIN PRIVATE KEY-----, "
            "or one with RSA or EC before PRIVATE",
            path);
    return fits == 1
               ? 0
               : err_set(e, ERR_INPUT, "the key in %s does not belong to the certificate in %s",
                         path, cert);
}

static int check_time(const struct server_cert *c, const char *cert, int64_t now, struct err *e)
{
    CLEANUP(buf_clear) struct buf date = {0};
    struct tm begins = {0}, ends = {0};

    if (ASN1_TIME_to_tm(X509_get0_notBefore(c->x509), &begins) != 1 ||
        ASN1_TIME_to_tm(X509_get0_notAfter(c->x509), &ends) != 1)
        return err_set(e, ERR_INPUT,
                       "the certificate in %s has no dates that can be read; have it made again",
                       cert);
    if (now > timegm(&ends)) {
        date_print(&date, timegm(&ends));
        return err_set(e, ERR_INPUT, "the certificate in %s expired at %s; have it renewed", cert,
                       date.p);
    }
    if (now < timegm(&begins)) {
        date_print(&date, timegm(&begins));
        return err_set(
            e, ERR_INPUT,
            "the certificate in %s is not valid before %s; is this machine's clock right?", cert,
            date.p);
    }
    return 0;
}

int server_cert_read(struct server_cert *out, const char *cert, const char *key, int64_t now,
                     struct err *e)
{
    CLEANUP(server_cert_clear) struct server_cert c = {0};
    BIO *bio;

    if (fs_read(&c.chain, cert, PEM_MAX, e) < 0 || fs_read(&c.key, key, PEM_MAX, e) < 0)
        return -1;
    bio = BIO_new_mem_buf(c.chain.p ? c.chain.p : "", (int)c.chain.len);
    c.x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!c.x509)
        return err_set(
            e, ERR_INPUT,
            "%s holds no certificate in PEM; such a file has the line -----BEGIN CERTIFICATE-----",
            cert);
    if (check_key(&c, cert, key, e) < 0 || check_time(&c, cert, now, e) < 0)
        return -1;
    MOVE(out, &c);
    return 0;
}

void server_cert_clear(struct server_cert *c)
{
    buf_clear(&c->chain);
    buf_wipe(&c->key);
    X509_free(c->x509);
    c->x509 = NULL;
}

/* ---- whom it is for ---- */

bool server_cert_is_for(const struct server_cert *c, const char *host)
{
    unsigned char number[16];

    if (inet_pton(AF_INET, host, number) == 1 || inet_pton(AF_INET6, host, number) == 1)
        return X509_check_ip_asc(c->x509, host, 0) == 1;
    return X509_check_host(c->x509, host, strlen(host), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                           NULL) == 1;
}

/* A name as it stands there; false: of another kind, or with what no name has. */
static bool take_name(struct buf *out, const GENERAL_NAME *name)
{
    const ASN1_STRING *text;
    struct str s;

    if (name->type != GEN_DNS)
        return false;
    text = name->d.dNSName;
    s = (struct str){(const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)};
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(STR("-.*"), s.p[i]))
            return false;
    buf_reset(out);
    buf_str(out, s);
    return s.len > 0;
}

static bool take_number(struct buf *out, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    int len;

    if (name->type != GEN_IPADD)
        return false;
    len = ASN1_STRING_length(name->d.iPAddress);
    if (len != 4 && len != 16)
        return false;
    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text,
              sizeof text);
    buf_reset(out);
    buf_puts(out, text);
    return true;
}

void server_cert_names(struct names *out, const struct server_cert *c)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(c->x509, NID_subject_alt_name, NULL, NULL);
    CLEANUP(buf_clear) struct buf name = {0};

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++)
        if (take_name(&name, sk_GENERAL_NAME_value(all, i)) && !str_has(buf_view(&name), '*'))
            names_add(out, name.p);
    GENERAL_NAMES_free(all);
}

void server_cert_list(struct buf *out, const struct server_cert *c)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(c->x509, NID_subject_alt_name, NULL, NULL);
    CLEANUP(buf_clear) struct buf name = {0};

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

        if (take_name(&name, one) || take_number(&name, one))
            buf_fmt(out, "%s%s", out->len ? ", " : "", name.p);
    }
    GENERAL_NAMES_free(all);
}
