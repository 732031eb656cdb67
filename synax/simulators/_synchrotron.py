"""Synchrotron emission of the Galaxy, and everything else one march can show."""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks, _constants as const
from .._parameters import as_parameter
from .._progress import telling
from .._shown import Shown
from ..cosmic_rays import AbstractCosmicRays, AbstractParametricSpectrum, AbstractPowerLaw
from ..emission import (
    AbstractBackground,
    AbstractEmissivity,
    AbstractProcess,
    ClosedForm,
    Columns,
    Constant,
    FaradayDispersion,
    FaradayRotation,
    FreeFree,
    SelfAbsorption,
    SynchrotronEmission,
    Turbulence,
    spectral_table,
)
from ..emission._synchrotron import index_is_three
from ..fields._field import AbstractField
from ..maps._stokes import Stokes
from ..sightlines._sightlines import Sightlines
from ..transfer import Absorbing, AbstractTransfer, Coefficients, Polarised, Thin
from ._checked import check_frequency, check_simulator
from ._engine import (
    AbstractSimulator,
    Integration,
    Medium,
    Plan,
    as_integration,
    plan,
    resolved,
    run,
)
from ._sampled import sample_along
from ._validity import check_dispersion, check_validity


class Observation(Shown):
    """What one march shows; None for what the simulator does not have."""

    stokes: Stokes = eqx.field(metadata=dict(unit="K"))
    """K (Rayleigh-Jeans), IAU, each (*freq, n_rays)."""
    rotation_measure: Float[Array, " n_rays"] | None = eqx.field(metadata=dict(unit="rad m-2"))
    """rad m^-2, positive for a field that points to the observer."""
    dispersion_measure: Float[Array, " n_rays"] | None = eqx.field(metadata=dict(unit="pc cm-3"))
    """pc cm^-3."""
    emission_measure: Float[Array, " n_rays"] | None = eqx.field(metadata=dict(unit="pc cm-6"))
    """pc cm^-6, for a filling factor of one."""
    optical_depth: Float[Array, "*freq n_rays"] | None
    """Of I, with absorption."""
    rotation_measure_variance: Float[Array, " n_rays"] | None = eqx.field(
        metadata=dict(unit="rad2 m-4")
    )
    """By turbulence, rad^2 m^-4."""


class Call(NamedTuple):
    """What `simulate` is called with; arrays are in the first three and in `width`."""

    sky: "Synchrotron"
    rays: Sightlines
    frequency: Float[Array, "*freq"]
    plan: Plan
    cubic: bool
    powers: tuple[int, ...]
    width: Float[Array, "*freq"] | None


