#!/bin/bash
# Packages built from source in an image's own root: real sdists give the same bytes in another place, for another user, under
# another clock, locale and number of cores; and sources that try to get out do not.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
need_sealed
scratch
cd "$work"
seal=$tools/seal

# ---- a root with Python and a compiler; real sources ----

printf 'pytorch: none\nname: buildroot\napt: [gcc, libc6-dev, python3-dev]\n' >r.yaml
"$envbuild" build -q r.yaml -o oci:images >/dev/null || fail "the root"
ok "an image with Python and gcc is built"

python3 - <<'EOF' || fail "download"
import hashlib, json, urllib.request
for name, file in (("docopt", "docopt-0.6.2.tar.gz"), ("simplejson", "simplejson-3.19.3.tar.gz"),
                   ("setuptools", "setuptools-80.9.0-py3-none-any.whl")):
    ask = urllib.request.Request(f"https://pypi.org/simple/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    for f in json.load(urllib.request.urlopen(ask))["files"]:
        if f["filename"] == file:
            data = urllib.request.urlopen(f["url"]).read()
            assert hashlib.sha256(data).hexdigest() == f["hashes"]["sha256"]
            open(file, "wb").write(data)
EOF

# VERB NAME VERSION SOURCE [MORE...]: with the store and folder of $place.
place=$work/one
build() {
    verb=$1 name=$2 version=$3 source=$4
    shift 4
    "$seal" "$place/store" oci:images "$verb" "$place/out" name="$name" version="$version" "$source" "$@"
}

setuptools=wheel=setuptools-80.9.0-py3-none-any.whl
[ "$(build requires docopt 0.6.2 sdist=docopt-0.6.2.tar.gz static=yes)" = 'setuptools>=40.8.0' ] || fail "what a setup.py without pyproject.toml requires"
build metadata docopt 0.6.2 sdist=docopt-0.6.2.tar.gz $setuptools >metadata || fail "metadata"
built=$(build wheel docopt 0.6.2 sdist=docopt-0.6.2.tar.gz $setuptools) || fail "docopt"
again=$(build wheel docopt 0.6.2 sdist=docopt-0.6.2.tar.gz $setuptools) || fail "docopt again"
[ "${built% built}" = "${again% stored}" ] || fail "the store gives $again instead of $built"
[ -z "$(ls "$place"/store/unpacked/builds/*/files 2>/dev/null)" ] || fail "the build's folder is left"
python3 - "$place"/out/docopt-0.6.2-py2.py3-none-any.whl metadata <<'EOF' || fail "docopt's wheel"
import base64, csv, hashlib, io, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
assert wheel.testzip() is None
assert wheel.read("docopt-0.6.2.dist-info/METADATA") == open(sys.argv[2], "rb").read()
names = wheel.namelist()
rows = list(csv.reader(io.StringIO(wheel.read("docopt-0.6.2.dist-info/RECORD").decode())))
assert [row[0] for row in rows] == names and names[-1].endswith("/RECORD"), names
for name, digest, size in rows[:-1]:
    data = wheel.read(name)
    assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=") and int(size) == len(data)
EOF
ok "docopt's sdist gives a wheel whose RECORD is right; its metadata alone is the same; the second time it is in the store"

built_c=$(build wheel simplejson 3.19.3 sdist=simplejson-3.19.3.tar.gz $setuptools) || fail "simplejson"
mkdir -p run/x
python3 -m zipfile -e "$place"/out/simplejson-*.whl run/x
"$seal" "$place/store" oci:images run run -- /opt/venv/bin/python -c '
import sys; sys.path.insert(0, "/seal/build/x")
import simplejson, simplejson._speedups; print("speaks", simplejson.dumps([1]))' >said || fail "run"
grep -q 'speaks \[1\]' said || fail "the C extension says $(cat said)"
ok "a C extension is compiled, and is imported in that root"

# Another store and folder, locale, zone, umask, core and user, some time later.
place=$work/two
chmod 711 "$work"
mkdir two
cp "$seal" r.lock *.tar.gz *.whl two/
cp -r images two/
as=
if [ "$(id -u)" = 0 ] && setpriv --reuid=12345 --regid=12345 --clear-groups bwrap --unshare-all --ro-bind / / true 2>/dev/null; then
    as='setpriv --reuid=12345 --regid=12345 --clear-groups'
    chown -R 12345:12345 two
fi
other() {
    (cd two && umask 077 && TZ=Asia/Tokyo LC_ALL=C LANG=de_DE PYTHONHASHSEED=7 HOME=/nonexistent \
        $as taskset -c 0 ./seal "$place/store" oci:images wheel "$place/out" name="$1" version="$2" sdist="$1-$2.tar.gz" $setuptools threads=1)
}
[ "$(other docopt 0.6.2)" = "$built" ] || fail "docopt is another wheel elsewhere"
[ "$(other simplejson 3.19.3)" = "$built_c" ] || fail "simplejson is another wheel elsewhere"
ok "both are the same to the byte in another folder and store, locale, zone, umask and on one core${as:+, for another user}"
place=$work/one
rm -rf two run

# ---- sources that try to get out ----

# NAME: its backend is Python on standard input, which calls kept(out) with what it got hold of, if anything.
hostile() {
    rm -rf "$1"
    mkdir "$1"
    printf '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n' >"$1/pyproject.toml"
    {
        cat <<'EOF'
import os, sys, zipfile
MADE = "/seal/build/made"
def wheel(folder, name="hostile"):
    info = name + "-1.0.dist-info/"
    with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as z:
        z.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "".join(f"{info}{n},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n" for n in ("METADATA", "WHEEL")) + f"{info}RECORD,,\n")
    return f"{name}-1.0-py3-none-any.whl"
def kept(got):
    print("BROKE OUT:" if got else "KEPT IN", got or "", flush=True)
def tried(what, *args):
    try:
        return what(*args) or True
    except (OSError, KeyError, RuntimeError):
        return None
def build_wheel(folder, settings=None, metadata=None):
    attack()
    return wheel(folder)
EOF
        cat
    } >"$1/backend.py"
}

