/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/emit.h"
#include "deploy.h"

/* NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery: the labels that took the place of
 * cuda.driver.major, .minor and .rev. */
static const char *const labels[SELECTOR_NUMBERS] = {
    [SELECTOR_DRIVER_MAJOR] = "nvidia.com/cuda.driver-version.major",
    [SELECTOR_DRIVER_MINOR] = "nvidia.com/cuda.driver-version.minor",
    [SELECTOR_DRIVER_REVISION] = "nvidia.com/cuda.driver-version.revision",
    [SELECTOR_COMPUTE_MAJOR] = "nvidia.com/gpu.compute.major",
    [SELECTOR_COMPUTE_MINOR] = "nvidia.com/gpu.compute.minor",
};

static void put_test(struct buf *out, const char *label, const char *op, const char *value)
{
    buf_fmt(out, "                  - {key: %s, operator: %s, values: [\"%s\"]}\n", label, op,
            value);
}

/* A label is the text between the dots of the driver's version, where "5" may be "05". */
static void put_equal(struct buf *out, enum selector_number n, uint32_t value)
{
    bool padded = (n == SELECTOR_DRIVER_MINOR || n == SELECTOR_DRIVER_REVISION) && value < 10;
    char text[32];

    snprintf(text, sizeof text, padded ? "%u\", \"0%u" : "%u", value, value);
    put_test(out, labels[n], "In", text);
}

/* Values of Gt and Lt are one whole number, and nothing below 0 is a label's value. */
static void put_bounds(struct buf *out, enum selector_number n, struct selector_bounds b)
{
    char text[16];

    if (b.least == b.most) {
        put_equal(out, n, b.least);
        return;
    }
    if (b.least) {
        snprintf(text, sizeof text, "%u", b.least - 1);
        put_test(out, labels[n], "Gt", text);
    }
    if (b.most != SELECTOR_ANY) {
        snprintf(text, sizeof text, "%u", b.most + 1);
        put_test(out, labels[n], "Lt", text);
    }
}

static void put_term(struct buf *out, const struct selector_term *t)
{
    size_t before;

    buf_puts(out, "              - matchExpressions:\n");
    before = out->len;
    for (unsigned n = 0; n < SELECTOR_NUMBERS; n++)
        put_bounds(out, (enum selector_number)n, t->of[n]);
    if (out->len == before) /* a term without a test would match nothing */
        buf_fmt(out, "                  - {key: %s, operator: Exists}\n",
                labels[SELECTOR_DRIVER_MAJOR]);
}

static void put_affinity(struct buf *out, const struct deploy *d)
{
    const struct selector_term *t;

    buf_puts(out,
             "      # One of the terms must hold, and all lines of it: which driver with which "
             "GPU.\n"
             "      affinity:\n"
             "        nodeAffinity:\n"
             "          requiredDuringSchedulingIgnoredDuringExecution:\n"
             "            nodeSelectorTerms:\n");
    vec_each(t, &d->wanted.terms)
        put_term(out, t);
    buf_puts(out, "      tolerations:\n"
                  "        - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}\n");
}

static const char *protocol_of(const struct image_port *p)
{
    return strcmp(p->protocol, "udp") == 0    ? "UDP"
           : strcmp(p->protocol, "sctp") == 0 ? "SCTP"
                                              : "TCP";
}

static void put_ports(struct buf *out, const struct deploy *d)
{
    const struct image_port *p;

    if (d->ports.n)
        buf_puts(out, "          ports:\n");
    vec_each(p, &d->ports)
        buf_fmt(out, "            - {containerPort: %u, protocol: %s}\n", p->number,
                protocol_of(p));
}

static uint32_t or_else(uint32_t n, uint32_t otherwise)
{
    return n ? n : otherwise;
}

static void put_probe(struct buf *out, const char *kind, const struct image_health *h,
                      uint32_t failures)
{
    buf_fmt(out, "          %s:\n            exec: {command: [", kind);
    for (size_t i = 0; i < h->command.n; i++) {
        buf_puts(out, i ? ", " : "");
        emit_json_string(out, h->command.v[i]);
    }
    buf_fmt(out,
            "]}\n"
            "            periodSeconds: %u\n"
            "            timeoutSeconds: %u\n"
            "            failureThreshold: %u\n",
            or_else(h->interval, 30), or_else(h->timeout, 30), failures);
}

/* As Docker does it: failures before the first success do not count for as long as the start
 * takes. */
static void put_health(struct buf *out, const struct image_health *h)
{
    uint32_t interval = or_else(h->interval, 30), retries = or_else(h->retries, 3);

    if (h->start_period)
        put_probe(out, "startupProbe", h, (h->start_period + interval - 1) / interval + retries);
    put_probe(out, "readinessProbe", h, retries);
    put_probe(out, "livenessProbe", h, retries);
}

