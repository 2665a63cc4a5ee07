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
     "no locale is generated; C.UTF-8 is there without it, and the package locales-all has all "
     "others"},
    {"openssh-server", NULL,
     "the image has no ssh host keys, which all of its containers would share; run `mkdir -p "
     "/run/sshd && ssh-keygen -A` in a container before sshd starts, or mount keys into /etc/ssh"},
    {"ssl-cert", NULL,
     "the image has no self-signed certificate, whose key all of its containers would share; run "
     "`make-ssl-cert generate-default-snakeoil` in a container before a program asks for it"},
};

/* What is known of scripts that no rule stands for. */
static const struct {
    const char *script; /* "package script" */
    const char *text;
} known[] = {
    {"iputils-arping postinst", "/usr/bin/arping has no capability cap_net_raw; run it as root"},
    {"iputils-ping postinst",
     "/usr/bin/ping is setuid and has no capability cap_net_raw; where containers may gain no "
     "privileges, run it as root"},
    {"libgstreamer1.0-0 postinst",
     "gst-ptp-helper has no capability; only PTP clocks need it, and only for other users than "
     "root"},
    {"locales-all postinst", "it only removes what an older release left; nothing is missing"},
    {"mtr-tiny postinst", "/usr/bin/mtr-packet has no capability cap_net_raw; run mtr as root"},
};

/* `script` is "name version script". */
static const char *text_of(struct str script)
{
    CLEANUP(buf_clear) struct buf key = {0};
    struct str package = {0}, version = {0};

    str_word(&script, &package);
    str_word(&script, &version);
    buf_fmt(&key, STR_FMT " " STR_FMT, STR_ARG(package), STR_ARG(str_trim(script)));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].script, key.p) == 0)
            return known[i].text;
    return "what it would have done is missing in the image";
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
        buf_fmt(&text, "no rule stands for the maintainer script " STR_FMT ": %s", STR_ARG(script),
                text_of(script));
        names_add(out, text.p);
    }
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
        if (!has_deb(lock, lacking[i].package) || has_deb(lock, lacking[i].instead))
            continue;
        buf_reset(&text);
        buf_fmt(&text, "%s: %s", lacking[i].package, lacking[i].text);
        names_add(out, text.p);
    }
}
