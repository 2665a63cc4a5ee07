# SPDX-License-Identifier: Apache-2.0
"""Scenarios on what containers of an image offer, keep and trust: `ports`, `volumes`, `healthcheck`, `ca_certificates`."""
import gzip, io, json, os, subprocess, tarfile

from base_image import FILES, image
from lib import blobs, build, end, lock, read, recipe, run, scenario, start
from lock_edited import change
from lock_edited import put as put_lock

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
OLD = """-----BEGIN CERTIFICATE-----
MIIBLTCB1AIBATAKBggqhkjOPQQDAjAjMQ0wCwYDVQQKDARDb3JwMRIwEAYDVQQD
DAlDb3JwIFJvb3QwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAjMQ0w
CwYDVQQKDARDb3JwMRIwEAYDVQQDDAlDb3JwIFJvb3QwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAATS2LcZIuKZs7mdK+mugdb77CHMRvUfmvdBrLd7tJjfrfIERbzU
PtVnf6RUhA8TGS6StDx4VmIEjj+Jxe7QAsjxMAoGCCqGSM49BAMCA0gAMEUCIQCZ
+FotJtdQTQI142g/etDCMANQoXYmjDTzcoQa4S/veQIgaRYfHTGPLKq0lLSw4xFM
z985mpiDXS79T3/iYMoLE6A=
-----END CERTIFICATE-----
"""  # of 2020
BASE_CERTS = b"# theirs\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"  # without a line end


def put(path, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())


def certificate(path, name, subject="/O=Corp/CN=Corp Root"):
    """A new certificate in the file, whose text is returned."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path + "/" + name + ".key",
                    "-out", path + "/" + name, "-subj", subject], check=True, stderr=subprocess.DEVNULL)
    return read(path, name).decode()


def subject_hash(path, name):
    return subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", path + "/" + name], check=True, capture_output=True, text=True).stdout.strip()


def top(path, digest):
    """The top layer: entries, their links or bytes by path; and the config."""
    found = blobs(path + "/images")
    manifest = json.loads(found[digest])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(found[manifest["layers"][-1]["digest"]]))) as tar:
        entries = {t.name.rstrip("/"): (oct(t.mode)[2:], t.uid, t.gid, t.linkname or (tar.extractfile(t).read() if t.isfile() else None)) for t in tar}
    return entries, json.loads(found[manifest["config"]["digest"]])["config"]


def on_image(stage, path, base, *lines):
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    text = read(path, "recipe.yaml").decode().replace("base: ./base.yaml", 'base: {image: "oci:base@' + base.digest + '"}')
    put(path, {"recipe.yaml": text})


HEALTH = "healthcheck: {command: 'curl -f $HOST', interval: 1m30s, timeout: 5, start_period: 2m, retries: 5}"
WANT_HEALTH = {"Test": ["CMD", "/bin/sh", "-c", "curl -f $HOST"], "Interval": 90 * 10**9, "Timeout": 5 * 10**9, "StartPeriod": 120 * 10**9, "Retries": 5}


@scenario
def what_it_offers(stage):
    """Into config, lock and `explain`; a volume's folder is the user's, and group 0's; and nothing is there where nothing is asked for."""
    path = stage.fresh()
    base = image(path)
    on_image(stage, path, base, "user: {name: student, uid: 2000}", "ports: [8888, 53/udp, 8888/tcp]", "volumes: [/data/, /srv/cache]", HEALTH)
    digest = build(stage, path)
    entries, config = top(path, digest)
    assert config["ExposedPorts"] == {"53/udp": {}, "8888/tcp": {}} and config["Volumes"] == {"/data": {}, "/srv/cache": {}}, config
    assert config["Healthcheck"] == WANT_HEALTH, config
    assert entries["data"][:3] == entries["srv/cache"][:3] == ("775", 2000, 0), entries
    said = run(stage, path, "explain", "recipe.yaml")[0]
    for line in ("a container of it", "  listens on 8888/tcp 53/udp", "  keeps /data /srv/cache", "  is checked by /bin/sh -c curl -f $HOST"):
        assert line + "\n" in said, said
    said = json.loads(run(stage, path, "explain", "--json", "recipe.yaml")[0])
    assert (said["ports"], said["volumes"]) == (["8888/tcp", "53/udp"], ["/data", "/srv/cache"]), said
    assert build(stage, path, "--locked", "--offline", "-o", "oci:again") == digest
    with open(path + "/recipe.yaml", "a") as f:
        f.write("labels: {a: b}\n")
    for old, new in (("ports: [8888, 53/udp, 8888/tcp]\n", ""), (HEALTH, "")):
        put(path, {"recipe.yaml": read(path, "recipe.yaml").decode().replace(old, new)})
    err = build(stage, path, code=3)
    assert "ports is gone; healthcheck is gone" in err or ("ports is gone" in err and "healthcheck is gone" in err), err
    plain = stage.fresh()
    recipe(stage, plain, f"indexes: [{stage.index}]")
    image_part = lock(stage, plain)["image"]
    assert not {"ports", "volumes", "healthcheck"} & set(image_part), image_part
    assert "a container of it" not in run(stage, plain, "explain", "recipe.yaml")[0]


