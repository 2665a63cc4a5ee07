/* SPDX-License-Identifier: Apache-2.0 */
#include "system_fixture.h"

static void the_dpkg_database_is_as_dpkg_writes_it(void **state)
{
    static const struct mk files[] = {MK_DIR("./", 0755), MK_DIR("./etc/", 0755),
                                      MK_FILE("./etc/b", 0644, "b"), MK_FILE("./etc/a", 0644, "a"),
                                      MK_END};
    static const struct mk control[] = {
        MK_FILE("./control", 0644,
                "Package: zlib\nHomepage: https://example.org\nSource: z\nVersion: 1:1.2-3\n"
                "Architecture: amd64\nMulti-Arch: same\nDescription: text\n more\nDepends: libc6\n"
                "Maintainer: A <a@example.org>\n"),
        MK_FILE("./conffiles", 0644, "/etc/b\n/etc/a\nremove-on-upgrade /etc/gone\n"),
        MK_FILE("./triggers", 0644, "interest-noawait /etc\ninterest zed\nactivate ldconfig\n"),
        MK_END};
    CLEANUP(world_clear) struct world w;
    CLEANUP(buf_clear) struct buf deb = {0};
    struct input in;

    world_open(&w);
    mk_deb(&deb, control, files);
    mk_input(&in, "zlib", buf_view(&deb));
    assert_int_equal(import_deb(&w.packages[0], &w.spool, &in, &w.e), 0);
    fd_clear(&in.fd);
    w.v[0] = &w.packages[0];
    w.n = 1;
    add(&w, "abc", plain_fields, NULL, no_files);
    assert_int_equal(build(&w), 0);
    expect(&w, "var/lib/dpkg/status",
           "Package: abc\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0\n"
           "Description: d\n\n"
           "Package: zlib\nStatus: install ok installed\nMaintainer: A <a@example.org>\n"
           "Architecture: amd64\nMulti-Arch: same\nSource: z\nVersion: 1:1.2-3\nDepends: libc6\n"
           "Conffiles:\n /etc/b 92eb5ffee6ae2fec3ad71c777531578f\n"
           " /etc/a 0cc175b9c0f1b6a831c399e269772661\n"
           " /etc/gone newconffile remove-on-upgrade\n"
           "Description: text\n more\nHomepage: https://example.org\n\n");
    expect(&w, "var/lib/dpkg/info/zlib:amd64.list", "/.\n/etc\n/etc/b\n/etc/a\n");
    expect(&w, "var/lib/dpkg/info/abc.list", "/.\n");
    expect(&w, "var/lib/dpkg/info/format", "1\n");
    expect(&w, "var/lib/dpkg/triggers/File", "/etc zlib:amd64/noawait\n");
    expect(&w, "var/lib/dpkg/triggers/zed", "zlib:amd64\n");
    assert_null(tree_get(&w.tree, STR("var/lib/dpkg/info/zlib:amd64.control")));
    assert_int_equal(tree_get(&w.tree, STR("var/lib/dpkg/lock"))->mode, 0640);
}

/* What hangs on several packages is not there, and all that is there is in the whole, too. */
static void apart_has_what_one_package_brings(void **state)
{
    static const struct mk files[] = {MK_DIR("./bin/", 0755), MK_FILE("./bin/tool", 0755, "x"),
                                      MK_END};
    static const char *const lacking[] = {"var/lib/dpkg/status", "var/lib/dpkg/triggers/File",
                                          "var/lib/dpkg/diversions"};
    CLEANUP(world_clear) struct world w;
    CLEANUP(tree_clear) struct tree apart = {0}, diff = {0};

    world_open(&w);
    add(&w, "tool", plain_fields, NULL, files);
    w.apart = true;
    assert_int_equal(build(&w), 0);
    expect_link(&w, "bin", "usr/bin");
    expect(&w, "var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n");
    assert_non_null(tree_get(&w.tree, STR("usr/bin/tool")));
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++)
        assert_null(tree_get(&w.tree, str_of(lacking[i])));
    MOVE(&apart, &w.tree);
    w.apart = false;
    assert_int_equal(build(&w), 0);
    assert_int_equal(tree_diff(&diff, &apart, &w.tree, &w.e), 0); /* which refuses to delete */
    assert_non_null(tree_get(&diff, STR("var/lib/dpkg/status")));
    assert_null(tree_get(&diff, STR("usr/bin/tool")));
}

