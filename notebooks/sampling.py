# %% [markdown]
# # Sampling, with diagnostics
# Four parameters of the WMAP field from mock Q and U maps: what good chains look like, and what the
# diagnostics say of bad ones.

# %%
import warnings

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpyro.distributions as dist

import synax
from synax import plot

NSIDE, STEPS, NOISE = 4, 32, 1e-3  # kelvin

# %%
sky = synax.Synchrotron(
    synax.magnetic.WMAP(), synax.electrons.Uniform(0.01), synax.cosmic_rays.WMAP(), steps=STEPS
)
rays = synax.Sightlines.healpix(NSIDE)
priors = {
    "magnetic.b0": dist.Uniform(0.0, 10.0),
    "magnetic.psi0": dist.Uniform(0.0, 2.0),
    "magnetic.psi1": dist.Uniform(-1.0, 1.0),
    "magnetic.chi0": dist.Uniform(0.0, 1.5),
}
template = synax.Posterior(
    sky, priors, synax.GaussianLikelihood(rays, 2.4, jnp.zeros((2, rays.n_rays)), NOISE)
)
truth = template.current()
posterior = template.with_data(template.mock(jax.random.key(0), truth))

# %% [markdown]
# ## Good chains
# Coordinates are whitened with the Fisher matrix at the mode, so thirty warm-up transitions do.

# %%
draws = synax.sample(posterior, jax.random.key(1), chains=4, warmup=30, draws=150, check=False)
report = synax.diagnose(draws)
plot.corner(draws, {k: float(v) for k, v in truth.items()})

# %%
plot.trace(draws, {k: float(v) for k, v in truth.items()})

# %% [markdown]
# ## Bad chains
# A random walk of the same length. Believe the complaints: chains that look calm may not have moved.

# %%
with warnings.catch_warnings(record=True) as complaints:
    warnings.simplefilter("always", synax.ConvergenceWarning)
    walk = synax.sample(
        posterior, jax.random.key(2), method="rwmh", whiten="prior", chains=4, warmup=20, draws=150
    )
for complaint in complaints:
    print(complaint.message)
assert complaints

# %% [markdown]
# ## Gradients spent

# %%
print("HMC:", {k: v for k, v in draws.sample_stats.attrs.items() if "gradient" in k})
