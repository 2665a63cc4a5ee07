/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "../doc/json.h"
#include "../io/program.h"
#include "../oci/tarball.h"

enum { ASKED_MAX = 1024 * 1024 }; /* bytes of an answer */
enum { SAID_MAX = 2000 };         /* bytes of a program's output that an error repeats */

/* ---- a descriptor of the caller ---- */

struct stream {
    struct sink sink;
    int fd;              /* borrowed */
    const char *what;    /* borrowed */
    size_t chunk;        /* bytes that a write takes without blocking, once poll() says so */
    struct wait waiting; /* for the reader */
};

static int stream_ready(struct stream *s, bool *ready, struct err *e)
{
    enum { TURN_MS = 50 };
    struct pollfd fd = {s->fd, POLLOUT, 0};
    int n = poll(&fd, 1, TURN_MS);

    *ready = n > 0;
    if (n < 0 && errno != EINTR)
        return err_errno(e, "cannot write %s", s->what);
    if (events_cancelled(s->waiting.events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (!*ready)
        wait_tell(&s->waiting, "waiting for the reader of %s", s->what);
    else
        s->waiting.since_ms = 0;
    return 0;
}

static int stream_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct stream *s = (struct stream *)self;
    const char *from = bytes;
    bool ready;

    while (len) {
        ssize_t n;

        if (stream_ready(s, &ready, e) < 0)
            return -1;
        n = ready ? fd_write_unsignalled(s->fd, from, len < s->chunk ? len : s->chunk) : 0;
        if (n < 0 && errno == EPIPE)
            return err_set(e, ERR_SYSTEM, "%s: its reader ended before the image did", s->what);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(e, "cannot write %s", s->what);
        from += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void stream_release(struct sink *self)
{
    free(self);
}

int load_stream(struct place **out, int fd, const char *what, int64_t mtime,
                const struct events *events, struct err *e)
{
    struct stream *s = xcalloc(1, sizeof *s);
    struct stat st;

    *s = (struct stream){{stream_write, NULL}, fd, what, PIPE_BUF, {.events = events}};
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        s->chunk = SIZE_MAX; /* a file never keeps a writer waiting */
    return tarball_stream(out, &s->sink, stream_release, TARBALL_DOCKER, mtime, e);
}

/* ---- a program that loads ---- */

struct load {
    struct sink sink;
    struct program *program; /* NULL once it has ended */
    char *name;              /* owned; "docker load" */
};

/* `how` is what an exit before its time is called. */
static int load_end(struct load *l, const char *how, struct err *e)
{
    CLEANUP(program_clear) struct program *program = l->program;
    struct program_end end;

    l->program = NULL;
    return program_wait(program, &end, e) < 0 ? -1 : program_judge(&end, l->name, how, e);
}

static int load_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct load *l = (struct load *)self;
    bool reads;

    if (!l->program)
        return err_set(e, ERR_SYSTEM, "\"%s\" has ended", l->name);
    if (program_write(l->program, bytes, len, &reads, e) < 0)
        return -1;
    return reads ? 0 : load_end(l, "stopped reading", e);
}

static int load_finish(struct sink *self, struct err *e)
{
    return load_end((struct load *)self, NULL, e);
}

static void load_release(struct sink *self)
{
    struct load *l = (struct load *)self;

    program_free(l->program);
    free(l->name);
    free(l);
}

int load_open(struct place **out, const char *program, int64_t mtime, const struct events *events,
              struct err *e)
{
    CLEANUP(buf_clear) struct buf missing = {0}, name = {0};
    char *const argv[] = {(char *)(uintptr_t)program, (char[]){"load"}, NULL};
    struct load *l = xcalloc(1, sizeof *l);

    buf_fmt(&missing,
            "%s is not installed here; install it, or write docker-archive:FILE and load that "
            "where it is",
            program);
    buf_fmt(&name, "%s load", program);
    l->sink = (struct sink){load_write, load_finish};
    l->name = buf_take(&name);
    if (program_open(&l->program,
                     &(struct program_how){.name = l->name,
                                           .argv = argv,
                                           .missing = missing.p,
                                           .input = PROGRAM_READS_PIPE,
                                           .errors = PROGRAM_ERRORS_OUTPUT,
                                           .output_max = SAID_MAX,
                                           .keep_end = true,
                                           .events = events},
                     e) < 0) {
        load_release(&l->sink);
        return -1;
    }
    return tarball_stream(out, &l->sink, load_release, TARBALL_DOCKER, mtime, e);
}

/* ---- what is there ---- */

/* What the engine answers in JSON; false when it has no answer. */
static bool ask(struct doc *out, char *const *argv, const struct events *events)
{
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* then all layers are loaded */
    struct program_end end;

    return program_open(&program,
                        &(struct program_how){.name = argv[0],
                                              .argv = argv,
                                              .errors = PROGRAM_ERRORS_DROPPED,
                                              .output_max = ASKED_MAX,
                                              .events = events},
                        &ignored) == 0 &&
           program_wait(program, &end, &ignored) == 0 && !end.code && !end.signal &&
           json_parse(out, end.output, ASKED_MAX, argv[0], &ignored) == 0;
}

/* What it says of an image, which goes by a name or a number. */
static bool inspect(struct doc *out, const char *program, const char *format, const char *image,
                    const struct events *events)
{
    char *const argv[] = {(char *)(uintptr_t)program,
                          (char[]){"image"},
                          (char[]){"inspect"},
                          (char[]){"--format"},
                          (char *)(uintptr_t)format,
                          (char *)(uintptr_t)image,
                          NULL};

    return ask(out, argv, events);
}

/* `docker info` names the driver's type where containerd keeps the images, and only there. */
static bool keeps_layers(const char *program, const struct events *events)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char[]){"info"}, (char[]){"--format"},
                          (char[]){"{{json .DriverStatus}}"}, NULL};
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *pair, *word;

    if (!ask(&doc, argv, events))
        return false;
    node_each(pair, doc.root)
        node_each(word, pair)
            if (word->kind == NODE_STRING && str_starts(word->text, STR("io.containerd.")))
                return false;
    return true;
}

void load_known(struct digests *out, const char *program, const char *name,
                const struct events *events)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct digest digest;
    const struct node *n;

    if (!inspect(&doc, program, "{{json .RootFS.Layers}}", name, events) ||
        !keeps_layers(program, events))
        return;
    node_each(n, doc.root) {
        if (n->kind != NODE_STRING || !digest_from_text(&digest, n->text))
            return;
        vec_add(out, digest);
    }
}

bool load_id(struct digest *out, const char *program, const char *name, const struct events *events)
{
    CLEANUP(doc_clear) struct doc doc = {0};

    return inspect(&doc, program, "[{{json .Id}}]", name, events) && doc.root->child &&
           (digest_from_text(out, doc.root->child->text) ||
            digest_from_hex(out, doc.root->child->text));
}

bool load_name(struct buf *out, const char *program, const char *id, const struct events *events)
{
    CLEANUP(doc_clear) struct doc doc = {0};

    if (!inspect(&doc, program, "{{json .RepoTags}}", id, events) || !doc.root->child ||
        doc.root->child->kind != NODE_STRING)
        return false;
    buf_str(out, doc.root->child->text);
    return true;
}
