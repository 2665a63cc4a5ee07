/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

/* One way to fill a name: a choice of a master link with its slaves. */
struct slave {
    struct str link, name, path;
};
struct choice {
    struct str link, name, path; /* the master's */
    uint32_t priority;
    struct VEC_OF(struct slave) slaves;
    int64_t date; /* of the package that offers it */
};
struct choices VEC_OF(struct choice);

struct alternatives {
    struct arena arena;
    struct choices all; /* sorted by name, then path */
};

static void alternatives_clear(struct alternatives *a)
{
    struct choice *c;

    vec_each(c, &a->all)
        vec_clear(&c->slaves);
    vec_clear(&a->all);
    arena_clear(&a->arena);
}

bool script_command(struct str *text, struct buf *out)
{
    struct str line;

    buf_reset(out);
    while (str_line(text, &line)) {
        bool more = str_drop(&line, STR("\\"));
        buf_str(out, line);
        buf_putc(out, ' ');
        if (!more)
            return true;
    }
    return out->len > 0;
}

bool word_is_constant(struct str word)
{
    static const char special[] = "$`\"'*?[]{}()<>|&;#~\\";

    for (size_t i = 0; i < word.len; i++)
        if (memchr(special, word.p[i], sizeof special - 1))
            return false;
    return word.len > 0;
}

static bool take_constant(struct arena *a, struct str *words, struct str *out)
{
    struct str word;

    if (!str_word(words, &word) || !word_is_constant(word))
        return false;
    *out = arena_str(a, word);
    return true;
}

/* The words behind "--install": LINK NAME PATH PRIORITY, then any number of --slave LINK NAME PATH.
 * What does not read so (a variable, say) is no choice that can be told from the text. */
static bool parse_choice(struct arena *a, struct str words, struct choice *c)
{
    struct str word;

    if (!take_constant(a, &words, &c->link) || !take_constant(a, &words, &c->name) ||
        !take_constant(a, &words, &c->path) || !str_word(&words, &word) ||
        !str_u32(word, &c->priority))
        return false;
    while (str_word(&words, &word) && str_is(word, "--slave")) {
        struct slave s;
        if (!take_constant(a, &words, &s.link) || !take_constant(a, &words, &s.name) ||
            !take_constant(a, &words, &s.path))
            return false;
        vec_add(&c->slaves, s);
    }
    return c->link.p[0] == '/' && c->path.p[0] == '/' && !str_has(c->name, '/');
}

static size_t skip_constants(struct str *words, size_t n)
{
    struct str rest = *words, word;
    size_t i;

    for (i = 0; i < n && str_word(&rest, &word) && word_is_constant(word); i++)
        *words = rest;
    return i;
}

bool step_is_alternative(struct str command)
{
    struct str rest, word;

    if (!str_word(&command, &word) || !str_is(word, "update-alternatives") ||
        !str_word(&command, &word))
        return false;
    if (str_is(word, "--quiet") && !str_word(&command, &word))
        return false;
    bool install = str_is(word, "--install");
    if ((!install && !str_is(word, "--remove")) ||
        skip_constants(&command, install ? 4 : 2) < (install ? 4 : 2))
        return false;
    for (rest = command; install && str_word(&rest, &word) && str_is(word, "--slave");
         command = rest)
        if (skip_constants(&rest, 3) < 3)
            return false;
    command = str_trim(command);
    return !command.len || str_is(command, "|| true");
}

static void read_script(struct alternatives *a, const struct debpkg *p)
{
    struct str text = debpkg_text(p, "postinst");
    CLEANUP(buf_clear) struct buf command = {0};

    while (script_command(&text, &command)) {
        struct str words = buf_view(&command), before;
        struct choice c = {.date = p->newest};
        if (!str_cut(&words, STR("update-alternatives "), &before) || str_has(before, '#') ||
            !str_cut(&words, STR("--install "), &before))
            continue;
        if (parse_choice(&a->arena, words, &c))
            vec_add(&a->all, c);
        else
            vec_clear(&c.slaves);
    }
}

