"""What objects say of themselves: values, units, what is free; as text and for notebooks."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist

import synax
from synax import _checks


def test_models_show_values_units_and_paths():
    wmap = synax.magnetic.WMAP(b0=2.5)
    text = repr(wmap)
    assert text.startswith("WMAP: Page et al. 2007")
    line = next(line for line in text.splitlines() if line.split()[0] == "b0")
    assert line.split()[1:] == ["2.5", "uG", "field", "strength"]
    assert "<td>b0</td><td>2.5</td><td>uG</td>" in wmap._repr_html_()
    both = repr(wmap + 2.0 * synax.magnetic.Uniform((1.0, 2.0, 3.0)))
    path = next(line.split()[0] for line in both.splitlines() if "(1, 2, 3)" in line)
    assert path == "parts.1.field.vector"
    many = repr(synax.electrons.NE2025() * synax.magnetic.JF12())
    assert len(many.splitlines()) <= 62 and max(map(len, many.splitlines())) <= 100


def test_every_path_that_is_shown_can_be_replaced():
    sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP())
    numbers = [line.split() for line in repr(sky).splitlines()[1:]]
    numbers = {path: float(value) for path, value, *_ in numbers if value[0].isdigit()}
    assert {"magnetic.b0", "cosmic_rays.c0"} <= numbers.keys()
    new = synax.replace(sky, {"magnetic.b0": numbers["magnetic.b0"] + 1.0})
    assert f"{numbers['magnetic.b0'] + 1.0:g}" in repr(new)


def test_while_traced_and_in_messages():
    seen = []
    jax.make_jaxpr(lambda b: (seen.append(repr(synax.magnetic.WMAP(b0=b))), b)[1])(1.0)
    assert "traced" in seen[0]
    assert _checks.shown(synax.magnetic.WMAP()) == "WMAP(...)"


def test_sightlines_domains_and_posteriors():
    rays = synax.Sightlines.healpix(1)
    text = repr(rays)
    assert "12 sightlines from (-8.3, 0, 0.006) kpc" in text and "NSIDE 1 RING" in text
    assert "half_lengths=(20, 20, 5) kpc" in text and "\n" not in text
    image = synax.Sightlines.parallel((2, 3), (40.0, 40.0))
    assert "image of 2 x 3 pixels" in repr(image)
    sky = synax.Synchrotron(synax.magnetic.WMAP(), None, synax.cosmic_rays.WMAP(), steps=4)
    data = synax.Stokes(*jnp.zeros((3, 12)))
    priors = {"magnetic.b0": dist.Uniform(0, 10), "cosmic_rays.c0": dist.LogNormal(-9.0, 1.0)}
    posterior = synax.Posterior(sky, priors, synax.GaussianLikelihood(rays, 2.4, data, 1e-3))
    lines = repr(posterior).splitlines()
    assert lines[0].startswith("Posterior of 2 free numbers")
    assert lines[1].split()[-3:] == ["free:", "Uniform(low=0,", "high=10)"]
    assert "fixed" in next(line for line in lines if "magnetic.psi0" in line)
    assert "<th>prior</th>" in posterior._repr_html_()


def test_every_kind_of_object_shows_itself():
    """Public Modules that hold parameters or results; the machinery of a march is left out."""
    spaces = (synax, synax.magnetic, synax.electrons, synax.cosmic_rays, synax.emission)
    spaces += (synax.faraday, synax.inference, synax.instruments, synax.random_fields)
    machinery = {"LeastSquares", "LatentDensity", "SamplerState", "ChannelSky", "SurveySky"}
    machinery |= {"DirectSpectrum", "SpectralGrid", "SpectralTable", "ClosedForm"}
    machinery |= {"FisherWhitening", "PathfinderWhitening", "PriorWhitening"}
    quiet = set()
    for space in spaces:
        for name, kind in vars(space).items():
            if not (inspect.isclass(kind) and issubclass(kind, eqx.Module)) or name[0] == "_":
                continue
            if kind.__repr__ is eqx.Module.__repr__ and not inspect.isabstract(kind):
                quiet |= set() if kind.__module__.startswith("synax.transfer") else {name}
    assert quiet <= machinery
    assert "strength" in repr(synax.Turbulence(3.0)) and "uG" in repr(synax.Turbulence(3.0))
