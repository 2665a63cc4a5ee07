# SPDX-License-Identifier: Apache-2.0
"""Runs in a sealed build's root: an environment for the build, then a hook of its backend (PEP 517).

    driver.py STEP ISOLATED KIND SUBFOLDER [NAME=VALUE...]

STEP is "environment", "requires", "static", "metadata" or "wheel"; ISOLATED "yes" or "no"; KIND of the source "sdist" or
"folder"; the rest are config_settings. "environment" installs the wheels in /seal/in/wheels below /seal/build/env, which the
others find there, and may only read. They read /seal/build/src and write to /seal/build/result: the root's Python begins, and
starts this file again with the environment's, as "hook". Both read Python's own modules and the environment's as bytecode below
sys.pycache_prefix, which is in the environment; what a build starts does not.
"""
import glob, importlib, importlib.util, json, os, sys

BUILD, WHEELS, FILES = "/seal/build", "/seal/in/wheels", "/seal/in/files"
ENV, RESULT = BUILD + "/env", BUILD + "/result"
LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}


def read_toml(path):
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        from pip._vendor import tomli as tomllib
    with open(path, "rb") as f:
        return tomllib.load(f)


def source_folder(kind, sub):
    """An sdist is one folder, or should be."""
    top = BUILD + "/src"
    inside = os.listdir(top)
    if kind == "sdist" and len(inside) == 1 and os.path.isdir(top + "/" + inside[0]):
        top += "/" + inside[0]
    top = os.path.join(top, sub) if sub else top
    if not os.path.exists(top + "/pyproject.toml") and not os.path.exists(top + "/setup.py"):
        sys.exit("neither pyproject.toml nor setup.py is in the source")
    return top


def build_system(folder):
    """[build-system], as PEP 517 and 518 have it."""
    path = folder + "/pyproject.toml"
    table = read_toml(path).get("build-system") if os.path.exists(path) else None
    if table is None:
        return LEGACY
    if "requires" not in table:
        sys.exit("pyproject.toml: [build-system] has no requires, which PEP 518 demands")
    return {**table, "build-backend": table.get("build-backend", LEGACY["build-backend"])}


def lay_crates():
    """The crates among the files, as a folder that cargo takes for crates.io."""
    crates = sorted(glob.glob(FILES + "/*.crate"))
    if not crates:
        return
    import hashlib, tarfile
    vendor, home = BUILD + "/vendor", BUILD + "/cargo"
    for crate in crates:
        folder = f"{vendor}/{os.path.basename(crate)[:-len('.crate')]}"
        with tarfile.open(crate) as tar:
            for member in tar:
                if member.isreg() and os.path.abspath(f"{vendor}/{member.name}").startswith(folder + "/"):
                    tar.extract(member, vendor)
        with open(crate, "rb") as f, open(folder + "/.cargo-checksum.json", "w") as to:
            json.dump({"files": {}, "package": hashlib.sha256(f.read()).hexdigest()}, to)
    os.makedirs(home)
    with open(home + "/config.toml", "w") as f:
        f.write('[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\n'
                f'directory = "{vendor}"\n[net]\noffline = true\n')
    os.environ.update(CARGO_HOME=home, CARGO_NET_OFFLINE="true")


def tell_versioneer(folder):
    """Where there is no .git, versioneer believes what `git archive` writes into its file: a tag, the commit and its date."""
    version = os.environ.get("VERSIONEER_PRETEND_VERSION")
    if not version:
        return
    import re, time
    prefix = ""
    for name in ("pyproject.toml", "setup.cfg"):
        if os.path.exists(name):
            with open(name, encoding="utf-8") as f:
                found = re.search(r"""(?m)^\s*tag_prefix\s*=\s*["']?([^"'\s]*)""", f.read())
            prefix = found[1] if found else prefix
    commit = version.partition("+g")[2]
    date = time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    for top, _, names in os.walk(folder):
        for path in [f"{top}/{name}" for name in names if name.endswith(".py") and os.path.isfile(f"{top}/{name}")]:
            with open(path, "rb") as f:
                text = f.read()
            if b'git_refnames = "$Format:%d$"' in text:
                for short, word in (b"d", f" (tag: {prefix}{version})"), (b"H", commit), (b"ci", date):
                    text = text.replace(b"$Format:%" + short + b"$", word.encode())
                with open(path, "wb") as f:
                    f.write(text)


