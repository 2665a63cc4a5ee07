/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include "../base/date.h"
#include "../doc/emit.h"
#include "../doc/json.h"

enum {
    USER_MAX = 2147483647, /* beyond it runtimes have wrapped to root (CVE-2024-40635) */
    PORT_MAX = 65535,
    NANO = 1000000000,
};

static void emit(struct buf *out, struct doc *doc)
{
    emit_json(out, doc->root, EMIT_COMPACT);
}

/* ---- config, written ---- */

static void put_text(struct doc *doc, struct node *map, const char *key, struct str text)
{
    if (text.len)
        node_put_str(doc, map, key, text);
}

static void put_time(struct doc *doc, struct node *map, bool dated, int64_t seconds)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (!dated)
        return;
    date_print(&text, seconds);
    node_put_str(doc, map, "created", arena_str(&doc->arena, buf_view(&text)));
}

static void put_list(struct doc *doc, struct node *map, const char *key, const struct strs *texts)
{
    struct node *list;
    struct str *s;

    if (!texts->n)
        return;
    list = node_put(doc, map, key, node_new_list(doc));
    vec_each(s, texts)
        node_add_str(doc, list, *s);
}

/* {"8888/tcp":{}}: how Go writes a set. */
static void put_set(struct doc *doc, struct node *map, const char *key, const struct strs *texts)
{
    struct strs sorted = {0};
    struct node *set;
    struct str *s;

    if (!texts->n)
        return;
    vec_each(s, texts)
        vec_add(&sorted, *s);
    vec_sort(&sorted, str_compare);
    set = node_put(doc, map, key, node_new_map(doc));
    vec_each(s, &sorted)
        if (s == sorted.v || !str_eq(s[0], s[-1]))
            node_put(doc, set, arena_cstr(&doc->arena, *s), node_new_map(doc));
    vec_clear(&sorted);
}

static void put_nanoseconds(struct doc *doc, struct node *map, const char *key, uint32_t seconds)
{
    if (seconds)
        node_put_u64(doc, map, key, (uint64_t)seconds * NANO);
}

static void put_health(struct doc *doc, struct node *map, const struct image_health *h)
{
    struct node *health, *test;
    struct str *s;

    if (!h->command.n)
        return;
    health = node_put(doc, map, "Healthcheck", node_new_map(doc));
    test = node_put(doc, health, "Test", node_new_list(doc));
    node_add_str(doc, test, STR("CMD"));
    vec_each(s, &h->command)
        node_add_str(doc, test, *s);
    put_nanoseconds(doc, health, "Interval", h->interval);
    put_nanoseconds(doc, health, "Timeout", h->timeout);
    put_nanoseconds(doc, health, "StartPeriod", h->start_period);
    if (h->retries)
        node_put_u64(doc, health, "Retries", h->retries);
}

static struct node *settings_to_node(const struct image_config *c, struct doc *doc)
{
    struct node *map = node_new_map(doc);

    put_text(doc, map, "User", c->user);
    put_set(doc, map, "ExposedPorts", &c->ports);
    put_list(doc, map, "Env", &c->env);
    put_list(doc, map, "Entrypoint", &c->entrypoint);
    put_list(doc, map, "Cmd", &c->cmd);
    put_set(doc, map, "Volumes", &c->volumes);
    put_text(doc, map, "WorkingDir", c->workdir);
    if (c->labels.n)
        node_put(doc, map, "Labels", pairs_to_node(&c->labels, doc));
    put_text(doc, map, "StopSignal", c->stop_signal);
    put_health(doc, map, &c->health);
    return map;
}

static struct node *rootfs_to_node(const struct image_config *c, struct doc *doc)
{
    struct node *map = node_new_map(doc), *list;
    char text[DIGEST_TEXT + 1];
    struct digest *d;

    node_put_str(doc, map, "type", STR("layers"));
    list = node_put(doc, map, "diff_ids", node_new_list(doc));
    vec_each(d, &c->diff_ids) {
        digest_text(d, text);
        node_add_str(doc, list, arena_str(&doc->arena, str_of(text)));
    }
    return map;
}

static void put_history(struct doc *doc, struct node *map, const struct image_histories *history)
{
    struct node *list, *item;
    struct image_history *h;

    if (!history->n)
        return;
    list = node_put(doc, map, "history", node_new_list(doc));
    vec_each(h, history) {
        item = node_add(doc, list, node_new_map(doc));
        put_time(doc, item, h->dated, h->created);
        put_text(doc, item, "created_by", h->created_by);
        put_text(doc, item, "author", h->author);
        put_text(doc, item, "comment", h->comment);
        if (h->empty_layer)
            node_put_bool(doc, item, "empty_layer", true);
    }
}

