"""The sky that a configuration asks for: its error, fields, physics, galaxies, realisations."""

import json

import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits
from run_cli import call, refused

import synax
from synax.cli import _run
from synax.cli._build import build_field
from synax.cli._config import load, parse_set
from synax.cli._console import BadInput
from synax.io import load_map, save_grid


def test_the_error_is_that_of_doubled_steps(tmp_path):
    """Computed from the two halves of rays; without surfaces exactly twice the cells."""
    found = {}
    for steps in (6, 12):
        out = tmp_path / str(steps)
        text = f"--nside 2 --steps {steps} --frequency 0.4 --set integration.faces=false -q"
        call("simulate", *text.split(), "--electrons", "TwoDisc", "--output", out)
        stokes = load_map(out / "stokes_0.4GHz.fits").values.reshape(3, -1)
        found[steps] = [
            *stokes,
            *(load_map(out / f"{n}.fits").values.ravel() for n in ("RM", "DM")),
        ]
    errors = json.loads((tmp_path / "6" / "record.json").read_text())["error_estimate"]
    chosen = np.linspace(0, 47, 24).astype(int)
    for coarse, fine, name in zip(
        found[6], found[12], ("I 0.4 GHz", "Q 0.4 GHz", "U 0.4 GHz", "RM", "DM"), strict=True
    ):
        expected = np.max(np.abs(coarse - fine)[chosen])
        assert expected > 0
        assert errors["outputs"][name]["largest"] == pytest.approx(expected, rel=1e-6), name


