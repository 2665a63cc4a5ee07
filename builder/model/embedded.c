/* SPDX-License-Identifier: Apache-2.0 */
#include "embedded.h"

/* Paths are relative to the top folder, where make runs. A file added there gets a line here. */
#define FILES(X)                                                                                 \
    X(debian_12_yaml, "debian-12.yaml", "base-layers/debian-12.yaml")                            \
    X(debian_12_gpg, "debian-12.gpg", "base-layers/debian-12.gpg")                               \
    X(debian_13_yaml, "debian-13.yaml", "base-layers/debian-13.yaml")                            \
    X(debian_13_gpg, "debian-13.gpg", "base-layers/debian-13.gpg")                               \
    X(ubuntu_22_04_yaml, "ubuntu-22.04.yaml", "base-layers/ubuntu-22.04.yaml")                   \
    X(ubuntu_22_04_gpg, "ubuntu-22.04.gpg", "base-layers/ubuntu-22.04.gpg")                      \
    X(ubuntu_24_04_yaml, "ubuntu-24.04.yaml", "base-layers/ubuntu-24.04.yaml")                   \
    X(ubuntu_24_04_gpg, "ubuntu-24.04.gpg", "base-layers/ubuntu-24.04.gpg")                      \
    X(cuda_yaml, "cuda.yaml", "builder/catalog/cuda.yaml")                                       \
    X(gpu_yaml, "gpu.yaml", "builder/catalog/gpu.yaml")                                          \
    X(pytorch_yaml, "pytorch.yaml", "builder/catalog/pytorch.yaml")                              \
    X(toolkit_yaml, "toolkit.yaml", "builder/catalog/toolkit.yaml")                              \
    X(envbuild_1_mdoc, "envbuild.1.mdoc", "builder/man/envbuild.1.mdoc")                         \
    X(envbuild_apply_1_mdoc, "envbuild-apply.1.mdoc", "builder/man/envbuild-apply.1.mdoc")       \
    X(envbuild_build_1_mdoc, "envbuild-build.1.mdoc", "builder/man/envbuild-build.1.mdoc")       \
    X(envbuild_bundle_1_mdoc, "envbuild-bundle.1.mdoc", "builder/man/envbuild-bundle.1.mdoc")    \
    X(envbuild_catalog_1_mdoc, "envbuild-catalog.1.mdoc", "builder/man/envbuild-catalog.1.mdoc") \
    X(envbuild_check_1_mdoc, "envbuild-check.1.mdoc", "builder/man/envbuild-check.1.mdoc")       \
    X(envbuild_copy_1_mdoc, "envbuild-copy.1.mdoc", "builder/man/envbuild-copy.1.mdoc")          \
    X(envbuild_delta_1_mdoc, "envbuild-delta.1.mdoc", "builder/man/envbuild-delta.1.mdoc")       \
    X(envbuild_diff_1_mdoc, "envbuild-diff.1.mdoc", "builder/man/envbuild-diff.1.mdoc")          \
    X(envbuild_doctor_1_mdoc, "envbuild-doctor.1.mdoc", "builder/man/envbuild-doctor.1.mdoc")    \
    X(envbuild_emit_1_mdoc, "envbuild-emit.1.mdoc", "builder/man/envbuild-emit.1.mdoc")          \
    X(envbuild_explain_1_mdoc, "envbuild-explain.1.mdoc", "builder/man/envbuild-explain.1.mdoc") \
    X(envbuild_init_1_mdoc, "envbuild-init.1.mdoc", "builder/man/envbuild-init.1.mdoc")          \
    X(envbuild_inspect_1_mdoc, "envbuild-inspect.1.mdoc", "builder/man/envbuild-inspect.1.mdoc") \
    X(envbuild_lock_1_mdoc, "envbuild-lock.1.mdoc", "builder/man/envbuild-lock.1.mdoc")          \
    X(envbuild_recommend_1_mdoc, "envbuild-recommend.1.mdoc",                                    \
      "builder/man/envbuild-recommend.1.mdoc")                                                   \
    X(envbuild_rollback_1_mdoc, "envbuild-rollback.1.mdoc",                                      \
      "builder/man/envbuild-rollback.1.mdoc")                                                    \
    X(envbuild_run_1_mdoc, "envbuild-run.1.mdoc", "builder/man/envbuild-run.1.mdoc")             \
    X(envbuild_serve_1_mdoc, "envbuild-serve.1.mdoc", "builder/man/envbuild-serve.1.mdoc")       \
    X(envbuild_tags_1_mdoc, "envbuild-tags.1.mdoc", "builder/man/envbuild-tags.1.mdoc")          \
    X(envbuild_wheel_1_mdoc, "envbuild-wheel.1.mdoc", "builder/man/envbuild-wheel.1.mdoc")       \
    X(envbuild_recipe_5_mdoc, "envbuild-recipe.5.mdoc", "builder/man/envbuild-recipe.5.mdoc")    \
    X(envbuild_lock_5_mdoc, "envbuild-lock.5.mdoc", "builder/man/envbuild-lock.5.mdoc")          \
    X(completion_bash, "completion.bash", "builder/man/completion.bash")                         \
    X(completion_zsh, "completion.zsh", "builder/man/completion.zsh")                            \
    X(completion_fish, "completion.fish", "builder/man/completion.fish")                         \
    X(plan_services_py, "plan-services.py", "builder/plan/services.py")                          \
    X(seal_driver_py, "seal-driver.py", "builder/seal/driver.py")                                \
    X(seal_bytecode_py, "seal-bytecode.py", "builder/seal/bytecode.py")                          \
    X(out_bundle_html, "out-bundle.html", "builder/out/bundle.html")                             \
    X(out_bundle_sh, "out-bundle.sh", "builder/out/bundle.sh")                                   \
    X(out_bundle_ps1, "out-bundle.ps1", "builder/out/bundle.ps1")                                \
    X(out_bundle_cmd, "out-bundle.cmd", "builder/out/bundle.cmd")                                \
    X(engine_sh, "engine.sh", "builder/model/engine.sh")                                         \
    X(serve_page_code_html, "serve-page-code.html", "builder/serve/page-code.html")              \
    X(serve_page_tls_html, "serve-page-tls.html", "builder/serve/page-tls.html")                 \
    X(serve_page_html, "serve-page.html", "builder/serve/page.html")                             \
    X(serve_page_image_html, "serve-page-image.html", "builder/serve/page-image.html")           \
    X(serve_get_sh, "serve-get.sh", "builder/serve/get.sh")                                      \
    X(serve_get_ps1, "serve-get.ps1", "builder/serve/get.ps1")                                   \
    X(seats_html, "host-seats.html", "builder/host/seats.html")                                  \
    X(watch_compose_yaml, "host-watch-compose.yaml", "builder/host/watch-compose.yaml")          \
    X(watch_k8s_yaml, "host-watch-k8s.yaml", "builder/host/watch-k8s.yaml")                      \
    X(watch_counters_csv, "host-watch-counters.csv", "builder/host/watch-counters.csv")          \
    X(watch_prometheus_yml, "host-watch-prometheus.yml", "builder/host/watch-prometheus.yml")    \
    X(watch_alerts_yml, "host-watch-alerts.yml", "builder/host/watch-alerts.yml")                \
    X(watch_datasources_yml, "host-watch-datasources.yml", "builder/host/watch-datasources.yml") \
    X(watch_dashboards_yml, "host-watch-dashboards.yml", "builder/host/watch-dashboards.yml")    \
    X(watch_dashboard_json, "host-watch-dashboard.json", "builder/host/watch-dashboard.json")