static void put_container(struct buf *out, const struct deploy *d)
{
    buf_puts(out, "      containers:\n        - name: ");
    emit_json_string(out, str_of(d->name));
    buf_puts(out, "\n          image: ");
    emit_json_string(out, str_of(d->ref));
    if (d->checks)
        buf_puts(out,
                 "\n          # The command belongs into args; command: would take the place of "
                 "the image's start-up check.");
    buf_puts(out, "\n");
    if (d->try) {
        buf_puts(out, "          args: [\"python3\", \"-c\", ");
        emit_json_string(out, str_of(d->try));
        buf_puts(out, "]\n");
    }
    put_ports(out, d);
    if (d->health)
        put_health(out, d->health);
    if (d->gpus)
        buf_fmt(out,
                "          resources:\n"
                "            limits:\n"
                "              nvidia.com/gpu: %u\n",
                d->gpus);
    buf_puts(out, "          securityContext:\n"
                  "            allowPrivilegeEscalation: false\n");
}

/* Workers of a DataLoader hand over tensors in /dev/shm, of which a container has 64 MiB. */
static void put_mounts(struct buf *out, const struct deploy *d, bool shm)
{
    const struct deploy_volume *v;

    if (shm || d->volumes.n)
        buf_puts(out, "          volumeMounts:\n");
    if (shm)
        buf_puts(out,
                 "            # For the workers of a DataLoader, who need more than the 64 MiB "
                 "that a container has.\n"
                 "            - {name: shm, mountPath: /dev/shm}\n");
    vec_each(v, &d->volumes)
        buf_fmt(out, "            - {name: \"%s\", mountPath: \"%s\"}\n", v->name, v->path);
}

static void put_volumes(struct buf *out, const struct deploy *d, bool shm)
{
    const struct deploy_volume *v;

    if (shm || d->volumes.n)
        buf_puts(out, "      volumes:\n");
    if (shm)
        buf_puts(out, "        - {name: shm, emptyDir: {medium: Memory}}\n");
    if (d->volumes.n)
        buf_puts(out, "        # An emptyDir goes with its pod; what is to stay wants a "
                      "persistentVolumeClaim in its place.\n");
    vec_each(v, &d->volumes)
        buf_fmt(out, "        - {name: \"%s\", emptyDir: {}}\n", v->name);
}

/* Training ends; what serves, as a health check tells, is started again, and never stands beside
 * itself, for two would want its GPU. */
static void put_head(struct buf *out, const struct deploy *d)
{
    bool serves = d->health && d->ports.n && !d->try;

    buf_fmt(out, "apiVersion: %s\nkind: %s\nmetadata:\n  name: \"%s\"\nspec:\n",
            serves ? "apps/v1" : "batch/v1", serves ? "Deployment" : "Job", d->name);
    if (serves)
        buf_fmt(out,
                "  strategy: {type: Recreate}\n"
                "  selector: {matchLabels: {app.kubernetes.io/name: \"%s\"}}\n",
                d->name);
    else
        buf_puts(out, "  backoffLimit: 0\n");
    buf_puts(out, "  template:\n");
    if (d->ports.n)
        buf_fmt(out, "    metadata:\n      labels: {app.kubernetes.io/name: \"%s\"}\n", d->name);
    buf_fmt(out,
            "    spec:\n"
            "      restartPolicy: %s\n"
            "      nodeSelector:\n"
            "        kubernetes.io/os: linux\n"
            "        kubernetes.io/arch: " STR_FMT "\n",
            serves ? "Always" : "Never", STR_ARG(d->image->architecture));
}

/* A Service's name begins with a letter (RFC 1035), the other's need not. */
static void put_service(struct buf *out, const struct deploy *d)
{
    const struct image_port *p;

    buf_fmt(
        out,
        "---\n"
        "# Reaches the pod from inside the cluster; `kubectl port-forward service/%s%s %u` from "
        "outside.\n"
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: \"%s%s\"\nspec:\n"
        "  selector: {app.kubernetes.io/name: \"%s\"}\n  ports:\n",
        c_alpha(d->name[0]) ? "" : "job-", d->name, d->ports.v[0].number,
        c_alpha(d->name[0]) ? "" : "job-", d->name, d->name);
    vec_each(p, &d->ports)
        buf_fmt(out, "    - {name: %s-%u, port: %u, protocol: %s}\n", p->protocol, p->number,
                p->number, protocol_of(p));
}

void deploy_k8s(struct buf *out, const struct deploy *d)
{
    bool shm = d->image->facts->pytorch.len > 0;

    deploy_comment(out, d);
    if (d->gpus)
        buf_puts(out, "# Nodes are chosen by the labels that NVIDIA's gpu-feature-discovery sets; "
                      "one without them is not chosen.\n");
    put_head(out, d);
    if (d->gpus)
        put_affinity(out, d);
    put_container(out, d);
    put_mounts(out, d, shm);
    put_volumes(out, d, shm);
    if (d->ports.n)
        put_service(out, d);
    if (d->monitoring)
        deploy_watch_k8s(out);
}