void image_config_write(const struct image_config *c, struct buf *out)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct node *map = doc.root = node_new_map(&doc);

    put_time(&doc, map, c->dated, c->created);
    put_text(&doc, map, "author", c->author);
    node_put_str(&doc, map, "architecture", c->platform.architecture);
    put_text(&doc, map, "variant", c->platform.variant);
    node_put_str(&doc, map, "os", c->platform.os);
    node_put(&doc, map, "config", settings_to_node(c, &doc));
    node_put(&doc, map, "rootfs", rootfs_to_node(c, &doc));
    put_history(&doc, map, &c->history);
    emit(out, &doc);
}

/* ---- config, read ---- */

static int read_time(bool *dated, int64_t *seconds, const struct node *map, struct err *e)
{
    struct str text = {0};

    if (oci_member_str(&text, map, "created", e) < 0)
        return -1;
    if (!text.len)
        return 0;
    if (!date_parse(seconds, text))
        return err_at(e, &map->pos, "created: \"" STR_FMT "\" is not an RFC 3339 time",
                      STR_ARG(text));
    *dated = true;
    return 0;
}

static int read_set(struct strs *out, const struct node *map, const char *key, struct err *e)
{
    const struct node *n = oci_member(map, key), *item;

    if (!n)
        return 0;
    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "%s is %s where a map belongs", key, node_kind_name(n));
    node_each(item, n)
        vec_add(out, item->key);
    vec_sort(out, str_compare);
    return 0;
}

static int check_user(struct str user, const struct node *n, struct err *e)
{
    struct str parts[2] = {user, {0}};

    if (str_cut(&user, STR(":"), &parts[0]))
        parts[1] = user;
    for (size_t i = 0; i < 2; i++) {
        uint64_t id;
        size_t digits = 0;

        while (digits < parts[i].len && c_digit(parts[i].p[digits]))
            digits++;
        if (digits && digits == parts[i].len && (!str_u64(parts[i], &id) || id > USER_MAX))
            return err_at(e, &n->pos,
                          "User: \"" STR_FMT "\" is over %d, the largest number there is",
                          STR_ARG(parts[i]), USER_MAX);
    }
    return 0;
}

static int check_workdir(struct str dir, const struct node *n, struct err *e)
{
    if (!dir.len)
        return 0;
    if (dir.p[0] != '/')
        return err_at(e, &n->pos, "WorkingDir: \"" STR_FMT "\" is not absolute", STR_ARG(dir));
    if (str_is(dir, "/proc") || str_starts(dir, STR("/proc/")))
        return err_at(e, &n->pos, "WorkingDir: \"" STR_FMT "\" is in /proc", STR_ARG(dir));
    return 0;
}

bool image_port_parse(struct image_port *out, struct str text)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    struct str protocol = text, number = text;

    if (!str_cut(&protocol, STR("/"), &number))
        protocol = STR("tcp");
    out->protocol = NULL;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (str_is(protocol, protocols[i]))
            out->protocol = protocols[i];
    return out->protocol && str_u32(number, &out->number) && out->number && out->number <= PORT_MAX;
}

void image_health_clear(struct image_health *h)
{
    vec_clear(&h->command);
    *h = (struct image_health){0};
}

/* Nanoseconds as seconds, rounded up; what is no time is Docker's own. */
static uint32_t seconds_of(const struct node *health, const char *key)
{
    const struct node *n = oci_member(health, key);
    uint64_t value;

    if (!n || n->kind != NODE_NUMBER || !str_u64(n->text, &value) ||
        value > (uint64_t)USER_MAX * NANO)
        return 0;
    return (uint32_t)((value + NANO - 1) / NANO);
}

/* ["CMD", program, words...], ["CMD-SHELL", text] or ["NONE"]; empty continues the base's, which
 * nobody knows here. */