# NAME [MORE...]: what it says goes to `said`, its log to `log`. The folder's digest stands for its content.
attack() {
    name=$1
    shift
    digest=$(tar -C "$name" --sort=name --mtime=@0 -cf - . | sha256sum)
    status=0
    build wheel hostile 1.0 "folder=$name" "digest=${digest%% *}" "$@" >said 2>&1 || status=$?
    cp "$place/out/logs/hostile-1.0.log" log
}
held() {
    [ "$status" = 0 ] && grep -q 'KEPT IN' log && ! grep -q 'BROKE OUT' log || fail "$1: exit $status, $(cat said log)"
    ok "$1"
}
refused() {
    [ "$status" = 3 ] && grep -q "$2" said || fail "$1: exit $status, $(cat said)"
    ok "$1"
}

mkdir -p home/.ssh "$place/store/unpacked/builds/other/files"
echo hidden-word >home/.ssh/id_ed25519
echo hidden-word >"$place/store/unpacked/builds/other/files/secret"
hostile reads <<EOF
def attack():
    got = [p for p in ("$work/home/.ssh/id_ed25519", "$place/store/unpacked/builds/other/files/secret", "/etc/shadow-")
           if tried(open, p)]
    got += [p for p in ("$work", "$place", "$HOME/.ssh", os.path.expanduser("~/.ssh"), "/root/.ssh") if tried(os.listdir, p)]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for way in ("root", "cwd"):
            got += [pid + way for p in ("$work/home", "$place") if tried(os.listdir, f"/proc/{pid}/{way}{p}")]
    for top, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if top != "/" or f not in ("proc", "usr")]
        got += [top for f in files if f in ("id_ed25519", "secret")]
    got += [v for k, v in os.environ.items() if v == "hidden-word"]
    got += [f for f in os.listdir("/proc/self/fd") if int(f) > 2 and os.path.exists("/proc/self/fd/" + f)]
    kept(got)
EOF
SECRET=hidden-word attack reads 7<home/.ssh/id_ed25519
held "keys in .ssh, another build, the store, the environment and open descriptors cannot be read"