@scenario
def what_the_base_offers(stage):
    """As a Dockerfile has it: ports and volumes are added, the check continues, is replaced, or taken away; the lock names all."""
    path = stage.fresh()
    base = image(path, ExposedPorts={"80": {}, "9000-9010/tcp": {}}, Volumes={"/theirs": {}, "../x": {}},
                 Healthcheck={"Test": ["CMD-SHELL", "their check"], "Interval": 1500 * 10**6})
    on_image(stage, path, base, "ports: [8888]", "volumes: [/data]")
    digest = build(stage, path)
    config = top(path, digest)[1]
    assert set(config["ExposedPorts"]) == {"80", "80/tcp", "8888/tcp", "9000-9010/tcp"}, config
    assert set(config["Volumes"]) == {"/theirs", "../x", "/data"}, config
    assert config["Healthcheck"] == {"Test": ["CMD", "/bin/sh", "-c", "their check"], "Interval": 2 * 10**9}, config
    document = json.loads(read(path, "recipe.lock"))["image"]
    assert (document["ports"], document["volumes"]) == (["80/tcp", "8888/tcp"], ["/theirs", "/data"]), document
    assert document["healthcheck"] == {"command": ["/bin/sh", "-c", "their check"], "interval": 2}, document
    assert build(stage, path, "--locked", "--offline", "-o", "oci:again") == digest
    for kind in ("compose", "k8s", "slurm"):
        texts = {run(stage, path, "emit", "-q", kind, x, "--as", "example.org/x", "--gpus", "0")[0] for x in ("recipe.lock", "oci:images")}
        assert len(texts) == 1, texts
    for line, want in (("healthcheck: off", None), (HEALTH, WANT_HEALTH)):
        on_image(stage, path, base, line)
        lock(stage, path)
        assert top(path, build(stage, path))[1].get("Healthcheck") == want


@scenario
def edited_offers(stage):
    """Ports, volumes and check of a lock are held against its recipe; what could be none is refused where it is read."""
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", "ports: [8888]", "volumes: [/data]", "healthcheck: {command: [x]}")
    honest = lock(stage, path)
    put(path, {"honest.lock": read(path, "recipe.lock")})
    for says, document in (('ports is "22/tcp" and not "8888/tcp"', change(honest, "image", "ports", to=["22/tcp"])),
                           ('volumes is "/etc" and not "/data"', change(honest, "image", "volumes", to=["/etc"])),
                           ('healthcheck is "evil (interval', change(honest, "image", "healthcheck", "command", to=["evil"]))):
        put_lock(path, document)
        assert says in build(stage, path, code=3), says
        out = run(stage, path, "lock", "diff", "honest.lock", "recipe.lock")[0]
        assert says.partition(" is")[0] in out, (says, out)
    for says, document in (('ports: "0/tcp" is not one', change(honest, "image", "ports", to=["0/tcp"])),
                           ('volumes: "/../x" is not an absolute path', change(honest, "image", "volumes", to=["/../x"])),
                           ('healthcheck: "" is not a command', change(honest, "image", "healthcheck", "command", to=[""]))):
        put_lock(path, document)
        assert says in build(stage, path, code=3), says