static int read_health(struct image_health *h, const struct node *map, struct err *e)
{
    const struct node *n = oci_member(map, "Healthcheck"), *retries = oci_member(n, "Retries");
    struct strs test = {0};
    uint32_t times = 0;
    int result;

    if (n && n->kind != NODE_MAP)
        return err_at(e, &n->pos, "Healthcheck is %s where a map belongs", node_kind_name(n));
    result = oci_member_strs(&test, n, "Test", e);
    if (test.n > 1 && str_is(test.v[0], "CMD-SHELL")) {
        vec_add(&h->command, STR("/bin/sh"));
        vec_add(&h->command, STR("-c"));
    }
    if (test.n > 1 && (str_is(test.v[0], "CMD") || str_is(test.v[0], "CMD-SHELL")))
        for (size_t i = 1; i < test.n; i++)
            vec_add(&h->command, test.v[i]);
    vec_clear(&test);
    if (!h->command.n)
        return result;
    h->interval = seconds_of(n, "Interval");
    h->timeout = seconds_of(n, "Timeout");
    h->start_period = seconds_of(n, "StartPeriod");
    if (retries && str_u32(retries->text, &times))
        h->retries = times;
    return result;
}

static int read_settings(struct image_config *c, const struct node *n, struct err *e)
{
    if (!n)
        return 0;
    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "config is %s where a map belongs", node_kind_name(n));
    if (oci_member_str(&c->user, n, "User", e) < 0 ||
        read_set(&c->ports, n, "ExposedPorts", e) < 0 ||
        oci_member_strs(&c->env, n, "Env", e) < 0 ||
        oci_member_strs(&c->entrypoint, n, "Entrypoint", e) < 0 ||
        oci_member_strs(&c->cmd, n, "Cmd", e) < 0 || read_set(&c->volumes, n, "Volumes", e) < 0 ||
        oci_member_str(&c->workdir, n, "WorkingDir", e) < 0 ||
        pairs_from_node(&c->labels, oci_member(n, "Labels"), "Labels", e) < 0 ||
        oci_member_str(&c->stop_signal, n, "StopSignal", e) < 0 ||
        read_health(&c->health, n, e) < 0)
        return -1;
    return check_user(c->user, n, e) < 0 ? -1 : check_workdir(c->workdir, n, e);
}

static int read_rootfs(struct image_config *c, const struct node *root, struct err *e)
{
    const struct node *n = oci_member(root, "rootfs"), *list = oci_member(n, "diff_ids"), *item;
    struct str type = {0};

    if (!n || n->kind != NODE_MAP)
        return err_at(e, &root->pos, "there is no rootfs");
    if (oci_member_str(&type, n, "type", e) < 0)
        return -1;
    if (!str_is(type, "layers"))
        return err_at(e, &n->pos, "rootfs.type is \"" STR_FMT "\"; it must be \"layers\"",
                      STR_ARG(type));
    if (!list || list->kind != NODE_LIST)
        return err_at(e, &n->pos, "rootfs has no list diff_ids");
    node_each(item, list)
        if (item->kind != NODE_STRING || !digest_from_text(vec_push(&c->diff_ids), item->text))
            return err_at(e, &item->pos, "diff_ids: \"" STR_FMT "\" is not a sha256 digest",
                          STR_ARG(item->text));
    return 0;
}

static int read_history_item(struct image_history *h, const struct node *n, struct err *e)
{
    const struct node *empty = oci_member(n, "empty_layer");

    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "history holds %s where a map belongs", node_kind_name(n));
    if (empty && empty->kind != NODE_BOOL)
        return err_at(e, &empty->pos, "empty_layer is %s where true or false belongs",
                      node_kind_name(empty));
    h->empty_layer = empty && empty->boolean;
    if (read_time(&h->dated, &h->created, n, e) < 0 ||
        oci_member_str(&h->author, n, "author", e) < 0 ||
        oci_member_str(&h->created_by, n, "created_by", e) < 0)
        return -1;
    return oci_member_str(&h->comment, n, "comment", e);
}

/* A history of more or fewer layers than there are is nobody's: which line is whose it cannot say.
 * Tools that flatten or squash images leave such ones behind. */
static int read_history(struct image_config *c, const struct node *root, struct err *e)
{
    const struct node *list = oci_member(root, "history"), *item;
    size_t layers = 0;

    if (!list)
        return 0;
    if (list->kind != NODE_LIST)
        return err_at(e, &list->pos, "history is %s where a list belongs", node_kind_name(list));
    node_each(item, list) {
        struct image_history *h = vec_push(&c->history);

        if (read_history_item(h, item, e) < 0)
            return -1;
        layers += !h->empty_layer;
    }
    if (layers != c->diff_ids.n)
        vec_clear(&c->history);
    return 0;
}

