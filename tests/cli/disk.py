# SPDX-License-Identifier: Apache-2.0
"""What envbuild says that the store and layouts take, and what it removes from them."""
import hashlib, json, os, shutil, signal, subprocess, time

from lib import (Skip, build, check_layout, check_store, end, golden, images, locked, log_since, mischief, printed, read, recipe, run,
                 scenario, start, tmpfs)
from survival import wait_for

STORE, BLOBS = ".cache/envbuild", "/images/blobs/sha256/"


def told(stage, path, *args):
    out, err = run(stage, path, *args, "--json")
    assert not err, err
    return json.loads(out)


def du(path, *names):
    out = subprocess.run(["du", "-sB1", "-c", *names], cwd=path, capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in out.splitlines()]


def files_below(folder):
    return sorted(os.path.join(root, f)[len(folder):] for root, _, files in os.walk(folder) for f in files)


def orphan(path, body=b"nobody's"):
    name = hashlib.sha256(body).hexdigest()
    with open(path + BLOBS + name, "wb") as f:
        f.write(body)
    return path + BLOBS + name


def tags(path):
    return [m["annotations"]["org.opencontainers.image.ref.name"] for m in images(json.loads(read(path, "images/index.json")))]


def of_locks(list):
    """How many of these lines or images are locks that travel with an image, and the others."""
    ends = [i.endswith(".lock") if isinstance(i, str) else i.get("tag", "").endswith(".lock") for i in list]
    return sum(ends), [i for i, is_lock in zip(list, ends) if not is_lock]


@scenario
def sums_are_those_of_du(stage):
    golden(stage)
    path = locked(stage)
    build(stage, path)
    build(stage, path, "-o", "oci:other")
    orphan(path)
    d = told(stage, path, "disk", "images", "oci:other")
    store, images, other, together = du(path, STORE, "images", "other")
    assert d["store"]["real"] == store
    assert [l["real"] - l["shared"]["real"] for l in d["layouts"]] == [images, other]
    assert d["real"] == together
    assert d["store"]["files"] == len(files_below(path + "/" + STORE)) and d["layouts"][1]["files"] == len(files_below(path + "/other"))
    for key in ("files", "bytes", "real"):
        assert sum(k[key] for k in d["store"]["kinds"].values()) == d["store"][key], key
    assert d["layouts"][0]["unneeded"] == {"files": 1, "bytes": 8, "real": os.stat(orphan(path)).st_blocks * 512}
    assert d["layouts"][1]["unneeded"]["files"] == 0
    assert [l["path"] for l in d["store"]["locks"]] == [path + "/recipe.lock"]
    for layout, name in zip(d["layouts"], ("images", "other")):
        sizes = sum(os.stat(f"{path}/{name}/blobs/sha256/{b}").st_size for b in os.listdir(f"{path}/{name}/blobs/sha256"))
        image, lock = layout["images"]
        assert image["bytes"] + lock["bytes"] == sizes - layout["unneeded"]["bytes"], layout
    assert [l["path"] for l in told(stage, path, "disk")["layouts"]] == ["images"]
    out, _ = run(stage, path, "disk")
    assert "needed by no image" in out and "`envbuild prune images`" in out, out
    empty = stage.fresh()
    out, _ = run(stage, empty, "disk")
    assert out == f"store {empty}/{STORE} is not there\ntogether 0 B on the disk\n", out
    assert run(stage, empty, "prune")[0] == f"{empty}/{STORE}: removed 0 files, 0 B; 0 B stay\n"