@scenario
def refused_offers(stage):
    """What cannot be meant is told with its place and what would work."""
    path = stage.fresh()
    for line, words in (("ports: [0]", 'ports: "0" is not a port such as 8888'), ("ports: [65536]", "is not a port"), ("ports: ['8888/http']", "is not a port"),
                        ("ports: ['80:8888']", "the host's port is for who runs it"), ("volumes: [data]", 'volumes: "data" is not an absolute path'),
                        ("volumes: [/proc/x]", "outside /proc"), ("volumes: ['./d:/data']", "what of the host stands there is for who runs it"),
                        ("volumes: ['/a,b']", "is not an absolute path"), ("healthcheck: maybe", "healthcheck: a map of keys and values is wanted here"),
                        ("healthcheck: {interval: 3s}", "it needs a command"), ("healthcheck: {command: []}", "it needs a command"),
                        ("healthcheck: {command: x, interval: 500ms}", 'interval "500ms" is not a time such as 30s'),
                        ("healthcheck: {command: x, timeout: 0}", 'timeout "0" is not a time'), ("healthcheck: {command: x, interval: 25h}", "of at most 24h"),
                        ("healthcheck: {command: x, retries: 0}", "retries must be at least 1"), ("healthcheck: {command: x, test: y}", 'unknown key "test"'),
                        ("expose: [80]", "write ports: [8888]"), ("mounts: [x]", "volumes: [/data] keeps data"), ("certificates: [x]", "write ca_certificates: [corp.pem]")):
        recipe(stage, path, line)
        err = lock(stage, path, code=3)
        assert err.startswith("recipe.yaml:") and words in err, (line, err)


# ---- certificates ----


@scenario
def certificates_on_debian(stage):
    """As update-ca-certificates leaves it: the file, its links by name and hash, the bundle behind the system's; and variables for those who bring their own."""
    path = stage.fresh()
    one, two = certificate(path, "corp root.pem"), certificate(path, "other.crt", "/CN=Other")
    put(path, {"ca/corp root.pem": "Corp's own:\r\n" + one.replace("\n", "\r\n"), "ca/all.pem": one + "\n" + two})
    recipe(stage, path, f"indexes: [{stage.index}]", "ca_certificates: [ca/corp root.pem, ca/all.pem]")
    digest = build(stage, path)
    entries, config = top(path, digest)
    share = "usr/local/share/ca-certificates/"
    assert entries[share + "corp_root.crt"] == ("644", 0, 0, one.encode()), entries
    assert entries[share + "all-1.crt"][3] == one.encode() and entries[share + "all-2.crt"][3] == two.encode()
    mine, others = subject_hash(path, "corp root.pem"), subject_hash(path, "other.crt")
    links = {name[len("etc/ssl/certs/"):]: e[3] for name, e in entries.items() if name.startswith("etc/ssl/certs/") and name != BUNDLE}
    assert links == {"corp_root.pem": "/" + share + "corp_root.crt", "all-1.pem": "/" + share + "all-1.crt", "all-2.pem": "/" + share + "all-2.crt",
                     mine + ".0": "corp_root.pem", mine + ".1": "all-1.pem", others + ".0": "all-2.pem"}, links
    assert entries[BUNDLE][:3] == ("644", 0, 0) and entries[BUNDLE][3].endswith((one + one + two).encode())
    env = dict(line.split("=", 1) for line in config["Env"])
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        assert env[name] == "/" + BUNDLE, env
    said = run(stage, path, "explain", "recipe.yaml")[0]
    assert "  trusts corp_root.crt all-1.crt all-2.crt\n" in said, said
    os.rename(path + "/.cache", path + "/.cache-1")  # without the memory of the first build
    assert build(stage, path, "--locked", "-o", "oci:again") == digest
    put(path, {"ca/all.pem": two})
    err = build(stage, path, "--locked", code=3)
    assert "ca/all.pem changed; run" in err, err