static int read_config(struct image_config *c, const struct node *root, struct err *e)
{
    if (oci_member_str(&c->platform.architecture, root, "architecture", e) < 0 ||
        oci_member_str(&c->platform.os, root, "os", e) < 0 ||
        oci_member_str(&c->platform.variant, root, "variant", e) < 0 ||
        oci_member_str(&c->author, root, "author", e) < 0 ||
        read_time(&c->dated, &c->created, root, e) < 0)
        return -1;
    if (!c->platform.architecture.len || !c->platform.os.len)
        return err_at(e, &root->pos, "there is no %s", c->platform.os.len ? "architecture" : "os");
    if (read_settings(c, oci_member(root, "config"), e) < 0 || read_rootfs(c, root, e) < 0)
        return -1;
    return read_history(c, root, e);
}

/* Parse into a document whose root is a map. */
static int parse_map(struct doc *doc, struct str json, const char *what, struct err *e)
{
    if (json_parse(doc, json, IMAGE_DOC_MAX, what, e) < 0)
        return -1;
    if (doc->root->kind != NODE_MAP)
        return err_at(e, &doc->root->pos, "%s where a map belongs", node_kind_name(doc->root));
    return 0;
}

int image_config_parse(struct image_config *out, struct str json, const char *what, struct err *e)
{
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(doc_clear) struct doc doc = {0};

    if (parse_map(&doc, json, what, e) < 0 || read_config(&config, doc.root, e) < 0)
        return -1;
    MOVE(&config.arena, &doc.arena);
    MOVE(out, &config);
    return 0;
}

void image_config_clear(struct image_config *c)
{
    vec_clear(&c->env);
    vec_clear(&c->entrypoint);
    vec_clear(&c->cmd);
    vec_clear(&c->ports);
    vec_clear(&c->volumes);
    image_health_clear(&c->health);
    vec_clear(&c->labels);
    vec_clear(&c->diff_ids);
    vec_clear(&c->history);
    arena_clear(&c->arena);
    *c = (struct image_config){0};
}

/* ---- manifest and index ---- */

static struct node *new_document(struct doc *doc, struct str media_type, const char *usual,
                                 struct str artifact_type)
{
    struct node *map = doc->root = node_new_map(doc);

    node_put_u64(doc, map, "schemaVersion", 2);
    node_put_str(doc, map, "mediaType", media_type.len ? media_type : str_of(usual));
    put_text(doc, map, "artifactType", artifact_type);
    return map;
}

static void put_descriptors(struct doc *doc, struct node *map, const char *key,
                            const struct descriptors *list)
{
    struct node *nodes = node_put(doc, map, key, node_new_list(doc));
    struct descriptor *d;

    vec_each(d, list)
        node_add(doc, nodes, descriptor_to_node(d, doc));
}

static void put_tail(struct doc *doc, struct node *map, const struct descriptor *subject,
                     const struct pairs *annotations)
{
    if (subject)
        node_put(doc, map, "subject", descriptor_to_node(subject, doc));
    if (annotations->n)
        node_put(doc, map, "annotations", pairs_to_node(annotations, doc));
}

void image_manifest_write(const struct image_manifest *m, struct buf *out)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct node *map = new_document(&doc, m->media_type, MEDIA_MANIFEST, m->artifact_type);

    node_put(&doc, map, "config", descriptor_to_node(&m->config, &doc));
    put_descriptors(&doc, map, "layers", &m->layers);
    put_tail(&doc, map, m->has_subject ? &m->subject : NULL, &m->annotations);
    emit(out, &doc);
}

void image_index_write(const struct image_index *x, struct buf *out)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct node *map = new_document(&doc, x->media_type, MEDIA_INDEX, x->artifact_type);

    put_descriptors(&doc, map, "manifests", &x->manifests);
    put_tail(&doc, map, x->has_subject ? &x->subject : NULL, &x->annotations);
    emit(out, &doc);
}

/* schemaVersion and mediaType. A document without a mediaType is what its carrier called it, or
 * what its members say it is. */
static int read_head(struct str *type, const struct node *root, const char *called,
                     const char *usual, struct err *e)
{
    const struct node *version = oci_member(root, "schemaVersion");

    if (!version || version->kind != NODE_NUMBER || !str_is(version->text, "2"))
        return err_at(e, &root->pos, "schemaVersion is not 2");
    if (oci_member_str(type, root, "mediaType", e) < 0)
        return -1;
    if (type->len && called && !str_is(*type, called))
        return err_at(e, &root->pos, "mediaType is \"" STR_FMT "\", but it came as \"%s\"",
                      STR_ARG(*type), called);
    if (!type->len)
        *type = str_of(called ? called : usual);
    return 0;
}

