"""Work divided over several devices: what belongs to a ray is split, everything else replicated."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree

REPLICATED, RAYS, PLANES = 0, -1, -3
"""What becomes of an array on several devices: copied, or divided along its last axis (rays) or
its third from last (x of a grid)."""


def as_mesh(devices: Any = None) -> Mesh:
    """A mesh with one axis, of a list of devices (default: all there are, on every host)."""
    if not isinstance(devices, Mesh):
        chosen = np.asarray(jax.devices() if devices is None else devices).reshape(-1)
        if chosen.size == 0 or not all(isinstance(d, jax.Device) for d in chosen):
            raise TypeError(
                "devices must be a list of JAX devices, such as jax.devices(), or a "
                f"jax.sharding.Mesh; got {devices!r}"
            )
        devices = Mesh(chosen, ("rays",))
    if len(devices.axis_names) != 1:
        raise ValueError(f"devices must be a mesh with one axis, got axes {devices.axis_names}")
    return devices


def over_rays(
    function: Callable[[PyTree], PyTree],
    arguments: PyTree,
    divided: PyTree,
    n_rays: int,
    mesh: Mesh,
) -> PyTree:
    """Call `function(arguments)` on every device of a one-axis mesh, each with its share of rays.

    `divided` says for every leaf REPLICATED, RAYS (padded here to a multiple of the number of
    devices) or PLANES. All results must have rays as their last axis. Cotangents of the
    replicated leaves are summed over the devices once, after the call.
    """
    (axis,) = mesh.axis_names
    missing = -n_rays % mesh.size

    def split(x: Any, along: int = RAYS) -> PartitionSpec:
        if along == REPLICATED:
            return PartitionSpec()
        return PartitionSpec(*[None] * (x.ndim + along), axis, *[None] * (-along - 1))

    def pad(x: Any, along: int) -> Any:
        if along != RAYS or not missing:
            return x
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")

    arrays, static = eqx.partition(arguments, eqx.is_array)
    arrays = jax.tree.map(pad, arrays, divided)
    in_specs = jax.tree.map(split, arrays, divided)
    traced: list[Any] = []

    def local(arrays: PyTree) -> list[Any]:
        results = function(eqx.combine(arrays, static))
        traced[:] = [jax.tree.structure(results), [x.shape[:-1] for x in jax.tree.leaves(results)]]
        # of one rank, so that what comes out need not be known beforehand
        return [x.reshape(-1, x.shape[-1]) for x in jax.tree.leaves(results)]

    flat = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(in_specs,),
        out_specs=PartitionSpec(None, axis),
        check_vma=False,
    )(arrays)
    structure, shapes = traced
    whole = [x[:, :n_rays].reshape(*s, n_rays) for x, s in zip(flat, shapes, strict=True)]
    return jax.tree.unflatten(structure, whole)
