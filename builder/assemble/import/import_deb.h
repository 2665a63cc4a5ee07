/* assemble/import/import_deb.h - one deb, unpacked into a scratch file and a list of what it holds.
 *
 * Each deb is read once, then trees of any set of packages are put together from these records
 * (system.h). Paths are still the archive's own: where they land depends on the symlinks of the
 * whole tree, and what an owner's name means depends on the tree's accounts.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/vec.h"
#include "../../io/spool.h"
#include "../../pkg/deb/debfile.h"

struct deb_entry {
    struct entry entry;      /* path and hardlink target as in the archive */
    struct str uname, gname; /* empty: the number counts */
};

/* One file of the control part; all but "control" become /var/lib/dpkg/info/<name>.<this>. */
struct deb_info {
    struct str name;
    struct str
        text; /* only of those that rules read: control, conffiles, triggers, preinst, postinst */
    struct content content;
    int64_t mtime;
};

struct debpkg {
    struct str name, version, arch;
    bool same;              /* Multi-Arch: same, so its info files are called <name>:<arch>.… */
    struct control control; /* fields of its control file */
    struct VEC_OF(struct deb_entry) entries; /* in archive order, the root folder left out */
    struct VEC_OF(struct deb_info) infos;    /* by name */
    int64_t newest;     /* the newest mtime of its entries: the date of what rules make for it */
    struct arena arena; /* all texts and small contents */
};

/* ERR_INPUT for what is no sound deb: see debfile.h and tar_read.h. `deb` may be closed afterwards;
 * `spool` must outlive the record. Safe to call from several threads on one spool. */
int import_deb(struct debpkg *out, struct spool *spool, const struct input *deb,
               struct err *e) MUST_CHECK;
void debpkg_clear(struct debpkg *p);
/* The text of "postinst", "control", ...; empty when the package has none. */
struct str debpkg_text(const struct debpkg *p, const char *name);
