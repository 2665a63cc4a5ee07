# SPDX-License-Identifier: Apache-2.0
"""What a build shows on terminals of several widths, on one that is dumb, and in a pipe."""
import fcntl, os, pty, re, struct, subprocess, termios

from lib import PATIENCE, end, scenario, start


def on_terminal(stage, path, columns, term):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = subprocess.Popen([stage.envbuild, "build", "--index", stage.index, "recipe.yaml"], cwd=path, stdout=subprocess.PIPE,
                         env=stage.env(path, TERM=term), stderr=slave, stdin=subprocess.DEVNULL)
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert p.wait(timeout=PATIENCE) == 0, seen
    p.stdout.close()
    return seen.decode()


@scenario
def nothing_wraps(stage):
    for columns in (40, 80, 200):
        text = on_terminal(stage, stage.fresh(), columns, "xterm")
        rows = [r for r in re.sub("\x1b\\[[0-9]*[AJ]", "", text).replace("\r", "").split("\n") if not r.startswith("  ")]
        assert rows and all(len(r) < columns for r in rows), rows
        assert "% of" not in text and re.search(r"in 9 layers, 9 new and 0 reused, \d+ s; next: `envbuild recipe.yaml -o docker:", text), text


@scenario
def a_dumb_terminal_gets_lines(stage):
    for term in ("dumb", ""):
        text = on_terminal(stage, stage.fresh(), 80, term)
        assert "\x1b" not in text and text.splitlines()[-2] == "finish", text


@scenario
def a_pipe_gets_few_lines(stage):
    path = stage.fresh()
    for count in ("9 new and 0 reused", "0 new and 9 reused"):
        code, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml"))
        assert code == 0 and err.count("\n") <= 6 and count in err.splitlines()[-1], err
