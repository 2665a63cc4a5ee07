# SPDX-License-Identifier: Apache-2.0
"""What is made of the tables of commands and options: help, manual pages, completions. As lib.py."""
import os, re, shlex, shutil, subprocess

from lib import Skip, end, read, run, scenario, start


def commands(stage, path):
    out = run(stage, path, "help")[0]
    return re.findall(r"(?m)^  ([a-z]+) +[A-Z]", out)


def share(stage):
    path = stage.fresh()
    run(stage, path, "help", "--write", path + "/share")
    return path, path + "/share"


@scenario
def every_option_with_a_value_tells_its_default(stage):
    path = stage.fresh()
    found = commands(stage, path)
    assert {"build", "doctor", "help", "why"} <= set(found) and len(found) > 12, found
    for command in found:
        out = run(stage, path, command, "--help")[0]
        assert out == run(stage, path, "help", command)[0]
        options = out.split("\nOptions, in parentheses what holds without one:\n")[1].split("\n\n")[0]
        for option in re.split(r"\n(?=  (?:-.|  )[, ] --)", options.rstrip()):
            head, text = option[:27], " ".join(option[27:].split())
            name = option.split()[0:3]
            takes = re.match(r"  (?:-.,|   ) --[a-z-]+ (\S)", option[:27]) or re.match(r"  (?:-.,|   ) --[a-z-]+ [a-z0-9]+\|", option)
            assert not takes or re.search(r"\([^()]+\)$", text), f"{command}: {name} of {head!r} tells no default: {text!r}"


@scenario
def every_example_is_a_command_line(stage):
    """Each has options that there are: with --help behind, the line is read and nothing done."""
    path = stage.fresh()
    for command in commands(stage, path):
        out = run(stage, path, command, "--help")[0]
        lines = re.findall(r"(?m)^  (envbuild .*)$", out.split("\nExamples:\n")[1].split("\n\n")[0])
        assert lines, f"{command} has no example"
        for line in lines:
            words = shlex.split(line, comments=True)
            words = words[1:min([words.index(w) for w in words if w in ("|", ">", "--")], default=len(words))]
            out = run(stage, path, *words, "--help")[0]
            assert out.startswith(f"usage: envbuild {command} "), (line, out)


@scenario
def help_needs_no_home(stage):
    path = stage.fresh()
    done = subprocess.run([stage.envbuild, "help", "--write", "share"], cwd=path, env={"PATH": "/usr/bin:/bin"}, capture_output=True)
    assert done.returncode == 0 and os.path.exists(path + "/share/man/man1/envbuild.1"), done
    for code, *words in ((2, "build", "lock"), (2, "lock", "--write", "x"), (2, "nonsense"), (7, "--write", "recipe.yaml/x")):
        got, _, err = end(start(stage, path, "help", *words))
        assert got == code and err.startswith("envbuild: "), (words, got, err)


# ---- manual pages ----


def pages(folder):
    return [os.path.join(root, f) for root, _, files in sorted(os.walk(os.path.join(folder, "man"))) for f in sorted(files)]


@scenario
def the_pages_are_the_same_wherever_they_are_made(stage):
    path, one = share(stage)
    run(stage, path, "help", "--write", path + "/other")
    assert subprocess.run(["diff", "-r", one, path + "/other"]).returncode == 0
    want = {f"envbuild-{c}.1" for c in commands(stage, path)} | {"envbuild.1", "envbuild-recipe.5", "envbuild-lock.5"}
    assert {os.path.basename(p) for p in pages(one)} == want
    text = {os.path.basename(p): read(p).decode() for p in pages(one)}
    for name in want:  # who refers to a page refers to one that there is
        for page, section in re.findall(r"(?m)^\.(?:It )?Xr (envbuild\S*) (\d)", text[name]):
            assert f"{page}.{section}" in want, f"{name} refers to {page}({section})"
    for option in ("output", "jobs", "index", "locked", "replace"):
        assert f"Fl \\-{option}" in text["envbuild-build.1"], option


@scenario
def mandoc_finds_nothing(stage):
    if not shutil.which("mandoc"):
        raise Skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages(share(stage)[1])], capture_output=True)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()


@scenario
def groff_finds_nothing(stage):
    if not shutil.which("groff") and not shutil.which("troff"):
        raise Skip("groff is not installed")
    for page in pages(share(stage)[1]):
        done = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", "-rLL=78n", page], capture_output=True)
        assert done.returncode == 0 and not done.stderr, (page, done.stderr.decode())


