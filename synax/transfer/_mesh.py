"""A march divided over several devices: rays are split, everything shared is replicated."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from ._adjoint import AbstractAdjoint
from ._march import Arguments, March, Totals


def run_on_mesh(
    adjoint: AbstractAdjoint, march: March, arguments: Arguments, mesh: Mesh | None
) -> Totals:
    """Run a march on the devices of a one-axis mesh (or just here, if there is none).

    Rays are padded to a multiple of the number of devices. Cotangents of what is shared are
    summed over the devices once, after the march.
    """
    if mesh is None:
        return adjoint.run(march, arguments)
    (axis,) = mesh.axis_names
    arrays, static = eqx.partition(arguments, eqx.is_array)
    n_rays = arguments.per_ray[0].direction.shape[-1]
    missing = -n_rays % mesh.size

    def pad(x: Any) -> Any:
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")

    def split(x: Any) -> PartitionSpec:
        return PartitionSpec(*[None] * (x.ndim - 1), axis)

    arrays = Arguments(arrays.shared, jax.tree.map(pad, arrays.per_ray))
    in_specs = Arguments(
        jax.tree.map(lambda _: PartitionSpec(), arrays.shared),
        jax.tree.map(split, arrays.per_ray),
    )
    out = eqx.filter_eval_shape(march.forward, arguments)

    def local(arrays: Arguments) -> Totals:
        return adjoint.run(march, eqx.combine(arrays, static))

    totals = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(in_specs,),
        out_specs=jax.tree.map(split, out),
        check_vma=False,
    )(arrays)
    return jax.tree.map(lambda x: x[..., :n_rays], totals)
