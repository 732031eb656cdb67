"""A hundred kills and five hundred damaged checkpoints: the same bytes, or a word about it."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from run_cli import CONFIG

import synax
from synax.inference import Run, RunRefused, RunWarning

ROOT = Path(synax.__file__).parents[1]
KILLS, DAMAGES = 100, 500
CLOCK = re.compile(rb"DATE *= '[^']*'")
"""The header card of FITS maps that says when they were written."""


def start(verb, folder, config, resume):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment["JAX_COMPILATION_CACHE_DIR"] = str(config.parent / "cache")
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    more = ["--resume"] if resume else []
    if verb == "simulate":
        more = ["--nside", "4", "--steps", "4", "--overwrite"]
    command = [sys.executable, "-W", "ignore", "-m", "synax", verb, str(config), "-q"]
    return subprocess.Popen(
        [*command, "-o", str(folder), *more], env=environment, stderr=subprocess.PIPE, text=True
    )


def kept(folder):
    """What must not depend on kills: everything but the log, the clock and the older checkpoint."""
    left_out = ("log.jsonl", "record.json", "checkpoint-previous.npz", "configuration.json")
    return {
        str(p.relative_to(folder)): CLOCK.sub(b"", p.read_bytes())
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in left_out
    }


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["simulate", "fit", "sample"])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path, verb):
    config = tmp_path / "galaxy.toml"
    text = CONFIG.replace("draws = 20", "draws = 400").replace("[fit]", "[fit]\noptimizer = 'adam'")
    config.write_text(text if verb != "simulate" else text.partition("[[data]]")[0])
    whole, broken, moments = tmp_path / "whole", tmp_path / "broken", random.Random(5)
    end = lambda process: (process.communicate(), process.returncode)[1]
    assert end(start(verb, whole, config, False)) == 0
    began = time.monotonic()
    assert end(start(verb, tmp_path / "again", config, False)) == 0
    takes = time.monotonic() - began  # with everything compiled
    for _ in range(-(-KILLS // 3)):
        process = start(verb, broken, config, (broken / "run.json").exists())
        try:
            process.communicate(timeout=moments.uniform(0.3, 1.0) * takes)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), said
        if process.returncode == 0:  # it has ended before: once more from the beginning
            assert kept(broken) == kept(whole)
            shutil.rmtree(broken)
    assert end(start(verb, broken, config, (broken / "run.json").exists())) == 0
    assert kept(broken) == kept(whole)


def damaged(content, other, chance):
    """The bytes of a file after one of the things that happen to files."""
    kind = chance.randrange(5)
    if kind == 0:
        return content[: chance.randrange(len(content))]
    if kind == 1:
        return other
    if kind == 2:
        return bytes(len(content))
    changed = bytearray(content)
    for _ in range(1 if kind == 3 else chance.randrange(2, 64)):
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.slow
def test_damaged_checkpoints_are_found_or_do_no_harm(tmp_path):
    """The right state of one of the two, or a refusal: never another number."""
    chance, template = random.Random(6), {"x": jnp.zeros(50), "n": jnp.int32(0)}
    state = lambda n: {"x": jnp.sin(n * jnp.arange(50.0)), "n": jnp.int32(n)}
    stranger = tmp_path / "stranger"
    with Run(stranger) as run:
        run.begin("fit", {"patience": 3}, {})
        run.save(state(9), {})
    other = (stranger / "checkpoint.npz").read_bytes()
    folder = tmp_path / "run"
    with Run(folder) as run:
        run.begin("fit", {}, {})
        run.save(state(1), {})
        run.save(state(2), {})
    paths = [folder / "checkpoint.npz", folder / "checkpoint-previous.npz"]
    good = [path.read_bytes() for path in paths]
    counts = {"previous": 0, "refused": 0}
    for k in range(DAMAGES):
        paths[0].write_bytes(damaged(good[0], other, chance))
        paths[1].write_bytes(damaged(good[1], other, chance) if k % 3 == 0 else good[1])
        with Run(folder) as run:
            run.begin("fit", {}, {})
            if paths[1].read_bytes() == good[1]:
                with pytest.warns(RunWarning, match="going on from the one before it"):
                    found, _ = run.restore(template)
                assert int(found["n"]) == 1 and np.array_equal(found["x"], state(1)["x"])
                counts["previous"] += 1
            else:
                with pytest.raises(RunRefused, match=r"checkpoint\.npz.*checkpoint-previous\.npz"):
                    run.restore(template)
                counts["refused"] += 1
    assert min(counts.values()) > DAMAGES // 5
    paths[0].write_bytes(good[1])  # an older one of the same run: the steps between are done again
    with Run(folder) as run:
        run.begin("fit", {}, {})
        assert int(run.restore(template)[0]["n"]) == 1
