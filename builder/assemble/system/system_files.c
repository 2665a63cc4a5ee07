/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

enum { MAIL = 8, UTMP = 43, STAFF = 50 };

/* What a package's scripts leave behind on a fresh install. */
struct thing {
    const char *package;
    enum { DIR, FILE_, LINK, COPY } kind;
    uint32_t mode, gid; /* DIR and FILE_ */
    const char *path;
    const char *what; /* text of a file, target of a link, source of a copy */
};

/* In the order of the scripts: a folder before what lies in it. */
static const struct thing things[] = {
    {"base-files", COPY, 0, 0, "/root/.profile", "/usr/share/base-files/dot.profile"},
    {"base-files", COPY, 0, 0, "/root/.bashrc", "/usr/share/base-files/dot.bashrc"},
    {"base-files", COPY, 0, 0, "/etc/profile", "/usr/share/base-files/profile"},
    {"base-files", COPY, 0, 0, "/etc/networks", "/usr/share/base-files/networks"},
    {"base-files", COPY, 0, 0, "/usr/share/info/dir", "/usr/share/base-files/info.dir"},
    {"base-files", DIR, 0755, 0, "/mnt", NULL},
    {"base-files", DIR, 0755, 0, "/srv", NULL},
    {"base-files", DIR, 0755, 0, "/opt", NULL},
    {"base-files", DIR, 0755, 0, "/etc/opt", NULL},
    {"base-files", DIR, 0755, 0, "/var/opt", NULL},
    {"base-files", DIR, 0755, 0, "/media", NULL},
    {"base-files", DIR, 02775, MAIL, "/var/mail", NULL},
    {"base-files", LINK, 0, 0, "/var/spool/mail", "../mail"},
    {"base-files", DIR, 01777, 0, "/run/lock", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/share", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/share/man", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/bin", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/games", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/lib", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/include", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/sbin", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/src", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/etc", NULL},
    {"base-files", LINK, 0, 0, "/usr/local/man", "share/man"},
    {"base-files", FILE_, 0664, UTMP, "/var/log/wtmp", ""},
    {"base-files", FILE_, 0660, UTMP, "/var/log/btmp", ""},
    {"base-files", FILE_, 0664, UTMP, "/var/log/lastlog", ""},
    {"ca-certificates", DIR, 0755, 0, "/usr/local/share/ca-certificates", NULL},
    {"fontconfig", DIR, 0755, 0, "/var/cache/fontconfig", NULL},
    {"fontconfig-config", LINK, 0, 0, "/etc/fonts/conf.d/10-hinting-slight.conf",
     "/usr/share/fontconfig/conf.avail/10-hinting-slight.conf"},
    {"git-lfs", FILE_, 0644, 0, "/etc/gitconfig",
     "[filter \"lfs\"]\n"
     "\tclean = git-lfs clean -- %f\n"
     "\tsmudge = git-lfs smudge -- %f\n"
     "\tprocess = git-lfs filter-process\n"
     "\trequired = true\n"},
    {"libc-bin", COPY, 0, 0, "/etc/nsswitch.conf", "/usr/share/libc-bin/nsswitch.conf"},
    {"libpam-modules", FILE_, 0600, 0, "/etc/security/opasswd", ""},
    {"libwtmpdb0", DIR, 0755, 0, "/var/lib/wtmpdb", NULL},
    {"libwtmpdb0", LINK, 0, 0, "/var/lib/wtmpdb/wtmp.db", "../../log/wtmp.db"},
    {"netbase", FILE_, 0644, 0, "/etc/hosts",
     "127.0.0.1\tlocalhost\n"
     "::1\t\tlocalhost ip6-localhost ip6-loopback\n"
     "ff02::1\t\tip6-allnodes\n"
     "ff02::2\t\tip6-allrouters\n\n"},
    {"netbase", FILE_, 0644, 0, "/etc/networks",
     "default\t\t0.0.0.0\n"
     "loopback\t127.0.0.0\n"
     "link-local\t169.254.0.0\n\n"},
    {"openssh-server", COPY, 0, 0, "/etc/ssh/sshd_config", "/usr/share/openssh/sshd_config"},
    {"python3", FILE_, 0644, 0, "/etc/python3/debian_config",
     "[DEFAULT]\n"
     "# how to byte-compile (comma separated: standard, optimize)\n"
     "byte-compile = standard\n"},
    {"readline-common", COPY, 0, 0, "/etc/inputrc", "/usr/share/readline/inputrc"},
    {"tzdata", LINK, 0, 0, "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"},
    {"ucf", FILE_, 0644, 0, "/var/lib/ucf/hashfile", ""},
    {"ucf", FILE_, 0644, 0, "/var/lib/ucf/registry", ""},
};

/* Things that not every release of the package makes: words of its postinst that show that this one
 * does, or that it does not; NULL asks nothing. */
static const struct {
    const char *said, *unless;
    struct thing thing;
} some[] = {
    {" /etc/motd", NULL, {"base-files", COPY, 0, 0, "/etc/motd", "/usr/share/base-files/motd"}},
    {"/usr/local/libexec", NULL, {"base-files", DIR, 0755, 0, "/usr/local/libexec", NULL}},
    {"/etc/subuid", NULL, {"base-passwd", FILE_, 0644, 0, "/etc/subuid", ""}},
    {"/etc/subgid", NULL, {"base-passwd", FILE_, 0644, 0, "/etc/subgid", ""}},
    {NULL,
     "/etc/staff-group-for-usr-local",
     {"fontconfig-config", DIR, 02775, STAFF, "/usr/local/share/fonts", NULL}},
    {"/etc/staff-group-for-usr-local",
     NULL,
     {"fontconfig-config", DIR, 0755, 0, "/usr/local/share/fonts", NULL}},
    {"fontconfig/enable_bitmaps",
     "70-no-bitmaps-except-emoji.conf",
     {"fontconfig-config", LINK, 0, 0, "/etc/fonts/conf.d/70-no-bitmaps.conf",
      "/usr/share/fontconfig/conf.avail/70-no-bitmaps.conf"}},
    {"70-no-bitmaps-except-emoji.conf",
     NULL,
     {"fontconfig-config", LINK, 0, 0, "/etc/fonts/conf.d/70-no-bitmaps-except-emoji.conf",
      "/usr/share/fontconfig/conf.avail/70-no-bitmaps-except-emoji.conf"}},
    {NULL, "/snap/bin", {"libpam-modules", FILE_, 0644, 0, "/etc/environment", ""}},
    {"/snap/bin",
     NULL,
     {"libpam-modules", FILE_, 0644, 0, "/etc/environment",
      "PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:"
      "/usr/local/games:/snap/bin\"\n"}},
    {"cp /usr/share/adduser/adduser.conf",
     NULL,
     {"adduser", COPY, 0, 0, "/etc/adduser.conf", "/usr/share/adduser/adduser.conf"}},
    {"/var/log/faillog", NULL, {"login", FILE_, 0644, 0, "/var/log/faillog", ""}},
    {"/etc/subuid", NULL, {"login", FILE_, 0644, 0, "/etc/subuid", ""}},
    {"/etc/subgid", NULL, {"login", FILE_, 0644, 0, "/etc/subgid", ""}},
    {NULL,
     "if test -f \"$DPKG_ROOT/etc/timezone\"",
     {"tzdata", FILE_, 0644, 0, "/etc/timezone", "Etc/UTC\n"}},
    /* As debootstrap makes them; later releases clean them up. */
    {NULL, "cleanup_biarch_dirs", {"usrmerge", DIR, 0755, 0, "/usr/lib32", NULL}},
    {NULL, "cleanup_biarch_dirs", {"usrmerge", LINK, 0, 0, "/lib32", "usr/lib32"}},
    {NULL, "cleanup_biarch_dirs", {"usrmerge", DIR, 0755, 0, "/usr/libx32", NULL}},
    {NULL, "cleanup_biarch_dirs", {"usrmerge", LINK, 0, 0, "/libx32", "usr/libx32"}},
};

/* What Debian 13's systemd asks systemd-tmpfiles to make, outside /run, and its postinst itself. */
static const struct thing of_systemd[] = {
    {"systemd", DIR, 0700, 0, "/root/.ssh", NULL},
    {"systemd", DIR, 0700, 0, "/var/cache/private", NULL},
    {"systemd", DIR, 0700, 0, "/var/lib/private", NULL},
    {"systemd", DIR, 0700, 0, "/var/log/private", NULL},
    {"systemd", DIR, 0755, 0, "/run/lock/subsys", NULL},
    {"systemd", FILE_, 0644, 0, "/etc/machine-id", ""}, /* so that each copy gets its own */
    {"systemd", LINK, 0, 0, "/etc/default/locale", "../locale.conf"},
    {"systemd", LINK, 0, 0, "/etc/mtab", "../proc/self/mounts"},
    {"systemd", LINK, 0, 0, "/etc/vconsole.conf", "default/keyboard"},
    {"systemd", LINK, 0, 0, "/var/log/README", "../../usr/share/doc/systemd/README.logs"},
};

static int make_thing(struct build *b, const struct thing *t, int64_t date, struct err *e)
{
    switch (t->kind) {
    case DIR:
        return make_dir(b, t->path, t->mode, t->gid, date, e);
    case FILE_:
        return make_file(b, t->path, t->mode, t->gid, date, str_of(t->what), e);
    case LINK:
        return make_link(b, t->path, t->what, date, e);
    case COPY:
        return make_copy(b, t->what, t->path, e);
    }
    return 0;
}

/* `chmod`, and `chown` to an account of base-passwd, of what a package ships otherwise. */
static void set_owner(struct build *b, const char *path, uint32_t mode, uint32_t uid)
{
    struct entry *entry = tree_get(b->t, str_of(path));

    if (!entry)
        return;
    entry->mode = mode;
    entry->uid = uid;
}

static int name_vendor(struct build *b, struct err *e)
{
    static const char *const vendors[] = {"ubuntu", "debian"};
    const struct debpkg *base = build_package(b, "base-files");

    for (size_t i = 0; base && i < ARRAY_LEN(vendors); i++) {
        CLEANUP(buf_clear) struct buf origin = {0};
        buf_fmt(&origin, "/etc/dpkg/origins/%s", vendors[i]);
        if (build_has(b, origin.p))
            return make_link(b, "/etc/dpkg/origins/default", vendors[i], base->newest, e);
    }
    return 0;
}

/* Each pythonX.Y-minimal makes room for local packages and remembers that it is new. */
static int add_pythons(struct build *b, struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        struct str name = b->v[i]->name;
        CLEANUP(buf_clear) struct buf local = {0};
        CLEANUP(buf_clear) struct buf mark = {0};
        if (!str_drop(&name, STR("-minimal")) || !str_starts(name, STR("python3.")))
            continue;
        buf_fmt(&local, "/usr/local/lib/" STR_FMT "/dist-packages", STR_ARG(name));
        buf_fmt(&mark, "/var/lib/python/" STR_FMT "_installed", STR_ARG(name));
        if (make_dir(b, local.p, 0755, 0, b->v[i]->newest, e) < 0 ||
            make_file(b, mark.p, 0644, 0, b->v[i]->newest, STR(""), e) < 0)
            return -1;
    }
    return 0;
}