# ---- completions: the line that was typed, and what is offered ----

OFFERS = [
    ("envbuild bui", {"build"}),
    ("envbuild ./r", {"./recipe.yaml"}),
    ("envbuild build --loc", {"--locked"}),
    ("envbuild lock r", {"recipe.yaml"}),
    ("envbuild lock --upgrade r", {"recipe.yaml"}),
    ("envbuild recipe.yaml --aud", {"--audit"}),
    ("envbuild check --arch a", {"amd64", "arm64"}),
    ("envbuild emit k", {"k8s"}),
    ("envbuild emit k8s --as x re", {"recipe.yaml", "recipe.lock", "readme.txt"}),
    ("envbuild tree r", {"recipe.yaml", "recipe.lock"}),
    ("envbuild build -o dock", {"docker:", "docker-archive:"}),
    ("envbuild build --output=pod", {"podman:"}),
    ("envbuild build --store f", {"folder/"}),
    ("envbuild help whx", set()),
    ("envbuild help why", {"why"}),
    ("envbuild run recipe.yaml -- --loc", set()),
    ("envbuild lock recipe.yaml n", set()),
]
ORDERED = [("envbuild run recipe.yaml r", set())]  # fish offers an operand in any place


def place(stage):
    path, folder = share(stage)
    for name in ("recipe.lock", "readme.txt"):
        open(os.path.join(path, name), "w").close()
    os.mkdir(path + "/folder")
    return path, folder


def offered(shell, path, line, *words, **env):
    done = subprocess.run([shell, *words], cwd=path, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", "HOME": path, "TERM": "dumb", **env})
    assert done.returncode == 0, (shell, line, done)
    return {w for w in done.stdout.splitlines() if w}


def hold(shell, want, got, line):
    plain = lambda all: {w.rstrip("/") for w in all}
    assert plain(got) == plain(want), f"{shell}: {line!r} is offered {sorted(got)}, not {sorted(want)}"


BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
compopt() { :; }
_envbuild envbuild
printf '%s\\n' "${COMPREPLY[@]}"
"""


@scenario
def bash_completes(stage):
    path, folder = place(stage)
    script = folder + "/bash-completion/completions/envbuild"
    for line, want in OFFERS + ORDERED + [("envbuild check oci:f", {"folder"}), ("envbuild build -o oci:f", {"folder"})]:
        hold("bash", want, offered("bash", path, line, "-c", BASH, "bash", script, line), line)


@scenario
def fish_completes(stage):
    if not shutil.which("fish"):
        raise Skip("fish is not installed")
    path, folder = place(stage)
    script = folder + "/fish/vendor_completions.d/envbuild.fish"
    for line, want in OFFERS:
        got = offered("fish", path, line, "-N", "-c", f"source {script}; complete -C {shlex.quote(line)}")
        got = {w.split("\t")[0].replace("--output=", "") for w in got}
        typed = line.split()[-1]
        hold("fish", want, {w for w in got if w.startswith(typed.split("=")[-1])}, line)  # else fish only guesses


# In a terminal of its own zsh completes, and writes down what it was offered in the place of its list.
ZSH = r"""
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source $1"
zpty -r inner line '*READY*'
zpty -w -n inner "$2"$'\t'
zpty -r inner line '*DONE*'
zpty -d inner
"""
ZSH_INNER = r"""
PROMPT=
setopt no_beep
bindkey '^I' complete-word
fpath=(@SHARE@/zsh/site-functions $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' list-grouped false
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return $?
    fi
    typeset -a found
    builtin compadd -A found "$@"
    print -rl -- $found >>@FOUND@
    builtin compadd "$@"
}
tell() { print -r -- DO''NE; exit }
comppostfuncs=(tell)
print -r -- REA''DY
"""


@scenario
def zsh_completes(stage):
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    path, folder = place(stage)
    for line, want in OFFERS + ORDERED:
        found, inner = path + "/.found", path + "/.inner"
        open(found, "w").close()
        with open(inner, "w") as f:
            f.write(ZSH_INNER.replace("@SHARE@", folder).replace("@FOUND@", found))
        offered("zsh", path, line, "-f", "-c", ZSH, "zsh", inner, line)
        got = set(read(found).decode().split("\n")) - {""}
        hold("zsh", {w.removeprefix("./") for w in want}, got, line)
