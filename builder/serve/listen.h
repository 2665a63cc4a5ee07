/* serve/listen.h - where this machine is reached. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fd.h"
#include "../base/vec.h"
#include "../io/server_cert.h"

enum { LISTEN_PORT = 5000 };

/* A socket that listens at `where`: "ADDR:PORT", "[ADDR]:PORT", ":PORT" or "ADDR", where ADDR is a
 * number or "localhost", and none means all addresses; empty: all, port 5000. Port 0 is any that is
 * free; *port is the one that it became. ERR_USAGE for another form; ERR_SYSTEM for a port that is
 * taken, with one that is not. */
int listen_open(struct fd *out, uint16_t *port, struct str where, struct err *e) MUST_CHECK;
/* "192.168.1.7:5000": by what others reach the socket now, best first: the network of the default
 * route, other networks, tunnels; IPv6 ("[fd00::7]:5000") where there is no IPv4, and this
 * machine's own loopback where there is nothing. Interfaces without a carrier do not count. */
int listen_hosts(struct names *out, const struct fd *fd, struct err *e) MUST_CHECK;
/* The same with TLS: of `hosts` those that the certificate is for stay, and its names follow.
 * *named: the first is a name. None left: ERR_INPUT, with what it is for; `file` is its path. */
int listen_certified(struct names *hosts, bool *named, uint16_t port,
                     const struct server_cert *cert, const char *file, struct err *e) MUST_CHECK;
/* Is it this machine alone that reaches the socket? */
bool listen_is_loopback(const struct fd *fd);
