"""How long `synax simulate` takes from the shell, first and again: wall and CPU seconds.

    python benchmarks/first_map.py [--json FILE]

Each case has a fresh folder of caches (XDG_CACHE_HOME), so the first run compiles everything, and
the second finds what the first one kept. CPU seconds (user and system, of the process and those it
starts) are those to trust where other programs run.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

from _common import report

GALAXIES = {"`synax simulate`": [], "`synax simulate --galaxy wmap`": ["--galaxy", "wmap"]}


def run(words, cache):
    """Wall and CPU seconds of one command."""
    kept = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "synax", "simulate", "--quiet", "--output", folder, *words]
        start = time.perf_counter()
        subprocess.run(command, check=True, env={**kept, "XDG_CACHE_HOME": cache})
        wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="write the results to this file, after each row")
    args = parser.parse_args()
    known = hasattr(os, "sched_getaffinity")  # not on every system
    every = os.sched_getaffinity(0) if known else None
    rows = []
    for name, words in GALAXIES.items():
        for label, cores in (
            {"one": {max(every)}, "all": every}.items() if known else [("all", None)]
        ):
            if known:
                os.sched_setaffinity(0, cores)  # which the processes started from here inherit
            with tempfile.TemporaryDirectory() as cache:
                first, again = (run(words, cache) for _ in range(2))
            rows.append(
                {
                    "case": name,
                    "cores": label,
                    "first_s": first[0],
                    "first_CPU_s": first[1],
                    "again_s": again[0],
                    "again_CPU_s": again[1],
                }
            )
            print(rows[-1], flush=True)
            report("first_map", rows, args.json)


if __name__ == "__main__":
    main()
