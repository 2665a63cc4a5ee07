/* Manifests of NVIDIA's archives: what is found is safe to ask for and to write down, and a
 * manifest of what was read says the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "net/url.h"
#include "pkg/nvidia/redist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const platforms[] = {"linux-x86_64", "linux-sbsa", "p"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool found(struct redist_file *f, const struct redist *r, struct str component,
                  struct str platform, struct str variant)
{
    struct redist_file none = {0};
    struct err e = {0};
    bool there;
    int result;

    *f = none;
    result = redist_find(f, r, component, platform, variant, &there, &e);
    require((result < 0) == err_is_set(&e));
    require(result == 0 || (e.kind == ERR_INPUT && !there));
    require(there == (f->path.len > 0));
    err_clear(&e);
    return there;
}

static void check_back(const struct redist_file *f)
{
    CLEANUP(redist_clear) struct redist back = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct err e = {0};
    struct redist_file again;
    char hex[DIGEST_HEX + 1];

    digest_hex(&f->digest, hex);
    buf_fmt(&text,
            "{\"" STR_FMT "\": {\"version\": \"" STR_FMT "\", \"p\": {\"relative_path\": \"" STR_FMT
            "\", \"size\": \"%llu\", \"sha256\": \"%s\"}}}",
            STR_ARG(f->component), STR_ARG(f->version), STR_ARG(f->path),
            (unsigned long long)f->size, hex);
    require(redist_parse(&back, buf_view(&text), "back", &e) == 0);
    require(found(&again, &back, f->component, STR("p"), STR("")));
    require(str_eq(again.component, f->component) && str_eq(again.version, f->version) &&
            str_eq(again.path, f->path) && again.size == f->size &&
            digest_eq(&again.digest, &f->digest));
}

static void check_file(const struct redist_file *f)
{
    CLEANUP(buf_clear) struct buf url = {0}, joined = {0}, name = {0};
    struct err e = {0};
    struct str base = STR("https://h.test/redist/");

    require(path_is_safe(f->path) && f->version.len && digest_is_set(&f->digest));
    require(f->size && f->size < REDIST_SIZE_MAX);
    buf_str(&url, base);
    buf_str(&url, f->path);
    require(url_join(&joined, base, f->path, &e) == 0);
    require(str_eq(buf_view(&url), buf_view(&joined)));
    require(url_file_name(&name, buf_view(&url), &e) == 0);
    require(str_eq(buf_view(&name), path_base(f->path)));
    check_back(f);
}

static void check_platform(const struct redist *r, struct str platform)
{
    struct strs list = {0}, variants = {0};
    struct redist_file f;

    redist_list(&list, r, platform);
    for (size_t i = 0; i < list.n; i++) {
        require(i == 0 || str_cmp(list.v[i - 1], list.v[i]) < 0);
        if (found(&f, r, list.v[i], platform, STR("")))
            check_file(&f);
        variants.n = 0;
        redist_variants(&variants, r, list.v[i], platform);
        for (size_t k = 0; k < variants.n; k++)
            if (found(&f, r, list.v[i], platform, variants.v[k]))
                check_file(&f);
    }
    vec_clear(&list);
    vec_clear(&variants);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(redist_clear) struct redist r = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (redist_parse(&r, (struct str){(const char *)data, size}, "m", &e) < 0) {
        require(err_is_set(&e) && !r.doc.root);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(platforms); i++)
        check_platform(&r, str_of(platforms[i]));
    return 0;
}
