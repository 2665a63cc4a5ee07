/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <time.h>

#include "../base/fs.h"
#include "../base/version.h"
#include "../io/deflate.h"
#include "../io/hash_pair.h"
#include "../io/inflate.h"
#include "../io/program.h"
#include "../plan/pypi/pypi_index.h"
#include "../plan/pypi/torch_index.h"
#include "../seal/probe.h"
#include "config.h"
#include "engine.h"
#include "machine.h"
#include "output.h"

/* What a first build of a CUDA image takes: 2.9 GiB of downloads, and as much in the layout. */
#define TYPICAL_ROOM ((uint64_t)6 << 30)

enum state { STATE_OK, STATE_WARN, STATE_FAIL };

struct finding {
    const char *code;
    enum state state;
    char *sentence, *remedy; /* owned; the remedy is NULL where nothing is wrong */
};

struct doctor {
    struct session *session;
    struct config config;
    struct VEC_OF(struct finding) findings;
    bool no_config;     /* it cannot be read */
    const char *engine; /* the first that answers */
    bool podman;        /* there is one, whether or not it answers */
};

static void doctor_clear(struct doctor *d)
{
    for (size_t i = 0; i < d->findings.n; i++) {
        free(d->findings.v[i].sentence);
        free(d->findings.v[i].remedy);
    }
    vec_clear(&d->findings);
    config_clear(&d->config);
}

/* `remedy` is NULL where nothing is wrong. */
static void tell(struct doctor *d, const char *code, enum state state, const char *remedy,
                 const char *fmt, ...) PRINTF(5, 6);
static void tell(struct doctor *d, const char *code, enum state state, const char *remedy,
                 const char *fmt, ...)
{
    struct finding *f = vec_push(&d->findings);
    struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    *f = (struct finding){code, state, buf_take(&text), remedy ? xstrdup(remedy) : NULL};
}

/* What somebody else found wrong. */
static void tell_error(struct doctor *d, const char *code, const char *remedy, const struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    err_format(e, &text);
    tell(d, code, STATE_FAIL, remedy, "%s", text.p);
}

/* ---- tools ---- */

static const struct tool {
    const char *name, *what, *package;
    bool needed; /* nothing is built without it */
} tools[] = {
    {"gpgv", "checks the signatures of Debian's and Ubuntu's archives", "gpgv", true},
    {"docker", "runs images", "docker.io", false},
    {"podman", "runs images without root", "podman", false},
};

/* "20.10.24+dfsg1", of "Docker version 20.10.24+dfsg1, build 297e128". False without the program.
 */
static bool tool_version(struct buf *out, const char *name, const struct events *events)
{
    char *const argv[] = {(char *)(uintptr_t)name, (char[]){"--version"}, NULL};
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* it is not there */
    struct program_end end;
    struct str word;

    if (program_open(&program,
                     &(struct program_how){.name = name,
                                           .argv = argv,
                                           .errors = PROGRAM_ERRORS_DROPPED,
                                           .output_max = 64 * 1024,
                                           .events = events},
                     &ignored) < 0 ||
        program_wait(program, &end, &ignored) < 0 || end.code || end.signal)
        return false;
    while (!out->len && str_word(&end.output, &word)) {
        str_drop(&word, STR(","));
        if (word.len && c_digit(word.p[0]))
            buf_str(out, word);
    }
    return true;
}

static bool engine_answers(const char *name, const struct events *events)
{
    char *const argv[] = {(char *)(uintptr_t)name, (char[]){"version"}, NULL};

    return engine_agrees(argv, events);
}

static bool is_engine(const struct tool *t)
{
    return strcmp(t->name, "docker") == 0 || strcmp(t->name, "podman") == 0;
}