/* The shells that packages announce by a file. */
static int list_shells(const struct build *b, struct strs *shells, struct buf *texts,
                       int64_t *newest, struct err *e)
{
    struct entries found = {0};
    int rc = build_read(b, "/usr/share/debianutils/shells", texts, e);

    build_list(b, "usr/share/debianutils/shells.d", "", &found);
    for (size_t i = 0; i < found.n && rc == 0; i++) {
        CLEANUP(free_clear) char *path = str_dup(found.v[i]->path);
        if (found.v[i]->mtime > *newest)
            *newest = found.v[i]->mtime;
        rc = build_read(b, path, texts, e);
    }
    vec_clear(&found);
    struct str rest = buf_view(texts), line;
    while (str_line(&rest, &line))
        if (str_starts(line, STR("/")))
            vec_add(shells, line);
    return rc;
}

/* Those that they announce by `add-shell PATH`. */
static void put_added_shells(const struct build *b, struct buf *out, int64_t *newest)
{
    for (size_t i = 0; i < b->n; i++) {
        struct str text = debpkg_text(b->v[i], "postinst"), line, path;
        while (str_line(&text, &line)) {
            line = str_trim(line);
            if (!str_skip(&line, STR("add-shell ")) || !str_word(&line, &path) ||
                !str_starts(path, STR("/")))
                continue;
            buf_fmt(out, STR_FMT "\n", STR_ARG(path));
            if (b->v[i]->newest > *newest)
                *newest = b->v[i]->newest;
        }
    }
}

