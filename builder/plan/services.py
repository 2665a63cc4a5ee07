#!/opt/venv/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""Written by envbuild. Starts what the recipe's `services` names, as the image's user, and ends when one of them ends or a
signal comes. With the argument `probe` it tells whether they answer."""
import os, sys

ANYWHERE = ["/tmp", "/dev/shm"]  # one of them can be written even where nothing else can

# ---- the health check ----
# It runs every few seconds in each container, thirty of them on a machine with a class, and nothing of the image is compiled: so it
# stands before the imports of all else, and takes what Python's own `socket` stands on.


def listening(place):
    """The file that says who listens where: this container's, also where several share the folder and the host's name."""
    return f"{place}/envbuild-listening-{os.stat('/proc/self/ns/mnt').st_ino}"


def answer(port, request, size):
    """The first bytes that come back."""
    import _socket

    server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    server.settimeout(10)
    server.connect(("127.0.0.1", port))
    server.sendall(request)
    got = b""
    while len(got) < size and (more := server.recv(size - len(got))):
        got += more
    return got


def probe():
    """Why it is not well, or None: do all that were started answer?"""
    found = [file for file in map(listening, ANYWHERE) if os.path.exists(file)]
    if not found:
        return "envbuild: the services do not listen yet"
    with open(found[0], encoding="utf-8") as f:
        lines = f.read().split("\n")
    for name, port, path in (line.split(" ") for line in lines if line):
        try:
            if name == "ssh":
                well = answer(int(port), b"SSH-2.0-probe\r\n", 7) == b"SSH-2.0"
            else:
                well = answer(int(port), f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode(), 12)[9:] == b"200"
        except OSError as e:
            return f"envbuild: {name} does not answer on port {port}: {e}"
        if not well:
            return f"envbuild: {name} does not answer on port {port} as it should"
    return None


if sys.argv[1:] == ["probe"]:
    sys.exit(probe())

import json, pwd, secrets, shutil, signal, socket, stat, subprocess, tempfile, time

SETTINGS = "/usr/local/share/envbuild/services.json"
SECRETS = "/run/secrets/"
CONFIG = 78  # EX_CONFIG of sysexits.h
PATIENCE = 1  # seconds that the services have to end, for `docker stop` is to take less than two
KERNEL_STARTS = 200  # seconds; browsers wait 240 for a websocket
PORTS = 50  # so many are tried, from the one of the recipe on


class No(Exception):
    """A service cannot start; the text says why, and what would work."""


class Stop(Exception):
    """A signal asks for the end."""


def say(text):
    print("envbuild: " + text, flush=True)


# ---- folders ----


def own(path):
    """A folder for us alone."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{path} is not ours")
    os.chmod(path, 0o700)
    if not os.access(path, os.W_OK):
        raise PermissionError(f"{path} cannot be written")
    return path


def first(make, places):
    for place in places:
        try:
            return make(place)
        except OSError:
            pass
    raise No("nothing here can be written, not even /tmp; run it with --tmpfs /tmp")


def use_home():
    """Jupyter and whatever runs in it want a home that can be written."""
    home = os.environ.get("HOME", "/")
    if not os.access(home, os.W_OK):
        os.environ["HOME"] = first(lambda place: own(f"{place}/envbuild-home-{os.getuid()}"), ANYWHERE)


def state_folder():
    """Host keys. It outlives the container where home is a volume."""
    return first(lambda place: own(f"{place}/envbuild-services-{os.getuid()}"), [os.environ["HOME"] + "/.local/state", *ANYWHERE])


def run_folder():
    """What one start needs, with its secrets."""
    return first(lambda place: tempfile.mkdtemp(prefix="envbuild-services-", dir=place), ANYWHERE)


def put(path, text, mode=0o600):
    """A file, whole or not at all; who else may read it depends on what is in it."""
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)
    return path