static void check_tool(struct doctor *d, const struct tool *t)
{
    CLEANUP(buf_clear) struct buf version = {0}, remedy = {0};
    bool there = tool_version(&version, t->name, d->session->events);

    buf_fmt(&remedy, "apt-get install %s", t->package);
    if (!there) {
        if (t->needed)
            tell(d, "tool", STATE_FAIL, remedy.p, "%s, which %s, is not here", t->name, t->what);
        else if (!is_engine(t)) /* of engines one is enough: check_engine() */
            tell(d, "tool", STATE_WARN, remedy.p, "%s, which %s, is not here", t->name, t->what);
        return;
    }
    tell(d, "tool", STATE_OK, NULL, "%s %s %s", t->name, version.len ? version.p : "(no version)",
         t->what);
    if (!is_engine(t))
        return;
    d->podman = d->podman || strcmp(t->name, "podman") == 0;
    if (engine_answers(t->name, d->session->events))
        d->engine = d->engine ? d->engine : t->name;
    else
        tell(d, "engine-silent", STATE_WARN,
             strcmp(t->name, "docker") == 0 ? "start Docker, and add this user to the group docker"
                                            : "see what `podman info` says",
             "`%s version` fails for this user", t->name);
}

static void check_engine(struct doctor *d)
{
    if (d->engine)
        tell(d, "engine", STATE_OK, NULL, "%s answers; `envbuild run` takes it", d->engine);
    else
        tell(d, "engine", STATE_WARN, "apt-get install podman, or start Docker",
             "neither docker nor podman answers; images are built all the same, but `run`, "
             "`shell` and -o docker: need one");
}

/* ---- rights and disk ---- */

static void check_folder(struct doctor *d, const char *what, const char *path, const char *remedy)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    CLEANUP(free_clear) char *full = NULL;
    CLEANUP(buf_clear) struct buf size = {0};
    struct fs_room room;

    if (fs_mkdirs(path, &e) < 0 || fs_absolute(&full, path, &e) < 0 ||
        fs_temp_open(&temp, full, &e) < 0) {
        tell_error(d, "rights", remedy, &e);
        return;
    }
    tell(d, "rights", STATE_OK, NULL, "%s %s can be written", what, full);
    fs_room(&room, full);
    if (!room.known)
        return;
    progress_size(&size, room.free);
    if (room.free < TYPICAL_ROOM)
        tell(d, "disk", STATE_WARN, "make room, or name another place with --store DIR or -o DEST",
             "%s are free in %s; a first CUDA image takes 6 GiB with its downloads", size.p, full);
    else
        tell(d, "disk", STATE_OK, NULL, "%s are free in %s", size.p, full);
}

/* gpgv gets its files there. */
static void check_tmp(struct doctor *d)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};

    if (fs_temp_open(&temp, "/tmp", &e) < 0)
        tell_error(d, "rights", "chmod 1777 /tmp, as root", &e);
}

static void check_rights(struct doctor *d)
{
    mode_t mask = umask(0);

    umask(mask);
    check_folder(d, "the store", d->session->store_dir,
                 "give this user the folder, or name another store with --store DIR");
    check_folder(d, "this folder", ".", "go to a folder of your own");
    check_tmp(d);
    if (mask & 0700)
        tell(d, "umask", STATE_FAIL, "umask 022",
             "the umask %04o takes from this user the rights to its own files", (unsigned)mask);
    else if ((mask & 0055) == 0055)
        tell(d, "umask", STATE_WARN, "umask 022, where others should read them",
             "with the umask %04o only this user can read the images and the store that it writes; "
             "what is in images is not touched by it",
             (unsigned)mask);
    else
        tell(d, "umask", STATE_OK, NULL, "the umask is %04o", (unsigned)mask);
}

/* Is the number in this file of the kernel `n`? */
static bool kernel_says(const char *path, const char *n)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* this kernel has no such switch */
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, 4096, &ignored) == 0 && str_is(str_trim(buf_view(&text)), n);
}

