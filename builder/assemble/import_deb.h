/* assemble/import_deb.h - one deb, unpacked into a scratch file and a list of what it holds.
 *
 * Each deb is read once, then trees of any set of packages are put together from these records
 * (system.h). Paths are still the archive's own: where they land depends on the symlinks of the
 * whole tree, and what an owner's name means depends on the tree's accounts.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/vec.h"
#include "../io/spool.h"
#include "../pkg/deb/debfile.h"

struct deb_entry {
    struct entry entry;      /* path and hardlink target as in the archive */
    struct str uname, gname; /* empty: the number counts */
};

struct deb_script {
    const char *name;     /* "preinst", "postinst", "prerm", "postrm", "config" */
    struct digest digest; /* SHA-256 of its bytes */
};

struct debpkg {
    struct debfile file; /* control part; its members and fields stay in memory */
    struct str name, version, arch;
    bool same;                               /* Multi-Arch: same, so info files carry ":arch" */
    struct arena arena;                      /* paths and small contents */
    struct VEC_OF(struct deb_entry) entries; /* in archive order, the root folder left out */
    struct VEC_OF(struct deb_script) scripts;
    int64_t newest; /* the newest mtime of its entries: the date of what rules make for it */
};

/* `deb` may be closed afterwards; `spool` must outlive the record. Safe to call from several
 * threads on one spool. */
int import_deb(struct debpkg *out, struct spool *spool, const struct input *deb,
               struct err *e) MUST_CHECK;
void debpkg_clear(struct debpkg *p);
/* One file of the package's control part; empty when absent. */
struct str debpkg_script(const struct debpkg *p, const char *name);
