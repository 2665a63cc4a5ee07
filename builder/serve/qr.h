/* serve/qr.h - the only home of libqrencode: a QR code (ISO/IEC 18004) as a picture in a page. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

/* Append an <svg> that shows `text`, dark on white with the quiet zone that readers need, called
 * `label` for who does not see it. Nothing where the text is too long for any code. */
void qr_svg(struct buf *out, const char *text, const char *label);
