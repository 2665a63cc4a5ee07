/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include "../base/dotted.h"

struct product {
    struct str name, class;
    const struct node *cc; /* its key is the compute capability */
    bool unconfirmed;
};
struct products VEC_OF(struct product);

/* A name as the parts that tell GPUs apart: "NVIDIA GeForce RTX 3090 Ti" is rtx, 3090, ti. */
enum { PARTS_MAX = 16, PART_MAX = 16 };
struct parts {
    char v[PARTS_MAX][PART_MAX];
    size_t n;
    bool too_long; /* more than fits: no product's name */
};

/* ---- the table ---- */

static void add_products(struct products *out, const struct node *classes, const struct node *cc,
                         bool unconfirmed)
{
    const struct node *list, *name;

    node_each(list, classes) {
        if (list->kind != NODE_LIST)
            continue;
        node_each(name, list)
            vec_add(out, ((struct product){name->text, list->key, cc, unconfirmed}));
    }
}

static void list_products(const struct catalog *c, struct products *out)
{
    const struct node *cc;

    node_each(cc, node_get(c->gpu.root, "products")) {
        add_products(out, cc, cc, false);
        add_products(out, node_get(cc, "same_chip"), cc, false);
        add_products(out, node_get(cc, "unconfirmed"), cc, true);
    }
}

/* ---- names as parts ---- */

static bool is_one_of(struct str word, const char *const *list)
{
    while (*list && !str_is(word, *list))
        list++;
    return *list != NULL;
}

static bool only_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]))
            return false;
    return s.len > 0;
}

/* Makers, brands that no two products differ by, form factors, kinds of case. */
static bool tells_nothing(struct str word)
{
    static const char *const words[] = {
        "nvidia",  "geforce", "tesla", "grid",  "gpu",  "graphics",   "card",       "laptop",
        "mobile",  "max",     "q",     "maxq",  "with", "design",     "generation", "gen",
        "edition", "pcie",    "nvl",   "dgxs",  "fhhl", "collectors", "developer",  "kit",
        "nvgpu",   "sxm",     "sxm2",  "sxm3",  "sxm4", "sxm5",       "sxm6",       "ac",
        "hbm2",    "hbm2e",   "hbm3",  "hbm3e", NULL};
    struct str number = word;

    return is_one_of(word, words) || /* "80GB", "80G": memory */
           ((str_drop(&number, STR("gb")) || str_drop(&number, STR("gib")) ||
             str_drop(&number, STR("g"))) &&
            only_digits(number));
}

/* Words that people leave out as long as it is clear what they mean. */
static bool may_be_left_out(const char *part)
{
    static const char *const words[] = {"rtx",         "gtx",    "quadro", "ada",
                                        "blackwell",   "pascal", "jetson", "agx",
                                        "workstation", "server", NULL};

    return is_one_of(str_of(part), words);
}

/* "rtx3090" is rtx, 3090; "rtxa6000" is rtx, a, 6000. */
static void add_word(struct parts *p, struct str word)
{
    while (word.len) {
        size_t n = 1;

        while (n < word.len && c_digit(word.p[n]) == c_digit(word.p[0]))
            n++;
        if (n > 3 && str_starts(word, STR("rtx")))
            n = 3;
        if (p->n == PARTS_MAX || n >= PART_MAX) {
            p->too_long = true;
            return;
        }
        memcpy(p->v[p->n], word.p, n);
        p->v[p->n++][n] = '\0';
        word = str_sub(word, n, word.len);
    }
}

static struct parts parts_of(struct str name)
{
    CLEANUP(buf_clear) struct buf low = {0};
    struct parts p = {0};
    struct str rest, word, before = {0};

    for (size_t i = 0; i < name.len; i++)
        buf_putc(&low, c_alnum(name.p[i]) ? c_lower(name.p[i]) : ' ');
    for (rest = buf_view(&low); str_word(&rest, &word); before = word) {
        if (str_is(word, "gb") && only_digits(before) && p.n)
            p.n--; /* "80 GB" */
        else if (!tells_nothing(word))
            add_word(&p, word);
    }
    return p;
}