mkfifo port
python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0)); a = socket.socket(socket.AF_UNIX); a.bind("\0envbuild-test"); a.listen()
print(s.getsockname()[1], flush=True); s.accept(); print("reached", flush=True)' >port &
own_pids=$!
exec 8<port
read -r port_number <&8
hostile reaches <<EOF
import socket
def unix():
    s = socket.socket(socket.AF_UNIX)
    s.connect("\0envbuild-test")
def attack():
    kept([w for w in (("127.0.0.1", $port_number), ("1.1.1.1", 53), ("::1", $port_number)) if tried(socket.create_connection, w, 5)]
         + ([1] if tried(unix) else []) + ([2] if tried(socket.getaddrinfo, "pypi.org", 443) else [])
         + [i for i in socket.if_nameindex() if i[1] != "lo"])
EOF
attack reaches
held "the network, the host's loopback and its abstract sockets cannot be reached"
kill $own_pids
own_pids=

# The times of "done" tell of use.
root_state() {
    find "$place"/store/unpacked/layers/*/files "$place"/store/unpacked/roots/*/files -printf '%p %m %s %T@\n' | sha256sum
}
before=$(root_state)
hostile writes <<EOF
import subprocess
def attack():
    paths = ["/x", "/usr/bin/x", "/opt/venv/bin/x", "/seal/x", "/seal/in/x", "/dev/x", "/etc/passwd", "/opt/venv/bin/python", "/seal/in/driver.py",
             "$work/x", "$place/store/x", "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"]
    got = [p for p in paths if tried(open, p, "a")]
    got += [p for p in paths if tried(os.chmod, p, 0o777)]
    for way in (["mount", "-o", "remount,rw", "/"], ["unshare", "-Urm", "sh", "-c", "mount -o remount,bind,rw / && touch /x"],
                ["unshare", "-Urm", "sh", "-c", "umount -l /seal/in && touch /x"], ["mknod", "/tmp/sda", "b", "8", "0"], ["hostname", "mine"]):
        if tried(lambda: subprocess.run(way, check=True, capture_output=True)):
            got.append(way)
    kept(got)
EOF
sed -i 's/except (OSError, KeyError, RuntimeError)/except Exception/' writes/backend.py
attack writes
held "nothing outside the build's folder can be written, also by remounting"
[ "$(root_state)" = "$before" ] || fail "the root has changed"
[ ! -e x ] && [ ! -e "$place/store/x" ] || fail "a file stands outside"
ok "the root is as it was"

hostile stays <<'EOF'
import subprocess, time
def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3): os.close(fd)
            os.execv("/usr/bin/sleep", ["envbuild-daemon", "100000"])
        os._exit(0)
    os.wait()
    kept([])
EOF
attack stays
held "a build that leaves a daemon is built"
! pgrep -f '^envbuild-daemon' >/dev/null || fail "the daemon is still there"
ok "and the daemon is gone"

hostile fills <<'EOF'
def attack():
    for i in range(1000):
        with open(f"/{('tmp', 'dev/shm', 'var/tmp', 'seal/build')[i % 4]}/f{i}", "wb") as f:
            f.write(bytes(10 << 20))
EOF
attack fills disk=50000000
refused "who fills the disk is ended" 'it used more than 47 MiB of the disk'
hostile fills <<'EOF'
def attack():
    with open("/tmp/one", "wb") as f:
        while True: f.write(bytes(1 << 20))
EOF
attack fills disk=50000000
refused "and who writes one file too long" 'from source: it'
[ -z "$(ls "$place"/store/unpacked/builds/*/files/made 2>/dev/null)" ] || fail "what filled the disk is left"
hostile eats <<'EOF'
def attack():
    a = []
    while True: a.append(bytearray(os.urandom(1 << 16)) * 64)
EOF
attack eats memory=300000000 jobs=1
refused "who eats the memory is ended" 'of memory, more than there is for it, with 1 job at once'
hostile forks <<'EOF'
def attack():
    while True:
        try: os.fork()
        except OSError: pass
