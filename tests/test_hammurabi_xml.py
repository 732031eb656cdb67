"""Parameter files of hammurabiX become configurations that run, and nothing is lost in silence."""

import math
import tomllib

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import synax
from synax.cli import _build, _config
from synax.cli._console import BadInput
from synax.io import hammurabi_xml
from synax.io._hammurabi_xml import toml_text

TEMPLATE = """<?xml version="1.0"?>
<root>
  <observable>
    <dm cue="1" filename="dm.bin" nside="4"/>
    <faraday cue="1" filename="fd.bin" nside="8"/>
    <sync cue="1" freq="23" filename="s23" nside="8"/>
    <sync cue="0" freq="1.4" filename="s14" nside="32"/>
  </observable>
  <fieldio><breg read="1" write="0" filename="breg.bin"/></fieldio>
  <grid>
    <observer><x value="-8.5"/><y value="0"/><z value="0.02"/></observer>
    <shell><oc_r_max value="30"/><gc_r_max value="20"/><gc_z_max value="5"/>
      <oc_r_res value="0.05"/><lat_min value="-30"/></shell>
  </grid>
  <magneticfield><regular cue="1" type="{kind}">{field}</regular>
    <random cue="1" type="global" seed="1"/></magneticfield>
  <thermalelectron><regular cue="1" type="unif"><unif><n0 value="0.02"/><r0 value="3"/></unif>
  </regular></thermalelectron>
  <cre type="analytic"><analytic><alpha value="3"/><beta value="0"/><theta value="0"/>
    <r0 value="5"/><z0 value="1"/><E0 value="20.6"/><j0 value="0.0217"/></analytic></cre>
</root>
"""
LSA = '<lsa><b0 value="1.2"/><psi0 value="27"/><psi1 value="0.9"/><chi0 value="25"/></lsa>'
JF12 = "<jf12>" + "".join(
    f'<b_arm{n} value="{b}"/>' for n, b in enumerate((0.1, 3, -0.9, -0.8, -2, -4.2, 0), 1)
)
JF12 += '<B0_X value="4.6"/><Xtheta value="49"/></jf12>'
UNIF = '<unif><bp value="2"/><bv value="0.7"/><l0 value="70"/></unif>'


@pytest.fixture
def convert(tmp_path):
    def run(kind, field):
        source = tmp_path / "parameters.xml"
        source.write_text(TEMPLATE.format(kind=kind, field=field))
        configuration, notes = hammurabi_xml(source)
        target = tmp_path / "converted.toml"
        target.write_text(toml_text(configuration, notes))
        assert tomllib.loads(target.read_text())["magnetic"] == configuration["magnetic"]
        return _config.load(target, []), notes

    return run


def test_the_configuration_is_accepted_and_means_the_same(convert):
    settings, notes = convert("lsa", LSA)
    assert settings["frequency"] == [23.0] and settings["outputs"] == ["stokes", "DM", "RM"]
    assert settings["sightlines"]["nside"] == 8
    np.testing.assert_allclose(settings["sightlines"]["observer"], [-8.5, 0.0, 0.02])
    assert settings["domain"]["half_lengths"] == [20.0, 20.0, 5.0]
    assert settings["output"]["unit"] == "K_CMB"
    field = _build.build_field("magnetic", settings["magnetic"], 0)
    np.testing.assert_allclose(field.psi0, math.radians(27.0))
    electrons = _build.build_field("electrons", settings["electrons"], 0)
    inside, outside = jnp.array([-8.5, 0.0, 2.9]), jnp.array([-8.5, 0.0, 3.1])
    assert float(electrons(inside)) == pytest.approx(0.02) and float(electrons(outside)) == 0.0
    cosmic_rays = _build.build_field("cosmic_rays", settings["cosmic_rays"], 0)
    expected = 3.0451993e-5 * np.cosh(0.02) ** -2  # hammurabiX's value at its observer
    np.testing.assert_allclose(cosmic_rays(jnp.array([-8.5, 0.0, 0.02])), expected, rtol=1e-3)
    text = " ".join(notes)
    for left_out in ("random", "breg.bin", "lat_min", "nside [4, 8]"):
        assert left_out in text


def test_jf12_closes_the_flux_of_its_arms(convert):
    settings, _ = convert("jf12", JF12)
    field = _build.build_field("magnetic", settings["magnetic"], 0)
    position = jnp.asarray(np.random.default_rng(0).uniform(-9, 9, (3, 40)))
    expected = synax.magnetic.JF12.hammurabi()(position)
    np.testing.assert_allclose(field(position), expected, rtol=1e-12, atol=1e-15)


def test_uniform_field(convert):
    settings, _ = convert("unif", UNIF)
    field = _build.build_field("magnetic", settings["magnetic"], 0)
    angle = math.radians(70.0)
    expected = [2 * math.cos(angle), 2 * math.sin(angle), 0.7]
    np.testing.assert_allclose(field(jnp.zeros(3)), expected, rtol=1e-12)


def test_bad_files_are_named(tmp_path):
    file = tmp_path / "x.xml"
    file.write_text("<root><grid></root>")
    with pytest.raises(ValueError, match="not XML"):
        hammurabi_xml(file)
    file.write_text("<other/>")
    with pytest.raises(ValueError, match="<other>"):
        hammurabi_xml(file)
    file.write_text('<root><grid><observer><x value="far"/></observer></grid></root>')
    with pytest.raises(ValueError, match="'far'"):
        hammurabi_xml(file)


def read(tmp_path, text):
    file = tmp_path / "any.xml"
    file.write_text(text, encoding="utf-8")
    return hammurabi_xml(file)