/* Is every part asked for in the product, in order, and nothing else but what may be left out? */
static bool parts_match(const struct parts *asked, const struct parts *product, bool all)
{
    size_t at = 0;

    if (asked->too_long)
        return false;
    for (size_t i = 0; i < product->n; i++) {
        if (at < asked->n && strcmp(asked->v[at], product->v[i]) == 0)
            at++;
        else if (all || !may_be_left_out(product->v[i]))
            return false;
    }
    return at == asked->n;
}

/* The same letters and digits, in any case, with or without the maker. */
static bool same_spelling(struct str a, struct str b)
{
    size_t i = 0, j = 0;

    if (str_eq_nocase(str_sub(a, 0, 6), STR("nvidia")))
        a = str_sub(a, 6, a.len);
    for (;; i++, j++) {
        while (i < a.len && !c_alnum(a.p[i]))
            i++;
        while (j < b.len && !c_alnum(b.p[j]))
            j++;
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len;
        if (c_lower(a.p[i]) != c_lower(b.p[j]))
            return false;
    }
}

/* ---- names of parts of a GPU ---- */

/* The name within what tools print around it: a line of `nvidia-smi -L` ("GPU 0: NVIDIA L4 (UUID:
 * GPU-...)"), the suffix of a node's label for shared GPUs, and that of a MIG device ("MIG
 * 1g.10gb").
 */
static struct str bare_name(struct str name)
{
    struct str rest = str_trim(name), number;

    if (str_skip(&rest, STR("GPU ")) && str_cut(&rest, STR(":"), &number) && only_digits(number))
        name = rest;
    name = str_trim(str_sub(name, 0, str_find_str(name, STR("(UUID:"))));
    str_drop(&name, STR("-SHARED"));
    for (size_t at = 1; at + 5 < name.len; at++) {
        struct str mig = str_sub(name, at, name.len);

        if (!c_alnum(mig.p[0]) && str_eq_nocase(str_sub(mig, 1, 3), STR("mig")) &&
            !c_alnum(mig.p[4]) && c_digit(mig.p[5]))
            return str_trim(str_sub(name, 0, at));
    }
    return name;
}

/* A virtual GPU's type is that of its board, "-", framebuffer in GB and the series, Q, C, A or B:
 * "GRID T4-16Q", "NVIDIA A100-4-20C", "GRID M60-2B4". Takes the board's name alone. */
static bool take_board(struct str *name)
{
    struct str board = *name, profile, slices, rest;

    if (!str_cut_last(&board, STR("-"), &profile))
        return false;
    rest = profile;
    while (rest.len && c_digit(rest.p[0]))
        rest = str_sub(rest, 1, rest.len);
    if (rest.len == profile.len || !rest.len || !str_has(STR("QCABqcab"), rest.p[0]) ||
        (rest.len > 1 && !only_digits(str_sub(rest, 1, rest.len))))
        return false;
    *name = board;
    if (str_cut_last(&board, STR("-"), &slices) && slices.len == 1 && only_digits(slices))
        *name = board;
    return true;
}

/* ---- finding ---- */

static const struct product *find(const struct products *all, struct str name);

/* Of a board's name in the type of a virtual GPU: letters behind the number tell forms of the same
 * board, "H100L", "A100DX", "RTX8000P". */
static const struct product *find_board(const struct products *all, struct str board)
{
    const struct product *found = find(all, board);

    while (!found && board.len > 1 && str_has(STR("DLMPXS"), board.p[board.len - 1])) {
        board.len--;
        found = find(all, board);
    }
    return found;
}

/* "GB10 (DGX Spark)": two names of one thing. */
static const struct product *find_both(const struct products *all, struct str name)
{
    const struct product *a, *b;
    struct str inner = name, outer;

    if (!str_drop(&inner, STR(")")) || !str_cut(&inner, STR("("), &outer))
        return NULL;
    a = find(all, str_trim(outer));
    b = find(all, str_trim(inner));
    return a && b && a->cc == b->cc ? a : NULL;
}