@scenario
def a_second_layout_takes_no_room(stage):
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path) == digest
    assert build(stage, path, "-o", "oci:other") == digest
    assert check_layout(path + "/other", digest) == want
    shared = told(stage, path, "disk", "images", "other")["layouts"][1]["shared"]
    clones = os.stat(path + "/images").st_dev and subprocess.run(
        ["cp", "--reflink=always", path + "/recipe.yaml", path + "/clone"], stderr=subprocess.DEVNULL).returncode == 0
    assert clones or shared["bytes"] > 5e6, shared
    for name in ("images", "other"):
        for blob in os.listdir(f"{path}/{name}/blobs/sha256"):
            assert os.stat(f"{path}/{name}/blobs/sha256/{blob}").st_mode & 0o777 == 0o444, blob
    for root, _, names in os.walk(path + "/" + STORE + "/blobs"):
        assert not [n for n in names if os.stat(f"{root}/{n}").st_mode & 0o222], root
    # What was damaged by one name is found by the other, and mending one leaves nothing wrong.
    big = max(want, key=lambda d: len(want[d]))[7:]
    os.chmod(path + BLOBS + big, 0o644)
    with open(path + BLOBS + big, "r+b") as f:
        f.write(b"damage")
    for name in ("images", "other"):
        assert end(start(stage, path, "build", "-q", "recipe.yaml", "-o", "oci:" + name))[0] == 0
        assert check_layout(f"{path}/{name}", digest) == want, name
    # An audit believes nothing that is remembered, and so takes nothing over.
    assert build(stage, path, "-o", "oci:third") == digest
    code, _, err = end(start(stage, path, "build", "recipe.yaml", "--audit", "-o", "oci:fourth"))
    assert code == 0 and check_layout(path + "/fourth", digest) == want, err
    assert os.stat(f"{path}/fourth/blobs/sha256/{big}").st_nlink == 1
    shutil.rmtree(path + "/images")
    assert check_layout(path + "/other", digest) == want