static void old_paths_land_in_usr(void **state)
{
    static const struct mk files[] = {
        MK_DIR("./", 0755),
        MK_DIR("./bin/", 0755),
        MK_FILE("./bin/tool", 0755, "x"),
        MK_HARD("./bin/twin", "./bin/tool"),
        MK_END,
    };
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "tool", plain_fields, NULL, files);
    assert_int_equal(build(&w), 0);
    expect_link(&w, "bin", "usr/bin");
    expect(&w, "usr/bin/tool", "x");
    assert_null(tree_get(&w.tree, STR("bin/tool")));
    assert_true(str_is(tree_get(&w.tree, STR("usr/bin/twin"))->link, "usr/bin/tool"));
    expect(&w, "var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n/bin/twin\n");
}

static const struct mk masters[] = {
    MK_FILE("./usr/share/base-passwd/passwd.master", 0644,
            "root:*:0:0:root:/root:/bin/bash\nmail:*:8:8:mail:/var/mail:/usr/sbin/nologin\n"),
    MK_FILE("./usr/share/base-passwd/group.master", 0644,
            "root:*:0:\nshadow:*:42:\nusers:*:100:\n"),
    MK_END,
};

static void accounts_come_from_the_master_files(void **state)
{
    static const struct mk owned[] = {
        MK_OWNED("./usr/bin/chage", 02755, "x", "root", "shadow"),
        MK_OWNED("./var/mail/x", 0600, "x", "mail", "nobody-knows"),
        MK_END,
    };
    static const struct mk sshd[] = {MK_FILE("./usr/sbin/sshd", 0755, "x"), MK_END};
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "passwd", plain_fields, NULL, owned);
    add(&w, "base-passwd", plain_fields, NULL, masters);
    add(&w, "openssh-client", plain_fields, NULL, no_files);
    add(&w, "openssh-server", plain_fields, NULL, sshd);
    assert_int_equal(build(&w), 0);
    expect(&w, "etc/passwd",
           "root:x:0:0:root:/root:/bin/bash\nmail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
           "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n");
    expect(&w, "etc/group", "root:x:0:\nshadow:x:42:\nusers:x:100:\n_ssh:x:101:\n");
    /* 1700000000 seconds are 19675 days and a part. */
    expect(&w, "etc/shadow",
           "root:*:19675:0:99999:7:::\nmail:*:19675:0:99999:7:::\nsshd:!:19675::::::\n");
    expect(&w, "etc/gshadow", "root:*::\nshadow:*::\nusers:*::\n_ssh:!::\n");
    const struct entry *shadow = tree_get(&w.tree, STR("etc/shadow"));
    assert_int_equal(shadow->mode, 0640);
    assert_int_equal(shadow->gid, 42);
    const struct entry *chage = tree_get(&w.tree, STR("usr/bin/chage"));
    assert_int_equal(chage->gid, 42);
    assert_int_equal(chage->mode, 02755);
    assert_int_equal(tree_get(&w.tree, STR("var/mail/x"))->uid, 8);
    assert_int_equal(tree_get(&w.tree, STR("var/mail/x"))->gid, 0); /* the number counts */
}

/* As systemd-sysusers numbers them: from 999 down, groups first, one id for a user and its group.
 */
