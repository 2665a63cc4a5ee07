/* Programs to which a postinst gives capabilities with setcap(8), or the setuid bit where there is
 * no setcap, when its text says so.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

/* capabilities(7), numbers of linux/capability.h. */
enum {
    NET_BIND_SERVICE = 1 << 10,
    NET_ADMIN = 1 << 12,
    NET_RAW = 1 << 13,
    SYS_NICE = 1 << 23,
};

#define PTP_HELPER "usr/lib/x86_64-linux-gnu/gstreamer1.0/gstreamer-1.0/gst-ptp-helper"

/* One row a text, by the digest of its rest (system_script_digest()). Packages of the four bases
 * that were read. */
static const struct {
    const char *script, *digest, *path;
    uint32_t caps; /* permitted and effective: "+ep" */
} programs[] = {
    {"iputils-ping postinst", "7018e2b6f676c7858d4d919c53ae6b935f41694c0769dbab09af0acae87a940f",
     "usr/bin/ping", NET_RAW},
    {"iputils-ping postinst", "ea22893b5a31f6dc5790a79fe1fb1562a4225f8af7e641cc3cfcb527aba3b22d",
     "usr/bin/ping", NET_RAW},
    {"iputils-arping postinst", "65e876c26b90ae10a7e3d6a3588b7b005c392f27d424bb2dbdf108c2d4231faa",
     "usr/bin/arping", NET_RAW},
    {"iputils-arping postinst", "4519f486744388f9dc00fcef2eb9e558baaad6e6bb15332dac13c29850db23ad",
     "usr/bin/arping", NET_RAW},
    {"iputils-clockdiff postinst",
     "57b684b25e1b0faeb1ec1647c2d1c5aa31f8b32fcf6dbf0bd7161386e536dcbe", "usr/bin/clockdiff",
     NET_RAW},
    {"iputils-clockdiff postinst",
     "e58be262697b94c8675d53cc49d826ca59a75b156d609ac8be35c08ebfb81265", "usr/bin/clockdiff",
     NET_RAW},
    {"iputils-clockdiff postinst",
     "479a976d3cdfc7da706b01578bf615d26087630315e677f59033949b83bf3fd4", "usr/bin/clockdiff",
     NET_RAW | SYS_NICE},
    {"mtr-tiny postinst", "ad34f1bf1a58c6073079d4deda82fa4c4b521e9ee4608ec30832b49d4020bc8c",
     "usr/bin/mtr-packet", NET_RAW},
    {"mtr postinst", "ad34f1bf1a58c6073079d4deda82fa4c4b521e9ee4608ec30832b49d4020bc8c",
     "usr/bin/mtr-packet", NET_RAW},
    {"fping postinst", "7f512ba6e21be5679bbcb9ba27c7d86e119f80a7b462482b6e55eae8369d23af",
     "usr/bin/fping", NET_RAW},
    {"libgstreamer1.0-0 postinst",
     "1fabeaba5a3b96654726e0ff63b270f36984e9061c4e42745ccd1965ccc74164", PTP_HELPER,
     NET_BIND_SERVICE | NET_ADMIN},
    {"libgstreamer1.0-0 postinst",
     "0a0e4ca2cb7ea753fbdb528a2ac614a50e817d646c07b15c6e46b60535c0a7cd", PTP_HELPER,
     NET_BIND_SERVICE | NET_ADMIN | SYS_NICE},
    {"libgstreamer1.0-0 postinst",
     "f3201e943e18b01aa40c491a7508070881c2729b200d911209ccf06241b71285", PTP_HELPER,
     NET_BIND_SERVICE | NET_ADMIN | SYS_NICE},
};

static bool is_text(size_t row, const char *script, const struct digest *rest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(rest, hex);
    return strcmp(programs[row].script, script) == 0 && strcmp(programs[row].digest, hex) == 0;
}

bool system_caps_cover(const struct build *b, const char *script, const struct digest *rest)
{
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(programs) && b->in->format >= 2; i++)
        found |= is_text(i, script, rest);
    return found;
}

static void put_u32(unsigned char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (8 * i));
}

/* struct vfs_cap_data of linux/capability.h, revision 2, with the effective bit. Little-endian:
 * head, permitted, inheritable, and the upper halves of both. */
static void set_caps(struct build *b, struct entry *program, uint32_t caps)
{
    unsigned char data[20] = {0};

    put_u32(data, 0x02000001);
    put_u32(data + 4, caps);
    program->caps = arena_str(&b->t->arena, (struct str){(const char *)data, sizeof data});
}

static void give(struct build *b, const struct debpkg *p, const char *path, uint32_t caps)
{
    struct entry *program = tree_get(b->t, str_of(path));

    if (!program || program->type != ENTRY_FILE)
        return;
    if (build_package(b, "libcap2-bin")) {
        program->mode &= ~(uint32_t)04000;
        set_caps(b, program, caps);
    } else if (script_says(p, "postinst", "chmod u+s ")) {
        program->mode |= 04000;
    }
}

void system_caps(struct build *b)
{
    for (size_t i = 0; i < b->n && b->in->format >= 2; i++) {
        CLEANUP(buf_clear) struct buf script = {0};
        struct digest rest;

        if (!script_says(b->v[i], "postinst", "setcap "))
            continue;
        buf_fmt(&script, STR_FMT " postinst", STR_ARG(b->v[i]->name));
        system_script_digest(&rest, debpkg_text(b->v[i], "postinst"));
        for (size_t k = 0; k < ARRAY_LEN(programs); k++)
            if (is_text(k, script.p, &rest))
                give(b, b->v[i], programs[k].path, programs[k].caps);
    }
}