def compile_below(folder, python=(), compileall=()):
    """By the root's Python, which sees none of the environment: nothing of a package runs here."""
    import subprocess
    subprocess.run([sys.executable, "-S", *python, "-m", "compileall", "-qq", "-j", os.environ.get("MAX_JOBS", "1"),
                    "--invalidation-mode", "unchecked-hash", *compileall, folder], cwd="/", env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"})


def make_environment(isolated):
    """At a fixed path, for compilers write it into what they make."""
    import site, subprocess, sysconfig, venv
    venv.EnvBuilder(symlinks=True, with_pip=False).create(ENV)
    python = ENV + "/bin/python"
    cache = "pycache_prefix=" + sys.pycache_prefix
    compile_below(sysconfig.get_path("stdlib"), ["-X", cache], ["-x", "/(test|idlelib|lib2to3|turtledemo|site-packages|dist-packages)/"])
    pip = os.path.dirname(os.path.dirname(importlib.util.find_spec("pip").origin))
    wheels = sorted(glob.glob(WHEELS + "/*.whl"))
    if wheels:
        # Each by its path, so that nothing is looked for; pip is seen for this one run alone.
        subprocess.run([python, "-X", cache, "-m", "pip", "install", "--no-index", "--no-deps", "--ignore-installed", "--no-compile",
                        "--no-cache-dir", "--no-warn-script-location", "--disable-pip-version-check", "--root-user-action=ignore",
                        "--quiet", *wheels], env={**os.environ, "PYTHONPATH": pip}, check=True)
    if not isolated:
        where = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True,
                               capture_output=True, text=True).stdout.strip()
        with open(where + "/zz_of_the_root.pth", "w") as f:  # behind what was installed
            f.writelines(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
    compile_below(ENV + "/lib")
    for folder, _, names in os.walk(ENV + "/lib"):
        if folder.endswith("/__pycache__"):
            to = sys.pycache_prefix + os.path.dirname(folder)
            os.makedirs(to, exist_ok=True)
            for name in names:
                os.link(f"{folder}/{name}", f"{to}/{name}")


class Sorted:
    """os.scandir() in the order of names: what is left to the file system differs between machines."""

    def __init__(self, scan, path):
        with scan(path) as found:
            self.found = iter(sorted(found, key=lambda entry: os.fsencode(entry.name)))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.found)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.found = iter(())


def sort_folders():
    listdir, scandir = os.listdir, os.scandir
    os.listdir = lambda path=".": sorted(listdir(path), key=os.fsencode)
    os.scandir = lambda path=".": Sorted(scandir, path)


def backend_of(system):
    """The module or object, with backend-path first on the path."""
    sys.path[:0] = [os.path.abspath(path) for path in system.get("backend-path", [])]
    name, _, attributes = system["build-backend"].partition(":")
    backend = importlib.import_module(name)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


def put(name, text):
    os.makedirs(RESULT, exist_ok=True)
    with open(f"{RESULT}/{name}", "w", encoding="utf-8") as f:
        f.write(text)


def settings_of(arguments):
    settings = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        old = settings.get(name)
        settings[name] = value if old is None else [*(old if isinstance(old, list) else [old]), value]
    return settings


def metadata_of_wheel(path):
    import zipfile
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
        return wheel.read(names[0]).decode("utf-8")


def hook(step, system, settings):
    del sys.path[0]  # where this file lies
    sort_folders()
    backend = backend_of(system)
    made = BUILD + "/made"
    os.makedirs(made)
    if step == "requires":
        ask = getattr(backend, "get_requires_for_build_wheel", None)
        put("requires", "".join(line + "\n" for line in (ask(settings) if ask else [])))
    elif step == "metadata" and hasattr(backend, "prepare_metadata_for_build_wheel"):
        folder = backend.prepare_metadata_for_build_wheel(made, settings)
        with open(f"{made}/{folder}/METADATA", encoding="utf-8") as f:
            put("METADATA", f.read())
    else:
        name = backend.build_wheel(made, settings)
        if step == "metadata":
            put("METADATA", metadata_of_wheel(f"{made}/{name}"))
        else:
            os.makedirs(RESULT, exist_ok=True)
            os.rename(f"{made}/{os.path.basename(name)}", f"{RESULT}/{os.path.basename(name)}")


def main():
    step, *rest = sys.argv[1:]
    if step == "hook":
        hook(rest[0], json.loads(rest[1]), settings_of(rest[2:]))
        return
    isolated, kind, sub, *settings = rest
    if step == "environment":
        make_environment(isolated == "yes")
        return
    folder = source_folder(kind, sub)
    system = build_system(folder)
    if step == "static":
        put("requires", "".join(line + "\n" for line in system["requires"]))
        return
    python = ENV + "/bin/python"
    lay_crates()
    os.chdir(folder)
    tell_versioneer(folder)
    sys.stdout.flush()
    os.execv(python, [python, "-X", "pycache_prefix=" + sys.pycache_prefix, __file__, "hook", step, json.dumps(system), *settings])


if __name__ == "__main__":
    main()