static void accounts_come_from_sysusers_too(void **state)
{
    static const struct mk own[] = {
        MK_FILE("./usr/lib/sysusers.d/basic.conf", 0644,
                "# words\ng shadow 42 -\nu root 0 - /root\n"),
        MK_FILE(
            "./usr/lib/sysusers.d/net.conf", 0644,
            "u! net - \"Network Management\"\ng systemd-journal - -\nu fixed 71:42 - /x /bin/y\n"),
        MK_FILE("./usr/lib/sysusers.d/unasked.conf", 0644, "u unasked - -\n"),
        MK_END,
    };
    static const struct mk sshd[] = {
        MK_FILE("./usr/lib/sysusers.d/openssh-server.conf", 0644,
                "u sshd -:users \"sshd user\" /run/sshd\n"),
        MK_END,
    };
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "passwd", plain_fields, NULL, no_files);
    add(&w, "base-passwd", plain_fields, NULL, masters);
    add(&w, "openssh-client", plain_fields, NULL, no_files);
    add(&w, "openssh-server", plain_fields,
        "   systemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} openssh-server.conf\n", sshd);
    add(&w, "systemd", plain_fields, "systemd-sysusers basic.conf net.conf\n", own);
    assert_int_equal(build(&w), 0);
    expect(&w, "etc/passwd",
           "root:x:0:0:root:/root:/bin/bash\nmail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
           "net:x:998:998:Network Management:/:/usr/sbin/nologin\nfixed:x:71:42::/x:/bin/y\n"
           "sshd:x:997:100:sshd user:/run/sshd:/usr/sbin/nologin\n");
    expect(&w, "etc/group",
           "root:x:0:\nshadow:x:42:\nusers:x:100:\nsystemd-journal:x:999:\nnet:x:998:\n"
           "_ssh:x:101:\n");
    expect(&w, "etc/shadow",
           "root:*:19675:0:99999:7:::\nmail:*:19675:0:99999:7:::\nnet:!*:19675:::::1:\n"
           "fixed:!*:19675::::::\nsshd:!*:19675::::::\n");
    const struct entry *journal = tree_get(&w.tree, STR("var/log/journal"));
    assert_int_equal(journal->mode, 02755);
    assert_int_equal(journal->gid, 999);
}

static void sysusers_without_their_file_are_an_error(void **state)
{
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "passwd", plain_fields, NULL, no_files);
    add(&w, "base-passwd", plain_fields, NULL, masters);
    add(&w, "odd", plain_fields, "systemd-sysusers odd.conf\n", no_files);
    assert_int_equal(build(&w), -1);
    assert_string_equal(
        w.e.msg, "package odd: no package brings /usr/lib/sysusers.d/odd.conf, which a rule needs");
}

static void alternatives_are_read_from_the_scripts(void **state)
{
    static const char one[] = "#!/bin/sh\nset -e\n"
                              "# update-alternatives --install /usr/bin/no no /usr/bin/no 1\n"
                              "if true; then\n"
                              "  update-alternatives --install /usr/bin/pager pager \\\n"
                              "    /usr/bin/less 77 --slave /usr/share/man/man1/pager.1.gz \\\n"
                              "    pager.1.gz /usr/share/man/man1/less.1.gz || true\n"
                              "fi\n";
    static const char two[] =
        "update-alternatives --quiet --install /usr/bin/pager pager /bin/more 50\n"
        "if false; then update-alternatives --install /usr/bin/far far /usr/bin/gone 1; fi\n"
        "update-alternatives --install /usr/bin/far far /usr/bin/gone 1\n"
        "update-alternatives --install $LINK name /usr/bin/more 50\n";
    static const struct mk more[] = {MK_FILE("./bin/more", 0755, "x"), MK_END};
    static const struct mk less[] = {
        MK_FILE("./usr/bin/less", 0755, "x"),
        MK_FILE("./usr/share/man/man1/less.1.gz", 0644, "x"),
        MK_END,
    };
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "less", plain_fields, one, less);
    add(&w, "util-linux", plain_fields, two, more);
    assert_int_equal(build(&w), 0);
    expect(&w, "var/lib/dpkg/alternatives/pager",
           "auto\n/usr/bin/pager\npager.1.gz\n/usr/share/man/man1/pager.1.gz\n\n"
           "/bin/more\n50\n\n"
           "/usr/bin/less\n77\n/usr/share/man/man1/less.1.gz\n\n");
    expect_link(&w, "usr/bin/pager", "/etc/alternatives/pager");
    expect_link(&w, "etc/alternatives/pager", "/usr/bin/less");
    expect_link(&w, "usr/share/man/man1/pager.1.gz", "/etc/alternatives/pager.1.gz");
    assert_null(tree_get(&w.tree, STR("var/lib/dpkg/alternatives/no")));
    assert_null(tree_get(&w.tree, STR("var/lib/dpkg/alternatives/name")));
    assert_null(
        tree_get(&w.tree, STR("var/lib/dpkg/alternatives/far"))); /* its file is not there */
}