@scenario
def the_store_keeps_what_a_lock_needs(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    other = path + "/other"
    os.mkdir(other)
    assert build(stage, path) == digest
    for name in ("base.yaml", "base.gpg"):
        shutil.copy(f"{path}/{name}", other)
    recipe(stage, other, "env: {A: b}", "pip: [numpy==2.2.0]", "apt: [git]")
    env = {"XDG_CACHE_HOME": path + "/.cache"}
    build(stage, other, **env)
    both = files_below(f"{path}/{STORE}/blobs")
    dry = told(stage, path, "prune", "--dry-run")
    assert dry["dry_run"] and files_below(f"{path}/{STORE}/blobs") == both
    done = told(stage, path, "prune")
    assert (done["files"], done["bytes"], done["left"]) == (dry["files"], dry["bytes"], dry["left"])
    shutil.rmtree(path + "/images")
    shutil.rmtree(other + "/images")
    assert build(stage, path, "--locked", "--offline") == digest
    build(stage, other, "--locked", "--offline", **env)
    with_both = files_below(f"{path}/{STORE}/blobs")
    shutil.rmtree(other)
    gone = told(stage, path, "prune")
    assert gone["files"] and told(stage, path, "prune")["files"] == 0
    assert len(files_below(f"{path}/{STORE}/blobs")) < len(with_both)
    shutil.rmtree(path + "/images")
    assert build(stage, path, "--locked", "--offline") == digest
    check_store(path)
    assert [l["path"] for l in told(stage, path, "disk")["store"]["locks"]] == [path + "/recipe.lock"]


@scenario
def age_counts_from_the_last_build(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    assert build(stage, path) == digest
    store = path + "/" + STORE
    before = files_below(store)
    assert told(stage, path, "prune", "--older", "12h")["files"] == 0  # nothing is that old
    then = time.time() - 40 * 86400
    for f in before:
        os.utime(store + f, (then, then))
    assert build(stage, path, "--locked") == digest
    assert told(stage, path, "prune", "--older", "4w", "--dry-run")["files"] > 0
    told(stage, path, "prune", "--older", "30d")
    shutil.rmtree(path + "/images")
    assert build(stage, path, "--locked", "--offline") == digest  # it was built today
    for f in files_below(store):
        os.utime(store + f, (then, then))
    told(stage, path, "prune", "--older", "30d")
    assert files_below(store + "/blobs") == [] and files_below(store) == ["/.lock"]
    shutil.rmtree(path + "/images")
    build(stage, path)
    shutil.rmtree(store + "/locks")  # as an older envbuild left it
    before = files_below(store)
    code, _, err = end(start(stage, path, "prune"))
    assert code == 3 and err == (f"envbuild: the store {store} knows no lock that was built from it, so all of it would go; "
                                 "build once, or name an age: `envbuild prune --older 30d`\n"), err
    assert files_below(store) == before
    code, _, err = end(start(stage, path, "prune", "--older", "30"))
    assert code == 2 and 'envbuild: --older: "30" is not an age; write hours, days or weeks: 12h, 30d or 4w\n' == err, err


@scenario
def what_was_found_out_stays_with_its_lock(stage):
    """Scans and linkage of layers that a lock in use names are not asked for by each build: its being built keeps them."""
    path = stage.fresh()
    store = path + "/" + STORE
    recipe(stage, path)
    build(stage, path)
    run(stage, path, "inspect", "images")
    found = lambda: {kind: files_below(f"{store}/{kind}") for kind in ("scans", "linkage")}
    kept = found()
    assert kept["scans"] and kept["linkage"], kept
    other = path + "/other"
    os.mkdir(other)
    for name in ("base.yaml", "base.gpg"):
        shutil.copy(f"{path}/{name}", other)
    recipe(stage, other, "pip: [numpy==2.2.0]")
    build(stage, other, XDG_CACHE_HOME=path + "/.cache")
    end(start(stage, other, "inspect", "images", XDG_CACHE_HOME=path + "/.cache"))
    shutil.rmtree(other)
    assert all(set(kept[k]) < set(found()[k]) for k in kept), found()
    then = time.time() - 40 * 86400
    for kind, names in found().items():
        for f in names:
            os.utime(f"{store}/{kind}{f}", (then, then))
    told(stage, path, "prune", "--older", "30d")
    assert found() == kept
    os.unlink(path + "/recipe.lock")
    for kind, names in kept.items():
        for f in names:
            os.utime(f"{store}/{kind}{f}", (then, then))
    told(stage, path, "prune", "--older", "30d")
    assert found() == {"scans": [], "linkage": []}


@scenario
def a_layout_keeps_the_newest(stage):
    digest, want = golden(stage)
    path = stage.fresh()
    made = {}
    for n in "123":
        recipe(stage, path, f"tag: v{n}", f"env: {{N: '{n}'}}")
        if os.path.exists(path + "/recipe.lock"):
            os.unlink(path + "/recipe.lock")
        made[n] = build(stage, path, "--replace")
    recipe(stage, path, "name: another", "tag: old")
    os.unlink(path + "/recipe.lock")
    made["other"] = build(stage, path)
    everything = files_below(path + "/images")
    out, _ = run(stage, path, "prune", "images", "--keep", "1", "--dry-run")
    locks, lines = of_locks(out.splitlines())
    assert locks == 2 and lines[:2] == ["would remove pytorch:v1", "would remove pytorch:v2"] and len(lines) == 3, out
    assert files_below(path + "/images") == everything
    assert told(stage, path, "prune", "images", "--keep", "1", "--older", "1h")["images"] == []
    left = told(stage, path, "prune", "oci:images", "--keep", "1")
    locks, gone = of_locks(left["images"])
    assert locks == 2 and [i["tag"] for i in gone] == ["pytorch:v1", "pytorch:v2"], left
    assert len(json.loads(read(path, "images/index.json"))["manifests"]) == 4, "a lock went without its image, or stays"
    assert tags(path) == ["another:old", "pytorch:v3"]
    for d in (made["3"], made["other"]):
        check_layout(path + "/images", d)
    assert told(stage, path, "disk")["layouts"][0]["unneeded"]["files"] == 0
    code, _, err = end(start(stage, path, "prune", "--keep", "1"))
    assert code == 2 and "`envbuild prune images --keep 1`" in err, err
    os.mkdir(path + "/thesis")
    code, _, err = end(start(stage, path, "prune", "thesis"))
    assert code == 3 and err == 'envbuild: thesis is not an OCI layout: it has no file "oci-layout"\n', err


@scenario
def a_referrer_goes_with_its_subject(stage):
    golden(stage)
    path = locked(stage)
    build(stage, path)
    build(stage, path, "-o", "oci:images:second")
    index = json.loads(read(path, "images/index.json"))
    subject = dict(index["manifests"][0], annotations={})
    empty = b"{}"
    config = os.path.basename(orphan(path, empty))
    signature = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config":
                            {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + config, "size": 2},
                            "layers": [], "subject": subject}).encode()
    name = os.path.basename(orphan(path, signature))
    index["manifests"].append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + name,
                               "size": len(signature)})
    with open(path + "/images/index.json", "w") as f:
        json.dump(index, f)
    assert told(stage, path, "prune", "images", "--keep", "2")["images"] == []
    assert os.path.exists(path + BLOBS + name)
    for f in files_below(path + "/images"):
        then = time.time() - 40 * 86400
        os.utime(path + "/images" + f, (then, then))
    gone = told(stage, path, "prune", "images", "--older", "30d")
    locks, gone = of_locks(gone["images"])
    assert locks == 2 and {i["digest"] for i in gone} == {subject["digest"], "sha256:" + name}, gone
    assert not os.path.exists(path + BLOBS + name) and files_below(path + "/images/blobs") == []


