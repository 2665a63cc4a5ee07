/* What pam-auth-update makes of the profiles that packages bring: pam-auth-update(8). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../../pkg/deb/control.h"

struct profile {
    struct str name; /* of its file */
    uint32_t priority;
    bool enabled;
    struct control fields;
    char *text; /* owned */
};
struct profiles VEC_OF(struct profile);

/* One of the files common-*. */
struct stack {
    const char *file, *type;
    const char *field; /* of the profile: "Auth" and with it "Auth-Initial", "Auth-Type" */
    const char *key;   /* in the template: $<key>_primary, $<key>_additional */
    bool interactive;  /* profiles with Session-Interactive-Only belong here */
};
static const struct stack stacks[] = {
    {"common-auth", "auth", "Auth", "auth", true},
    {"common-account", "account", "Account", "account", true},
    {"common-password", "password", "Password", "password", true},
    {"common-session", "session", "Session", "session", true},
    {"common-session-noninteractive", "session", "Session", "session_nonint", false},
};

static void profiles_clear(struct profiles *v)
{
    struct profile *p;

    vec_each(p, v) {
        control_clear(&p->fields);
        free(p->text);
    }
    vec_clear(v);
}

static int compare_profiles(const void *a, const void *b)
{
    const struct profile *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static int read_profile(struct build *b, const struct entry *entry, struct profiles *out,
                        int64_t *newest, struct err *e)
{
    CLEANUP(free_clear) char *path = str_dup(entry->path);
    CLEANUP(buf_clear) struct buf text = {0};
    bool more;

    if (build_read(b, path, &text, e) < 0)
        return -1;
    struct profile *p = vec_push(out);
    size_t len = text.len;
    p->text = buf_take(&text);
    struct str rest = {p->text, len};
    if (control_next(&p->fields, &rest, &more, path, e) < 0)
        return -1;
    const char *slash = strrchr(entry->path.p, '/');
    p->name = str_of(slash + 1);
    p->enabled = str_is(control_get(&p->fields, "Default"), "yes");
    if (!str_u32(control_get(&p->fields, "Priority"), &p->priority))
        return err_set(e, ERR_INPUT, "/%s: Priority is not a number", path);
    if (entry->mtime > *newest)
        *newest = entry->mtime;
    return 0;
}

static int read_profiles(struct build *b, struct profiles *out, int64_t *newest, struct err *e)
{
    struct entries found = {0};
    int rc = 0;

    build_list(b, "usr/share/pam-configs", "", &found);
    for (size_t i = 0; i < found.n && rc == 0; i++)
        rc = read_profile(b, found.v[i], out, newest, e);
    vec_clear(&found);
    vec_sort(out, compare_profiles);
    return rc;
}

/* The profile's lines for a stack: its "-Initial" ones when it comes first in its block. */
static struct str lines_of(const struct profile *p, const struct stack *s, bool primary, bool first)
{
    char name[64];

    snprintf(name, sizeof name, "%s-Type", s->field);
    if (!p->enabled || str_is(control_get(&p->fields, name), "Primary") != primary ||
        (!s->interactive && str_is(control_get(&p->fields, "Session-Interactive-Only"), "yes")))
        return STR("");
    snprintf(name, sizeof name, "%s-Initial", s->field);
    struct str lines = control_get(&p->fields, name);
    return first && lines.len ? lines : control_get(&p->fields, s->field);
}

static size_t count_lines(struct str text)
{
    struct str line;
    size_t n = 0;

    while (str_line(&text, &line))
        n += str_trim(line).len > 0;
    return n;
}

/* "success=end" jumps behind the block: `left` lines follow in it. */
static void put_control(struct buf *out, struct str control, size_t left)
{
    struct str head;

    while (str_cut(&control, STR("=end"), &head))
        buf_fmt(out, STR_FMT "=%zu", STR_ARG(head), left + 1);
    buf_str(out, control);
}

/* "[success=end default=ignore]\tpam_unix.so nullok": the bracketed part may hold blanks. */
static void put_line(struct buf *out, const char *type, struct str line, size_t left)
{
    struct str control, module;
    size_t end = str_starts(line, STR("[")) ? str_find(line, ']') + 1 : 0;

    if (end) {
        control = str_sub(line, 0, end);
        line = str_sub(line, end, line.len);
    } else if (!str_word(&line, &control)) {
        return;
    }
    if (!str_word(&line, &module))
        return;
    buf_fmt(out, "%s\t", type);
    put_control(out, control, left);
    buf_fmt(out, "\t" STR_FMT " " STR_FMT "\n", STR_ARG(module), STR_ARG(str_trim(line)));
}

/* One block of a stack for /etc/pam.d, and its record for /var/lib/pam. */
static void put_block(const struct profiles *profiles, const struct stack *s, bool primary,
                      struct buf *out, struct buf *record)
{
    const struct profile *p;
    size_t left = 0;
    bool first = true;

    vec_each(p, profiles) {
        struct str lines = lines_of(p, s, primary, first);
        left += count_lines(lines);
        first = first && !lines.len;
    }
    first = true;
    vec_each(p, profiles) {
        struct str lines = lines_of(p, s, primary, first), line;
        if (!lines.len)
            continue;
        first = false;
        buf_fmt(record, "Module: " STR_FMT "\n", STR_ARG(p->name));
        while (str_line(&lines, &line)) {
            line = str_trim(line);
            if (!line.len)
                continue;
            put_line(out, s->type, line, --left);
            buf_fmt(record, STR_FMT "\n", STR_ARG(line));
        }
    }
    if (primary && first) {
        buf_fmt(out, "%s\t[default=1]\t\t\tpam_permit.so\n", s->type);
        buf_puts(record, "Module: null\n[default=1]\t\t\tpam_permit.so\n");
    }
}

static int add_stack(struct build *b, const struct profiles *profiles, const struct stack *s,
                     int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(buf_clear) struct buf pattern = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(buf_clear) struct buf record = {0};
    struct str text, line;
    char primary[64], additional[64];

    buf_fmt(&path, "/usr/share/pam/%s", s->file);
    if (build_read(b, path.p, &pattern, e) < 0)
        return -1;
    snprintf(primary, sizeof primary, "$%s_primary", s->key);
    snprintf(additional, sizeof additional, "$%s_additional", s->key);
    text = buf_view(&pattern);
    while (str_line(&text, &line)) {
        if (str_is(line, primary))
            put_block(profiles, s, true, &out, &record);
        else if (str_is(line, additional))
            put_block(profiles, s, false, &out, &record);
        else
            buf_fmt(&out, STR_FMT "\n", STR_ARG(line));
    }
    buf_reset(&path);
    buf_fmt(&path, "/etc/pam.d/%s", s->file);
    if (make_file(b, path.p, 0644, 0, date, buf_view(&out), e) < 0)
        return -1;
    buf_reset(&path);
    buf_fmt(&path, "/var/lib/pam/%s", s->file + strlen("common-"));
    return make_file(b, path.p, 0644, 0, date, buf_view(&record), e);
}

int system_pam(struct build *b, struct err *e)
{
    const struct debpkg *runtime = build_package(b, "libpam-runtime");
    CLEANUP(profiles_clear) struct profiles profiles = {0};
    CLEANUP(buf_clear) struct buf seen = {0};
    const struct profile *p;

    if (!runtime)
        return 0;
    int64_t date = runtime->newest;
    if (read_profiles(b, &profiles, &date, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(stacks); i++)
        if (add_stack(b, &profiles, &stacks[i], date, e) < 0)
            return -1;
    vec_each(p, &profiles)
        buf_fmt(&seen, STR_FMT "\n", STR_ARG(p->name));
    return make_file(b, "/var/lib/pam/seen", 0644, 0, date, buf_view(&seen), e);
}