/* Rootless engines need them; envbuild itself does not. */
static void check_namespaces(struct doctor *d)
{
    const char *remedy = NULL;

    if (kernel_says("/proc/sys/user/max_user_namespaces", "0"))
        remedy = "sysctl user.max_user_namespaces=15000, as root";
    else if (kernel_says("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        remedy = "sysctl kernel.unprivileged_userns_clone=1, as root";
    else if (kernel_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") &&
             d->session->uid)
        remedy = "install podman from the distribution, whose AppArmor profile allows it";
    if (!remedy)
        tell(d, "namespaces", STATE_OK, NULL,
             "user namespaces are allowed, as rootless Podman needs");
    else
        tell(d, "namespaces", d->podman && d->session->uid ? STATE_WARN : STATE_OK,
             d->podman && d->session->uid ? remedy : NULL,
             "user namespaces are restricted, which rootless Podman needs; builds do not");
}

/* Only recipes with `build` need it. */
static int check_sealed(struct doctor *d, struct err *e)
{
    CLEANUP(seal_probe_clear) struct seal_probe p = {0};

    if (seal_probe(&p, d->session->events, e) < 0)
        return -1;
    if (p.obstacle == SEAL_WORKS)
        tell(d, "sealed", STATE_OK, NULL, "bwrap works: packages can be built from source, sealed");
    else
        tell(d, "sealed", STATE_WARN, p.remedy, "%s; only what is built from source needs it",
             p.sentence);
    return 0;
}

/* ---- network ---- */

static const struct server {
    const char *name, *url;
    const char *accept;
} servers[] = {
    {"PyPI", PYPI_INDEX_URL "torch/", "Accept: application/vnd.pypi.simple.v1+json"},
    {"PyTorch's index", TORCH_INDEX_URL "cpu/torch/", "Accept: text/html"},
    {"Debian's archive", "https://deb.debian.org/debian/dists/bookworm/InRelease", "Accept: */*"},
};

static int drop(void *ctx, const void *bytes, size_t len, struct err *e)
{
    return 0;
}

static void tell_server(struct doctor *d, const struct server *server, const struct http_request *r,
                        const struct http *http)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (!err_is_set(&r->err)) {
        tell(d, "network", STATE_OK, NULL, "%s%s answers", server->name,
             http_places(http, r->url) > 1 ? " or a mirror of it" : "");
        return;
    }
    err_format(&r->err, &text);
    tell(d, "network", STATE_FAIL,
         "see to the network, name a proxy in HTTPS_PROXY or a mirror in the configuration, or "
         "build with --offline from a full store",
         "%s does not answer: %s", server->name, text.p);
}

static int check_network(struct doctor *d, struct err *e)
{
    struct auth auth = {.netrc = d->session->netrc ? xstrdup(d->session->netrc) : NULL};
    struct http_options how = {.ca_file = d->session->ca_file,
                               .ca_dir = d->session->ca_dir,
                               .user_agent = "envbuild/" ENVBUILD_VERSION,
                               .auth = &auth,
                               .rules = &d->config.rules,
                               .events = d->session->events,
                               .connect_ms = 5000,
                               .header_ms = 10000,
                               .stall_ms = 10000,
                               .tries = 1};
    struct http_request requests[ARRAY_LEN(servers)] = {0}, *list[ARRAY_LEN(servers)];
    CLEANUP(http_clear) struct http *http = NULL;
    int result;

    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        requests[i].url = str_of(servers[i].url);
        requests[i].headers = &servers[i].accept;
        requests[i].headers_n = 1;
        requests[i].compressed = true;
        requests[i].write = drop;
        list[i] = &requests[i];
    }
    result = http_open(&http, &how, e) < 0
                 ? -1
                 : http_run(http, list, ARRAY_LEN(servers), ARRAY_LEN(servers), NULL, NULL, e);
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        if (result == 0)
            tell_server(d, &servers[i], &requests[i], http);
        http_request_clear(&requests[i]);
    }
    auth_clear(&auth);
    return result;
}