/* The product that a name means; NULL when none or when they differ in what they can run. */
static const struct product *find(const struct products *all, struct str name)
{
    const struct product *found = NULL, *p;
    struct parts asked = parts_of(name);
    struct str board = name;

    vec_each(p, all)
        if (same_spelling(name, p->name))
            return p;
    if (!asked.n)
        return NULL;
    for (int pass = 0; pass < 2 && !found; pass++)
        vec_each(p, all) {
            struct parts product = parts_of(p->name);

            if (!parts_match(&asked, &product, pass == 0))
                continue;
            if (found && found->cc != p->cc)
                return NULL;
            found = found ? found : p;
        }
    if (!found)
        found = take_board(&board) ? find_board(all, board) : find_both(all, name);
    if (!found && strcmp(asked.v[0], "quadro") == 0) { /* "Quadro RTX A6000", "Quadro T1000" */
        struct str rest = name;

        str_cut(&rest, STR(" "), &(struct str){0});
        if (rest.len < name.len)
            return find(all, rest);
    }
    return found;
}

/* "sm_89", "sm_90a", "compute_89", "8.9" or "89": the row of architectures. */
static const struct node *capability(const struct catalog *c, struct str name)
{
    const struct node *n;
    bool prefixed =
        str_skip(&name, STR("sm")) || str_skip(&name, STR("SM")) || str_skip(&name, STR("compute"));

    str_skip(&name, STR("_"));
    if (prefixed && !str_drop(&name, STR("a")))
        str_drop(&name, STR("f"));
    node_each(n, node_get(c->gpu.root, "architectures")) {
        struct str minor = n->key, major;

        str_cut(&minor, STR("."), &major);
        if (str_eq(name, n->key) ||
            (name.len == major.len + minor.len && str_starts(name, major) && str_ends(name, minor)))
            return n;
    }
    return NULL;
}

static void set_cc(const struct catalog *c, struct catalog_gpu *out, struct str cc)
{
    uint32_t n[2];

    out->cc = cc;
    out->arch = node_text_of(node_get_str(node_get(c->gpu.root, "architectures"), cc), "name");
    if (dotted_numbers(n, 2, cc) == 2) {
        out->major = n[0];
        out->minor = n[1];
    }
}

/* Is it sold with an arm64 processor alone? */
static bool only_arm64(const struct catalog *c, const struct product *p)
{
    const struct node *n;

    node_each(n, node_get(c->gpu.root, "arm64"))
        if (str_eq(n->text, p->name))
            return true;
    return str_is(p->class, "jetson");
}

/* Are all that have the capability? */
static bool all_arm64(const struct catalog *c, const struct products *all, struct str cc)
{
    const struct product *p;
    bool any = false;

    vec_each(p, all) {
        if (!str_eq(p->cc->key, cc))
            continue;
        if (!only_arm64(c, p))
            return false;
        any = true;
    }
    return any;
}

bool catalog_gpu(const struct catalog *c, struct str name, struct catalog_gpu *out)
{
    const struct node *cc = capability(c, str_trim(name));
    struct products all = {0};
    const struct product *p;
    bool found;

    list_products(c, &all);
    if (cc) {
        *out = (struct catalog_gpu){.arm64 = all_arm64(c, &all, cc->key)};
        set_cc(c, out, cc->key);
        vec_clear(&all);
        return true;
    }
    p = find(&all, bare_name(name));
    if (p) {
        *out = (struct catalog_gpu){.name = p->name,
                                    .class = p->class,
                                    .arm64 = only_arm64(c, p),
                                    .unconfirmed = p->unconfirmed};
        set_cc(c, out, p->cc->key);
    }
    found = p != NULL;
    vec_clear(&all);
    return found;
}

/* What is left of a name without what may be left out, in one word. */
static void essence(struct str name, struct buf *out)
{
    struct parts p = parts_of(name);

    buf_reset(out);
    for (size_t i = 0; i < p.n; i++)
        if (!may_be_left_out(p.v[i]))
            buf_puts(out, p.v[i]);
}