static bool has_line(const struct buf *text, struct str wanted)
{
    struct str rest = buf_view(text), line;

    while (str_line(&rest, &line))
        if (str_eq(line, wanted))
            return true;
    return false;
}

static void put_line_once(struct buf *text, struct str line)
{
    if (!has_line(text, line))
        buf_fmt(text, STR_FMT "\n", STR_ARG(line));
}

/* Each shell as it is announced, then under its real path in /usr. Where base-files brings the link
 * /bin, both are there from the start; else the system is merged last, and so do the real paths
 * come last in /etc/shells. */
static int write_shells(struct build *b, const struct strs *shells, int64_t date, struct err *e)
{
    bool merged = build_ships_link(b, "bin");
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf twins = {0};
    CLEANUP(buf_clear) struct buf state = {0};
    struct str rest, line;

    buf_puts(&text, "# /etc/shells: valid login shells\n");
    for (size_t i = 0; i < shells->n; i++) {
        CLEANUP(buf_clear) struct buf real = {0};
        CLEANUP(buf_clear) struct buf twin = {0};
        struct str shell = shells->v[i];
        if (tree_resolve(b->t, &real, str_sub(shell, 1, shell.len), e) < 0)
            return -1;
        buf_fmt(&twin, "/%s", real.p);
        put_line_once(&text, shell);
        put_line_once(merged ? &text : &twins, buf_view(&twin));
        put_line_once(&state, shell);
        put_line_once(&state, buf_view(&twin));
    }
    rest = buf_view(&twins);
    while (str_line(&rest, &line))
        put_line_once(&text, line);
    int64_t added = date;
    put_added_shells(b, &text, &added);
    if (make_file(b, "/etc/shells", 0644, 0, added, buf_view(&text), e) < 0)
        return -1;
    return make_file(b, "/var/lib/shells.state", 0644, 0, date, buf_view(&state), e);
}

