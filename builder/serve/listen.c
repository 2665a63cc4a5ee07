/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { BACKLOG = 256, TRIES = 50 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int wrong_form(struct str where, struct err *e)
{
    return err_set(e, ERR_USAGE,
                   "--listen: \"" STR_FMT
                   "\" is no address and port, as 192.168.1.7:5000, [fd00::7]:5000, "
                   "localhost:5000 and :5000 are",
                   STR_ARG(where));
}

static bool parse_host(union address *out, struct str host)
{
    CLEANUP(free_clear)
    char *text = xstrdup(str_is(host, "localhost") ? "127.0.0.1" : "::");

    if (host.len && !str_is(host, "localhost")) {
        free(text);
        text = str_dup(host);
    }
    out->v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1)
        return true;
    *out = (union address){.v4.sin_family = AF_INET};
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

static void set_port(union address *a, uint16_t port)
{
    if (a->any.sa_family == AF_INET)
        a->v4.sin_port = htons(port);
    else
        a->v6.sin6_port = htons(port);
}

static int parse(union address *out, uint16_t *port, struct str where, struct err *e)
{
    struct str host = where, text = {0}, rest;
    uint32_t n = LISTEN_PORT;

    if (str_starts(where, STR("["))) {
        rest = str_sub(where, 1, where.len - 1);
        if (!str_cut(&rest, STR("]"), &host) || (rest.len && !str_skip(&rest, STR(":"))))
            return wrong_form(where, e);
        text = rest;
    } else {
        str_cut_last(&host, STR(":"), &text);
    }
    if ((text.len && (!str_u32(text, &n) || n > 65535)) || !parse_host(out, host))
        return wrong_form(where, e);
    *port = (uint16_t)n;
    return 0;
}

/* 0, or -1 with errno. */
static int try_port(struct fd *out, const union address *address, uint16_t port)
{
    union address a = *address;
    socklen_t len = a.any.sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    CLEANUP(fd_clear) struct fd fd = {0};
    int yes = 1, no = 0;

    set_port(&a, port);
    fd.n = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fd.open = fd.n >= 0;
    if (!fd.open || setsockopt(fd.n, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        (a.any.sa_family == AF_INET6 &&
         setsockopt(fd.n, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) < 0) ||
        bind(fd.n, &a.any, len) < 0 || listen(fd.n, BACKLOG) < 0)
        return -1;
    MOVE(out, &fd);
    return 0;
}

static int taken(const union address *a, uint16_t port, struct str where, struct err *e)
{
    struct str host = str_sub(where, 0, where.len), text;

    if (!str_cut_last(&host, STR(":"), &text))
        host = where;
    for (unsigned next = port + 1u; next < port + 1u + TRIES && next <= 65535; next++) {
        CLEANUP(fd_clear) struct fd fd = {0};

        if (try_port(&fd, a, (uint16_t)next) == 0)
            return err_set(e, ERR_SYSTEM,
                           "port %u is taken by another program; `--listen " STR_FMT
                           ":%u` takes one that is free",
                           port, STR_ARG(host), next);
    }
    return err_set(e, ERR_SYSTEM, "port %u is taken by another program, and those behind it", port);
}

static int local_name(union address *out, const struct fd *fd, struct err *e)
{
    socklen_t len = sizeof *out;

    return getsockname(fd->n, &out->any, &len) < 0 ? err_errno(e, "cannot listen") : 0;
}

static uint16_t port_of(const union address *a)
{
    return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

int listen_open(struct fd *out, uint16_t *port, struct str where, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    union address a = {0}, got;

    if (parse(&a, port, where, e) < 0)
        return -1;
    if (try_port(&fd, &a, *port) < 0) {
        if (errno == EAFNOSUPPORT && a.any.sa_family == AF_INET6) { /* IPv6 is switched off */
            a = (union address){.v4.sin_family = AF_INET};
            if (try_port(&fd, &a, *port) == 0)
                errno = 0;
        }
        if (!fd.open && errno == EADDRINUSE)
            return taken(&a, *port, where, e);
        if (!fd.open)
            return err_errno(e, "cannot listen at \"" STR_FMT "\"", STR_ARG(where));
    }
    if (local_name(&got, &fd, e) < 0)
        return -1;
    *port = port_of(&got);
    MOVE(out, &fd);
    return 0;
}

/* ---- by what others reach it ---- */

static void add_host(struct names *out, const union address *a, uint16_t port)
{
    CLEANUP(buf_clear) struct buf text = {0};
    char host[INET6_ADDRSTRLEN];

    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof host);
        buf_fmt(&text, "%s:%u", host, port);
    } else {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof host);
        buf_fmt(&text, "[%s]:%u", host, port);
    }
    names_add(out, text.p);
}

/* Nobody in the room reaches the bridges of containers and virtual machines. */
static bool is_inside(const char *interface)
{
    static const char *const inside[] = {"lo",  "docker", "br-",     "veth",  "virbr", "podman",
                                         "cni", "lxc",    "vboxnet", "vmnet", "lxd",   "incus"};

    for (size_t i = 0; i < ARRAY_LEN(inside); i++)
        if (str_starts(str_of(interface), str_of(inside[i])))
            return true;
    return false;
}