static void vims_loops_are_known(void **state)
{
    static const char script[] = "variant=basic\nadd_variant_alternative () {\n"
                                 "  update-alternatives --install /usr/bin/$i $i \\\n"
                                 "    /usr/bin/vim.$variant $1\n}\n";
    static const struct mk files[] = {
        MK_FILE("./usr/bin/vim.basic", 0755, "x"),
        MK_FILE("./usr/share/man/da/man1/vim.1.gz", 0644, "x"),
        MK_END,
    };
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "vim", plain_fields, script, files);
    assert_int_equal(build(&w), 0);
    expect(&w, "var/lib/dpkg/alternatives/rvim",
           "auto\n/usr/bin/rvim\n\n/usr/bin/vim.basic\n30\n\n");
    expect_link(&w, "etc/alternatives/editor", "/usr/bin/vim.basic");
    expect_link(&w, "usr/share/man/da/man1/vi.1.gz", "/etc/alternatives/vi.da.1.gz");
    expect_link(&w, "etc/alternatives/vi.da.1.gz", "/usr/share/man/da/man1/vim.1.gz");
    assert_null(tree_get(&w.tree, STR("etc/alternatives/vi.1.gz"))); /* no such page */
}

static void a_diverted_file_moves_aside(void **state)
{
    static const char diverts[] = "dpkg-divert --package parallel --add --rename \\\n"
                                  "    --divert /usr/bin/parallel.moreutils /usr/bin/parallel\n";
    static const struct mk mine[] = {MK_FILE("./usr/bin/parallel", 0755, "gnu"), MK_END};
    static const struct mk other[] = {MK_FILE("./usr/bin/parallel", 0755, "other"), MK_END};
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "moreutils", plain_fields, NULL, other);
    assert_int_equal(try_add_scripts(&w, "parallel", plain_fields, diverts, NULL, mine), 0);
    assert_int_equal(build(&w), 0);
    assert_non_null(tree_get(&w.tree, STR("usr/bin/parallel.moreutils")));
    assert_int_equal(tree_get(&w.tree, STR("usr/bin/parallel"))->content.size, 3);
    expect(&w, "var/lib/dpkg/info/moreutils.list", "/.\n/usr/bin/parallel\n");
}

static void folders_of_usr_local_are_read_from_the_script(void **state)
{
    static const char script[] = "# Automatically added by dh_usrlocal/13.18\n"
                                 "(\n\twhile read line; do\n\t\tmkdir \"$dir\"\n\tdone\n) << DATA\n"
                                 "/usr/local/share/zsh default\n/etc/no default\n"
                                 "/usr/local/odd 02775 root staff\nDATA\n"
                                 "/usr/local/late default\n"
                                 "# End automatically added section\n";
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "zsh-common", plain_fields, script, no_files);
    assert_int_equal(build(&w), 0);
    assert_int_equal(tree_get(&w.tree, STR("usr/local/share/zsh"))->mode, 0755);
    assert_null(tree_get(&w.tree, STR("etc/no")));
    assert_int_equal(tree_get(&w.tree, STR("usr/local/odd"))->mode, 02775);
    assert_int_equal(tree_get(&w.tree, STR("usr/local/odd"))->gid, 50);
    assert_null(tree_get(&w.tree, STR("usr/local/late")));
}

