/* SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#include "../base/buf.h"

enum { LABEL_MAX = 63 }; /* bytes of a label, RFC 1035 */

void announce_open(struct program **out, struct str name, uint16_t port, const char *address)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then nobody is told */
    CLEANUP(buf_clear) struct buf label = {0}, number = {0}, text = {0};
    char *argv[] = {(char[]){"avahi-publish"},
                    (char[]){"-s"},
                    NULL,
                    (char[]){"_envbuild._tcp"},
                    NULL,
                    NULL,
                    NULL};

    buf_str(&label, str_sub(name, 0, LABEL_MAX));
    buf_fmt(&number, "%u", port);
    buf_fmt(&text, "url=%s", address);
    argv[2] = label.p;
    argv[4] = number.p;
    argv[5] = text.p;
    (void)!program_open(out,
                        &(struct program_how){.name = "avahi-publish",
                                              .argv = argv,
                                              .input = PROGRAM_READS_NOTHING,
                                              .errors = PROGRAM_ERRORS_DROPPED},
                        &ignored);
}
