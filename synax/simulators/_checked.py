"""What a simulator is given, checked before anything is traced."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import as_parameter
from ..cosmic_rays import LOWEST_INDEX, AbstractCosmicRays
from ..fields._domain import AbstractDomain, Box
from ..fields._field import AbstractField, check_rank, check_unit
from ..fields._surfaces import AbstractSurface, Moved
from ..sightlines._sightlines import Sightlines
from ._look import warn_of_negative
from ._standing import known_surfaces, warn_of_place, warn_of_small_structure, warn_of_surfaces


def check_simulator(simulator: Any) -> None:
    """Raise unless the fields are of the right kind and in our units.

    **Raises** `TypeError` or `ValueError` naming the argument.
    """
    for field in dataclasses.fields(simulator):
        name, value = field.name, getattr(simulator, field.name)
        if name == "magnetic":
            check_rank(value, "vector", name)
            check_unit(value, "uG", name)
        elif name == "electrons" and value is not None:
            check_rank(value, "scalar", name)
            check_unit(value, "cm-3", name)
            if _has_cosmic_rays(value):
                raise TypeError(
                    "electrons must be a density of thermal electrons, got cosmic rays "
                    f"({type(value).__name__})"
                )
        elif name == "cosmic_rays":
            check_rank(value, "scalar", name)
            if not _has_cosmic_rays(value):
                raise TypeError(
                    "cosmic_rays must be a model of cosmic-ray electrons (synax.cosmic_rays), got "
                    f"{type(value).__name__}"
                )


def check_call(simulator: Any, rays: Any) -> None:
    """Raise unless `rays` are sightlines along which the emission is defined.

    **Raises** `TypeError` for other rays, and for fields and Quantities that surgery on the tree
    has put where they do not belong; `ValueError` for a spectral index that falls to 1/3 on them.
    **Warns** (`synax.SynaxWarning`) of a field on a box that the rays' domain cuts, of an observer
    on a surface at which a field jumps or off the Sun about which a model has structure, of clumps
    that may fall between the nodes, and of negative densities.
    """
    checks.instance("rays", rays, Sightlines, "synax.Sightlines")
    checks.unitless_leaves(type(simulator).__name__, simulator)
    check_simulator(simulator)  # again: `equinox.tree_at` calls no constructor
    checks.unitless_leaves("rays", rays)
    known = jax.tree.leaves((rays.domain, rays.observer, rays.direction, simulator))
    if any(map(checks.is_traced, known)):
        return
    with checks.known_values():  # inside a `jit` that closes over all of these
        _check_values(simulator, rays)


def _check_values(simulator: Any, rays: Sightlines) -> None:
    _check_index(getattr(simulator, "cosmic_rays", None), rays)
    given = {
        name: getattr(simulator, name, None) for name in ("magnetic", "electrons", "cosmic_rays")
    }
    fields = {name: field for name, field in given.items() if field is not None}
    surfaces = known_surfaces(tuple(fields.values()))
    for name, named in zip(fields, surfaces, strict=True):
        _check_boxes(name, named, rays.domain)
    faces = simulator.integration.faces
    if faces:
        warn_of_surfaces(tuple(fields.values()), rays, surfaces)
    warn_of_place(tuple(fields.values()), rays)
    warn_of_negative({name: field for name, field in fields.items() if name != "magnetic"}, rays)
    warn_of_small_structure(tuple(fields.values()), rays, surfaces, faces)


def check_frequency(frequency: Any) -> Float[Array, "*freq"]:
    """Frequencies in GHz, a number or (n_freq,), positive and finite.

    **Raises** `ValueError` or `TypeError` naming the argument.
    """
    frequency = as_parameter(frequency, "GHz", "frequency")
    if frequency is None:
        raise TypeError("frequency must be a number or an array in GHz, got None")
    if frequency.ndim > 1 or frequency.size == 0:
        raise ValueError(f"frequency must be a number or (n_freq,), got {frequency.shape}")
    return checks.positive("frequency", frequency, "GHz")


def _has_cosmic_rays(field: Any) -> bool:
    is_one = lambda x: isinstance(x, AbstractCosmicRays)
    return any(map(is_one, jax.tree.leaves(field, is_leaf=is_one)))


def _check_index(cosmic_rays: Any, rays: Sightlines) -> None:
    """The index may be a field: looked at on some rays, at both ends and between."""
    index = getattr(cosmic_rays, "spectral_index", None)
    if not isinstance(index, AbstractField) or not _free_field(index):
        return
    near, far = (np.asarray(end) for end in rays.span())
    some = np.unique(np.linspace(0, rays.n_rays - 1, 128).astype(int))
    along = np.linspace(0.0, 1.0, 5)[:, None]
    distance = near[some] + along * (far[some] - near[some])
    origin = np.asarray(rays.origin)
    origin = (origin if origin.shape[1] == 1 else origin[:, some])[:, None]
    found = index(jnp.asarray(origin + distance * np.asarray(rays.direction)[:, None, some]))
    inside = np.broadcast_to(far[some] > near[some], found.shape)
    values = np.asarray(found)[inside]
    if values.size and not values.min() > LOWEST_INDEX:
        raise ValueError(
            f"spectral_index must be greater than 1/3 all along the rays: it falls to "
            f"{values.min():.4g}, where the emissivity is not defined"
        )


def _free_field(field: AbstractField) -> bool:
    """Whether a field can be evaluated anywhere (no part was sampled along rays)."""
    try:
        eqx.filter_eval_shape(lambda f, x: f(x), field, jnp.zeros((3, 1)))
    except TypeError:
        return False
    return True


def _check_boxes(name: str, surfaces: Sequence[AbstractSurface], domain: AbstractDomain) -> None:
    """Warn of grids that end beyond the domain: the part outside is never looked at."""
    for surface in surfaces:
        corners = _sample(surface)
        if corners is None:
            continue
        shrunk = jnp.asarray(corners)
        outside = 1.0 - float(np.mean(np.asarray(domain.contains(shrunk))))
        if outside > 0.0:
            reach = np.max(np.abs(corners), axis=1)
            extent = ", ".join(f"{x:.3g}" for x in reach)
            checks.warn(
                f"{name}: {100 * outside:.0f} % of a grid that reaches out to ({extent}) kpc lies "
                f"outside the sightlines' domain and is not seen; give Sightlines a larger domain"
            )


def _sample(surface: AbstractSurface) -> Float[np.ndarray, "3 n"] | None:
    """Points that fill a box (not quite to its faces), also a moved one; None for others."""
    if isinstance(surface, Moved):
        inner = _sample(surface.surface)
        if inner is None:
            return None
        return np.asarray(surface.rotation) @ inner + np.asarray(surface.offset)[:, None]
    if not isinstance(surface, Box):
        return None
    side = np.linspace(-1.0, 1.0, 21) * (1.0 - 1e-6)
    unit = np.stack(np.meshgrid(side, side, side, indexing="ij")).reshape(3, -1)
    return np.asarray(surface.center)[:, None] + np.asarray(surface.half_lengths)[:, None] * unit
