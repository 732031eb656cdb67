# %% [markdown]
# # Three skies, one model
# Brightness at 408 MHz goes as C B² with the field's direction unseen, polarisation at 23 GHz sees that
# direction, and Faraday rotation sees the sign, n_e B: one regular field and one population of cosmic
# rays must do for all three. `SYNAX_DATA` names the data's folder. `benchmarks/joint.py` does this at
# full size, [with all its numbers](../docs/benchmark-joint.md).

# %%
import os
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
import healpy
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import synax
from synax import plot
from synax.inference import GaussianNoise, Likelihood, RotationMeasures, SkyMaps

NSIDE, STEPS, LATITUDE, TRIES, ROUNDS, DRAWS = 4, 16, 10.0, 2, 4, 200
FOLDER = Path(os.environ["SYNAX_DATA"])

# %% [markdown]
# ## Data
# Outside |b| = 10°, averaged to large pixels. The file of Q and U follows HEALPix's convention; ours is
# the IAU's, so U changes sign.


# %%
def read(file, *names):
    with np.load(FOLDER / file, allow_pickle=False) as found:
        return np.stack([healpy.ud_grade(found[n].astype(float), NSIDE) for n in names])


latitude = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)[1]
pixels = np.flatnonzero(np.abs(latitude) > LATITUDE)
rays = synax.Sightlines.healpix(NSIDE, domain=synax.Box((20.0, 20.0, 10.0)), pixels=pixels)
data = {
    "brightness": read("haslam408_dsds_n64.npz", "T_gal")[:, pixels],
    "polarisation": read("wmapK_pol_pysm_n64.npz", "Q_lp_n32", "U_lp_n32")[:, pixels]
    * [[1e-6], [-1e-6]],
    "rotation": read("faraday_oppermann2015_n64.npz", "RM")[0, pixels],
}
sigma = {"brightness": 0.5, "polarisation": 1e-6, "rotation": 2.0}

# %% [markdown]
# ## The model
# The field of Jansson & Farrar (2012): strengths are free, signs included, and the shape is kept, so each
# part is evaluated once. Only n_e B and C B² are measured; the densities of electrons are held here, and
# their error of some 20 % goes into every strength and, twice, into C. Random fields brighten the sky
# without polarising it: that is the gain of the brightness, and its zero level is free as well.

# %%
jf12 = synax.magnetic.JF12
parts = (
    jf12(toroidal=False, x_field=False),
    jf12(disk=False, x_field=False, b_north=1.0, b_south=0.0),
    jf12(disk=False, x_field=False, b_north=0.0, b_south=1.0),
    jf12(disk=False, toroidal=False, b_x=1.0),
)
disk, north, south, x = (synax.sample_along(part, rays, STEPS, surfaces=()) for part in parts)
electrons = synax.sample_along(synax.electrons.TwoDisc(), rays, STEPS, surfaces=())
sky = synax.Synchrotron(
    1.0 * disk + 1.4 * north + -1.1 * south + 4.6 * x,
    electrons,
    synax.cosmic_rays.WMAP(c0=1e-3),
    steps=STEPS,
    faces=False,
)
positive = lambda middle, dex: dist.LogNormal(np.log(middle), dex * np.log(10.0))
priors = {
    "magnetic.parts.0.factor": dist.Normal(1.0, 1.0),
    "magnetic.parts.1.factor": dist.Normal(0.0, 5.0),
    "magnetic.parts.2.factor": dist.Normal(0.0, 5.0),
    "magnetic.parts.3.factor": dist.Normal(0.0, 10.0),
    "cosmic_rays.c0": positive(1e-3, 0.5),
    "cosmic_rays.r0": positive(5.0, 0.2),
    "cosmic_rays.z0": positive(1.0, 0.3),
    "likelihood.brightness.gain": positive(2.0, 0.3),
    "likelihood.brightness.offset": dist.Normal(0.0, 10.0),
}
names = [
    "disk",
    "north (μG)",
    "south (μG)",
    "X (μG)",
    "C",
    "r0 (kpc)",
    "z0 (kpc)",
    "gain",
    "offset (K)",
]


def problem(noise):
    first, second = SkyMaps(rays, 0.408, ("I",)), SkyMaps(rays, 23.0, ("Q", "U"))
    brightness = Likelihood(first, data["brightness"], noise["brightness"], gain=2.0, offset=5.0)
    likelihood = synax.JointLikelihood(
        brightness=brightness,
        polarisation=Likelihood(second, data["polarisation"], noise["polarisation"]),
        rotation=Likelihood(RotationMeasures(rays), data["rotation"], noise["rotation"]),
    )
    return synax.Posterior(sky, priors, likelihood)


# %% [markdown]
# ## What the model misses
# A smooth model misses loops and spurs, by far more than any noise, and in many pixels at once. First as
# if every pixel missed something of its own; then as a Gaussian random field of a size and an angular
# length that the residuals tell, in turn with the search for the mode.


# %%
def residuals(posterior, params):
    predicted = posterior.predict(params)
    return {name: np.asarray(data[name] - predicted[name]) for name in data}


scatter = {"brightness": 7.0, "polarisation": 1.2e-5, "rotation": 25.0}
starts = [None]  # the published values, then draws of the prior: there are several maxima
for _ in range(2):
    independent = problem({name: GaussianNoise(sigma[name], scatter[name]) for name in data})
    found = [independent.laplace(start, restarts=0) for start in starts]
    best = max(found, key=lambda f: float(f.logdensity))
    params = independent.constrain(best.mode)
    print("maxima:", np.round([float(f.logdensity) for f in found], 1))
    scatter = {name: rest.std() for name, rest in residuals(independent, params).items()}
    starts = [params, *(independent.sample_prior(jax.random.key(k)) for k in range(TRIES))]

