/* tests/unit/mkdeb.h - small tars and debs, byte by byte, so that tests can also make bad ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/buf.h"
#include "io/entry.h"

struct mk {
    const char *path;
    char type; /* '0' file, '1' hard link, '2' symbolic link, '3' device, '5' folder */
    uint32_t mode;
    const char *link, *data, *uname, *gname;
    uint32_t uid, gid;
    bool posix; /* ustar magic, as beside pax headers; else GNU's */
};

#define MK_FILE(p, m, text)                                   \
    {                                                         \
        .path = (p), .type = '0', .mode = (m), .data = (text) \
    }
#define MK_OWNED(p, m, text, user, group)                                                        \
    {                                                                                            \
        .path = (p), .type = '0', .mode = (m), .data = (text), .uname = (user), .gname = (group) \
    }
#define MK_DIR(p, m)                          \
    {                                         \
        .path = (p), .type = '5', .mode = (m) \
    }
#define MK_LINK(p, to)                                       \
    {                                                        \
        .path = (p), .type = '2', .mode = 0777, .link = (to) \
    }
#define MK_HARD(p, to)                                       \
    {                                                        \
        .path = (p), .type = '1', .mode = 0644, .link = (to) \
    }
#define MK_OTHER(p, kind)                         \
    {                                             \
        .path = (p), .type = (kind), .mode = 0644 \
    }
#define MK_END       \
    {                \
        .path = NULL \
    }

/* One header and its data. */
static inline void mk_tar(struct buf *out, const struct mk *m)
{
    char head[512] = {0};
    size_t size = m->data ? strlen(m->data) : 0;
    unsigned sum = 0;

    snprintf(head, 100, "%s", m->path);
    snprintf(head + 100, 8, "%07o", m->mode);
    snprintf(head + 108, 8, "%07o", m->uid);
    snprintf(head + 116, 8, "%07o", m->gid);
    snprintf(head + 124, 12, "%011o", (unsigned)(size & 0xffffff));
    snprintf(head + 136, 12, "%011o", 1700000000u);
    memset(head + 148, ' ', 8);
    head[156] = m->type;
    snprintf(head + 157, 100, "%s", m->link ? m->link : "");
    memcpy(head + 257, m->posix ? "ustar\00000" : "ustar  ", 8);
    snprintf(head + 265, 32, "%s", m->uname ? m->uname : "root");
    snprintf(head + 297, 32, "%s", m->gname ? m->gname : "root");
    for (size_t i = 0; i < sizeof head; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
    buf_add(out, head, sizeof head);
    buf_add(out, m->data ? m->data : "", size);
    while (out->len % 512)
        buf_putc(out, '\0');
}

static inline void mk_tar_end(struct buf *out)
{
    for (int i = 0; i < 1024; i++)
        buf_putc(out, '\0');
}

static inline void mk_ar(struct buf *out, const char *name, struct str bytes)
{
    if (!out->len)
        buf_puts(out, "!<arch>\n");
    buf_fmt(out, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", bytes.len);
    buf_str(out, bytes);
    if (bytes.len % 2)
        buf_putc(out, '\n');
}

/* A deb of these control members and files; both lists end with a path that is NULL. */
static inline void mk_deb(struct buf *out, const struct mk *control, const struct mk *data)
{
    CLEANUP(buf_clear) struct buf c = {0};
    CLEANUP(buf_clear) struct buf d = {0};

    for (; control->path; control++)
        mk_tar(&c, control);
    for (; data->path; data++)
        mk_tar(&d, data);
    mk_tar_end(&c);
    mk_tar_end(&d);
    mk_ar(out, "debian-binary", STR("2.0\n"));
    mk_ar(out, "control.tar", buf_view(&c));
    mk_ar(out, "data.tar", buf_view(&d));
}

/* Bytes as an open file without a name. */
static inline void mk_input(struct input *in, const char *name, struct str bytes)
{
    *in = (struct input){.name = name, .size = bytes.len};
    in->fd.n = memfd_create(name, MFD_CLOEXEC);
    assert_true(in->fd.n >= 0);
    in->fd.open = true;
    assert_int_equal(write(in->fd.n, bytes.p, bytes.len), (ssize_t)bytes.len);
}
