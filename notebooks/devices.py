# %% [markdown]
# # One and several devices
# The same sky on one device and with its rays shared among four. On a machine without accelerators
# the processor poses as four devices.

# %%
import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
import jax

jax.config.update("jax_enable_x64", True)
import equinox as eqx
import jax.numpy as jnp
import numpy as np

import synax

NSIDE, STEPS = 8, 32
print(jax.devices())

# %%
sky = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=STEPS
)
rays = synax.Sightlines.healpix(NSIDE)
alone = sky(rays, 2.4)

# %% [markdown]
# Rays are sharded, parameters replicated; a gradient needs one reduction.

# %%
shared = rays.sharded()
together = sky(shared, 2.4)
print(together.Q.sharding)
np.testing.assert_allclose(together.Q, alone.Q, rtol=1e-12, atol=1e-15)


# %%
@eqx.filter_jit
@eqx.filter_grad
def slope(sky, rays):
    return jnp.mean(sky(rays, 2.4).P)


one, several = (slope(sky, r).magnetic.b0 for r in (rays, shared))
print(float(one), float(several))
np.testing.assert_allclose(one, several, rtol=1e-10)