static void plain_steps_need_no_listing(void **state)
{
    static const struct {
        const char *script;
        bool covered;
    } cases[] = {
        {"set -e\nif [ \"$1\" = configure ]; then\n  update-alternatives \\\n"
         "    --install /usr/bin/nc nc /usr/bin/x 50 --slave /usr/bin/a a /usr/bin/b || true\nfi\n",
         true},
        {"update-alternatives --remove rename /usr/bin/prename\n", true},
        {"add-shell /usr/bin/fish\n", true},
        {"add-shell $SHELL\n", false},
        {"update-alternatives --install /usr/bin/cc cc /usr/bin/clang $prio\n", false},
        {"update-alternatives --install /usr/bin/cc cc /usr/bin/clang 10 --slave /usr/bin/a a\n",
         false},
        {"update-alternatives --install /usr/bin/cc cc /usr/bin/clang 10; rm -rf /\n", false},
        {"update-alternatives --set cc /usr/bin/clang\n", false},
        {"if [ \"$1\" = upgrade ]; then\n  add-shell /usr/bin/fish\nfi\n", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w;
        world_open(&w);
        add(&w, "any", plain_fields, cases[i].script, no_files);
        assert_int_equal(build(&w), 0);
        if ((w.uncovered.n == 0) != cases[i].covered)
            fail_msg("case %zu", i);
    }
}

/* Releases of one package do different things: their scripts tell. */
static void rules_heed_what_the_release_does(void **state)
{
    static const char old_tzdata[] = "\techo \"$TIMEZONE\" > \"$DPKG_ROOT/etc/timezone\"\n";
    static const char new_tzdata[] = "\tif test -f \"$DPKG_ROOT/etc/timezone\"; then\n\t"
                                     "\techo \"$TIMEZONE\" > \"$DPKG_ROOT/etc/timezone\"\n\tfi\n";
    static const char new_passwd[] = "touch \"$DPKG_ROOT/etc/subuid\"\n"
                                     "touch \"$DPKG_ROOT/etc/subgid\"\n";
    static const char asking_fonts[] = "db_get fontconfig/enable_bitmaps\n";
    static const char old_vim[] = "variant=tiny\nadd_variant_alternative () {\n}\n";
    static const char emacsen[] =
        "\t/usr/lib/emacsen-common/emacs-package-install --postinst emacsen-common\n";
    static const char new_files[] = "  install_local_dir /usr/local/libexec\n";
    static const char new_dpkg[] = "echo \"$DPKG_MAINTSCRIPT_ARCH\" >$admindir/arch-native\n";
    static const struct {
        const char *package, *postinst, *path;
        bool there;
    } cases[] = {
        {"tzdata", old_tzdata, "etc/timezone", true},
        {"tzdata", new_tzdata, "etc/timezone", false},
        {"base-passwd", NULL, "etc/subuid", false},
        {"base-passwd", new_passwd, "etc/subuid", true},
        {"base-passwd", new_passwd, "etc/subgid", true},
        {"base-files", NULL, "usr/local/libexec", false},
        {"base-files", new_files, "usr/local/libexec", true},
        {"fontconfig-config", NULL, "etc/fonts/conf.d/70-no-bitmaps.conf", false},
        {"fontconfig-config", asking_fonts, "etc/fonts/conf.d/70-no-bitmaps.conf", true},
        {"vim-tiny", old_vim, "var/lib/dpkg/alternatives/vi", false}, /* its program is not there */
        {"emacsen-common", NULL, "var/lib/emacsen-common/state/package/installed/emacsen-common",
         false},
        {"emacsen-common", emacsen, "var/lib/emacsen-common/state/package/installed/emacsen-common",
         true},
        {"dpkg", NULL, "var/lib/dpkg/arch-native", false},
        {"dpkg", new_dpkg, "var/lib/dpkg/arch-native", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w;
        world_open(&w);
        add(&w, cases[i].package, plain_fields, cases[i].postinst,
            strcmp(cases[i].package, "base-passwd") == 0 ? masters : no_files);
        assert_int_equal(build(&w), 0);
        if (!!tree_get(&w.tree, str_of(cases[i].path)) != cases[i].there)
            fail_msg("case %zu: %s", i, cases[i].path);
    }
}

/* The order is that of dpkg's own table, as seen on Debian 12 and 13. */
static void diversions_stand_in_the_order_of_dpkg(void **state)
{
    static const char adds[] = "dpkg-divert --add --divert \"/.$d.usr-is-merged\" \"/$d\"\n";
    static const char claims[] = "dpkg-divert --package dash --divert $distrib --add $dfile\n";
    static const char readline[] =
        "dpkg-divert --divert /lib/x86_64-linux-gnu/$lib.usr-is-merged\n";
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "dash", plain_fields, "claim_binsh /bin/sh dash\n", no_files);
    assert_int_equal(build(&w), 0);
    expect(&w, "var/lib/dpkg/diversions", "");
    world_clear(&w);

    world_open(&w);
    add(&w, "dash", plain_fields, claims, no_files);
    assert_int_equal(build(&w), 0);
    expect(&w, "var/lib/dpkg/diversions",
           "/usr/share/man/man1/sh.1.gz\n/usr/share/man/man1/sh.distrib.1.gz\ndash\n"
           "/bin/sh\n/bin/sh.distrib\ndash\n");
    world_clear(&w);

    world_open(&w);
    assert_int_equal(try_add_scripts(&w, "base-files", plain_fields, adds, NULL, no_files), 0);
    assert_int_equal(try_add_scripts(&w, "libreadline8t64", plain_fields, readline, NULL, no_files),
                     0);
    assert_int_equal(build(&w), 0);
#define LIB(name)                                                                    \
    "/lib/x86_64-linux-gnu/" name "\n/lib/x86_64-linux-gnu/" name ".usr-is-merged\n" \
    "libreadline8t64\n"
    expect(&w, "var/lib/dpkg/diversions",
           LIB("libhistory.so.8.2") LIB("libreadline.so.8") LIB("libhistory.so.8")
               LIB("libreadline.so.8.2") "/libx32\n/.libx32.usr-is-merged\nbase-files\n"
                                         "/lib32\n/.lib32.usr-is-merged\nbase-files\n"
                                         "/libo32\n/.libo32.usr-is-merged\nbase-files\n");
}

static void shells_have_their_real_paths_too(void **state)
{
    static const struct mk shells[] = {
        MK_FILE("./usr/share/debianutils/shells", 0644, "# valid login shells\n/bin/sh\n"), MK_END};
    static const struct mk bash[] = {
        MK_FILE("./usr/share/debianutils/shells.d/bash", 0644, "/bin/bash\n/usr/bin/bash\n"),
        MK_END};
    static const struct mk merged[] = {MK_LINK("./bin", "usr/bin"), MK_END};

    for (int i = 0; i < 2; i++) {
        CLEANUP(world_clear) struct world w;
        world_open(&w);
        add(&w, "debianutils", plain_fields, NULL, shells);
        add(&w, "bash", plain_fields, NULL, bash);
        add(&w, "base-files", plain_fields, NULL, i ? merged : no_files);
        assert_int_equal(build(&w), 0);
        expect(&w, "var/lib/shells.state", "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n");
        expect(&w, "etc/shells",
               i ? "# /etc/shells: valid login shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n"
                   "/usr/bin/bash\n"
                 : "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n"
                   "/usr/bin/sh\n");
    }
}

static void only_scripts_without_a_rule_are_reported(void **state)
{
    static const char idle[] = "#!/bin/sh\nset -e\n# words\n\n"
                               "# Automatically added by dh_installdeb/13.1\n"
                               "dpkg-maintscript-helper rm_conffile /etc/x 1 -- \"$@\"\n"
                               "# End automatically added section\nexit 0\n";
    static const char unknown_tool[] = "# Automatically added by dh_magic/1\nmagic\n"
                                       "# End automatically added section\n";
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "b-own", plain_fields, "#!/bin/sh\nadduser x\n", no_files);
    add(&w, "a-idle", plain_fields, idle, no_files);
    add(&w, "c-none", plain_fields, NULL, no_files);
    add(&w, "d-tool", plain_fields, unknown_tool, no_files);
    assert_int_equal(build(&w), 0);
    assert_int_equal(w.uncovered.n, 2);
    assert_string_equal(w.uncovered.v[0], "b-own 1.0 postinst");
    assert_string_equal(w.uncovered.v[1], "d-tool 1.0 postinst");
}

