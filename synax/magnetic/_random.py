"""Gaussian random magnetic fields."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._math import cylindrical_radius, safe_divide, safe_sqrt
from .._parameters import ModelInfo, Scalar, as_parameter, parameter
from .._renamed import refuse_old
from ..fields._domain import Box
from ..fields._field import AbstractField, AbstractScalarField, AbstractVectorField, check_rank
from ..fields._grid import GridField
from ..fields._surfaces import AbstractSurface
from ..random_fields import _waves as gaussian


class GaussianRandom(AbstractVectorField):
    """A Gaussian random field on a grid with a broken power-law spectrum.

    The energy per unit wave number is E(k) ~ u^rise / (1 + u^2)^((rise + slope)/2), u = k L, with
    k in cycles per kpc. From white noise the field is made in this order:

    1. colour: three independent isotropic components;
    2. stretch along the unit vector h of the field `along` (if given; nothing is done where that
       field is 0): b <- (rho b_par + b_perp/rho) / sqrt(rho^2/3 + 2/(3 rho^2)), which keeps the
       energy; rho > 1 aligns the field with h, rho < 1 puts it across;
    3. multiply by `profile` (if given);
    4. remove the part along the wave vector of the central difference, so that
       sum_i [b_i(x + d_i) - b_i(x - d_i)]/(2 d_i) = 0 to rounding at every node of the periodic
       grid, and make up for the power lost (3/2). The mean and the seven modes that
       alternate along axes only have no such wave vector and carry no power in step 1;
    5. weight the two senses of helicity by 1 +- `helicity` (if given).

    The expected rms of |B|, of the interpolated field averaged over space, is `amplitude` (times
    `profile`); at the nodes it is larger. The noise is a leaf and stays as it is
    when the other parameters change, so derivatives with respect to these exist; fixing it or
    inferring it is the user's choice.

    `grid()` gives the field as a `GridField`, `prepare()` that grid ready for look-ups; a
    simulator prepares its fields once. Calling the object itself does all the work anew.

    **Arguments:**

    - `key`: a JAX random key; the noise does not depend on the number of devices.
    - `box`, `shape`: where, and how many nodes along x, y, z; 0 outside. First and last nodes lie
      on the faces; the field repeats after the box's side plus one spacing.
    - `amplitude`, `slope`, `rise`, `outer_scale`: rms (uG), spectral indices, scale L (kpc).
    - `profile`: scalar field, relative strength (or strength in uG, with `amplitude=1`).
    - `along`, `rho`: vector field and degree of anisotropy. Step 4 mixes directions: where the
      field is smooth on the scale of the grid, the ratio of the mean squares along h and along one
      direction across it becomes (8 rho^2 + 2/rho^2) / (rho^2 + 9/rho^2).
    - `helicity`: number between -1 and 1; None for no such step.
    - `solenoidal`: whether step 4 is done (static).

    **Warns** (`synax.SynaxWarning`) if the grid does not resolve the spectrum.

    **Reference:** the statistics of the generator of hammurabiX (Wang et al. 2020, ApJS 247, 18,
    section 3), without its point symmetry and its excess of sqrt(2).
    """

    latent: Float[Array, "3 nx ny nz"] = parameter(..., "", "white noise of unit variance")
    box: Box
    amplitude: Scalar = parameter(..., "uG", "rms of the field (three components together)")
    slope: Scalar = parameter(..., "", "E(k) falls as k^-slope beyond 1/outer_scale")
    rise: Scalar = parameter(..., "", "E(k) rises as k^rise below 1/outer_scale")
    outer_scale: Scalar = parameter(..., "kpc", "wavelength of the break")
    rho: Scalar = parameter(..., "", "anisotropy along the regular field; 1: isotropic")
    helicity: Scalar | None = parameter(..., "", "fraction of the largest helicity, -1 to 1")
    profile: AbstractField | None
    along: AbstractField | None
    solenoidal: bool = eqx.field(static=True)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="statistics as in Wang et al. 2020, ApJS 247, 18, section 3",
        notes="a realisation on a grid; divergence-free in central differences",
    )

    def __init__(
        self,
        key: Any,
        box: Box,
        shape: Any = (128, 128, 64),
        *,
        amplitude: Any = 1.0,
        slope: Any = 5.0 / 3.0,
        rise: Any = 2.0,
        outer_scale: Any = 0.5,
        profile: AbstractField | None = None,
        along: AbstractField | None = None,
        rho: Any = 1.0,
        helicity: Any = None,
        solenoidal: bool = True,
    ):
        shape = checks.grid_shape("GaussianRandom: shape", shape, 4, arrays=12)
        if not isinstance(box, Box):
            raise TypeError(f"GaussianRandom: box must be a synax.Box, got {type(box).__name__}")
        if helicity is not None and not solenoidal:
            raise ValueError("GaussianRandom: helicity needs solenoidal=True")
        if profile is not None:
            check_rank(profile, "scalar", "profile")
        if along is not None:
            check_rank(along, "vector", "along")
        checks.random_key("key", key)
        self.latent = jax.random.normal(key, (3, *shape), dtype=jnp.result_type(float))
        self.box = box
        self.amplitude = as_parameter(amplitude, "uG", "amplitude")
        self.slope = as_parameter(slope, "", "slope")
        self.rise = as_parameter(rise, "", "rise")
        self.outer_scale = as_parameter(outer_scale, "kpc", "outer_scale")
        self.rho = as_parameter(rho, "", "rho")
        self.helicity = as_parameter(helicity, "", "helicity")
        self.profile = profile
        self.along = along
        self.solenoidal = solenoidal
        scales = (self.slope, self.rise, self.outer_scale)
        gaussian.check_spectrum("GaussianRandom", shape, box, *scales)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of nodes along x, y, z."""
        nx, ny, nz = self.latent.shape[1:]
        return nx, ny, nz

    def grid(self) -> GridField:
        """The field as a grid of values (uG), zero outside the box."""
        modes = gaussian.waves(self.shape, self.box, self.latent.dtype)
        # two of three components survive the projection
        scale = self.amplitude * (0.5 if self.solenoidal else 1.0 / 3.0) ** 0.5
        colour = gaussian.spectral_shape(modes, self.slope, self.rise, self.outer_scale)
        spectrum = gaussian.to_waves(self.latent) * (scale * colour)
        if self.along is not None or self.profile is not None:
            spectrum = gaussian.to_waves(self._modulate(gaussian.to_grid(spectrum, self.shape)))
        if self.solenoidal:
            spectrum = gaussian.solenoidal(spectrum, modes)
            if self.helicity is not None:
                spectrum = gaussian.twist(spectrum, modes, self.helicity)
        return GridField(gaussian.to_grid(spectrum, self.shape), self.box)

    def _modulate(self, values: Float[Array, "3 nx ny nz"]) -> Float[Array, "3 nx ny nz"]:
        if self.along is not None:
            regular = GridField.from_field(self.along, self.box, self.shape).values
            strength = safe_sqrt(jnp.sum(regular * regular, axis=0))
            unit = safe_divide(regular, jnp.broadcast_to(strength, regular.shape))
            parallel = unit * jnp.sum(unit * values, axis=0)
            across = values - parallel
            norm = jnp.sqrt((self.rho**2 + 2.0 / self.rho**2) / 3.0)
            stretched = (self.rho * parallel + across / self.rho) / norm
            values = jnp.where(strength > 0, stretched, values)
        if self.profile is not None:
            values = values * GridField.from_field(self.profile, self.box, self.shape).values
        return values

    def __getattr__(self, name: str) -> Any:
        refuse_old("GaussianRandom", name)
        raise AttributeError(f"'GaussianRandom' object has no attribute {name!r}")

    def prepare(self) -> AbstractField:
        """The realisation, ready for look-ups: the transforms are done here, once."""
        return self.grid().prepare()

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "3 *points"]:
        return self.prepare()(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,)


class ExponentialStrength(AbstractScalarField):
    """Strength of a random field whose energy falls exponentially, 1 at the Sun's place.

    strength = sqrt(exp(-(r - r_sun)/r0 - (|z| - z_sun)/z0)), with r cylindrical.

    **Reference:** the profile of hammurabiX's random fields (Wang et al. 2020, ApJS 247, 18).
    """

    r0: Scalar = parameter(8.0, "kpc", "radial scale length of the energy density", above=0.0)
    z0: Scalar = parameter(1.0, "kpc", "scale height of the energy density", above=0.0)
    r_sun: Scalar = parameter(8.3, "kpc", "radius at which the strength is 1", minimum=0.0)
    z_sun: Scalar = parameter(0.006, "kpc", "height at which the strength is 1")

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="Wang et al. 2020, ApJS 247, 18", sun=(-8.3, 0.0, 0.006), notes="a profile, no field"
    )

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        x, y, z = position
        fall = (cylindrical_radius(x, y) - self.r_sun) / self.r0
        return jnp.exp(-0.5 * (fall + (jnp.abs(z) - self.z_sun) / self.z0))
