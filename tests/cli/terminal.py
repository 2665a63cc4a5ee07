# SPDX-License-Identifier: Apache-2.0
"""What a terminal or a reader of --json gets of names that strangers chose. As scenarios.py."""
import hashlib, io, json, os, re, subprocess, tarfile

from lib import read, scenario

ESC, C1, BIDI, BAD = b"\x1b]0;x\x07", b"\xc2\x9b31m", b"\xe2\x80\xae", b"\xff"
NAME = b"a" + ESC + C1 + BIDI + BAD + b"z"
TEXT = NAME.replace(BAD, b"").decode()  # what a document can hold
RAW = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def run(stage, path, *args):
    """Exit code and the decoded streams, held to what every command promises."""
    done = subprocess.run([os.fsencode(stage.envbuild), *args], cwd=path, env=stage.env(path), capture_output=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    out, err = (s.decode() for s in (done.stdout, done.stderr))  # UTF-8, or this fails
    for text in (out, err):
        assert not RAW.search(text), f"{args}: {RAW.search(text)} in {text!r}"
    if b"--json" in args:
        json.loads(out)
    return done.returncode, out, err


def layout(path, name, files, label):
    """An image of one layer as an OCI layout."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for file, text in files.items():
            t = tarfile.TarInfo(os.fsdecode(file))
            t.size = len(text)
            tar.addfile(t, io.BytesIO(text))
    folder = os.path.join(path, name, "blobs", "sha256")
    os.makedirs(folder)

    def put(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(folder, digest), "wb") as f:
            f.write(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def document(kind, content):
        return put(json.dumps(content).encode(), f"{kind}.v1+json")

    layer = put(body.getvalue(), "layer.v1.tar")
    config = document("config", {"architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
                                 "author": label, "config": {"Labels": {label: label}, "Env": [f"{label}={label}"],
                                                             "Cmd": [label], "WorkingDir": "/" + label},
                                 "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
                                 "history": [{"created_by": label}]})
    manifest = document("manifest", {"schemaVersion": 2, "config": config, "layers": [layer]})
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "t"}
    for file, content in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
        with open(os.path.join(path, name, file), "w") as f:
            json.dump(content, f)


@scenario
def names_of_strangers_are_escaped(stage):
    """A recipe's path, its words, a lock's, and all that an image can be called."""
    path = stage.fresh()
    site = b"usr/lib/python3/dist-packages/ev%s-1.0.dist-info/" % NAME
    layout(path, "img", {
        b"etc/os-release": b"ID=debian\nVERSION_ID=\"12%s\"\nPRETTY_NAME=\"Debian%s\"\n" % (NAME, NAME),
        site + b"METADATA": b"Metadata-Version: 2.1\nName: ev%s\nVersion: 1%s\n" % (NAME, NAME), site + b"RECORD": b"",
        b"var/lib/dpkg/status": b"Package: x%s\nStatus: install ok installed\nVersion: 1%s\nArchitecture: amd64\n\n" % (NAME, NAME),
        b"opt/%s/libcudart.so.12" % NAME: b"\x7fELF", b"usr/lib/libnccl%s.so.2" % NAME: b"\x7fELF"}, TEXT)
    files = {b"r%s.yaml" % NAME: b"pytorch: 1\n", b"w.yaml": b"pytorch: \"2%s\"\n%s: 1\n" % (b"\\x1b", b"\"k\\x1b\\x9b\""),
             b"l.lock": b"{\"envbuild_lock\": \"\\u001b\\u009b\"}", b"bad.lock": b"{\"" + NAME + b"\": 1}"}
    for name, text in files.items():
        with open(os.path.join(os.fsencode(path), name), "wb") as f:
            f.write(text)
    run(stage, path, b"lock", b"recipe.yaml", b"--index", stage.index.encode())
    edited = read(path, "recipe.lock").replace(b'"name": "torch"', rb'"name": "torch\u001b\u202e"')
    with open(os.path.join(path, "edited.lock"), "wb") as f:
        f.write(edited)
    cases = [
        # what is run, and what one of the streams must have of it
        ((b"build", NAME + b".yaml"), r"a\x1b]0;x\x07\u009b31m\u202e\xffz.yaml"),
        ((NAME + b".yaml",), r"\x1b]0;x"),
        ((b"build", b"r" + NAME + b".yaml"), r"\u202e\xffz.yaml:1:"),
        ((b"lock", b"w.yaml"), r"k\x1b\u009b"),
        ((b"check", b"l.lock"), r"\x1b\u009b"),
        ((b"explain", b"edited.lock"), r"\x1b\u202e"),
        ((b"explain", b"bad.lock"), "bad.lock"),
        ((b"explain", NAME), r"\x1b]0;x"),
        ((b"init", NAME), r"\x1b]0;x"),
        ((b"emit", NAME, b"l.lock"), r"\x1b]0;x"),
        ((b"catalog", b"--gpu", NAME), r"\x1b]0;x"),
        ((b"build", b"--" + NAME), r"\x1b]0;x"),
        ((b"build", b"recipe.yaml", b"-o", b"oci:" + NAME + b":" + NAME), r"\x1b]0;x"),
        ((b"inspect", b"oci:" + NAME + b":t"), r"\x1b]0;x"),
        ((b"inspect", b"oci:img:t"), r"\x1b]0;x\x07\u009b31m\u202e\xffz"),
        ((b"check", b"oci:img:t"), "oci:img:t"),
        ((b"explain", b"oci:img:t"), r"\x1b]0;x\x07\u009b31m\u202e\xffz"),
        ((b"emit", b"slurm", b"oci:img:t"), ""),
    ]
    for args, want in cases:
        code, out, err = run(stage, path, *args)
        assert want in out + err, f"{args}: exit {code}, {out!r}, {err!r}, without {want!r}"
        run(stage, path, args[0], b"--json", *args[1:])
    found = json.loads(run(stage, path, b"inspect", b"oci:img:t", b"--json")[1])
    assert TEXT[:-1] + r"\xff" + "z" in str(found).encode().decode("unicode_escape"), found
