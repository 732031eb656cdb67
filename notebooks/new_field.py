# %% [markdown]
# # A new field, and a fit of it
# Write a field in ten lines, make mock data with it, and find its parameters again.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

import synax
from synax import plot

NSIDE, STEPS, NOISE = 4, 32, 2e-4  # kelvin


# %%
class Ring(synax.AbstractVectorField):
    """B = b0 exp(-((r - radius) / width)^2 - (z / height)^2) e_phi."""

    b0: Float[Array, ""] = synax.parameter(3.0, "uG", "strength")
    radius: Float[Array, ""] = synax.parameter(5.0, "kpc", "radius")
    width: Float[Array, ""] = synax.parameter(1.5, "kpc", "radial width")
    height: Float[Array, ""] = synax.parameter(1.0, "kpc", "vertical width")

    def __call__(self, position):
        x, y, z = position
        r2 = x * x + y * y
        r = jnp.sqrt(jnp.where(r2 > 0, r2, 1.0))
        shape = jnp.exp(-(((r - self.radius) / self.width) ** 2) - (z / self.height) ** 2)
        turning = jnp.where(r2 > 0, self.b0 * shape / r, 0.0)
        return jnp.stack([-turning * y, turning * x, jnp.zeros_like(z)])


field = Ring(b0=4.0, radius=5.5)
plot.slices(field, shape=120, title="Ring")

# %% [markdown]
# ## Mock data
# A weak uniform field keeps the sky from being dark where there is no ring.

# %%
galaxy = field + synax.magnetic.Uniform((0.0, 0.5, 0.2))
sky = synax.Synchrotron(
    galaxy, synax.electrons.Uniform(0.01), synax.cosmic_rays.WMAP(), steps=STEPS
)
rays = synax.Sightlines.healpix(NSIDE)
priors = {
    "magnetic.parts.0.b0": dist.Uniform(0.0, 10.0),
    "magnetic.parts.0.radius": dist.Uniform(3.0, 8.0),
    "magnetic.parts.0.height": dist.LogNormal(0.0, 0.5),
}
empty = jnp.zeros((2, rays.n_rays))
template = synax.Posterior(sky, priors, synax.GaussianLikelihood(rays, 4.8, empty, NOISE))
truth = template.current()
posterior = template.with_data(template.mock(jax.random.key(0), truth))

# %% [markdown]
# ## Fit
# Started away from the truth; Gauss-Newton needs a few steps.

# %%
start = {path: value * 1.15 for path, value in truth.items()}
best = synax.fit(posterior, start, steps=30)
for path, value in best.params.items():
    print(f"{path:28s} {float(value):.4f}   truth {float(truth[path]):.4f}")

# %%
fisher = posterior.fisher(best.params)
sigma = jnp.sqrt(jnp.diag(jnp.linalg.inv(fisher)))
pulls = (posterior.flatten(best.params) - posterior.flatten(truth)) / sigma
print("pulls:", pulls)
assert float(jnp.abs(pulls).max()) < 5.0

# %% [markdown]
# ## Sample

# %%
draws = synax.sample(posterior, jax.random.key(1), chains=2, warmup=30, draws=100, check=False)
labels = {
    "magnetic.parts.0.b0": "$b_0$ (μG)",
    "magnetic.parts.0.radius": "radius (kpc)",
    "magnetic.parts.0.height": "height (kpc)",
}
plot.corner(draws, {k: float(v) for k, v in truth.items()}, labels=labels)

# %% [markdown]
# ## Do the residuals look like noise?

# %%
rest = posterior.residuals(best.params)
print(f"mean {float(rest.mean()):.3f}, standard deviation {float(rest.std()):.3f}")
assert 0.8 < float(rest.std()) < 1.2