@scenario
def a_running_build_keeps_what_it_found(stage):
    """The build found everything but one wheel, and waits for that; nobody's lock needs any of it."""
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path) == digest
    run(stage, path, "prune", "--dry-run")
    big = max(want, key=lambda d: len(want[d]))
    os.unlink(path + BLOBS + big[7:])
    os.unlink(path + "/images/index.json")  # every blob there is nobody's now
    wheel = next(a for a in json.loads(read(path, "recipe.lock"))["artifacts"] if a["name"] == "torch")
    os.unlink(f"{path}/{STORE}/blobs/sha256/{wheel['sha256'][7:]}")
    with mischief(stage, "stall always torch-2.6.0-cp"):
        mark = len(log_since(stage))
        builder = start(stage, path, "build", "-q", "recipe.yaml")
        while not any("torch-2.6.0-cp" in p for p in log_since(stage, mark)):
            assert builder.poll() is None
        pruners = [start(stage, path, "prune", "images"), start(stage, path, "prune")]
        for p, file in zip(pruners, ("images/oci-layout", f"{path}/{STORE}/.lock")):
            assert wait_for(p, "waiting") == f"waiting for the lock {file}, which another process holds\n"
        found = files_below(path + "/images"), files_below(f"{path}/{STORE}/blobs")
        pruners[1].send_signal(signal.SIGINT)
        assert end(pruners[1])[0] == 130
        assert found == (files_below(path + "/images"), files_below(f"{path}/{STORE}/blobs"))
        assert told(stage, path, "disk")["layouts"][0]["unneeded"]["files"] > 0  # looking waits for nobody
        builder.send_signal(signal.SIGINT)
        assert end(builder)[0] == 130
    code, out, err = end(pruners[0])
    assert code == 0 and "images: removed " in out, (code, out, err)
    assert files_below(path + "/images/blobs") == []
    assert build(stage, path) == digest and check_layout(path + "/images", digest) == want


@scenario
def nothing_of_others_is_touched(stage):
    golden(stage)
    path = locked(stage)
    build(stage, path)
    precious = path + "/precious"
    os.mkdir(precious)
    for folder in (f"{path}/{STORE}/blobs/sha256", f"{path}/{STORE}/partial", path + "/images/blobs/sha256"):
        with open(precious + "/" + "1" * 64, "w") as f:
            f.write("mine")
        os.symlink(precious + "/" + "1" * 64, folder + "/" + "2" * 64)
        os.symlink(precious, folder + "/elsewhere")
        with open(folder + "/notes", "w") as f:
            f.write("mine")
    os.unlink(path + "/recipe.lock")
    run(stage, path, "prune")
    run(stage, path, "prune", "images")
    assert read(precious, "1" * 64) == b"mine"
    for folder in (f"{path}/{STORE}/blobs/sha256", f"{path}/{STORE}/partial", path + "/images/blobs/sha256"):
        assert os.path.islink(folder + "/" + "2" * 64) and os.path.islink(folder + "/elsewhere") and os.path.exists(folder + "/notes")
    with open(path + "/recipe.lock", "w") as f:
        f.write("{")
    golden(stage)
    other = locked(stage)
    env = {"XDG_CACHE_HOME": path + "/.cache"}
    build(stage, other, **env)
    with open(other + "/recipe.lock", "w") as f:
        f.write("{")
    before = files_below(path + "/" + STORE)
    code, _, err = end(start(stage, path, "prune"))
    assert code == 3 and "what this lock needs is not known; mend or remove it" in err and other in err, err
    assert files_below(path + "/" + STORE) == before


def as_nobody(stage, path):
    """How to run as somebody who may only read what is not his; `path` becomes his, but for the store."""
    os.chmod(stage.top, 0o755)
    os.chmod(path, 0o777)
    program = shutil.copy(stage.envbuild, path + "/program")
    if os.getuid():
        return lambda *args: subprocess.run([program, *args], cwd=path, env=stage.env(path), capture_output=True, text=True)
    if not shutil.which("setpriv"):
        raise Skip("root may write everywhere, and there is no setpriv to become somebody else")
    for name in ("images", "recipe.yaml", "recipe.lock"):
        subprocess.run(["chown", "-R", "65534:65534", path + "/" + name], check=True)
    wrap = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return lambda *args: subprocess.run([*wrap, program, *args], cwd=path, env=stage.env(path), capture_output=True, text=True)


