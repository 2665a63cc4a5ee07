#!/bin/bash
# What `envbuild emit --monitoring` and `--seats` write, held against those who read it: Compose's own loader, Kubernetes' schemas,
# promtool, and a Prometheus that asks a stand-in for dcgm-exporter: every query of the dashboard and of the alerts finds something.
# The image is a tiny one of tests/peers/world.py; none is pulled.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv promtool prometheus
scratch
cd "$work"
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check kubernetes-validate >pip.log 2>&1 ||
    skip "no kubernetes-validate, which brings YAML: $(tail -1 pip.log)"
start_world
cp world/base.* .
cat >x.yaml <<'Y'
pytorch: "2.6.0"
cuda: "12.4"
base: ./base.yaml
ports: [8888]
volumes: [/data]
cmd: [jupyter, lab]
Y
"$envbuild" build -q --index "$index" x.yaml >/dev/null || fail "build"
emit() {
    "$envbuild" emit "$1" x.lock -q --as registry.example.org/team/pytorch --gpus "$2" "${@:3}" || fail "emit $*"
}
emit compose 3 --monitoring >compose
emit compose 3 --monitoring --seats 5 --sheet sheet.html --host lab1 >compose.seats
emit compose 3 --seats 12 >seats
emit k8s 3 --monitoring >k8s

# ---- those who read them ----
refused() {
    what=$1
    shift
    if "$@" >refused.log 2>&1; then fail "$what was not refused"; fi
    ok "$what is refused: $(grep -v '^ *$' refused.log | tail -1 | sed "s/^ *//" | cut -c1-120)"
}

check_compose() {
    go_tool cmd github.com/compose-spec/compose-go/v2/cmd@v2.9.0 || return 0
    loader=$(command -v cmd)
    for file in compose compose.seats seats; do
        "$loader" $file >$file.read 2>log || fail "compose: $file: $(cat log)"
    done
    ok "compose: Compose's own loader reads one container, seats, and what watches them"
    for change in s/content:/contents:/ s/source:/sauce:/ 's/<<: .seat/<<: *sat/' s/device_ids/devices_ids/; do
        sed "$change" compose.seats >bad
        ! cmp -s compose.seats bad || fail "$change changes nothing"
        refused "compose: $change" "$loader" bad
    done
    # What it would hand to the containers: the files as they are, each $$ a dollar again.
    venv/bin/python - compose.seats.read "$top/builder/host/watch-" <<'P' || fail "compose: other files"
import sys, yaml
read = yaml.safe_load(open(sys.argv[1]))
for name, config in read["configs"].items():
    own = open(sys.argv[2] + name).read()
    assert config["content"].startswith(own) and (name == "prometheus.yml" or config["content"] == own), name
used = {c["source"] for s in read["services"].values() for c in s.get("configs", [])}
assert used == set(read["configs"]), used
seats = {n: s for n, s in read["services"].items() if n.startswith("seat-")}
assert len({s["environment"]["JUPYTER_TOKEN"] for s in seats.values()}) == 5
assert len({p["published"] for s in seats.values() for p in s["ports"]}) == 5
assert len({v["source"] for s in seats.values() for v in s["volumes"]}) == 5
assert all(p["target"] == 8888 and "host_ip" not in p for s in seats.values() for p in s["ports"])
sheet = open("sheet.html").read()
for name, s in seats.items():
    link = f'http://lab1:{s["ports"][0]["published"]}/lab?token={s["environment"]["JUPYTER_TOKEN"]}'
    assert link in sheet, link
P
    ok "compose: each file arrives as it is, each seat has its own port, token and volume, and the sheet leads there"
    if command -v docker-compose >/dev/null; then
        docker-compose -f seats config >out 2>log || fail "docker-compose: $(cat log)"
        [ "$(grep -c 'JUPYTER_TOKEN' out)" = 12 ] || fail "docker-compose: $(cat out)"
        ok "compose: seats alone, Debian's $(docker-compose version --short) reads, too"
    fi
}