def mounted(name):
    """The text of a secret that the engine mounts, or None."""
    try:
        with open(SECRETS + name, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise No(f"{SECRETS}{name} cannot be read: {e.strerror}; it must be readable by uid {os.getuid()}") from e


# ---- JupyterLab ----


def given_token():
    """The token that whoever runs the container gives, and where it stands; never an empty one."""
    for where, token in (("JUPYTER_TOKEN", given.get("JUPYTER_TOKEN")), (SECRETS + "jupyter_token", mounted("jupyter_token"))):
        if token is not None and not token.strip():
            raise No(f"{where} is empty, and without a token anybody who reaches the port runs programs here; "
                     "give it a value, or leave it out, and a token is made")
        if token is not None:
            return token.strip(), where
    return None, None


def bring(source, name):
    """Copy one notebook into the work folder, whole or not at all."""
    if os.path.lexists(name):
        return
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    part = os.path.join(os.path.dirname(name), ".envbuild-part")
    shutil.copy(os.path.join(source, name), part, follow_symlinks=False)
    os.rename(part, name)


def bring_notebooks(source):
    """Into the work folder what the image has and it never had: what a student changed stays, and what was removed does not come
    again."""
    record = ".envbuild-notebooks"
    if not os.path.isdir(source) or os.path.realpath(source) == os.path.realpath("."):
        return
    try:
        had = open(record, encoding="utf-8").read().splitlines() if os.path.exists(record) else []
        names = [os.path.relpath(os.path.join(folder, name), source) for folder, _, files in os.walk(source) for name in files]
        fresh = sorted(set(names) - set(had))
        for name in fresh:
            bring(source, name)
        if fresh:
            put(record, "".join(name + "\n" for name in had + fresh), mode=0o666)
    except OSError as e:
        say(f"the notebooks of {source} are not all in {os.getcwd()}: {e}")


def until(child, name, look):
    """What `look` finds, as soon as it finds something."""
    while (found := look()) is None:
        if child.poll() is not None:
            raise No(f"{name} ended with {child.returncode} before it listened")
        time.sleep(0.05)
    return found


def read_server(path):
    """What Jupyter writes about itself when it listens; the file is there before its text is."""
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (FileNotFoundError, ValueError):
        return None


def start_jupyter(settings, run):
    token, where = given_token()
    password = settings.get("password_hash")
    made = not token and not password
    if made:
        token = secrets.token_hex(24)
    if "notebooks" in settings:
        bring_notebooks(settings["notebooks"])
    config = {"ServerApp": {"ip": "*", "port": settings["port"], "port_retries": PORTS, "open_browser": False, "log_level": "ERROR",
                            "root_dir": os.getcwd(), "allow_root": os.getuid() == 0},
              # Nobody of a class is asked whether he wants news, or is told of a JupyterLab that this image does not have.
              "LabApp": {"log_level": "ERROR", "news_url": None, "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate"},
              "IdentityProvider": {"token": token or ""},
              # By TCP whoever is on this machine could read what cells print, and with the host's network that is everybody there.
              # A port would also be chosen long before the kernel takes it; a socket in a folder is the kernel's alone.
              "KernelManager": {"transport": "ipc"},
              # After a minute the server hangs up on a kernel that still starts, as kernels do for long on a busy machine.
              "MappingKernelManager": {"kernel_info_timeout": KERNEL_STARTS}}
    if password:
        config["PasswordIdentityProvider"] = {"hashed_password": password}
    path = put(run + "/jupyter_config.json", json.dumps(config))
    child = subprocess.Popen(["/opt/venv/bin/jupyter-lab", "--config=" + path], stdin=subprocess.DEVNULL, start_new_session=True,
                             env={**os.environ, "JUPYTER_RUNTIME_DIR": run + "/jupyter"})
    children["jupyter"] = child
    server = until(child, "JupyterLab", lambda: read_server(f"{run}/jupyter/jpserver-{child.pid}.json"))
    tell_port("JupyterLab", settings["port"], server["port"])
    link = f"http://127.0.0.1:{server['port']}{server['base_url']}lab"
    if made:
        say(f"JupyterLab: {link}?token={token}")
    else:
        say(f"JupyterLab: {link} " + (f"with the token of {where}" if token else "with the password of the image"))
    return f"{server['port']} {server['base_url']}api"


def tell_port(what, wanted, got):
    if got != wanted:
        say(f"port {wanted} is taken here, so {what} listens on {got}; a port that was published leads to {wanted}")


# ---- OpenSSH ----


def host_key(state, run):
    """Made at the first start: one in the image would be that of all its containers. sshd wants it readable by us alone, which
    some volumes cannot say, so it reads a copy."""
    kept = state + "/ssh_host_ed25519_key"
    if not os.path.exists(kept):
        subprocess.run(["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", run + "/made"], check=True, stdin=subprocess.DEVNULL)
        with open(run + "/made", encoding="ascii") as f:
            put(kept, f.read())
    with open(kept, encoding="ascii") as f:
        return put(run + "/host_key", f.read())


def session_environment():
    """What a session gets: all of the container's, but what belongs to one session. Of two lines of SetEnv only the first counts."""
    session = {"PWD", "OLDPWD", "SHLVL", "TERM", "_", "USER", "LOGNAME", "SHELL"}
    env = {name: value for name, value in os.environ.items() if name not in session}
    many = sorted(name for name, value in env.items() if "\n" in value)
    if many:
        say(f"sessions of ssh do not get {', '.join(many)}, whose values have several lines")
    env["ENVBUILD_PATH"] = env.get("PATH", os.defpath)
    return "".join(' "' + f"{name}={value}".replace("\\", "\\\\").replace('"', '\\"') + '"' for name, value in env.items() if name not in many)


def is_free(port):
    try:
        with socket.create_server(("", port)):
            return True
    except OSError:
        return False


def start_sshd(config, pid_file, wanted):
    """On the wanted port, else on the next that is free; another may take it between our look and sshd's."""
    for port in range(wanted, min(wanted + PORTS, 65536)):
        if not is_free(port):
            continue
        child = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config, "-p", str(port)], stdin=subprocess.DEVNULL, start_new_session=True)
        children["ssh"] = child
        try:
            return until(child, "sshd", lambda: port if os.path.exists(pid_file) else None)
        except No:
            del children["ssh"]
    raise No(f"ssh is not there: sshd cannot listen on a port from {wanted} to {port}")