class Synchrotron(AbstractSimulator):
    """Synchrotron emission with Faraday rotation: fields and sightlines to Stokes parameters.

    I = int j_I ds,  Q + iU = int j_P exp(2i chi_0) exp(2i lambda^2 RM(s)) ds

    and with more physics the law of light that it asks for, see `transfer`.

    **Arguments:**

    - `magnetic`: vector field (microgauss).
    - `electrons`: thermal-electron density (cm^-3), or None for no Faraday rotation.
    - `cosmic_rays`: relativistic electrons: a power law, or any spectrum
      (`cosmic_rays.AbstractCosmicRays`), whose emission is tabulated once a call.
    - `turbulence`: a `synax.Turbulence`, an unresolved random field: maps become ensemble means.
    - `free_free`: a `synax.FreeFree`, emission and absorption by the thermal electrons.
    - `self_absorption`: synchrotron absorption, Faraday conversion and circular polarisation.
    - `background`: light behind the Galaxy: a number or an array (n_rays,) of K (Rayleigh-Jeans)
      for all frequencies, or an `emission.AbstractBackground`.
    - `transfer`: the law of light: `Thin()` without absorption, `Absorbing()`, `Polarised()`.
      Default: the simplest that carries what is given.
    - `steps`, `quadrature`, `adjoint`, `faces`, `block`, `precision`: see
      `synax.Integration`.

    **Raises** `TypeError` or `ValueError` naming the argument; for a law that cannot carry what is
    given, naming the law that can.

    **Reference:** Rybicki & Lightman 1979, ch. 6; Burn 1966, MNRAS 133, 67.
    """

    magnetic: AbstractField
    electrons: AbstractField | None
    cosmic_rays: AbstractCosmicRays
    turbulence: Turbulence | None
    free_free: FreeFree | None
    background: AbstractBackground | None
    transfer: AbstractTransfer | None
    self_absorption: bool = eqx.field(static=True)
    integration: Integration

    def __init__(
        self,
        magnetic: AbstractField,
        electrons: AbstractField | None,
        cosmic_rays: Any,
        *,
        turbulence: Any = None,
        free_free: Any = None,
        self_absorption: Any = False,
        background: Any = None,
        transfer: Any = None,
        integration: Integration | None = None,
        **settings: Any,
    ):
        self.magnetic, self.electrons, self.cosmic_rays = magnetic, electrons, cosmic_rays
        self.turbulence, self.free_free = turbulence, free_free
        self.self_absorption, self.transfer = self_absorption, transfer
        if background is not None and not isinstance(background, AbstractBackground):
            background = Constant(background)
        self.background = background
        self.integration = as_integration(integration, settings)

    def __check_init__(self):
        check_simulator(self)
        for name, kind in (("turbulence", Turbulence), ("free_free", FreeFree)):
            if getattr(self, name) is not None:
                checks.instance(name, getattr(self, name), kind, f"such as synax.{kind.__name__}()")
        if self.transfer is not None:
            checks.instance("transfer", self.transfer, AbstractTransfer, "such as synax.Thin()")
        if not isinstance(self.self_absorption, bool):
            raise TypeError(f"self_absorption must be True or False, got {self.self_absorption!r}")
        if self.free_free is not None and self.electrons is None:
            raise ValueError("free_free needs electrons, got electrons=None")
        physics = _physics(self)
        if self.self_absorption and physics.dispersion is not None:
            raise ValueError(
                "self_absorption=True cannot go with the Faraday dispersion of turbulence; "
                "leave out one of the two"
            )
        self._chosen_law().check(physics)

    def fields(self) -> tuple[AbstractField, ...]:
        electrons = () if self.electrons is None else (self.electrons,)
        more = [x.fields() for x in (self.turbulence, self.free_free) if x is not None]
        return (self.magnetic, *electrons, self.cosmic_rays, *(f for some in more for f in some))

    def _chosen_law(self) -> AbstractTransfer:
        """The law that was given, or the cheapest one that carries what there is."""
        if self.transfer is not None:
            return self.transfer
        disperses = self.turbulence is not None and self.electrons is not None
        absorbs = self.free_free is not None or disperses
        return Polarised() if self.self_absorption else Absorbing() if absorbs else Thin()

    def law(
        self, frequency: Float[Array, " n_freq"], width: Float[Array, " n_freq"] | None = None
    ) -> AbstractTransfer:
        """The law of light at some frequencies, in channels of some width (GHz)."""
        law = self._chosen_law()
        behind = None if self.background is None else self.background(frequency)
        changes = {"frequency": frequency}
        if behind is not None:
            changes["background"] = behind
        if width is not None:
            if not hasattr(law, "width"):
                raise ValueError(
                    f"width: transfer={type(law).__name__}() knows no channels; average over "
                    "frequencies with a Bandpass"
                )
            changes["width"] = width
        return dataclasses.replace(law, **changes)

    def __call__(self, rays: Any, frequency: Any, *, width: Any = None) -> Stokes:
        """Brightness temperatures along `rays`.

        **Arguments:**

        - `rays`: sightlines.
        - `frequency`: GHz, a number or (n_freq,), or an astropy Quantity.
        - `width`: full width of narrow channels, like `frequency`: what each cell emits is
          depolarised by the rotation in front of it, sin(x)/x with x = 2 RM lambda^2
          width/frequency, inside the march. None: single frequencies.

        **Returns** `Stokes` in K (Rayleigh-Jeans), IAU sign of U, each of shape
        (*frequency.shape, n_rays).

        **Raises** `ValueError` for frequencies that are not positive or not one-dimensional, and
        for widths beyond a fifth of the frequency: average those with a `Bandpass`.
        """
        return self._observe(rays, frequency, (), width).stokes

    def observe(self, rays: Any, frequency: Any) -> Observation:
        """Stokes parameters and the columns along `rays`, the fields evaluated once.

        **Arguments:**

        - as for a call of the simulator.

        **Returns** an `Observation`: `stokes`, `rotation_measure`, `dispersion_measure`,
        `emission_measure`, `optical_depth`, `rotation_measure_variance`; None without electrons,
        absorption or turbulence.
        """
        powers = () if self.electrons is None else (1, 2)
        return self._observe(rays, frequency, powers)

    def _observe(
        self, rays: Any, frequency: Any, powers: tuple[int, ...], width: Any = None
    ) -> Observation:
        call = self._call(rays, frequency, powers, width)
        with telling("Synchrotron: compiling"):
            seen = simulate(*call)
        check_dispersion(seen.rotation_measure_variance, call.frequency)
        return seen

    def _call(self, rays: Any, frequency: Any, powers: tuple[int, ...], width: Any = None) -> Call:
        """What `simulate` takes for a call of this simulator, which is checked."""
        frequency = check_frequency(frequency)
        width = None if width is None else _check_width(width, frequency)
        sky = resolved(self, rays)
        check_validity(self, rays, frequency)
        self._check_background(rays, frequency)
        law = self.cosmic_rays
        cubic = isinstance(law, AbstractPowerLaw) and index_is_three(law)
        return Call(sky, rays, frequency, plan(sky), cubic, powers, width)

    def _check_background(self, rays: Any, frequency: Float[Array, "*freq"]) -> None:
        if self.background is None:
            return
        find = lambda b, nu: b(nu.reshape(-1))
        shape = eqx.filter_eval_shape(find, self.background, frequency).shape
        if shape[-1] not in (1, rays.n_rays):
            raise ValueError(
                f"background must be one number or one for each of the {rays.n_rays} sightlines, "
                f"got {shape[-1]}"
            )

    def precompute(self, rays: Sightlines, *names: str) -> "Synchrotron":
        """A simulator in which the named fields are evaluated once along `rays`.

        **Arguments:**

        - `names`: any of 'magnetic', 'electrons', 'cosmic_rays'. The cells are those that this
          simulator uses now. The result works with the same sightlines only; where JAX traces the
          sightlines too they cannot be compared. Faces at the edges of the other fields do not
          move either: derivatives by places of edges are missing.

        **Raises** `ValueError` for another name.
        """
        allowed = ("magnetic", "electrons", "cosmic_rays")
        unknown = [n for n in names if n not in allowed]
        if unknown or not names:
            raise ValueError(f"precompute takes names out of {allowed}, got {names}")
        spectrum = self.cosmic_rays
        known = isinstance(spectrum, AbstractPowerLaw) or (
            isinstance(spectrum, AbstractParametricSpectrum) and spectrum.has_uniform_shape
        )
        if "cosmic_rays" in names and not known:
            raise ValueError(
                "precompute can evaluate 'cosmic_rays' only of a power law or of a spectrum of the "
                f"same shape everywhere, got {type(spectrum).__name__}: leave it out"
            )
        sky = resolved(self, rays)
        surfaces = sky.surfaces()
        for name in names:
            field = getattr(sky, name)
            if field is not None:
                sample = sample_along(
                    field, rays, sky.steps, quadrature=sky.quadrature, surfaces=surfaces
                )
                sky = eqx.tree_at(lambda s, name=name: getattr(s, name), sky, sample)
        return sky


