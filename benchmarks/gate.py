"""Is this tree slower than a base? Both are timed in turns, in one run on one machine.

    python benchmarks/gate.py --base main [--cases forward ...] [--pairs 12] [--markdown FILE]

The base is checked out beside this tree (a git worktree, removed again). Each case has a process
per tree, which compiles once and then runs when told, in the order base, branch, branch, base, ...,
so that what else the machine does falls on both. A run is timed in CPU seconds of its process.
Given are the ratio branch over base (geometric mean of the pairs), its 95 % confidence interval by
Student's t on the logarithms, and a verdict: slower or faster only if the whole interval says so by
more than --margin. Exit code 1 if a case is slower or does not run; 0 else. What the base cannot
run is new, and not judged.
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def cases():
    """What is timed: name to (sky, rays, what) in the public names that both trees have."""
    import synax

    def sky(magnetic="WMAP", electrons="TwoDisc", steps=64, **kwargs):
        b, n_e = getattr(synax.magnetic, magnetic)(), getattr(synax.electrons, electrons)()
        return synax.Synchrotron(b, n_e, synax.cosmic_rays.WMAP(), steps=steps, **kwargs)

    def gridded():
        grid = synax.GridField.from_field(
            synax.magnetic.WMAP(), synax.Box((20.0, 20.0, 5.0)), shape=(64, 64, 32)
        )
        return synax.Synchrotron(
            grid, synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=64
        )

    return {
        "smallest": (lambda: sky(steps=2), 1, "forward"),
        "forward": (sky, 16, "forward"),
        "forward, 13 cells": (lambda: sky(steps=13), 32, "forward"),
        "forward, JF12 and YMW16": (lambda: sky("JF12", "YMW16"), 8, "forward"),
        "gradient, all parameters": (sky, 16, "gradient"),
        "gradient, grid": (gridded, 16, "gradient"),
    }


def work(name):
    """One process of one tree: 'ready', then a line of CPU seconds for every line that comes."""
    import time

    import equinox as eqx
    import jax
    import jax.numpy as jnp

    import synax

    jax.config.update("jax_enable_x64", True)
    make, nside, what = cases()[name]
    rays, sky = synax.Sightlines.healpix(nside), make()

    def loss(sky, rays):
        stokes = sky(rays, 2.4)
        return jnp.sum(stokes.Q**2) + jnp.sum(stokes.U**2)

    run = eqx.filter_jit(loss if what == "forward" else eqx.filter_value_and_grad(loss))

    def seconds():
        start = time.process_time()
        jax.block_until_ready(jax.tree.leaves(run(sky, rays)))
        return time.process_time() - start

    print(json.dumps({"compile": seconds(), "from": str(Path(synax.__file__).parent.parent)}))
    sys.stdout.flush()
    for _ in sys.stdin:
        print(seconds(), flush=True)


class Worker:
    """A process that runs one case of one tree when told."""

    def __init__(self, tree, name, command=None):
        command = command or [sys.executable, str(Path(__file__).resolve()), "--work", name]
        environment = dict(os.environ, PYTHONPATH=str(tree))
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, env=environment, cwd=tree, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip
        try:
            about = json.loads(self._answer())
            if not Path(about["from"]).samefile(tree):
                raise RuntimeError(f"timed the package of {about['from']}, not that of {tree}")
            self.compile = about["compile"]
        except BaseException:
            self.close()
            raise

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or ["no message"]
            raise RuntimeError(f"exit code {self.process.returncode}: {words[-1]}")
        return line

    def run(self):
        """CPU seconds of one run."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._answer())

    def close(self):
        """End the process and wait for it."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def checkout(revision):
    """A worktree of a revision, removed afterwards."""
    git = ["git", "-C", str(HERE)]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        made = subprocess.run(
            [*git, "worktree", "add", "--detach", str(tree), revision],
            capture_output=True, text=True,
        )  # fmt: skip
        if made.returncode:
            raise SystemExit(f"--base {revision}: {made.stderr.strip().splitlines()[-1]}")
        try:
            yield tree
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(tree)], check=False)


def pairs(base, branch, count):
    """(base, branch) seconds of `count` pairs, in the order ABBAAB..., after a run of each."""
    base.run(), branch.run()
    found = []
    for k in range(count):
        if k % 2 == 0:
            a, b = base.run(), branch.run()
        else:
            b, a = branch.run(), base.run()
        found.append((a, b))
    return found


def interval(timed):
    """Geometric mean of branch over base, and its 95 % confidence interval."""
    from scipy.stats import t

    logs = [math.log(b / a) for a, b in timed]
    n, mean = len(logs), sum(logs) / len(logs)
    spread = math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1) / n)
    reach = float(t.ppf(0.975, n - 1)) * spread
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def verdict(low, high, margin):
    """What an interval says, if `margin` is too little to speak of."""
    if low > 1.0 + margin:
        return "slower"
    if high < 1.0 / (1.0 + margin):
        return "faster"
    return "equal" if high < 1.0 + margin and low > 1.0 / (1.0 + margin) else "undecided"


def judge(name, trees, count, margin, make=Worker):
    """The row of one case."""
    workers = []
    try:
        try:
            branch = make(trees["branch"], name)
            workers.append(branch)
        except RuntimeError as error:
            return {"case": name, "verdict": "does not run", "why": str(error)}
        try:
            base = make(trees["base"], name)
            workers.append(base)
        except RuntimeError as error:
            return {"case": name, "verdict": "new", "why": str(error)}
        timed = pairs(base, branch, count)
        ratio, low, high = interval(timed)
        middle = lambda values: sorted(values)[len(timed) // 2]
        return {
            "case": name,
            "base_ms": 1e3 * middle([a for a, _ in timed]),
            "branch_ms": 1e3 * middle([b for _, b in timed]),
            "ratio": ratio,
            "low": low,
            "high": high,
            "base_first_s": base.compile,
            "branch_first_s": branch.compile,
            "verdict": verdict(low, high, margin),
        }
    finally:
        for worker in workers:
            worker.close()


def markdown(rows, base):
    """The rows as a table for people."""
    lines = [
        f"Branch against {base}: CPU time, ratio of branch over base with its 95 % confidence "
        "interval. The first run, which compiles, is timed once.",
        "",
        "| case | base (ms) | branch (ms) | ratio | first run (s) | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "ratio" not in row:
            lines.append(f"| {row['case']} | | | | | {row['verdict']}: {row['why']} |")
            continue
        lines.append(
            "| {case} | {base_ms:.1f} | {branch_ms:.1f} | {ratio:.3f} ({low:.3f} to {high:.3f}) "
            "| {base_first_s:.1f} to {branch_first_s:.1f} | {verdict} |".format(**row)
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", help="revision to compare with, such as main or HEAD~1")
    parser.add_argument("--cases", nargs="+", help="names of cases (default: all but 'smallest')")
    parser.add_argument("--pairs", type=int, default=12, help="runs of each tree (at least 3)")
    parser.add_argument("--margin", type=float, default=0.05, help="relative difference allowed")
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args.work)
    if not args.base:
        parser.error("give --base REVISION")
    if args.pairs < 3:
        parser.error(f"--pairs must be at least 3, got {args.pairs}")
    sys.path.insert(0, str(HERE))
    known = cases()
    unknown = set(args.cases or ()) - set(known)
    if unknown:
        parser.error(f"--cases must be among {', '.join(known)}, got {', '.join(sorted(unknown))}")
    rows = []
    with checkout(args.base) as base:
        trees = {"base": base, "branch": HERE}
        for name in args.cases or [name for name in known if name != "smallest"]:
            rows.append(judge(name, trees, args.pairs, args.margin))
            print(rows[-1], flush=True)
    table = markdown(rows, args.base)
    print(table)
    if args.markdown:
        Path(args.markdown).write_text(table)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row["verdict"] in ("slower", "does not run") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
