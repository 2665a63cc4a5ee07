#!/bin/bash
# What `envbuild emit` writes, held against its own schema or tool: Kubernetes' JSON Schemas, docker-compose,
# a Slurm controller and shellcheck, the dev containers' own program. Each must also refuse a word that is wrong.
# The image is a tiny one of tests/peers/world.py; none is pulled.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv
scratch
cd "$work"
start_world
cp world/base.* .
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\n' >x.yaml
"$envbuild" build -q --index "$index" x.yaml >/dev/null || fail "build"
digest=$(built_digest x.lock)
image=registry.example.org/team/pytorch@$digest
for kind in k8s compose slurm devcontainer; do
    for gpus in 0 1 8; do
        "$envbuild" emit "$kind" oci:images --as registry.example.org/team/pytorch --gpus $gpus >$kind.$gpus || fail "$kind"
    done
    gpus="$([ $kind != compose ] || echo --gpus 1)" # else it asks this machine
    # shellcheck disable=SC2086
    "$envbuild" emit "$kind" x.lock -q --as registry.example.org/team/pytorch $gpus >$kind || fail "$kind"
done
cp x.yaml y.yaml
cat >>y.yaml <<'END'
name: 3d-net
ports: [8888, 53/udp]
volumes: [/data, /srv/cache]
healthcheck: {command: "curl -f http://localhost:8888/$HOME", interval: 1m30s, timeout: 5s, retries: 4, start_period: 2m}
END
"$envbuild" build -q --index "$index" y.yaml -o oci:offers >/dev/null || fail "build y"
for kind in k8s compose slurm devcontainer; do
    "$envbuild" emit "$kind" y.lock -q --as registry.example.org/team/3d-net --gpus 1 >$kind.offers || fail "$kind"
done
{ cat y.yaml && echo 'cmd: [python3, -m, http.server, "8888"]'; } >z.yaml
"$envbuild" build -q --index "$index" z.yaml -o oci:serves >/dev/null || fail "build z"
"$envbuild" emit k8s z.lock -q --as registry.example.org/team/3d-net --gpus 1 >k8s.serves || fail "k8s"
grep -q '^kind: Deployment' k8s.serves || fail "what serves is no Deployment"

# refused WHAT COMMAND...: it must end with another code than 0
refused() {
    what=$1
    shift
    if "$@" >refused.log 2>&1; then fail "$what was not refused"; fi
    ok "$what is refused: $(grep -v '^ *$' refused.log | tail -1 | sed "s/^ *//" | cut -c1-120)"
}

check_k8s() {
    python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check kubernetes-validate >pip.log 2>&1 ||
        { printf 'skipped: k8s: no kubernetes-validate: %s\n' "$(tail -1 pip.log)"; return 0; }
    cat >validate.py <<'P'
import sys, kubernetes_validate as k
documents = [d for f in sys.argv[1:] for d in k.utils.yaml.safe_load_all(open(f))]
for d in documents:
    for version in k.utils.all_versions()[-1], "1.25":
        k.validate(d, version, strict=True)
P
    venv/bin/python validate.py k8s k8s.0 k8s.1 k8s.8 k8s.offers k8s.serves || fail "k8s"
    ok "k8s: valid for Kubernetes 1.25 and the newest that kubernetes-validate has"
    for change in s/matchExpressions/matchExpression/ s/nodeSelectorTerms/nodeSelectorTerm/ s/backoffLimit/backoff/ \
        's/values: \["525"\]/values: 525/' s/restartPolicy/restart/ s/mountPath/path/; do
        sed "$change" k8s >bad
        ! cmp -s k8s bad || fail "$change changes nothing"
        refused "k8s: $change" venv/bin/python validate.py bad
    done
    for change in s/containerPort/containersPort/ s/periodSeconds/period/ 's/port: 53/port: x/' s/emptyDir/emptydir/; do
        sed "$change" k8s.offers >bad
        ! cmp -s k8s.offers bad || fail "$change changes nothing"
        refused "k8s: $change" venv/bin/python validate.py bad
    done
    venv/bin/python - k8s.8 "$image" <<'P' || fail "k8s: not what was asked for"
import sys, yaml
pod = yaml.safe_load(open(sys.argv[1]))["spec"]["template"]["spec"]
box, = pod["containers"]
assert box["image"] == sys.argv[2] and box["resources"]["limits"] == {"nvidia.com/gpu": 8}
terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
tests = [t for term in terms for t in term["matchExpressions"]]
assert all(isinstance(v, str) for t in tests for v in t["values"])
assert all(len(t["values"]) == 1 and int(t["values"][0]) >= 0 for t in tests if t["operator"] in ("Gt", "Lt"))
P
    ok "k8s: the image, its GPUs, terms of texts that are numbers"
}