def start_ssh(settings, run):
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError as e:
        raise No(f"ssh is not there: sshd lets in none but users that /etc/passwd names, and it does not name uid {os.getuid()}; "
                 f"run the image as its own user, {image['user']}") from e
    keys = "\n".join([*settings["keys"], given.get("AUTHORIZED_KEYS", ""), mounted("authorized_keys") or ""]).strip()
    if not keys and not os.path.exists(os.path.expanduser("~/.ssh/authorized_keys")):
        raise No("ssh is not there: it lets in nobody without a key; give public keys as AUTHORIZED_KEYS, as "
                 f"{SECRETS}authorized_keys, or in the recipe")
    key = host_key(state_folder(), run)
    config = put(run + "/sshd_config", f"""HostKey {key}
AuthorizedKeysFile {put(run + "/authorized_keys", keys + chr(10))} .ssh/authorized_keys
PidFile {run}/sshd.pid
LogLevel ERROR
UsePAM no
StrictModes no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
AllowUsers {user}
PrintMotd no
Subsystem sftp internal-sftp
SetEnv{session_environment()}
""")
    port = start_sshd(config, run + "/sshd.pid", settings["port"])
    tell_port("sshd", settings["port"], port)
    said = subprocess.run(["/usr/bin/ssh-keygen", "-lf", key], capture_output=True, text=True, check=True).stdout.split()
    say(f"ssh: ssh -p {port} {user}@127.0.0.1 (host key {said[1]})")
    return f"{port} -"


# ---- all of them ----


def tell_probe(services, run):
    file = listening(os.path.dirname(run))
    os.rename(put(run + "/listening", "".join(f"{name} {where}\n" for name, where in services.items()), mode=0o644), file)
    return file


def become_user():
    """Who runs the container as root gets the services as the image's user all the same."""
    if os.getuid() == 0 and "user" in image:
        user = pwd.getpwnam(image["user"])
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def stop(n, frame):
    raise Stop()


def end_all():
    for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(n, signal.SIG_IGN)
    for child in children.values():
        child.terminate()
    last = time.monotonic() + PATIENCE
    for child in children.values():
        try:
            child.wait(max(0, last - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


def watch():
    """Until one ends: its exit code."""
    while True:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        for name, child in children.items():
            if child.poll() is not None:
                say(f"{name} ended with {child.returncode}, and so does the container")
                return child.returncode or 1


def serve(run):
    services = {}
    for name, start in (("ssh", start_ssh), ("jupyter", start_jupyter)):
        if name in image:
            try:
                services[name] = start(image[name], run)
            except No as e:
                say(str(e))
    if not services:
        return CONFIG
    told = tell_probe(services, run)
    try:
        return watch()
    finally:
        os.remove(told)


def main():
    become_user()
    use_home()
    run = run_folder()
    try:
        for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(n, stop)
        return serve(run)
    except Stop:
        return 0
    finally:
        end_all()
        shutil.rmtree(run, ignore_errors=True)


children = {}
with open(SETTINGS, encoding="utf-8") as settings_file:
    image = json.load(settings_file)
# Neither kernels nor sessions need them.
given = {name: os.environ.pop(name) for name in ("JUPYTER_TOKEN", "AUTHORIZED_KEYS") if name in os.environ}
try:
    sys.exit(main())
except (No, OSError, ValueError, subprocess.SubprocessError) as e:
    sys.exit(f"envbuild: {e}")