@scenario
def certificates_on_images(stage):
    """The bundle of the image below is continued, wherever it has one; without one there is one now."""
    path = stage.fresh()
    pem = certificate(path, "corp.pem").encode()
    mine = subject_hash(path, "corp.pem")
    fedora = {"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": BASE_CERTS, "etc/ssl/certs": ("../pki/tls/certs",),
              "etc/pki/tls/certs/ca-bundle.crt": ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",)}
    behind = BASE_CERTS + b"\n" + pem
    for files, want in (({}, {BUNDLE: pem}), ({BUNDLE: BASE_CERTS, "etc/ssl/certs/" + mine + ".0": ("theirs.pem",)}, {BUNDLE: behind}),
                        (fedora, {"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": behind, "etc/pki/tls/certs/ca-certificates.crt": behind})):
        base = image(path, FILES | files)
        on_image(stage, path, base, "ca_certificates: [corp.pem]", "env: {PIP_CERT: /own}")
        lock(stage, path)
        digest = build(stage, path)
        entries, config = top(path, digest)
        for name, text in want.items():
            assert entries[name][3] == text, (name, entries.get(name))
        number = 1 if BUNDLE in files else 0
        where = "etc/pki/tls/certs/" if files is fedora else "etc/ssl/certs/"
        assert entries[f"{where}{mine}.{number}"][3] == "corp.pem", entries
        assert "PIP_CERT=/own" in config["Env"], config
        put(path, {"x.py": str(number)})
        on_image(stage, path, base, "ca_certificates: [corp.pem]", "env: {PIP_CERT: /own}", "files: [{from: x.py, to: /x.py}]")
        lock(stage, path)
        build(stage, path)
        put(path, {"x.py": "changed"})  # only the top layer is made again, from what the store remembers of the rest
        entries = top(path, build(stage, path))[0]
        assert entries["x.py"][3] == b"changed" and all(entries[name][3] == text for name, text in want.items())


@scenario
def certificates_that_are_none(stage):
    """A sentence each, with the place; one that ended is told and taken."""
    path = stage.fresh()
    pem = certificate(path, "corp.pem")
    der = subprocess.run(["openssl", "x509", "-in", path + "/corp.pem", "-outform", "der"], check=True, capture_output=True).stdout
    body = pem.splitlines()
    put(path, {"a/corp.crt": pem, "empty.pem": "", "text.pem": "hello", "der.cer": der, "both.pem": pem + read(path, "corp.pem.key").decode(),
               "broken.pem": "\n".join(body[:2] + ["?"] + body[2:]), "short.pem": "\n".join([body[0], "MAA=", body[-1], ""]), "cut.pem": pem[:200],
               "crl.pem": pem.replace("CERTIFICATE", "X509 CRL"), "dir/x": ""})
    for names, words in (("gone.pem", "gone.pem"), ("dir", "dir"), ("empty.pem", '"empty.pem" holds no certificate in PEM'), ("text.pem", "holds no certificate in PEM"),
                         ("der.cer", '"der.cer" is in DER, and PEM is wanted; `openssl x509 -inform der -in der.cer -out ca.pem` makes'),
                         ("both.pem", '"both.pem" holds a private key, which everybody with the image would have; give the certificates alone'),
                         ("broken.pem", "that is damaged"), ("short.pem", "holds a certificate that is damaged"), ("cut.pem", "damaged"),
                         ("crl.pem", 'holds a "X509 CRL", and only certificates belong there'), ("/etc/corp.pem", "must be relative"),
                         ("corp.pem, corp.pem", "stands there twice"), ("corp.pem, a/corp.crt", "would be /usr/local/share/ca-certificates/corp.crt in the image")):
        recipe(stage, path, f"indexes: [{stage.index}]", f"ca_certificates: [{names}]")
        err = lock(stage, path, code=3)
        assert err.startswith("recipe.yaml:") and "ca_certificates: " in err and words in err, (names, err)
    put(path, {"old.pem": OLD})
    recipe(stage, path, f"indexes: [{stage.index}]", "ca_certificates: [old.pem]")
    code, out, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0 and 'ca_certificates: old.pem: the certificate "O = Corp, CN = Corp Root" ended at ' in err, err
    code, out, err = end(start(stage, path, "build", "recipe.yaml"))
    assert code == 0 and "ended at" not in err, err  # it was told when it was chosen
