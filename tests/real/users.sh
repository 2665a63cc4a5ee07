#!/bin/bash
# Three users' days, with what README and --help say and nothing else: a developer on requirements and code of her own, a teacher
# whose class gets one file, a platform engineer with recipes side by side. The first is on PyPI's wheels, which are not run
# here. What is run is Debian under the tiny wheels of tests/peers/world.py, whose archive can become that of a later day.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv
scratch
cd "$work"
mkdir bin
ln -s "$envbuild" bin/envbuild
PATH=$work/bin:$PATH

# CODE COMMAND...: it must end so; what it says is in $work/said.
exits() {
    local want=$1 got=0
    shift
    "$@" >"$work/said" 2>&1 || got=$?
    [ $got = "$want" ] || fail "$*: exit $got, not $want: $(cat "$work/said")"
}

says() {
    grep -qF -e "$1" "$work/said" || fail "it does not say \"$1\": $(cat "$work/said")"
}

# LOCK: names and digests of all layers but that of files.
layers() {
    python3 -c '
import json, sys
print(*[l["name"] + l["digest"] for l in json.load(open(sys.argv[1]))["built"]["layers"] if l["name"] != "files"])' "$1"
}

start_world
tag=2.6.0-cuda12.4-cudnn9-runtime

# ---- a developer ----
mkdir project
cd project
printf 'torch==2.6.0\nnumpy<2.3\n' >requirements.txt
echo 'import sys, torch; print("first", torch.__version__, *sys.argv[1:])' >train.py
recipe=$(envbuild init -q) || fail "init"
[ "$recipe" = pytorch-$tag.yaml ] || fail "init writes $recipe"
echo 'files: [{from: train.py, to: /srv/}]' >>"$recipe"
exits 0 envbuild "$recipe"
says "; next: \`envbuild $recipe -o docker:\` loads it"
layers "${recipe%.yaml}.lock" >before
sed -i s/first/second/ train.py
exits 0 envbuild "$recipe"
says "train.py changed"
says " 1 new and "
layers "${recipe%.yaml}.lock" | cmp -s before - || fail "an edited file changes other layers"
ok "developer: init, build; an edited file is one command and one layer"
echo tabulate >>requirements.txt
exits 3 envbuild "$recipe"
says "envbuild lock $recipe"
cp "${recipe%.yaml}.lock" old.lock
exits 0 envbuild lock "$recipe"
exits 0 envbuild "$recipe"
exits 0 envbuild diff old.lock "$recipe"
says "wheel tabulate"
[ "$(grep -c '^wheel' ../said)" = 1 ] || fail "another package moved: $(cat ../said)"
exits 0 envbuild why "$recipe" tabulate
says "the recipe asks for it"
exits 0 envbuild why "$recipe" sympy
says "torch 2.6.0"
exits 0 envbuild tree "$recipe"
says "nvidia-cudnn-cu12 9.1.0.70"
ok "developer: a package more moves no other; why and tree tell who needs what"
rm -rf images
cd ..

# ---- a platform engineer ----
cp world/base.* .
for name in alpha beta; do
    printf 'name: %s\npytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\nindexes: [%s]\npip: [numpy]\n' $name "$index" >$name.yaml
    envbuild -q $name.yaml >>refs || fail "$name"
done
[ "$(cat refs)" = "$(printf 'oci:images:%s:%s\n' alpha $tag beta $tag)" ] || fail "two recipes in one folder: $(cat refs)"
sed 's/numpy/filelock/' alpha.yaml >gamma.yaml
exits 3 envbuild -q gamma.yaml
says "is the image of another recipe, alpha.yaml"
rm gamma.*
ok "platform: two recipes in one folder keep their images, a third does not take the name of one"
for kind in k8s compose; do
    envbuild emit $kind "$(head -1 refs)" --as registry.example.org/ml/alpha >$kind 2>err || fail "emit $kind: $(cat err)"
    grep -q "image: *\"*registry.example.org/ml/alpha@$(built_digest alpha.lock)" $kind || fail "emit $kind: $(cat $kind)"