EOF
attack forks processes=100
refused "a fork bomb is ended" 'more than 100 processes\|exit code'
hostile lasts <<'EOF'
import time
def attack(): time.sleep(100000)
EOF
attack lasts seconds=1
refused "who never ends is ended" 'for more than 1 s'
hostile chatters <<'EOF'
def attack():
    for _ in range(3000): print("x" * 65536)
    kept([])
EOF
attack chatters
[ "$status" = 0 ] && [ "$(stat -c %s log)" -lt 70000000 ] || fail "a log of $(stat -c %s log) bytes"
ok "a log has an end"

# Results that are none.
hostile links <<'EOF'
def attack():
    os.symlink("/etc", "/seal/build/result")
EOF
sed -i 's/^    attack()/    attack(); wheel(folder); os._exit(0)/' links/backend.py
attack links
refused "a result that is a link is refused" 'what the build made'
hostile pipes <<'EOF'
def attack():
    os.makedirs("/seal/build/result"); os.mkfifo("/seal/build/result/hostile-1.0-py3-none-any.whl"); os._exit(0)
EOF
attack pipes
refused "a result that is a pipe is refused" 'what the build made is no file'
hostile other <<'EOF'
def attack(): pass
EOF
sed -i 's/return wheel(folder)/return wheel(folder, "victim")/' other/backend.py
attack other
refused "a wheel of another name is refused" 'victim-1.0-py3-none-any.whl, which is not of hostile 1.0'
hostile two <<'EOF'
def attack():
    os.makedirs("/seal/build/result"); wheel("/seal/build/result", "victim")
EOF
attack two
refused "two wheels are refused" 'made 2 files instead of one wheel'
[ "$(ls "$place/store" | tr '\n' ' ')" = 'blobs partial sealed unpacked ' ] || fail "the store has $(ls "$place/store")"

hostile sees <<'EOF'
def attack():
    try:
        import pip
        print("sees pip of", os.path.dirname(pip.__path__[0]))
    except ImportError:
        print("sees no pip")
    kept([])
EOF
attack sees
held "an isolated build is built"
grep -q 'sees no pip' log || fail "it is not isolated: $(cat log)"
attack sees isolated=no
grep -q 'sees pip of /opt/venv/lib/python3' log || fail "without isolation: $(cat log)"
ok "it sees no package of the root; one without isolation does"

# ---- ends ----

hostile frugal <<'EOF'
def attack():
    if int(os.environ["MAX_JOBS"]) > 2:
        a = []
        while True: a.append(bytearray(os.urandom(1 << 16)) * 64)
    kept([])
EOF
attack frugal memory=300000000 jobs=4
held "a build that was ended for memory is tried again with half of its jobs"

hostile waits <<'EOF'
def attack():
    os.execv("/usr/bin/sleep", ["envbuild-sleeper", "100000"])
EOF
"$seal" "$place/store" oci:images wheel "$place/out" name=hostile folder=waits digest="$(printf waits | sha256sum | cut -c1-64)" >said 2>&1 &
pid=$!
until pgrep -f '^envbuild-sleeper' >/dev/null; do kill -0 $pid 2>/dev/null || fail "it does not wait: $(cat said)"; done
kill -KILL $pid
wait $pid 2>/dev/null || true
while pgrep -f '^envbuild-sleeper' >/dev/null; do sleep 0.1; done # who is never ended keeps this waiting
ok "when we are killed, all that was started ends"

hostile same <<'EOF'
import multiprocessing
def attack():
    with multiprocessing.Pool(2) as pool: pool.map(abs, [1, 2])
    kept([])
EOF
build wheel hostile 1.0 folder=same digest="$(printf same | sha256sum | cut -c1-64)" >a 2>&1 &
pid=$!
build wheel hostile 1.0 folder=same digest="$(printf same | sha256sum | cut -c1-64)" >b 2>&1 || fail "two at once: $(cat b)"
wait $pid || fail "two at once: $(cat a)"
[ "$(cat a b | sed 's/.* //' | sort | tr '\n' ' ')" = 'built stored ' ] || fail "two at once: $(cat a b)"
ok "of two that build the same at once, one builds and the other takes it"
