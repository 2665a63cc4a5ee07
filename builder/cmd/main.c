/* cmd/main.c - the program: reads the environment once, picks the command, prints the error. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/path.h"
#include "help.h"
#include "output.h"
#include "session.h"
#include "../base/version.h"

/* The table that --help, the manual, the shells' completions and the dispatch are made from.
 * Operands are words in small letters as they are typed, and names in capitals (cmd/completion.c
 * says what stands for them). */
const struct command commands[] = {
    {"build", "RECIPE", "Build the image of a recipe, writing its lock first if there is none.",
     cmd_build,
     "envbuild x.yaml                       # the same as envbuild build x.yaml\n"
     "envbuild build x.yaml -o docker:      # and load it into Docker\n"
     "envbuild build --locked x.yaml        # in CI: exactly what the lock says\n",
     NULL},
    {"apply", "FILE PLACE",
     "Make the new image where the old one is, by what `envbuild delta` wrote.", cmd_apply,
     "envbuild apply week-2.delta oci:images:course:latest\n"
     "envbuild apply week-2.delta docker:course:latest\n",
     NULL},
    {"bundle", "IMAGE...", "Write images into a folder for those without a network: a USB stick.",
     cmd_bundle,
     "envbuild bundle x.yaml -o /media/stick/course\n"
     "envbuild bundle oci:images:pytorch:2.6.0 -o stick --split 2G\n",
     NULL},
    {"catalog", "", "Show which PyTorch builds there are, with their CUDA, and for which GPUs.",
     cmd_catalog,
     "envbuild catalog --pytorch 2.6\n"
     "envbuild catalog --gpu \"RTX 4090\" --cuda 12.4\n",
     NULL},
    {"check", "IMAGE|RECIPE|LOCK|TAG",
     "Tell whether an image runs on this machine, or on a driver and GPUs that are named.",
     cmd_check,
     "envbuild check x.yaml\n"
     "envbuild check 2.6.0-cuda12.4-cudnn9-runtime --driver 535.104.05 --gpu \"RTX 4090\"\n",
     "0   it runs, maybe with limits\n"
     "1   it does not\n"},
    {"copy", "IMAGE DEST",
     "Copy an image from one place to another: layouts, archives, folders, engines, registries.",
     cmd_copy,
     "envbuild copy oci:images:pytorch:2.6.0 docker://registry.example.org/team/pytorch:2.6.0\n"
     "envbuild copy docker://registry.example.org/team/pytorch:2.6.0 oci-archive:pytorch.tar\n",
     NULL},
    {"delta", "OLD NEW",
     "Write what turns one image into another: next week's for those who have this week's.",
     cmd_delta,
     "envbuild delta oci:images@sha256:... oci:images:course:latest -o week-2.delta\n"
     "envbuild delta docker://lab.example/course:week-1 docker://lab.example/course:week-2 -o "
     "week-2.delta\n",
     NULL},
    {"diff", "OLD NEW",
     "Compare two recipes, locks or tags, or two images: packages, files, layers, what is pulled.",
     cmd_diff,
     "envbuild diff old.lock x.lock\n"
     "envbuild diff oci:images:ml:v1 oci:images:ml:v2\n",
     NULL},
    {"disk", "[LAYOUT...]",
     "Show what the store and layouts take on the disk, what they share, and what nothing needs.",
     cmd_disk, "envbuild disk\n", NULL},
    {"doctor", "",
     "Look at this machine: tools, rights, disk, network, engine, GPU; each fault with its remedy.",
     cmd_doctor,
     "envbuild doctor\n"
     "envbuild doctor --offline --json\n",
     "0   nothing is in the way of a build; warnings may be told\n"
     "1   something is\n"},
    {"emit", "k8s|compose|slurm|devcontainer IMAGE|RECIPE|LOCK",
     "Write what runs an image by its digest: k8s, compose, slurm or devcontainer.", cmd_emit,
     "envbuild emit compose x.yaml > compose.yaml\n"
     "envbuild emit k8s x.yaml --as registry.example.org/team/pytorch | kubectl apply -f -\n",
     NULL},
    {"explain", "IMAGE|RECIPE|LOCK|TAG",
     "Tell what an image holds, where it comes from, how large it is and what it needs of a host.",
     cmd_explain,
     "envbuild explain x.yaml\n"
     "envbuild explain --findings x.lock\n"
     "envbuild explain docker://registry.example.org/team/pytorch:2.6.0\n",
     NULL},
    {"help", "[COMMAND]",
     "Tell about a command; or write the manual pages and the shells' completions.", cmd_help,
     "envbuild help lock\n"
     "envbuild help --write ~/.local/share  # then: man envbuild\n",
     NULL},
    {"init", "[TAG]",
     "Write a recipe for a tag such as 2.6.0-cuda12.4-cudnn9-runtime, or for this folder and "
     "machine.",
     cmd_init,
     "envbuild init                         # from requirements.txt, notebooks and this machine\n"
     "envbuild init 2.6.0-cuda12.4-cudnn9-runtime -o x.yaml\n",
     NULL},
    {"inspect", "IMAGE",
     "Tell what is in an image, whoever made it: PyTorch, CUDA, device code, packages, sizes.",
     cmd_inspect,
     "envbuild inspect oci:images:pytorch:2.6.0-cuda12.4-cudnn9-runtime\n"
     "envbuild inspect docker:their-image:v1\n",
     NULL},
    {"lock", "RECIPE [NAME...]",
     "Choose exact versions for a recipe and write its lock; or diff OLD NEW: compare two locks.",
     cmd_lock,
     "envbuild lock x.yaml\n"
     "envbuild lock --upgrade x.yaml numpy  # this package alone; without a name all\n"
     "envbuild lock --check x.yaml          # what is newer?\n",
     "0   done; of --check: the lock is up to date\n"
     "1   --check: something is newer\n"
     "8   --check: of what is newer, something is for security\n"
     "9   --check: the lock is not what its recipe gives\n"},
    {"prune", "[LAYOUT]",
     "Remove from the store what no lock needs, or from a layout what no image needs.", cmd_prune,
     "envbuild prune --dry-run\n"
     "envbuild prune images --keep 2\n",
     NULL},
    {"recommend", "",
     "Tell the newest PyTorch image that runs on this machine, on one that is named, or on a "
     "fleet.",
     cmd_recommend,
     "envbuild recommend\n"
     "envbuild recommend --driver 550.54.15 --gpu \"RTX 4090\"\n"
     "envbuild recommend --fleet machines.yaml\n",
     "0   every machine has an image\n"
     "1   nothing runs on some machine\n"},
    {"rollback", "REF [TO]",
     "Point a tag of a registry or a layout back: to what it named before, or to what is named.",
     cmd_rollback,
     "envbuild rollback docker://ghcr.io/org/torch:2.6.0\n"
     "envbuild rollback docker://ghcr.io/org/torch:2.6.0 2.6.0-0123456789ab\n",
     "0   the tag names it, or did so before\n"
     "3   there is no such tag, or nothing is known that was before\n"},
    {"run", "RECIPE [-- PROGRAM...]",
     "Build the image, load it into Docker or Podman and run it, with the recipe's folder in it.",
     cmd_run, "envbuild run x.yaml -- python train.py\n",
     "    those of the program, once it has started\n"},
    {"serve", "[IMAGE|RECIPE|LOCK...]",
     "Hand images out to a room of machines, until Ctrl-C: a page, an archive, a registry.",
     cmd_serve,
     "envbuild serve                        # all images of ./images, at port 5000\n"
     "envbuild serve oci:images:pytorch:2.6.0 --listen 192.168.1.7:5000\n"
     "envbuild serve x.yaml                 # straight from the store, without a layout\n"
     "envbuild serve --code --cert pc.pem --key pc.key\n",
     NULL},
    {"shell", "RECIPE",
     "Build the image, load it into Docker or Podman and open a shell in it, as run does.",
     cmd_shell, "envbuild shell x.yaml\n", "    those of the shell, once it has started\n"},
    {"tags", "REPO|LAYOUT",
     "List the tags of a repository or a layout, what was published under each, and what changed.",
     cmd_tags,
     "envbuild tags docker://ghcr.io/org/torch\n"
     "envbuild tags oci:images\n",
     "3   there is no such tag\n"},
    {"tree", "RECIPE|LOCK|TAG", "Show what each Python package of the recipe needs.", cmd_tree,
     "envbuild tree x.yaml\n", NULL},
    {"wheel", "RECIPE",
     "Build the wheels of a recipe that are made from source, and copy them into a folder.",
     cmd_wheel, "envbuild wheel x.yaml -o wheels/\n", NULL},
    {"why", "RECIPE|LOCK|TAG NAME", "Tell by what chain of needs a package came into the image.",
     cmd_why,
     "envbuild why x.yaml sympy\n"
     "envbuild why x.lock deb:libc6\n",
     NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
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

static const char *tmp_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && dir[0] == '/' ? dir : "/tmp";
}

/* By the variables that curl, OpenSSL and their like read; else where the system keeps it, for the
 * curl that a wheel brings looks only where its own does. */
static const char *ca_file(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    };
    const char *file = getenv("SSL_CERT_FILE");

    if (!file || !file[0])
        file = getenv("CURL_CA_BUNDLE");
    for (size_t i = 0; i < ARRAY_LEN(places) && (!file || !file[0]); i++)
        if (access(places[i], R_OK) == 0)
            file = places[i];
    return file;
}

