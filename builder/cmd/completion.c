/* SPDX-License-Identifier: Apache-2.0 */
#include "completion.h"

#include "../model/embedded.h"

/* What stands for a name in capitals; for all others nothing is offered. */
static const struct {
    const char *name, *calls;
} meanings[] = {
    {"COMMAND", "_envbuild_commands"},
    {"DEST", "_envbuild_words oci: oci-archive: docker-archive: dir: docker: docker:// podman:; "
             "_envbuild_files"},
    {"DIR", "_envbuild_folders"},
    {"FILE", "_envbuild_files"},
    {"IMAGE", "_envbuild_words oci: oci-archive: docker-archive: dir: docker: docker:// podman:; "
              "_envbuild_files"},
    {"LAYOUT", "_envbuild_folders"},
    {"LOCK", "_envbuild_files .lock"},
    {"NEW", "_envbuild_files"},
    {"OLD", "_envbuild_files"},
    {"RECIPE", "_envbuild_files .yaml .yml"},
    {"REF", "_envbuild_words oci: docker://"},
    {"REPO", "_envbuild_words oci: docker://"},
};

/* "IMAGE|LOCK", "amd64|arm64" or "[NAME...]" as calls, with "; " between; nothing for "N". */
static void add_calls(struct buf *out, struct str what)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct str item;

    str_skip(&what, STR("["));
    str_drop(&what, STR("]"));
    str_drop(&what, STR("..."));
    while (str_item(&what, '|', &item)) {
        const char *calls = NULL;

        for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
            if (str_is(item, meanings[i].name))
                calls = meanings[i].calls;
        if (calls)
            buf_fmt(out, "%s%s", out->len ? "; " : "", calls);
        else if (item.len && item.p[0] >= 'a' && item.p[0] <= 'z')
            buf_fmt(&words, " " STR_FMT, STR_ARG(item));
    }
    if (words.len)
        buf_fmt(out, "%s_envbuild_words%s", out->len ? "; " : "", words.p);
}

/* Between single quotes; `inside` is what stands for one there. */
static void add_quoted(struct buf *out, struct str text, const char *inside)
{
    buf_putc(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\'')
            buf_puts(out, inside);
        else
            buf_putc(out, text.p[i]);
    }
    buf_putc(out, '\'');
}

static void add_option(struct completion *c, const char *command, const struct opt *o)
{
    CLEANUP(buf_clear) struct buf calls = {0}, pattern = {0}, told = {0};

    if (o->letter)
        buf_fmt(&pattern, "%s/-%c|", command, o->letter);
    buf_fmt(&pattern, "%s/--%s", command, o->name);
    if (o->letter)
        buf_fmt(&c->plain, " -%c", o->letter);
    buf_fmt(&c->plain, " --%s", o->name);
    buf_fmt(&told, "--%s:%s", o->name, o->help);
    buf_putc(&c->told, ' ');
    add_quoted(&c->told, buf_view(&told), "'\\''");
    buf_fmt(&c->fish, "complete -c envbuild -n '_envbuild_is %s'", command);
    if (o->letter)
        buf_fmt(&c->fish, " -s %c", o->letter);
    buf_fmt(&c->fish, " -l %s", o->name);
    if (o->arg) {
        buf_fmt(&c->takes, "    %s) return 0 ;;\n", pattern.p);
        add_calls(&calls, str_of(o->arg));
        buf_puts(&c->fish, " -x");
    }
    if (calls.len) {
        buf_fmt(&c->values, "    %s) %s ;;\n", pattern.p, calls.p);
        buf_fmt(&c->fish, " -a '(%s)'", calls.p);
    }
    buf_puts(&c->fish, " -d ");
    add_quoted(&c->fish, str_of(o->help), "\\'");
    buf_putc(&c->fish, '\n');
}

