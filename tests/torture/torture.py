#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a bad disk, a short machine and a power cut must not break.

    torture.py [--sample] [--only TEXT] [faults] [crashes]

$ENVBUILD is the program, $HOOKS the library made of hooks.c. --sample takes some of the faults and crash states, always
the same ones; --only those whose name has TEXT.
"""
import argparse, shutil, sys

import common, crashes, faults


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sample", action="store_true")
    p.add_argument("--only")
    p.add_argument("parts", nargs="*")
    a = p.parse_args()
    stage = common.open_stage()
    failures = []
    try:
        if not a.parts or "crashes" in a.parts:
            failures += crashes.run(stage, 60 if a.sample else 0, a.only)
        if not a.parts or "faults" in a.parts:
            failures += faults.run(stage, 3 if a.sample else 0, a.only)
    finally:
        shutil.rmtree(stage.top, ignore_errors=True)
    for f in failures:
        print("FAILED:", f)
    return len(failures) > 0


if __name__ == "__main__":
    sys.exit(main())
