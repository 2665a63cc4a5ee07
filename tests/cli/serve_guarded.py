# SPDX-License-Identifier: Apache-2.0
"""serve with a certificate, with a passphrase, and announced in the network. As serve.py, whose server and images these are."""
import base64, http.client, re, shutil, ssl

from lib import *
from serve import DOCKER, Serve, made, two_thousand, waited

CODE = "right-code.7"


def authority(path):
    """A CA of our own, and certificates with their keys: by name what each is for."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=path, check=True, capture_output=True)

    def certificate(name, names, *dates):
        with open(f"{path}/{name}.ext", "w") as f:
            f.write(names and f"subjectAltName={names}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=127.0.0.1")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem", "-extfile", name + ".ext", *(dates or ("-days", "30")))

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=the course", "-days", "30")
    return openssl, certificate


class Guarded(Serve):
    """With options, an environment, and what Basic needs."""

    def __init__(self, stage, path, *options, code=None, listen="127.0.0.1:0", **env):
        self.env = {**env, **({"ENVBUILD_CODE": code} if code else {})}
        self.process = start(stage, path, "serve", "--listen", listen, *options, **self.env)
        self.signal, self.err = 2, ""

    def ask(self, path, method="GET", code=None, user="x", context=None, by="127.0.0.1", **headers):
        if code is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{code}".encode()).decode()
        if context:
            c = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port, source_address=(by, 0))
        try:
            c.request(method, path, None, {k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()


def ended(stage, path, *options, **env):
    code, out, err = end(start(stage, path, "serve", "--listen", "127.0.0.1:0", *options, **env))
    assert not out, out
    return code, err


@scenario
def a_certificate_of_its_own(stage):
    """Whoever trusts its authority pulls the same image, by ranges too; all links say https; who does not trust it is told."""
    data = os.urandom(700000)
    path, manifest, (layer,) = made(stage, data)
    _, certificate = authority(path)
    certificate("here", "IP:127.0.0.1,DNS:localhost")
    trusting = ssl.create_default_context(cafile=path + "/ca.crt")
    with Guarded(stage, path, "--cert", "here.pem", "--key", "here.key") as s:
        page = s.ask("/", context=trusting)[2].decode()
        assert f'<p class="where">https://{s.host}/</p>' in page and "http://" not in page and "{{" not in page, page
        assert f"podman pull {s.host}/course:big" in page and "apptainer pull image.sif" in page and f"/etc/docker/certs.d/{s.host}/ca.crt" in page
        where = "/v2/course/blobs/" + layer["digest"]
        assert s.ask(where, context=trusting)[2] == data
        assert s.ask(where, context=trusting, Range="bytes=70000-270000")[2] == data[70000:270001]
        whole = s.ask("/image.tar", context=trusting)[2]
        assert s.ask("/image.tar", context=trusting, Range="bytes=600000-")[2] == whole[600000:] and data in whole
        try:
            s.ask("/", context=ssl.create_default_context())
            raise AssertionError("a stranger's certificate was trusted")
        except ssl.SSLCertVerificationError:
            pass
        assert not s.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 2")
        with open(path + "/bundle.crt", "w") as f:
            f.write(read(path, "ca.crt").decode())
        got = subprocess.run([stage.envbuild, "copy", "-q", f"docker://{s.host}/course:big", "oci:copied:x"], cwd=path, env=stage.env(path, SSL_CERT_FILE=path + "/bundle.crt"), capture_output=True, text=True)
        assert got.returncode == 0, got.stderr
        assert json.loads(read(path, "copied/index.json"))["manifests"][0]["digest"] == manifest["digest"]
        err = run(stage, path, "copy", "-q", f"docker://{s.host}/course:big", "oci:never:x", code=5)[1]
        assert "certificate is not trusted" in err, err
        if shutil.which("skopeo"):
            os.makedirs(path + "/certs", exist_ok=True)
            shutil.copy(path + "/ca.crt", path + "/certs/ca.crt")
            subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--src-cert-dir", "certs", f"docker://{s.host}/course:big", "dir:theirs"], cwd=path, check=True)
        assert "all done" in waited(lambda: s.ask("/table", context=trusting)[2].decode(), "all done")
        with_curl(stage, path, s, manifest, trusting)
    assert f"envbuild: https://{s.host}/ says what to type" in s.err and "the certificate is for a name" not in s.err, s.err
    certificate("named", "DNS:teacher.example,DNS:*.example")
    with Guarded(stage, path, "--cert", "named.pem", "--key", "named.key") as s:
        assert s.host == f"teacher.example:{s.port}", s.host
    assert "envbuild: the certificate is for a name, so that has to lead to this machine" in s.err, s.err


def with_curl(stage, path, s, manifest, trusting):
    """get.sh by https, with the authority that it is told."""
    if not shutil.which("curl"):
        return
    env = engine(stage, path)
    script = s.ask("/get.sh", context=trusting)[2]
    for options, code, words in (((), 1, f"the certificate of https://{s.host}/ is not trusted here"), (("--cacert",), 1, "--cacert wants a file"),
                                 (("--cacert", "ca.crt"), 0, "get: course:big is loaded")):
        done = subprocess.run(["sh", "-s", "--", *options], input=script, cwd=path, env=env, capture_output=True)
        assert done.returncode == code and words in done.stderr.decode(), (options, done)


def engine(stage, path):
    """A Docker that keeps what it is told; the environment in which it is found."""
    os.makedirs(path + "/bin", exist_ok=True)
    with open(path + "/bin/docker", "w") as f:
        f.write(DOCKER)
    os.chmod(path + "/bin/docker", 0o755)
    return {**stage.env(path), "PATH": path + "/bin:/usr/bin:/bin"}


@scenario
def certificates_that_will_not_do(stage):
    path, _, _ = made(stage, b"x")
    openssl, certificate = authority(path)
    certificate("here", "IP:127.0.0.1")
    certificate("other", "IP:127.0.0.1")
    certificate("elsewhere", "IP:10.9.8.7,DNS:*.school.example")
    certificate("nameless", "")
    certificate("old", "IP:127.0.0.1", "-not_before", "20200101000000Z", "-not_after", "20210101000000Z") if b"not_before" in subprocess.run(
        ["openssl", "x509", "-help"], capture_output=True).stderr else certificate("old", "IP:127.0.0.1", "-days", "-1")
    openssl("pkey", "-in", "here.key", "-aes128", "-passout", "pass:abcdef", "-out", "locked.key")
    with open(path + "/empty", "w"):
        pass
    with open(path + "/damaged.pem", "w") as f:
        f.write(read(path, "here.pem").decode().replace("M", "N", 20))
    for cert, key, code, words in (("here.pem", None, 2, "--cert and --key belong together"), (None, "here.key", 2, "--cert and --key belong together"),
                                   ("nowhere.pem", "here.key", 3, "nowhere.pem"), ("here.pem", "nowhere.key", 3, "nowhere.key"),
                                   ("empty", "here.key", 3, "empty holds no certificate in PEM"), ("damaged.pem", "here.key", 3, "damaged.pem holds no certificate in PEM"),
                                   ("here.key", "here.key", 3, "here.key holds no certificate in PEM"), ("here.pem", "empty", 3, "empty holds no private key in PEM"),
                                   ("here.pem", "here.pem", 3, "here.pem holds no private key in PEM"),
                                   ("here.pem", "locked.key", 3, "locked.key is encrypted; `openssl pkey -in locked.key -out plain.key` writes the key without its passphrase"),
                                   ("here.pem", "other.key", 3, "the key in other.key does not belong to the certificate in here.pem"),
                                   ("old.pem", "old.key", 3, "the certificate in old.pem expired at 20"),
                                   ("elsewhere.pem", "elsewhere.key", 3, "the certificate in elsewhere.pem is for 10.9.8.7, *.school.example, and this machine is reached by 127.0.0.1:"),
                                   ("nameless.pem", "nameless.key", 3, "is for no name that clients look at")):
        got, err = ended(stage, path, *(cert and ("--cert", cert) or ()), *(key and ("--key", key) or ()))
        assert got == code and words in err, (cert, key, got, err)


@scenario
def a_code_for_all_of_it(stage):
    """Page, archive, scripts, table and registry want it, of any user; it stands in none of them."""
    path, manifest, (layer,) = made(stage, os.urandom(100000))
    everything = ("/", "/table", "/image.tar", "/get.sh", "/get.ps1", "/nothing", "/v2/", "/v2/_catalog", "/v2/course/tags/list", "/v2/course/manifests/big", "/v2/course/blobs/" + layer["digest"], "/v2/x/manifests/y")
    with Guarded(stage, path, code=CODE) as s:
        for where in everything:
            for method in ("GET", "HEAD"):
                for said in ({}, {"Authorization": "Bearer " + CODE}, {"Authorization": "Basic"}, {"Authorization": "Basic %%%"},
                             {"Authorization": "Basic " + base64.b64encode(CODE.encode()).decode()}):
                    status, headers, body = s.ask(where, method, **said)
                    assert status == 401 and headers["WWW-Authenticate"].startswith('Basic realm="envbuild"'), (where, said, status)
                    assert b"course" not in body and (method == "HEAD" or (json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED" if where.startswith("/v2") else b"a code is wanted" in body)), (where, body)
            assert s.ask(where, code=CODE, user="")[0] == s.ask(where, code=CODE, user="anybody")[0] == (404 if where in ("/nothing", "/v2/x/manifests/y") else 200), where
        assert [s.ask("/", code=wrong)[0] for wrong in ("", CODE[:-1], CODE + "x", CODE.upper())] == [401] * 4
        for where in everything:
            assert CODE.encode() not in s.ask(where, code=CODE)[2], where
        page = s.ask("/", code=CODE)[2].decode()
        assert "需要口令" in s.ask("/?lang=zh", code=CODE)[2].decode() and "A code is asked for" in page
        assert f"curl -fsS --noproxy '*' -u class 'http://{s.host}/get.sh" in page and f"podman login --tls-verify=false -u class {s.host}\npodman pull" in page
        assert 'curl.exe -f --noproxy "*" -u class -o' in page and "--no-https --docker-login" in page
        script = s.ask("/get.sh", code=CODE)[2]
        key = re.search(rb"(?m)^key='([0-9a-z-]{29})'", script)[1].decode()
        assert hashlib.sha256(script).hexdigest() in page and key not in page and s.ask("/image.tar", "HEAD", code=key)[0] == 200
        if shutil.which("curl"):
            env = engine(stage, path)
            done = subprocess.run(["sh"], input=script, cwd=path, env=env, capture_output=True)
            assert done.returncode == 0 and b"get: course:big is loaded" in done.stderr, done
        for args, code in ((("--src-creds", "x:" + CODE), 0), (("--src-creds", "x:wrong"), 1), (("--src-no-creds",), 1)):
            if shutil.which("skopeo"):
                done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", *args, f"docker://{s.host}/course:big", "dir:theirs"], cwd=path, capture_output=True)
                assert done.returncode == code, (args, done)
        err = run(stage, path, "copy", "-q", f"docker://{s.host}/course:big", "oci:never:x", code=5)[1]
        assert "401" in err or "log in" in err or "login" in err, err
        os.makedirs(path + "/.home/.docker", exist_ok=True)
        with open(path + "/.home/.docker/config.json", "w") as f:
            json.dump({"auths": {s.host: {"auth": base64.b64encode(f"x:{CODE}".encode()).decode()}}}, f)
        run(stage, path, "copy", "-q", f"docker://{s.host}/course:big", "oci:copied:x")
        assert json.loads(read(path, "copied/index.json"))["manifests"][0]["digest"] == manifest["digest"]
        table = waited(lambda: s.ask("/table", code=CODE)[2].decode(), "done")
        assert CODE not in table and key not in table
        assert CODE.encode() not in read(f"/proc/{s.process.pid}/cmdline")
    assert CODE not in s.err and "the code can be read in the network; --cert and --key encrypt it" in s.err, s.err
    with Guarded(stage, path) as s:
        if shutil.which("curl"):
            os.unlink(path + "/bin/id")
            moved = script.replace(re.search(rb"http://(127[^/]*)/", script)[1], s.host.encode())
            done = subprocess.run(["sh"], input=moved, cwd=path, env=env, capture_output=True)
            assert done.returncode == 0, "where no code is wanted one that is said changes nothing"
    with Guarded(stage, path, code=CODE) as s:
        if shutil.which("curl"):
            os.unlink(path + "/bin/id")
            moved = script.replace(re.search(rb"http://(127[^/]*)/", script)[1], s.host.encode())
            done = subprocess.run(["sh"], input=moved, cwd=path, env=env, capture_output=True)
            assert done.returncode == 1 and b"refuses; it was started anew" in done.stderr, done


@scenario
def strangers_who_lack_the_code(stage):
    """Whatever they send, none of it is let in, and who has the code is."""
    path, manifest, (layer,) = made(stage, b"layer")
    with Guarded(stage, path, code=CODE) as s:
        two_thousand(s, layer["digest"], manifest["digest"], rb"400|401|405|408|411|413|414|429|431|501|505", 18)
        for where in ("/delta/course:big?have=" + manifest["digest"], "/image.tar?have=" + layer["digest"]):
            assert s.ask(where, by="127.0.0.2")[0] == s.ask(where, code=CODE[1:], by="127.0.0.2")[0] == 401
        assert s.ask("/image.tar?have=" + layer["digest"], code=CODE, by="127.0.0.3")[0] == 200


@scenario
def a_code_that_is_made(stage):
    """It is told once, to who started it; what is too weak or has other signs is refused, in words that do not repeat it."""
    path, _, _ = made(stage, b"layer")
    with Guarded(stage, path, "--code") as s:
        assert s.ask("/")[0] == 401
    code = re.search(r"(?m)^envbuild: the code is ([0-9a-z]{4}-[0-9a-z]{4}), as the password of any user$", s.err)[1]
    process = start(stage, path, "serve", "--listen", "127.0.0.1:0", "--code", "--json", "-q")
    text = ""
    while not text.endswith("\n}\n"):
        text += process.stdout.readline().decode()
    told = json.loads(text)
    process.terminate()
    assert not end(process)[2] and re.fullmatch(r"[0-9a-z]{4}-[0-9a-z]{4}", told["code"]) and told["code"] != code, told
    for weak, words in (("", "the code has 0 characters; it may have 6 to 64"), ("short", "the code has 5 characters"), ("x" * 65, "the code has 65 characters"), ("with a blank", "letters, digits and -._~"),
                        ("quo'te-in-it", "letters, digits and -._~"), ("口令口令口令", "letters, digits and -._~")):
        got, err = ended(stage, path, ENVBUILD_CODE=weak)
        assert got == 3 and "ENVBUILD_CODE: " in err and words in err and (not weak or weak not in err), (weak, got, err)


@scenario
def who_guesses_is_not_heard(stage):
    """One address that tries many, and the others are let in all the while; the right code does not help it before a second is over."""
    path, _, _ = made(stage, b"layer")
    with Guarded(stage, path, code=CODE) as s:
        got = [s.ask("/", code=f"guess-{n}", by="127.0.0.9") for n in range(60)]
        assert [g[0] for g in got[:20]] == [401] * 20 and 429 in [g[0] for g in got[20:]], [g[0] for g in got]
        late = next(g for g in got if g[0] == 429)
        assert late[1]["Retry-After"] == "1" and b"too many wrong codes" in late[2]
        for _ in range(5):
            assert s.ask("/", code=CODE, by="127.0.0.8")[0] == 200
        assert s.ask("/", by="127.0.0.9")[0] == 401
        registry = [s.ask("/v2/", code="guess", by="127.0.0.9") for _ in range(60)]
        assert json.loads(next(g for g in registry if g[0] == 429)[2])["errors"][0]["code"] == "TOOMANYREQUESTS"


PUBLISH = """#!/bin/sh
here=$(dirname "$0")
echo $$ >"$here/pid"
printf '%s\\n' "$@" >"$here/told.new"
mv "$here/told.new" "$here/told"
exec tail -f /dev/null
"""


@scenario
def announced_in_the_network(stage):
    """By avahi-publish, as long as it serves; not where this machine alone is served, and nothing is said where there is none."""
    path, _, _ = made(stage, b"layer")
    os.mkdir(path + "/bin")
    with open(path + "/bin/avahi-publish", "w") as f:
        f.write(PUBLISH)
    os.chmod(path + "/bin/avahi-publish", 0o755)
    with Guarded(stage, path, listen=":0", PATH=path + "/bin:/usr/bin:/bin") as s:
        told = waited(lambda: os.path.exists(path + "/bin/told") and read(path, "bin/told").decode() or "", "url=")
        assert told == f"-s\ncourse\n_envbuild._tcp\n{s.port}\nurl=http://{s.host}\n", told
    assert not os.path.exists("/proc/" + read(path, "bin/pid").decode().strip()), "it goes on without its server"
    os.unlink(path + "/bin/told")
    with Guarded(stage, path, PATH=path + "/bin:/usr/bin:/bin") as s:
        assert s.ask("/")[0] == 200
    assert not os.path.exists(path + "/bin/told"), "nobody else reaches the loopback"
    os.chmod(path + "/bin/avahi-publish", 0o644)
    with Guarded(stage, path, listen=":0", PATH=path + "/bin") as s:
        assert s.ask("/")[0] == 200
    assert "avahi" not in s.err, s.err