/* One that ends in "..." stands for all that follow. */
static void add_operands(struct completion *c, const struct command *command)
{
    struct str rest = str_of(command->operands), word;
    CLEANUP(buf_clear) struct buf all = {0};

    for (unsigned n = 1; str_word(&rest, &word); n++) {
        CLEANUP(buf_clear) struct buf calls = {0};

        add_calls(&calls, word);
        if (!calls.len)
            continue;
        if (str_find_str(word, STR("...")) < word.len)
            buf_fmt(&c->operands, "    %s/*) %s ;;\n", command->name, calls.p);
        else
            buf_fmt(&c->operands, "    %s/%u) %s ;;\n", command->name, n, calls.p);
        buf_fmt(&all, "%s%s", all.len ? "; " : "", calls.p);
    }
    if (all.len)
        buf_fmt(&c->fish, "complete -c envbuild -n '_envbuild_is %s' -a '(%s)'\n", command->name,
                all.p);
}

void completion_add(struct completion *c, const struct command *command, const struct opt *opts)
{
    buf_fmt(&c->plain, "    %s) _envbuild_words", command->name);
    buf_fmt(&c->told, "    %s) options=(", command->name);
    for (const struct opt *o = opts; o->name; o++)
        add_option(c, command->name, o);
    buf_puts(&c->plain, " ;;\n");
    buf_puts(&c->told, " ) ;;\n");
    add_operands(c, command);
}

/* A line that tells a command from a recipe. */
static void add_names(struct buf *out, enum completion_shell shell)
{
    buf_puts(out, shell == COMPLETION_FISH ? "            case" : "        ");
    for (const struct command *c = commands; c->name; c++)
        buf_fmt(out, "%s%s", shell == COMPLETION_FISH ? " " : c == commands ? "" : "|", c->name);
    buf_puts(out, shell == COMPLETION_FISH ? "\n" : ") command=$word ;;\n");
}

/* What offers the commands. */
static void add_commands(struct buf *out, enum completion_shell shell)
{
    buf_puts(out, shell == COMPLETION_BASH ? "    _envbuild_words" : "");
    for (const struct command *c = commands; c->name; c++) {
        CLEANUP(buf_clear) struct buf told = {0};

        buf_fmt(&told, "%s:%s", c->name, c->help);
        switch (shell) {
        case COMPLETION_BASH:
            buf_fmt(out, " %s", c->name);
            break;
        case COMPLETION_ZSH:
            buf_puts(out, "        ");
            add_quoted(out, buf_view(&told), "'\\''");
            buf_putc(out, '\n');
            break;
        case COMPLETION_FISH:
            buf_fmt(out, "    printf '%%s\\t%%s\\n' %s ", c->name);
            add_quoted(out, str_of(c->help), "\\'");
            buf_putc(out, '\n');
            break;
        }
    }
    buf_puts(out, shell == COMPLETION_BASH ? "\n" : "");
}

void completion_print(struct buf *out, const struct completion *c, enum completion_shell shell)
{
    static const char *const heads[] = {"completion.bash", "completion.zsh", "completion.fish"};
    CLEANUP(buf_clear) struct buf names = {0}, list = {0};
    const struct {
        const char *line;
        const struct buf *text;
    } marks[] = {
        {"@NAMES@", &names},
        {"@COMMANDS@", &list},
        {"@TAKES@", &c->takes},
        {"@VALUES@", &c->values},
        {"@OPERANDS@", &c->operands},
        {"@FISH@", &c->fish},
        {"@OPTIONS@", shell == COMPLETION_ZSH ? &c->told : &c->plain},
    };
    struct str rest, line;

    add_names(&names, shell);
    add_commands(&list, shell);
    if (!embedded_get(&rest, str_of(heads[shell])))
        abort(); /* embedded.c has them all */
    while (str_line(&rest, &line)) {
        const struct buf *text = NULL;

        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
            if (str_is(line, marks[i].line))
                text = marks[i].text;
        if (text)
            buf_str(out, buf_view(text));
        else
            buf_fmt(out, STR_FMT "\n", STR_ARG(line));
    }
}

void completion_clear(struct completion *c)
{
    buf_clear(&c->takes);
    buf_clear(&c->values);
    buf_clear(&c->operands);
    buf_clear(&c->plain);
    buf_clear(&c->told);
    buf_clear(&c->fish);
}

const char *completion_path(enum completion_shell shell)
{
    static const char *const paths[] = {"bash-completion/completions/envbuild",
                                        "zsh/site-functions/_envbuild",
                                        "fish/vendor_completions.d/envbuild.fish"};

    return paths[shell];
}
