# %% [markdown]
# # From sky to data
# What a survey would see of a model, a galaxy from outside, and Faraday spectra: the model's, and what
# an observer can recover of it.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import numpy as np

import synax
from synax import plot
from synax.instruments import Survey, View

NSIDE, STEPS, SIDE = 32, 48, 48

# %% [markdown]
# ## A survey
# WMAP's K band: its beam of 0.88 degrees is smaller than these pixels, so this notebook takes one of
# three degrees; everything else is the preset's.

# %%
sky = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=STEPS
)
preset = Survey.preset("wmap-k")
survey = Survey(
    preset.name,
    preset.band,
    synax.instruments.GaussianBeam(3.0),
    unit=preset.unit,
    noise=preset.noise,
)
plot.band(survey.band)

# %%
seen = survey.observe(sky, NSIDE, key=jax.random.key(1))
plot.sky(seen)

# %%
likelihood = survey.likelihood(seen)
chi2 = float(np.mean(np.asarray(likelihood.residuals(sky)) ** 2))
print(f"{likelihood.count} data, chi^2 per datum {chi2:.3f}")
assert abs(chi2 - 1) < 0.05

# %% [markdown]
# ## A galaxy like M51, and one edge-on
# An axisymmetric spiral field in a disc, seen from 8.6 Mpc.

# %%
disc = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP(), steps=STEPS
)
inclined = synax.Sightlines.parallel((SIDE, SIDE), (36, 36), inclination=22, distance=60)
edge_on = synax.Sightlines.parallel((SIDE // 2, SIDE), (36, 18), inclination=88, distance=60)
plot.image(disc(inclined, 4.85), inclined, 4.85, extent=(36, 36))

# %%
plot.image(disc(edge_on, 4.85), edge_on, 4.85, extent=(36, 18))

# %%
view = View(inclined, distance=8600, center=(202.47, 47.195))
rm = np.asarray(synax.RotationMeasure(disc.magnetic, disc.electrons, steps=STEPS)(inclined))
smooth = np.asarray(view.image(view.smooth(disc(inclined, 4.85).I, 60.0)))
print(
    f"pixels of {view.pixel[0]:.1f} arcsec, {view.jansky_per_beam(4.85, 60.0):.3g} Jy/beam in 1 K"
)
figure = plot.figure(figsize=(10, 4.4), layout="constrained")
left, right = figure.subplots(1, 2)
for axes, values, name in (
    (left, rm.reshape(SIDE, SIDE), "RM (rad/m$^2$)"),
    (right, smooth, "I (K)"),
):
    shown = axes.imshow(values, origin="lower", cmap="RdBu_r" if axes is left else "inferno")
    figure.colorbar(shown, ax=axes, label=name)
figure

# %% [markdown]
# ## Faraday depth
# The emission of one line of sight through the Galaxy by Faraday depth, and what 288 channels between
# 0.8 and 1.088 GHz make of it.

# %%
rays = synax.Sightlines.from_lonlat([40.0], [4.0])
model = synax.FaradaySpectrum(sky, np.arange(-400, 401, 8.0))(rays, 1.0)
plot.faraday_spectrum(model)

# %%
nu = np.linspace(0.8, 1.088, 288)
channels = sky(rays, nu)
dirty = synax.rm_synthesis(nu, channels.Q, channels.U, np.arange(-400, 401, 4.0))
plot.faraday_spectrum(dirty)

# %%
plot.rmsf(dirty)
