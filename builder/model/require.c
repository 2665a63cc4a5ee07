/* SPDX-License-Identifier: Apache-2.0 */
#include "require.h"

#include "../base/dotted.h"

/* The names are nvidia-container-cli's for what NVML says; NVIDIA dropped "tesla" and "quadro" for
 * newer products, and with newer drivers for some of the older ones. */
static const struct {
    const char *class, *brand;
} brands[] = {
    {"geforce", "geforce"},       {"geforce", "geforcertx"}, {"titan", "titan"},
    {"titan", "titanrtx"},        {"workstation", "quadro"}, {"workstation", "quadrortx"},
    {"workstation", "nvidiartx"}, {"datacenter", "tesla"},   {"datacenter", "nvidia"},
    {"jetson", "nvidia"},
};

/* ---- a term ---- */

struct term {
    struct str property, op, value;
};

static bool term_read(struct term *out, struct str text)
{
    size_t name = 0, op;

    while (name < text.len && !str_has(STR("<>=!"), text.p[name]))
        name++;
    op = name;
    while (op < text.len && str_has(STR("<>=!"), text.p[op]))
        op++;
    *out = (struct term){str_sub(text, 0, name), str_sub(text, name, op - name),
                         str_sub(text, op, text.len)};
    return out->property.len && out->op.len && out->value.len;
}

/* Does `order`, of what is there against the value, fit the operator? */
static enum require_answer fits(struct str op, int order)
{
    static const struct {
        const char *op;
        bool less, equal, more;
    } table[] = {{"=", false, true, false}, {"!=", true, false, true}, {"<", true, false, false},
                 {"<=", true, true, false}, {">", false, false, true}, {">=", false, true, true}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_is(op, table[i].op))
            return (order < 0   ? table[i].less
                    : order > 0 ? table[i].more
                                : table[i].equal)
                       ? REQUIRE_MET
                       : REQUIRE_UNMET;
    return REQUIRE_WRONG;
}

static enum require_answer judge_version(const struct term *t, struct str there)
{
    if (!dotted_is(t->value, 1, 4))
        return REQUIRE_WRONG;
    return there.len ? fits(t->op, dotted_compare(there, t->value)) : REQUIRE_MET;
}

static enum require_answer judge_brand(const struct term *t, struct str class)
{
    bool equal = str_is(t->op, "=");

    if (!equal && !str_is(t->op, "!="))
        return REQUIRE_WRONG;
    for (size_t i = 0; i < ARRAY_LEN(brands); i++)
        if (str_is(class, brands[i].class) &&
            str_eq_nocase(t->value, str_of(brands[i].brand)) == equal)
            return REQUIRE_MET;
    return class.len ? REQUIRE_UNMET : REQUIRE_MET;
}

static enum require_answer judge_term(struct str text, struct str driver,
                                      const struct catalog_gpu *gpu, const struct catalog *c)
{
    struct term t;

    if (!term_read(&t, text))
        return REQUIRE_WRONG;
    if (str_eq_nocase(t.property, STR("cuda")))
        return judge_version(&t, catalog_cuda_of_driver(c, driver));
    if (str_eq_nocase(t.property, STR("driver")))
        return judge_version(&t, driver);
    if (str_eq_nocase(t.property, STR("arch")))
        return judge_version(&t, gpu ? gpu->cc : STR(""));
    if (str_eq_nocase(t.property, STR("brand")))
        return judge_brand(&t, gpu ? gpu->class : STR(""));
    return REQUIRE_WRONG;
}

/* ---- an expression ---- */

/* All terms of an alternative; the first that is not met decides. */
static enum require_answer judge_all(struct str terms, struct str driver,
                                     const struct catalog_gpu *gpu, const struct catalog *c)
{
    enum require_answer answer = REQUIRE_MET;
    struct str term;

    while (answer == REQUIRE_MET && str_item(&terms, ',', &term))
        if (term.len)
            answer = judge_term(term, driver, gpu, c);
    return answer;
}

static enum require_answer judge_line(struct str line, struct str driver,
                                      const struct catalog_gpu *gpu, const struct catalog *c,
                                      struct str *first)
{
    enum require_answer answer = REQUIRE_MET;
    struct str alternative, named = {0};

