"""From sightlines to all outputs in one march, by the program of an earlier run if there is one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import _checks as checks
from .._progress import telling
from ..sightlines._sightlines import Sightlines
from ..simulators import DispersionMeasure, EmissionMeasure, Observation, RotationMeasure
from ..simulators._checked import check_frequency
from ..simulators._synchrotron import simulate
from ._lowered import Lowered, Program

if TYPE_CHECKING:
    from ._run import Sky

Outputs = dict[str, Any]
"""Arrays (..., n_rays) by name: stokes (3, n_freq, n_rays), RM, DM, EM, DEPTH, SCATTER."""

DEPTH, SCATTER = "tau", "rotation_measure_variance"
"""What is found beside the outputs asked for: (n_freq, n_rays) with absorption, (n_rays,) with
turbulence."""


def simulator(sky: "Sky", lowered: Lowered | None = None) -> Callable[[Sightlines], Outputs]:
    """The function from sightlines to all wanted outputs, (..., n_rays) each, in one march."""
    if {"stokes", DEPTH} & set(sky.outputs):
        return Together(sky, lowered)
    magnetic, electrons = sky.fields["magnetic"], sky.fields["electrons"]
    makers = {
        "RM": lambda: RotationMeasure(magnetic, electrons, **sky.integration),
        "DM": lambda: DispersionMeasure(electrons, **sky.integration),
        "EM": lambda: EmissionMeasure(electrons, **sky.integration),
    }
    columns = {name: makers[name]() for name in sky.outputs}
    return lambda rays: {name: column(rays) for name, column in columns.items()}


class Together:
    """Stokes parameters and columns of some sightlines; always as many at a time.

    `traced` says whether this run has traced the program, so that `lowered` can keep it.
    """

    def __init__(self, sky: "Sky", lowered: Lowered | None):
        self._emitter = sky.synchrotron()
        self._frequency = check_frequency(np.asarray(sky.frequency))
        self._lowered, self._program = lowered, None
        self.traced = False

    def __call__(self, rays: Sightlines) -> Outputs:
        if self._lowered is None:
            return _named(simulate(*self._checked(rays)))
        leaves = _arrays((self._emitter, rays, self._frequency))
        if self._program is None:
            self._program = self._known(leaves) or self._traced(rays, leaves)
            if self._program is None:
                self._lowered = None
                return self(rays)
        elif self.traced:
            self._checked(rays)
        return self._program(leaves)

    def _checked(self, rays: Sightlines) -> Any:
        powers = () if self._emitter.electrons is None else (1, 2)
        return self._emitter._call(rays, self._frequency, powers)

    def _known(self, leaves: list[Any]) -> Program | None:
        """The program of an earlier run, whose checks are said to have found what they found."""
        assert self._lowered is not None
        program = self._lowered.found(leaves)
        for warning in self._lowered.told if program is not None else ():
            checks.warn(warning)
        return program

    def _traced(self, rays: Sightlines, leaves: list[Any]) -> Program | None:
        """The program of this run; None if it takes other arrays, or cannot be written down."""
        assert self._lowered is not None
        call = self._checked(rays)
        arrays, static = eqx.partition(call, eqx.is_array)
        own, structure = jax.tree.flatten(arrays)
        if [id(x) for x in own] != [id(x) for x in leaves]:
            return None

        def function(*leaves: Any) -> Outputs:
            return _named(simulate(*eqx.combine(jax.tree.unflatten(structure, leaves), static)))

        try:
            with telling("Synchrotron: compiling"):
                program = self._lowered.trace(function, own)
        except Exception:  # an error of a model comes again without it
            return None
        self.traced = True
        return program


def _arrays(tree: Any) -> list[Any]:
    return jax.tree.leaves(eqx.filter(tree, eqx.is_array))


def _named(seen: Observation) -> Outputs:
    found = {
        "stokes": jnp.stack(jax.tree.leaves(seen.stokes)),
        "RM": seen.rotation_measure,
        "DM": seen.dispersion_measure,
        "EM": seen.emission_measure,
        DEPTH: seen.optical_depth,
        SCATTER: seen.rotation_measure_variance,
    }
    return {name: x for name, x in found.items() if x is not None}
