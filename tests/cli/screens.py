# SPDX-License-Identifier: Apache-2.0
"""The display as a person sees it: tmux is the terminal, and its screens are compared where downloads are held at a byte
count, so that no clock decides what is on them. Time left is masked. As lib.py."""
import os, re, select, shutil, subprocess, time

import world
from lib import PATIENCE, Skip, locked, mischief, scenario

BUILD = 'envbuild build --downloads 1 --locked --index "$INDEX" recipe.yaml'
STEPS = ["fetch and assemble", "finish"]
END = ["oci:images:pytorch:2.6.0-cuda12.4-cudnn9-runtime",
       "  9.6 MiB in 9 layers, 9 new and 0 reused, @TIME@; next: `envbuild recipe.yaml -o docker:` loads it", "exit 0"]


class Screen:
    """A terminal of so many columns, in which a shell runs the command. It goes on being looked at when that ended."""

    def __init__(self, stage, path, columns, command):
        if not shutil.which("tmux"):
            raise Skip("tmux is not installed")
        self.path, self.env = path, stage.env(path)
        for name in ("begin", "end", "drawn"):
            os.mkfifo(f"{path}/{name}")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "20",
                  f"read x <begin; {command}; echo exit $?; read x <end", ";", "set", "status", "off", ";",
                  "resize-window", "-x", str(columns), "-y", "20", ";", "pipe-pane", "-O", "cat >drawn")
        self.drawn = open(path + "/drawn", "rb", buffering=0)
        with open(path + "/begin", "w") as f:
            f.write("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        self.drawn.close()

    def tmux(self, *args):
        return subprocess.run(["tmux", "-u", "-S", "tmux", *args], cwd=self.path, env=self.env, check=True, timeout=PATIENCE,
                              stdout=subprocess.PIPE).stdout.decode()

    def rows(self, *how):
        rows = [row.rstrip() for row in self.tmux("capture-pane", "-p", *how).split("\n")]
        return [row for row in rows if row]

    def until(self, what):
        """The rows, as soon as they are right; they are looked at again when something was drawn."""
        last = time.monotonic() + PATIENCE
        while not what(self.rows()):
            assert select.select([self.drawn], [], [], PATIENCE)[0] and time.monotonic() < last, f"it stays so: {self.rows()}"
            self.drawn.read(65536)
        return self.rows("-J")

    def at_end(self):
        rows = self.until(lambda rows: any(row.startswith("exit ") for row in rows))
        return [re.sub(r"reused, (\d+ min )?\d+ s;", "reused, @TIME@;", row) for row in rows]


def masked(row):
    return re.sub(r", (\d+ min )?\d+ s left", "", re.sub(r"^\[[#.]+\] ", "", row))


def shown(want, columns):
    """Do the rows say this, and nothing beside it? The first may have a bar, as far as it is done."""
    def right(rows):
        bars = re.findall(r"\[(#*)(\.*)\] ", "\n".join(rows))
        assert len(bars) <= 1 and all(len(row) < columns for row in rows), rows
        if [masked(row) for row in rows] != [row[: columns - 1] for row in want]:
            return False
        assert bars or columns == 40, f"no bar: {rows}"
        done = int(want[0].split("%")[0])
        assert all(len(full) == (len(full) + len(rest)) * done // 100 for full, rest in bars), rows
        return True
    return right


@scenario
def a_display_at_gates(stage):
    for columns in (40, 80, 200):
        path = locked(stage)
        with mischief(stage, *(f"hold always {wheel}" for wheel in ("torch-2.6.0", "triton-3.2.0"))), Screen(stage, path, columns, BUILD) as screen:
            for want in (["20%, 4.0 MiB of 19.2 MiB", "fetch torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl"],
                         ["99%, 19.2 MiB of 19.2 MiB", "fetch triton-3.2.0-cp311-cp311-manylinux1_x86_64.whl"]):
                rows = screen.until(shown(want, columns))
                assert shown(want, columns)(rows), f"it wraps: {rows}"
                world.GATE.release()
            rows = screen.at_end()
            assert rows == END, rows


@scenario
def a_dumb_terminal_and_a_pipe(stage):
    """No bar: each step is a line."""
    for command in ("TERM=dumb " + BUILD, BUILD + " 2>&1 | cat"):
        with Screen(stage, locked(stage), 40, command) as screen:
            rows = [row for row in screen.at_end() if not re.match(r"  \d+%, ", row)]  # one every ten seconds
            assert sorted(rows) == sorted([*STEPS, *END]), rows
