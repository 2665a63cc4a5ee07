#!/usr/bin/env python3
# The libraries for which a base file says that a wheel has them, against the packages that hold them: where the versions
# agree, the files differ in nothing but the RUNPATH that some wheels set. Fetches 3 GB.
# SPDX-License-Identifier: Apache-2.0
import glob, hashlib, lzma, os, re, struct, subprocess, sys, tempfile, urllib.request, zipfile

top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MAY_DIFFER = {".dynamic", ".dynstr", ".dynsym", ".shstrtab", ".symtab", ".strtab", ".gnu.hash"}
BASES = ("debian-12", "debian-13")


def sections(data):
    """The digest of each section of an ELF64 file that has bytes."""
    offset, = struct.unpack_from("<Q", data, 0x28)
    n, names = struct.unpack_from("<HH", data, 0x3c)
    heads = [struct.unpack_from("<IIQQQQIIQQ", data, offset + 64 * i) for i in range(n)]
    text = heads[names][4]
    name = lambda h: data[text + h[0]:data.index(b"\0", text + h[0])].decode()
    return {name(h): hashlib.sha256(data[h[4]:h[4] + h[5]]).hexdigest() for h in heads if h[1] != 8}


def packages(suite):
    """Versions and addresses of the suite's non-free packages."""
    url = f"http://deb.debian.org/debian/dists/{suite}/non-free/binary-amd64/Packages.xz"
    text = lzma.decompress(urllib.request.urlopen(url, timeout=120).read()).decode()
    rows = (dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", p, re.M)) for p in text.split("\n\n"))
    return {r["Package"]: r for r in rows if "Package" in r}


def check(base, folder):
    text = open(f"{top}/base-layers/{base}.yaml").read()
    suite = re.search(r"suites: \[(\w+),", text).group(1)
    known, compared = packages(suite), 0
    for package, wheel, file in re.findall(r"^    (\S+): \{wheel: (\S+), file: (\S+)\}", text, re.M):
        row = known[package]
        # 11.1.1+~10.3.5.147~12.4.1-2: one of the parts is the library's own version, that of the wheel.
        for version in reversed(row["Version"].split("~")):
            got = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d",
                                  folder, f"{wheel}=={version}"], capture_output=True)
            if got.returncode == 0:
                break
        else:
            sys.exit(f"FAILED: {base}: no {wheel} of any version in {row['Version']}")
        path = glob.glob(f"{folder}/*.whl")[0]
        theirs = sections(zipfile.ZipFile(path).read(file))
        os.unlink(path)
        urllib.request.urlretrieve("http://deb.debian.org/debian/" + row["Filename"], f"{folder}/x.deb")
        subprocess.run(["dpkg-deb", "-x", f"{folder}/x.deb", f"{folder}/x"], check=True)
        ours = sections(open(f"{folder}/x/usr/lib/x86_64-linux-gnu/{os.path.basename(file)}", "rb").read())
        subprocess.run(["rm", "-rf", f"{folder}/x"], check=True)
        differ = {s for s in set(ours) | set(theirs) if ours.get(s) != theirs.get(s)}
        if differ - MAY_DIFFER:
            sys.exit(f"FAILED: {base}: {package} and {wheel} {version} differ in {sorted(differ - MAY_DIFFER)}")
        compared += 1
    print(f"ok: {base}: {compared} libraries are the wheels'", flush=True)


with tempfile.TemporaryDirectory() as folder:
    try:
        packages("trixie")
    except OSError as e:
        print(f"skipped: Debian's archive does not answer: {e}")
        sys.exit(0)
    for base in BASES:
        check(base, folder)