static void check_config(struct doctor *d)
{
    CLEANUP(err_clear) struct err e = {0};
    const struct http_mirrors *rule;
    const char *path = d->session->config_path;

    if (config_read(&d->config, path, &e) < 0) {
        d->no_config = true;
        tell_error(d, "configuration", "mend the file, or take it away", &e);
        return;
    }
    if (!d->config.rules.n)
        tell(d, "mirrors", STATE_OK, NULL, "no mirrors are configured%s%s", path ? " in " : "",
             path ? path : "");
    vec_each(rule, &d->config.rules) {
        CLEANUP(buf_clear) struct buf list = {0};

        for (size_t i = 0; i < rule->mirrors.n; i++) {
            buf_puts(&list, i ? ", then " : "");
            url_without_userinfo(&list, rule->mirrors.v[i]);
        }
        tell(d, "mirrors", STATE_OK, NULL, "%s stands in for " STR_FMT, list.p,
             STR_ARG(rule->prefix));
    }
}

/* Names and places only. */
static void check_credentials(struct doctor *d)
{
    const char *netrc = d->session->netrc;
    CLEANUP(buf_clear) struct buf found = {0};
    struct stat st;

    for (char **line = d->session->environment; line && *line; line++) {
        struct str value = str_of(*line), name;

        if (str_starts(value, STR("ENVBUILD_INDEX_")) && str_cut(&value, STR("="), &name))
            buf_fmt(&found, "%s" STR_FMT, found.len ? ", " : "", STR_ARG(name));
    }
    if (netrc)
        buf_fmt(&found, "%s%s", found.len ? ", " : "", netrc);
    if (d->config.keyring.n)
        buf_fmt(&found, "%sthe keyring " STR_FMT, found.len ? ", " : "",
                STR_ARG(d->config.keyring.v[0]));
    tell(d, "credentials", STATE_OK, NULL, found.len ? "credentials may come from %s" : "%s",
         found.len ? found.p : "no credentials are set, and public indexes need none");
    if (netrc && stat(netrc, &st) == 0 && st.st_mode & 0077)
        tell(d, "credentials-open", STATE_WARN, "chmod 600 it", "others may read %s", netrc);
}

/* ---- GPU and speed ---- */

