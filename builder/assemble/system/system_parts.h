/* assemble/system/system_parts.h - what the files system*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "system.h"

enum { TEXT_MAX = 16 * 1024 * 1024 }; /* bytes of one file that a rule reads */
enum { DAY = 86400 };                 /* seconds; shadow(5) counts days */

/* One system being built. */
struct build {
    struct tree *t;
    const struct debpkg **v; /* by name, then architecture; owned array of borrowed packages */
    size_t n;
    const struct system_input *in;
    int64_t newest;     /* over all packages */
    struct map outside; /* absolute paths of files that are not in the tree but in the image */
};

const struct debpkg *build_package(const struct build *b, const char *name); /* NULL when absent */

/* A script that does a thing says it in these very words. False when the package has none. */
bool script_says(const struct debpkg *p, const char *script, const char *words);

/* Where dpkg puts what `p` holds at `path` (relative): another place when somebody else diverts it.
 */
struct str build_diverted(const struct build *b, const struct debpkg *p, struct str path);

/* Whether a package brings a link at that path, relative as in the archive. */
bool build_ships_link(const struct build *b, const char *path);

/* Like tree_dir(), tree_file() and tree_link(), but an absolute `path` is mapped through the tree's
 * symlinks, missing parents are made, and what stands there already (of any kind) stays. */
int make_dir(struct build *b, const char *path, uint32_t mode, uint32_t gid, int64_t mtime,
             struct err *e) MUST_CHECK;
int make_file(struct build *b, const char *path, uint32_t mode, uint32_t gid, int64_t mtime,
              struct str text, struct err *e) MUST_CHECK;
int make_link(struct build *b, const char *path, const char *target, int64_t mtime,
              struct err *e) MUST_CHECK;
/* `cp -p from to`, when `from` is there and `to` is not. */
int make_copy(struct build *b, const char *from, const char *to, struct err *e) MUST_CHECK;

bool build_has(const struct build *b, const char *path); /* absolute; links are followed */
/* Append the text of a file of the tree; ERR_INPUT when it is missing. */
int build_read(const struct build *b, const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* Append the bytes of a content that lies in memory or in the spool. */
int content_text(const struct content *c, struct buf *out, const char *what,
                 struct err *e) MUST_CHECK;
/* Entries right below the folder `dir` (relative, no final "/") whose names end in `suffix`, sorted
 * by name; borrowed until the tree changes. */
struct entries VEC_OF(const struct entry *);
void build_list(const struct build *b, const char *dir, const char *suffix, struct entries *out);

/* system_accounts.c: owners by name. */
struct accounts {
    struct buf passwd, group; /* texts of the master files */
};
int accounts_open(struct accounts *out, const struct build *b, struct err *e) MUST_CHECK;
void accounts_clear(struct accounts *a);
/* The id that a name stands for; `number` when the name is empty or unknown. */
uint32_t accounts_user(const struct accounts *a, struct str name, uint32_t number);
uint32_t accounts_group(const struct accounts *a, struct str name, uint32_t number);
/* passwd, group, shadow, gshadow and their kin. */
int system_accounts(struct build *b, const struct accounts *a, struct err *e) MUST_CHECK;

/* The four files in the making, and the newest date of a package that put a line there. */
struct tables {
    struct buf passwd, group, shadow, gshadow;
    int64_t date;
};
/* Whether a line begins with the name, or has the id as its third field. */
bool table_has(const struct buf *table, struct str name);
bool table_has_id(const struct buf *table, uint32_t id);
uint32_t table_id(const struct buf *table, struct str name, uint32_t otherwise);

/* system_sysusers.c: accounts that packages declare in sysusers.d(5). */
bool package_has_sysusers(const struct debpkg *p);
int system_sysusers(struct build *b, struct tables *t, struct err *e) MUST_CHECK;

/* system_files.c: the small files and folders that postinst scripts make. */
int system_files(struct build *b, struct err *e) MUST_CHECK;
/* system_caps.c: what setcap(8) makes, since layer format 2. */
void system_caps(struct build *b);
/* Is that script, "package script" and the digest of its rest, one that it stands for? */
bool system_caps_cover(const struct build *b, const char *script, const struct digest *rest);
/* system_locales.c: what locale-gen(8) and update-locale(8) make. */
int system_locales(struct build *b, struct err *e) MUST_CHECK;
/* system_pam.c: what pam-auth-update makes. */
int system_pam(struct build *b, struct err *e) MUST_CHECK;
/* system_certs.c: what update-ca-certificates makes. */
int system_certs(struct build *b, struct err *e) MUST_CHECK;
/* system_alternatives.c: what update-alternatives makes. */
int system_alternatives(struct build *b, struct err *e) MUST_CHECK;
/* system_toolkit.c: /usr/local/cuda; nothing without a toolkit. */
int system_toolkit(struct build *b, struct err *e) MUST_CHECK;
/* The next command of a script, without its line's end: continued lines are joined. */
bool script_command(struct str *text, struct buf *out);
/* A word that the shell would hand over as it is. */
bool word_is_constant(struct str word);
/* A command that says all of one alternative, or takes away one that a fresh system has not. */
bool step_is_alternative(struct str command);
/* system_dpkg.c: /var/lib/dpkg; and of it what each package has for itself. */
int system_dpkg(struct build *b, struct err *e) MUST_CHECK;
int system_dpkg_infos(struct build *b, struct err *e) MUST_CHECK;
/* system_scripts.c: which scripts no rule covers. */
void system_uncovered(const struct build *b, struct names *out);