compose() {
    if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

check_compose() {
    compose version >/dev/null 2>&1 || { printf 'skipped: compose: docker-compose is not installed\n'; return 0; }
    for gpus in 0 1 8; do
        compose -f compose.$gpus config >out 2>log || fail "compose: $(cat log)"
        grep -q "image: $image" out || fail "compose: $(cat out)"
    done
    grep -q 'count: 8' out && grep -q 'driver: nvidia' out || fail "compose: $(cat out)"
    compose -f compose.offers config >out 2>log || fail "compose: $(cat log)"
    for line in 127.0.0.1 udp srv-cache /data 'curl -f http://localhost:8888/$$HOME' 'retries: 4'; do
        grep -qF -e "$line" out || fail "compose: no $line: $(cat out)"
    done
    ok "compose: docker-compose reads it, GPUs, ports, volumes and the health check included"
    for change in s/shm_size/shmsize/ s/reservations/reservation/ s/capabilities/capability/ 's/count: 1/count: [1]/' s/services/service/; do
        sed "$change" compose >bad
        refused "compose: $change" compose -f bad config
    done
}

# A controller of our own with one node of 4 GPUs, which is switched off and would be started (so it need not be
# there): enough to judge a script.
start_slurm() {
    mkdir -p ctl/state
    dd if=/dev/urandom of=ctl/key bs=128 count=1 2>/dev/null
    chmod 700 ctl
    chmod 600 ctl/key
    # It goes to the background when it listens.
    munged --force --num-threads=1 --key-file="$work/ctl/key" --socket="$work/ctl/munge" \
        --pid-file="$work/ctl/munged.pid" --log-file="$work/ctl/munged.log" --seed-file="$work/ctl/seed" 7>&- >/dev/null 2>&1 ||
        return 1
    own_pids=$(cat ctl/munged.pid)
    cat >ctl/slurm.conf <<CONF
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$1
SlurmUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$work/ctl/munge
CredType=cred/munge
StateSaveLocation=$work/ctl/state
SlurmctldPidFile=$work/ctl/slurmctld.pid
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
GresTypes=gpu
SuspendProgram=/bin/true
ResumeProgram=/bin/true
SuspendTime=600
NodeName=gpu-node NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 Gres=gpu:4 State=CLOUD
PartitionName=main Nodes=gpu-node Default=YES State=UP
CONF
    export SLURM_CONF=$work/ctl/slurm.conf
    slurmctld -D -i -f "$SLURM_CONF" 7>&- >ctl/log 2>&1 &
    own_pids="$own_pids $!"
    until_said $! ctl/log 'Running as primary controller' && timeout 300 sinfo >/dev/null 2>&1
}

check_slurm() {
    if command -v shellcheck >/dev/null; then
        for gpus in 0 1 8 offers; do
            shellcheck slurm.$gpus || fail "slurm: shellcheck"
        done
        ok "slurm: shellcheck has nothing to say"
        # shellcheck disable=SC2016
        sed 's/"$driver"/$driver/' slurm >bad
        refused "slurm: a variable without quotes" shellcheck bad
    else
        printf 'skipped: slurm: shellcheck is not installed\n'
    fi
    for shell in dash bash 'busybox sh'; do
        ! command -v ${shell%% *} >/dev/null || $shell -n slurm || fail "slurm: $shell does not read it"
    done
    for tool in munged slurmctld sbatch sinfo; do
        PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { printf 'skipped: sbatch: %s is not installed\n' $tool; return 0; }
    done
    PATH=$PATH:/usr/sbin
    start_slurm "$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')" || {
        tail -5 ctl/log ctl/munged.log >&2
        fail "slurm: no controller"
    }
    for gpus in 0 1 4; do
        sed "s/gpu:8/gpu:4/" slurm.${gpus/4/8} >job
        timeout 300 sbatch --test-only job >log 2>&1 || fail "slurm: sbatch --test-only with $gpus GPUs: $(cat log)"
    done
    ok "slurm: sbatch takes it: $(tail -1 log)"
    for change in s/gres=gpu/gres=gqu/ s/--nodes/--nodse/ s/gpu:1/gpu:5/ '1s/.*//'; do
        sed "$change" slurm >bad
        refused "slurm: $change" timeout 300 sbatch --test-only bad
    done
}

# The script's own check of a node against `envbuild check`, for the same driver and GPU.
check_node() {
    mkdir bin
    printf '#!/bin/sh\ncat "%s/gpus"\n' "$work" >bin/nvidia-smi
    printf '#!/bin/sh\nexit 0\n' | tee bin/apptainer >bin/srun
    chmod +x bin/*
    for driver in 450.80.02 470.82.01 525.60.11 525.60.13 525.125.06 550.54.15 580.65.06 590.44.01 610.43.02; do
        for gpu in 3.5 5.0 6.1 7.0 7.5 8.6 8.9 9.0 10.0 12.0; do
            echo "$driver, $gpu" >gpus
            want=0 got=0
            "$envbuild" check oci:images --driver $driver --gpu $gpu >log || want=78
            PATH=$work/bin:$PATH sh slurm >log 2>&1 || got=$?
            [ $got = $want ] || fail "slurm: driver $driver and GPU $gpu: exit $got, and check says $want: $(cat log)"
        done
    done
    ok "slurm: the node's check says what \`envbuild check\` says, of 90 nodes"
}

# The dev containers' program with a docker that only writes down what it is told to run.
up() {
    mkdir -p project/.devcontainer
    cp "$1" project/.devcontainer/devcontainer.json
    rm -f told
    npm/node_modules/.bin/devcontainer up --workspace-folder project --docker-path "$work/docker" \
        --update-remote-user-uid-default never >up.log 2>&1 || true
    [ -s told ] || { cat up.log; return 1; }
}

check_devcontainer() {
    if ! command -v npm >/dev/null; then
        printf 'skipped: devcontainer: npm is not installed\n'
        return 0
    fi
    if ! npm install --no-audit --no-fund --prefix npm @devcontainers/cli >npm.log 2>&1; then
        printf 'skipped: devcontainer: no @devcontainers/cli: %s\n' "$(tail -1 npm.log)"
        return 0
    fi
    cat >docker <<D
#!/bin/sh
case \$1 in
info) echo '{"nvidia":"nvidia-container-runtime"}' ;;
version) echo 28.0 ;;
inspect) echo '[{"Id":"sha256:1","Architecture":"amd64","Os":"linux","Config":{"User":"","Env":["PATH=/bin"],"Labels":{}}}]' ;;
run) printf '%s\n' "\$@" >"$work/told"; exit 1 ;;
esac
D
    chmod +x docker
    for gpus in 0 1 8; do
        up devcontainer.$gpus || fail "devcontainer: nothing is run: $(tail -2 up.log)"
        grep -qxF -e "$image" told || fail "devcontainer: not the image: $(cat told)"
        [ "$(grep -xA1 -e --gpus told | tr '\n' ' ')" = "$([ $gpus = 0 ] || echo "--gpus $gpus ")" ] || fail "devcontainer: GPUs: $(cat told)"
    done
    up devcontainer.offers || fail "devcontainer: $(tail -2 up.log)"
    grep -q '^type=volume,src=3d-net-data-[0-9a-z]*,dst=/data$\|^source=3d-net-data-[0-9a-z]*,target=/data,type=volume$' told || fail "devcontainer: volumes: $(cat told)"
    up devcontainer || fail "devcontainer: $(tail -2 up.log)"
    grep -qxF -e all told || fail "devcontainer: GPUs: $(cat told)"
    grep -qxF -e "source=$work/project,target=/workspace/project,type=bind" told || fail "devcontainer: no project: $(cat told)"
    ok "devcontainer: its own program runs the image by its digest, with its GPUs and the project"
    sed 's/"image"/"imgae"/' devcontainer >bad
    refused "devcontainer: no image" up bad
}

# Its schema stands in the specification's repository alone.
check_devcontainer_schema() {
    schema=${DEVCONTAINER_SCHEMA:-}
    if [ -z "$schema" ]; then
        schema=$work/schema.json
        from=https://raw.githubusercontent.com/devcontainers/spec/main/schemas/devContainer.base.schema.json
        if ! python3 -c 'import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=20).read().decode())' $from >"$schema" 2>/dev/null; then
            printf 'skipped: devcontainer: no schema from %s\n' $from
            return 0
        fi
    fi
    if ! venv/bin/python -c 'import jsonschema' 2>/dev/null; then
        printf 'skipped: devcontainer: no jsonschema to judge by\n'
        return 0
    fi
    cat >validate-json.py <<'P'
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
for f in sys.argv[2:]:
    jsonschema.validators.validator_for(schema)(schema).validate(json.load(open(f)))
P
    venv/bin/python validate-json.py "$schema" devcontainer devcontainer.0 devcontainer.1 devcontainer.8 devcontainer.offers >log 2>&1 || fail "devcontainer: $(tail -20 log)"
    ok "devcontainer: valid by the specification's schema"
    for change in 's/"gpu": "optional"/"gpu": "maybe"/' 's/"runArgs": .*/"runArgs": "x",/' 's/"workspaceFolder"/"workspaceFoldr"/' 's/"remoteUser": .*/"remoteUser": 1,/'; do
        sed "$change" devcontainer >bad
        cmp -s devcontainer bad || refused "devcontainer: $change" venv/bin/python validate-json.py "$schema" bad
    done
}

check_k8s
check_compose
check_slurm
check_node
check_devcontainer
check_devcontainer_schema