static void two_packages_may_not_hold_one_file(void **state)
{
    static const struct mk files[] = {MK_FILE("./usr/x", 0644, "x"), MK_END};
    static const struct mk others[] = {MK_FILE("./usr/x", 0644, "other"), MK_END};
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "one", plain_fields, NULL, files);
    add(&w, "two", plain_fields, NULL, others);
    assert_int_equal(build(&w), -1);
    assert_string_equal(w.e.msg, "package two: packages one and two both hold /usr/x and neither "
                                 "replaces the other");
}

static void the_package_that_replaces_wins(void **state)
{
    static const struct mk files[] = {MK_FILE("./usr/x", 0644, "x"), MK_END};
    static const struct mk others[] = {MK_FILE("./usr/x", 0644, "other"), MK_END};
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "one", "Version: 1.0\nArchitecture: all\nReplaces: two (<< 2)\n", NULL, files);
    add(&w, "two", plain_fields, NULL, others);
    assert_int_equal(build(&w), 0);
    expect(&w, "usr/x", "x");
}

static void hostile_packages_are_refused(void **state)
{
    static const struct mk missing[] = {MK_HARD("./usr/x", "./usr/none"), MK_END};
    static const struct mk loop[] = {
        MK_LINK("./usr/a", "b"),
        MK_LINK("./usr/b", "a"),
        MK_FILE("./usr/a/x", 0644, "x"),
        MK_END,
    };
    static const struct mk climb[] = {
        MK_LINK("./usr/a", "../../.."),
        MK_FILE("./usr/a/x", 0644, "x"),
        MK_END,
    };
    static const struct mk *const cases[] = {missing, loop, climb};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w;
        world_open(&w);
        add(&w, "bad", plain_fields, NULL, cases[i]);
        assert_int_equal(build(&w), -1);
        assert_int_equal(w.e.kind, ERR_INPUT);
        assert_int_equal(strncmp(w.e.msg, "package bad: ", 13), 0);
        assert_int_equal(w.tree.entries.n, 0);
    }
}