check_k8s() {
    cat >validate.py <<'P'
import sys, kubernetes_validate as k
documents = list(k.utils.yaml.safe_load_all(open(sys.argv[1])))
for d in documents:
    for version in k.utils.all_versions()[-1], "1.25":
        k.validate(d, version, strict=True)
mounted = {m["name"] for d in documents if d["kind"] in ("DaemonSet", "Deployment")
           for m in d["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
files, = [d for d in documents if d["kind"] == "ConfigMap"]
subs = {m["subPath"] for d in documents if d["kind"] in ("DaemonSet", "Deployment")
        for m in d["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] if "subPath" in m}
assert subs == set(files["data"]), subs
services = {d["metadata"]["name"]: d["spec"]["selector"] for d in documents if d["kind"] == "Service"}
labels = [d["spec"]["template"].get("metadata", {}).get("labels") for d in documents if "template" in d.get("spec", {})]
assert all(s in labels for s in services.values())
P
    venv/bin/python validate.py k8s || fail "k8s"
    ok "k8s: valid for Kubernetes 1.25 and the newest that kubernetes-validate has; all files are mounted, all Services lead to pods"
    for change in s/hostPath:/hostpath:/ s/subPath/subpath/ s/clusterIP/clusterIp/ s/kind:.DaemonSet/kind:\ Daemonset/; do
        sed "$change" k8s >bad
        ! cmp -s k8s bad || fail "$change changes nothing"
        refused "k8s: $change" venv/bin/python validate.py bad
    done
}

# FILE FOLDER: the files of Prometheus and Grafana as their containers see them.
unpack() {
    mkdir -p "$2"
    venv/bin/python - "$1" "$2" <<'P'
import sys, yaml
for d in yaml.safe_load_all(open(sys.argv[1])):
    files = {n: c["content"].replace("$$", "$") for n, c in d.get("configs", {}).items()} or d.get("data", {})
    for name, text in files.items():
        open(f"{sys.argv[2]}/{name}", "w").write(text)
P
}

# What `for:` of an alert does in an hour, without an hour.
# Grafana itself is not had here; its makers' SDK has the schema of dashboards and of each panel, as Go types.
check_dashboard() {
    if ! command -v go >/dev/null; then
        echo "skipped: go, which Grafana's SDK needs, is not installed"
        return 0
    fi
    mkdir judge
    cat >judge/main.go <<'G'
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	runtime := cog.NewRuntime()
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	runtime.RegisterPanelcfgVariant(table.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	raw, err := os.ReadFile(os.Args[1])
	var d dashboard.Dashboard
	if err == nil {
		err = d.UnmarshalJSONStrict(raw)
	}
	if err == nil {
		err = d.Validate()
	}
	if err != nil && err.Error() != "" { // an empty list of faults is none
		fmt.Println(err)
		os.Exit(1)
	}
}
G
    printf 'module judge\n\ngo 1.21\n\nrequire github.com/grafana/grafana-foundation-sdk/go v0.0.22\n' >judge/go.mod
    if ! (cd judge && GOFLAGS='-mod=mod -modcacherw' go build -o judge .) >log 2>&1; then
        echo "skipped: go cannot build Grafana's SDK: $(tail -1 log)"
        return 0
    fi
    for file in plain class cluster; do
        judge/judge $file/dashboard.json >log 2>&1 || fail "dashboard: $file: $(cat log)"
    done
    ok "dashboard: Grafana's own SDK reads it, strictly"
    for change in s/gridPos/gridpos/ s/legendFormat/legend/ 's/"schemaVersion": 39/"schemaVersion": "39"/'; do
        sed "$change" plain/dashboard.json >bad
        ! cmp -s plain/dashboard.json bad || fail "$change changes nothing"
        refused "dashboard: $change" judge/judge bad
    done
}

check_alerts() {
    cat >times.yml <<'Y'
rule_files: [plain/alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'DCGM_FI_DEV_GPU_UTIL{gpu="0", used_by="seat-1"}', values: 0x40}
      - {series: 'DCGM_FI_DEV_GPU_UTIL{gpu="1", used_by="seat-2"}', values: 0x20 90 0x19}
      - {series: 'DCGM_FI_DEV_GPU_UTIL{gpu="2"}', values: 0x40}
      - {series: 'DCGM_FI_DEV_FB_FREE{gpu="0"}', values: 1000x10 100x30}
      - {series: 'DCGM_FI_DEV_FB_USED{gpu="0"}', values: 9000x10 9900x30}
      - {series: 'up{job="gpus", instance="a"}', values: 1x20 0x20}
    alert_rule_test:
      - {alertname: GpuIdle, eval_time: 29m, exp_alerts: []}
      - alertname: GpuIdle
        eval_time: 31m
        exp_alerts:
          - exp_labels: {gpu: "0", used_by: seat-1}
            exp_annotations: {summary: "GPU 0 has done nothing for half an hour, and seat-1 has it."}
      - {alertname: GpuMemoryFull, eval_time: 10m, exp_alerts: []}
      - alertname: GpuMemoryFull
        eval_time: 14m
        exp_alerts: [{exp_labels: {gpu: "0"}, exp_annotations: {summary: "GPU 0 has 1% of its memory left."}}]
      - {alertname: GpuUnseen, eval_time: 22m, exp_alerts: []}
      - alertname: GpuUnseen
        eval_time: 27m
        exp_alerts:
          - exp_labels: {job: gpus, instance: a}
            exp_annotations: {summary: "Nothing tells of the GPUs, for their exporter does not answer."}
  - interval: 1m
    alert_rule_test:
      - alertname: GpuUnseen
        eval_time: 6m
        exp_alerts:
          - exp_labels: {job: gpus}
            exp_annotations: {summary: "Nothing tells of the GPUs, for their exporter does not answer."}
Y
    promtool test rules times.yml >log 2>&1 || fail "alerts: $(cat log)"
    ok "alerts come when they should, and not before: idle and held by somebody, full, unseen"
}

# What dcgm-exporter 4.8 writes (internal/pkg/rendermetrics), of the counters that it is told to: one GPU works, one idles, one is full.
cat >exporter.py <<'P'
import http.server, re, sys
counters, pods = sys.argv[1], sys.argv[2] == "k8s"
values = {"DCGM_FI_DEV_GPU_UTIL": (97, 0, 80), "DCGM_FI_DEV_FB_USED": (20000, 3, 80900), "DCGM_FI_DEV_FB_FREE": (61000, 80997, 100),
          "DCGM_FI_DEV_POWER_USAGE": (412.5, 61.2, 350), "DCGM_FI_DEV_GPU_TEMP": (66, 31, 58)}
lines = []
for name, kind, words in re.findall(r"(?m)^(\w+), *(\w+), *(.*)$", open(counters).read()):
    lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    for gpu in range(3):
        more = f',hostname="node-7",container="lab",namespace="class",pod="pod-{gpu}"' if pods else ""
        lines.append(f'{name}{{gpu="{gpu}",UUID="GPU-604ac76c-{gpu}",pci_bus_id="00000000:0{gpu}:00.0",device="nvidia{gpu}",'
                     f'modelName="NVIDIA H100 80GB HBM3"{more}}} {values[name][gpu]}')


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_address[1], flush=True)
server.serve_forever()
P
# Every query of a folder's dashboard and alerts, asked until it finds something. Arguments: port, folder, who has GPUs.
cat >queries.py <<'P'
import json, sys, time, urllib.parse, urllib.request, yaml
port, folder, *holders = sys.argv[1:]
ask = lambda q: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": q})))["data"]["result"]
panels = json.load(open(folder + "/dashboard.json"))["panels"]
queries = [t["expr"] for p in panels for t in p.get("targets", [])]
queries += [r["expr"] for g in yaml.safe_load(open(folder + "/alerts.yml"))["groups"] for r in g["rules"]]
net = time.monotonic() + 600
for q in queries:
    while not (found := ask(q)):
        if time.monotonic() > net:
            sys.exit(f"nothing for {q}")
        time.sleep(0.1)
    if q.startswith(("avg by", "sum by", "max by")):
        assert sorted(r["metric"]["used_by"] for r in found) == sorted(holders), (q, found)
while (alerts := sorted(r["metric"]["alertname"] for r in ask('ALERTS{alertstate="firing"}'))) != ["GpuIdle", "GpuMemoryFull", "GpuUnseen"]:
    if time.monotonic() > net:
        sys.exit(f"other alerts: {alerts}")
    time.sleep(0.1)
print(len(queries))
P
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# FOLDER KIND HOLDER...: that Prometheus against the stand-in, and one target that does not answer; only addresses and times are changed.
check_queries() {
    folder=$1 kind=$2
    shift 2
    promtool check config --syntax-only "$folder/prometheus.yml" >log 2>&1 && promtool check rules "$folder/alerts.yml" >>log 2>&1 ||
        fail "$folder: $(cat log)"
    python3 exporter.py "$folder/counters.csv" "$kind" >"$folder/says" 2>"$folder/exporter.log" &
    own_pids="${own_pids:-} $!"
    until_said "$!" "$folder/says" port || fail "no exporter: $(cat "$folder/exporter.log")"
    sed "s,dns_sd_configs: .*,static_configs: [{targets: ['127.0.0.1:$(cut -d ' ' -f 2 "$folder/says")'\, '127.0.0.1:1']}],
        s,/etc/prometheus,$work/$folder/quick,; s/15s/1s/g" "$folder/prometheus.yml" >"$folder/quick.yml"
    mkdir "$folder/quick"
    sed 's/for: .*/for: 0s/' "$folder/alerts.yml" >"$folder/quick/alerts.yml"
    port=$(free_port)
    prometheus --config.file="$folder/quick.yml" --storage.tsdb.path="$work/$folder/data" --web.listen-address="127.0.0.1:$port" \
        >"$folder/log" 2>&1 7>&- &
    own_pids="$own_pids $!"
    until_said "$!" "$folder/log" 'Server is ready' || fail "no prometheus: $(tail -3 "$folder/log")"
    n=$(no_proxy=127.0.0.1 venv/bin/python queries.py "$port" "$folder" "$@") || fail "$folder: a query finds nothing, or something else"
    ok "$folder: all $n queries of dashboard and alerts find something, and all alerts fire"
}

check_compose
check_k8s
unpack compose plain
unpack compose.seats class
unpack k8s cluster
check_dashboard
check_alerts
check_queries plain compose pytorch
check_queries class compose 'seat-1, seat-2' 'seat-3, seat-4' 'seat-5'
check_queries cluster k8s class/pod-0/lab class/pod-1/lab class/pod-2/lab
