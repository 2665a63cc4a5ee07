/* SPDX-License-Identifier: Apache-2.0 */
#include "zstd.h"

#include <zstd.h>

#include "../base/thread.h"

enum {
    LEVEL = 3,
    NEAR_LEVEL = 19,
    NEAR_WINDOW_MIN = 10,  /* of libzstd: bits */
    NEAR_WINDOW_MAX = 27,  /* what every reader takes */
    JOB = 4 * 1024 * 1024, /* bytes that a thread compresses at once: they decide the bytes */
    SKIPPABLE = 0x184d2a50,
};

void zstd_encoder(struct buf *out)
{
    buf_fmt(out, "zstd/%s/%d", ZSTD_versionString(), LEVEL);
}

static int check(size_t result, struct err *e)
{
    if (!ZSTD_isError(result))
        return 0;
    return err_set(e, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(result));
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "zstd: no memory for its tables");
}

/* ---- frames ---- */

struct zstd_packer {
    ZSTD_CCtx *ctx; /* NULL: there was no memory for it */
};

struct zstd_packer *zstd_packer_open(void)
{
    struct zstd_packer *z = xcalloc(1, sizeof *z);

    z->ctx = ZSTD_createCCtx();
    return z;
}

void zstd_packer_free(struct zstd_packer *z)
{
    if (!z)
        return;
    ZSTD_freeCCtx(z->ctx);
    free(z);
}

int zstd_pack(struct zstd_packer *z, struct buf *out, struct str bytes, struct err *e)
{
    size_t room = ZSTD_compressBound(bytes.len), n;

    if (!z->ctx)
        return no_memory(e);
    n = ZSTD_compressCCtx(z->ctx, buf_room(out, room), room, bytes.p, bytes.len, LEVEL);
    if (check(n, e) < 0)
        return -1;
    out->len += n;
    out->p[out->len] = '\0';
    return 0;
}

int zstd_unpack(void *out, size_t len, struct str frame, struct err *e)
{
    size_t n = ZSTD_decompress(out, len, frame.p, frame.len);

    if (check(n, e) < 0)
        return -1;
    return n == len ? 0 : err_set(e, ERR_INPUT, "zstd: %zu bytes are in a frame of %zu", n, len);
}

/* ---- frames near other bytes ---- */

static int window(size_t len)
{
    int bits = NEAR_WINDOW_MIN;

    while (bits < NEAR_WINDOW_MAX && (size_t)1 << bits < len)
        bits++;
    return bits;
}

static int set_near(struct zstd_packer *z, struct str bytes, struct str near, struct err *e)
{
    if (check(ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_and_parameters), e) < 0 ||
        check(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, NEAR_LEVEL), e) < 0)
        return -1;
    return near.len && (check(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_windowLog,
                                                     window(bytes.len + near.len)),
                              e) < 0 ||
                        check(ZSTD_CCtx_refPrefix(z->ctx, near.p, near.len), e) < 0)
               ? -1
               : 0;
}

int zstd_pack_near(struct zstd_packer *z, struct buf *out, struct str bytes, struct str near,
                   struct err *e)
{
    size_t room = ZSTD_compressBound(bytes.len), n;

    if (!z->ctx)
        return no_memory(e);
    if (set_near(z, bytes, near, e) < 0)
        return -1;
    n = ZSTD_compress2(z->ctx, buf_room(out, room), room, bytes.p, bytes.len);
    if (check(n, e) < 0)
        return -1;
    out->len += n;
    out->p[out->len] = '\0';
    return check(ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_and_parameters), e);
}

int zstd_unpack_near(void *out, size_t len, struct str frame, struct str near, struct err *e)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    size_t n;

    if (!ctx)
        return no_memory(e);
    n = near.len ? ZSTD_DCtx_refPrefix(ctx, near.p, near.len) : 0;
    if (!ZSTD_isError(n))
        n = ZSTD_decompressDCtx(ctx, out, len, frame.p, frame.len);
    ZSTD_freeDCtx(ctx);
    if (ZSTD_isError(n))
        return err_set(e, ERR_INPUT, "zstd: %s", ZSTD_getErrorName(n));
    return n == len ? 0 : err_set(e, ERR_INPUT, "zstd: %zu bytes are in a frame of %zu", n, len);
}

/* ---- one frame of everything ---- */

struct zstd_sink {
    struct sink sink;
    struct sink *to;
    ZSTD_CCtx *ctx;
    struct buf packed;
};

static int pass(struct zstd_sink *z, const void *bytes, size_t len, ZSTD_EndDirective how,
                struct err *e)
{
    ZSTD_inBuffer in = {bytes, len, 0};
    size_t room = ZSTD_CStreamOutSize(), left;

    do {
        ZSTD_outBuffer out = {buf_room(&z->packed, room), room, 0};

        left = ZSTD_compressStream2(z->ctx, &out, &in, how);
        if (check(left, e) < 0 || sink_write(z->to, out.dst, out.pos, e) < 0)
            return -1;
    } while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return 0;
}

static int zstd_sink_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return pass((struct zstd_sink *)self, bytes, len, ZSTD_e_continue, e);
}

static int zstd_sink_finish(struct sink *self, struct err *e)
{
    return pass((struct zstd_sink *)self, NULL, 0, ZSTD_e_end, e);
}

int zstd_sink_open(struct zstd_sink **out, struct sink *to, unsigned threads, struct err *e)
{
    CLEANUP(zstd_sink_clear) struct zstd_sink *z = xcalloc(1, sizeof *z);
    sigset_t old;
    int result;

    z->sink = (struct sink){zstd_sink_write, zstd_sink_finish};
    z->to = to;
    z->ctx = ZSTD_createCCtx();
    if (!z->ctx)
        return no_memory(e);
    if (check(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, LEVEL), e) < 0)
        return -1;
    if (threads && (ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_nbWorkers, (int)threads)) ||
                    ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_jobSize, JOB))))
        return err_set(e, ERR_SYSTEM,
                       "this libzstd was built without threads, and would give other bytes");
    thread_signals_off(&old); /* here the library starts its threads */
    result = pass(z, NULL, 0, ZSTD_e_continue, e);
    thread_signals_back(&old);
    if (result < 0)
        return -1;
    *out = z;
    z = NULL;
    return 0;
}

struct sink *zstd_sink_of(struct zstd_sink *z)
{
    return &z->sink;
}

void zstd_sink_clear(struct zstd_sink **z)
{
    if (!*z)
        return;
    ZSTD_freeCCtx((*z)->ctx);
    buf_clear(&(*z)->packed);
    free(*z);
    *z = NULL;
}

void zstd_skippable(struct buf *out, struct str bytes)
{
    buf_number(out, SKIPPABLE, 4);
    buf_number(out, bytes.len, 4);
    buf_str(out, bytes);
}
