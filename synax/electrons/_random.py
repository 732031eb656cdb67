"""Gaussian and log-normal random electron densities."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _checks as checks
from .._parameters import ModelInfo, Scalar, as_parameter, parameter
from .._renamed import refuse_old
from ..fields._domain import Box
from ..fields._field import AbstractField, AbstractScalarField, check_rank
from ..fields._grid import GridField
from ..fields._surfaces import AbstractSurface
from ..random_fields import _waves as gaussian


class GaussianRandom(AbstractScalarField):
    """Random density fluctuations on a grid with a broken power-law spectrum.

    With g a Gaussian field of zero mean, unit variance and one-dimensional spectrum
    E(k) ~ u^rise / (1 + u^2)^((rise + slope)/2), u = k L (k in cycles per kpc), the density is

    - `log_normal=False`: n = amplitude profile g, a fluctuation (of either sign) to be added to a
      smooth model;
    - `log_normal=True`: n = profile exp(amplitude g - amplitude^2/2), positive, of mean `profile`.

    The white noise is a leaf and stays as it is when the other parameters change. `grid()`
    gives a `GridField`, `prepare()` that grid ready for look-ups (a simulator does this once);
    calling the object itself does all the work anew.

    **Arguments:**

    - `key`, `box`, `shape`: as for `synax.magnetic.GaussianRandom`.
    - `amplitude`: rms of the fluctuation (cm^-3, or relative to `profile`); in the log-normal case
      the standard deviation of ln n.
    - `profile`: scalar field (cm^-3, or relative); None: 1.
    - `slope`, `rise`, `outer_scale`: spectral indices and scale L (kpc).
    - `log_normal`: see above (static).

    **Reference:** spectrum as for hammurabiX's random electrons (Wang et al. 2020, ApJS 247, 18).
    """

    latent: Float[Array, "nx ny nz"] = parameter(..., "", "white noise of unit variance")
    box: Box
    amplitude: Scalar = parameter(..., "", "rms (cm-3 or relative), or spread of ln n")
    slope: Scalar = parameter(..., "", "E(k) falls as k^-slope beyond 1/outer_scale")
    rise: Scalar = parameter(..., "", "E(k) rises as k^rise below 1/outer_scale")
    outer_scale: Scalar = parameter(..., "kpc", "wavelength of the break")
    profile: AbstractField | None
    log_normal: bool = eqx.field(static=True)

    info: ClassVar[ModelInfo] = ModelInfo(
        paper="spectrum as in Wang et al. 2020, ApJS 247, 18", notes="a realisation on a grid"
    )

    def __init__(
        self,
        key: Any,
        box: Box,
        shape: Any = (128, 128, 64),
        *,
        amplitude: Any = 0.01,
        profile: AbstractField | None = None,
        slope: Any = 5.0 / 3.0,
        rise: Any = 2.0,
        outer_scale: Any = 0.5,
        log_normal: bool = False,
    ):
        shape = checks.grid_shape("GaussianRandom: shape", shape, 4, arrays=12)
        if not isinstance(box, Box):
            raise TypeError(f"GaussianRandom: box must be a synax.Box, got {type(box).__name__}")
        if profile is not None:
            check_rank(profile, "scalar", "profile")
        self.latent = jax.random.normal(
            checks.random_key("key", key), tuple(shape), dtype=jnp.result_type(float)
        )
        self.box = box
        self.amplitude = as_parameter(amplitude, "" if log_normal else "cm-3", "amplitude")
        self.slope = as_parameter(slope, "", "slope")
        self.rise = as_parameter(rise, "", "rise")
        self.outer_scale = as_parameter(outer_scale, "kpc", "outer_scale")
        self.profile = profile
        self.log_normal = log_normal
        scales = (self.slope, self.rise, self.outer_scale)
        gaussian.check_spectrum("GaussianRandom", tuple(shape), box, *scales)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of nodes along x, y, z."""
        nx, ny, nz = self.latent.shape
        return nx, ny, nz

    def grid(self) -> GridField:
        """The density as a grid of values (cm^-3), zero outside the box."""
        modes = gaussian.waves(self.shape, self.box, self.latent.dtype)
        colour = gaussian.spectral_shape(
            modes, self.slope, self.rise, self.outer_scale, at_nodes=self.log_normal
        )
        spectrum = gaussian.to_waves(self.latent) * colour
        values = self.amplitude * gaussian.to_grid(spectrum, self.shape)
        if self.log_normal:
            values = jnp.exp(values - 0.5 * self.amplitude**2)
        if self.profile is not None:
            values = values * GridField.from_field(self.profile, self.box, self.shape).values
        return GridField(values, self.box)

    def __getattr__(self, name: str) -> Any:
        refuse_old("GaussianRandom", name)
        raise AttributeError(f"'GaussianRandom' object has no attribute {name!r}")

    def prepare(self) -> AbstractField:
        """The realisation, ready for look-ups: the transforms are done here, once."""
        return self.grid().prepare()

    def __call__(self, position: Float[Array, "3 *points"]) -> Float[Array, "*points"]:
        return self.prepare()(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,)