static int add_shells(struct build *b, struct err *e)
{
    const struct debpkg *p = build_package(b, "debianutils");
    CLEANUP(buf_clear) struct buf texts = {0};
    struct strs shells = {0};

    if (!p)
        return 0;
    int64_t date = p->newest;
    int rc = list_shells(b, &shells, &texts, &date, e);
    if (rc == 0)
        rc = write_shells(b, &shells, date, e);
    vec_clear(&shells);
    return rc;
}

/* "default", or mode, user and group: 02775 root staff. */
static void local_rights(struct str words, uint32_t *mode, uint32_t *gid)
{
    struct str bits, user;
    uint32_t value = 0;

    if (!str_word(&words, &bits) || !str_word(&words, &user))
        return;
    for (size_t i = 0; i < bits.len && bits.p[i] >= '0' && bits.p[i] <= '7'; i++)
        value = value * 8 + (uint32_t)(bits.p[i] - '0');
    *mode = value & 07777;
    *gid = str_is(str_trim(words), "staff") ? STAFF : 0;
}

/* The folders below /usr/local that dh_usrlocal lists between "<< DATA" and "DATA":
 * "/usr/local/share/x default", or with rights of their own. */
static int add_local_dirs(struct build *b, const struct debpkg *p, struct err *e)
{
    struct str text = debpkg_text(p, "postinst"), line, path;
    bool inside = false;

    while (str_line(&text, &line)) {
        if (!inside || str_is(line, "DATA")) {
            inside = str_is(line, ") << DATA");
            continue;
        }
        uint32_t mode = 0755, gid = 0;
        if (!str_word(&line, &path) || !str_starts(path, STR("/usr/local/")))
            continue;
        local_rights(str_trim(line), &mode, &gid);
        CLEANUP(free_clear) char *dir = str_dup(path);
        if (make_dir(b, dir, mode, gid, p->newest, e) < 0)
            return -1;
    }
    return 0;
}

