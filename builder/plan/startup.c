/* SPDX-License-Identifier: Apache-2.0 */
#include "startup.h"

#include "../base/dotted.h"
#include "../io/crypto.h"

/* dash and busybox drop variables whose names are none to a shell ("app.port"), bash hands them
 * on. --posix keeps it from running $BASH_ENV. */
static const char *interpreter(struct str shell)
{
    return str_is(shell, "/bin/bash") ? "/bin/bash --posix" : "/bin/sh";
}

/* Leaves the driver's version in $envbuild_driver, or what is no version. Only builtins, because
 * every start of a container pays for it. */
static void put_reading(struct buf *out)
{
    buf_puts(out, "envbuild_driver=\n"
                  "if [ -e /dev/nvidiactl ]; then\n"
                  "    if [ -r /sys/module/nvidia/version ]; then\n"
                  "        read -r envbuild_driver </sys/module/nvidia/version\n"
                  "    fi\n"
                  "    if [ -z \"$envbuild_driver\" ] && [ -r /proc/driver/nvidia/version ]; then\n"
                  "        read -r envbuild_line </proc/driver/nvidia/version\n"
                  "        for envbuild_driver in $envbuild_line; do\n"
                  "            case $envbuild_driver in [0-9]*.[0-9]*) break ;; esac\n"
                  "        done\n"
                  "    fi\n"
                  "fi\n"
                  "envbuild_driver=${envbuild_driver%%[!0-9.]*}\n");
}

/* [ compares in decimal, whatever zeros stand in front; $(( )) would take 08 for octal. */
static void put_comparing(struct buf *out, const uint32_t need[3])
{
    buf_fmt(out,
            "envbuild_older() { # MAJOR MINOR PATCH\n"
            "    if [ \"$1\" -ne %u ]; then [ \"$1\" -lt %u ]\n"
            "    elif [ \"$2\" -ne %u ]; then [ \"$2\" -lt %u ]\n"
            "    else [ \"$3\" -lt %u ]; fi\n"
            "}\n",
            need[0], need[0], need[1], need[1], need[2]);
}

static void put_saying(struct buf *out, const struct facts *f, bool fail)
{
    buf_fmt(out,
            "        echo \"envbuild: the NVIDIA driver of this host is $envbuild_driver, but this "
            "image (CUDA " STR_FMT ") needs " STR_FMT " or newer, so %s; update the driver on the "
            "host, or take an image for an older CUDA: envbuild recommend --driver "
            "$envbuild_driver\" >&2\n",
            STR_ARG(f->cuda), STR_ARG(f->driver_min),
            fail ? "the command was not started (startup_check: fail)"
                 : "PyTorch will not find the GPU");
    if (fail)
        buf_fmt(out, "        exit %d\n", STARTUP_EXIT);
}

bool startup_script(struct buf *out, const struct facts *f, struct str shell, bool fail)
{
    uint32_t need[3];

    if (dotted_numbers(need, 3, f->driver_min) < 2)
        return false;
    buf_fmt(out,
            "#!%s\n"
            "# Written by envbuild. Says so when the host's NVIDIA driver is older than this image "
            "needs, then\n"
            "# becomes the command. Silent when it is not, when the container has no GPU, and when "
            "no driver\n"
            "# can be read. `startup_check: off` in the recipe leaves it out.\n",
            interpreter(shell));
    put_comparing(out, need);
    put_reading(out);
    buf_puts(out, "case $envbuild_driver in\n"
                  "*[0-9][0-9][0-9][0-9][0-9]* | .* | *. | *..* | *.*.*.*) ;;\n"
                  "*.*)\n"
                  "    envbuild_minor=${envbuild_driver#*.}.0\n"
                  "    envbuild_patch=${envbuild_minor#*.}\n"
                  "    if envbuild_older \"${envbuild_driver%%.*}\" \"${envbuild_minor%%.*}\" "
                  "\"${envbuild_patch%%.*}\" &&\n"
                  "        [ ! -e /usr/local/cuda/compat/libcuda.so.1 ]; then\n");
    put_saying(out, f, fail);
    buf_puts(out, "    fi\n"
                  "    ;;\n"
                  "esac\n"
                  "exec \"$@\"\n"
                  "echo 'envbuild: no command is given, and the image has none of its own' >&2\n"
                  "exit 127\n");
    return true;
}

static void add_entrypoint(struct lock *lock)
{
    struct strs before = lock->entrypoint;

    lock->entrypoint = (struct strs){0};
    vec_add(&lock->entrypoint, STR(LOCK_STARTUP_CHECK));
    for (size_t i = 0; i < before.n; i++)
        vec_add(&lock->entrypoint, before.v[i]);
    vec_clear(&before);
}

/* Last of all files, so that none of the recipe's takes its place. */
static void add_file(struct lock *lock, struct str text)
{
    struct lock_copy *copy = vec_push(&lock->copies);
    struct lock_file file = {.executable = true, .size = text.len};

    hash_bytes(&file.digest, text.p, text.len);
    copy->text = arena_str(&lock->doc.arena, text);
    copy->to = STR(LOCK_STARTUP_CHECK);
    vec_add(&copy->files, file);
}

static int no_shell(const struct value *asked, const struct events *events, struct err *e)
{
    if (asked->text.len)
        return err_at(e, &asked->pos,
                      "startup_check: \"" STR_FMT "\" needs a shell, and the base has neither "
                      "/bin/bash nor /bin/sh; write off",
                      STR_ARG(asked->text));
    events_warn(events, "the base has neither /bin/bash nor /bin/sh: the image cannot check the "
                        "host's driver when it starts; `startup_check: off` says that this is "
                        "meant");
    return 0;
}

int startup_add(struct lock *lock, const struct recipe *r, struct str shell,
                const struct events *events, struct err *e)
{
    const struct value *asked = &r->startup_check;
    CLEANUP(buf_clear) struct buf text = {0};

    if (str_is(asked->text, "off"))
        return 0;
    if (!startup_script(&text, &lock->facts, shell, str_is(asked->text, "fail"))) {
        if (asked->text.len)
            events_warn(events, "startup_check: %s, so it will not check the host's",
                        lock->facts.cuda.len ? "it is not known which driver the image needs"
                                             : "an image for the CPU needs no driver");
        return 0;
    }
    if (!shell.len)
        return no_shell(asked, events, e);
    add_file(lock, buf_view(&text));
    add_entrypoint(lock);
    return 0;
}
