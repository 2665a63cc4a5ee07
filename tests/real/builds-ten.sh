#!/bin/bash
# Ten packages from source, on the real index: seven that are sources only or have C, C++ and CMake in them; with ALL=1 deepspeed,
# openai-whisper and fairscale, too, beside an image's torch (3 GB of downloads, 30 GB of the disk). Each is built twice: for another
# user, in another folder and store, locale, zone and umask, on one core. How many are the same is told, and which are not. All are
# imported in the image.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
need_sealed
scratch
cd "$work"
files=https://files.pythonhosted.org/packages
names='docopt jieba langdetect antlr4_python3_runtime rouge_score pycocotools levenshtein'
imports='docopt, jieba, langdetect, antlr4, hydra, rouge_score.rouge_scorer, pycocotools.mask, Levenshtein'

mkdir -p one/envbuild
torch='pytorch: none' build='' pip=''
if [ -n "${ALL:-}" ]; then
    torch='pytorch: "2.6.0"
cuda: "12.4"' build='
  deepspeed: {requires: [torch]}
  openai-whisper:
  fairscale:' pip='
  - deepspeed
  - openai-whisper
  - fairscale'
    names="$names deepspeed openai_whisper fairscale"
    imports="$imports, torch, whisper, fairscale, deepspeed"
    # Torch may be in the user's store.
    cp -rl "${XDG_CACHE_HOME:-$HOME/.cache}/envbuild/blobs" one/envbuild/ 2>/dev/null || true
fi
export XDG_CACHE_HOME=$work/one
cat >x.yaml <<YAML
name: ten
$torch
build:$build
  docopt:
  jieba:
  langdetect:
  antlr4-python3-runtime:
  rouge-score:
  pycocotools:
  levenshtein: {expect: [levenshtein_cpp], constraints: ["scikit-build-core<0.11"]}
pip:$pip
  - docopt
  - jieba
  - langdetect
  - hydra-core==1.3.2
  - rouge-score
  - pycocotools @ $files/6b/1a/cdfce175d663568215b3a6b6170ad2a526932cc1021dffabda56a5c3f189/pycocotools-2.0.8.tar.gz
  - levenshtein @ $files/97/e6/79807d3b59a67dd78bb77072ca6a28d8db0935161fecf935e6c38c5f6825/levenshtein-0.26.1.tar.gz
YAML
"$envbuild" lock x.yaml 2>said || fail "lock: $(tail -30 said)"
ok "locked: $(grep -o 'built from source: .*' said)"
cp x.lock chosen.lock
"$envbuild" wheel -q x.yaml -o made >made.txt 2>said || fail "build: $(tail -30 said)"
for name in $names; do
    grep -q "/$name-[0-9]" made.txt || fail "$name is not among $(cat made.txt)"
done
ok "all $(wc -l <made.txt) are built"

mkdir -p two/cache/envbuild
cp x.yaml two/
cp chosen.lock two/x.lock
cp -rl one/envbuild/blobs two/cache/envbuild/
while read -r wheel; do
    rm -f "two/cache/envbuild/blobs/sha256/$(sha256sum "$wheel" | cut -d' ' -f1)"
done <made.txt
chmod 711 "$work"
cp "$envbuild" two/eb
as=
if [ "$(id -u)" = 0 ] && setpriv --reuid=12345 --regid=12345 --clear-groups bwrap --unshare-all --ro-bind / / true 2>/dev/null; then
    as='setpriv --reuid=12345 --regid=12345 --clear-groups'
    find two -type d -exec chown 12345:12345 {} +
    chown 12345:12345 two/x.lock
fi
(cd two && umask 077 && TZ=Asia/Tokyo LC_ALL=C LANG=de_DE PYTHONHASHSEED=7 HOME=$work/two XDG_CACHE_HOME=$work/two/cache \
    $as taskset -c 0 ./eb wheel -q -j 1 x.yaml -o made >made.txt 2>said) || fail "build again: $(tail -30 two/said)"
python3 - made two/made <<'PYTHON'
import glob, os, sys, zipfile
one, two = ({os.path.basename(p): p for p in glob.glob(top + "/**/*.whl", recursive=True)} for top in sys.argv[1:])
same = [n for n in one if n in two and open(one[n], "rb").read() == open(two[n], "rb").read()]
print(f"{len(same)} of {len(one)} are the same to the byte")
for n in sorted(set(one) | set(two)):
    if n in same:
        continue
    if n not in one or n not in two:
        print(f"{n}: only in one place")
        continue
    a, b = zipfile.ZipFile(one[n]), zipfile.ZipFile(two[n])
    print(f"{n}:", *sorted(f"only {side} {x}" for side, x in [("first", x) for x in set(a.namelist()) - set(b.namelist())] +
                           [("second", x) for x in set(b.namelist()) - set(a.namelist())]),
          *(f"differs {x}" for x in a.namelist() if x in b.namelist() and a.read(x) != b.read(x)))
sys.exit(len(same) < len(one) - 1)
PYTHON
ok "built again elsewhere${as:+, for another user}"
rm -rf two

"$envbuild" build -q x.yaml -o oci:img >/dev/null 2>said || fail "the image: $(tail -30 said)"
tag=$(python3 -c 'import json; print([m for m in json.load(open("img/index.json"))["manifests"] if "artifactType" not in m][0]["annotations"]["org.opencontainers.image.ref.name"])')
unpack_image img "$tag" root || fail "unpack"
rm -rf img
bwrap --unshare-all --ro-bind root / --proc /proc --dev /dev --tmpfs /tmp --setenv HOME /tmp /opt/venv/bin/python -W ignore -c "
import $imports
assert Levenshtein.distance('from', 'source') == 5 and langdetect.detect('Das ist ein kleiner Satz') == 'de'
assert rouge_score.rouge_scorer.RougeScorer(['rouge1']).score('a b', 'a b')['rouge1'].fmeasure == 1.0
" >said 2>&1 || fail "import: $(tail -20 said)"
ok "all of them work in the image, which has no compiler"