static void links_stay_inside_the_tree(void **state)
{
    static const struct mk files[] = {
        MK_DIR("./etc/", 0755),
        MK_LINK("./usr/a", "/etc"),
        MK_FILE("./usr/a/x", 0644, "x"),
        MK_END,
    };
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "odd", plain_fields, NULL, files);
    assert_int_equal(build(&w), 0);
    expect(&w, "etc/x", "x");
    assert_null(tree_get(&w.tree, STR("usr/a/x")));
}

static void names_that_are_paths_are_refused(void **state)
{
    static const char *const fields[][2] = {
        {"../../etc/x", plain_fields},
        {"x", "Version: 1.0\nArchitecture: ../all\n"},
        {"x y", plain_fields},
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        CLEANUP(world_clear) struct world w;
        world_open(&w);
        assert_int_equal(try_add(&w, fields[i][0], fields[i][1], NULL, no_files), -1);
        assert_int_equal(w.e.kind, ERR_INPUT);
    }
}

static void no_package_comes_twice(void **state)
{
    CLEANUP(world_clear) struct world w;

    world_open(&w);
    add(&w, "one", plain_fields, NULL, no_files);
    add(&w, "one", plain_fields, NULL, no_files);
    assert_int_equal(build(&w), -1);
    assert_string_equal(w.e.msg, "package one is there twice");
}

static void describe(const struct tree *t, struct buf *out)
{
    const struct entry *entry;

    vec_each(entry, &t->entries)
        buf_fmt(out, STR_FMT " %d %o %u:%u %lld %llu " STR_FMT "\n", STR_ARG(entry->path),
                (int)entry->type, entry->mode, entry->uid, entry->gid, (long long)entry->mtime,
                (unsigned long long)entry->content.size, STR_ARG(entry->link));
}

