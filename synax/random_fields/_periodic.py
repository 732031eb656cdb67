"""A field in a box, repeated over all space."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import instance
from ..fields._domain import Box
from ..fields._field import AbstractField
from ..fields._grid import GridField

Position = Float[Array, "3 *points"]


class Periodic(AbstractField):
    """The field of a box, repeated without end: value(x) = original(x - period round(x / period)).

    The period along each axis is the side of the box. The field is smooth across the faces if the
    original's values on opposite ones are the same (`repeated` makes such a grid). Parts of space a
    whole number of periods apart have the same field; turn it (`rotated`) so that few sightlines
    run along an axis.

    **Arguments:**

    - `field`: any field.
    - `box`: a `synax.Box`; its centre does not matter.

    **Raises** `TypeError` for another `field` or `box`.
    """

    field: AbstractField
    box: Box

    def __check_init__(self):
        instance("Periodic: field", self.field, AbstractField, "a field")
        instance("Periodic: box", self.box, Box, "a synax.Box")

    @property
    def rank(self) -> str:
        return self.field.rank

    def __call__(self, position: Position) -> Float[Array, "..."]:
        shape = (3,) + (1,) * (position.ndim - 1)
        period = (2.0 * self.box.half_lengths).astype(position.dtype).reshape(shape)
        center = self.box.center.astype(position.dtype).reshape(shape)
        return self.field(position - period * jnp.round((position - center) / period))

    def prepare(self) -> "Periodic":
        return Periodic(self.field.prepare(), self.box)


def repeated(grid: GridField) -> Periodic:
    """A grid made by Fourier series, which repeats after its box's side plus one spacing.

    **Arguments:**

    - `grid`: node-centred, such as `magnetic.GaussianRandom(...).grid()`.

    **Returns** the field over all space, shifted by half a spacing.
    """
    n = jnp.asarray(grid.values.shape[-3:])
    half = grid.box.half_lengths * (n / (n - 1.0))
    pad = [(0, 0)] * (grid.values.ndim - 3) + [(0, 1)] * 3
    box = Box(half)
    values = jnp.pad(grid.values, pad, mode="wrap")
    return Periodic(GridField(values, box, outside="nearest", unit=grid.unit), box)
