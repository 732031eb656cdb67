"""From a checked configuration to a posterior, and to the data that are held out."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._parameters import set_paths
from ..inference import (
    DispersionMeasureLikelihood,
    GaussianLikelihood,
    JointLikelihood,
    Posterior,
    RotationMeasureLikelihood,
)
from ..random_fields import GaussianField, Matern, PowerLaw, SolenoidalField
from ..sightlines._sightlines import Sightlines
from ..simulators import Synchrotron
from . import _run
from ._console import BadInput
from ._data import read_data


class Problem(NamedTuple):
    """What is fitted or sampled."""

    posterior: Posterior
    held_out: Any
    """Likelihood of the data that are held out, or None."""
    rays: Sightlines
    masks: dict[str, np.ndarray]
    """True where the data of a set are used; by its name."""


def build(settings: dict[str, Any]) -> Problem:
    """Fields, sightlines, data and priors; `BadInput` for what cannot be used."""
    _check_circular(settings)
    sky = _run.prepare(settings)
    rays = sky.rays(sky.pixels)
    fields = dict(sky.fields)
    latent = None
    if "random_field" in settings:
        group = settings["random_field"]["group"]
        fields[group], latent = _with_random(
            fields[group], settings["random_field"], settings["seed"]
        )
        latent = f"{group}{latent}"
    model = sky.synchrotron(**fields)
    sets, held, masks = {}, {}, {}
    for k, part in enumerate(settings["data"]):
        values = _values(part, model, rays, settings, k)
        used = _used(values, part["held_out"], settings["seed"] + k)
        if not used.any():
            there = int(np.isfinite(values).any(axis=0).sum()) if values.ndim > 1 else values.size
            raise BadInput(
                f"data.{k}.held_out = {part['held_out']:g} leaves no pixel of {there} to fit"
            )
        make = lambda mask, part=part, values=values: _likelihood(part, values, rays, mask)
        sets[part["name"]], masks[part["name"]] = make(used), used
        rest = ~used & np.isfinite(values)
        if part["held_out"] > 0.0 and rest.any():
            held[part["name"]] = make(rest)
    joint = JointLikelihood(**sets)
    model, joint = _started(model, joint, settings.get("start", {}))
    priors = _distributions(settings["priors"])
    if latent is not None:
        import numpyro.distributions as dist

        priors[latent] = dist.Normal(0.0, 1.0)
    try:
        posterior = Posterior(model, priors, joint)
    except (ValueError, TypeError) as error:
        raise BadInput(f"[priors] cannot be used: {error}") from None
    if any("file" not in part for part in settings["data"]) and not settings.get("start"):
        posterior = _elsewhere(posterior, latent, settings)
    return Problem(posterior, JointLikelihood(**held) if held else None, rays, masks)


def _check_circular(settings: dict[str, Any]) -> None:
    """Refuse data of V where the physics gives none."""
    if settings["physics"]["self_absorption"]:
        return
    for k, part in enumerate(settings["data"]):
        if part["kind"] == "stokes" and "V" in _stokes(part):
            raise BadInput(
                f"data.{k}.stokes holds V, and the model has no circular polarisation: set "
                "physics.self_absorption = true, or leave V out"
            )


def _started(model: Any, likelihood: Any, start: dict[str, Any]) -> tuple[Any, Any]:
    """Model and likelihood with the values of [start] in place of their own."""
    own = "likelihood."
    try:
        model = set_paths(model, {k: x for k, x in start.items() if not k.startswith(own)})
        of_data = {k.removeprefix(own): x for k, x in start.items() if k.startswith(own)}
        return model, set_paths(likelihood, of_data)
    except (ValueError, TypeError) as error:
        raise BadInput(f"[start] cannot be used: {error}") from None


def _elsewhere(posterior: Posterior, field: str | None, settings: dict[str, Any]) -> Posterior:
    """A fit of mock data begins at a draw of the prior: at the truth it would prove nothing."""
    params = posterior.sample_prior(jax.random.key(settings["seed"] + 2000))
    if field is not None:
        params[field] = settings["random_field"]["amplitude"] * params[field]
    return eqx.tree_at(lambda p: (p.model, p.likelihood), posterior, posterior.placed(params))


def _with_random(field: Any, s: dict[str, Any], seed: int) -> tuple[Any, str]:
    """The field with a random one added (or in its place), and the path of its modes."""
    from ..fields._domain import Box

    if s["spectrum"] == "matern":
        spectrum = Matern(s["rms"], s["length"])
    else:
        spectrum = PowerLaw(s["rms"], s["slope"], s["length"])
    vector = s["group"] == "magnetic"
    if s["kind"] == "solenoidal" and not vector:
        raise BadInput(
            "random_field.kind = 'solenoidal': only the magnetic field has no divergence"
        )
    key, shape, box = jax.random.key(seed), tuple(s["shape"]), Box(s["half_lengths"])
    if s["kind"] == "solenoidal":
        made: Any = SolenoidalField.on_grid(box, shape, spectrum, key=key)
    else:
        made = GaussianField.on_grid(box, shape, spectrum, vector=vector, key=key)
    # Q, U and I do not know the sign of B: start near zero, but not on it
    made = eqx.tree_at(lambda f: f.latent, made, s["amplitude"] * made.latent)
    if s["replace"]:
        return made, ".latent"
    total = field + made
    return total, f".parts.{len(total.parts) - 1}.latent"


def _values(
    part: dict[str, Any], model: Synchrotron, rays: Sightlines, settings: dict[str, Any], k: int
) -> np.ndarray:
    """Data (n_stokes, n_rays) K or (n_rays,), NaN where there are none; a mock without a file."""
    if "file" in part:
        names = _stokes(part) if part["kind"] == "stokes" else [part["kind"]]
        return read_data(part, names, rays)
    shape = _shape(part, rays)
    empty = _likelihood(part, np.zeros(shape), rays, None)
    return np.asarray(empty.mock(jax.random.key(settings["seed"] + 1000 + k), model))


def _shape(part: dict[str, Any], rays: Sightlines) -> tuple[int, ...]:
    return (len(_stokes(part)), rays.n_rays) if part["kind"] == "stokes" else (rays.n_rays,)


def _stokes(part: dict[str, Any]) -> list[str]:
    return part.get("stokes", ["Q", "U"])


def _used(values: np.ndarray, held_out: float, seed: int) -> np.ndarray:
    """True where data are there and not held out; whole pixels are held out."""
    n = values.shape[-1]
    order = np.random.default_rng(seed).permutation(n)
    return np.isfinite(values) & (order >= round(held_out * n))


def _likelihood(part: dict[str, Any], values: np.ndarray, rays: Sightlines, mask: Any) -> Any:
    sigma: Any = part["sigma"]
    if part.get("relative_sigma"):
        sigma = np.hypot(sigma, part["relative_sigma"] * np.nan_to_num(np.abs(values)))
    data, excess = jnp.asarray(np.nan_to_num(values)), part.get("excess")
    if part["kind"] == "RM":
        return RotationMeasureLikelihood(rays, data, sigma, excess=excess, mask=mask)
    if part["kind"] == "DM":
        return DispersionMeasureLikelihood(rays, data, sigma, excess=excess, mask=mask)
    return GaussianLikelihood(
        rays, part["frequency"], data, sigma, stokes=_stokes(part), mask=mask, excess=excess
    )


def _distributions(priors: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    import numpyro.distributions as dist

    makers = {
        "uniform": dist.Uniform,
        "normal": dist.Normal,
        "lognormal": lambda median, width: dist.LogNormal(float(np.log(median)), width),
        "loguniform": dist.LogUniform,
    }
    return {
        path: makers[kind](*numbers)
        for path, item in priors.items()
        for kind, numbers in item.items()
    }
