# %% [markdown]
# # Quick start
# A synchrotron sky, its figures, a gradient and a FITS file.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import equinox as eqx
import jax.numpy as jnp
import numpy as np

import synax
from synax import plot

NSIDE, STEPS = 8, 64

# %% [markdown]
# ## A Galaxy
# Three fields: magnetic (microgauss), thermal electrons (cm^-3), cosmic-ray electrons. Positions are
# in kpc, components first.

# %%
B = synax.magnetic.WMAP()
sky = synax.Synchrotron(B, synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=STEPS)
plot.slices(B, shape=120, title="The WMAP field")

# %% [markdown]
# ## A sky
# Two frequencies in one march. At 1.4 GHz Faraday rotation has scrambled the plane.

# %%
rays = synax.Sightlines.healpix(NSIDE)
frequencies = [1.4, 23.0]
maps = synax.SkyMap.from_stokes(sky(rays, frequencies), rays, frequencies)
plot.stokes(maps, ("I", "P", "Q", "U"), frequency=23.0)

# %%
plot.stokes(maps, ("P", "angle"), frequency=1.4, direction="lines")

# %%
synax.io.save_map("quick_start.fits", maps, overwrite=True)
assert np.array_equal(synax.io.load_map("quick_start.fits").Q, maps.Q)

# %% [markdown]
# ## How good are the numbers?

# %%
error = synax.estimate_error(sky, rays, 1.4, n_rays=64)
print(f"rms error of I {float(error.rms.I):.1e}, of Q {float(error.rms.Q):.1e}")
assert float(error.rms.I) < 1e-2

# %% [markdown]
# ## A gradient
# Of the mean polarised brightness with respect to everything.


# %%
@eqx.filter_jit
@eqx.filter_value_and_grad
def mean_polarisation(sky):
    return 1e3 * jnp.mean(sky(rays, 2.4).P)


value, slope = mean_polarisation(sky)
print(f"mean P {float(value):.3f} mK")
print(f"per microgauss of b0 {float(slope.magnetic.b0):.3f} mK")
print(f"per radian of chi0 {float(slope.magnetic.chi0):.3f} mK")
assert np.isfinite(float(slope.electrons.n1))

# %% [markdown]
# ## Another point of view

# %%
extent = (36.0, 24.0)
outside = synax.Sightlines.parallel((32, 48), extent, inclination=55.0)
plot.image(sky(outside, 4.8), outside, 4.8, extent=extent)
