/* SPDX-License-Identifier: Apache-2.0 */
#include "system_gaps.h"

/* What the scripts of packages would have made, whether or not rules stand for them, and that rules
 * do not make. */
static const struct {
    const char *package;
    const char *instead; /* a package that makes up for it; may be NULL */
    const char *text;
} lacking[] = {
    {"locales", "locales-all",
     "no locale is made, for the recipe's env asks for none; C.UTF-8 is there anyway, and with "
     "`env: "
     "{LANG: en_US.UTF-8}` that one is made"},
    {"openssh-server", NULL,
     "the image has no ssh host keys, which all of its containers would share; run `mkdir -p "
     "/run/sshd && ssh-keygen -A` in a container before sshd starts, or mount keys into /etc/ssh"},
    {"ssl-cert", NULL,
     "the image has no self-signed certificate, whose key all of its containers would share; run "
     "`make-ssl-cert generate-default-snakeoil` in a container before a program asks for it"},
};

#define NO_RAW(program) \
    "/usr/bin/" program \
    " has no capability cap_net_raw; where it may not open its socket, run it as root"
#define NO_GLIB                                                                               \
    "the cache of schemas or of modules is missing; run `/usr/lib/x86_64-linux-gnu/glib-2.0/" \
    "glib-compile-schemas /usr/share/glib-2.0/schemas` and `/usr/lib/x86_64-linux-gnu/"       \
    "glib-2.0/gio-querymodules /usr/lib/x86_64-linux-gnu/gio/modules` in a container before " \
    "a program asks for them"

/* What is known of scripts that no rule stands for. */
static const struct {
    const char *script; /* "package script" */
    const char *text;
} known[] = {
    {"fping postinst", NO_RAW("fping")},
    {"iputils-arping postinst", NO_RAW("arping")},
    {"iputils-clockdiff postinst", NO_RAW("clockdiff")},
    {"iputils-ping postinst", NO_RAW("ping")},
    {"libgdk-pixbuf-2.0-0 postinst",
     "the list of image loaders is missing; run `/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/"
     "gdk-pixbuf-query-loaders --update-cache` in a container before a program asks for it"},
    {"libglib2.0-0 postinst", NO_GLIB},
    {"libglib2.0-0t64 postinst", NO_GLIB},
    {"libgstreamer1.0-0 postinst",
     "gst-ptp-helper has no capability; only PTP clocks need it, and only for other users than "
     "root"},
    {"locales-all postinst", "it only removes what an older release left; nothing is missing"},
    {"mtr postinst", NO_RAW("mtr-packet")},
    {"mtr-tiny postinst", NO_RAW("mtr-packet")},
    {"munge postinst",
     "the user munge is missing, and /etc/munge/munge.key, which all containers of the image would "
     "share; make the user with `adduser --system --group munge`, and mount the cluster's own key"},
    {"shared-mime-info postinst",
     "the database of file types is missing; run `update-mime-database /usr/share/mime` in a "
     "container before a program asks for it"},
};

/* `script` is "name version script". */
static void put_text(struct buf *out, struct str script)
{
    CLEANUP(buf_clear) struct buf key = {0};
    struct str package = {0}, version = {0};

    str_word(&script, &package);
    str_word(&script, &version);
    script = str_trim(script);
    buf_fmt(&key, STR_FMT " " STR_FMT, STR_ARG(package), STR_ARG(script));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].script, key.p) == 0) {
            buf_puts(out, known[i].text);
            return;
        }
    buf_fmt(out,
            "what it would have done is missing in the image; read it there, as "
            "/var/lib/dpkg/info/" STR_FMT "*." STR_FMT
            ", and run what you need of it in a container, or bring the result "
            "by `files`",
            STR_ARG(package), STR_ARG(script));
}

/* The recipe's services make their own at the first start. */
static bool is_made_later(const struct lock *lock, const char *package)
{
    return strcmp(package, "openssh-server") == 0 &&
           node_get(node_get(lock->recipe, "services"), "ssh");
}

static bool has_deb(const struct lock *lock, const char *name)
{
    return name && lock_find(lock, ECO_DEB, str_of(name));
}

void system_gaps(const struct lock *lock, struct names *out)
{
    CLEANUP(buf_clear) struct buf text = {0};

    for (size_t i = 0; i < lock->uncovered.n; i++) {
        struct str script = lock->uncovered.v[i];

        buf_reset(&text);
        buf_fmt(&text, "no rule stands for the maintainer script " STR_FMT ": ", STR_ARG(script));
        put_text(&text, script);
        names_add(out, text.p);
    }
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
        if (!has_deb(lock, lacking[i].package) || has_deb(lock, lacking[i].instead) ||
            is_made_later(lock, lacking[i].package))
            continue;
        buf_reset(&text);
        buf_fmt(&text, "%s: %s", lacking[i].package, lacking[i].text);
        names_add(out, text.p);
    }
}
