"""Fields of one's own, and models after surgery: what is wrong is told in one sentence."""

import astropy.units as u
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import synax
from synax import cosmic_rays, electrons, magnetic

RAYS = synax.Sightlines.healpix(1)


class Disc(synax.AbstractScalarField):
    """A density whose `__call__` is one of the functions below."""

    density: Float[Array, ""] = synax.parameter(0.02, "cm-3", "in the plane")
    shape: object = eqx.field(static=True, default=None)

    def __call__(self, position):
        return self.shape(self.density, position)


def with_numpy(density, position):
    return density * np.exp(-np.abs(position[2]))


def with_if(density, position):
    return density * jnp.ones(position.shape[1:]) if density > 0 else 0 * position[2]


def with_float(density, position):
    return float(density) * jnp.ones(position.shape[1:])


def with_range(density, position):
    return sum(jnp.ones(position.shape[1:]) for _ in range(density.astype(int)))


def with_jax(density, position):
    return density * jnp.exp(-jnp.abs(position[2]))


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        (with_numpy, "jax.numpy"),
        (with_if, "jnp.where"),
        (with_float, "eqx.field\\(static=True\\)"),
        (with_range, "eqx.field\\(static=True\\)"),
    ],
)
def test_what_jax_cannot_trace_is_told_with_the_remedy(shape, remedy):
    simulator = synax.DispersionMeasure(Disc(shape=shape), steps=2)
    with pytest.raises(TypeError, match=f"^Disc.__call__ .*{remedy}") as found:
        simulator(RAYS)
    assert "\n" not in str(found.value)
    sum_of_two = synax.DispersionMeasure(electrons.Uniform(0.1) + Disc(shape=shape), steps=2)
    with pytest.raises(TypeError, match=f"^Disc.__call__ .*{remedy}"):
        jax.eval_shape(lambda: sum_of_two(RAYS))


def test_the_same_field_in_jax_is_integrated():
    found = synax.DispersionMeasure(Disc(shape=with_jax), steps=64)(RAYS)
    b = np.arcsin(np.asarray(RAYS.direction)[2])
    up = b > 0.1  # through the plane's upper half, from z = 6 pc to 5 kpc
    closed = 20.0 * (np.exp(-0.006) - np.exp(-5.0)) / np.sin(b[up])
    np.testing.assert_allclose(np.asarray(found)[up], closed, rtol=1e-5)


def make():
    return synax.Synchrotron(magnetic.WMAP(), electrons.TwoDisc(), cosmic_rays.WMAP(), steps=2)


def test_a_quantity_put_into_a_model_by_surgery_is_refused():
    sky = eqx.tree_at(lambda s: s.magnetic.b0, make(), 0.2 * u.nT)
    with pytest.raises(TypeError, match=r"Synchrotron.magnetic.b0 must be a plain number"):
        sky(RAYS, 2.4)
    with pytest.raises(TypeError, match=r"WMAP.b0 must be a plain number"):
        sky.magnetic(jnp.zeros(3))
    converted = synax.replace(make(), {"magnetic.b0": 0.2 * u.nT})
    by_hand = eqx.tree_at(lambda s: s.magnetic.b0, make(), jnp.asarray(2.0))
    np.testing.assert_array_equal(converted(RAYS, 2.4).I, by_hand(RAYS, 2.4).I)
    rays = eqx.tree_at(lambda r: r.observer, RAYS, np.array([-8300.0, 0.0, 6.0]) * u.pc)
    with pytest.raises(TypeError, match=r"rays.observer must be a plain number"):
        make()(rays, 2.4)


FIELD = eqx.tree_at(lambda b: b.b0, magnetic.WMAP(), 0.2 * u.nT)
DENSITY = eqx.tree_at(lambda n: n.n1, electrons.TwoDisc(), 1e4 / u.m**3)
TABLE = {"l": [30.0], "b": [5.0], "dm": [20.0]}
TAKERS = {
    "grid": lambda: synax.GridField.from_field(FIELD, synax.Box((9.0, 9.0, 5.0)), (2, 2, 2)),
    "samples": lambda: synax.sample_along(FIELD, RAYS, 2),
    "slices": lambda: synax.plot.slices(FIELD),
    "sum": lambda: (magnetic.WMAP() + FIELD)(jnp.zeros(3)),
    "turbulence": lambda: synax.Turbulence(DENSITY),
    "distance": lambda: electrons.distance(DENSITY, 30.0, 5.0, 20.0),
    "distances": lambda: synax.catalogues.distance(TABLE, DENSITY),
    "dispersion": lambda: synax.catalogues.dispersion_measure(
        TABLE, DENSITY, observer=(-8.3, 0.0, 0.0)
    ),
    "rotation": lambda: synax.catalogues.rotation_measure(TABLE, FIELD, electrons.TwoDisc()),
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_whatever_takes_a_field_refuses_a_quantity_in_it(take):
    with pytest.raises(TypeError, match=r"must be a plain number.*Quantity.*synax.replace"):
        take()


@pytest.mark.parametrize(
    ("name", "wrong", "kind"),
    [
        ("magnetic", electrons.TwoDisc(), "vector field"),
        ("electrons", magnetic.WMAP(), "scalar field"),
        ("electrons", cosmic_rays.WMAP(), "thermal electrons"),
        ("cosmic_rays", electrons.TwoDisc(), "cosmic-ray electrons"),
    ],
)
def test_a_field_of_another_kind_put_in_by_surgery_is_refused(name, wrong, kind):
    sky = eqx.tree_at(lambda s: getattr(s, name), make(), wrong)
    with pytest.raises(TypeError, match=f"{name} must be a.*{kind}"):
        sky(RAYS, 2.4)
