"""Parameter files of hammurabiX become configurations that run, and nothing is lost in silence."""

import math
import tomllib

import jax.numpy as jnp
import numpy as np
import pytest

import synax
from synax.cli import _build, _config
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