/* What tells a generation: the letters before the number, and the number without its last two
 * digits; "K80" is k, "RTX 4090" 40, "T1000" t and 10. In "RTX 6000" all digits count, as "000"
 * behind them tells nothing. */
struct line {
    struct str letters, series, number; /* `number` empty: the name has none */
};

static struct line line_of(const struct parts *p)
{
    struct line line = {0};

    for (size_t i = 0; i < p->n; i++) {
        struct str part = str_of(p->v[i]);

        if (!only_digits(part)) {
            line.letters = part.len <= 2 ? part : STR("");
            continue;
        }
        line.number = part;
        line.series =
            str_ends(part, STR("000")) ? part : str_sub(part, 0, part.len > 2 ? part.len - 2 : 0);
        return line;
    }
    return (struct line){0};
}

/* May `to` be named to someone who wrote `name`? It must be of the same generation: of the same
 * number, or of a line of which all products are of one major. */
static bool same_generation(const struct products *all, struct str name, const struct product *to)
{
    struct parts asked = parts_of(name), offered = parts_of(to->name);
    struct line a = line_of(&asked), b = line_of(&offered);
    struct str major = dotted_first(to->cc->key, 1);
    const struct product *p;

    if (!str_eq(a.letters, b.letters) || !str_eq(a.series, b.series))
        return false;
    if (str_eq(a.number, b.number))
        return true;
    vec_each(p, all) {
        struct parts other = parts_of(p->name);
        struct line l = line_of(&other);

        if (str_eq(l.letters, a.letters) && str_eq(l.series, a.series) && l.number.len &&
            !str_eq(dotted_first(p->cc->key, 1), major))
            return false;
    }
    return true;
}

enum { FAR = 4 };

/* 0: the same; 1: one within the other; then letters that differ. */
static unsigned how_far(struct str a, struct str b)
{
    unsigned most = a.len < 4 || b.len < 4 ? 1 : 2, d;

    if (!a.len || !b.len)
        return FAR;
    if (str_eq(a, b))
        return 0;
    if (most == 2 && (str_find_str(a, b) < a.len || str_find_str(b, a) < b.len))
        return 1;
    d = str_distance(a, b, most);
    return d <= most ? d + 1 : FAR;
}

void catalog_gpu_nearest(const struct catalog *c, struct str name, size_t most, struct strs *out)
{
    CLEANUP(buf_clear) struct buf asked = {0};
    CLEANUP(buf_clear) struct buf other = {0};
    struct products all = {0};
    const struct product *p;

    list_products(c, &all);
    name = bare_name(name);
    take_board(&name);
    essence(name, &asked);
    for (unsigned far = 0; far < FAR; far++)
        vec_each(p, &all) {
            essence(p->name, &other);
            if (most && how_far(buf_view(&asked), buf_view(&other)) == far &&
                same_generation(&all, name, p)) {
                vec_add(out, p->name);
                most--;
            }
        }
    vec_clear(&all);
}

bool catalog_arch(const struct catalog *c, struct str cc, struct catalog_arch *out)
{
    const struct node *a = node_get_str(node_get(c->gpu.root, "architectures"), cc), *n;

    if (!a)
        return false;
    *out = (struct catalog_arch){.cc = a->key,
                                 .name = node_text_of(a, "name"),
                                 .toolkit_first = node_text_of(node_get(a, "toolkits"), "first"),
                                 .toolkit_last = node_text_of(node_get(a, "toolkits"), "last"),
                                 .driver = node_text_of(a, "driver"),
                                 .branch_first = node_text_of(node_get(a, "branches"), "first"),
                                 .branch_last = node_text_of(node_get(a, "branches"), "last")};
    node_each(n, node_get(a, "unconfirmed")) {
        out->driver_unconfirmed |= str_is(n->text, "driver");
        out->branches_unconfirmed |= str_is(n->text, "branches");
    }
    return true;
}

