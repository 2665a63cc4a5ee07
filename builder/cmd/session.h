/* cmd/session.h - what main makes once and hands to commands: settings of this run, no globals. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"
#include "../oci/stored.h"
#include "opt.h"
#include "progress.h"
#include "reach.h"

/* Exit codes of lock --check beside ERR_NO, which is: something is newer. */
enum {
    EXIT_SECURITY = 8, /* of what is newer, something is for security */
    EXIT_CHANGED = 9,  /* the lock is not what its recipe gives: the recipe changed, or the lock */
};

struct session {
    /* Inputs: environment, clock and machine are read in main and nowhere else. */
    char *store_dir; /* owned; the option, else $XDG_CACHE_HOME/envbuild, else ~/.cache/envbuild */
    int64_t now;     /* seconds since 1970 */
    uint32_t jobs;   /* threads for assembling */
    uint32_t uid, gid;            /* whose process it is */
    bool interactive;             /* stdin and stdout are a terminal */
    bool terminal;                /* stderr is one, and not a dumb one */
    const char *ca_file, *ca_dir; /* certificates the user's environment names; may be NULL */
    char *config_path;            /* owned; may be NULL, and the file need not be there */
    char *netrc;                  /* owned; may be NULL */
    char **environment;           /* for credentials, whose names only recipes tell */
    const volatile int *cancelled;

    /* Options every command takes. */
    const char *store_opt, *catalog_dir;
    bool quiet, verbose, json, help;
    int no; /* set by a command that checked, and the answer is no: ERR_NO, or one of these */

    struct reach *reach; /* registries; from session_begin() on */
    struct progress *progress;
    const struct events *events;
};

struct command {
    const char *name, *operands, *help;
    int (*run)(struct session *s, int argc, char **argv, struct err *e);
};
extern const struct command commands[]; /* ended by a NULL name */

/* Take the command's own options and the common ones; handles --help by printing it and setting
 * s->help (the command then returns 0). Checks that `least` to `most` operands are left. Opens the
 * progress display. */
int session_begin(struct session *s, const char *command, const struct opt *own, size_t own_n,
                  int *argc, char **argv, int least, int most, struct err *e) MUST_CHECK;

/* What opening an image needs; `dir` is for scratch files, and may be NULL. */
struct stored_scratch session_ways(const struct session *s, const char *dir);

/* Print the object of --json; what was warned of is its member "warnings", where there is any. */
void session_json(struct session *s, struct doc *d, struct node *root);

/* Commands; one file each. */
int cmd_build(struct session *s, int argc, char **argv, struct err *e);
int cmd_catalog(struct session *s, int argc, char **argv, struct err *e);
int cmd_check(struct session *s, int argc, char **argv, struct err *e);
int cmd_copy(struct session *s, int argc, char **argv, struct err *e);
int cmd_diff(struct session *s, int argc, char **argv, struct err *e);
int cmd_emit(struct session *s, int argc, char **argv, struct err *e);
int cmd_explain(struct session *s, int argc, char **argv, struct err *e);
int cmd_init(struct session *s, int argc, char **argv, struct err *e);
int cmd_inspect(struct session *s, int argc, char **argv, struct err *e);
int cmd_lock(struct session *s, int argc, char **argv, struct err *e);
int cmd_recommend(struct session *s, int argc, char **argv, struct err *e);
int cmd_run(struct session *s, int argc, char **argv, struct err *e);
int cmd_shell(struct session *s, int argc, char **argv, struct err *e);
int cmd_tree(struct session *s, int argc, char **argv, struct err *e);
int cmd_why(struct session *s, int argc, char **argv, struct err *e);
