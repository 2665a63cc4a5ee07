/* SPDX-License-Identifier: Apache-2.0 */
#include "stand_ins.h"

#include "../../base/path.h"

/* Debian's multiarch folder of the one architecture there is. */
#define LIBRARIES "/usr/lib/x86_64-linux-gnu/"
#define SITE "/opt/venv/lib/python"

/* "11.1.1+~10.3.5.147~12.4.1-2" has the library's own version between its tildes. */
static bool is_of(struct str package, struct str wheel)
{
    struct str part;

    while (str_item(&package, '~', &part))
        if (str_eq(part, wheel))
            return true;
    return false;
}

static struct str provide(struct arena *a, struct str name, struct str version)
{
    return str_of(arena_fmt(a, STR_FMT " (= " STR_FMT ")", STR_ARG(name), STR_ARG(version)));
}

static void add_driver(struct lock *lock, const struct base_toolkit *base, const struct catalog *c)
{
    struct arena *a = &lock->doc.arena;
    struct str version = catalog_driver(c, lock->toolkit.version);
    struct lock_stand_in s = {.name = STR(STAND_IN_DRIVER),
                              .summary = STR("NVIDIA driver, which the host brings")};

    if (!version.len)
        version = lock->facts.driver_min;
    s.version = arena_str(a, version);
    for (size_t i = 0; i < base->driver.n; i++)
        vec_add(&s.provides, provide(a, base->driver.v[i], version));
    vec_add(&lock->toolkit.stand_ins, s);
}

static void add_library(struct lock_stand_in *s, struct lock *lock, const struct base_library *l,
                        struct str version)
{
    struct arena *a = &lock->doc.arena;
    struct lock_link link = {
        .path = str_of(arena_fmt(a, LIBRARIES STR_FMT, STR_ARG(path_base(l->file)))),
        .target = str_of(arena_fmt(a, SITE STR_FMT "/site-packages/" STR_FMT, STR_ARG(lock->python),
                                   STR_ARG(l->file)))};

    vec_add(&s->provides, provide(a, l->package, version));
    vec_add(&s->links, link);
}

static void add_libraries(struct lock *lock, const struct base_toolkit *base,
                          const struct strs *versions)
{
    struct lock_stand_in s = {.name = STR(STAND_IN_LIBRARIES),
                              .version = lock->toolkit.version,
                              .summary =
                                  STR("CUDA libraries, which are in the Python environment")};

    for (size_t i = 0; i < base->libraries.n && i < versions->n; i++) {
        const struct base_library *l = &base->libraries.v[i];
        const struct artifact *wheel = lock_find(lock, ECO_WHEEL, l->wheel);

        if (wheel && is_of(versions->v[i], wheel->version))
            add_library(&s, lock, l, versions->v[i]);
    }
    if (s.provides.n)
        vec_add(&lock->toolkit.stand_ins, s);
}

void stand_ins_choose(struct lock *lock, const struct base_toolkit *base, const struct catalog *c,
                      const struct strs *versions)
{
    add_driver(lock, base, c);
    add_libraries(lock, base, versions);
}

void stand_ins_print(struct buf *out, const struct lock *lock)
{
    for (size_t i = 0; i < lock->toolkit.stand_ins.n; i++) {
        const struct lock_stand_in *s = &lock->toolkit.stand_ins.v[i];

        buf_fmt(out, "Package: " STR_FMT "\nVersion: " STR_FMT "\nArchitecture: all\nProvides: ",
                STR_ARG(s->name), STR_ARG(s->version));
        for (size_t j = 0; j < s->provides.n; j++)
            buf_fmt(out, "%s" STR_FMT, j ? ", " : "", STR_ARG(s->provides.v[j]));
        buf_puts(out, "\n\n");
    }
}

bool stand_ins_has(const struct lock *lock, struct str package)
{
    for (size_t i = 0; i < lock->toolkit.stand_ins.n; i++)
        if (str_eq(lock->toolkit.stand_ins.v[i].name, package))
            return true;
    return false;
}
