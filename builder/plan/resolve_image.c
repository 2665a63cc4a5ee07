/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../model/locale.h"
#include "env.h"
#include "offers.h"
#include "resolve_parts.h"
#include "services.h"

static void set_env(struct lock *lock, struct str line)
{
    env_set(&lock->env, &lock->doc.arena, line);
}

static void set_env_fact(struct lock *lock, const char *name, struct str value)
{
    if (value.len)
        set_env(lock, str_of(arena_fmt(&lock->doc.arena, "%s=" STR_FMT, name, STR_ARG(value))));
}

static void keep_values(struct strs *to, struct arena *a, const struct values *from)
{
    for (size_t i = 0; i < from->n; i++)
        vec_add(to, arena_str(a, from->v[i].text));
}

/* The value that the image below gives a variable; `otherwise` when it gives none. */
static struct str inherited(const struct lock *lock, struct str name, struct str otherwise)
{
    struct str value = {0};

    return env_get(&value, &lock->env, name) && value.len ? value : otherwise;
}

/* The recipe's own variables, each made of those that are there before it. */
static int set_own_env(struct lock *lock, const struct recipe *r, struct err *e)
{
    struct err fault = {0};

    for (size_t i = 0; i < r->env.n; i++) {
        CLEANUP(buf_clear) struct buf line = {0};
        CLEANUP(err_clear) struct err why = {0};
        struct str value = r->env.v[i].text, name;

        if (lock->format < 2) { /* nothing was replaced then */
            set_env(lock, value);
            continue;
        }
        str_cut(&value, STR("="), &name);
        buf_fmt(&line, STR_FMT "=", STR_ARG(name));
        if (env_expand(&line, value, &lock->env, &why) < 0)
            err_at(&fault, &r->env.v[i].pos, "env: " STR_FMT ": %s", STR_ARG(name), why.msg);
        else
            set_env(lock, buf_view(&line));
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

static void keep_strs(struct strs *to, struct arena *a, const struct strs *from)
{
    for (size_t i = 0; i < from->n; i++)
        vec_add(to, arena_str(a, from->v[i]));
}

/* As a Dockerfile has it: an entrypoint of one's own takes the base's command away. */
static void continue_image(struct lock *lock, const struct recipe *r, const struct image_config *c)
{
    struct arena *a = &lock->doc.arena;

    if (!r->has_entrypoint)
        keep_strs(&lock->entrypoint, a, &c->entrypoint);
    if (!r->has_entrypoint && !r->has_cmd)
        keep_strs(&lock->cmd, a, &c->cmd);
    if (c->workdir.len && !r->workdir.pos.line)
        lock->workdir = arena_str(a, c->workdir);
}

/* ---- whose it is ---- */

/* The user's uid; false when only a name of the base image tells it. */
static bool own_uid(uint32_t *uid, const struct recipe *r, const struct resolve_input *in)
{
    struct str user = in->image ? in->image->stored.config.user : STR("");

    *uid = r->user.uid;
    if (r->user.name.text.len || !user.len || str_is(user, "root"))
        return true;
    return str_u32(str_sub(user, 0, str_find(user, ':')), uid);
}

/* Who the base image's user is called, where its config says a name. */
static struct str name_in_image(const struct resolve_input *in)
{
    struct str user = in->image ? in->image->stored.config.user : STR("");

    user = str_sub(user, 0, str_find(user, ':'));
    return user.len && !c_digit(user.p[0]) ? user : STR("user");
}

/* Any uid has a name and a home then, although it may stand in no /etc/passwd: torch.compile names
 * its folder in /tmp by $USER, and fails without. That folder is not set here: under Apptainer /tmp
 * and $USER are the host's, and one folder for all would be the first user's. */
static void set_own(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe *r = in->recipe;
    struct arena *a = &lock->doc.arena;
    struct str name = r->user.name.text;
    uint32_t uid;

    if (name.len) {
        set_env_fact(lock, "USER", name);
        set_env_fact(lock, "HOME", str_of(arena_fmt(a, "/home/" STR_FMT, STR_ARG(name))));
    } else if (own_uid(&uid, r, in) && !uid) {
        set_env_fact(lock, "USER", inherited(lock, STR("USER"), STR("root")));
        set_env_fact(lock, "HOME", inherited(lock, STR("HOME"), STR("/root")));
    } else {
        set_env_fact(lock, "USER", inherited(lock, STR("USER"), name_in_image(in)));
    }
}

static void add_own_folder(struct lock *lock, struct str path, uint32_t uid)
{
    for (size_t i = 0; i < lock->folders.n; i++)
        if (str_eq(lock->folders.v[i].path, path))
            return;
    if (path.len > 1)
        vec_add(&lock->folders, ((struct lock_folder){arena_str(&lock->doc.arena, path), uid}));
}

/* Home, work folder and those that the recipe names, and whose the files in them are. */
static void set_folders(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe *r = in->recipe;
    CLEANUP(buf_clear) struct buf home = {0};
    uint32_t uid = 0;

    if (own_uid(&uid, r, in) && r->user.name.text.len)
        buf_fmt(&home, "/home/" STR_FMT, STR_ARG(r->user.name.text));
    else if (!uid && !in->image)
        buf_puts(&home, "/root");
    add_own_folder(lock, buf_view(&home), uid);
    add_own_folder(lock, lock->workdir, uid);
    for (size_t i = 0; i < r->folders.n; i++)
        add_own_folder(lock, r->folders.v[i].text, uid);
    for (size_t i = 0; i < r->volumes.n; i++)
        add_own_folder(lock, r->volumes.v[i].text, uid);
    for (size_t i = 0; i < r->files.n; i++) {
        CLEANUP(buf_clear) struct buf to = {0};

        if (!r->files.v[i].owner.text.len && path_clean(&to, lock->copies.v[i].to) &&
            lock_folder_of(lock, buf_view(&to)))
            lock->copies.v[i].uid = uid;
    }
}

/* Is it there without the recipe: in the system, or a place where anybody makes it? */
static bool is_systems(struct str path)
{
    static const char *const begins[] = {"/bin", "/dev", "/etc",  "/lib", "/media",
                                         "/mnt", "/opt", "/proc", "/run", "/sbin",
                                         "/sys", "/tmp", "/usr",  "/var"};

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (path_is_in(path, str_of(begins[i])))
            return true;
    return false;
}

static bool files_make(const struct lock *lock, struct str path)
{
    for (size_t i = 0; i < lock->copies.n; i++) {
        struct str to = lock->copies.v[i].to;

        if (path_is_in(to, path) || (str_ends(to, STR("/")) && str_starts(path, to)))
            return true;
    }
    return false;
}

/* HF_HOME=/data: who writes there is not root, and cannot make it. */
static void tell_folders(const struct lock *lock, const struct recipe *r,
                         const struct events *events)
{
    static const char *const ends[] = {"HOME", "DIR", "CACHE"};

    for (size_t i = 0; i < r->env.n && lock->user.name.len; i++) {
        struct str path = r->env.v[i].text, name;
        bool folder = false;

        str_cut(&path, STR("="), &name);
        for (size_t k = 0; k < ARRAY_LEN(ends); k++)
            folder |= str_ends(name, str_of(ends[k]));
        if (!folder || !str_starts(path, STR("/")) || path.len < 2 || str_has(path, ':') ||
            str_has(path, '$') || is_systems(path) || files_make(lock, path) ||
            lock_folder_of(lock, path))
            continue;
        events_warn(events,
                    "env: " STR_FMT " is " STR_FMT ", which nothing makes and " STR_FMT
                    " cannot make; add `folders: [" STR_FMT "]`",
                    STR_ARG(name), STR_ARG(path), STR_ARG(lock->user.name), STR_ARG(path));
    }
}

/* Programs would take another than the one that is asked for, most without a word. */
static void tell_locales(const struct lock *lock, const struct recipe *r,
                         const struct events *events)
{
    struct strs told = {0};

    for (size_t i = 0; i < r->env.n; i++) {
        struct str locale = locale_asked(r->env.v[i].text), line = r->env.v[i].text, name;

        if (!locale.len || lock->image.ref.len || lock_find(lock, ECO_DEB, STR("locales-all")) ||
            !strs_add_once(&told, locale))
            continue;
        str_cut(&line, STR("="), &name);
        events_warn(events,
                    "env: " STR_FMT " is " STR_FMT ", a locale that the image does not have; %s",
                    STR_ARG(name), STR_ARG(locale),
                    lock_find(lock, ECO_DEB, STR("locales"))
                        ? "no archive has the package locales-all, from which it would be taken"
                        : "add `apt: [locales]`, which makes it, or write C.UTF-8");
    }
    vec_clear(&told);
}

void resolve_tell_env(const struct lock *lock, const struct recipe *r, const struct events *events)
{
    tell_folders(lock, r, events);
    tell_locales(lock, r, events);
}

/* OpenSSL's programs and Python read the first, curl and git the one of their name, pip and
 * requests bring certificates of their own, and Node adds to its own. */
static void set_certificates(struct lock *lock)
{
    static const char *const names[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT",
                                        "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"};

    for (size_t i = 0; i < ARRAY_LEN(names) && lock_has_certificates(lock); i++)
        set_env_fact(lock, names[i], STR(LOCK_CERTIFICATE_BUNDLE));
}

int resolve_image(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    const struct recipe *r = in->recipe;
    struct arena *a = &lock->doc.arena;
    struct str libraries;
    bool gpu = lock->facts.cuda.len > 0;

    if (in->image)
        keep_strs(&lock->env, a, &in->image->stored.config.env);
    set_env(lock, str_of(arena_fmt(a, "PATH=/opt/venv/bin:%s" STR_FMT,
                                   gpu ? "/usr/local/nvidia/bin:/usr/local/cuda/bin:" : "",
                                   STR_ARG(inherited(lock, STR("PATH"),
                                                     STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                                                         "/usr/bin:/sbin:/bin"))))));
    libraries = inherited(lock, STR("LD_LIBRARY_PATH"), STR(""));
    if (gpu)
        set_env(lock,
                str_of(arena_fmt(a,
                                 "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
                                 "%s" STR_FMT,
                                 libraries.len ? ":" : "", STR_ARG(libraries))));
    set_env(lock, STR("VIRTUAL_ENV=/opt/venv"));
    if (lock->toolkit.from.len) {
        set_env(lock, STR("CUDA_HOME=/usr/local/cuda"));
        set_env(lock, STR("LIBRARY_PATH=/usr/local/cuda/lib64:/usr/local/cuda/lib64/stubs"));
        set_env_fact(lock, "CUDA_VERSION", lock->toolkit.version);
    }
    set_env_fact(lock, "LANG", inherited(lock, STR("LANG"), STR("C.UTF-8")));
    if (gpu) {
        set_env(lock, STR("NVIDIA_VISIBLE_DEVICES=all"));
        set_env(lock, STR("NVIDIA_DRIVER_CAPABILITIES=compute,utility"));
    }
    set_env_fact(lock, "NVIDIA_REQUIRE_CUDA", lock->facts.require);
    set_env_fact(lock, "PYTORCH_VERSION", lock->facts.pytorch);
    if (lock->format >= 2)
        set_own(lock, in);
    set_certificates(lock);
    if (set_own_env(lock, r, e) < 0)
        return -1;
    keep_values(&lock->entrypoint, a, &r->entrypoint);
    keep_values(&lock->cmd, a, &r->cmd);
    lock->workdir = arena_str(a, r->workdir.text);
    if (in->image)
        continue_image(lock, r, &in->image->stored.config);
    services_set(lock, r);
    if (!r->has_cmd && !r->has_entrypoint && !lock->cmd.n && !lock->entrypoint.n)
        vec_add(&lock->cmd, STR("/bin/bash"));
    offers_set(lock, r, in->image ? &in->image->stored.config : NULL);
    lock->labels = r->labels ? node_copy(&lock->doc, r->labels) : NULL;
    if (lock->format >= 2)
        set_folders(lock, in);
    return 0;
}

struct str resolve_shell(const struct lock *lock, const struct resolve_input *in)
{
    if (in->image)
        return in->image->shell;
    if (lock_find(lock, ECO_DEB, STR("bash")))
        return STR("/bin/bash");
    return lock_find(lock, ECO_DEB, STR("dash")) ? STR("/bin/sh") : STR("");
}