/* emacsen-common keeps a mark of each package that has something for an Emacs; with none installed
 * nothing is compiled. */
static int add_emacsen(struct build *b, struct err *e)
{
    for (size_t i = 0; build_package(b, "emacsen-common") && i < b->n; i++) {
        CLEANUP(buf_clear) struct buf mark = {0};
        if (!script_says(b->v[i], "postinst",
                         "/usr/lib/emacsen-common/emacs-package-install --postinst "))
            continue;
        buf_fmt(&mark, "/var/lib/emacsen-common/state/package/installed/" STR_FMT,
                STR_ARG(b->v[i]->name));
        if (make_file(b, mark.p, 0644, 0, b->v[i]->newest, STR(""), e) < 0)
            return -1;
    }
    return 0;
}

int system_files(struct build *b, struct err *e)
{
    enum { APT = 42 }; /* user _apt of base-passwd since Debian 12 */

    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        const struct debpkg *p = build_package(b, things[i].package);
        if (p && make_thing(b, &things[i], p->newest, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        const struct thing *t = &some[i].thing;
        const struct debpkg *p = build_package(b, t->package);
        if (p && (!some[i].said || script_says(p, "postinst", some[i].said)) &&
            (!some[i].unless || !script_says(p, "postinst", some[i].unless)) &&
            make_thing(b, t, p->newest, e) < 0)
            return -1;
    }
    const struct debpkg *systemd = build_package(b, "systemd");
    for (size_t i = 0; systemd && i < ARRAY_LEN(of_systemd); i++)
        if (script_says(systemd, "postinst", " provision.conf ") &&
            make_thing(b, &of_systemd[i], systemd->newest, e) < 0)
            return -1;
    if (systemd && script_says(systemd, "postinst", " credstore.conf ")) {
        set_owner(b, "etc/credstore", 0700, 0);
        set_owner(b, "etc/credstore.encrypted", 0700, 0);
    }
    set_owner(b, "etc/sudoers", 0440, 0);
    if (build_package(b, "fuse3"))
        set_owner(b, "usr/bin/fusermount3", 04755, 0);
    if (b->in->format < 2 && build_package(b, "iputils-ping"))
        set_owner(b, "usr/bin/ping", 04755, 0); /* since then system_caps.c reads its script */
    set_owner(b, "var/lib/apt/lists/partial", 0700, APT);
    set_owner(b, "var/cache/apt/archives/partial", 0700, APT);
    for (size_t i = 0; i < b->n; i++)
        if (add_local_dirs(b, b->v[i], e) < 0)
            return -1;
    if (name_vendor(b, e) < 0 || add_pythons(b, e) < 0 || add_emacsen(b, e) < 0)
        return -1;
    return add_shells(b, e);
}
