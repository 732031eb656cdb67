"""Fields given by their values on a uniform grid."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .. import _checks as checks
from .._numerics._gather import Shape3, pack, trilinear
from .._numerics._mesh import as_mesh
from .._parameters import as_parameter, parameter, unit_factor
from ._domain import Box
from ._field import AbstractField, Position, Value
from ._surfaces import AbstractSurface


class GridField(AbstractField):
    """A scalar or vector field interpolated from a uniform grid in a box.

    Axis by axis, with N values in a box of half-length h about c, value i sits at

    - `centering="node"`: c - h + 2 h i / (N - 1): the first and last ones lie on the faces;
    - `centering="cell"`: c - h + 2 h (i + 1/2) / N: the middles of N equal cells.

    Outside the box (faces belong to it) the field is, by `outside`,

    - `"zero"` (default): 0, and the box becomes one of the field's `surfaces()`;
    - `"nearest"`: the value at the nearest point of the grid;
    - `"linear"`: extrapolated linearly from the outermost cell.

    In the outer half cell of a cell-centred grid, which lies inside the box but beyond the
    outermost values, `"zero"` and `"nearest"` hold the outermost value. hammurabiX's grids are
    node-centred and zero outside; it puts the zero on the faces themselves too, a difference on a
    set of measure zero.

    **Arguments:**

    - `values`: (nx, ny, nz) for a scalar, (3, nx, ny, nz) for a vector field; at least two along
      each axis. The trainable leaf; keep it as an array and every cell is a parameter.
    - `box`: a `synax.Box` (kpc).
    - `centering`, `outside`: see above (static).
    - `order`: `"linear"` (trilinear) or `"cubic"` (local cubic splines, by `interpax`; needs
      `outside` other than `"linear"`) (static).
    - `unit`: unit of the values, 'uG' for vectors and 'cm-3' for scalars if not given (static).
      Values given as an astropy Quantity are converted to it.
    """

    values: Float[Array, "..."] = parameter(..., "", "values on the grid")
    box: Box
    centering: str = eqx.field(static=True)
    outside: str = eqx.field(static=True)
    order: str = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    mesh: jax.sharding.Mesh | None = eqx.field(static=True)
    """Devices the values are divided over (see `sharded`); None: no division."""

    def __init__(
        self,
        values: Any,
        box: Any,
        *,
        centering: str = "node",
        outside: str = "zero",
        order: str = "linear",
        unit: str | None = None,
        mesh: jax.sharding.Mesh | None = None,
    ):
        checks.choice("GridField: centering", centering, ("node", "cell"))
        checks.choice("GridField: outside", outside, ("zero", "nearest", "linear"))
        checks.choice("GridField: order", order, ("linear", "cubic"))
        if order == "cubic" and outside == "linear":
            raise ValueError("GridField: order='cubic' needs outside='zero' or 'nearest'")
        if not isinstance(box, Box):
            raise TypeError(f"GridField: box must be a synax.Box, got {type(box).__name__}")
        shape = jnp.shape(values)
        if not (len(shape) == 3 or (len(shape) == 4 and shape[0] == 3)):
            raise ValueError(
                f"GridField: values must have shape (nx, ny, nz) or (3, nx, ny, nz), got {shape}"
            )
        check_nodes("GridField: values", shape[-3:])
        if unit is not None:
            checks.instance("GridField: unit", unit, str, "a string such as 'uG'")
        self.unit = unit if unit is not None else ("uG" if len(shape) == 4 else "cm-3")
        self.values = as_parameter(values, self.unit, "GridField: values")
        if eqx.is_array(self.values):
            checks.finite("GridField: values", self.values, self.unit)
        self.box = box
        self.centering = centering
        self.outside = outside
        self.order = order
        self.mesh = mesh

    @property
    def rank(self) -> str:
        return "vector" if jnp.ndim(self.values) == 4 else "scalar"

    def to_unit(self, unit: str) -> "GridField":
        """The same grid with its values in another unit (astropy's spelling).

        **Raises** `ValueError` for a unit that is not known, or that this one does not convert to.
        """
        factor = unit_factor(self.unit, unit, "unit")
        values = self.values if factor == 1.0 else self.values * factor
        return dataclasses.replace(self, values=values, unit=unit)

    def sharded(self, devices: Any = None) -> "GridField":
        """The same grid with its values divided over several devices, along x.

        For grids (and their gradients) that do not fit on one device: each holds nx / devices
        planes and looks up the points of all, so memory is divided, not time. Call simulators with
        sightlines `sharded` over the same devices.

        **Arguments:**

        - `devices`: a list of devices or a one-dimensional `jax.sharding.Mesh`; default: all there
          are, on every host.

        **Raises** `ValueError` if nx is not a multiple (at least twice) of the number of devices,
        or for cubic interpolation.
        """
        mesh = as_mesh(devices)
        if self.order != "linear":
            raise ValueError(f"GridField: order={self.order!r} cannot be sharded, only 'linear'")
        if self.shape[0] % mesh.size or self.shape[0] < 2 * mesh.size:
            raise ValueError(
                f"GridField: nx must be a multiple (at least twice) of the number of devices, got "
                f"nx={self.shape[0]} and {mesh.size} devices"
            )
        before = [None] * (self.values.ndim - 3)
        along_x = jax.sharding.PartitionSpec(*before, *mesh.axis_names, None, None)
        values = eqx.filter_shard(self.values, jax.sharding.NamedSharding(mesh, along_x))
        return dataclasses.replace(self, values=values, mesh=mesh)

    @classmethod
    def from_field(
        cls,
        field: Any,
        box: Any,
        shape: Any = (256, 256, 64),
        *,
        centering: str = "node",
        outside: str = "zero",
        order: str = "linear",
        unit: str | None = None,
    ) -> "GridField":
        """Sample another field on a grid, one slab of constant x at a time (little memory).

        **Arguments:**

        - `field` any scalar or vector field, `shape` the number of values along x, y, z; the rest
          as for the constructor. Differentiable in the field's parameters.
        """
        checks.instance("field", field, AbstractField, "a field (a synax.AbstractField)")
        checks.unitless_leaves("field", field)
        checks.instance("box", box, Box, "a synax.Box")
        checks.choice("centering", centering, ("node", "cell"))
        values = _sample(field, box, check_nodes("shape", shape), centering)
        return cls(values, box, centering=centering, outside=outside, order=order, unit=unit)

    @property
    def shape(self) -> Shape3:
        """Number of values along x, y, z."""
        nx, ny, nz = self.values.shape[-3:]
        return nx, ny, nz

    def axes(self) -> tuple[Float[Array, " nx"], Float[Array, " ny"], Float[Array, " nz"]]:
        """Coordinates (kpc) of the values along x, y, z."""
        return _axes(self.box, self.shape, self.centering)

    def prepare(self) -> AbstractField:
        """The same field with its values packed for the look-up."""
        if self.order == "cubic" or self.mesh is not None:
            return self  # a divided grid is packed by each device, see _slab.py
        return self._packed()

    def _packed(self) -> "PackedGrid":
        vector = self.values.ndim == 4
        table = pack(self.values)
        return PackedGrid(table, self.box, self.shape, vector, self.centering, self.outside)

    def __call__(self, position: Position) -> Value:
        if self.order == "linear":
            return self._packed()(position)
        return self._cubic(position)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,) if self.outside == "zero" else ()

    def _cubic(self, position: Position) -> Value:
        import interpax

        flat = position.reshape(3, -1)
        ends = [(a[0], a[-1]) for a in self.axes()]
        query = [jnp.clip(x, low, high) for x, (low, high) in zip(flat, ends, strict=True)]
        last = jnp.moveaxis(self.values, 0, -1) if self.values.ndim == 4 else self.values
        value = interpax.interp3d(*query, *self.axes(), last, method="cubic", extrap=True)
        value = value.T.reshape(self.values.shape[:-3] + position.shape[1:])
        return cut(value, position, self.box, self.outside)


class PackedGrid(AbstractField):
    """What `GridField.prepare` returns: the values flat, components fastest."""

    table: Float[Array, " size"]
    box: Box
    shape: Shape3 = eqx.field(static=True)
    vector: bool = eqx.field(static=True)
    centering: str = eqx.field(static=True)
    outside: str = eqx.field(static=True)

    @property
    def rank(self) -> str:
        return "vector" if self.vector else "scalar"

    def __call__(self, position: Position) -> Value:
        flat = position.reshape(3, -1)
        coordinate = grid_coordinate(flat, self.box, self.shape, self.centering)
        clamp = self.outside != "linear"
        components = 3 if self.vector else 1
        value = trilinear(self.table, coordinate, self.shape, components, clamp)
        value = value.reshape((3,) * self.vector + position.shape[1:])
        return cut(value, position, self.box, self.outside)

    def surfaces(self) -> tuple[AbstractSurface, ...]:
        return (self.box,) if self.outside == "zero" else ()


def grid_coordinate(
    position: Float[Array, "3 n"], box: Box, shape: Shape3, centering: str
) -> Float[Array, "3 n"]:
    """Positions (kpc) in units of the spacing, counted from the first value of each axis."""
    half = box.half_lengths[:, None].astype(position.dtype)
    low = box.center[:, None].astype(position.dtype) - half
    count = jnp.asarray(shape, dtype=position.dtype)[:, None]
    if centering == "node":
        return (position - low) * ((count - 1.0) / (2.0 * half))
    return (position - low) * (count / (2.0 * half)) - 0.5


def cut(value: Value, position: Position, box: Box, outside: str) -> Value:
    """Zero outside the box, if that is what the grid is there."""
    return jnp.where(box.contains(position), value, 0.0) if outside == "zero" else value


def _axes(box: Box, shape: Shape3, centering: str) -> tuple[Array, Array, Array]:
    def axis(n: int, half: Array, center: Array) -> Array:
        i = jnp.arange(n, dtype=half.dtype)
        unit = i / (n - 1) if centering == "node" else (i + 0.5) / n
        return center + half * (2.0 * unit - 1.0)

    x, y, z = (axis(n, box.half_lengths[k], box.center[k]) for k, n in enumerate(shape))
    return x, y, z


@eqx.filter_jit
def _sample(field: AbstractField, box: Box, shape: Shape3, centering: str) -> Value:
    xs, ys, zs = _axes(box, shape, centering)
    y, z = jnp.meshgrid(ys, zs, indexing="ij")
    ready = field.prepare()
    slabs = lax.map(lambda x: ready(jnp.stack([jnp.full_like(y, x), y, z])), xs)
    return jnp.moveaxis(slabs, 0, -3)


def check_nodes(name: str, shape: Any) -> Shape3:
    """Three whole numbers of nodes, at least two each, that memory and indices can hold."""
    nx, ny, nz = checks.grid_shape(name, shape, arrays=0)
    if 3 * nx * ny * nz >= 2**31:
        raise ValueError(f"{name}: shape {(nx, ny, nz)} is too large for 32-bit indices")
    return checks.grid_shape(name, (nx, ny, nz))
