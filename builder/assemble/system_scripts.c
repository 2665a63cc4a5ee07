/* Which maintainer scripts are covered. Debian Policy, chapter 6.
 *
 * A script is reduced to what it does of its own: without comments, without `set -e` and `exit 0`,
 * and without the sections that debhelper wrote and that do nothing in a fresh image. An empty rest
 * is covered; so is a rest whose SHA-256 stands in the table, because somebody has read it and
 * either it acts on upgrades only or a rule does its work.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../io/crypto.h"

/* Sections "# Automatically added by <tool>/<version>" that need no rule: they act on upgrades only
 * (installdeb), on services (no init runs here), on caches that are made when needed, or are read
 * by another part (installalternatives, installsysusers; triggers of makeshlibs go by ld.so.cache).
 */
static const char *const idle_tools[] = {
    "dh_installdeb",         "dh_installsystemd",  "dh_installsystemduser",
    "dh_installinit",        "dh_installmenu",     "dh_installalternatives",
    "dh_makeshlibs",         "dh_python3",         "dh_installtmpfiles",
    "dh_installmime",        "dh_installdebconf",  "dh_icons",
    "dh_installxmlcatalogs", "dh_systemd_start",   "dh_systemd_enable",
    "dh_installcatalogs",    "dh_installsysusers",
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

static bool is_covered(const struct debpkg *p, const char *script)
{
    CLEANUP(buf_clear) struct buf name = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    system_script_digest(&digest, debpkg_text(p, script));
    if (!digest_is_set(&digest))
        return true;
    digest_hex(&digest, hex);
    buf_fmt(&name, STR_FMT " %s", STR_ARG(p->name), script);
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
            if (is_covered(b->v[i], scripts[k]))
                continue;
            buf_fmt(&text, STR_FMT " " STR_FMT " %s", STR_ARG(b->v[i]->name),
                    STR_ARG(b->v[i]->version), scripts[k]);
            names_add(out, text.p);
        }
}
