/* Many students at one machine, and the sheet that tells them where. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../model/embedded.h"
#include "deploy.h"

enum { HOST_MAX = 253, JUPYTER_PORT = 8888 };

/* A name, an address of IPv4, or one of IPv6 in brackets. */
static bool is_host(struct str host)
{
    bool v6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

    if (!host.len || host.len > HOST_MAX)
        return false;
    for (size_t i = v6; i < host.len - v6; i++)
        if (!c_alnum(host.p[i]) && host.p[i] != '.' && host.p[i] != (v6 ? ':' : '-'))
            return false;
    return true;
}

/* Jupyter's, else the only one. */
static int find_port(struct deploy *d, struct err *e)
{
    const struct image_port *p;
    size_t n = 0;

    d->seat_port = 0;
    vec_each(p, &d->ports) {
        if (strcmp(p->protocol, "tcp") != 0)
            continue;
        n++;
        if (d->seat_port != JUPYTER_PORT)
            d->seat_port = p->number;
    }
    if (!n)
        return err_set(e, ERR_INPUT,
                       "--seats: the image tells of no port that students could open; `services: "
                       "{jupyter: {port: %d}}` in its recipe does",
                       JUPYTER_PORT);
    if (n > 1 && d->seat_port != JUPYTER_PORT)
        return err_set(e, ERR_INPUT,
                       "--seats: the image tells of %zu ports, and none is %d, so which one "
                       "students open is not known",
                       n, JUPYTER_PORT);
    return 0;
}

int deploy_take_seats(struct deploy *d, const struct deploy_seats *seats, struct err *e)
{
    if (seats->host.p && !is_host(seats->host))
        return err_set(e, ERR_USAGE,
                       "--host: \"" STR_FMT
                       "\" is not a machine's name or address, such as lab1.example.org, "
                       "192.168.1.7 or [fd00::7]",
                       STR_ARG(seats->host));
    if (find_port(d, e) < 0)
        return -1;
    if (d->idle)
        return err_set(e, ERR_INPUT,
                       "--seats: the image starts nothing by itself that students could open; "
                       "give its recipe a cmd, JupyterLab for example");
    d->seats = seats;
    return 0;
}

void deploy_seat_gpus(const struct deploy *d, size_t seat, uint32_t *from, uint32_t *to)
{
    size_t seats = d->seats->tokens->n;

    *from = (uint32_t)(seat * d->gpus / seats);
    *to = (uint32_t)((seat + 1) * d->gpus / seats);
    if (*to == *from && d->gpus)
        *to = *from + 1;
}

void deploy_seat_name(struct buf *out, const struct deploy *d, size_t seat)
{
    size_t digits = 1;

    for (size_t n = d->seats->tokens->n; n > 9; n /= 10)
        digits++;
    buf_fmt(out, "seat-%0*zu", (int)digits, seat + 1);
}

void deploy_sheet(struct buf *out, const struct deploy *d)
{
    const struct strs *tokens = d->seats->tokens;
    struct str head, host = d->seats->host;

    if (embedded_get(&head, STR("host-seats.html")))
        buf_str(out, head);
    buf_fmt(out, "<h1>%s</h1>\n", d->name);
    for (size_t i = 0; i < tokens->n; i++) {
        CLEANUP(buf_clear) struct buf at = {0};

        buf_fmt(&at, "http://" STR_FMT ":%zu/", STR_ARG(host), SEAT_PORT + 1 + i);
        buf_puts(out, "<section><h2>");
        deploy_seat_name(out, d, i);
        buf_fmt(out,
                "</h2>\n<p>Open <code><a href=\"%slab?token=" STR_FMT "\">%s</a></code></p>\n"
                "<p>Token <code>" STR_FMT "</code></p></section>\n",
                at.p, STR_ARG(tokens->v[i]), at.p, STR_ARG(tokens->v[i]));
    }
    buf_puts(out, "</html>\n");
}
