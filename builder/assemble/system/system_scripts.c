/* Which maintainer scripts are covered. Debian Policy, chapter 6.
 *
 * A script is reduced to what it does of its own: without comments, without `set -e` and `exit 0`,
 * and without the sections that debhelper wrote and that do nothing in a fresh image. An empty rest
 * is covered; so is a rest whose SHA-256 stands in the table, because somebody has read it and
 * either it acts on upgrades only or a rule does its work.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../../io/crypto.h"

/* Sections "# Automatically added by <tool>/<version>" that need no rule: they act on upgrades only
 * (installdeb), on services (no init runs here), on caches that are made when needed, or are read
 * by another part (installalternatives, installsysusers, usrlocal; triggers of makeshlibs go by
 * ld.so.cache).
 */
static const char *const idle_tools[] = {
    "dh_installdeb",         "dh_installsystemd",  "dh_installsystemduser",
    "dh_installinit",        "dh_installmenu",     "dh_installalternatives",
    "dh_makeshlibs",         "dh_python3",         "dh_installtmpfiles",
    "dh_installmime",        "dh_installdebconf",  "dh_icons",
    "dh_installxmlcatalogs", "dh_systemd_start",   "dh_systemd_enable",
    "dh_installcatalogs",    "dh_installsysusers", "dh_usrlocal",
};

/* Lines that do nothing by themselves. */
static const char *const idle_lines[] = {
    "set -e",         "set -eu", "exit 0", ":", ". /usr/share/debconf/confmodule",
    "db_version 2.0", "db_stop",
};

/* One file a base that was held against a real installation. A script that two bases share stands
 * in both, so that each file can be made anew by itself. */
static const struct {
    const char *script, *digest; /* "package script", SHA-256 of its rest */
} known[] = {
#include "system_scripts_debian-12.inc"
#include "system_scripts_debian-13.inc"
#include "system_scripts_ubuntu-22.04.inc"
#include "system_scripts_ubuntu-24.04.inc"
};

static bool is_listed(struct str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, list[i]))
            return true;
    return false;
}

/* The tool that wrote the section a line begins; empty when it begins none. */
static struct str section_tool(struct str line)
{
    struct str tool;

    if (!str_skip(&line, STR("# Automatically added by ")))
        return STR("");
    return str_cut(&line, STR("/"), &tool) ? tool : str_trim(line);
}

static void reduce(struct buf *out, struct str script)
{
    bool skipping = false;
    struct str line;

    while (str_line(&script, &line)) {
        struct str tool = section_tool(line), bare = str_trim(line);
        if (tool.len)
            skipping = is_listed(tool, idle_tools, ARRAY_LEN(idle_tools));
        if (str_is(bare, "# End automatically added section"))
            skipping = false;
        if (skipping || !bare.len || bare.p[0] == '#' ||
            is_listed(bare, idle_lines, ARRAY_LEN(idle_lines)))
            continue;
        buf_fmt(out, STR_FMT "\n", STR_ARG(str_trim_right(line)));
    }
}

void system_script_digest(struct digest *out, struct str script)
{
    CLEANUP(buf_clear) struct buf rest = {0};

    *out = (struct digest){0};
    reduce(&rest, script);
    if (rest.len)
        hash_bytes(out, rest.p, rest.len);
}

/* The frame around steps that are taken on a fresh install. */
static const char *const frame_lines[] = {
    "if [ \"$1\" = configure ]; then",
    "if [ \"$1\" = configure ] ; then",
    "if [ \"$1\" = \"configure\" ]; then",
    "if [ \"$1\" = \"configure\" ] ; then",
    "fi",
    "pam-auth-update --package", /* system_pam.c reads what packages bring */
};

/* Nothing but steps that a rule reads from the text itself. */
static bool is_plain(struct str rest)
{
    CLEANUP(buf_clear) struct buf command = {0};

    while (script_command(&rest, &command)) {
        struct str step = str_trim(buf_view(&command)), path;
        if (is_listed(step, frame_lines, ARRAY_LEN(frame_lines)) || step_is_alternative(step))
            continue;
        if (!str_skip(&step, STR("add-shell ")) || !str_word(&step, &path) || step.len ||
            !word_is_constant(path))
            return false;
    }
    return true;
}

/* Scripts that build a cache out of other packages' files: known, but only where there are none. */
static const struct {
    const char *script, *folder, *suffix;
} caches[] = {
    {"libglib2.0-0 postinst", "usr/share/glib-2.0/schemas", ".xml"},
    {"libglib2.0-0 postinst", "usr/lib/x86_64-linux-gnu/gio/modules", ".so"},
    {"libglib2.0-0t64 postinst", "usr/share/glib-2.0/schemas", ".xml"},
    {"libglib2.0-0t64 postinst", "usr/lib/x86_64-linux-gnu/gio/modules", ".so"},
};

static bool has_cache(const struct build *b, const char *script)
{
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(caches) && !found; i++) {
        struct entries files = {0};
        if (strcmp(caches[i].script, script) != 0)
            continue;
        build_list(b, caches[i].folder, caches[i].suffix, &files);
        found = files.n > 0;
        vec_clear(&files);
    }
    return found;
}

static bool is_covered(const struct build *b, const struct debpkg *p, const char *script)
{
    CLEANUP(buf_clear) struct buf rest = {0};
    CLEANUP(buf_clear) struct buf name = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    reduce(&rest, debpkg_text(p, script));
    if (is_plain(buf_view(&rest)))
        return true;
    hash_bytes(&digest, rest.p, rest.len);
    digest_hex(&digest, hex);
    buf_fmt(&name, STR_FMT " %s", STR_ARG(p->name), script);
    if (has_cache(b, name.p))
        return false;
    if (system_caps_cover(b, name.p, &digest))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].script, name.p) == 0 && strcmp(known[i].digest, hex) == 0)
            return true;
    return false;
}

void system_uncovered(const struct build *b, struct names *out)
{
    static const char *const scripts[] = {"preinst", "postinst"};

    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(scripts); k++) {
            CLEANUP(buf_clear) struct buf text = {0};
            if (is_covered(b, b->v[i], scripts[k]))
                continue;
            buf_fmt(&text, STR_FMT " " STR_FMT " %s", STR_ARG(b->v[i]->name),
                    STR_ARG(b->v[i]->version), scripts[k]);
            names_add(out, text.p);
        }
}
