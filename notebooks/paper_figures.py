# %% [markdown]
# # The figures of Diao et al. (2024), arXiv:2410.01136
# Figures 2 to 8 with the same settings and smaller maps: accuracy on the toy model, integration and grid
# errors, a posterior of four parameters, a grid fitted to mock data. For the paper's size set NSIDE = 64
# and STEPS = 512. The Haslam fit (figures 9 and 10) is in `haslam.py`.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import optax

import synax
from synax import plot

NSIDE, STEPS = 4, 32
FREQUENCY = 2.4  # GHz
rays = synax.Sightlines.healpix(NSIDE)

# %% [markdown]
# ## Figure 2: the toy model
# B = 6 microgauss, n_e = 0.01 cm^-3 and C = 4.0133e-5 cm^-3 within 4 kpc of the Sun, against the closed
# form. The paper's residuals are 0.17 to 0.2 mK with 1024 steps; with faces on the sphere they are
# rounding, with any number.

# %%
sun, radius = (-8.3, 0.0, 0.006), 4.0
sphere = synax.Sightlines.healpix(NSIDE, domain=synax.Sphere(radius, center=sun))
B = synax.magnetic.Uniform((6.0, 0.0, 0.0))
n_e, cr = synax.electrons.Uniform(0.01), synax.cosmic_rays.Uniform(4.013285414950239e-5)
toy = synax.Synchrotron(B, n_e, cr, steps=8)(sphere, FREQUENCY)
fine = synax.Synchrotron(B, n_e, cr, steps=512, quadrature=synax.Midpoint())(sphere, FREQUENCY)
rm = np.asarray(synax.RotationMeasure(B, n_e, steps=8)(sphere))
phase = rm * (0.299792458 / FREQUENCY) ** 2
b = np.array([6.0, 0.0, 0.0])
b_l, b_b = b @ np.asarray(sphere.east), b @ np.asarray(sphere.north)
chi = np.arctan2(b_b, -b_l)
closed = 0.75 * np.asarray(toy.I) * np.exp(1j * (2 * chi + phase)) * np.sinc(phase / np.pi)
residual = 1e3 * np.abs(np.asarray(toy.Q) + 1j * np.asarray(toy.U) - closed)
print(f"largest residual of Q, U with 8 steps: {residual.max():.1e} mK")
assert residual.max() < 1e-8
assert np.abs(np.asarray(fine.Q - toy.Q)).max() < 1e-9

# %%
plot.stokes(synax.SkyMap.from_stokes(toy, sphere, FREQUENCY), ("I", "P", "Q", "U"), direction=None)

# %% [markdown]
# ## Figure 3: the error of the integration
# The WMAP field with smooth electrons, against many steps. Ours is fourth order.

# %%
field, electrons = synax.magnetic.WMAP(), synax.electrons.TwoDisc()
cosmic_rays = synax.cosmic_rays.WMAP()


def q_map(steps, rule=None, faces=True):
    sky = synax.Synchrotron(
        field,
        electrons,
        cosmic_rays,
        steps=steps,
        quadrature=synax.GaussLegendre() if rule is None else rule,
        faces=faces,
    )
    return np.asarray(sky(rays, FREQUENCY).Q)


counts = [8, 16, 32, 64]
reference = q_map(512)
rules = {
    "midpoints, jumps ignored": (synax.Midpoint(), False),
    "midpoints, faces at jumps": (synax.Midpoint(), True),
    "Gauss, faces at jumps": (synax.GaussLegendre(), True),
}
figure = plot.figure(figsize=(6, 4.2), layout="constrained")
axes = figure.subplots()
errors = {}
for name, (rule, faces) in rules.items():
    errors[name] = [1e3 * np.std(q_map(n, rule, faces) - reference) for n in counts]
    axes.loglog(counts, errors[name], "o-", label=name)
axes.set(xlabel="steps per ray", ylabel="rms error of Q (mK)")
axes.set_xticks(counts, [str(n) for n in counts])
axes.minorticks_off()
axes.legend(frameon=False)
figure

# %%
assert errors["Gauss, faces at jumps"][-1] < 0.1 * errors["midpoints, jumps ignored"][-1]

# %% [markdown]
# ## Figure 4: the error of a grid

# %%
box = synax.Box((20.0, 20.0, 5.0))
exact = synax.Synchrotron(field, None, cosmic_rays, steps=STEPS)(rays, FREQUENCY).I
spacing, grid_errors = [], []
for n in (16, 32, 64):
    grid = synax.GridField.from_field(field, box, shape=(n, n, n // 4))
    got = synax.Synchrotron(grid, None, cosmic_rays, steps=STEPS)(rays, FREQUENCY).I
    spacing.append(n)
    grid_errors.append(float(1e3 * jnp.std(got - exact)))
figure = plot.figure(figsize=(6, 4.2), layout="constrained")
axes = figure.subplots()
axes.loglog(spacing, grid_errors, "o-")
axes.set(xlabel="nodes along x and y", ylabel="rms error of I (mK)")
axes.set_xticks(spacing, [str(n) for n in spacing])
axes.minorticks_off()
figure

# %%
assert grid_errors[-1] < grid_errors[0]

# %% [markdown]
# ## Figures 5 and 6: the posterior of four parameters
# Mock Q and U with 1 mK of noise.

# %%
sky = synax.Synchrotron(field, synax.electrons.TwoDisc(), cosmic_rays, steps=STEPS)
sky = sky.precompute(rays, "electrons", "cosmic_rays")
priors = {
    "magnetic.b0": dist.Uniform(0.0, 10.0),
    "magnetic.psi0": dist.Uniform(0.0, 2.0),
    "magnetic.psi1": dist.Uniform(-1.0, 2.0),
    "magnetic.chi0": dist.Uniform(0.0, 2.0),
}
empty = jnp.zeros((2, rays.n_rays))
posterior = synax.Posterior(sky, priors, synax.GaussianLikelihood(rays, FREQUENCY, empty, 1e-3))
truth = posterior.current()
posterior = posterior.with_data(posterior.mock(jax.random.key(42), truth))
draws = synax.sample(posterior, jax.random.key(1), chains=2, warmup=30, draws=80, check=False)
plot.corner(draws, {k: float(v) for k, v in truth.items()})

# %% [markdown]
# ## Figures 7 and 8: a grid fitted to mock Q and U

# %%
observed = sky(rays, FREQUENCY)
target = jnp.stack([observed.Q, observed.U])
start = synax.GridField(0.1 * jax.random.normal(jax.random.key(0), (3, 24, 24, 6)), box)
on_grid = synax.Synchrotron(start, synax.electrons.TwoDisc(), cosmic_rays, steps=STEPS)


def loss(sky):
    stokes = sky(rays, FREQUENCY)
    return jnp.mean((jnp.stack([stokes.Q, stokes.U]) - target) ** 2) / 1e-6


best = synax.fit(
    loss,
    on_grid,
    free=synax.select(on_grid, "magnetic.values"),
    optimizer=optax.adam(0.05),
    steps=60,
)
fitted = best.model
before, after = (float(eqx.filter_jit(loss)(s)) for s in (on_grid, fitted))
print(f"mean squared residual over (1 mK)^2: {before:.1f} before, {after:.3f} after")
assert after < 0.2 * before

# %%
maps = [
    synax.SkyMap.from_stokes(eqx.filter_jit(s)(rays, FREQUENCY), rays, FREQUENCY)
    for s in (sky, fitted)
]
plot.residuals(*maps, "Q")

# %%
plot.slices(fitted.magnetic, shape=100, half_height=5.0, title="The fitted grid")
