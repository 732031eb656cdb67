"""Figures: right panels, units and directions; nothing global touched."""

import jax.numpy as jnp
import numpy as np
import pytest

import synax
import synax.plot as plot
from synax.plot._stokes import image_directions
from synax.plot._texture import line_integral_convolution


def stokes_map(nside=4, q=1.0, u=0.0, frequency=23.0, **kwargs):
    n = 12 * nside**2
    values = jnp.stack([jnp.full(n, 2e-5), jnp.full(n, q * 1e-5), jnp.full(n, u * 1e-5)])
    values = values * (1.0 + 0.1 * jnp.sin(jnp.arange(n)))
    return synax.SkyMap(values, "IQU", nside=nside, frequency=frequency, **kwargs)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def bar_labels(figure):
    return [
        axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes if hasattr(axes, "_colorbar")
    ]


def test_stokes_draws_every_panel_with_its_unit():
    figure = plot.stokes(stokes_map(), ("I", "P", "Q", "U", "angle"), direction="lines")
    assert len(titles(figure)) == 5
    assert all("23 GHz" in title for title in titles(figure))
    assert sum("K (RJ)" in label for label in bar_labels(figure)) == 4
    assert "degrees (IAU)" in bar_labels(figure)
    with pytest.raises(ValueError, match="'V'"):
        plot.stokes(stokes_map(), ("V",))
    with pytest.raises(ValueError, match="arrows"):
        plot.stokes(stokes_map(), direction="arrows")


@pytest.mark.parametrize("convention", ["IAU", "COSMO"])
@pytest.mark.parametrize("q, u, expected", [(1, 0, (1, 0)), (-1, 0, (0, 1)), (0, 1, (1, 1))])
def test_direction_of_field_at_the_centre(q, u, expected, convention):
    """Q > 0: E along north, so B across; U > 0: E to the north-east, B to the north-west."""
    sky = stokes_map(q=q, u=u).to_convention(convention)
    image = image_directions(sky, step=12)
    middle = np.argmin(np.hypot(image.x, image.y))
    b = np.array([image.across.flat[middle], image.up.flat[middle]])
    wanted = np.array(expected) / np.hypot(*expected)
    # the image's axes are stretched: 2/pi along x, pi/4 along y at the centre
    b = b / np.array([2 / np.pi, np.pi / 4])
    assert abs(b @ wanted) == pytest.approx(np.linalg.norm(b), rel=3e-3)


def test_texture_follows_the_direction():
    shape = (60, 80)
    texture = line_integral_convolution(np.ones(shape), np.zeros(shape), np.ones(shape, bool), 12)
    along = np.abs(np.diff(texture, axis=1)).mean()
    across = np.abs(np.diff(texture, axis=0)).mean()
    assert along < 0.35 * across
    assert 0.0 <= texture.min() and texture.max() <= 1.0


def test_one_of_several_frequencies():
    n = 12 * 4**2
    sky = synax.SkyMap(jnp.ones((3, 2, n)), "IQU", nside=4, frequency=(0.408, 23.0))
    assert "408 MHz" in titles(plot.stokes(sky, ("I",), frequency=0.408))[0]
    with pytest.raises(ValueError, match=r"1\.0"):
        plot.stokes(sky, ("I",), frequency=1.0)


def test_slices_of_vector_and_scalar():
    figure = plot.slices(synax.magnetic.WMAP(), shape=24, title="WMAP")
    assert "face-on" in titles(figure)[0] and "edge-on" in titles(figure)[1]
    assert any("μG" in label for label in bar_labels(figure))
    figure = plot.slices(synax.cosmic_rays.WMAP(), shape=24)
    assert any("cm" in label for label in bar_labels(figure))
    nothing = 0.0 * synax.magnetic.WMAP()
    assert len(plot.slices(nothing, shape=20).axes) == 3


def test_profile_has_the_sign_of_rotation_measures():
    toward = synax.magnetic.Uniform((-1.0, 0.0, 0.0))  # l = 0: away is +x
    figure = plot.profile({"B": toward, "C": synax.cosmic_rays.WMAP()}, 0.0, 0.0, points=20)
    lines = figure.axes[0].get_lines()
    np.testing.assert_allclose(lines[0].get_ydata(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(lines[1].get_ydata(), 0.0, atol=1e-12)
    with pytest.raises(ValueError, match="at least one"):
        plot.profile({}, 0.0, 0.0)


def test_residuals_in_sigma():
    model = stokes_map()
    noise = np.random.default_rng(3).standard_normal(model.values.shape)
    data = model + synax.SkyMap(jnp.asarray(2e-6 * noise), "IQU", nside=4, frequency=23.0)
    figure = plot.residuals(data, model, "Q", sigma=2e-6)
    assert titles(figure)[:3] == ["Q, data, 23 GHz", "Q, model, 23 GHz", "Q, data - model, 23 GHz"]
    assert "σ" in bar_labels(figure)
    (histogram,) = [axes for axes in figure.axes if axes.get_legend()]
    legend = [text.get_text() for text in histogram.get_legend().get_texts()]
    (label,) = [text for text in legend if "std" in text]
    assert float(label.split()[1]) == pytest.approx(noise[1].std(), rel=0.01)
    with pytest.raises(ValueError, match="convention"):
        plot.residuals(data, model.to_convention("COSMO"), "Q")


def test_image_of_a_distant_galaxy():
    rays = synax.Sightlines.parallel((4, 6), (30.0, 20.0))
    ones = jnp.ones(24)
    figure = plot.image(synax.Stokes(2 * ones, ones, 0 * ones), rays, 1.4, extent=(30.0, 20.0))
    assert titles(figure) == ["Total intensity, 1.4 GHz", "Polarised intensity, 1.4 GHz"]
    with pytest.raises(ValueError, match="parallel"):
        plot.image(
            synax.Stokes(ones, ones, ones), synax.Sightlines.healpix(1), 1.4, extent=(1.0, 1.0)
        )


def test_corner_and_trace():
    rng = np.random.default_rng(0)
    draws = {"b0": rng.normal(1.2, 0.01, (2, 200)), "vector": rng.normal(0, 1, (2, 200, 2))}
    figure = plot.corner(draws, {"b0": 1.2}, labels={"b0": "$b_0$ (μG)"})
    assert len(figure.axes) == 9
    median = f"${np.median(draws['b0']):.3f}^"
    assert any(axes.get_title().startswith(median) for axes in figure.axes)
    assert any(axes.get_xlabel() == "vector[1]" for axes in figure.axes)
    figure = plot.trace(draws, {"b0": 1.2})
    shown = [axes.get_title(loc="right") for axes in figure.axes]
    assert sum("R-hat 1.0" in t or "R-hat 0.99" in t for t in shown) == 3
    with pytest.raises(ValueError, match="no parameters"):
        plot.corner({})


def test_figures_do_not_touch_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot.slices(synax.magnetic.WMAP(), shape=20)
    assert plt.get_fignums() == before
