/* cmd/main.c - the program: reads the environment once, picks the command, prints the error. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/path.h"
#include "output.h"
#include "session.h"
#include "../base/version.h"

/* The table that --help, the manual and the dispatch are made from. */
const struct command commands[] = {
    {"build", "RECIPE", "Build the image of a recipe, writing its lock first if there is none.",
     cmd_build},
    {"check", "IMAGE|RECIPE|LOCK|TAG",
     "Tell whether an image runs on this machine, or on a driver and GPUs that are named.",
     cmd_check},
    {"copy", "IMAGE DEST",
     "Copy an image from one place to another: layouts, archives, folders, engines, registries.",
     cmd_copy},
    {"diff", "OLD NEW",
     "Compare two recipes, locks or tags, or two images: packages, files, layers, what is pulled.",
     cmd_diff},
    {"emit", "KIND IMAGE|RECIPE|LOCK",
     "Write what runs an image by its digest: k8s, compose, slurm or devcontainer.", cmd_emit},
    {"explain", "RECIPE|LOCK|TAG",
     "Tell what an image holds, where it comes from, how large it is and what it needs of a host.",
     cmd_explain},
    {"init", "[TAG]",
     "Write a recipe for a tag such as 2.6.0-cuda12.4-cudnn9-runtime, or for this folder and "
     "machine.",
     cmd_init},
    {"inspect", "IMAGE",
     "Tell what is in an image, whoever made it: PyTorch, CUDA, device code, packages, sizes.",
     cmd_inspect},
    {"lock", "RECIPE [NAME...]",
     "Choose exact versions for a recipe and write its lock; or diff OLD NEW: compare two locks.",
     cmd_lock},
    {"catalog", "", "Show which PyTorch builds there are, with their CUDA, and for which GPUs.",
     cmd_catalog},
    {"recommend", "",
     "Tell the newest PyTorch image that runs on this machine, on one that is named, or on a "
     "fleet.",
     cmd_recommend},
    {"run", "RECIPE [-- COMMAND...]",
     "Build the image, load it into Docker or Podman and run it, with the recipe's folder in it.",
     cmd_run},
    {"shell", "RECIPE", "The same with a shell.", cmd_shell},
    {"tree", "RECIPE|LOCK|TAG", "Show what each Python package of the recipe needs.", cmd_tree},
    {"why", "RECIPE|LOCK|TAG NAME", "Tell by what chain of needs a package came into the image.",
     cmd_why},
    {NULL, NULL, NULL, NULL},
};

/* A signal handler can reach nothing but a global; rooms see it through events_cancelled(). */
static volatile int interrupted;

static void on_signal(int number)
{
    if (interrupted)
        _exit(128 + number); /* asked twice: at once, nothing half-written has a name yet */
    interrupted = number;
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* whoever ignores it is not told how a program ended */
}

/* `variable`/name where it is an absolute path, else the folder `below` home. NULL without a home.
 */
static char *in_home(const char *variable, const char *below, const char *name)
{
    const char *dir = variable ? getenv(variable) : NULL, *home = getenv("HOME");
    CLEANUP(free_clear) char *folder = NULL;

    if (dir && dir[0] == '/')
        return path_join(dir, name);
    if (!home || home[0] != '/')
        return NULL;
    folder = path_join(home, below);
    return path_join(folder, name);
}

/* As curl, git and pip find it. */
static char *netrc(void)
{
    const char *named = getenv("NETRC");
    CLEANUP(free_clear) char *usual = in_home(NULL, "", ".netrc");

    if (named && named[0])
        return xstrdup(named);
    return usual && access(usual, R_OK) == 0 ? xstrdup(usual) : NULL;
}

/* The variables that curl, OpenSSL and their like read. */
static const char *ca_file(void)
{
    const char *file = getenv("SSL_CERT_FILE");

    return file && file[0] ? file : getenv("CURL_CA_BUNDLE");
}