def test_a_configuration_file_changes_every_part(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\nimport synax\nfrom jaxtyping import Array\n"
        "class Ring(synax.AbstractVectorField):\n"
        "    b0: Array = synax.parameter(2.0, 'uG', 'strength')\n"
        "    def __call__(self, position):\n"
        "        x, y, z = position\n"
        "        r = jnp.sqrt(x * x + y * y + 1e-6)\n"
        "        return self.b0 * jnp.stack([-y / r, x / r, 0.0 * z])\n"
    )
    box = synax.Box((20.0, 20.0, 5.0))
    grid = synax.GridField.from_field(synax.magnetic.Uniform((0.0, 0.0, 1.0)), box, (4, 4, 3))
    save_grid(tmp_path / "field.npz", grid)
    mask = np.zeros(48)
    mask[[3, 20, 41]] = 1
    healpy.write_map(tmp_path / "mask.fits", mask, dtype=np.float64)
    (tmp_path / "galaxy.toml").write_text(
        'frequency = "408 MHz"\noutputs = ["stokes", "EM"]\n'
        '[[magnetic]]\nclass = "mine.py:Ring"\nb0 = "0.3 nT"\nscale = 0.5\n'
        '[[magnetic]]\ngrid = "field.npz"\n'
        '[electrons]\nmodel = "Uniform"\nvalue = 0.02\n'
        "[cosmic_rays]\nspectral_index = 2.8\n"
        '[sightlines]\nnside = 2\nordering = "NEST"\npixels = "mask.fits"\n'
        "observer = [-8.0, 0.0, 0.0]\n"
        "[domain]\nradius = 15\n"
        '[integration]\nsteps = 8\nspacing = "graded"\nquadrature = "midpoint"\n'
        'precision = "float32"\n'
        f'[output]\ndirectory = "{tmp_path / "out"}"\nunit = "MJy/sr"\nconvention = "IAU"\n'
        "figure = false\n"
    )
    result = call("simulate", tmp_path / "galaxy.toml", "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"stokes_0.408GHz.fits", "EM.fits", "record.json"}
    sky = load_map(tmp_path / "out" / "stokes_0.408GHz.fits")
    assert (sky.unit, sky.convention, sky.ordering) == ("MJy/sr", "IAU", "NEST")
    header = fits.getheader(tmp_path / "out" / "stokes_0.408GHz.fits", 1)
    assert header["POLCCONV"] == "IAU" and header["SEED"] == 0
    assert "WMAP" in header["COSMICRA"] and header["VERSION"] == synax.__version__
    assert sky.values.dtype == np.float32
    pixels = np.sort(healpy.ring2nest(2, [3, 20, 41]))
    np.testing.assert_array_equal(np.sort(sky.pixels), pixels)
    ring = record["models"]["magnetic"]["parts"][0]
    assert ring["factor"] == 0.5 and ring["field"]["b0"] == pytest.approx(3.0)
    assert record["models"]["domain"]["class"] == "Sphere"
    assert float(sky.I.min()) > 0


def test_fields_boxes_and_keys_inside_models():
    random = {
        "model": "GaussianRandom",
        "box": {"half_lengths": [4, 4, "2 kpc"]},
        "shape": [4, 4, 4],
        "amplitude": 2.0,
        "outer_scale": 8.0,
        "along": {"model": "WMAP", "b0": 3.0},
        "profile": {"model": "electrons.Uniform", "value": 1.0},
    }
    first, again, other = (build_field("magnetic", [random], seed) for seed in (1, 1, 2))
    assert float(first.along.b0) == 3.0 and first.shape == (4, 4, 4)
    np.testing.assert_array_equal(first.latent, again.latent)
    assert not np.array_equal(first.latent, other.latent)
    law = {"model": "PowerLaw", "normalisation": {"model": "electrons.Uniform", "value": 1e-4}}
    law["spectral_index"] = {"model": "electrons.Uniform", "value": 2.5}
    built = build_field("cosmic_rays", [law], 0)
    assert float(built.index(jnp.zeros(3))) == 2.5
    variant = build_field("magnetic", [{"model": "UF23", "variant": "twistX"}], 0)
    assert variant.variant == "twistX"


def test_parts_of_models_by_dotted_paths(tmp_path):
    (tmp_path / "a.toml").write_text('[electrons]\nmodel = "NE2001"\nlocal.ldr_density = 0.5\n')
    change = [parse_set("electrons.local.ldr_angle=30 deg")]
    settings = load(tmp_path / "a.toml", change)
    built = build_field("electrons", settings["electrons"], 0)
    assert float(built.local.ldr_density) == 0.5
    assert float(built.local.ldr_angle) == pytest.approx(np.pi / 6)
    untouched = synax.electrons.NE2001().local.lsb_density
    np.testing.assert_array_equal(built.local.lsb_density, untouched)
    for change, words in (
        ("local.ldr_densty=1", "did you mean 'ldr_density'"),
        ("local.ldr_density=1 kpc", "must be a number in cm-3"),
        ("local=3", "must be a table of this part's parameters"),
    ):
        settings = load(None, [parse_set(f"electrons.{change}")])
        settings["electrons"][0]["model"] = "NE2001"
        with pytest.raises(BadInput, match=words):
            build_field("electrons", settings["electrons"], 0)


def test_physics_of_the_configuration(tmp_path):
    """Free-free by itself below 0.3 GHz and its depth, V on request, what excludes what."""
    small = ("--nside", "1", "--steps", "4", "--electrons", "TwoDisc", "-q")
    plain = ("--set", "output.figure=false", "--outputs", "stokes")
    out = tmp_path / "low"
    result = call("simulate", *small, *plain, "--outputs", "tau", "-f", "0.03", "-o", out)
    assert result.exit_code == 0, result.output
    record = json.loads((out / "record.json").read_text())
    depth = record["optical_depth"]["0.03 GHz"]
    assert 0 < depth["median"] <= depth["largest"]
    fields = (synax.magnetic.WMAP(), synax.electrons.TwoDisc(), synax.cosmic_rays.WMAP())
    sky = synax.Synchrotron(*fields, free_free=synax.FreeFree(8000.0, 1.0), steps=4)
    expected = sky.observe(synax.Sightlines.healpix(1), 0.03)
    np.testing.assert_allclose(
        load_map(out / "stokes_0.03GHz.fits").I, expected.stokes.I, rtol=1e-9
    )
    np.testing.assert_allclose(depth["largest"], expected.optical_depth.max(), rtol=1e-3)
    tau = load_map(out / "tau_0.03GHz.fits")
    assert (tau.kind, tau.unit, tau.frequency) == ("TAU", "1", 0.03)
    np.testing.assert_allclose(tau.values, expected.optical_depth, rtol=1e-9)
    assert "tau 0.03 GHz" in record["error_estimate"]["outputs"]
    without = ("--set", "physics.free_free=false", "-f", "0.01", "-o", tmp_path / "without")
    result = call("simulate", *small, *plain, *without)
    told = json.loads((tmp_path / "without" / "record.json").read_text())["warnings"]
    about = [text for text in told if "free-free absorption is left out" in text]
    assert len(about) == 1
    assert about[0] in result.output
    assert about[0].endswith("on the command line physics.free_free = true")
    message = refused("simulate", *small, "--outputs", "tau", "-f", "23", "-o", tmp_path / "high")
    assert "set physics.free_free = true" in message
    for nu, switched_on in ((0.29, True), (0.3, False)):
        prepared = _run.prepare(load(None, [parse_set(f"frequency=[{nu}]")]))
        assert ("free_free" in prepared.physics) is switched_on
    filling = ("--set", "physics.filling_factor=scattering")
    message = refused("simulate", *small, *filling, "-o", tmp_path / "filled")
    assert "needs electrons.model = 'NE2001' or 'NE2025', got TwoDisc" in message
    low = ("physics.filling_factor=scattering", "electrons.model=NE2001", "frequency=[0.03]")
    gas = _run.prepare(load(None, [parse_set(text) for text in low]))
    filling = gas.physics["free_free"].filling_factor
    assert isinstance(filling, synax.emission.FluctuationFilling)
    out = tmp_path / "circular"
    change = ("--set", "physics.self_absorption=true")
    result = call("simulate", *small, *plain, *change, "--frequency", "23", "-o", out)
    assert result.exit_code == 0, result.output
    assert float(abs(load_map(out / "stokes_23GHz.fits").V).max()) > 0
    errors = json.loads((out / "record.json").read_text())["error_estimate"]["outputs"]
    assert "V 23 GHz" in errors
    both = (*change, "--set", "physics.turbulence=3 uG")
    result = call("simulate", *small, *both, "-o", tmp_path / "both")
    assert result.exit_code == 2 and "exclude each other" in result.output
    assert not (tmp_path / "both").exists()


def test_a_whole_galaxy_by_name(tmp_path):
    out = tmp_path / "galaxy"
    small = ("--nside", "1", "--steps", "4", "-q", "--set", "output.figure=false", "-f", "0.408")
    result = call("simulate", "--galaxy", "wmap", *small, "--outputs", "stokes", "-o", out)
    assert result.exit_code == 0, result.output
    expected = synax.galaxies.wmap(steps=4)(synax.Sightlines.healpix(1), 0.408)
    np.testing.assert_allclose(load_map(out / "stokes_0.408GHz.fits").I, expected.I, rtol=1e-9)
    assert fits.getheader(out / "stokes_0.408GHz.fits", 1)["GALAXY"] == "wmap"
    record = json.loads((out / "record.json").read_text())
    assert record["configuration"]["galaxy"] == "wmap"
    assert "magnetic" not in record["configuration"]
    message = refused("simulate", "--galaxy", "calibrated", "--magnetic", "JF12", "-o", out)
    assert "has its own fields; leave out [magnetic]" in message
    assert "must be one of" in refused("simulate", "--galaxy", "andromeda", "-o", tmp_path / "x")
    change = ("--set", "physics.self_absorption=true")
    message = refused("simulate", "--galaxy", "jf12", *change, "-o", tmp_path / "y")
    assert "exclude each other" in message and "physics.realisation = true" in message


def test_one_sky_in_place_of_the_mean_over_turbulence(tmp_path):
    small = ("--nside", "1", "--steps", "4", "-q", "--set", "output.figure=false", "-f", "0.408")
    one = ("--galaxy", "uf23", "--set", "physics.realisation=true", *small, "--outputs", "stokes")
    maps = []
    for seed in (1, 1, 2):
        out = tmp_path / f"{len(maps)}"
        result = call("simulate", *one, "--set", f"seed={seed}", "-o", out)
        assert result.exit_code == 0, result.output
        maps.append(load_map(out / "stokes_0.408GHz.fits").Q)
    same = synax.galaxies.realisation(synax.galaxies.uf23(steps=4), jax.random.key(1))
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.all(maps[0] != maps[2])
    expected = same(synax.Sightlines.healpix(1), 0.408).Q
    np.testing.assert_allclose(maps[0], expected, rtol=1e-9)
    message = refused("simulate", "--galaxy", "wmap", *one[2:], "-o", tmp_path / "z")
    assert "physics.realisation = true needs turbulence" in message
    short = ("--set", "physics.correlation_length=0", "--set", "physics.turbulence=3")
    message = refused("simulate", "--magnetic", "WMAP", *one[2:], *short, "-o", tmp_path / "z")
    assert "correlation_length must be a number above 0 kpc" in message


BEHIND = "[{ model = 'CMB' }, { model = 'PowerLawBackground', index = 2.6 }, 1.5, '500 mK']"


@pytest.mark.parametrize("given", ["3 K", BEHIND])
def test_a_background_shines_through_an_empty_galaxy(tmp_path, given):
    """A number, or the sum of tables and numbers: as in Python, where nothing shines before it."""
    toml = f'"{given}"' if given[0] != "[" else given
    config = tmp_path / "sky.toml"
    config.write_text(
        f"frequency = [1.0, 10.0]\n[physics]\nbackground = {toml}\n"
        "[sightlines]\nnside = 1\n[integration]\nsteps = 1\n[output]\nfigure = false\n"
        "[magnetic]\nmodel = 'Uniform'\nvector = [0.0, 0.0, 0.0]\n"
        "[electrons]\nmodel = 'Uniform'\nvalue = 0.0\n"
        "[cosmic_rays]\nmodel = 'Uniform'\nvalue = 1e-5\n"
    )
    call("simulate", config, "-q", "--output", tmp_path / "out")
    behind = synax.emission.CMB() + synax.emission.PowerLawBackground(index=2.6)
    for nu in (1.0, 10.0):
        expected = 3.0
        if given == BEHIND:
            expected = 2.0 + float(behind(jnp.asarray([nu]))[0, 0])
        found = load_map(tmp_path / "out" / f"stokes_{nu:g}GHz.fits").I
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{ model = 'CMP' }", "physics.background.model = 'CMP': must be one of"),
        ("{ temperature = 1.0 }", "must have model, one of PowerLawBackground, CMB"),
        ("{ model = 'CMB', index = 1 }", "unknown parameter physics.background.index"),
        ("[{ model = 'CMB' }, -1]", "physics.background[1] = -1: must be at least 0 in K"),
        ("{ model = 'PowerLawBackground', reference = 0 }", "must be positive in GHz"),
        ("[1.0, 2.0]", "a table such as { model = 'CMB' }"),
        ("[]", "a table such as { model = 'CMB' }"),
    ],
)
def test_backgrounds_that_are_none_are_refused(given, words):
    with pytest.raises(BadInput) as refusal:
        load(None, [parse_set(f"physics.background={given}")])
    assert words in str(refusal.value)


def test_maps_off_the_sun_of_the_electrons_say_so_on_screen_and_in_the_record(tmp_path):
    here = ("simulate", "--nside", "1", "--steps", "4", "--outputs", "DM", "--electrons", "NE2001")
    places = {"default": (), "own": ("--set", "sightlines.observer=[-8.5, 0, 0]")}
    for name, more in places.items():
        result = call(*here, *more, "--set", "output.figure=false", "-o", tmp_path / name)
        assert result.exit_code == 0, result.output
        told = json.loads((tmp_path / name / "record.json").read_text())["warnings"]
        off = [one for one in told if "stands 200 pc from the Sun of NE2001" in one]
        assert len(off) == (name == "default")
        assert ("give the sightlines observer=(-8.5" in " ".join(result.stderr.split())) == len(off)
