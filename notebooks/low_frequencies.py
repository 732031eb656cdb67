# %% [markdown]
# # Low frequencies
# The polarised sky from 30 GHz down to 100 MHz: Faraday rotation turns the plane of polarisation by
# RM lambda^2, which grows a hundred thousand times over this range.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import numpy as np

import synax
from synax import plot

NSIDE, STEPS = 8, 128
FREQUENCIES = (0.1, 0.15, 0.408, 1.4, 2.4, 5.0, 10.0, 30.0)  # GHz

# %%
sky = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=STEPS
)
rays = synax.Sightlines.healpix(NSIDE)
maps = synax.SkyMap.from_stokes(sky(rays, FREQUENCIES), rays, FREQUENCIES)
plot.stokes(maps, ("P",), frequency=0.408, direction=None)

# %%
plot.stokes(maps, ("P", "angle"), frequency=30.0)

# %% [markdown]
# ## Depolarisation
# The mean degree of polarisation against frequency. It starts from the intrinsic 75 %. Above 10 GHz the
# geometry of the field reduces it; below, rotation along the line of sight does.

# %%
fraction = np.mean(np.asarray(maps.P) / np.asarray(maps.I), axis=-1)
figure = plot.figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
axes.loglog(FREQUENCIES, fraction, "o-", color="#2a6f97")
axes.set(xlabel="frequency (GHz)", ylabel="mean P / I")
figure

# %%
assert fraction[0] < 0.3 * fraction[-1] < 0.3 * 0.75

# %% [markdown]
# ## How many steps?
# The rotation within a cell is integrated exactly. Still n_e B must be resolved, and at low frequencies
# 128 steps are too few: the warning says so, and `synax.with_tolerance` finds how many are needed.

# %%
for nu in (0.1, 0.408, 2.4, 30.0):
    error = synax.estimate_error(sky, rays, nu, n_rays=96)
    print(f"{nu:6.3f} GHz: rms error of Q {float(error.rms.Q):.1e}")
