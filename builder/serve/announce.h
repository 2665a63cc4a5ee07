/* serve/announce.h - tells the room by multicast DNS (RFC 6762, 6763) that this server is here, as
 * a service of the type _envbuild._tcp, where Avahi runs: its own program does it, and ends with
 * us. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/program.h"

/* `name` is for people, `address` what browsers open. Where there is no avahi-publish *out stays
 * NULL; where no daemon runs it ends by itself. Both are fine: nobody is told. */
void announce_open(struct program **out, struct str name, uint16_t port, const char *address);
