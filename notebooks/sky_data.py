# %% [markdown]
# # Against data
# Dispersion measures of pulsars with independent distances, and the Faraday sky. `SYNAX_DATA` names
# the folder of public data.

# %%
import os
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
import numpy as np

import synax
from synax import plot

STEPS, PULSARS, NSIDE = 64, 120, 8
DATA = Path(os.environ["SYNAX_DATA"])

# %% [markdown]
# ## Pulsars
# YMW16 was fitted to most of these, so this tests the code as much as the model.

# %%
with np.load(DATA / "pulsars_psrcat167.npz", allow_pickle=False) as file:
    pulsars = {k: file[k] for k in ("l", "b", "dm", "dist_indep", "globular", "extragalactic")}
l, b, measured, distance = (pulsars[k].astype(float) for k in ("l", "b", "dm", "dist_indep"))
good = np.isfinite(measured) & np.isfinite(distance) & (distance > 0.1) & (distance < 20)
good &= ~pulsars["globular"] & ~pulsars["extragalactic"]
chosen = np.flatnonzero(good)[:PULSARS]
rays = synax.Sightlines.from_lonlat(l[chosen], b[chosen], distance=distance[chosen])
model = np.asarray(synax.DispersionMeasure(synax.electrons.YMW16(), steps=STEPS)(rays))
ratio = model / measured[chosen]
print(f"{chosen.size} pulsars, model / measured: median {np.median(ratio):.2f}")
print("16th and 84th percentile:", np.percentile(ratio, [16, 84]).round(2))
assert 0.7 < np.median(ratio) < 1.4

# %%
figure = plot.figure(figsize=(5.5, 5), layout="constrained")
axes = figure.subplots()
axes.loglog(model, measured[chosen], ".", color="#2a6f97")
axes.plot([2, 1000], [2, 1000], color="#d1495b")
axes.set(xlabel=r"YMW16 (pc cm$^{-3}$)", ylabel=r"measured DM (pc cm$^{-3}$)")
figure

# %% [markdown]
# ## The Faraday sky
# Rotation measures of extragalactic sources, averaged, against models. The WMAP field was fitted to
# polarisation angles, which do not know the sign of a field. With these smooth electrons it is hardly
# correlated with the sky, whichever sign it has.

# %%
with np.load(DATA / "faraday_oppermann2015_n64.npz", allow_pickle=False) as file:
    full = synax.SkyMap(jax.numpy.asarray(file["RM"], float), "RM", nside=64)
observed = full.degrade(NSIDE)
plot.sky(observed)

# %%
rays = synax.Sightlines.healpix(NSIDE)
electrons = synax.electrons.TwoDisc()
for name, field in {
    "WMAP, published sign": synax.magnetic.WMAP(),
    "WMAP, reversed": synax.magnetic.WMAP(b0=-1.2),
    "PT11": synax.magnetic.PT11("bss"),
}.items():
    rm = np.asarray(synax.RotationMeasure(field, electrons, steps=STEPS)(rays))
    r = np.corrcoef(rm, np.asarray(observed.values))[0, 1]
    print(f"{name:24s} correlation with the sky {r:+.2f}")
