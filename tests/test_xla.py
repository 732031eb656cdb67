"""The kernels of XLA that read behind a matrix are not used."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from synax._numerics import _xla

PRODUCT = """
import os, sys
before = os.environ.get("XLA_FLAGS")
import synax, jax, jax.numpy as jnp
assert os.environ.get("XLA_FLAGS") == before
product = jax.jit(lambda a, b: (a + 1) @ (b + 1)).lower(jnp.ones((9, 3)), jnp.ones((3, 40)))
print("ynn" in product.compile().as_text(), len(jax.devices()))
"""

faulty = pytest.mark.skipif(
    not _xla.has_fault() or jax.default_backend() != "cpu",
    reason="this jaxlib has not the fault that is avoided",
)


def test_versions_that_were_seen_to_have_the_fault():
    """And no later one: XLA ends the process at a flag that it does not know."""
    known = {n: _xla.has_fault(n) for n in ("0.9.1", "0.9.2", "0.10.2.dev1", "0.12.0.1", "0.12.1")}
    assert list(known.values()) == [False, True, True, True, False]


@faulty
def test_products_of_small_matrices():
    one, other = jnp.ones((9, 3)), jnp.ones((3, 40))
    for product in (lambda a, b: (a + 1) @ (b + 1), lambda a, b: jnp.einsum("ij,jk->ik", a, b + 1)):
        assert "ynn" not in jax.jit(product).lower(one, other).compile().as_text()


@faulty
@pytest.mark.parametrize(
    "flags, kept, devices",
    [
        (None, False, 1),
        ("--xla_force_host_platform_device_count=3", False, 3),
        (f"{_xla.FLAG}=LIBRARY_FUSION_TYPE_DOT", True, 1),
    ],
)
def test_flags_of_the_user_hold(flags, kept, devices):
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    if flags is not None:
        environment["XLA_FLAGS"] = flags
    found = subprocess.run(
        [sys.executable, "-c", PRODUCT], env=environment, capture_output=True, text=True, check=True
    )
    assert "pjrt" not in found.stderr  # what XLA says where JAX has not told it to be quiet
    assert found.stdout.split() == [str(kept), str(devices)]