def test_the_height_of_the_observer_is_in_kpc(tmp_path):
    body = "<root><grid><observer><x value='-8'/><z value='{}'/></observer></grid></root>"
    configuration, _ = read(tmp_path, body.format("0.5"))
    assert configuration["sightlines"]["observer"] == [-8.0, 0.0, 0.5]
    configuration, notes = read(tmp_path, body.format("6"))
    assert configuration["sightlines"]["observer"] == [-8.0, 0.0, 6.0]
    assert any("taken in kpc" in note and "0.006" in note for note in notes)


def test_uniform_cosmic_rays_have_the_flux_that_was_asked(tmp_path):
    body = (
        "<root><cre type='unif'><unif><alpha value='3'/><E0 value='20.6'/><j0 value='0.0217'/>"
        "<r0 value='4'/><theta value='0.1'/></unif></cre></root>"
    )
    configuration, notes = read(tmp_path, body)
    assert any("cre/unif/theta is not mapped" in note for note in notes)
    uniform = _build.build_field("cosmic_rays", [configuration["cosmic_rays"]], 0)
    observer = jnp.asarray(configuration["sightlines"]["observer"])
    expected = synax.cosmic_rays.Analytic(observer=observer)(observer)
    np.testing.assert_allclose(uniform(observer), expected / np.cosh(0.006) ** -2, rtol=1e-12)
    assert float(uniform(observer + jnp.array([4.1, 0.0, 0.0]))) == 0.0


def test_what_is_off_is_off_and_what_is_not_used_is_said(tmp_path):
    configuration, notes = read(
        tmp_path,
        "<root><mask cue='1' filename='m.bin'/><cre cue='0' type='analytic'><analytic/></cre>"
        "<grid><shell><gc_z_min value='0'/><layer type='auto'/></shell><box_breg/></grid>"
        "<Interface><old value='1'/></Interface><observable><dm cue='0'><x/></dm></observable>"
        "<magneticfield><regular cue='1' type='lsa'><lsa><b0 value='1'/><extra value='2'/></lsa>"
        "<jaffe><ring cue='1'/></jaffe></regular></magneticfield></root>",
    )
    assert configuration["cosmic_rays"] == {"model": "Uniform", "value": 0.0}
    text = "\n".join(notes)
    for words in (
        "mask is on ('m.bin')",
        "cre is off",
        "gc_z_min is not mapped",
        "grid/shell/layer is not mapped",
        "grid/box_breg is not mapped",
        "Interface is not mapped",
        "regular/lsa/extra is not mapped",
        "of type 'lsa', so its jaffe is not used",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("<observable><sync cue='1'/></observable>", "freq is missing"),
        ("<observable><sync cue='1' freq='inf'/></observable>", "freq 'inf' is not finite"),
        ("<observable><sync cue='1' freq='-1'/></observable>", "freq must be positive"),
        ("<observable><dm cue='1' nside='abc'/></observable>", "nside 'abc' is not a number"),
        ("<observable><dm cue='1' nside='-4'/></observable>", "nside must be a whole number"),
        ("<observable><dm cue='1' nside='1e9'/></observable>", "nside must be a whole number"),
        ("<grid><shell><gc_r_max value='nan'/></shell></grid>", "'nan' is not finite"),
        ("<grid><shell><gc_z_max value='-3'/></shell></grid>", "gc_z_max must be positive"),
        ("<grid><shell><oc_r_res value='-3'/></shell></grid>", "oc_r_res must be positive"),
        (
            "<magneticfield><regular cue='1' type='jaffe'><jaffe><arm_num value='1e9'/></jaffe>"
            "</regular></magneticfield>",
            "arm_num must be a whole number from 1 to 64",
        ),
    ],
)
def test_bad_numbers_are_named(tmp_path, inside, words):
    with pytest.raises(ValueError, match=words):
        read(tmp_path, f"<root>{inside}</root>")


def test_nothing_leaves_a_comment(tmp_path):
    kind = "x&#10;seed = 7&#10;integration = {steps = 1}&#13;a = 1&#x2028;b = 1&#10;# "
    configuration, notes = read(
        tmp_path,
        f"<root><magneticfield><regular cue='1' type='{kind}'/></magneticfield>"
        f"<fieldio><breg read='1' filename='{kind}'/></fieldio><mask cue='1' filename='{kind}'/>"
        "</root>",
    )
    assert set(tomllib.loads(toml_text(configuration, notes))) == set(configuration)
    file = tmp_path / "x.toml"
    file.write_text(toml_text(configuration, notes), encoding="utf-8")
    assert _config.load(file, [])["seed"] == 0


def test_files_that_are_no_parameter_file(tmp_path):
    with pytest.raises(ValueError, match="not a regular file"):
        hammurabi_xml("/dev/zero")
    with pytest.raises(ValueError, match="is a folder"):
        hammurabi_xml(tmp_path)


@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cuts=st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), max_size=4))
def test_any_damage_gives_a_configuration_or_a_sentence(tmp_path, cuts):
    raw = bytearray(TEMPLATE.format(kind="lsa", field=LSA).encode())
    for place, byte in cuts:
        raw[place * len(raw) // 1000] = byte
    file = tmp_path / "any.xml"
    file.write_bytes(bytes(raw))
    try:
        text = toml_text(*hammurabi_xml(file))
    except ValueError as error:
        assert str(error)
        return
    (tmp_path / "any.toml").write_text(text, encoding="utf-8")
    try:
        _config.load(tmp_path / "any.toml", [])
    except BadInput as error:
        assert str(error)