/* xz-utils: a loop over the programs that are there, in the order of its script. */
static void read_xz(struct alternatives *a, const struct debpkg *p)
{
    static const char *const names[][2] = {
        {"lzma", "xz"},         {"unlzma", "unxz"},     {"lzcat", "xzcat"}, {"lzmore", "xzmore"},
        {"lzless", "xzless"},   {"lzdiff", "xzdiff"},   {"lzcmp", "xzcmp"}, {"lzgrep", "xzgrep"},
        {"lzegrep", "xzegrep"}, {"lzfgrep", "xzfgrep"},
    };
    struct choice c = {.date = p->newest, .priority = 20};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *lz = names[i][0], *xz = names[i][1];
        struct slave bin = {str_of(arena_fmt(&a->arena, "/usr/bin/%s", lz)), str_of(lz),
                            str_of(arena_fmt(&a->arena, "/usr/bin/%s", xz))};
        struct slave man = {
            str_of(arena_fmt(&a->arena, "/usr/share/man/man1/%s.1.gz", lz)),
            str_of(arena_fmt(&a->arena, "%s.1.gz", lz)),
            str_of(arena_fmt(&a->arena, "/usr/share/man/man1/%s.1.gz", xz)),
        };
        if (i) {
            vec_add(&c.slaves, bin);
        } else {
            c.link = bin.link;
            c.name = bin.name;
            c.path = bin.path;
        }
        vec_add(&c.slaves, man);
    }
    vec_add(&a->all, c);
}

/* What the script assigns to a variable of its own, at the start of a line. */
static struct str assigned(struct str text, const char *name)
{
    struct str line;

    while (str_line(&text, &line))
        if (str_skip(&line, str_of(name)) && str_skip(&line, STR("=")))
            return line;
    return STR("");
}

static void add_vim(struct alternatives *a, const struct debpkg *p, const char *name,
                    const char *path, uint32_t priority, bool manual)
{
    static const char *const languages[] = {"da/", "de/", "fr/", "it/", "ja/", "pl/", "ru/", ""};
    struct choice c = {.date = p->newest, .priority = priority};

    c.link = str_of(arena_fmt(&a->arena, "/usr/bin/%s", name));
    c.name = str_of(name);
    c.path = str_of(path);
    for (size_t i = 0; manual && i < ARRAY_LEN(languages); i++) {
        static const char man[] = "/usr/share/man/";
        struct str language = str_of(languages[i]);
        const char *dot = str_drop(&language, STR("/")) ? "." : "";
        struct slave s = {
            str_of(arena_fmt(&a->arena, "%s%sman1/%s.1.gz", man, languages[i], name)),
            str_of(arena_fmt(&a->arena, "%s%s" STR_FMT ".1.gz", name, dot, STR_ARG(language))),
            str_of(arena_fmt(&a->arena, "%s%sman1/vim.1.gz", man, languages[i])),
        };
        vec_add(&c.slaves, s);
    }
    vec_add(&a->all, c);
}

/* The packages of vim until 2022: a function with loops over names, for each its own variant. */
static bool read_vim(struct alternatives *a, const struct debpkg *p)
{
    static const struct {
        const char *package;
        uint32_t priority;
    } known[] = {{"vim-tiny", 15}, {"vim", 30}, {"vim-nox", 40}};
    static const char *const bare[] = {"rview", "vim", "vimdiff", "rvim"};
    static const char *const with_manual[] = {"vi", "view", "ex", "editor"};
    struct str variant = assigned(debpkg_text(p, "postinst"), "variant");

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!str_is(p->name, known[i].package) || !word_is_constant(variant) ||
            !script_says(p, "postinst", "add_variant_alternative () {"))
            continue;
        const char *path = arena_fmt(&a->arena, "/usr/bin/vim." STR_FMT, STR_ARG(variant));
        for (size_t k = 0; k < (i ? ARRAY_LEN(bare) : 1); k++)
            add_vim(a, p, bare[k], path, known[i].priority, false);
        for (size_t k = 0; k < ARRAY_LEN(with_manual); k++)
            add_vim(a, p, with_manual[k], path, known[i].priority, true);
        return true;
    }
    return false;
}

static int compare_choices(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->path, y->path);
}

static int compare_slaves(const void *a, const void *b)
{
    const struct slave *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static bool exists(const struct build *b, struct str path)
{
    CLEANUP(free_clear) char *text = str_dup(path);

    return build_has(b, text);
}

/* update-alternatives refuses a path that is not there; such a line stood where it is not reached.
 */
static void drop_missing(const struct build *b, struct choices *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->n; i++)
        if (exists(b, all->v[i].path))
            all->v[kept++] = all->v[i];
        else
            vec_clear(&all->v[i].slaves);
    all->n = kept;
}

