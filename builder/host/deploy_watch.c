/* What watches the GPUs: NVIDIA's dcgm-exporter, Prometheus, Grafana; all in one output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../model/embedded.h"
#include "deploy.h"

int deploy_watch(struct deploy *d, struct err *e)
{
    if (!d->gpus)
        return err_set(
            e, ERR_USAGE,
            "--monitoring: no GPU is asked for, so there is none to watch; --gpus N asks for "
            "N");
    d->monitoring = true;
    return 0;
}

/* What the three read. */
static const char *const files[] = {"counters.csv",    "prometheus.yml", "alerts.yml",
                                    "datasources.yml", "dashboards.yml", "dashboard.json"};

static void put_embedded(struct buf *out, const char *name)
{
    CLEANUP(buf_clear) struct buf own = {0};
    struct str text;

    buf_fmt(&own, "host-watch-%s", name);
    if (embedded_get(&text, buf_view(&own)))
        buf_str(out, text);
}

/* A block of YAML. `dollars`: as Compose wants them, which fills in $NAME. */
static void put_block(struct buf *out, struct str text, size_t indent, bool dollars)
{
    struct str line;

    while (str_line(&text, &line)) {
        buf_fmt(out, "%*s", (int)indent, "");
        for (size_t i = 0; i < line.len; i++) {
            buf_putc(out, line.p[i]);
            if (dollars && line.p[i] == '$')
                buf_putc(out, '$');
        }
        buf_putc(out, '\n');
    }
}

/* Engines give the first GPUs where only their number is asked for. */
static void put_holders(struct buf *out, const struct deploy *d, uint32_t gpu)
{
    bool more = false;

    if (!d->seats) {
        buf_puts(out, d->name);
        return;
    }
    for (size_t i = 0; i < d->seats->tokens->n; i++) {
        uint32_t from, to;

        deploy_seat_gpus(d, i, &from, &to);
        if (gpu < from || gpu >= to)
            continue;
        buf_puts(out, more ? ", " : "");
        deploy_seat_name(out, d, i);
        more = true;
    }
}

/* Its last list goes on with the containers of this file. */
static void put_prometheus(struct buf *out, const struct deploy *d)
{
    put_embedded(out, "prometheus.yml");
    for (uint32_t gpu = 0; gpu < d->gpus; gpu++) {
        buf_fmt(out,
                "      - {source_labels: [gpu], regex: \"%u\", target_label: used_by, "
                "replacement: \"",
                gpu);
        put_holders(out, d, gpu);
        buf_puts(out, "\"}\n");
    }
}

void deploy_watch_services(struct buf *out)
{
    put_embedded(out, "compose.yaml");
}

void deploy_watch_configs(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "configs:\n");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(buf_clear) struct buf text = {0};

        if (strcmp(files[i], "prometheus.yml") == 0)
            put_prometheus(&text, d);
        else
            put_embedded(&text, files[i]);
        buf_fmt(out, "  %s:\n    content: |\n", files[i]);
        put_block(out, buf_view(&text), 6, true);
    }
}

void deploy_watch_k8s(struct buf *out)
{
    put_embedded(out, "k8s.yaml");
    buf_puts(out, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: monitoring-files\n"
                  "data:\n");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(buf_clear) struct buf text = {0};

        put_embedded(&text, files[i]);
        buf_fmt(out, "  %s: |\n", files[i]);
        put_block(out, buf_view(&text), 4, false);
    }
}