@scenario
def a_store_that_may_only_be_read(stage):
    """chmod -R a-w, and what holds nothing is not even there, as after a copy by a cache of CI."""
    digest, want = golden(stage)
    path = locked(stage)
    store = path + "/" + STORE
    assert build(stage, path) == digest
    for name in ("scratch", "partial"):
        os.rmdir(f"{store}/{name}")
    os.unlink(store + "/.lock")
    subprocess.run(["chmod", "-R", "a-w", path + "/.cache"], check=True)
    nobody = as_nobody(stage, path)
    before = files_below(store)
    try:
        for args in (["--locked"], ["--offline"], ["-o", "oci:other"], ["-o", "oci-archive:o.tar"]):
            done = nobody("build", "-q", *args, "recipe.yaml")
            assert done.returncode == 0 and printed(path, done.stdout) == digest, (args, done.stderr)
        assert check_layout(path + "/other", digest) == want
        for args in (["inspect", "oci:images"], ["inspect", "o.tar"], ["explain", "recipe.yaml"], ["disk"], ["prune", "--dry-run"],
                     ["lock", "recipe.yaml"]):
            done = nobody(*args)
            assert done.returncode == 0, (args, done.stderr)
        done = nobody("prune")
        assert done.returncode == 7 and done.stderr == f"envbuild: the store {store} may only be read here, so nothing can be removed from it\n", done
        done = nobody("lock", "-q", "--upgrade", "--index", stage.index, "recipe.yaml")
        assert done.returncode == 7 and f"the store {store} may only be read" in done.stderr and "--store DIR" in done.stderr, done
        assert files_below(store) == before
    finally:
        subprocess.run(["chmod", "-R", "u+w", path + "/.cache"], check=True)


@scenario
def what_was_read_of_a_layer_is_remembered(stage):
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path) == digest
    first = run(stage, path, "inspect", "--json", "oci:images")[0]
    assert any(files_below(f"{path}/{STORE}/scans"))
    assert run(stage, path, "inspect", "--json", "oci:images")[0] == first
    assert run(stage, path, "diff", "--json", "oci:images", "oci:images")[0]
    big = path + BLOBS + max(want, key=lambda d: len(want[d]))[7:]
    st, body = os.stat(big), read(big)
    os.chmod(big, 0o644)
    with open(big, "r+b") as f:
        f.seek(len(body) // 2)
        f.write(b"damage")
    os.utime(big, ns=(st.st_atime_ns, st.st_mtime_ns))
    code, _, err = end(start(stage, path, "inspect", "oci:images"))
    assert code == 6 and "the image is damaged" in err, err
    with open(big, "wb") as f:
        f.write(body)
    assert run(stage, path, "inspect", "--json", "oci:images")[0] == first
    for root, _, names in os.walk(f"{path}/{STORE}/scans"):
        for name in names:
            with open(f"{root}/{name}", "r+b") as f:
                f.seek(300)
                f.write(b"torn")
    assert run(stage, path, "inspect", "--json", "oci:images")[0] == first


def has_over(folder, size):
    """Is there a file of more bytes? Others come and go."""
    for name in os.listdir(folder):
        try:
            if os.stat(os.path.join(folder, name)).st_size > size:
                return True
        except FileNotFoundError:
            pass
    return False


@scenario
def room_for_what_is_left_of_a_download(stage):
    """A download that was cut needs room for the rest of it, and what is shared needs none."""
    digest, _ = golden(stage)
    path = locked(stage)
    with tmpfs(path + "/small", "24M"):
        store = ("--store", path + "/small/store")
        with mischief(stage, "stall always torch-2.6.0-cp"):
            mark = len(log_since(stage))
            builder = start(stage, path, "build", "-q", "recipe.yaml", *store)
            while not any("torch-2.6.0-cp" in p for p in log_since(stage, mark)):
                assert builder.poll() is None
            while not has_over(path + "/small/store/partial", 4e6):
                assert builder.poll() is None
            builder.send_signal(signal.SIGINT)
            assert end(builder)[0] == 130
        free = os.statvfs(path + "/small")
        with open(path + "/small/ballast", "wb") as f:
            f.write(bytes(free.f_bavail * free.f_bsize - 7 * 1000 * 1000))  # less than the wheel, more than its rest
        assert build(stage, path, *store) == digest