static int check_gpu(struct doctor *d, struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(machine_clear) struct machine machine = {0};
    struct machine_args here = {0};
    const struct missing *m;

    if (catalog_open(&catalog, d->session->catalog_dir, e) < 0 ||
        machine_find(&machine, d->session, &catalog, &here, e) < 0)
        return -1;
    if (!machine.host.driver.len && !machine.host.hidden) {
        tell(d, "gpu", STATE_OK, NULL,
             "no NVIDIA driver is loaded here; images are built all the same, and run elsewhere");
        return 0;
    }
    tell(d, "gpu", STATE_OK, NULL, "NVIDIA driver " STR_FMT ", %zu GPU%s",
         STR_ARG(machine.host.hidden ? STR("(version not readable)") : machine.host.driver),
         machine.probe.gpus.n, machine.probe.gpus.n == 1 ? "" : "s");
    vec_each(m, &machine.plumbing.missing)
        tell(d, m->code, STATE_WARN, m->remedy, STR_FMT, STR_ARG(m->sentence));
    return 0;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int swallow(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return 0;
}

/* Words of 64 letters that repeat as a program's text does, more or less. */
static void fill(unsigned char *to, size_t len)
{
    uint32_t state = 1;

    for (size_t i = 0; i < len; i++) {
        if (i % 64 == 0)
            state = state * 1664525 + 1013904223;
        to[i] = (unsigned char)('A' + ((state >> (i % 16)) & 31));
    }
}

/* MB/s of one core, on what is in memory. */
static int check_speed(struct doctor *d, struct err *e)
{
    enum { LEN = 4 * 1024 * 1024, TIMES = 16 };
    CLEANUP(buf_clear) struct buf plain = {0}, packed = {0};
    CLEANUP(deflater_clear) struct deflater *deflater = deflater_open();
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    struct sink nowhere = {.write = swallow};
    struct hash_pair hash = {0};
    struct seen seen;
    double start, hashed, inflated;

    fill((unsigned char *)buf_room(&plain, LEN), LEN);
    plain.len = LEN;
    deflate_1(deflater, &packed, plain.p, plain.len);
    start = seconds();
    hash_pair_open(&hash, false);
    for (int i = 0; i < TIMES; i++)
        hash_pair_add(&hash, plain.p, plain.len);
    hash_pair_finish(&hash, &seen);
    hash_pair_clear(&hash);
    hashed = seconds() - start;
    start = seconds();
    for (int i = 0; i < TIMES; i++) {
        CLEANUP(source_clear) struct source *in = source_bytes(buf_view(&packed), "the sample");

        if (inflate_exact(inflater, in, packed.len, LEN, crc32_add(0, plain.p, plain.len), &nowhere,
                          NULL, "the sample", e) < 0)
            return -1;
    }
    inflated = seconds() - start;
    tell(d, "speed", STATE_OK, NULL,
         "one core hashes %.0f MB/s and inflates %.0f MB/s; there are %u",
         LEN / 1e6 * TIMES / hashed, LEN / 1e6 * TIMES / inflated, d->session->jobs);
    return 0;
}

/* ---- the command ---- */

static size_t count(const struct doctor *d, enum state state)
{
    const struct finding *f;
    size_t n = 0;

    vec_each(f, &d->findings)
        n += f->state == state;
    return n;
}

static const char *const states[] = {"ok", "warn", "fail"};

static void print_text(const struct doctor *d)
{
    const struct finding *f;
    size_t warned = count(d, STATE_WARN), failed = count(d, STATE_FAIL);

    vec_each(f, &d->findings)
        output_print("%-4s  %s%s%s\n", states[f->state], f->sentence, f->remedy ? "; remedy: " : "",
                     f->remedy ? f->remedy : "");
    output_print("%zu ok, %zu warning%s, %zu failed\n", count(d, STATE_OK), warned,
                 warned == 1 ? "" : "s", failed);
}

static void print_json(struct session *s, const struct doctor *d)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct node *root = node_new_map(&doc), *list, *n;
    const struct finding *f;

    node_put_u64(&doc, root, "envbuild_output", 1);
    node_put_str(&doc, root, "version", STR(ENVBUILD_VERSION));
    node_put_u64(&doc, root, "failed", count(d, STATE_FAIL));
    node_put_u64(&doc, root, "warned", count(d, STATE_WARN));
    list = node_put(&doc, root, "checks", node_new_list(&doc));
    vec_each(f, &d->findings) {
        n = node_add(&doc, list, node_new_map(&doc));
        node_put_str(&doc, n, "code", str_of(f->code));
        node_put_str(&doc, n, "state", str_of(states[f->state]));
        node_put_str(&doc, n, "sentence", str_of(f->sentence));
        if (f->remedy)
            node_put_str(&doc, n, "remedy", str_of(f->remedy));
    }
    session_json(s, &doc, root);
}

static int look(struct doctor *d, struct err *e)
{
    tell(d, "version", STATE_OK, NULL, "envbuild " ENVBUILD_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(tools); i++)
        check_tool(d, &tools[i]);
    check_engine(d);
    check_rights(d);
    check_namespaces(d);
    if (check_sealed(d, e) < 0)
        return -1;
    check_config(d);
    check_credentials(d);
    if (d->session->offline)
        tell(d, "network", STATE_OK, NULL, "the network was not asked: --offline");
    else if (!d->no_config && check_network(d, e) < 0)
        return -1;
    return check_gpu(d, e) < 0 || check_speed(d, e) < 0 ? -1 : 0;
}

int cmd_doctor(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(doctor_clear) struct doctor d = {.session = s};
    const struct opt own[] = {
        {0, "offline", NULL, "do not ask the network", opt_flag, &s->offline},
    };

    if (session_begin(s, "doctor", own, ARRAY_LEN(own), &argc, argv, 0, 0, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (look(&d, e) < 0)
        return -1;
    s->no = count(&d, STATE_FAIL) ? ERR_NO : 0;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &d);
    else
        print_text(&d);
    return 0;
}
