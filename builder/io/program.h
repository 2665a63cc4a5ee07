/* io/program.h - the one way to start another program: gpgv, `docker load`, a keyring's command.
 *
 * It gets descriptors 0, 1 and 2 and no others of ours but those named in `more`, with every signal
 * at its default and none blocked. Whoever waits for it can be interrupted: the program and its
 * children are then ended. After a second the user is told what is waited for.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/fd.h"
#include "sink.h"

enum program_input {
    PROGRAM_READS_NOTHING, /* /dev/null */
    PROGRAM_READS_OURS,    /* our standard input and terminal, so that it can ask its user */
    PROGRAM_READS_PIPE,    /* what program_write() is given */
};

enum program_errors {
    PROGRAM_ERRORS_OURS,    /* standard error is ours */
    PROGRAM_ERRORS_DROPPED, /* /dev/null */
    PROGRAM_ERRORS_OUTPUT,  /* kept with the output */
};

struct program_how {
    const char *name;    /* for messages: "gpgv", "docker load"; borrowed */
    char *const *argv;   /* ended by NULL; the first is looked up in PATH */
    char *const *env;    /* "NAME=value", ended by NULL; NULL: ours */
    const char *missing; /* the error where there is no such program; NULL: that it cannot start */
    enum program_input input;
    enum program_errors errors;
    const struct fd *file; /* its output goes there and is not kept; NULL: it is kept */
    size_t output_max;     /* bytes of output that are kept */
    bool keep_end;         /* of more output keep the end; else more is an error */
    struct sink *to;       /* also gets its output, as it comes; NULL: nobody does */
    const struct fd *more; /* become its descriptors 3, 4, ... */
    size_t more_n;
    /* Asked at least every 50 ms while it is waited for; -1 ends the wait, and program_free() the
     * program. NULL: nobody is asked. Then the user is not told what is waited for. */
    int (*turn)(void *ctx, struct err *e);
    void *turn_ctx;
    const struct events *events; /* borrowed; may be NULL */
};

struct program; /* opaque; program_open to program_free */

/* All that `how` borrows but `argv` and `env` must last until program_free. */
int program_open(struct program **out, const struct program_how *how, struct err *e) MUST_CHECK;
/* To its standard input. *reads becomes false when it has stopped reading: program_wait tells how
 * it ended. */
int program_write(struct program *p, const void *bytes, size_t len, bool *reads,
                  struct err *e) MUST_CHECK;

struct program_end {
    int code;          /* exit code, when signal is 0 */
    int signal;        /* that ended it, or 0 */
    struct str output; /* what it wrote, until program_free */
};
/* Close its standard input and wait for its end. */
int program_wait(struct program *p, struct program_end *end, struct err *e) MUST_CHECK;
/* ERR_SYSTEM where it failed, with its words on one line; `how` is what an exit before its time is
 * called, or NULL. */
int program_judge(const struct program_end *end, const char *name, const char *how,
                  struct err *e) MUST_CHECK;
/* Become that program, with our descriptors 0, 1 and 2, and every signal at its default. Returns
 * only when it cannot be: ERR_SYSTEM. */
int program_become(char *const *argv, struct err *e) MUST_CHECK;
/* Ends it, if it still runs: SIGTERM, and half a second later SIGKILL. NULL is fine. */
void program_free(struct program *p);
void program_clear(struct program **p);