/* Is standard error a terminal that can go up a row? */
static bool can_draw(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

static void add_usage(struct buf *out)
{
    buf_puts(out, "usage: envbuild RECIPE                    the same as envbuild build RECIPE\n"
                  "       envbuild COMMAND [OPTION...] OPERAND\n\n");
    for (const struct command *c = commands; c->name; c++)
        buf_fmt(out, "  %-9s %-17s %s\n", c->name, c->operands, c->help);
    buf_puts(out, "\nenvbuild help COMMAND lists the options of a command; envbuild --version the "
                  "version.\n");
}

static void print_errors(const struct err *e)
{
    if (e->kind == ERR_INTERRUPTED) { /* what it was doing helps nobody */
        output_message("envbuild: interrupted; run the same command again to continue");
        return;
    }
    for (; e && err_is_set(e); e = e->next) {
        CLEANUP(buf_clear) struct buf text = {0};

        buf_puts(&text, e->file ? "" : "envbuild: ");
        err_format(e, &text);
        output_message("%s", text.p);
    }
}

static void print_errors_json(struct session *s, const struct err *e)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;

    node_put_u64(&d, root, "envbuild_output", 1);
    list = node_put(&d, root, "errors", node_new_list(&d));
    for (; e && err_is_set(e); e = e->next) {
        struct node *n = node_add(&d, list, node_new_map(&d));

        node_put_u64(&d, n, "code", (uint64_t)e->kind);
        if (e->file)
            node_put_str(&d, n, "file", str_of(e->file));
        if (e->line) {
            node_put_u64(&d, n, "line", e->line);
            node_put_u64(&d, n, "column", e->col);
        }
        node_put_str(&d, n, "message", str_of(e->msg));
    }
    session_json(s, &d, root);
}

/* A command's name, or a recipe: `envbuild x.yaml` builds it. */
static const struct command *pick(int argc, char **argv, struct err *e)
{
    struct str word = str_of(argv[1]);

    for (const struct command *c = commands; c->name; c++)
        if (str_is(word, c->name))
            return c;
    if (argv[1][0] == '-' || str_has(word, '/') || str_has(word, '.') || access(argv[1], F_OK) == 0)
        return &commands[0];
    for (const struct command *c = commands; c->name; c++)
        if (str_distance(word, str_of(c->name), 2) <= 2) {
            err_set(e, ERR_USAGE, "\"%s\" is not a command; did you mean \"%s\"?", argv[1],
                    c->name);
            return NULL;
        }
    err_set(e, ERR_USAGE, "\"%s\" is neither a command nor a recipe; envbuild --help lists both",
            argv[1]);
    return NULL;
}

static int run(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(buf_clear) struct buf usage = {0};
    const struct command *c;
    struct str rest, line;

    add_usage(&usage);
    if (argc < 2) {
        for (rest = buf_view(&usage); str_line(&rest, &line);)
            output_message(STR_FMT, STR_ARG(line));
        return err_set(e, ERR_USAGE, "no recipe is named");
    }
    if (argc == 3 && strcmp(argv[1], "help") == 0) { /* help X is X --help */
        char *swapped[] = {argv[0], argv[2], "--help", NULL};

        c = pick(argc, swapped, e);
        return c ? c->run(s, 1, swapped + 2, e) : -1;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        output_text(buf_view(&usage));
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        output_print("envbuild %s\n", ENVBUILD_VERSION);
        return 0;
    }
    c = pick(argc, argv, e);
    if (!c)
        return -1;
    return str_is(str_of(argv[1]), c->name) ? c->run(s, argc - 2, argv + 2, e)
                                            : c->run(s, argc - 1, argv + 1, e);
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct session s = {.store_dir = in_home("XDG_CACHE_HOME", ".cache", "envbuild"),
                        .config_path =
                            in_home("XDG_CONFIG_HOME", ".config", "envbuild/config.yaml"),
                        .netrc = netrc(),
                        .environment = environ,
                        .now = (int64_t)time(NULL),
                        .uid = getuid(),
                        .gid = getgid(),
                        .interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
                        .jobs = cores > 0 ? (uint32_t)cores : 1,
                        .terminal = can_draw(),
                        .ca_file = ca_file(),
                        .ca_dir = getenv("SSL_CERT_DIR"),
                        .cancelled = &interrupted};
    struct err e = {0};
    int code = 0;

    catch_signals();
    if (run(&s, argc, argv, &e) < 0)
        code = (int)e.kind;
    else if (s.no)
        code = s.no;
    reach_free(s.reach);
    progress_free(s.progress);
    err_sort(&e);
    if (err_is_set(&e) && s.json)
        print_errors_json(&s, &e);
    else if (err_is_set(&e))
        print_errors(&e);
    if (fflush(stdout) != 0 && !code) {
        output_message("envbuild: cannot write to standard output: %s", strerror(errno));
        code = ERR_SYSTEM;
    }
    err_clear(&e);
    free(s.store_dir);
    free(s.config_path);
    free(s.netrc);
    return code;
}
