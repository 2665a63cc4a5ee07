/* faults.h - all faults of a check as text, one a line, to compare with what is expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/err.h"

/* "file:1:2: message" lines without the last newline; "" when there is no fault. */
static inline const char *faults_text(struct buf *out, const struct err *e)
{
    buf_reset(out);
    buf_puts(out, "");
    for (; e && err_is_set(e); e = e->next) {
        CLEANUP(buf_clear) struct buf one = {0};

        err_format(e, &one);
        if (out->len)
            buf_putc(out, '\n');
        buf_str(out, buf_view(&one));
    }
    return out->p ? out->p : "";
}
