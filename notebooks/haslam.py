# %% [markdown]
# # A grid fitted to the 408 MHz sky
# The experiment of Diao et al. 2024: every cell of a magnetic field on a grid is free, cosmic rays are
# fixed, and the total intensity of Haslam's map is fitted. It can be, easily; what the grid then holds
# is one of very many answers, and this notebook shows that too. `SYNAX_DATA` names the data's folder.

# %%
import os
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax

import synax
from synax import plot

NSIDE, STEPS, SHAPE = 8, 64, (32, 32, 8)
FIT_STEPS = 120

# %%
with np.load(Path(os.environ["SYNAX_DATA"]) / "haslam408_dsds_n64.npz") as file:
    full = synax.SkyMap(jnp.asarray(file["T_gal"], float), "I", nside=64, frequency=0.408)
data = full.degrade(NSIDE)
rays = synax.Sightlines.healpix(NSIDE)

# %% [markdown]
# ## The fit
# A tenth of the pixels is held out. A penalty on roughness chooses among the fields that fit.

# %%
key = jax.random.key(0)
box = synax.Box((20.0, 20.0, 5.0))
noise = jax.random.normal(key, (3, *SHAPE))
start = synax.GridField(0.3 * noise + jnp.array([0.0, 3.0, 0.5])[:, None, None, None], box)
sky = synax.Synchrotron(start, None, synax.cosmic_rays.WMAP(), steps=STEPS)
held_out = np.random.default_rng(1).random(rays.n_rays) < 0.1
target = jnp.log(jnp.maximum(data.values, 1.0))


def residual(sky):
    return jnp.log(sky(rays, 0.408).I + 1e-3) - target


def loss(sky):
    misfit = jnp.mean(jnp.where(held_out, 0.0, residual(sky)) ** 2)
    return misfit + 1e-4 * synax.roughness(sky.magnetic) / start.values.size


best = synax.fit(
    loss,
    sky,
    free=synax.select(sky, "magnetic.values"),
    optimizer=optax.adam(0.1),
    steps=FIT_STEPS,
)
fitted = best.model

# %%
rest = np.asarray(eqx.filter_jit(residual)(fitted))
print(
    f"rms of ln(model / data): fitted {rest[~held_out].std():.3f}, held out {rest[held_out].std():.3f}"
)
before = np.asarray(eqx.filter_jit(residual)(sky))
assert rest[~held_out].std() < 0.5 * before.std()

# %%
model = synax.SkyMap(fitted(rays, 0.408).I, "I", nside=NSIDE, frequency=0.408)
plot.residuals(data, model)

# %% [markdown]
# ## What the grid holds
# Strong fields near the Sun, where few cells fill many pixels, and noise far away.

# %%
plot.slices(fitted.magnetic, shape=120, half_height=5.0, title="One of very many answers")