void catalog_archs(const struct catalog *c, struct strs *out)
{
    const struct node *n;

    node_each(n, node_get(c->gpu.root, "architectures"))
        vec_add(out, n->key);
}

bool catalog_library_lacks(const struct catalog *c, const char *library, struct str version,
                           const struct catalog_gpu *gpu, struct str *from, struct str *cc)
{
    const struct node *rows = node_get(node_get(c->gpu.root, "libraries"), library), *n;

    node_each(n, rows) {
        struct str first = node_text_of(n, "from"), least = node_text_of(n, "capability");

        /* Both kinds of version compare as drivers do: number by number. */
        if (!version.len || dotted_compare(version, first) < 0 ||
            dotted_compare(gpu->cc, least) >= 0)
            continue;
        *from = first;
        *cc = least;
        return true;
    }
    return false;
}

bool catalog_libraries_have_code(const struct catalog *c, struct str cuda,
                                 const struct catalog_gpu *gpu)
{
    const struct node *row = node_get_str(node_get(c->gpu.root, "machine_code"), cuda);
    struct str by;

    return row && catalog_code(row->text, gpu, &by) == CODE_MACHINE;
}

/* ---- code ---- */

struct arch {
    uint32_t major, minor;
    char suffix; /* a, f or 0 */
    bool ptx;    /* beside the machine code */
};

static bool arch_parse(struct arch *out, struct str word)
{
    struct arch a = {.ptx = str_drop(&word, STR("+PTX"))};
    uint32_t n[2];

    if (str_ends(word, STR("a")) || str_ends(word, STR("f")))
        a.suffix = word.p[--word.len];
    if (dotted_numbers(n, 2, word) != 2)
        return false;
    a.major = n[0];
    a.minor = n[1];
    *out = a;
    return true;
}

static bool runs(const struct arch *a, const struct catalog_gpu *gpu)
{
    return a->major == gpu->major &&
           (a->suffix == 'a' ? a->minor == gpu->minor : a->minor <= gpu->minor);
}

/* Code for one GPU alone cannot be compiled for another from its PTX either. */
static bool compiles(const struct arch *a, const struct catalog_gpu *gpu)
{
    return a->ptx && (a->suffix ? runs(a, gpu)
                                : a->major < gpu->major ||
                                      (a->major == gpu->major && a->minor <= gpu->minor));
}

enum catalog_code catalog_code(struct str archs, const struct catalog_gpu *gpu, struct str *by)
{
    enum catalog_code best = CODE_NONE;
    struct arch chosen = {0}, a;
    struct str word;

    while (str_word(&archs, &word)) {
        enum catalog_code code;

        if (!arch_parse(&a, word))
            continue;
        code = runs(&a, gpu) ? CODE_MACHINE : compiles(&a, gpu) ? CODE_PTX : CODE_NONE;
        if (code < best || code == CODE_NONE ||
            (code == best &&
             (a.major < chosen.major || (a.major == chosen.major && a.minor < chosen.minor))))
            continue;
        best = code;
        chosen = a;
        *by = word;
    }
    if (best != CODE_NONE)
        str_drop(by, STR("+PTX"));
    return best;
}

void catalog_gpu_words(struct buf *out, const struct catalog *c, struct str name)
{
    struct strs names = {0};

    buf_fmt(out, "\"" STR_FMT "\" is not a GPU that the catalog knows; ", STR_ARG(name));
    catalog_gpu_nearest(c, name, 4, &names);
    for (size_t i = 0; i < names.n; i++)
        buf_fmt(out, "%s\"" STR_FMT "\"",
                i == 0            ? "do you mean "
                : i + 1 < names.n ? ", "
                                  : " or ",
                STR_ARG(names.v[i]));
    buf_puts(out, names.n ? "?" : "its compute capability, such as 8.9 or sm_89, does as well");
    vec_clear(&names);
}

int catalog_gpu_unknown(const struct catalog *c, struct str name, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};

    catalog_gpu_words(&words, c, name);
    return err_set(e, ERR_UNSAT, "--gpu: %s", words.p);
}