/* Is standard error a terminal that can go up a row? */
static bool can_draw(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
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
    struct node *root = node_new_map(&d);

    node_put_u64(&d, root, "envbuild_output", 1);
    session_put_errors(&d, root, e);
    session_json(s, &d, root);
}

/* A command's name, or a recipe: `envbuild x.yaml` builds it. */
static const struct command *pick(char **argv, struct err *e)
{
    struct str word = str_of(argv[1]);
    const struct command *c = command_find(word);

    if (c)
        return c;
    if (argv[1][0] == '-' || str_has(word, '/') || str_has(word, '.') || access(argv[1], F_OK) == 0)
        return &commands[0];
    command_unknown(word, e);
    return NULL;
}

static int run(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(buf_clear) struct buf usage = {0};
    const struct command *c;
    struct str rest, line;

    if (argc < 2) {
        help_program(&usage);
        for (rest = buf_view(&usage); str_line(&rest, &line);)
            output_message(STR_FMT, STR_ARG(line));
        return err_set(e, ERR_USAGE, "no recipe is named");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(s, 0, argv + 2, e);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        output_print("envbuild %s\n", ENVBUILD_VERSION);
        return 0;
    }
    c = pick(argv, e);
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
                        .tmp_dir = tmp_dir(),
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

    /* Else a large block that is freed makes malloc keep all that are smaller. */
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    catch_signals();
    if (run(&s, argc, argv, &e) < 0)
        code = (int)e.kind;
    else if (s.no)
        code = s.no;
    reach_free(s.reach);
    if (s.progress)
        progress_pause(s.progress);
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
    progress_free(s.progress); /* it knows the warnings that --json tells with an error */
    free(s.store_dir);
    free(s.config_path);
    free(s.netrc);
    return code;
}
