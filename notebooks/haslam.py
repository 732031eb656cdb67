# %% [markdown]
# # A grid fitted to the 408 MHz sky
# The experiment of Diao et al. 2024: a magnetic field on a grid is free, cosmic rays are fixed, and the
# total intensity of Haslam's map is fitted. The fitted pixels are easily met. What counts is whether the
# result knows anything about pixels that it has not seen. `SYNAX_DATA` names the data's folder.

# %%
import os
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax

import synax
from synax import plot

NSIDE, STEPS, SHAPE = 8, 48, (24, 24, 12)
MOST_STEPS = 5000  # a guard: validation stops the fits long before

# %%
with np.load(Path(os.environ["SYNAX_DATA"]) / "haslam408_dsds_n64.npz") as file:
    full = synax.SkyMap(jnp.asarray(file["T_gal"], float), "I", nside=64, frequency=0.408)
data = full.degrade(NSIDE)
rays = synax.Sightlines.healpix(NSIDE)
sigma = jnp.hypot(0.3, 0.01 * data.values)  # K, and 1 %

# %% [markdown]
# ## Three kinds of pixels
# 64 % are fitted, 16 % say when to stop, and 20 % are held out: looked at once, at the end.

# %%
order = np.random.default_rng(7).permutation(rays.n_rays) / rays.n_rays
held_out, validation, train = order < 0.2, (order >= 0.2) & (order < 0.36), order >= 0.36


def likelihood(where):
    return synax.GaussianLikelihood(
        rays, 0.408, data.values[None], sigma, stokes=("I",), mask=where[None]
    )


# %% [markdown]
# ## One field, without a prior and with one
# A regular field times exp(g), g on a grid: the strength is free everywhere. First every value of g is
# a parameter of its own, then g is a Gaussian random field with a length and a spread.

# %%
box = synax.Box((20.0, 20.0, 5.0))
regular = synax.magnetic.WMAP(b0=6.0, r_min=0.1)


def sky_with(g):
    magnetic = regular * synax.random_fields.Exponential(g)
    return synax.Synchrotron(magnetic, None, synax.cosmic_rays.WMAP(), steps=STEPS)


settings = dict(
    optimizer=optax.adam(0.1), steps=MOST_STEPS, validation=likelihood(validation), check_every=20
)
plain = sky_with(synax.GridField(jnp.zeros(SHAPE), box))
fitted_to = likelihood(train)
free = synax.select(plain, "magnetic.factor.field.values")
without = synax.fit(lambda sky: -fitted_to.logpdf(sky), plain, free=free, **settings)

prior = synax.GaussianField.on_grid(
    box, SHAPE, synax.random_fields.Matern(1.0, (3.0, 3.0, 1.0)), padding=0.1
)
latent = {"magnetic.factor.field.latent": dist.Normal(0.0, 1.0)}
posterior = synax.Posterior(sky_with(prior), latent, fitted_to)
with_prior = synax.fit(posterior, **settings)

# %%
for name, found in (("no prior", without), ("prior", with_prior)):
    rest = np.asarray(found.model(rays, 0.408).I - data.values)
    told = ", ".join(
        f"{where}: std {rest[mask].std():.2f} K, median {np.median(abs(rest[mask])):.2f} K"
        for where, mask in (("fitted", train), ("held out", held_out))
    )
    print(f"{name:<9} {told}   ({found.reason})")
    assert found.converged  # validation or convergence stopped it, not the count
assert rest[train].std() < 0.3 * np.asarray(data.values).std()

# %%
best = with_prior.model
model = synax.SkyMap(best(rays, 0.408).I, "I", nside=NSIDE, frequency=0.408)
plot.residuals(data, model)

# %% [markdown]
# ## What the grid holds
# The distance of what shines is undecided where only one sightline passes: the prior fills it in.
# On this small map a few bright pixels decide which of the two fits predicts better. At full size
# `benchmarks/grids.py haslam` tries several priors; [the numbers](../docs/benchmark-grids.md).

# %%
plot.slices(best.magnetic, shape=120, half_height=5.0, title="One of very many answers")
