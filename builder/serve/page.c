/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "../io/crypto.h"
#include "../model/embedded.h"
#include "../model/labels.h"
#include "image_tar.h"
#include "qr.h"

enum { HOST_MAX = 100 };

static const char *either(const struct page *p, const char *english, const char *chinese)
{
    return p->chinese ? chinese : english;
}

static void put_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        switch (text.p[i]) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        case '\'':
            buf_puts(out, "&#39;");
            break;
        default:
            buf_putc(out, text.p[i]);
        }
}

static void put_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t unit = 0;

    for (; n >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
        n /= 1024;
    buf_fmt(out, unit && n < 100 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

/* ---- templates ---- */

static void put_address(struct buf *out, const struct page *p)
{
    buf_puts(out, p->encrypts ? "https://" : "http://");
    put_escaped(out, p->host);
}

/* A text in two languages, or what holds for all images. */
static bool is_common(struct buf *out, const struct page *p, struct str key)
{
    struct str english;

    if (str_cut(&key, STR("|"), &english))
        buf_str(out, p->chinese ? key : english);
    else if (str_is(key, "host"))
        put_escaped(out, p->host);
    else if (str_is(key, "address"))
        put_address(out, p);
    else if (str_is(key, "user")) /* of curl, which then asks for the password */
        buf_puts(out, p->key ? " -u class" : "");
    else
        return false;
    return true;
}

/* ---- one image ---- */

struct page_image {
    const struct page *page;
    struct str repository;
    const struct shelf_tag *tag;
    uint64_t tar; /* bytes of its archive; scripts alone */
};

/* ", needs an NVIDIA driver 525.60.13 or newer, ...". */
static void put_needs(struct buf *out, const struct page_image *i)
{
    struct facts facts = {0};

    if (!labels_read(&facts, &i->tag->image->config.labels))
        return;
    if (facts.pytorch.len) {
        buf_puts(out, " · PyTorch ");
        put_escaped(out, facts.pytorch);
    }
    if (facts.cuda.len) {
        buf_puts(out, " · CUDA ");
        put_escaped(out, facts.cuda);
    }
    if (facts.driver_min.len) {
        buf_fmt(out, " · %s ", either(i->page, "NVIDIA driver from", "NVIDIA 驱动最低版本"));
        put_escaped(out, facts.driver_min);
    }
    if (facts.archs.len) {
        buf_fmt(out, " · %s ", either(i->page, "GPUs of compute capability", "GPU 计算能力"));
        put_escaped(out, facts.archs);
    }
}

/* "8888/tcp 2222/tcp". */
static void put_ports(struct buf *out, const struct page_image *i)
{
    const struct str *text;
    struct image_port port;
    const char *gap = "";

    vec_each(text, &i->tag->image->config.ports)
        if (image_port_parse(&port, *text)) {
            buf_fmt(out, "%s%u/%s", gap, port.number, port.protocol);
            gap = " ";
        }
}

/* Of an image that is not ours nobody knows. */
static bool may_use_gpus(const struct page_image *i)
{
    struct facts facts = {0};

    return !labels_read(&facts, &i->tag->image->config.labels) || facts.cuda.len;
}

/* " -p 127.0.0.1:8888:8888/tcp". */
static void put_publish(struct buf *out, const struct page_image *i)
{
    const struct str *text;
    struct image_port port;

    vec_each(text, &i->tag->image->config.ports)
        if (image_port_parse(&port, *text))
            buf_fmt(out, " -p 127.0.0.1:%u:%u/%s", port.number, port.number, port.protocol);
}

/* Names with an IPv6 address are no names of images to many an engine: podman 4.3, Docker 20.10. */
static void put_podman(struct buf *out, const struct page_image *i)
{
    CLEANUP(buf_clear) struct buf name = {0};
    const char *plain = i->page->encrypts ? "" : " --tls-verify=false";

    buf_fmt(&name, STR_FMT ":" STR_FMT, STR_ARG(i->repository), STR_ARG(i->tag->tag));
    if (str_starts(i->page->host, STR("["))) {
        buf_puts(out, "curl -fsS --noproxy '*'");
        is_common(out, i->page, STR("user"));
        buf_puts(out, " '");
        is_common(out, i->page, STR("address"));
        buf_puts(out, "/image.tar?image=");
        put_escaped(out, buf_view(&name));
        buf_puts(out, "' | podman load");
        return;
    }
    if (i->page->key) {
        buf_fmt(out, "podman login%s -u class ", plain);
        put_escaped(out, i->page->host);
        buf_putc(out, '\n');
    }
    buf_fmt(out, "podman pull%s ", plain);
    put_escaped(out, i->page->host);
    buf_putc(out, '/');
    put_escaped(out, buf_view(&name));
}

static void put_hex(struct buf *out, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_puts(out, hex);
}

/* SHA-256 of a script, for who wants to look before it runs. */
static void put_hash(struct buf *out, const struct page_image *i, enum page_script script)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is not to be had either */
    CLEANUP(buf_clear) struct buf text = {0};
    struct digest digest;
    uint64_t tar;

    if (image_tar_size(&tar, i->page->shelf, i->repository, i->tag, &ignored) < 0)
        return;
    page_script_write(&text, i->page, script, i->repository, i->tag, tar);
    hash_bytes(&digest, text.p, text.len);
    put_hex(out, &digest);
}

/* Where it cannot be had, neither can the script. */
static void put_pieces(struct buf *out, const struct page_image *i)
{
    CLEANUP(err_clear) struct err ignored = {0};

    (void)!image_tar_pieces(out, i->page->shelf, i->repository, i->tag, &ignored);
}

static bool image_value(struct buf *out, const void *ctx, struct str key)
{
    const struct page_image *i = ctx;

    if (is_common(out, i->page, key))
        return true;
    if (str_is(key, "name")) {
        put_escaped(out, i->repository);
        buf_putc(out, ':');
        put_escaped(out, i->tag->tag);
    } else if (str_is(key, "size")) {
        put_size(out, shelf_image_size(i->tag->image));
    } else if (str_is(key, "needs")) {
        put_needs(out, i);
    } else if (str_is(key, "ports")) {
        put_ports(out, i);
    } else if (str_is(key, "config")) {
        put_hex(out, &i->tag->image->manifest.config.digest);
    } else if (str_is(key, "manifest")) {
        put_hex(out, &i->tag->image->digest);
    } else if (str_is(key, "tar")) {
        buf_fmt(out, "%llu", (unsigned long long)i->tar);
    } else if (str_is(key, "key")) {
        buf_puts(out, i->page->key ? i->page->key : "");
    } else if (str_is(key, "podman")) {
        put_podman(out, i);
    } else if (str_is(key, "gpus")) {
        buf_puts(out, may_use_gpus(i) ? " --gpus all" : "");
    } else if (str_is(key, "hides")) {
        buf_puts(out, may_use_gpus(i) ? "" : " hidden");
    } else if (str_is(key, "publish")) {
        put_publish(out, i);
    } else if (str_is(key, "pieces")) {
        put_pieces(out, i);
    } else if (str_is(key, "apptainer")) {
        buf_fmt(out, "apptainer pull%s%s", i->page->encrypts ? "" : " --no-https",
                i->page->key ? " --docker-login" : "");
    } else if (str_is(key, "sh")) {
        put_hash(out, i, PAGE_SH);
    } else if (str_is(key, "ps1")) {
        put_hash(out, i, PAGE_PS1);
    } else {
        return false;
    }
    return true;
}

void page_script_write(struct buf *out, const struct page *p, enum page_script script,
                       struct str repository, const struct shelf_tag *tag, uint64_t tar)
{
    embedded_fill(out, script == PAGE_SH ? "serve-get.sh" : "serve-get.ps1", image_value,
                  &(struct page_image){p, repository, tag, tar});
}

/* ---- the table ---- */

static void put_state(struct buf *out, const struct page *p, const struct watch_row *r)
{
    if (watch_is_done(r))
        buf_fmt(out, "<span class=\"done\">%s</span>", either(p, "done", "完成"));
    else if (r->cut && !r->active)
        buf_fmt(out, "<span class=\"cut\">%s</span>", either(p, "cut off", "已中断"));
    else if (r->want)
        buf_fmt(out, "<progress max=\"1000\" value=\"%llu\"></progress>",
                (unsigned long long)(r->got >= r->want
                                         ? 1000
                                         : (uint64_t)((double)r->got * 1000 / (double)r->want)));
}

static void put_row(struct buf *out, const struct page *p, const struct watch_row *r)
{
    buf_puts(out, "<tr><td>");
    put_escaped(out, str_of(r->peer));
    buf_puts(out, "</td><td>");
    put_escaped(out, str_of(r->agent));
    if (r->delta)
        buf_fmt(out, "%s%s", r->agent[0] ? " · " : "", either(p, "a delta", "增量"));
    buf_puts(out, "</td><td>");
    put_state(out, p, r);
    buf_puts(out, "</td><td class=\"n\">");
    put_size(out, r->got);
    buf_puts(out, "</td><td class=\"n\">");
    put_size(out, r->rate);
    buf_puts(out, "/s</td></tr>\n");
}

static void put_sum(struct buf *out, const struct page *p)
{
    struct watch_sum sum;

    watch_sum(&sum, p->watch);
    buf_puts(out, "<p><strong>");
    if (sum.machines && sum.done == sum.machines)
        buf_fmt(out, "<span class=\"done\">%s</span>", either(p, "all done", "全部完成"));
    else
        buf_fmt(out, "%s %zu/%zu", either(p, "done:", "已完成"), sum.done, sum.machines);
    buf_puts(out, "</strong> · ");
    put_size(out, sum.sent);
    buf_puts(out, " · ");
    put_size(out, sum.rate);
    buf_puts(out, "/s");
    if (sum.left && sum.rate)
        buf_fmt(out, " · %s %llu s", either(p, "time left:", "剩余"),
                (unsigned long long)(sum.left / sum.rate + 1));
    buf_puts(out, "</p>\n");
}

void page_table(struct buf *out, const struct page *p)
{
    struct watch_rows rows = {0};
    const struct watch_row *r;

    watch_rows(&rows, p->watch);
    put_sum(out, p);
    buf_fmt(out,
            "<table><thead><tr><th scope=\"col\">%s</th><th scope=\"col\">%s</th>"
            "<th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">%s</th>"
            "<th scope=\"col\" class=\"n\">%s</th></tr></thead><tbody>\n",
            either(p, "machine", "电脑"), either(p, "with", "工具"), either(p, "state", "状态"),
            either(p, "has", "已下载"), either(p, "rate", "速度"));
    vec_each(r, &rows)
        put_row(out, p, r);
    buf_puts(out, "</tbody></table>\n");
    vec_clear(&rows);
}

/* ---- the page ---- */

/* The course's name, as the only image says it; else that of its repository. */
static void put_title(struct buf *out, const struct page *p)
{
    const struct shelf_repository *r = p->shelf->repositories.v;
    const struct str *title = NULL;

    if (p->shelf->images.n == 1)
        title = pairs_get(&p->shelf->images.v[0]->config.labels, ANNOTATION_TITLE);
    if (title && title->len)
        put_escaped(out, *title);
    else if (p->shelf->repositories.n == 1)
        put_escaped(out, r->name);
    else
        buf_puts(out, "envbuild");
}

static bool page_values(struct buf *out, const void *ctx, struct str key)
{
    const struct page *p = ctx;
    CLEANUP(buf_clear) struct buf address = {0};
    const struct shelf_repository *r;
    const struct shelf_tag *t;

    if (is_common(out, p, key))
        return true;
    if (str_is(key, "title")) {
        put_title(out, p);
    } else if (str_is(key, "qr")) {
        put_address(&address, p);
        buf_putc(&address, '/');
        qr_svg(out, address.p, either(p, "QR code of this address", "此地址的二维码"));
    } else if (str_is(key, "table")) {
        page_table(out, p);
    } else if (str_is(key, "guarded")) {
        if (p->key)
            embedded_fill(out, "serve-page-code.html", page_values, p);
        if (p->encrypts)
            embedded_fill(out, "serve-page-tls.html", page_values, p);
    } else if (str_is(key, "images")) {
        vec_each(r, &p->shelf->repositories)
            vec_each(t, &r->tags)
                embedded_fill(out, "serve-page-image.html", image_value,
                              &(struct page_image){p, r->name, t, 0});
    } else {
        return false;
    }
    return true;
}

void page_write(struct buf *out, const struct page *p)
{
    embedded_fill(out, "serve-page.html", page_values, p);
}

/* ---- who asks ---- */

bool page_wants_chinese(struct str languages)
{
    struct str item;

    while (str_item(&languages, ',', &item)) {
        struct str two = str_sub(str_trim(item), 0, 2);

        if (str_eq_nocase(two, STR("zh")))
            return true;
        if (str_eq_nocase(two, STR("en")))
            return false;
    }
    return false;
}

struct str page_host(struct str asked, struct str own)
{
    if (!asked.len || asked.len > HOST_MAX || str_starts(asked, STR("localhost")) ||
        str_starts(asked, STR("127.")) || str_starts(asked, STR("[::1]")))
        return own;
    for (size_t i = 0; i < asked.len; i++)
        if (!c_alnum(asked.p[i]) && !str_has(STR(".-:[]"), asked.p[i]))
            return own;
    return asked;
}
