# SPDX-License-Identifier: Apache-2.0
"""Tags: the lock that travels with an image, what was published under a tag, pointing it back, and layers from a cache."""
import re, shutil, subprocess, threading

import world
from lib import *
from registry import TAG, copy, file, login, methods, names, push
from registry_peer import Fault, Registry


def edit(path, *lines):
    """Another recipe in the same folder; its lock is written anew."""
    if os.path.exists(path + "/recipe.lock"):
        os.unlink(path + "/recipe.lock")
    with open(path + "/recipe.yaml", "w") as f:
        f.write(world.GOOD + "".join(line + "\n" for line in lines))


def artifact(r, name, tag):
    repo = r.repositories[name]
    kind, body = repo.manifests[repo.tags[tag]]
    return json.loads(body)


def three(stage, path, place):
    """Three images under one tag, one after another; the digests, and the locks' texts."""
    digests, locks = [], []
    for lines in ((), ("env: {A: one}",), ("env: {A: two}",)):
        edit(path, *lines)
        run(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", place)
        locks.append(read(path, "recipe.lock"))
        digests.append(json.loads(locks[-1])["built"]["manifest"])
    assert len(set(digests)) == 3
    return digests, locks


@scenario
def the_lock_travels_with_the_image(stage):
    """As it stands beside the recipe, of the digest that the image says, in a registry with a list of referrers or none."""
    digest, _ = golden(stage)
    for listed in (True, False):
        with Registry() as r:
            r.referrers = listed
            path = locked(stage)
            push(stage, path, r, "x:1")
            lock = next(t for t in r.repositories["x"].tags if t.endswith(".lock"))
            assert r.repositories["x"].tags[lock[:-5]] == digest and lock.startswith("1-"), lock
            document = artifact(r, "x", lock)
            assert document["artifactType"] == document["layers"][0]["mediaType"] == "application/vnd.envbuild.lock.v1+json"
            assert document["subject"]["digest"] == digest and document["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
            config = json.loads(r.blobs[json.loads(r.repositories["x"].manifests[digest][1])["config"]["digest"]])
            said = config["config"]["Labels"]["io.envbuild.lock.digest"]
            assert document["annotations"]["io.envbuild.lock.digest"] == said and said[7:19] == lock[2:14], (said, lock)
            assert r.blobs[document["layers"][0]["digest"]] == read(path, "recipe.lock")
            for operand in (f"docker://{r.host}/x:1", f"docker://{r.host}/x@{digest}"):
                assert run(stage, path, "lock", "--from", operand)[0].encode() == read(path, "recipe.lock")
            run(stage, path, "lock", "-q", "--from", f"docker://{r.host}/x:1", "-o", "again.lock")
            assert json.loads(run(stage, path, "lock", "--json", "--from", f"docker://{r.host}/x:1", "-o", "again.lock")[0])["lock"] == "again.lock"
            shutil.copy(path + "/recipe.yaml", path + "/again.yaml")
            assert read(path, "again.lock") == read(path, "recipe.lock")
            run(stage, path, "build", "-q", "--locked", "again.yaml", "-o", f"docker://{r.host}/y:1")
            with Registry() as other:
                push(stage, locked(stage), other, "x:1")
                assert other.repositories["x"].tags.items() <= r.repositories["x"].tags.items(), "other bytes for the same lock"


@scenario
def the_lock_travels_in_a_layout(stage):
    """skopeo and umoci read the image beside it, and envbuild takes no lock for an image."""
    path = locked(stage)
    digest = build(stage, path)
    index = json.loads(read(path, "images/index.json"))["manifests"]
    assert [m.get("artifactType") for m in index] == [None, "application/vnd.envbuild.lock.v1+json"], index
    assert index[1]["annotations"]["org.opencontainers.image.ref.name"].startswith(f"pytorch:{TAG}-")
    assert "io.containerd.image.name" not in index[1]["annotations"]
    for operand in ("oci:images", "images", f"oci:images:pytorch:{TAG}", f"oci:images@{digest}"):
        assert run(stage, path, "lock", "--from", operand)[0].encode() == read(path, "recipe.lock")
    assert build(stage, path) == digest and json.loads(read(path, "images/index.json"))["manifests"] == index
    for tool, words in (("skopeo", ["copy", "-q", f"oci:images:pytorch:{TAG}", "dir:out"]), ("umoci", ["ls", "--layout", "images"])):
        if shutil.which(tool):
            subprocess.run([tool, *words], cwd=path, check=True, capture_output=True)
    for archive in ("oci-archive:a.tar", "docker-archive:d.tar", "dir:flat"):
        build_to = run(stage, path, "build", "-q", "recipe.yaml", "-o", archive)[0].strip()
        err = run(stage, path, "lock", "--from", build_to, code=3)[1]
        assert "has no lock with this image" in err, err
    with Registry() as r:
        copy(stage, path, "oci:images", f"docker://{r.host}/x:1")
        assert "no lock with this image" in run(stage, path, "lock", "--from", f"docker://{r.host}/x:1", code=3)[1]
        copy(stage, path, "oci:images", f"docker://{r.host}/x:1", "--all")
        copy(stage, path, f"docker://{r.host}/x:1", f"docker://{r.host}/y:1", "--all")
        copy(stage, path, f"docker://{r.host}/y:1", "oci:back:1", "--all")
        for place in (f"docker://{r.host}/x:1", f"docker://{r.host}/y:1", "oci:back"):
            assert run(stage, path, "lock", "--from", place)[0].encode() == read(path, "recipe.lock")
        assert sorted(r.repositories["y"].tags) == sorted(r.repositories["x"].tags), r.repositories["y"].tags
        assert [m["annotations"]["org.opencontainers.image.ref.name"][:2] for m in json.loads(read(path, "back/index.json"))["manifests"]] == ["1", "1-"]


@scenario
def a_lock_that_is_another_images_is_refused(stage):
    with Registry() as r:
        path = stage.fresh()
        three(stage, path, f"docker://{r.host}/x:1")
        repo = r.repositories["x"]
        lock = sorted(t for t in repo.tags if t.endswith(".lock"))[0]
        document = artifact(r, "x", lock)
        name = document["layers"][0]["digest"]
        good = r.blobs[name]
        r.blobs[name] = good.replace(b"2", b"3", 1)
        subject = document["subject"]["digest"]
        assert "another digest" in run(stage, path, "lock", "--from", f"docker://{r.host}/x@{subject}", code=6)[1]
    assert "takes an image, and no recipe" in run(stage, path, "lock", "--from", "x", "recipe.yaml", code=2)[1]
    assert "-o is for --from" in run(stage, path, "lock", "-o", "x", "recipe.yaml", code=2)[1]


@scenario
def tags_tell_what_was_published(stage):
    for kind in ("registry", "layout"):
        with Registry() as r:
            path = stage.fresh()
            place = f"docker://{r.host}/x" if kind == "registry" else "oci:lay"
            tag = "1"
            digests, locks = three(stage, path, place + ":" + tag)
            told = json.loads(run(stage, path, "tags", "--json", place)[0])["tags"]
            assert [(t["tag"], t["digest"]) for t in told] == [(tag, digests[2])], told
            versions = told[0]["versions"]
            assert [v["digest"] for v in versions] == digests[::-1] and [v["now"] for v in versions] == [True, False, False], versions
            assert [v.get("before") for v in versions] == [digests[1], digests[0], None]
            assert "changes" not in versions[2] and "two" in json.dumps(versions[0]["changes"]), versions[0]
            text = run(stage, path, "tags", place)[0].splitlines()
            assert text[0] == f"{tag}  {digests[2]}" and text[1] == f"  {versions[0]['tag']}  {digests[2]}  2023-11-14  now", text
            assert any(line.startswith("    ") and "env" in line for line in text), text
            if kind == "registry":
                r.since()
                assert names(r, "x") == {tag: digests[2]}
                assert run(stage, path, "tags", place + ":" + tag)[0].splitlines() == text
            assert 'there is no tag "none"' in run(stage, path, "tags", place + ":none", code=3)[1]
    assert "only a layout" in run(stage, path, "tags", "dir:x", code=2)[1]


@scenario
def a_lock_that_cannot_be_read_hides_no_other(stage):
    """One of an envbuild to come, or damaged: a warning, and all else is told and pointed back to."""
    with Registry() as r:
        path = stage.fresh()
        digests, locks = three(stage, path, f"docker://{r.host}/x:1")
        copy(stage, path, f"docker://{r.host}/x:1", "oci:lay:1", "--all")
        repo = r.repositories["x"]
        oldest = next(t for t, d in repo.tags.items() if t.endswith(".lock") and artifact(r, "x", t)["subject"]["digest"] == digests[0])
        for change in (b'"envbuild_lock": ', b'"envbuild_lock": 99'), (b"{", b"["):
            document = artifact(r, "x", oldest)
            text = locks[0].replace(*change, 1)
            document["layers"][0].update(digest="sha256:" + hashlib.sha256(text).hexdigest(), size=len(text))
            r.blobs[document["layers"][0]["digest"]] = text
            repo.blobs.add(document["layers"][0]["digest"])
            body = json.dumps(document).encode()
            before = repo.tags[oldest]
            repo.tags[oldest] = "sha256:" + hashlib.sha256(body).hexdigest()
            repo.manifests[repo.tags[oldest]] = (repo.manifests[before][0], body)
            told = json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x:1")[0])
            assert [v["digest"] for v in told["tags"][0]["versions"]] == digests[:0:-1], told
            assert len(told["warnings"]) == 1 and told["warnings"][0].startswith(f"tag {oldest}: "), told
            run(stage, path, "rollback", "-q", f"docker://{r.host}/x:1")
            run(stage, path, "rollback", "-q", f"docker://{r.host}/x:1")  # what was before is told by the second
            assert names(r, "x") == {"1": digests[0]}
            run(stage, path, "rollback", "-q", f"docker://{r.host}/x:1", digests[2])
            repo.tags[oldest] = before
        entry = next(m for m in json.loads(read(path, "lay/index.json"))["manifests"] if "artifactType" in m)
        text = json.loads(read(path, "lay/blobs/sha256", entry["digest"][7:]))["layers"][0]["digest"][7:]
        os.chmod(f"{path}/lay/blobs/sha256/{text}", 0o644)
        file(path, f"lay/blobs/sha256/{text}", "{}")
        out, err = run(stage, path, "tags", "oci:lay")
        assert out == f"1  {digests[2]}\n" and "tag 1-" in err and "this version is left out of the list" in err, (out, err)


@scenario
def tags_are_asked_for_at_once(stage):
    """The first question learns who we are; then four are open at the same time, or nobody answers. None is asked twice."""
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        push(stage, path, r, "x:1")
        repo = r.repositories["x"]
        for i in range(8):
            repo.tags[f"nightly-{i}"] = repo.tags["1"]
        r.since()
        barrier = threading.Barrier(4)
        r.faults = [Fault("HEAD", "manifests/nightly", 4, after=2, do=lambda h: barrier.wait(PATIENCE) and False)]
        told = json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x")[0])["tags"]
        heads = [p for m, p, status in r.log if m == "HEAD" and status == 200]
        assert len(told) == 9 and r.faults[0].met == 4 and len(heads) == len(set(heads)) == len(repo.tags), heads


@scenario
def many_tags_come_in_pages(stage):
    with Registry() as r:
        path = locked(stage)
        push(stage, path, r, "x:1")
        repo = r.repositories["x"]
        for i in range(2500):
            repo.tags[f"nightly-{i:04}"] = repo.tags["1"]
        told = json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x")[0])["tags"]
        assert len(told) == 2501 and len(methods(r.log, "GET", "tags/list")) == 3, len(told)
        r.faults.append(Fault("GET", "tags/list", 1, body=b'{"errors": [{"code": "NAME_UNKNOWN", "message": "who?"}]}', status=404))
        assert "create it there first" in run(stage, path, "tags", f"docker://{r.host}/x", code=5)[1]


@scenario
def many_locks_are_asked_for_at_once(stage):
    """The first question learns who we are; then four are open at the same time, or nobody answers."""
    with Registry() as r:
        r.referrers = False
        path = locked(stage)
        push(stage, path, r, "x:1")
        repo = r.repositories["x"]
        lock = repo.tags[next(t for t in repo.tags if t.endswith(".lock"))]
        for i in range(2, 10):
            repo.tags[f"{i}-{i:012}.lock"] = lock
        for tag in [t for t in repo.tags if t.startswith("sha256-")]:
            del repo.tags[tag]  # the list of referrers
        for args, asked in ((("lock", "--from", f"docker://{r.host}/x:1"), r"manifests/.*\.lock$"), (("tags", f"docker://{r.host}/x"), "manifests/" + lock)):
            barrier = threading.Barrier(4)
            r.faults = [Fault("GET", asked, 4, after=1, do=lambda h: barrier.wait(PATIENCE) and False)]
            out, _ = run(stage, path, *args)
            assert r.faults[0].met == 4 and (args[0] == "tags" or out.encode() == read(path, "recipe.lock")), r.log


@scenario
def a_tag_is_pointed_back(stage):
    for kind in ("registry", "layout"):
        with Registry(token="me:secret") as r:
            path = stage.fresh()
            login(path, r)
            place = f"docker://{r.host}/x:1" if kind == "registry" else "oci:lay:1"
            digests, locks = three(stage, path, place)
            now = lambda: json.loads(run(stage, path, "tags", "--json", place)[0])["tags"][0]["digest"]
            out, err = run(stage, path, "rollback", place)
            assert now() == digests[1] and out.strip() == (f"{r.host}/x@{digests[1]}" if kind == "registry" else place), out
            assert digests[2] in err, err
            run(stage, path, "rollback", "-q", place)
            assert now() == digests[0]
            err = run(stage, path, "rollback", place, code=3)[1]
            assert "nobody noted what was before it; name one behind it: 1-" in err, err
            versions = json.loads(run(stage, path, "tags", "--json", place)[0])["tags"][0]["versions"]
            newest = next(v for v in versions if v["digest"] == digests[2])
            for to in (newest["tag"], newest["tag"][2:], digests[2]):
                run(stage, path, "rollback", "-q", place, digests[0])
                told = json.loads(run(stage, path, "rollback", "--json", place, to)[0])
                assert now() == digests[2] and told["was"] == digests[0] and told["digest"] == digests[2], told
            assert '"nothing" is neither a digest nor a tag of this repository' in run(stage, path, "rollback", place, "nothing", code=3)[1]
            wrong = "sha256:" + "1" * 64
            assert "1111" in run(stage, path, "rollback", place, wrong, code=3)[1] and now() == digests[2]
            assert "names no tag" in run(stage, path, "rollback", place[:-2], code=2)[1]
            for to in (), (digests[0],), (newest["tag"],):
                assert "there is no such tag" in run(stage, path, "rollback", place + "O", *to, code=3)[1], "a slip makes no tag"
            # what is built next comes after what the tag names now
            run(stage, path, "rollback", "-q", place, digests[0])
            edit(path, "env: {A: three}")
            run(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", place)
            run(stage, path, "rollback", "-q", place)
            assert now() == digests[0]


@scenario
def a_repository_that_lets_no_tag_move_says_so(stage):
    with Registry() as r:
        path = stage.fresh()
        digests, _ = three(stage, path, f"docker://{r.host}/x:1")
        r.immutable = True
        err = run(stage, path, "rollback", f"docker://{r.host}/x:1", code=5)[1]
        assert "does not allow a tag to move" in err and names(r, "x") == {"1": digests[2]}, err
        r.since()
        err = run(stage, path, "rollback", f"docker://{r.host}/x:1", digests[2])[1]
        assert "it was that before" in err and not methods(r.log, "PUT"), (err, r.log)
        for status, code, message in ((400, "TAG_INVALID", "the image tag cannot be overwritten"), (412, "PRECONDITION", "configured as immutable"),
                                      (403, "DENIED", "tag is immutable")):
            body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
            r.faults.append(Fault("PUT", "manifests/1$", 1, status=status, body=body))
            err = run(stage, path, "rollback", f"docker://{r.host}/x:1", code=5)[1]
            assert "does not allow a tag to move" in err and message in err and names(r, "x") == {"1": digests[2]}, err


@scenario
def a_failed_build_moves_no_tag(stage):
    """Whatever of the last steps fails: the tag that stays, the tag itself, a blob."""
    with Registry() as r:
        path = stage.fresh()
        first = push(stage, path, r, "x:1").split("@")[1]
        for fault in (Fault("PUT", "manifests/1-[0-9a-f]+$", 1, status=400),
                      Fault("PUT", "manifests/1$", 1, status=400), Fault("POST|PUT", "uploads", 1, status=403)):
            edit(path, "env: {B: '%s'}" % fault.path)
            r.faults[:] = [fault]
            push(stage, path, r, "x:1", code=5)
            assert names(r, "x") == {"1": first} and fault.met, fault.path


@scenario
def a_registry_that_takes_no_lock_takes_the_image(stage):
    """It does not know the artifact, its config, its layer or its tag, or takes none: one warning."""
    digest, _ = golden(stage)
    path = locked(stage)
    with Registry() as r:
        push(stage, path, r, "x:1")
        lock = next(d for t, d in r.repositories["x"].tags.items() if t.endswith(".lock"))
        text = json.loads(r.repositories["x"].manifests[lock][1])["layers"][0]["digest"]
    says = json.dumps({"errors": [{"code": "MANIFEST_INVALID", "message": "unknown artifactType"}]}).encode()
    for listed, fault in ((True, Fault("PUT", f"manifests/{lock}", 99, status=400, body=says)), (True, Fault("PUT", "manifests/.*lock$", 99, status=415, body=says)),
                          (True, Fault("PUT", "uploads/.*" + text[7:], 99, status=403, body=says)),
                          (True, Fault("HEAD", "manifests/.*lock$", 99, status=400)), (False, Fault("GET", "manifests/sha256-", 99, status=400, body=says)),
                          (False, Fault("PUT", "manifests/sha256-", 99, status=405, body=says))):
        with Registry() as r:
            r.referrers = listed
            r.faults.append(fault)
            got, out, err = end(start(stage, path, "build", "recipe.yaml", "-o", f"docker://{r.host}/x:1"))
            assert got == 0 and out == f"{r.host}/x@{digest}\n" and names(r, "x") == {"1": digest}, (fault.path, err)
            assert err.count("the image is there, but not its lock: ") == 1, (fault.path, err)
            assert ("unknown artifactType" in err) == (fault.method == "PUT" or not listed) and not r.sessions, err
            assert fault.met
        with Registry() as r, Registry() as to:
            push(stage, path, r, "x:1")
            to.referrers = listed
            fault.met = 0
            to.faults.append(fault)
            got, out, err = end(start(stage, path, "copy", "--all", f"docker://{r.host}/x:1", f"docker://{to.host}/y:1"))
            assert got == 0 and out == f"{to.host}/y@{digest}\n" and to.repositories["y"].tags["1"] == digest, (fault.path, err)
            assert err.count("the image is there, but not its lock: ") == 1 and fault.met, (fault.path, err)


@scenario
def what_has_no_tag_may_be_swept(stage):
    """A clean-up job deletes all manifests without a tag: the image, its older ones and all locks are still there."""
    for listed in (True, False):
        with Registry() as r:
            r.referrers = listed
            path = stage.fresh()
            digests, locks = three(stage, path, f"docker://{r.host}/x:1")
            repo = r.repositories["x"]
            repo.manifests = {d: m for d, m in repo.manifests.items() if d in repo.tags.values()}
            used = {d["digest"] for _, m in repo.manifests.values() for d in json.loads(m).get("layers", []) + [json.loads(m).get("config", {"digest": ""})]}
            repo.blobs &= used
            for digest, lock in zip(digests, locks):
                operand = f"docker://{r.host}/x@{digest}"
                run(stage, path, "inspect", "-q", operand)
                assert run(stage, path, "lock", "--from", operand)[0].encode() == lock


@scenario
def images_of_an_index_may_be_swept_no_more(stage):
    """All that is copied with an index has a tag, so it outlives a clean-up job, and comes back whole."""
    digest, _ = golden(stage)
    with Registry() as r, Registry() as to:
        path = locked(stage)
        push(stage, path, r, "x:1")
        edit(path, "env: {A: two}")
        push(stage, path, r, "x:2")
        repo = r.repositories["x"]
        second = repo.tags["2"]
        entry = lambda d: {"mediaType": repo.manifests[d][0], "digest": d, "size": len(repo.manifests[d][1])}
        index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                            "manifests": [dict(entry(d), platform={"os": "linux", "architecture": arch}) for d, arch in ((digest, "amd64"), (second, "arm64"))]}).encode()
        top = "sha256:" + hashlib.sha256(index).hexdigest()
        repo.manifests[top] = ("application/vnd.oci.image.index.v1+json", index)
        repo.tags["all"] = top
        copy(stage, path, f"docker://{r.host}/x:all", f"docker://{to.host}/y:all", "--all")
        held = to.repositories["y"]
        assert set(held.manifests) == set(held.tags.values()) and len(held.manifests) == 5, held.tags
        held.manifests = {d: m for d, m in held.manifests.items() if d in held.tags.values()}
        copy(stage, path, f"docker://{to.host}/y:all", "oci:back:all", "--all")
        for d in (digest, second):
            assert os.path.exists(f"{path}/back/blobs/sha256/{d[7:]}")
            assert run(stage, path, "lock", "--from", f"docker://{to.host}/y@{d}")[0]
        told = json.loads(run(stage, path, "tags", "--json", f"docker://{to.host}/y")[0])["tags"]
        assert [t["tag"] for t in told] == ["all"] and len(told[0]["versions"]) == 2, told


@scenario
def ten_attach_at_once_where_no_list_of_referrers_is(stage):
    """All read the list before any has written it. With an ETag none is lost there; without one each lock still has its tag."""
    digest, _ = golden(stage)
    path = locked(stage)
    for etags in (True, False):
        with Registry() as r:
            r.referrers, r.etags = False, etags
            push(stage, path, r, "x:0")
            repo = r.repositories["x"]
            kind, body = repo.manifests[digest]
            for n in range(10):  # what the lock says was before differs, so each has a lock's artifact of its own
                other = body + b" " * (n + 1)
                repo.tags[str(n)] = "sha256:" + hashlib.sha256(other).hexdigest()
                repo.manifests[repo.tags[str(n)]] = (kind, other)
            for t in [t for t in repo.tags if t.startswith("sha256-") or re.match("0-", t)]:
                del repo.tags[t]
            ready = threading.Barrier(10)
            r.faults.append(Fault("GET", "manifests/sha256-", 10, do=lambda h: ready.wait(PATIENCE) and False))
            for p in [start(stage, path, "build", "-q", "--locked", "recipe.yaml", "-o", f"docker://{r.host}/x:{n}") for n in range(10)]:
                got, out, err = end(p)
                assert got == 0 and not err, err
            locks = {d for t, d in repo.tags.items() if t.endswith(".lock")}
            assert len(locks) == 10 and names(r, "x") == {str(n): digest for n in range(10)}, repo.tags
            index = json.loads(repo.manifests[repo.tags[digest.replace(":", "-")]][1])
            listed = {m["digest"] for m in index["manifests"]}
            assert listed == locks if etags else listed and listed <= locks, (etags, len(listed))
            del repo.tags[digest.replace(":", "-")]  # as if the list had been lost
            assert run(stage, path, "lock", "--from", f"docker://{r.host}/x@{digest}")[0].encode() == read(path, "recipe.lock")


@scenario
def what_was_before_is_known_by_the_first(stage):
    """Another runner publishes the same image between two questions of ours."""
    with Registry() as r:
        path = stage.fresh()
        old = push(stage, path, r, "x:1").split("@")[1]
        edit(path, "env: {A: one}")
        run(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml")

        def other(handler):
            push(stage, path, r, "x:1")
            handler.error(404, "MANIFEST_UNKNOWN")
            return True
        r.faults.append(Fault("HEAD", r"manifests/1-[0-9a-f]{12}\.lock$", 1, do=other))
        new = push(stage, path, r, "x:1").split("@")[1]
        versions = json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x:1")[0])["tags"][0]["versions"]
        assert r.faults[0].met and [(v["digest"], v.get("before")) for v in versions] == [(new, old), (old, None)], versions


@scenario
def another_image_of_the_same_lock_has_a_tag_of_its_own(stage):
    """As another compressor's may be: what the tag that never moves names stays, and both have their lock."""
    digest, _ = golden(stage)
    with Registry() as r:
        path = locked(stage)
        push(stage, path, r, "x:1")
        repo = r.repositories["x"]
        fixed = next(t for t in repo.tags if re.fullmatch("1-[0-9a-f]{12}", t))
        kind, body = repo.manifests[digest]
        other = body + b"\n"
        repo.tags[fixed] = "sha256:" + hashlib.sha256(other).hexdigest()
        repo.manifests[repo.tags[fixed]] = (kind, other)
        before = dict(repo.tags)
        for _ in range(2):
            got, out, err = end(start(stage, path, "build", "-q", "recipe.yaml", "-o", f"docker://{r.host}/x:1"))
            assert got == 0 and not err, err
            own = f"{fixed}.{digest[7:19]}"
            lock = repo.tags[own + ".lock"]
            assert repo.tags == {**before, own: digest, own + ".lock": lock}, repo.tags
        assert artifact(r, "x", own + ".lock")["subject"]["digest"] == digest
        told = json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x:1")[0])["tags"]
        assert [t["tag"] for t in told] == ["1"] and own in [v["tag"] for v in told[0]["versions"]], told
        run(stage, path, "rollback", "-q", f"docker://{r.host}/x:1", own)
    path = locked(stage)
    build(stage, path, "-o", "oci:lay:1")
    index = json.loads(read(path, "lay/index.json"))
    entry = next(m for m in index["manifests"] if "artifactType" in m)
    text = read(path, "lay/blobs/sha256", entry["digest"][7:]).replace(digest.encode(), repo.tags[fixed].encode())
    entry["digest"] = "sha256:" + hashlib.sha256(text).hexdigest()
    file(path, "lay/blobs/sha256/" + entry["digest"][7:], text.decode())
    file(path, "lay/index.json", json.dumps(index))
    build(stage, path, "-o", "oci:lay:1")
    index = json.loads(read(path, "lay/index.json"))
    assert [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]] == ["1", own + ".lock", fixed + ".lock"], index
    assert index["manifests"][2]["digest"] == entry["digest"] and index["manifests"][0]["digest"] == digest
    assert run(stage, path, "lock", "--from", "oci:lay:1")[0].encode() == read(path, "recipe.lock")


@scenario
def prune_takes_the_locks_of_images_that_go(stage):
    """What a tag named before goes with its lock, and rollback says that it is gone; what is named stays, with its own."""
    path = stage.fresh()
    digests, locks = three(stage, path, "oci:images:1")
    run(stage, path, "build", "-q", "recipe.yaml", "-o", "oci:images:2")
    index = lambda: json.loads(read(path, "images/index.json"))["manifests"]
    assert [len(index()), len(images({"manifests": index()}))] == [6, 2]
    run(stage, path, "rollback", "-q", "oci:images:1")
    run(stage, path, "rollback", "-q", "oci:images:1", digests[2])
    versions = json.loads(run(stage, path, "tags", "--json", "oci:images:1")[0])["tags"][0]["versions"]
    told = json.loads(run(stage, path, "prune", "--json", "images")[0])
    assert {i["tag"] for i in told["images"]} == {v["tag"] + ".lock" for v in versions if v["digest"] != digests[2]}, told
    assert len(told["images"]) == 2
    assert len(index()) == 4 and [i for i in images({"manifests": index()}) if i["digest"] != digests[2]] == []
    held = {f"sha256:{n}" for n in os.listdir(path + "/images/blobs/sha256")}
    assert held == set(all_blobs(path + "/images")) and not set(digests[:2]) & held
    check_layout(path + "/images", digests[2])
    assert json.loads(run(stage, path, "prune", "--json", "images")[0])["files"] == 0
    assert run(stage, path, "lock", "--from", "oci:images:1")[0].encode() == locks[2]
    err = run(stage, path, "rollback", "oci:images:1", code=3)[1]
    assert digests[1] in err and "lacks the blob" in err, err
    edit(path, "env: {A: one}")
    assert build(stage, path, "--index", stage.index, "-o", "oci:images:1") == digests[1]
    gone = json.loads(run(stage, path, "prune", "--json", "images", "--older", "1h")[0])
    assert [i["tag"] for i in gone["images"]] == [], "what the other tag names still has its locks"


# ---- layers from a cache ----


def golden_layers(stage):
    digest, held = golden(stage)
    return [(d["digest"], d["size"]) for d in json.loads(held[digest])["layers"]]


def filled(stage, r):
    """The registry's repository "cache" has all layers of the golden image, and "team/x" the image."""
    push(stage, locked(stage), r, "team/x", "--cache", f"docker://{r.host}/cache")
    cache = r.repositories["cache"]
    assert set(cache.tags) == {"layer-" + d[7:] for d, _ in golden_layers(stage)}, cache.tags
    for digest, size in golden_layers(stage):
        kind, body = cache.manifests[cache.tags["layer-" + digest[7:]]]
        document = json.loads(body)
        assert kind == document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
        assert [(d["digest"], d["size"]) for d in document["layers"]] == [(digest, size)], document
        config = json.loads(r.blobs[document["config"]["digest"]])
        assert len(config["rootfs"]["diff_ids"]) == 1 and config["architecture"] == "amd64", config
    return cache


@scenario
def what_is_made_is_left_in_the_cache(stage):
    """Mounted where it is the registry that the image goes to, sent where it is another; once."""
    digest, _ = golden(stage)
    with Registry() as r, Registry() as other:
        filled(stage, r)
        layers = {d for d, _ in golden_layers(stage)}
        assert {p.split("mount=sha256%3A")[1][:64] for p in methods(r.log, "POST", "mount=") if "cache" in p.split("?")[0]} >= {d[7:] for d in layers}
        assert not [p for m, p, _ in r.log if m in ("PATCH", "PUT") and "/cache/blobs/uploads" in p and any(d[7:] in p for d in layers)]
        path = locked(stage)
        build(stage, path, "--cache", f"docker://{other.host}/c")
        assert len(other.repositories["c"].tags) == len(layers) and layers <= other.repositories["c"].blobs
        other.since()
        build(stage, path, "--cache", f"docker://{other.host}/c")
        assert other.received == 0 and not other.sessions


@scenario
def layers_of_a_cache_are_not_made(stage):
    """A bare store, a lock with digests: no byte of an artifact is asked for, whatever the place. In the cache's registry no
    byte of a layer moves either."""
    digest, _ = golden(stage)
    sizes = sum(size for _, size in golden_layers(stage))
    with Registry() as r, Registry() as to:
        filled(stage, r)
        for place in ("oci:images", "oci-archive:o.tar", f"docker://{to.host}/y"):
            path = locked(stage)
            r.since()
            run(stage, path, "build", "-q", "recipe.yaml", "-o", place, "--cache", f"docker://{r.host}/cache")
            assert check_store(path) == 0, f"{place}: an artifact was brought into the store"
            assert r.sent == sizes and r.received == 0, (place, r.sent, r.received, sizes)
        assert to.repositories["y"].tags[TAG] == digest
        path = locked(stage)
        file(path, ".home/.config/envbuild/config.yaml", f"caches: ['docker://{r.host}/cache']\n")
        r.since()
        assert push(stage, path, r, "team/new").endswith(digest)
        assert check_store(path) == 0 and r.sent == 0, r.sent
        assert not methods(r.log, "PATCH"), r.log
        assert len(methods(r.log, "POST", "mount=")) >= len(golden_layers(stage))


@scenario
def caches_are_asked_at_once(stage):
    """Each for what those before it do not have: three questions are open at the same time, or nobody answers."""
    digest, _ = golden(stage)
    layers = [d for d, _ in golden_layers(stage)]
    with Registry(token="me:secret") as r, Registry() as first:
        path = locked(stage)
        login(path, r)
        push(stage, path, r, "team/x", "--cache", f"docker://{r.host}/cache")
        push(stage, locked(stage), first, "team/x", "--cache", f"docker://{first.host}/cache")
        kept = first.repositories["cache"].blobs
        kept.difference_update(layers[1:])
        path = locked(stage)
        login(path, r)
        r.since()
        first.since()
        barriers = [threading.Barrier(3), threading.Barrier(3)]
        for where, barrier, after in ((first, barriers[0], 1), (r, barriers[1], 2)):
            where.faults = [Fault("HEAD", "/cache/blobs/", 3, after=after, do=lambda h, b=barrier: b.wait(PATIENCE) and False)]
        assert build(stage, path, "--cache", f"docker://{first.host}/cache", "--cache", f"docker://{r.host}/cache") == digest
        asked = lambda where: sorted(p[-64:] for m, p, status in where.log if m == "HEAD" and "/cache/blobs/" in p and status != 401)
        assert asked(first) == sorted(d[7:] for d in layers), first.log
        assert asked(r) == sorted(d[7:] for d in layers[1:]), r.log
        assert check_store(path) == 0 and first.faults[0].met == r.faults[0].met == 3


@scenario
def one_layer_that_no_cache_has_is_made(stage):
    """Only what that layer needs comes into the store; it is left in the cache then."""
    digest, _ = golden(stage)
    with Registry() as r:
        cache = filled(stage, r)
        lost = min(golden_layers(stage), key=lambda x: x[1])[0]
        cache.blobs.discard(lost)
        cache.manifests.pop(cache.tags.pop("layer-" + lost[7:]))
        with Registry() as empty:
            path = locked(stage)
            assert build(stage, path, "--cache", f"docker://{empty.host}/none", "--cache", f"docker://{r.host}/cache") == digest
            assert 0 < check_store(path), "the lost layer came from nowhere"
            assert "layer-" + lost[7:] in cache.tags and lost in cache.blobs
            assert set(empty.repositories["none"].tags) == {"layer-" + lost[7:]}, "only what was made is left"


@scenario
def a_cache_that_does_not_work_is_a_warning(stage):
    digest, _ = golden(stage)
    for fault, words in ((Fault("POST", "/cache/blobs/uploads", 99, status=403), "are not left in the cache"),
                         (Fault("PUT", "/cache/manifests/layer-", 99, status=400), "are not left in the cache"),
                         (Fault("HEAD", "/cache/blobs", 99, status=403), "the cache is not read")):
        with Registry() as r:
            r.faults.append(fault)
            path = locked(stage)
            got, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml", "--cache", f"docker://{r.host}/cache"))
            assert got == 0 and err.count(words) == 1, err
            check_layout(path + "/images", digest)
            assert not r.sessions
    for wrong in ("x", "oci:x", "docker://127.0.0.1:1/x:tag", "docker://"):
        assert "is no cache" in build(stage, locked(stage), "--cache", wrong, code=2), wrong


@scenario
def a_cache_has_layers_of_any_compression(stage):
    for kind in ("zstd", "zstd:chunked"):
        path = stage.fresh()
        edit(path, f"compression: {kind}")
        with Registry() as r:
            digest = build(stage, path, "--index", stage.index, "--cache", f"docker://{r.host}/cache")
            cache = r.repositories["cache"]
            for _, body in cache.manifests.values():
                assert [d["mediaType"] for d in json.loads(body)["layers"]] == ["application/vnd.oci.image.layer.v1.tar+zstd"], body
            bare = stage.fresh()
            for name in ("recipe.yaml", "recipe.lock"):
                shutil.copy(f"{path}/{name}", bare)
            assert build(stage, bare, "--locked", "--cache", f"docker://{r.host}/cache") == digest and check_store(bare) == 0
            check_layout(bare + "/images", digest)


def damaged(body):
    return body[:-1] + bytes([body[-1] ^ 1])


@scenario
def what_a_cache_does_not_give_is_made(stage):
    """A layer that is damaged there, short or not to be had: one warning, and the same image wherever it goes."""
    digest, _ = golden(stage)
    name = golden_layers(stage)[-1][0]
    with Registry() as r:
        cache = filled(stage, r)
        good = r.blobs[name]
        plain = locked(stage)
        build(stage, plain, "-o", "oci-archive:o.tar")
        for place in ("oci:images", "oci-archive:o.tar", "dir:flat", "docker://"):
            for bad, fault in ((damaged(good), ()), (b"", ()), (good[:-1], ()), (good, (Fault("GET", f"/cache/blobs/{name}", 99, status=404),))):
                if place != "oci:images" and bad != damaged(good):
                    continue
                with Registry() as to:
                    r.blobs[name], r.faults[:] = bad, fault
                    if len(bad) != len(good):  # what it says of it is right
                        r.faults.append(Fault("HEAD", f"/cache/blobs/{name}", 99, status=200, headers={"Content-Length": str(len(good))}))
                    path = locked(stage)
                    got, out, err = end(start(stage, path, "build", "recipe.yaml", "--cache", f"docker://{r.host}/cache",
                                              "-o", place if place != "docker://" else f"docker://{to.host}/y:1"))
                    assert got == 0 and err.count("is made, for the cache") == 1, (place, len(bad), err)
                    assert 0 < check_store(path), "the layer came from nowhere"
                    if place == "oci:images":
                        check_layout(path + "/images", digest)
                    elif place == "docker://":
                        assert names(to, "y") == {"1": digest} and not to.sessions and to.blobs[name] == good
                    elif place == "dir:flat":
                        assert read(path, "flat", name[7:]) == good
                    else:
                        assert read(path, "o.tar") == read(plain, "o.tar")
        r.blobs[name], r.faults[:] = damaged(good), ()
        path = locked(stage)
        for p in ("images", "o"):  # what is made once is not made again
            run(stage, path, "build", "-q", "recipe.yaml", "--cache", f"docker://{r.host}/cache", "-o", "oci:" + p)
            check_layout(f"{path}/{p}", digest)
