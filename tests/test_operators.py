"""Arithmetic of fields, backgrounds, beams, Stokes and maps: what is refused, in what words."""

import operator

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.emission import CMB, PowerLawBackground
from synax.instruments import GaussianBeam

OBJECTS = {
    "vector field": lambda: synax.magnetic.WMAP(),
    "strength": lambda: synax.magnetic.JF12RandomStrength(),
    "density": lambda: synax.electrons.TwoDisc(),
    "sum": lambda: synax.magnetic.WMAP() + synax.magnetic.TF17(),
    "population": lambda: synax.cosmic_rays.WMAP(),
    "background": lambda: CMB() + PowerLawBackground(),
    "process": lambda: synax.FreeFree(),
    "beam": lambda: GaussianBeam(1.0),
    "stokes": lambda: synax.Stokes(jnp.ones(3), jnp.ones(3), jnp.ones(3)),
    "map": lambda: synax.SkyMap(np.ones(12), "RM", 1),
}
SYMBOLS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "@": operator.matmul,
}
FOREIGN = {
    "'x' (str)": "x",
    "None": None,
    "[1.0, 2.0] (ndarray)": np.array([1.0, 2.0]),
    "[1.0, 2.0] (ArrayImpl)": jnp.array([1.0, 2.0]),
    "[1.0, 2.0] m (Quantity)": [1.0, 2.0] * u.m,
    "JF12": synax.magnetic.JF12(),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_an_operator_does_not_take_is_refused_in_one_sentence(name):
    """Either a result of the package, or what came on both sides and what is allowed."""
    mine = OBJECTS[name]()
    own_type, own = type(mine), type(mine).__name__
    refused = 0
    for symbol, apply in SYMBOLS.items():
        for shown, other in FOREIGN.items():
            for left, right, words in (
                (mine, other, f"{own} {symbol} {shown} is not defined: "),
                (other, mine, f"{shown} {symbol} {own} is not defined: "),
            ):
                if isinstance(left, str) and symbol == "%" and hasattr(own_type, "__getitem__"):
                    continue  # Python's formatting of text, which takes what has an index
                try:
                    found = apply(left, right)
                except (TypeError, ValueError) as error:
                    text = str(error)
                    assert "unsupported operand" not in text.lower() and "concatenate" not in text
                    refused += words in text
                    assert "\n" not in text
                else:
                    assert type(found).__module__.startswith("synax."), (left, symbol, right)
    assert refused > len(SYMBOLS) * len(FOREIGN)  # of twice as many; maps take arrays


@pytest.mark.parametrize("name", ["vector field", "strength", "population", "sum"])
def test_a_field_and_a_number(name):
    field = OBJECTS[name]()
    own = type(field).__name__
    allowed = "can be added to and subtracted from a field of its rank"
    for symbol in ("+", "-", "**", "//"):
        with pytest.raises(TypeError) as error:
            SYMBOLS[symbol](field, 1)
        assert str(error.value).startswith(f"{own} {symbol} 1 (int) is not defined: a field")
        assert allowed in str(error.value)
    for factor in (True, np.True_, [2.0], np.ones(1), "2", None):
        for call in (lambda f: field * f, lambda f: f * field, lambda f: field / f):
            with pytest.raises(TypeError, match="is not defined: a field"):
                call(factor)
    for zero in (0, 0.0):
        with pytest.raises(TypeError, match=r"/ 0(\.0)? \((int|float)\) is not defined"):
            field / zero
    place = jnp.array([-8.3, 0.5, 0.1])
    value = np.asarray(field(place))
    for twice in (
        2 * field,
        field * np.float64(2),
        jnp.asarray(2.0) * field,
        field / (0.5 * u.one),
    ):
        np.testing.assert_allclose(twice(place), 2 * value, rtol=1e-6)
    traced = jax.jit(lambda factor: (factor * field)(place))(2.0)
    np.testing.assert_allclose(traced, 2 * value, rtol=1e-6)


def test_a_profile_times_a_population_is_a_population_on_either_side():
    population, profile = synax.cosmic_rays.WMAP(), synax.magnetic.JF12RandomStrength()
    for product in (population * profile, profile * population):
        assert isinstance(product, synax.cosmic_rays.AbstractPowerLaw)


def test_sums_of_backgrounds_begin_with_zero():
    both = sum([CMB(), PowerLawBackground()])
    nu = jnp.array([1.0])
    np.testing.assert_allclose(both(nu), CMB()(nu) + PowerLawBackground()(nu))
    with pytest.raises(TypeError, match=r"1 \(int\) \+ CMB is not defined: a background can"):
        1 + CMB()
