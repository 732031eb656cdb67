# %% [markdown]
# # The sky from 1 MHz to 100 GHz
# Five decades of frequency in one march: at the low end the ionised gas hides what lies behind it and
# the plane turns dark, at the high end the same gas shines more than the relativistic electrons.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import numpy as np

import synax
from synax import plot
from synax.emission import PowerLawBackground

NSIDE, STEPS = 8, 64
FREQUENCIES = np.geomspace(1e-3, 100.0, 16)  # GHz

# %% [markdown]
# The calibrated Galaxy, with free-free emission and absorption and the extragalactic sources behind it.
# A filling factor of 0.2 says that the gas fills a fifth of the volume; absorption grows as n_e^2 / f.
# The microwave background is left out: from 5 GHz on it would be all that these figures show.

# %%
behind = PowerLawBackground()
gas = synax.FreeFree(temperature=8000.0, filling_factor=0.2)
sky = synax.galaxies.calibrated(steps=STEPS, free_free=gas, background=behind)

# %% [markdown]
# ## Turnover
# Brightness temperature in six directions, times the frequency (in GHz) to 2.5, which makes the
# synchrotron spectrum nearly flat. Where a direction becomes opaque only the light in front of the gas is
# left, and the spectrum bends down. At high frequencies it rises: free-free falls as the frequency to 2.1.

# %%
PLACES = {
    "Centre": (0.0, 0.0), "l = 30": (30.0, 0.0), "l = 90": (90.0, 0.0), "l = 180": (180.0, 0.0),
    "b = 30": (60.0, 30.0), "b = 90": (0.0, 90.0),
}  # fmt: skip
few = synax.Sightlines.from_lonlat(*np.array(list(PLACES.values())).T)
seen = sky.observe(few, FREQUENCIES)
brightness, depth = np.asarray(seen.stokes.I), np.asarray(seen.optical_depth)
figure = plot.figure(figsize=(11, 4.5), layout="constrained")
left, right = figure.subplots(1, 2)
for k, name in enumerate(PLACES):
    left.loglog(FREQUENCIES * 1e3, brightness[:, k] * FREQUENCIES**2.5, label=name)
    right.loglog(FREQUENCIES * 1e3, depth[:, k], label=name)
left.set(xlabel="frequency (MHz)", ylabel="T ν$^{2.5}$ (K, RJ)")
right.axhline(1.0, color="grey", ls=":")
right.set(xlabel="frequency (MHz)", ylabel="free-free optical depth", ylim=(1e-9, 1e3))
left.legend(frameon=False)
figure

# %%
opaque = {n: float(np.interp(0.0, -np.log(depth[:, k]), np.log(FREQUENCIES * 1e3)))
          for k, n in enumerate(PLACES)}  # fmt: skip
for name, level in opaque.items():
    print(f"{name:8s} optical depth 1 at {np.exp(level):6.2f} MHz")
assert opaque["Centre"] > opaque["l = 90"] > opaque["b = 90"]

# %% [markdown]
# ## Maps
# From 30 MHz, where the plane is the brightest part of the sky, to 1 MHz, where the inner Galaxy is dark.
# The dark patches are nebulae near the Sun.

# %%
LOW = (0.03, 0.01, 0.003, 0.001)
rays = synax.Sightlines.healpix(NSIDE)
maps = sky.observe(rays, LOW)
plot.sky(*[synax.SkyMap(maps.stokes.I[k], "I", NSIDE, frequency=nu) for k, nu in enumerate(LOW)])

# %% [markdown]
# The optical depth that does it. On the command line: `synax simulate -f 0.003 --outputs tau`.

# %%
plot.sky(*[synax.SkyMap(maps.optical_depth[k], "TAU", NSIDE, frequency=LOW[k]) for k in (0, 2)])

# %%
latitude = np.abs(synax.Sightlines.healpix(NSIDE).direction[2])
contrast = [np.median(i[latitude < 0.09]) / np.median(i[latitude > 0.87]) for i in
            np.asarray(maps.stokes.I)]  # fmt: skip
print("plane over poles:", dict(zip(LOW, np.round(contrast, 2), strict=True)))
assert contrast[0] > 1.0 > contrast[-1]

# %% [markdown]
# ## What the gas does at each frequency
# Brightness with the gas over brightness without it. Below 1 it absorbs; above it shines. Dust, which
# rules the sky above 100 GHz, is not here.

# %%
bare = synax.galaxies.calibrated(steps=STEPS, background=behind, free_free=None)
import warnings

with warnings.catch_warnings():  # of the absorption that is left out on purpose
    warnings.simplefilter("ignore", synax.SynaxWarning)
    without = np.asarray(bare(few, FREQUENCIES).I)
figure = plot.figure(figsize=(6, 4.5), layout="constrained")
axes = figure.subplots()
for k, name in enumerate(PLACES):
    axes.loglog(FREQUENCIES * 1e3, brightness[:, k] / without[:, k], label=name)
axes.axhline(1.0, color="grey", ls=":")
axes.set(xlabel="frequency (MHz)", ylabel="with gas / without")
axes.legend(frameon=False)
figure
