"""Free-free emission and absorption of the thermal electrons."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._parameters import parameter
from ..fields._field import AbstractField, check_rank
from ..transfer._base import Coefficients
from ._gaunt import free_free
from ._process import AbstractProcess, Plasma
from ._turbulence_model import at


class FreeFree(AbstractProcess):
    """Thermal bremsstrahlung: kappa = 54.68 T^-1.5 nu^-2 (n_e^2 / f) g(nu, T) per kpc, j = kappa T.

    Hydrogen, Rayleigh-Jeans limit (n_e in cm^-3, nu in GHz, T in K). A thick cloud shines with T.

    **Arguments:**

    - `temperature`: of the electrons, K: a number or a scalar field.
    - `filling_factor`: f, volume fraction of the clumps whose mean density n_e is, in (0, 1]: a
      number or a scalar field. Free-free absorption weighs n_e^2, so clumps absorb 1/f more.

    **Raises** `TypeError` for vector fields, `ValueError` for numbers out of range.

    **Reference:** Draine 2011, Physics of the Interstellar and Intergalactic Medium, ch. 10; van
    Hoof et al. 2014, MNRAS 444, 420 (Gaunt factor).
    """

    temperature: Any = parameter(8000.0, "K", "electron temperature", above=0.0)
    filling_factor: Any = parameter(1.0, "", "volume fraction of clumps", above=0.0, maximum=1.0)

    def __check_init__(self):
        for name in ("temperature", "filling_factor"):
            value = getattr(self, name)
            if isinstance(value, AbstractField):
                check_rank(value, "scalar", f"free_free: {name}")
            elif eqx.is_array(value) and value.ndim:
                raise ValueError(
                    f"free_free: {name} must be a number or a scalar field, got an array of shape "
                    f"{value.shape}"
                )

    def fields(self) -> tuple[AbstractField, ...]:
        """The fields among the arguments."""
        values = (self.temperature, self.filling_factor)
        return tuple(v for v in values if isinstance(v, AbstractField))

    def __call__(self, plasma: Plasma, frequency: Float[Array, " n_freq"] | None) -> Coefficients:
        # where there is no gas, a field may be 0
        there = plasma.density > 0
        known = lambda x, other: (
            jnp.where(there, at(x, plasma.position), other)
            if isinstance(x, AbstractField)
            else jnp.asarray(x)
        )
        temperature, filling = known(self.temperature, 1e4), known(self.filling_factor, 1.0)
        assert frequency is not None  # the simulator's law has one
        nu = frequency[:, None, None]
        absorption, emission = free_free(plasma.density, temperature, nu, filling)
        nothing = (None, None, None)
        return Coefficients(emission=(emission, *nothing), absorption=(absorption, *nothing))