done
ok "platform: emit takes the printed line, and names the image by its digest"
exits 0 envbuild lock --check alpha.yaml
cp alpha.lock first.lock
touch world/later
exits 8 envbuild lock --check alpha.yaml
says "(security)"
exits 0 envbuild lock --upgrade alpha.yaml deb:libc6
exits 1 envbuild lock --check alpha.yaml
says "wheel numpy 2.2.0 becomes 2.3.0"
exits 0 envbuild lock --upgrade alpha.yaml
exits 0 envbuild lock --check alpha.yaml
exits 0 envbuild diff first.lock alpha.lock
says "wheel numpy 2.2.0 becomes 2.3.0"
echo 'env: {TEAM: ml}' >>alpha.yaml
exits 9 envbuild lock --check alpha.yaml
exits 3 envbuild --locked alpha.yaml
says "env"
ok "platform: lock --check tells security, newer and a changed recipe apart; diff tells what an upgrade brings"
cp first.lock alpha.lock
sed -i '$d' alpha.yaml
exits 0 envbuild --locked --offline --store "$work/bare" alpha.yaml
tail -1 said | grep -q "oci:images:alpha:$tag" || fail "offline: $(cat said)"
exits 5 envbuild --locked --offline --store "$work/bare" alpha.yaml -o oci:elsewhere
says "not in the store"
ok "platform: with the layout at hand a bare store needs no network; without it is told what lacks"

# ---- a teacher ----
mkdir -p class/notebooks/.ipynb_checkpoints
echo '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}' | tee class/notebooks/week1.ipynb >class/notebooks/.ipynb_checkpoints/old.ipynb
cat >class/class.yaml <<R
name: class
tag: "1"
pytorch: "2.6.0"
cuda: "12.4"
pip: [numpy]
indexes: [$index]
files: [{from: notebooks/, to: /workspace/}]
user: {name: student, uid: 1000}
folders: [/data]
env: {HF_HOME: /data}
workdir: /workspace
R
cd class
exits 0 envbuild lock class.yaml
exits 1 envbuild check class.yaml --driver 470.82.01 --gpu "RTX 3090"
says "525.60.13"
exits 0 envbuild check class.yaml --driver R550 --gpu "RTX 3090"
ok "teacher: an old driver is told before anything is built, a branch of drivers too"
cd ..
start_docker || skip "the class is run in Docker, which needs root and a daemon that starts"
(cd class && envbuild -q class.yaml -o docker-archive:class.tar) >ref || fail "docker-archive:"
PATH=$(dirname "$docker"):$PATH
"$docker" load -q -i class/class.tar >loaded || fail "docker load: $(cat loaded)"
rm class/class.tar
cat >save.py <<'P'
import getpass, json, os, torch
book = json.load(open("week1.ipynb"))
book["cells"].append({"cell_type": "raw", "metadata": {}, "source": "mine"})
json.dump(book, open("new", "w"))
os.replace("new", "week1.ipynb")
assert not os.path.exists(".ipynb_checkpoints")
for folder in ".", "/data", os.environ["HOME"], os.environ["HF_HOME"]:
    open(folder + "/mine", "w").close()
print(getpass.getuser(), torch.v)
P
for who in "" "-u 1234567:0"; do
    # shellcheck disable=SC2086 # an option or nothing
    "$docker" run --rm -i --network none $who class:1 python - <save.py >out 2>err || fail "a student ${who:-of the image}: $(cat err)"
    grep -q ' 2.6.0$' out || fail "a student ${who:-of the image}: $(cat out)"
    ok "teacher: a student saves the notebook${who:+ under any uid}: $(cat out)"
done
mkdir app
cd app
echo 'import sys, torch; print("first", torch.v, *sys.argv[1:])' >train.py
printf 'name: app\npytorch: "2.6.0"\ncuda: "12.4"\nindexes: [%s]\n' "$index" >app.yaml
status=0
envbuild run -q app.yaml -- python train.py 7 >out 2>err || status=$?
[ "$status $(cat out)" = "0 first 2.6.0 7" ] || fail "run: exit $status: $(cat out err)"
sed -i s/first/second/ train.py
[ "$(envbuild run -q app.yaml -- python train.py 2>err)" = "second 2.6.0" ] || fail "run again: $(cat err)"
echo 'raise SystemExit(43)' >train.py
exits 43 envbuild run -q app.yaml -- python train.py
ok "developer: run has the folder, the arguments and the exit code; what is edited counts at once"
