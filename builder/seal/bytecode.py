# SPDX-License-Identifier: Apache-2.0
"""Runs in a sealed root: compiles the modules below /seal/build/src, each by its path in the image, to /seal/build/result.

    bytecode.py JOBS

A .pyc is unchecked (PEP 552): Python never looks at its source. What marshal writes also hangs on what else a process holds, so
each module is compiled in a process of its own, a fork of one that has compiled none. What does not compile is passed over, as
pip does.
"""
import importlib.util, os, py_compile, sys, types, warnings

SOURCE, RESULT = "/seal/build/src/", "/seal/build/result/"


def repeats(value):
    """Before Python 3.11 sets are written in the order of hashes, and those of None and ... are addresses."""
    if isinstance(value, types.CodeType):
        return all(map(repeats, value.co_consts))
    if isinstance(value, frozenset):
        return all(type(item) in (str, bytes, int, float, complex, bool) for item in value)
    return all(map(repeats, value)) if isinstance(value, tuple) else True


def compile_one(path):
    made = importlib.util.cache_from_source(RESULT + path)
    with open(SOURCE + path, "rb") as f:
        source = f.read()
    code = compile(source, "/" + path, "exec", dont_inherit=True)
    if sys.version_info >= (3, 11) or repeats(code):
        py_compile.compile(SOURCE + path, made, "/" + path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def in_a_child(work, *args):
    child = os.fork()
    if child == 0:
        try:
            work(*args)
        except BaseException as e:  # whatever foreign source brings about
            print(f"{args[0]}: {type(e).__name__}", flush=True)
        finally:
            os._exit(0)
    return child


def compile_all(paths):
    for path in paths:
        os.waitpid(in_a_child(compile_one, path), 0)


def main():
    jobs = int(sys.argv[1])
    warnings.simplefilter("ignore")
    paths = sorted(os.path.join(folder, name)[len(SOURCE):] for folder, _, names in os.walk(SOURCE) for name in names)
    for path in paths:
        os.makedirs(os.path.dirname(importlib.util.cache_from_source(RESULT + path)), exist_ok=True)
    for child in [in_a_child(compile_all, paths[i::jobs]) for i in range(jobs)]:
        os.waitpid(child, 0)


main()