/* link -> /etc/alternatives/name -> path */
static int link_up(struct build *b, const struct slave *s, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf middle = {0};
    CLEANUP(free_clear) char *link = str_dup(s->link);
    CLEANUP(free_clear) char *path = str_dup(s->path);

    buf_fmt(&middle, "/etc/alternatives/" STR_FMT, STR_ARG(s->name));
    if (make_link(b, middle.p, path, date, e) < 0)
        return -1;
    return make_link(b, link, middle.p, date, e);
}

static const struct slave *find_slave(const struct choice *c, struct str name)
{
    const struct slave *s;

    vec_each(s, &c->slaves)
        if (str_eq(s->name, name))
            return s;
    return NULL;
}

/* All slaves that any choice of the group knows, by name. */
struct slaves VEC_OF(struct slave);
static void gather_slaves(const struct choice *v, size_t n, struct slaves *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct slave *s, *known;
        vec_each(s, &v[i].slaves) {
            bool seen = false;
            vec_each(known, out)
                seen = seen || str_eq(known->name, s->name);
            if (!seen)
                vec_add(out, *s);
        }
    }
    vec_sort(out, compare_slaves);
}

/* The text of /var/lib/dpkg/alternatives/<name>. */
static void write_database(const struct choice *v, size_t n, const struct slaves *slaves,
                           struct buf *out)
{
    const struct slave *s;

    buf_fmt(out, "auto\n" STR_FMT "\n", STR_ARG(v[0].link));
    vec_each(s, slaves)
        buf_fmt(out, STR_FMT "\n" STR_FMT "\n", STR_ARG(s->name), STR_ARG(s->link));
    buf_putc(out, '\n');
    for (size_t i = 0; i < n; i++) {
        buf_fmt(out, STR_FMT "\n%u\n", STR_ARG(v[i].path), v[i].priority);
        vec_each(s, slaves) {
            const struct slave *mine = find_slave(&v[i], s->name);
            buf_fmt(out, STR_FMT "\n", STR_ARG(mine ? mine->path : STR("")));
        }
    }
    buf_putc(out, '\n');
}

/* `v` are all choices for one name. */
static int add_group(struct build *b, const struct choice *v, size_t n, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf path = {0};
    struct slaves slaves = {0};
    const struct choice *best = v;
    const struct slave *s;
    int64_t date = 0;

    for (size_t i = 0; i < n; i++) {
        if (v[i].priority > best->priority)
            best = &v[i];
        if (v[i].date > date)
            date = v[i].date;
    }
    gather_slaves(v, n, &slaves);
    write_database(v, n, &slaves, &text);
    vec_clear(&slaves);
    buf_fmt(&path, "/var/lib/dpkg/alternatives/" STR_FMT, STR_ARG(v[0].name));
    struct slave master = {best->link, best->name, best->path};
    if (make_file(b, path.p, 0644, 0, date, buf_view(&text), e) < 0 ||
        link_up(b, &master, date, e) < 0)
        return -1;
    vec_each(s, &best->slaves)
        if (exists(b, s->path) && link_up(b, s, date, e) < 0)
            return -1;
    return 0;
}

int system_alternatives(struct build *b, struct err *e)
{
    CLEANUP(alternatives_clear) struct alternatives a = {0};

    for (size_t i = 0; i < b->n; i++)
        if (str_is(b->v[i]->name, "xz-utils"))
            read_xz(&a, b->v[i]);
        else if (!read_vim(&a, b->v[i]))
            read_script(&a, b->v[i]);
    drop_missing(b, &a.all);
    vec_sort(&a.all, compare_choices);
    for (size_t i = 0, n; i < a.all.n; i += n) {
        for (n = 1; i + n < a.all.n && str_eq(a.all.v[i].name, a.all.v[i + n].name); n++)
            ;
        if (add_group(b, &a.all.v[i], n, e) < 0)
            return err_wrap(e, "alternative " STR_FMT, STR_ARG(a.all.v[i].name));
    }
    return 0;
}
