"""Where rays meet a field badly: observers on surfaces or off a Sun, structure without faces."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from .._checks import warn
from ..fields._field import AbstractField
from ..fields._surfaces import AbstractSurface, Plane
from ..fields._surroundings import FAR, warn_of_surroundings
from ..sightlines._sightlines import Sightlines


def warn_of_surfaces(
    fields: tuple[AbstractField, ...],
    rays: Sightlines,
    surfaces: Sequence[Sequence[AbstractSurface]] | None = None,
) -> None:
    """Warn if rays begin, within rounding, on a surface at which one of the fields jumps.

    Seen from there the maps are right, but the field at the observer is that of either side, and
    derivatives by the observer and by the surface are one-sided, ray by ray. The plane z = 0 is
    left out: it has no parameter, and many models put the Sun there. Nothing is done for what is
    being traced.
    """
    inputs = jax.tree.leaves((tuple(fields), rays.observer, rays.minimum_distance))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in inputs) or rays.observer.ndim != 1:
        return
    if np.all(np.asarray(rays.minimum_distance) > 0):
        return
    place = np.asarray(rays.observer, float)
    rounding = max(1e-9, 100.0 * float(np.finfo(rays.observer.dtype).eps))
    known = known_surfaces(fields) if surfaces is None else surfaces
    for field, named in zip(fields, known, strict=True):
        for number, surface in enumerate(named):
            if not surface.gap(place) < rounding:
                continue
            if isinstance(surface, Plane) and float(surface.height) == 0.0:
                continue
            _warn(_owners(field)[number], surface, place)
            return


def warn_of_place(fields: tuple[AbstractField, ...], rays: Sightlines) -> None:
    """Warn if rays begin near the Sun of a model with clumps, bubbles or shells, and not at it.

    Rays of many origins, and those that begin beyond such surroundings, are left alone, as is what
    is being traced.
    """
    if rays.observer.ndim != 1 or isinstance(rays.minimum_distance, jax.core.Tracer):
        return
    if np.all(np.asarray(rays.minimum_distance) > FAR):
        return
    warn_of_surroundings(fields, rays.observer)


LEFT_OUT = 0.01
"""kpc cm^-3: column of a clump without faces of which nothing is said."""
_RAYS = 2048


def warn_of_small_structure(
    fields: tuple[AbstractField, ...],
    rays: Sightlines,
    surfaces: Sequence[Sequence[AbstractSurface]],
    faces: bool,
) -> None:
    """Warn if rays meet clumps that may be smaller than a cell and have no faces.

    At most some two thousand rays are looked at; nothing is done for what is being traced.
    """
    named = zip(fields, surfaces, strict=True)
    small = [(f, s) for f, some in named for s in some if _may_leave_out(s)]
    leaves = (rays.observer, rays.direction)
    if not small or any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return
    count = min(_RAYS, rays.n_rays)
    some = np.linspace(0, rays.n_rays - 1, count).astype(int)
    pick = lambda x: np.asarray(x)[:, some] if x.shape[-1] == rays.n_rays else np.asarray(x)
    origin, direction = pick(rays.origin), pick(rays.direction)
    for field, surface in small:
        left = _left_out(surface, origin, direction, faces)
        if left is None or not np.max(left) > LEFT_OUT:
            continue
        why = "they meet more of them than get cell faces" if faces else "faces=False"
        warn(
            f"clumps of {type(field).__name__} on {int(np.sum(np.asarray(left) > LEFT_OUT))} of "
            f"{count} sightlines looked at may fall between the nodes, up to "
            f"{1e3 * float(np.max(left)):.3g} pc cm^-3 of column ({why}): give "
            f"{'more steps' if faces else 'faces=True'}, and see synax.estimate_error"
        )


def _may_leave_out(surface: AbstractSurface) -> bool:
    return type(surface).left_out is not AbstractSurface.left_out


@eqx.filter_jit
def _left_out(
    surface: AbstractSurface, origin: Any, direction: Any, faces: bool
) -> Float[Array, " n_rays"] | None:
    return surface.left_out(origin, direction, faces)


@eqx.filter_jit
def known_surfaces(
    fields: tuple[AbstractField, ...],
) -> tuple[tuple[AbstractSurface, ...], ...]:
    """The surfaces of each field, with their numbers, by one program: its call takes a while."""
    return tuple(field.surfaces() for field in fields)


def _warn(owner: AbstractField, surface: AbstractSurface, place: np.ndarray) -> None:
    here, own = ", ".join(f"{x:.6g}" for x in place), owner.sun
    sun = "" if own is None else f", or put it at the model's own Sun, observer={tuple(own)}"
    warn(
        f"the observer ({here}) kpc stands on a surface ({type(surface).__name__}) at which "
        f"{type(owner).__name__} jumps, within {surface.gap(place):.1g} kpc: the field at the "
        "observer is that of either side by rounding, and derivatives by the observer and by the "
        f"surface's parameters are one-sided. Move the observer by a parsec{sun}"
    )


def _owners(field: AbstractField) -> list[AbstractField]:
    """The model that each surface of a field belongs to, in the order of `surfaces`."""
    inner = [v if isinstance(v, tuple) else (v,) for v in vars(field).values()]
    parts = [p for group in inner for p in group if isinstance(p, AbstractField)]
    # a combination names the surfaces of its parts, in their order, then its own
    found = [owner for part in parts for owner in _owners(part)]
    return found + [field] * (len(field.surfaces()) - len(found))
