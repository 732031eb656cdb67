"""Docstrings of everything public: arguments as bullets, and examples that run."""

import importlib
import importlib.util
import inspect
import re
import textwrap
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax

ROOT = Path(__file__).parent.parent
HEADER = re.compile(r"\*\*Arguments(:\*\*|\*\* \([^)]*\):)")
EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COSTLY = {
    "synax.Posterior.forecast",
    "synax.Sampler",
    "synax.electrons.distance",
    "synax.FaradaySpectrum",
    "synax.fit",
    "synax.instruments.Survey",
    "synax.instruments.View",
    "synax.plot.profile",
    "synax.inference.UF23Prior",
}
"""Examples that compile for longer than a second."""


def documented():
    """Docstrings of public classes, functions and methods by name."""
    path = ROOT / "docs" / "config" / "hooks.py"
    spec = importlib.util.spec_from_file_location("hooks", path)
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    found = {}
    for name in hooks.public_names():
        module, _, last = name.rpartition(".")
        thing = getattr(importlib.import_module(module), last)
        found[name] = thing.__doc__ or ""
        if inspect.isclass(thing):
            for method, member in vars(thing).items():
                text = inspect.getdoc(getattr(member, "__func__", member)) or ""
                if callable(getattr(thing, method, None)) and not method.startswith("__"):
                    found[f"{name}.{method}"] = text
    return {name: textwrap.dedent(" " * 4 + text) for name, text in found.items()}


DOCUMENTED = documented()
EXAMPLES = {
    f"{name}{k or ''}": textwrap.dedent(match[1])
    for name, text in DOCUMENTED.items()
    for k, match in enumerate(EXAMPLE.finditer(text))
}


def test_arguments_are_bullets():
    """'**Arguments:**', or with a remark in brackets, an empty line, and a bullet for each."""
    wrong, seen = [], 0
    for name, text in DOCUMENTED.items():
        lines = [line.strip() for line in text.splitlines()]
        for k, line in enumerate(lines):
            if "**Arguments" not in line:
                continue
            seen += 1
            after = [*lines[k + 1 : k + 3], "", ""]
            if not HEADER.fullmatch(line) or after[0] or not after[1].startswith("- "):
                wrong.append(name)
    assert not wrong and seen > 100


@pytest.fixture(scope="module")
def given():
    """What the examples speak of: a small sky, its data, its posterior."""
    import numpyro
    import optax

    sky = synax.Synchrotron(
        synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=4
    )
    rays = synax.Sightlines.healpix(1)
    data, sigma = np.zeros((2, 12)), 1e-3
    likelihood = synax.GaussianLikelihood(rays, 2.4, data, sigma)
    priors = {"magnetic.b0": numpyro.distributions.Uniform(0, 10)}
    nu = np.linspace(1.0, 2.0, 20)
    iqu = 1.0 + np.random.default_rng(0).random((3, 12 * 64**2))
    small = synax.SkyMap(iqu[:, :192], "IQU", nside=4, frequency=23.0)
    return {
        "synax": synax, "np": np, "jnp": jnp, "jax": jax, "eqx": eqx, "optax": optax,
        "numpyro": numpyro, "sky": sky, "rays": rays, "data": data, "sigma": sigma,
        "posterior": synax.Posterior(sky, priors, likelihood), "key": jax.random.key(0),
        "values": iqu, "sky_map": small, "stokes_map": small,
        "rm_map": synax.SkyMap(iqu[0, :192], "RM", nside=4), "nu": nu, "q": nu, "u": 1.0 / nu,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in COSTLY)) for n in EXAMPLES]
)
def test_examples_run(name, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    importlib.import_module("synax.plot")
    exec(compile(EXAMPLES[name], name, "exec"), dict(given))


def test_examples_are_found():
    assert len(EXAMPLES) > 14 and COSTLY <= set(EXAMPLES)
