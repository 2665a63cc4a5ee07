/* SPDX-License-Identifier: Apache-2.0 */
#include "offers.h"

#include "../base/path.h"

static void add_port(struct lock *lock, struct str text)
{
    struct arena *a = &lock->doc.arena;
    struct image_port port;

    if (image_port_parse(&port, text))
        strs_add_once(&lock->ports, str_of(arena_fmt(a, "%u/%s", port.number, port.protocol)));
}

static void add_volume(struct lock *lock, struct str path)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    if (str_starts(path, STR("/")) && path_clean(&clean, path) &&
        path_is_safe(str_sub(buf_view(&clean), 1, clean.len)) &&
        !strs_has(&lock->volumes, buf_view(&clean)))
        vec_add(&lock->volumes, arena_str(&lock->doc.arena, buf_view(&clean)));
}

static void set_health(struct lock *lock, const struct recipe *r, const struct image_config *below)
{
    struct arena *a = &lock->doc.arena;
    struct image_health *to = &lock->health;

    if (r->has_healthcheck) {
        *to = (struct image_health){.interval = r->health.interval,
                                    .timeout = r->health.timeout,
                                    .start_period = r->health.start_period,
                                    .retries = r->health.retries};
        for (size_t i = 0; i < r->health.command.n; i++)
            vec_add(&to->command, arena_str(a, r->health.command.v[i].text));
    } else if (below) {
        *to = below->health;
        to->command = (struct strs){0};
        for (size_t i = 0; i < below->health.command.n; i++)
            vec_add(&to->command, arena_str(a, below->health.command.v[i]));
    }
}

void offers_set(struct lock *lock, const struct recipe *r, const struct image_config *below)
{
    if (lock->format < 2) /* which left it to the config alone */
        below = NULL;
    for (size_t i = 0; below && i < below->ports.n; i++)
        add_port(lock, below->ports.v[i]);
    for (size_t i = 0; i < r->ports.n; i++)
        add_port(lock, r->ports.v[i].text);
    for (size_t i = 0; below && i < below->volumes.n; i++)
        add_volume(lock, below->volumes.v[i]);
    for (size_t i = 0; i < r->volumes.n; i++)
        add_volume(lock, r->volumes.v[i].text);
    set_health(lock, r, below);
}