static int read_descriptors(struct descriptors *out, const struct node *root, const char *key,
                            const char *what, struct err *e)
{
    const struct node *list = oci_member(root, key), *item;

    if (!list || list->kind != NODE_LIST)
        return err_at(e, &root->pos, "there is no list %s", key);
    node_each(item, list)
        if (descriptor_from_node(vec_push(out), item, what, e) < 0)
            return -1;
    return 0;
}

static int read_subject(struct descriptor *out, bool *has, const struct node *root, struct err *e)
{
    const struct node *n = oci_member(root, "subject");

    *has = n;
    return n ? descriptor_from_node(out, n, "subject", e) : 0;
}

static int read_manifest(struct image_manifest *m, const struct node *root, const char *called,
                         struct err *e)
{
    const struct node *config = oci_member(root, "config");

    if (node_get(root, "manifests"))
        return err_at(e, &root->pos, "it is a manifest and an index at once");
    if (read_head(&m->media_type, root, called, MEDIA_MANIFEST, e) < 0)
        return -1;
    if (!media_type_is_manifest(m->media_type))
        return err_at(e, &root->pos, "mediaType \"" STR_FMT "\" is not an image manifest",
                      STR_ARG(m->media_type));
    if (!config)
        return err_at(e, &root->pos, "there is no config");
    if (descriptor_from_node(&m->config, config, "config", e) < 0 ||
        read_descriptors(&m->layers, root, "layers", "layer", e) < 0 ||
        oci_member_str(&m->artifact_type, root, "artifactType", e) < 0 ||
        read_subject(&m->subject, &m->has_subject, root, e) < 0)
        return -1;
    return pairs_from_node(&m->annotations, oci_member(root, "annotations"), "annotations", e);
}

static int read_index(struct image_index *x, const struct node *root, const char *called,
                      struct err *e)
{
    if (node_get(root, "layers") || node_get(root, "config"))
        return err_at(e, &root->pos, "it is a manifest and an index at once");
    if (read_head(&x->media_type, root, called, MEDIA_INDEX, e) < 0)
        return -1;
    if (!media_type_is_index(x->media_type))
        return err_at(e, &root->pos, "mediaType \"" STR_FMT "\" is not an image index",
                      STR_ARG(x->media_type));
    if (read_descriptors(&x->manifests, root, "manifests", "manifest", e) < 0 ||
        oci_member_str(&x->artifact_type, root, "artifactType", e) < 0 ||
        read_subject(&x->subject, &x->has_subject, root, e) < 0)
        return -1;
    return pairs_from_node(&x->annotations, oci_member(root, "annotations"), "annotations", e);
}

int image_manifest_parse(struct image_manifest *out, struct str json, const char *media_type,
                         const char *what, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(doc_clear) struct doc doc = {0};

    if (parse_map(&doc, json, what, e) < 0 || read_manifest(&m, doc.root, media_type, e) < 0)
        return -1;
    m.media_type = arena_str(&doc.arena, m.media_type); /* it may be the caller's */
    MOVE(&m.arena, &doc.arena);
    MOVE(out, &m);
    return 0;
}

void image_manifest_clear(struct image_manifest *m)
{
    descriptor_clear(&m->config);
    descriptors_clear(&m->layers);
    descriptor_clear(&m->subject);
    vec_clear(&m->annotations);
    arena_clear(&m->arena);
    *m = (struct image_manifest){0};
}

int image_index_parse(struct image_index *out, struct str json, const char *media_type,
                      const char *what, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index x = {0};
    CLEANUP(doc_clear) struct doc doc = {0};

    if (parse_map(&doc, json, what, e) < 0 || read_index(&x, doc.root, media_type, e) < 0)
        return -1;
    x.media_type = arena_str(&doc.arena, x.media_type);
    MOVE(&x.arena, &doc.arena);
    MOVE(out, &x);
    return 0;
}

void image_index_clear(struct image_index *x)
{
    descriptors_clear(&x->manifests);
    descriptor_clear(&x->subject);
    vec_clear(&x->annotations);
    arena_clear(&x->arena);
    *x = (struct image_index){0};
}

bool image_is_index(struct str json)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* who parses it next says what is wrong */

    return json_parse(&doc, json, IMAGE_DOC_MAX, "image", &ignored) == 0 &&
           node_get(doc.root, "manifests");
}
