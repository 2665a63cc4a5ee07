/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_facts.h"

#include "../base/dotted.h"
#include "toolkit/redist_choose.h"
#include "resolve_parts.h"

static bool has_wheel(const struct lock *lock, const char *prefix)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == ECO_WHEEL &&
            str_starts(lock->artifacts.v[i].name, str_of(prefix)))
            return true;
    return false;
}

/* cuDNN's headers come with its wheel. Where its library is inside torch's own wheel, the archive
 * has them: "8.7.0" for CUDA 11 of "8.7.0.84". */
static int choose_cudnn(struct artifacts *out, struct arena *a, const struct lock *lock,
                        const struct resolve_input *in, struct err *e)
{
    struct str cuda = lock->toolkit.version;
    const struct redist_want want = {.component = STR("cudnn"), .pos = in->recipe->variant.pos};
    struct str variant = str_of(arena_fmt(a, "cuda" STR_FMT, STR_ARG(dotted_first(cuda, 1))));

    if (!lock->facts.cudnn.len || has_wheel(lock, "nvidia-cudnn-"))
        return 0;
    return redist_choose(out, a, in->pages, STR("cudnn"), dotted_first(lock->facts.cudnn, 3),
                         variant, &want, 1, e);
}

static bool toolkit_is_nvidia(const struct plans *p)
{
    return str_is(p->toolkit.from, "nvidia");
}

/* "[x]" is an archive that not every release has. */
static int choose_toolkit(struct artifacts *out, struct plans *plans,
                          const struct resolve_input *in, struct err *e)
{
    const struct strs *items = &plans->toolkit.items;
    CLEANUP(free_clear) struct redist_want *wants = xcalloc(items->n, sizeof *wants);

    for (size_t i = 0; i < items->n; i++) {
        struct str name = items->v[i];

        wants[i].optional = str_skip(&name, STR("[")) && str_drop(&name, STR("]"));
        wants[i].component = name;
        wants[i].pos = in->recipe->variant.pos;
    }
    return redist_choose(out, &plans->arena, in->pages, STR("cuda"), plans->toolkit.release,
                         STR(""), wants, items->n, e);
}

int resolve_archives(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                     struct err *e)
{
    struct artifacts list = {0};
    int result = 0;

    if (!plans->toolkit.wanted)
        return 0;
    if (toolkit_is_nvidia(plans))
        events_emit(in->events,
                    &(struct event){.kind = EVENT_STEP, .name = "choose the CUDA toolkit"});
    if (pins_all_archives(&in->pins, lock)) {
        artifacts_take_over(lock, in->pins.old, ECO_REDIST);
        return 0;
    }
    lock_facts_derive(lock, in->catalog, NULL); /* which cuDNN */
    if (toolkit_is_nvidia(plans))
        result = choose_toolkit(&list, plans, in, e);
    if (result == 0)
        result = choose_cudnn(&list, &plans->arena, lock, in, e);
    for (size_t i = 0; i < list.n && result == 0; i++)
        vec_add(&lock->artifacts, artifact_keep(&lock->doc.arena, &list.v[i]));
    vec_clear(&list);
    return result;
}