static void the_order_of_packages_does_not_matter(void **state)
{
    static const struct mk special[] = {MK_DIR("./tmp/", 01777), MK_DIR("./opt/", 0755), MK_END};
    static const struct mk plain[] = {MK_DIR("./tmp/", 0755), MK_DIR("./opt/", 0755), MK_END};
    CLEANUP(world_clear) struct world w;
    CLEANUP(buf_clear) struct buf first = {0};
    CLEANUP(buf_clear) struct buf second = {0};

    world_open(&w);
    add(&w, "passwd", plain_fields, NULL, plain);
    add(&w, "base-passwd", plain_fields, NULL, masters);
    add(&w, "base-files", plain_fields, NULL, special);
    assert_int_equal(build(&w), 0);
    describe(&w.tree, &first);
    tree_clear(&w.tree);
    const struct debpkg *moved = w.v[0];
    w.v[0] = w.v[2];
    w.v[2] = moved;
    assert_int_equal(build(&w), 0);
    describe(&w.tree, &second);
    assert_string_equal(first.p, second.p);
    assert_int_equal(tree_get(&w.tree, STR("tmp"))->mode, 01777);
}

static void a_layer_holds_what_its_packages_add(void **state)
{
    static const struct mk late[] = {
        MK_FILE("./usr/share/base-passwd/late", 0644, "x"),
        MK_END,
    };
    static const char shell[] = "update-alternatives --install /usr/bin/x x /usr/bin/y 1\n";
    CLEANUP(world_clear) struct world w;
    CLEANUP(tree_clear) struct tree below = {0};
    CLEANUP(tree_clear) struct tree layer = {0};
    CLEANUP(buf_clear) struct buf paths = {0};
    const struct entry *entry;

    world_open(&w);
    add(&w, "passwd", plain_fields, NULL, no_files);
    add(&w, "base-passwd", plain_fields, shell, masters);
    add(&w, "tzdata", plain_fields, NULL, no_files);
    assert_int_equal(build(&w), 0);
    MOVE(&below, &w.tree);
    add(&w, "late", plain_fields, NULL, late);
    assert_int_equal(build(&w), 0);
    assert_int_equal(tree_diff(&layer, &below, &w.tree, &w.e), 0);
    vec_each(entry, &layer.entries)
        if (entry->type != ENTRY_DIR)
            buf_fmt(&paths, STR_FMT "\n", STR_ARG(entry->path));
    assert_string_equal(paths.p, "usr/share/base-passwd/late\n"
                                 "var/lib/dpkg/info/late.list\n"
                                 "var/lib/dpkg/status\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apart_has_what_one_package_brings),
        cmocka_unit_test(the_dpkg_database_is_as_dpkg_writes_it),
        cmocka_unit_test(old_paths_land_in_usr),
        cmocka_unit_test(accounts_come_from_the_master_files),
        cmocka_unit_test(accounts_come_from_sysusers_too),
        cmocka_unit_test(sysusers_without_their_file_are_an_error),
        cmocka_unit_test(alternatives_are_read_from_the_scripts),
        cmocka_unit_test(vims_loops_are_known),
        cmocka_unit_test(a_diverted_file_moves_aside),
        cmocka_unit_test(folders_of_usr_local_are_read_from_the_script),
        cmocka_unit_test(plain_steps_need_no_listing),
        cmocka_unit_test(rules_heed_what_the_release_does),
        cmocka_unit_test(diversions_stand_in_the_order_of_dpkg),
        cmocka_unit_test(shells_have_their_real_paths_too),
        cmocka_unit_test(only_scripts_without_a_rule_are_reported),
        cmocka_unit_test(two_packages_may_not_hold_one_file),
        cmocka_unit_test(the_package_that_replaces_wins),
        cmocka_unit_test(hostile_packages_are_refused),
        cmocka_unit_test(links_stay_inside_the_tree),
        cmocka_unit_test(names_that_are_paths_are_refused),
        cmocka_unit_test(no_package_comes_twice),
        cmocka_unit_test(the_order_of_packages_does_not_matter),
        cmocka_unit_test(a_layer_holds_what_its_packages_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
