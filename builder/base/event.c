/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include "buf.h"

PRINTF(3, 0)
static void say(const struct events *to, enum event_kind kind, const char *fmt, va_list args)
{
    struct buf text = {0};

    buf_vfmt(&text, fmt, args);
    events_emit(to, &(struct event){.kind = kind, .name = text.p});
    buf_clear(&text);
}

void events_warn(const struct events *to, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(to, EVENT_WARNING, fmt, args);
    va_end(args);
}

void events_note(const struct events *to, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(to, EVENT_NOTE, fmt, args);
    va_end(args);
}