#define INCLUDE(id, name, path)                        \
    __asm__(".section .rodata\n"                       \
            ".balign 16\n"                             \
            "embedded_" #id ": .incbin \"" path "\"\n" \
            "embedded_" #id "_end: .byte 0\n"          \
            ".previous\n");                            \
    extern const char embedded_##id[], embedded_##id##_end[];
FILES(INCLUDE)

#define ROW(id, name, path) {name, embedded_##id, embedded_##id##_end},
static const struct {
    const char *name, *begin, *end;
} files[] = {FILES(ROW)};

bool embedded_get(struct str *out, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (str_is(name, files[i].name)) {
            *out = (struct str){files[i].begin, (size_t)(files[i].end - files[i].begin)};
            return true;
        }
    return false;
}

bool embedded_next(size_t *at, const char *suffix, struct str *name)
{
    while (*at < ARRAY_LEN(files)) {
        *name = str_of(files[(*at)++].name);
        if (str_ends(*name, str_of(suffix)))
            return true;
    }
    return false;
}

void embedded_fill(struct buf *out, const char *name, embedded_value value, const void *ctx)
{
    struct str text, before, key, other;

    if (!embedded_get(&text, str_of(name)))
        return;
    while (str_cut(&text, STR("{{"), &before)) {
        buf_str(out, before);
        str_cut(&text, STR("}}"), &key);
        if (value(out, ctx, key))
            continue;
        if (embedded_get(&other, key))
            buf_str(out, other);
        else
            buf_fmt(out, "{{" STR_FMT "}}", STR_ARG(key));
    }
    buf_str(out, text);
}
