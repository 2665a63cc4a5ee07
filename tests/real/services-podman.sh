#!/bin/bash
# The recipe's services in podman, root's and a user's: JupyterLab by its link, a cell, ssh, a volume, any uid without a root file
# system that can be written, a stop that needs no force; and the pod of `emit k8s` as `podman kube play` runs it. Debian without torch.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/services.sh"
need python3 gpgv podman runc slirp4netns ssh ssh-keygen curl
[ "$(id -u)" = 0 ] || skip "$0 needs root, which also becomes a user"
scratch
cd "$work"
chmod 755 "$work"

ssh-keygen -q -t ed25519 -N '' -f mine
mkdir notebooks
echo '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}' >notebooks/first.ipynb
cat >served.yaml <<'YAML'
name: served
tag: both
pytorch: none
user: {name: student, uid: 2000}
files: [{from: notebooks/, to: /opt/notebooks/}]
services: {jupyter: {notebooks: /opt/notebooks}, ssh: {authorized_keys: [mine.pub]}}
YAML
"$envbuild" build -q served.yaml -o oci-archive:served.tar >ref || fail "build"
chmod 644 served.tar
image=localhost/served:both

# WHO: all that a student does.
checks() {
    local key
    "$docker" load -q -i served.tar >loaded 2>err || fail "$1: podman load: $(cat err)"
    "$docker" image exists $image || "$docker" tag "$("$docker" images -q | head -1)" $image
    start -e 'MINE=a "b" \c $d' $image
    find_lab
    find_ssh
    lab=http://127.0.0.1:$port
    [ "$(code "$lab/api/contents") $(code "$lab/api/contents?token=$token") $(code "$link")" = "403 200 200" ] || fail "$1: the link"
    [ "$(in_lab cell "$link" 'import os; print(6 * 7, os.getuid(), os.environ["MINE"])')" = '42 2000 a "b" \c $d' ] || fail "$1: a cell"
    # shellcheck disable=SC2016 # for the shell inside
    [ "$(by_ssh "$ssh_port" student mine 'python -c "import sys; print(sys.prefix)"; echo "$MINE"')" = '/opt/venv
a "b" \c $d' ] || fail "$1: ssh"
    "$docker" exec "$id" /usr/local/bin/envbuild-services probe || fail "$1: the probe"
    key=$(logs | grep 'host key')
    end_it
    ok "$1: JupyterLab by its link, a cell, ssh, a stop in $took ms"
    "$docker" start "$id" >/dev/null
    until [ "$(logs | grep -c 'JupyterLab: ')" = 2 ]; do is_running; done
    [ "$(logs | grep -c "${key#*key }")" = 2 ] || fail "$1: another host key after a restart"
    forget
    "$docker" volume create mine >/dev/null
    start -v mine:/workspace $image
    find_lab
    "$docker" exec "$id" sh -c 'test -f first.ipynb && echo mine >first.ipynb' || fail "$1: the volume has no notebook"
    forget
    start -v mine:/workspace --read-only --tmpfs /tmp $image
    find_lab
    find_ssh
    [ "$("$docker" exec "$id" cat first.ipynb)" = mine ] || fail "$1: a student's notebook is another"
    [ "$(in_lab cell "$link" 'open("new", "w"); print("ok")')" = ok ] || fail "$1: read-only: a cell"
    by_ssh "$ssh_port" student mine true || fail "$1: read-only: ssh"
    forget
    ok "$1: a volume keeps what is the student's; a root file system that cannot be written does"
    start -u 12345:0 --cap-drop ALL --security-opt no-new-privileges --read-only --tmpfs /tmp --tmpfs /workspace:mode=1777 $image
    find_lab
    [ "$(in_lab cell "$link" 'import os; open("new", "w"); print(os.getuid())')" = 12345 ] || fail "$1: any uid: a cell"
    "$docker" exec "$id" /usr/local/bin/envbuild-services probe || fail "$1: any uid: the probe"
    forget
    ok "$1: any uid"
}

# ---- root's ----

mkdir -p conf
# Its own limits are more than this machine may allow, and crun takes no machine with both versions of cgroups.
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\n' >conf/podman.conf
for who in root user; do
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/%s/root"\nrunroot = "%s/%s/run"\n' "$work" $who "$work" $who >conf/$who.conf
done
docker=$work/rootful
cat >"$docker" <<X
#!/bin/sh
CONTAINERS_CONF=$work/conf/podman.conf CONTAINERS_STORAGE_CONF=$work/conf/root.conf exec podman "\$@"
X
chmod 755 "$docker"
checks "root's podman"

# ---- what emit says to Kubernetes ----

play() {
    # podman plays no Job, so its pod stands alone here.
    "$envbuild" emit k8s served.lock -q --gpus 0 --as localhost/served >k8s.yaml || fail "emit k8s"
    sed -n '/^    metadata:/,/^---/p' k8s.yaml | sed '/^---/d; s/^    //; s/^metadata:/&\n  name: served/; 1i apiVersion: v1\nkind: Pod' >pod.yaml
    "$docker" kube play --network slirp4netns pod.yaml >played 2>&1 || fail "kube play: $(cat played pod.yaml)"
    id=$("$docker" ps -q --filter name=served-served)
    [ -n "$id" ] || fail "no container: $("$docker" ps -a)"
    find_lab
    [ "$(in_lab cell "$link" 'print(6 * 7)')" = 42 ] || fail "kube play: a cell"
    until_logged 'ssh: ssh -p 2222'
    "$docker" healthcheck run "$id" >said 2>&1 || fail "kube play: the probe: $(cat said)"
    "$docker" kube down pod.yaml >played 2>&1 || fail "kube down: $(cat played)"
    ok "podman kube play runs the pod of emit k8s: JupyterLab and its cells, and the liveness probe, which asks ssh too, finds it well"
}
if command -v catatonit >/dev/null || [ -x /usr/libexec/podman/catatonit ]; then
    play
else
    echo "skipped: podman plays no pod without catatonit, which is not installed"
fi
"$docker" rmi -a -f >/dev/null 2>&1 || true

# ---- a user's ----
# newuidmap is told of the user's range of ids in a mount name space of this script's alone.

mkdir home run user
printf 'someone:x:5678:5678::%s/home:/bin/sh\n' "$work" | cat /etc/passwd - >passwd
echo someone:200000:65536 >subid
chown -R 5678:5678 home run user
chmod 700 run
unshare --mount sh -c 'mount --make-rprivate / && mount --bind passwd /etc/passwd && mount --bind subid /etc/subuid && mount --bind subid /etc/subgid &&
    echo ready && exec sleep infinity' >space 2>&1 &
space=$!
own_pids="${own_pids:-} $space"
until_said "$space" space ready || fail "no mount name space: $(cat space)"
docker=$work/rootless
cat >"$docker" <<X
#!/bin/sh
exec nsenter -t $space -m --wd="$work" setpriv --reuid 5678 --regid 5678 --clear-groups env -i PATH="$PATH" HOME="$work/home" USER=someone \
    XDG_RUNTIME_DIR="$work/run" CONTAINERS_CONF="$work/conf/podman.conf" CONTAINERS_STORAGE_CONF="$work/conf/user.conf" \
    podman "\$@"
X
chmod 755 "$docker"
if ! "$docker" unshare true >said 2>&1; then
    echo "skipped: podman without root does not start here: $(tail -1 said)"
    exit 0
fi
checks "a user's podman"
"$docker" system reset -f >/dev/null 2>&1 || true
