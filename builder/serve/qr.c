/* SPDX-License-Identifier: Apache-2.0 */
#include "qr.h"

#include <qrencode.h>

enum { QUIET = 4 };

void qr_svg(struct buf *out, const char *text, const char *label)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);

    if (!code)
        return;
    buf_fmt(out,
            "<svg class=\"qr\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %d %d\" "
            "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
            "<path fill=\"#000\" d=\"",
            label, code->width + 2 * QUIET, code->width + 2 * QUIET, code->width + 2 * QUIET,
            code->width + 2 * QUIET);
    for (int y = 0; y < code->width; y++)
        for (int x = 0; x < code->width; x++)
            if (code->data[y * code->width + x] & 1)
                buf_fmt(out, "M%d %dh1v1h-1z", x + QUIET, y + QUIET);
    buf_puts(out, "\"/></svg>");
    QRcode_free(code);
}