/* The own address of the default route, or none; no packet goes out. */
static struct in_addr way_out(void)
{
    union address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(LISTEN_PORT)}};
    CLEANUP(fd_clear) struct fd fd = {0};
    socklen_t len = sizeof a.v4;

    a.v4.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, which is nobody's: RFC 5737 */
    fd.n = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fd.open = fd.n >= 0;
    if (!fd.open || connect(fd.n, &a.any, len) < 0 || getsockname(fd.n, &a.any, &len) < 0)
        return (struct in_addr){0};
    return a.v4.sin_addr;
}

enum way { WAY_DEFAULT, WAY_OTHER, WAY_UNCONFIGURED, WAY_TUNNEL, WAY_V6, WAY_NONE };

/* How likely the room reaches this machine by it. */
static enum way way_of(const struct ifaddrs *i, struct in_addr out)
{
    union address a = {0};

    if (!i->ifa_addr || !(i->ifa_flags & IFF_RUNNING) || is_inside(i->ifa_name))
        return WAY_NONE;
    if (i->ifa_addr->sa_family == AF_INET6) {
        memcpy(&a.v6, i->ifa_addr, sizeof a.v6);
        /* A browser has no way to say on which of its networks a link's address is. */
        return IN6_IS_ADDR_LINKLOCAL(&a.v6.sin6_addr) ? WAY_NONE : WAY_V6;
    }
    if (i->ifa_addr->sa_family != AF_INET)
        return WAY_NONE;
    memcpy(&a.v4, i->ifa_addr, sizeof a.v4);
    if (i->ifa_flags & IFF_POINTOPOINT) /* a VPN */
        return WAY_TUNNEL;
    if (ntohl(a.v4.sin_addr.s_addr) >> 16 == 0xa9fe) /* 169.254: nobody gave it one */
        return WAY_UNCONFIGURED;
    return a.v4.sin_addr.s_addr == out.s_addr ? WAY_DEFAULT : WAY_OTHER;
}

static void add_ways(struct names *out, const struct ifaddrs *all, enum way way, struct in_addr to,
                     uint16_t port)
{
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        union address a = {0};

        if (way_of(i, to) != way)
            continue;
        memcpy(&a, i->ifa_addr, way == WAY_V6 ? sizeof a.v6 : sizeof a.v4);
        add_host(out, &a, port);
    }
}

int listen_hosts(struct names *out, const struct fd *fd, struct err *e)
{
    union address own, loopback = {.v4.sin_family = AF_INET};
    struct ifaddrs *all = NULL;
    struct in_addr to;

    if (local_name(&own, fd, e) < 0)
        return -1;
    if (own.any.sa_family == AF_INET ? own.v4.sin_addr.s_addr != 0
                                     : !IN6_IS_ADDR_UNSPECIFIED(&own.v6.sin6_addr)) {
        add_host(out, &own, port_of(&own));
        return 0;
    }
    if (getifaddrs(&all) < 0)
        all = NULL;
    to = way_out();
    for (enum way way = WAY_DEFAULT; way < WAY_V6; way++)
        add_ways(out, all, way, to, port_of(&own));
    if (!out->n && own.any.sa_family == AF_INET6)
        add_ways(out, all, WAY_V6, to, port_of(&own));
    freeifaddrs(all);
    loopback.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!out->n)
        add_host(out, &loopback, port_of(&own));
    return 0;
}

/* "192.168.1.7" of "192.168.1.7:5000", "fd00::7" of "[fd00::7]:5000"; owned. */
static char *address_of(const char *host)
{
    struct str s = str_of(host), port;

    str_cut_last(&s, STR(":"), &port);
    if (str_skip(&s, STR("[")))
        str_drop(&s, STR("]"));
    return str_dup(s);
}

static int names_nobody(const struct names *hosts, const struct server_cert *cert, const char *file,
                        struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};

    server_cert_list(&list, cert);
    return err_set(e, ERR_INPUT,
                   "the certificate in %s is for %s, and this machine is reached by %s; have one "
                   "made with that in its subjectAltName, or a name that leads here",
                   file, list.len ? list.p : "no name that clients look at", hosts->v[0]);
}

int listen_certified(struct names *hosts, bool *named, uint16_t port,
                     const struct server_cert *cert, const char *file, struct err *e)
{
    CLEANUP(names_clear) struct names own = {0}, kept = {0};
    char **host;

    vec_each(host, hosts) {
        CLEANUP(free_clear) char *address = address_of(*host);

        if (server_cert_is_for(cert, address))
            names_add(&kept, *host);
    }
    *named = !kept.n;
    server_cert_names(&own, cert);
    vec_each(host, &own) {
        CLEANUP(buf_clear) struct buf text = {0};

        buf_fmt(&text, "%s:%u", *host, port);
        names_add(&kept, text.p);
    }
    if (!kept.n)
        return names_nobody(hosts, cert, file, e);
    names_clear(hosts);
    MOVE(hosts, &kept);
    return 0;
}

bool listen_is_loopback(const struct fd *fd)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is not known to be */
    union address a;

    if (local_name(&a, fd, &ignored) < 0)
        return false;
    return a.any.sa_family == AF_INET ? ntohl(a.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                      : IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}