def _physics(sky: Synchrotron) -> Coefficients:
    """Which coefficients its plasma has beyond emission and rotation: marks in place of arrays."""
    mark = lambda there: 0.0 if there else None
    hot = mark(sky.self_absorption)
    absorption = mark(sky.free_free is not None or sky.self_absorption)
    disperses = sky.turbulence is not None and sky.electrons is not None
    return Coefficients(
        absorption=(absorption, hot, hot, hot), conversion=(hot, hot), dispersion=mark(disperses)
    )


WIDEST = 0.2
"""Channels wider than this part of their frequency are not narrow."""


def _check_width(width: Any, frequency: Float[Array, "*freq"]) -> Float[Array, "*freq"]:
    """Widths of channels in GHz, one for each frequency."""
    width = as_parameter(width, "GHz", "width")
    if width.shape not in ((), frequency.shape):
        raise ValueError(
            f"width must be one number or one for each frequency {frequency.shape}, got "
            f"{width.shape}"
        )
    width = jnp.broadcast_to(width, frequency.shape)
    ratio = width / frequency
    if not checks.holds(ratio, lambda x: (x >= 0) & (x <= WIDEST)):
        raise ValueError(
            f"width must lie between 0 and {WIDEST:g} of the frequency, got "
            f"{checks.shown(width)} GHz at {checks.shown(frequency)} GHz; a Bandpass averages wider"
        )
    return width


