/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "../base/utf8.h"
#include "../doc/emit.h"

static void put(FILE *to, struct str text, enum utf8_show how)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    utf8_show(&shown, text, how);
    if (shown.len)
        fwrite(shown.p, 1, shown.len, to);
}

void output_text(struct str text)
{
    put(stdout, text, SHOW_LINES);
}

void output_print(const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    output_text(buf_view(&text));
}

void output_json(const struct node *root)
{
    CLEANUP(buf_clear) struct buf text = {0};

    emit_json(&text, root, EMIT_LINES);
    put(stdout, buf_view(&text), SHOW_JSON);
}

void output_message(const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    put(stderr, buf_view(&text), SHOW_LINE);
    fputc('\n', stderr);
}