posterior, errors_independent = independent, jnp.sqrt(jnp.diagonal(best.covariance))
for _ in range(ROUNDS):
    rest = residuals(posterior, params)
    missed = {n: synax.inference.fit_correlated_noise(rays, rest[n], sigma[n]) for n in data}
    posterior = problem({name: found.noise for name, found in missed.items()})
    best = posterior.laplace(params, restarts=0)
    params = posterior.constrain(best.mode)
for name, found in missed.items():
    print(f"{name:<13} misses {found.rms:.3g}, alike over {np.degrees(found.length):.0f} degrees")

# %% [markdown]
# ## The posterior
# Four chains, for the noise that was found. Few draws, and the diagnosis says so: R-hat below 1.01 takes
# some thousand of each chain.

# %%
draws = synax.sample(
    posterior,
    jax.random.key(0),
    "hmc",
    chains=4,
    warmup=40,
    draws=DRAWS,
    start=best.mode,
    restarts=0,  # the maxima were searched for above: all chains in the highest
    check=False,
)
diagnosis = synax.inference.assess(draws)
print(diagnosis)
assert np.all(diagnosis.rhat < 1.1)
plot.corner(draws, labels=dict(zip(posterior.paths, names, strict=True)))

# %% [markdown]
# Prior, posterior, and the errors that one would have stated for independent pixels, in units of the
# prior. Those are too small, most for what goes with the largest angles: strengths and zero level.

# %%
latents = jax.vmap(posterior.unconstrain)(
    {path: jnp.asarray(draws.posterior[path].values.ravel()) for path in posterior.paths}
)
figure = plot.figure(figsize=(7.5, 4.5), layout="constrained")
axes = figure.subplots()
rows = np.arange(len(names))
axes.barh(rows, 2.0, left=-1.0, height=0.8, color="#e4e7ec", label="prior")
axes.errorbar(
    latents.mean(0), rows, xerr=latents.std(0), fmt="o", ms=4, color="#2a6f97", label="posterior"
)
axes.errorbar(
    latents.mean(0),
    rows + 0.25,
    xerr=errors_independent,
    fmt="none",
    color="#d1495b",
    label="if independent",
)
axes.set(yticks=rows, yticklabels=names, xlabel="standard deviations of the prior")
axes.invert_yaxis()
axes.legend(frameon=False)
figure

# %% [markdown]
# ## Data, model, and what is left

# %%
mean = {path: jnp.asarray(draws.posterior[path].values.mean()) for path in posterior.paths}
predicted = posterior.predict(mean)
panels = (
    ("I, 408 MHz", "K", data["brightness"][0], predicted["brightness"][0]),
    ("Q, 23 GHz", "μK", 1e6 * data["polarisation"][0], 1e6 * predicted["polarisation"][0]),
    ("U, 23 GHz", "μK", 1e6 * data["polarisation"][1], 1e6 * predicted["polarisation"][1]),
    ("Rotation", r"rad m$^{-2}$", data["rotation"], predicted["rotation"]),
)
figure = plot.figure(figsize=(12, 11.5), layout="constrained")
for line, (title, unit, measured, model) in zip(figure.subplots(4, 3), panels, strict=True):
    top = float(np.percentile(np.abs(measured), 97))
    for axes, (label, values) in zip(
        line,
        {"data": measured, "model": model, "data - model": measured - model}.items(),
        strict=True,
    ):
        full = np.full(12 * NSIDE**2, np.nan)
        full[pixels] = values
        plot.draw_mollweide(axes, full, cmap="RdBu_r", title=f"{title}: {label}", label=unit)
        axes.images[0].set_clim(-top, top)
figure

# %% [markdown]
# ## Would the model make such a sky?
# Mock skies from the posterior: how alike are the residuals of pixels that touch? Independent noise makes
# none that are as alike as the real ones; the noise that was fitted does. It is alike all over the sky,
# though, and the real residual is not: the loops are where they are. Leave out a part of the sky, and
# see whether the answer stays (the benchmark does).

# %%
place = {pixel: i for i, pixel in enumerate(pixels)}
around = healpy.get_all_neighbours(NSIDE, pixels).T
pairs = np.array([(i, place[j]) for i, row in enumerate(around) for j in row if j in place]).T


def alike(rest):
    rest = np.atleast_2d(rest)
    return np.mean(rest[:, pairs[0]] * rest[:, pairs[1]]) / np.mean(rest**2)


figure = plot.figure(figsize=(11, 3.2), layout="constrained")
for axes, name in zip(figure.subplots(1, 3), data, strict=True):
    for case, colour in ((independent, "#d1495b"), (posterior, "#2a6f97")):
        part = getattr(case.likelihood, name)
        keys = jax.random.split(jax.random.key(1), 200)
        noise = jax.vmap(lambda key, part=part: part.noise.draw(key, part.data))(keys)
        label = "independent" if case is independent else "fitted"
        axes.hist([alike(n) for n in noise], 25, color=colour, alpha=0.6, label=label)
    axes.axvline(alike(data[name] - predicted[name]), color="black", label="the sky")
    axes.set(title=name, xlabel="correlation of neighbours", yticks=[])
axes.legend(frameon=False)
figure