    while (str_item(&line, ' ', &alternative)) {
        if (!alternative.len)
            continue;
        answer = judge_all(alternative, driver, gpu, c);
        if (!named.len || answer == REQUIRE_WRONG)
            named = alternative;
        if (answer != REQUIRE_UNMET)
            break;
    }
    if (answer != REQUIRE_MET)
        *first = named;
    return answer;
}

enum require_answer require_judge(struct str text, struct str driver, const struct catalog_gpu *gpu,
                                  const struct catalog *c, struct str *first)
{
    enum require_answer answer = REQUIRE_MET;
    struct str line;

    while (answer == REQUIRE_MET && str_line(&text, &line))
        answer = judge_line(line, driver, gpu, c, first);
    return answer;
}

void require_drivers(struct strs *out, struct str text)
{
    struct str word, term;
    struct term t;

    while (str_word(&text, &word))
        while (str_item(&word, ',', &term))
            if (term_read(&t, term) && str_eq_nocase(t.property, STR("driver")) &&
                dotted_is(t.value, 1, 4))
                strs_add_once(out, t.value);
}

/* ---- of an image ---- */

/* As strconv.ParseBool of Go reads it. */
static bool is_true(struct str value)
{
    static const char *const words[] = {"1", "t", "T", "TRUE", "true", "True"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(value, words[i]))
            return true;
    return false;
}

static struct str variable(const struct strs *env, const char *name)
{
    struct str found = {0};

    for (size_t i = 0; i < env->n; i++) {
        struct str value = env->v[i];

        if (str_skip(&value, str_of(name)) && str_skip(&value, STR("=")))
            found = value; /* the last one counts */
    }
    return found;
}

struct str require_of_env(struct arena *a, const struct strs *env)
{
    CLEANUP(buf_clear) struct buf lines = {0};
    struct str version = dotted_first(variable(env, "CUDA_VERSION"), 2);

    if (is_true(variable(env, "NVIDIA_DISABLE_REQUIRE")))
        return (struct str){0};
    for (size_t i = 0; i < env->n; i++) {
        struct str value = env->v[i], name;

        if (str_cut(&value, STR("="), &name) && str_starts(name, STR("NVIDIA_REQUIRE_")) &&
            !str_starts(name, STR("NVIDIA_REQUIRE_JETPACK")) && value.len)
            buf_fmt(&lines, "%s" STR_FMT, lines.len ? "\n" : "", STR_ARG(value));
    }
    if (!variable(env, "NVIDIA_REQUIRE_CUDA").len && dotted_is(version, 2, 2))
        buf_fmt(&lines, "%scuda>=" STR_FMT, lines.len ? "\n" : "", STR_ARG(version));
    return arena_str(a, buf_view(&lines));
}

/* ---- of ours ---- */

/* A driver of the branch, with that user-space part, and a GPU of the brand. */
static void print_branch(struct buf *out, const struct catalog *c, struct str cuda,
                         struct str branch)
{
    uint32_t number;

    for (size_t i = 0; i < ARRAY_LEN(brands) && str_u32(branch, &number); i++) {
        enum catalog_forward way = catalog_forward(c, cuda, branch, str_of(brands[i].class));

        if (!str_is(str_of(brands[i].class), "jetson") &&
            (way == FORWARD_YES || way == FORWARD_SELECTED))
            buf_fmt(out, " brand=%s,driver>=%u,driver<%u", brands[i].brand, number, number + 1);
    }
}

void require_print(struct buf *out, const struct catalog *c, struct str driver_min,
                   struct str compat)
{
    struct str cuda = compat.len ? catalog_cuda_of_driver(c, compat) : compat;
    struct strs branches = {0};

    buf_fmt(out, "driver>=" STR_FMT, STR_ARG(driver_min));
    if (!compat.len || dotted_compare(compat, driver_min) < 0)
        return;
    catalog_branches(c, &branches);
    for (size_t i = 0; i < branches.n; i++)
        if (dotted_compare(branches.v[i], driver_min) < 0)
            print_branch(out, c, cuda, branches.v[i]);
    vec_clear(&branches);
}
