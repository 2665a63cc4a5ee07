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

struct command;

struct session {
    /* Inputs: environment, clock and machine are read in main and nowhere else. */
    char *store_dir; /* owned; the option, else $XDG_CACHE_HOME/envbuild, else ~/.cache/envbuild */
    int64_t now;     /* seconds since 1970 */
    uint32_t jobs;   /* threads for assembling */
    uint32_t uid, gid;            /* whose process it is */
    bool interactive;             /* stdin and stdout are a terminal */
    bool terminal;                /* stderr is one, and not a dumb one */
    const char *ca_file, *ca_dir; /* trusted certificates; NULL: those that curl takes */
    char *config_path;            /* owned; may be NULL, and the file need not be there */
    const char *tmp_dir;          /* for scratch files where the store may only be read */
    char *netrc;                  /* owned; may be NULL */
    char **environment;           /* for credentials, whose names only recipes tell */
    const volatile int *cancelled;

    /* Options every command takes. */
    const char *store_opt, *catalog_dir;
    bool quiet, verbose, json, help;
    bool offline; /* of commands that have --offline: no server is asked, neither an index nor a
                     registry */
    bool cells;   /* the command has --cell */
    /* What --help does with a command's tables; NULL: prints them. `opts` is ended by an all-zero
     * row. */
    void (*describe)(void *ctx, const struct command *c, const struct opt *opts);
    void *describe_ctx;
    int no; /* set by a command that checked, and the answer is no: ERR_NO, or one of these */

    struct reach *reach; /* registries; from session_begin() on */
    struct progress *progress;
    const struct events *events;
};

struct command {
    const char *name, *operands, *help;
    int (*run)(struct session *s, int argc, char **argv, struct err *e);
    const char *examples; /* a line each, as it is typed */
    const char *exits; /* what its exit codes mean, a line each; NULL: what they mean everywhere */
};
extern const struct command commands[]; /* ended by a NULL name; the first is build */

/* NULL where there is none of that name. */
const struct command *command_find(struct str name);
/* ERR_USAGE, with the nearest that there is. */
int command_unknown(struct str name, struct err *e);

/* Take the command's own options and the common ones; handles --help by printing it and setting
 * s->help (the command then returns 0). Checks that `least` to `most` operands are left. Opens the
 * progress display. */
int session_begin(struct session *s, const char *command, const struct opt *own, size_t own_n,
                  int *argc, char **argv, int least, int most, struct err *e) MUST_CHECK;

/* A folder for scratch files, owned: the store's, or where that may only be read the machine's. */
int session_scratch(char **out, const struct session *s, struct err *e) MUST_CHECK;
/* What --help does: see `describe`. */
void session_describe(struct session *s, const struct command *c, const struct opt *opts);
/* What opening an image needs; `dir` is for scratch files, and may be NULL. */
struct stored_scratch session_ways(const struct session *s, const char *dir);

/* Print the object of --json; what was warned of is its member "warnings", where there is any. */
void session_json(struct session *s, struct doc *d, struct node *root);
/* Its member "errors". */
void session_put_errors(struct doc *d, struct node *root, const struct err *e);

/* Commands; one file each. */
int cmd_apply(struct session *s, int argc, char **argv, struct err *e);
int cmd_build(struct session *s, int argc, char **argv, struct err *e);
int cmd_catalog(struct session *s, int argc, char **argv, struct err *e);
int cmd_check(struct session *s, int argc, char **argv, struct err *e);
int cmd_copy(struct session *s, int argc, char **argv, struct err *e);
int cmd_delta(struct session *s, int argc, char **argv, struct err *e);
int cmd_diff(struct session *s, int argc, char **argv, struct err *e);
int cmd_disk(struct session *s, int argc, char **argv, struct err *e);
int cmd_doctor(struct session *s, int argc, char **argv, struct err *e);
int cmd_emit(struct session *s, int argc, char **argv, struct err *e);
int cmd_explain(struct session *s, int argc, char **argv, struct err *e);
int cmd_help(struct session *s, int argc, char **argv, struct err *e);
int cmd_init(struct session *s, int argc, char **argv, struct err *e);
int cmd_inspect(struct session *s, int argc, char **argv, struct err *e);
int cmd_lock(struct session *s, int argc, char **argv, struct err *e);
int cmd_prune(struct session *s, int argc, char **argv, struct err *e);
int cmd_recommend(struct session *s, int argc, char **argv, struct err *e);
int cmd_rollback(struct session *s, int argc, char **argv, struct err *e);
int cmd_run(struct session *s, int argc, char **argv, struct err *e);
int cmd_bundle(struct session *s, int argc, char **argv, struct err *e);
int cmd_serve(struct session *s, int argc, char **argv, struct err *e);
int cmd_shell(struct session *s, int argc, char **argv, struct err *e);
int cmd_tags(struct session *s, int argc, char **argv, struct err *e);
int cmd_tree(struct session *s, int argc, char **argv, struct err *e);
int cmd_wheel(struct session *s, int argc, char **argv, struct err *e);
int cmd_why(struct session *s, int argc, char **argv, struct err *e);
