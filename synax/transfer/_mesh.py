"""Work divided over several devices: what belongs to a ray is split, everything else replicated."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree


def over_rays(
    function: Callable[[PyTree], PyTree],
    arguments: PyTree,
    per_ray: PyTree,
    n_rays: int,
    mesh: Mesh,
) -> PyTree:
    """Call `function(arguments)` on every device of a one-axis mesh, each with its share of rays.

    `per_ray` is a filter: True on the leaves whose last axis is rays (padded here to a multiple
    of the number of devices). All results must have that last axis. Cotangents of the other
    leaves are summed over the devices once, after the call.
    """
    (axis,) = mesh.axis_names
    missing = -n_rays % mesh.size
    split = lambda x: PartitionSpec(*[None] * (x.ndim - 1), axis)

    def pad(x: Any, divided: bool) -> Any:
        if not (divided and missing):
            return x
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")

    arrays, static = eqx.partition(arguments, eqx.is_array)
    arrays = jax.tree.map(lambda x, divided: pad(x, divided), arrays, per_ray)
    in_specs = jax.tree.map(
        lambda x, divided: split(x) if divided else PartitionSpec(), arrays, per_ray
    )
    local = lambda arrays: function(eqx.combine(arrays, static))
    out = eqx.filter_eval_shape(local, arrays)
    results = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(in_specs,),
        out_specs=jax.tree.map(split, out),
        check_vma=False,
    )(arrays)
    return jax.tree.map(lambda x: x[..., :n_rays], results)
