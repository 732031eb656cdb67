"""Sky maps to FITS and back: nothing is lost, healpy agrees, nothing is overwritten."""

import healpy
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits

import synax
from synax.io import load_map, save_map
from synax.maps._skymap import SkyMap

NSIDE = 4
N = 12 * NSIDE**2
FIELDS = ("kind", "nside", "unit", "frequency", "ordering", "frame", "convention")


def make(kind="IQU", freq=(23.0,), dtype=np.float64, **kwargs):
    rng = np.random.default_rng(2)
    frequency = None if kind in ("RM", "DM", "EM") else freq[0] if len(freq) == 1 else freq
    shape = (3,) if kind == "IQU" else (2,) if kind == "QU" else ()
    shape += (len(freq),) if len(freq) > 1 and frequency else ()
    pixels = kwargs.get("pixels")
    values = rng.normal(size=(*shape, N if pixels is None else len(pixels))).astype(dtype)
    return SkyMap(jnp.asarray(values), kind, NSIDE, frequency=frequency, **kwargs)


@pytest.mark.parametrize(
    "sky",
    [
        make(),
        make(dtype=np.float32),
        make(freq=(0.408, 2.4)),
        make("QU", unit="uK_CMB", convention="COSMO"),
        make("I", ordering="NEST", unit="MJy/sr"),
        make("RM", frame="equatorial"),
        make("DM"),
        make("EM"),
        make("TAU", freq=(0.01, 0.03)),
        make(pixels=[3, 70, 11], ordering="NEST"),
        make("I", freq=(1.0, 2.0), pixels=[3, 70, 11]),
    ],
    ids=lambda m: f"{m.kind}-{m.unit}-{m.frequency}-{m.ordering}".replace("/", "_"),
)
def test_round_trip_keeps_everything(tmp_path, sky):
    save_map(tmp_path / "map.fits", sky)
    back, sky = load_map(tmp_path / "map.fits"), sky.to_convention("IAU")
    assert [getattr(back, f) for f in FIELDS] == [getattr(sky, f) for f in FIELDS]
    assert back.values.dtype == sky.values.dtype
    np.testing.assert_array_equal(back.values, sky.values)
    if sky.pixels is None:
        assert back.pixels is None
    else:
        np.testing.assert_array_equal(back.pixels, sky.pixels)


@pytest.mark.parametrize("ordering", ["RING", "NEST"])
def test_healpy_opens_it_without_options(tmp_path, ordering):
    sky = make()
    sky.to_ordering(ordering).save(tmp_path / "map.fits")
    np.testing.assert_array_equal(healpy.read_map(tmp_path / "map.fits"), sky.I)
    iqu = healpy.read_map(tmp_path / "map.fits", field=(0, 1, 2))
    np.testing.assert_array_equal(iqu, sky.to_convention("COSMO").values)
    np.testing.assert_array_equal(iqu, sky.to_healpy())
    sky.save(tmp_path / "iau.fits", convention="IAU")
    assert fits.getval(tmp_path / "iau.fits", "POLCCONV", 1) == "IAU"
    np.testing.assert_array_equal(healpy.read_map(tmp_path / "iau.fits", field=2), sky.U)
    np.testing.assert_array_equal(load_map(tmp_path / "iau.fits").values, sky.values)


def test_healpy_opens_a_partial_sky(tmp_path):
    sky = make(pixels=[3, 70, 11])
    save_map(tmp_path / "map.fits", sky)
    values = healpy.read_map(tmp_path / "map.fits", field=1)
    np.testing.assert_array_equal(values[[3, 70, 11]], sky.Q)
    assert (values == healpy.UNSEEN).sum() == N - 3


def test_header(tmp_path):
    sky = make(unit="uK_RJ", ordering="NEST")
    save_map(tmp_path / "map.fits", sky, facts={"MODEL": "JF12", "SEED": 3})
    for facts in ({"NSIDE": 3}, {"model": "x"}, {"MODEL": "a\nb"}):
        with pytest.raises(ValueError, match="facts: "):
            save_map(tmp_path / "none.fits", sky, facts=facts)
    header = fits.getheader(tmp_path / "map.fits", 1)
    expected = dict(
        NSIDE=NSIDE, ORDERING="NESTED", COORDSYS="G", POLCCONV="COSMO", FREQ=23.0, TUNIT1="uK_RJ",
        MODEL="JF12", SEED=3, VERSION=synax.__version__,
    )  # fmt: skip
    assert header["DATE"].startswith("20")
    assert {key: header[key] for key in expected} == expected


def test_missing_pixels_are_unseen_in_the_file_and_nan_here(tmp_path):
    sky = make("RM")
    sky = sky._with(sky.values.at[7].set(np.nan))
    save_map(tmp_path / "map.fits", sky)
    assert healpy.read_map(tmp_path / "map.fits")[7] == healpy.UNSEEN
    assert np.flatnonzero(np.isnan(load_map(tmp_path / "map.fits").values)).tolist() == [7]


def test_files_of_healpy_are_read_with_the_healpix_default(tmp_path, caplog):
    values = np.random.default_rng(0).normal(size=(3, N))
    healpy.write_map(tmp_path / "h.fits", values, dtype=np.float64, column_units="K_CMB", coord="G")
    with pytest.raises(ValueError, match="no FREQ keyword"):
        load_map(tmp_path / "h.fits")
    sky = load_map(tmp_path / "h.fits", frequency=61.0)
    assert (sky.convention, sky.unit, sky.frequency) == ("IAU", "K_CMB", 61.0)
    np.testing.assert_array_equal(sky.U, -values[2])
    assert "U taken as COSMO" in caplog.text
    healpy.write_map(tmp_path / "bare.fits", values[0], dtype=np.float64)
    with pytest.raises(ValueError, match="has unit ''; give one of K_RJ"):
        load_map(tmp_path / "bare.fits", frequency=1.0)


def test_nothing_is_overwritten_and_no_debris_is_left(tmp_path, monkeypatch):
    target = tmp_path / "map.fits"
    target.write_text("precious")
    with pytest.raises(FileExistsError, match="overwrite"):
        save_map(target, make())
    assert target.read_text() == "precious"

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(fits.HDUList, "writeto", fail)
    with pytest.raises(OSError, match="disk full"):
        save_map(target, make(), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["map.fits"]
    assert target.read_text() == "precious"
    monkeypatch.undo()
    save_map(target, make(), overwrite=True)
    assert load_map(target).kind == "IQU"


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_map(tmp_path / "nowhere.fits")
    (tmp_path / "text.fits").write_text("hello")
    with pytest.raises(ValueError, match="not a FITS file"):
        load_map(tmp_path / "text.fits")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        save_map(tmp_path / "no" / "map.fits", make())
