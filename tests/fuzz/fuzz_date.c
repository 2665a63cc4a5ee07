/* A date that parses prints, and parses back to the same second. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(buf_clear) struct buf printed = {0};
    int64_t seconds, again;
    bool mail = date_parse_mail(&seconds, text);

    if (mail)
        assert(seconds >= 0 && seconds <= 253402300800);
    else if (!date_parse(&seconds, text))
        return 0;
    date_print(&printed, seconds);
    if (printed.len == 20) /* an offset or a leap second may lead out of the four-digit years */
        assert(date_parse(&again, buf_view(&printed)) && again == seconds);
    return 0;
}