@eqx.filter_jit
def simulate(
    sky: Synchrotron,
    rays: Sightlines,
    frequency: Array,
    plan: Plan,
    cubic: bool,
    powers: tuple[int, ...],
    width: Array | None,
) -> Observation:
    """The program of a call, whose arguments are those of a `Call`."""
    shape = (*frequency.shape, rays.n_rays)
    flat = frequency.reshape(-1).astype(rays.direction.dtype)
    law = sky.law(flat, None if width is None else width.reshape(-1).astype(flat.dtype))
    emissivity = _emissivity(sky, cubic)
    processes = _processes(sky, emissivity, powers)
    medium = Medium(sky.magnetic, sky.electrons, processes, sky.turbulence)
    light = run(sky, plan, medium, law, rays)
    factors = emissivity.factors(flat)
    i, q, u, v = light.stokes
    if factors is not None:
        i, q, u = factors[0] * i, factors[1] * q, factors[1] * u
    whole = lambda x: jnp.broadcast_to(x, (flat.size, rays.n_rays)).reshape(shape)
    stokes = Stokes(
        *(None if x is None else whole(x) for x in (i, q, u, v if sky.self_absorption else None))
    )
    depth = None if light.optical_depth is None else whole(light.optical_depth)
    dm, em = (const.PC_PER_KPC * x[0] for x in light.columns) if powers else (None, None)
    return Observation(stokes, light.rotation_measure, dm, em, depth, light.dispersion)


def _emissivity(sky: Synchrotron, cubic: bool) -> AbstractEmissivity:
    cosmic_rays = sky.cosmic_rays
    if not isinstance(cosmic_rays, AbstractPowerLaw):
        return spectral_table(cosmic_rays, sky.self_absorption)
    constant_index = not isinstance(cosmic_rays.spectral_index, AbstractField)
    # alone, a constant index leaves one factor for the whole map
    alone = sky.free_free is None and not sky.self_absorption and sky.background is None
    return ClosedForm(cosmic_rays, cubic, constant_index and alone)


def _processes(
    sky: Synchrotron, emissivity: AbstractEmissivity, powers: tuple[int, ...]
) -> tuple[AbstractProcess, ...]:
    """What happens in the plasma of a simulator."""
    processes: list[AbstractProcess] = [SynchrotronEmission(emissivity)]
    if sky.electrons is not None:
        processes.append(FaradayRotation())
        if powers:
            processes.append(Columns(powers))
        if sky.free_free is not None:
            processes.append(sky.free_free)
        if sky.turbulence is not None:
            processes.append(FaradayDispersion())
    if sky.self_absorption:
        power_law = isinstance(sky.cosmic_rays, AbstractPowerLaw)
        processes.append(SelfAbsorption(sky.cosmic_rays if power_law else emissivity))
    return tuple(processes)
