"""Headers of maps: those of archives are read, odd and contradictory ones refused in a sentence."""

import gzip
import io
import string

import healpy
import hypothesis.strategies as st
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings

import synax
from synax import load_map

N = 12
ABSENT = object()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("headers")


def table(columns=None, pixels=None, units="K_RJ", form="D", **cards):
    """A table of a map of NSIDE 1; `cards` change its header, ABSENT takes one out."""
    columns = {"TEMPERATURE": np.arange(1.0, N + 1)} if columns is None else columns
    units = units if isinstance(units, dict) else dict.fromkeys(columns, units)
    made = [] if pixels is None else [fits.Column("PIXEL", "K", array=np.asarray(pixels))]
    made += [fits.Column(n, form, unit=units.get(n), array=x) for n, x in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made)
    for key, value in {"NSIDE": 1, "ORDERING": "RING", "COORDSYS": "G", "FREQ": 23.0,
                       **cards}.items():  # fmt: skip
        if value is not ABSENT:
            hdu.header[key] = value
    return hdu


def write(path, *tables, **primary):
    first = fits.PrimaryHDU()
    first.header.update(primary)
    fits.HDUList([first, *tables]).writeto(path, overwrite=True)
    return path


IQU = {"TEMPERATURE": np.arange(N) + 1.0, "Q": np.arange(N) + 20.0, "U": np.arange(N) + 40.0}


def refused(path, match, **options):
    """Load what must be refused: one line that begins with the name of the file."""
    with pytest.raises(ValueError, match=match) as caught:
        load_map(path, **options)
    message = str(caught.value)
    assert message.startswith(f"'{path}'") and "\n" not in message and len(message) < 500
    return message


# ---------------------------------------------------------------- archives as they are


@pytest.mark.parametrize("names", [
    ("TEMPERATURE", "Q-POLARISATION", "U-POLARISATION"),  # HEALPix Fortran
    ("TEMPERATURE", "Q_POLARISATION", "U_POLARISATION"),  # healpy, WMAP
    ("I_STOKES", "Q_STOKES", "U_STOKES"),  # Planck
    ("INTENSITY", "Q-POLARIZATION ", "u polarization"),
])  # fmt: skip
def test_names_of_polarised_columns(folder, names):
    columns = dict(zip(names, IQU.values(), strict=True))
    path = write(folder / "names.fits", table(columns, units="K_CMB", POLCCONV="COSMO"))
    sky = load_map(path)
    assert (sky.kind, sky.unit, sky.frequency, sky.convention) == ("IQU", "K_CMB", 23.0, "IAU")
    np.testing.assert_array_equal(sky.values, [IQU["TEMPERATURE"], IQU["Q"], -IQU["U"]])


def test_a_band_map_of_wmap(folder):
    """mK of no kind, the band's name as FREQ, the frame as SKYCOORD, and a table of weights."""
    names = ("TEMPERATURE", "Q_POLARISATION", "U_POLARISATION", "N_OBS")
    columns = dict(zip(names, (*IQU.values(), np.ones(N)), strict=True))
    first = table(columns, units={**dict.fromkeys(names, "mK"), "N_OBS": "counts"},
                  POLCCONV="COSMO", COORDSYS=ABSENT, FREQ=ABSENT, ORDERING="NESTED")  # fmt: skip
    second = table({"N_OBS": np.ones(N), "M11": np.ones(N)}, units="", FREQ=ABSENT)
    path = write(folder / "wmap.fits", first, second, SKYCOORD="Galactic", FREQ="K")
    refused(path, r"column TEMPERATURE \(TUNIT1\) has unit 'mK'; give one of K_RJ", frequency=22.8)
    refused(path, "FREQ = 'K' must be a number", unit="mK_CMB")
    refused(path, "TUNIT1 says mK, and unit = K_CMB", unit="K_CMB", frequency=22.8)
    sky = load_map(path, unit="mK_CMB", frequency=22.8)
    assert (sky.kind, sky.unit, sky.frequency, sky.ordering) == ("IQU", "mK_CMB", 22.8, "NEST")


def test_a_map_of_planck_with_a_second_table(folder):
    columns = {"I_STOKES": IQU["Q"], "HITS": np.ones(N), "II_COV": np.ones(N)}
    units = {"I_STOKES": "MJy/sr", "HITS": "", "II_COV": "(MJy/sr)^2"}
    first = table(columns, units=units, form="E", COORDSYS="GALACTIC", FREQ="545",
                  UNITFREQ="GHz", BAD_DATA=-1.6375e30, ORDERING="NESTED")  # fmt: skip
    beam = fits.BinTableHDU.from_columns([fits.Column("INT_BEAM", "E", array=np.ones(7))])
    sky = load_map(write(folder / "planck.fits", first, beam))
    assert (sky.kind, sky.unit, sky.frequency, sky.frame) == ("I", "MJy/sr", 545.0, "galactic")
    assert sky.values.dtype == np.float32


def test_a_cut_sky_of_healpix(folder):
    columns = {"SIGNAL": np.array([3.0, 4.0]), "N_OBS": np.ones(2), "SERROR": np.ones(2)}
    cards = {"OBJECT": "PARTIAL", "INDXSCHM": "EXPLICIT", "GRAIN": 1}
    path = write(folder / "cut.fits", table(columns, [7, 2], units="mK_RJ", **cards))
    sky = load_map(path)
    assert (sky.kind, sky.unit, sky.pixels.tolist()) == ("I", "mK_RJ", [7, 2])
    rm = load_map(write(folder / "rm.fits", table(columns, [7, 2], units="rad m^-2", FREQ=ABSENT)))
    assert (rm.kind, rm.unit, rm.frequency) == ("RM", "rad/m2", None)


def test_columns_by_name(folder):
    columns = {"UNKNOWN1": IQU["Q"], "UNKNOWN2": IQU["U"]}
    path = write(folder / "unknown.fits", table(columns, units="unknown", ORDERING=ABSENT))
    refused(path, r"has columns 1: UNKNOWN1, UNKNOWN2, and none has a known name")
    with pytest.raises(ValueError, match="no column 'FOO'; its columns are UNKNOWN1"):
        load_map(path, columns={"I": "FOO"})
    with pytest.raises(ValueError, match="columns must have keys among DM, EM, I"):
        load_map(path, columns={"X": "UNKNOWN1"})
    refused(path, "no card ORDERING; give ordering", columns={"I": "UNKNOWN1"}, unit="K_RJ")
    sky = load_map(path, columns={"I": "unknown2"}, unit="K_RJ", ordering="RING")
    np.testing.assert_array_equal(sky.I, IQU["U"])
    columns = {"faraday_sky_mean": IQU["Q"], "faraday_sky_std": IQU["U"]}
    path = write(folder / "faraday.fits", table(columns, units="rad m-2", FREQ=ABSENT))
    assert load_map(path, columns={"RM": "faraday_sky_mean"}).kind == "RM"


def test_gzip_and_unknown_compressions(folder):
    plain = write(folder / "plain.fits", table())
    packed = folder / "packed.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(load_map(packed).I, load_map(plain).I)
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-50])
    refused(packed, "cannot be read|promises")


# ---------------------------------------------------------------- units, frequencies, frames


def test_units_of_each_column(folder):
    units = {"TEMPERATURE": "K_RJ", "Q": "uK_RJ", "U": "mKcmb"}
    path = write(folder / "units.fits", table(IQU, units=units, POLCCONV="IAU"))
    sky = load_map(path)
    np.testing.assert_allclose(sky.Q, 1e-6 * IQU["Q"], rtol=1e-14)
    factor = synax.SkyMap(np.ones(N), "I", 1, unit="mK_CMB", frequency=23.0).to_unit("K_RJ").I[0]
    np.testing.assert_allclose(sky.U, factor * IQU["U"], rtol=1e-14)
    path = write(folder / "units.fits", table(IQU, units={**units, "Q": "rad/m2"}))
    refused(path, "column Q has TUNIT2 = 'rad/m2', which must be one of K_RJ")
    path = write(folder / "units.fits", table(IQU, units={**units, "U": ""}))
    refused(path, r"column U \(TUNIT3\) has unit ''; give one of K_RJ")


SPELLINGS = {
    "uK_CMB": ("uKcmb", "muK_CMB", "uK_{CMB}", "uK(CMB)", "\u00b5K_CMB", "uK (thermodynamic)"),
    "K_RJ": ("K_RJ", "Krj", "K (RJ)", "Kelvin (Rayleigh-Jeans)", "K (antenna temperature)"),
    "MJy/sr": ("MJy/sr", "MJy sr-1", "MJy sr^-1", "MJy / sr", "MJy.sr-1"),
    "rad/m2": ("rad/m^2", "rad m-2", "rad m^-2", "rad m**-2", "rad/m**2"),
    "pc/cm3": ("pc cm-3", "pc/cm^3", "cm-3 pc"),
}


@pytest.mark.parametrize(("unit", "text"), [(u, t) for u, all_ in SPELLINGS.items() for t in all_])
def test_one_table_of_spellings(unit, text):
    from synax.maps._units import spelled

    assert spelled(text) == unit
    kind = {"rad/m2": "RM", "pc/cm3": "DM"}.get(unit, "I")
    frequency = 23.0 if kind == "I" else None
    assert synax.SkyMap(np.ones(12), kind, 1, unit=text, frequency=frequency).unit == unit


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (23, 23.0), (0.408, 0.408), ("408 MHz", 0.408), ("1420.4 MHz", 1.4204), ("23", 23.0),
        ("2.3E10 Hz", 23.0), (3.53e11, 353.0), (408e6, 0.408), ("30GHz", 30.0),
        ((408, "[MHz] centre"), 0.408), ((1.4e9, "[Hz]"), 1.4), ((2.4, "[GHz] frequency"), 2.4),
    ],
)  # fmt: skip
def test_frequencies_of_headers(folder, value, expected):
    path = write(folder / "nu.fits", table(FREQ=value))
    assert load_map(path).frequency == pytest.approx(expected, rel=1e-15)
    assert load_map(path, frequency=expected).frequency == pytest.approx(expected, rel=1e-15)
    refused(path, "FREQ says .*, and frequency = 7.0 was given", frequency=7.0)
    assert load_map(path, frequency=7.0, override=True).frequency == 7.0


@pytest.mark.parametrize("value", [-1, 0, 0.0, True, 1e5, 1e20, "-408 MHz", "1..2", "fast", "3 K"])
def test_frequencies_that_mean_nothing(folder, value):
    refused(write(folder / "nu.fits", table(FREQ=value)), "FREQ = ")


FRAMES = {
    "galactic": ("G", "GAL", "GALACTIC", "galactic "),
    "equatorial": ("C", "Q", "EQUATORIAL", "Celestial", "ICRS", "FK5"),
    "ecliptic": ("E", "ECLIPTIC", "ecl"),
}


@pytest.mark.parametrize("key", ["COORDSYS", "SKYCOORD"])
@pytest.mark.parametrize(("frame", "word"), [(f, w) for f, all_ in FRAMES.items() for w in all_])
def test_frames_by_their_names(folder, frame, word, key):
    path = write(folder / "frame.fits", table(**{"COORDSYS": ABSENT, key: word}))
    assert load_map(path).frame == frame
    other = "ecliptic" if frame == "galactic" else "galactic"
    refused(path, f"COORDSYS says {frame}, and frame = {other}", frame=other)


def test_a_frame_that_is_not_said_is_said(folder, caplog):
    path = write(folder / "frame.fits", table(COORDSYS=ABSENT))
    assert load_map(path).frame == "galactic" and "taken as galactic" in caplog.text
    assert load_map(path, frame="equatorial").frame == "equatorial"


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        (dict(ORDERING="FOO"), "ORDERING = 'FOO' must be one of RING, NEST, NESTED"),
        (dict(ORDERING=1), "ORDERING = 1 must be one of"),
        (dict(COORDSYS="X"), "COORDSYS = 'X' must be one of G, GAL"),
        (dict(COORDSYS="LOCAL"), "COORDSYS = 'LOCAL' must be"),
        (dict(COORDSYS="FK4"), "COORDSYS = 'FK4' must be"),
        (dict(COORDSYS="G", SKYCOORD="ECLIPTIC"), "COORDSYS is galactic, SKYCOORD is ecliptic"),
        (dict(NSIDE=1.9), "NSIDE = 1.9 must be a whole number"),
        (dict(NSIDE=True), "NSIDE = True must be a whole number"),
        (dict(NSIDE=0), "NSIDE = 0 must be from 1"),
        (dict(NSIDE="1"), "NSIDE = '1' must be a whole"),
        (dict(NSIDE=2), "NSIDE = 2 needs 48 pixels, the table has 12"),
        (dict(LASTPIX=47), "LASTPIX = 47: a whole sky of NSIDE = 1 has 11"),
        (dict(PIXTYPE="CAR"), "PIXTYPE = 'CAR' must be HEALPIX"),
        (dict(POLCCONV="FOO"), "POLCCONV = 'FOO' must be one of IAU, COSMO"),
        (dict(BAD_DATA="x"), "BAD_DATA = 'x' must be a number"),
        (dict(INDXSCHM="EXPLICIT"), "needs a column PIXEL"),
        (dict(INDXSCHM="SPARSE"), "INDXSCHM = 'SPARSE' must be"),
        (dict(OBJECT="PARTIAL", INDXSCHM="IMPLICIT"), "contradict each other"),
    ],
    ids=lambda x: str(x) if isinstance(x, dict) else "",
)
def test_odd_headers_are_refused(folder, cards, match):
    refused(write(folder / "odd.fits", table(IQU, **cards)), match)


def test_contradictions_are_refused(folder):
    columns = {"TEMPERATURE": IQU["Q"], "I_STOKES": IQU["U"]}
    refused(write(folder / "a.fits", table(columns)), "TEMPERATURE and I_STOKES are both I")
    assert load_map(folder / "a.fits", columns={"I": "I_STOKES"}).kind == "I"
    refused(
        write(folder / "b.fits", table({k: IQU[k] for k in ("TEMPERATURE", "Q")})),
        r"columns TEMPERATURE \(I\), Q \(Q\) are none of the kinds",
    )
    refused(write(folder / "c.fits", table(COORDSYS="G"), COORDSYS="C"), "COORDSYS is there twice")
    twice = table()
    twice.header.append(("FREQ", 30.0))
    refused(write(folder / "d.fits", twice), "FREQ is there twice, as 23.0 and 30.0")
    for option, value, card in (
        ("unit", "uK_CMB", "TUNIT1"), ("ordering", "NEST", "ORDERING"),
        ("convention", "IAU", "POLCCONV"), ("frame", "ecliptic", "COORDSYS"),
    ):  # fmt: skip
        path = write(folder / "e.fits", table(IQU, POLCCONV="COSMO"))
        refused(path, f"{card} says .*, and {option} = {value}", **{option: value})
        changed = load_map(path, **{option: value}, override=True)
        if option != "convention":
            assert getattr(changed, option) == value
        np.testing.assert_array_equal(changed.U, (1 if option == "convention" else -1) * IQU["U"])
    refused(folder / "e.fits", "unit of column TEMPERATURE must be one of K_RJ", unit="parsec")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(units="uK_RJ"), "differ in unit"), (dict(ORDERING="NESTED"), "differ in ordering"),
        (dict(COORDSYS="C"), "differ in frame"), (dict(FREQ=23.0), "at the same frequency"),
        (dict(columns=IQU), "differ in kind"),
    ],
)  # fmt: skip
def test_every_table_counts(folder, change, match):
    path = write(folder / "many.fits", table(), table(**{"FREQ": 30.0, **change}))
    message = refused(path, match)
    assert "choose one with table" in message
    assert load_map(path, table=2).unit == change.get("units", "K_RJ")
    refused(path, "has no binary table 3", table=3)
    both = load_map(write(folder / "both.fits", table(), table(FREQ=30.0)))
    assert both.frequency == (23.0, 30.0) and both.values.shape == (2, N)


# ---------------------------------------------------------------- missing pixels, pixel numbers


@pytest.mark.parametrize("form", ["E", "D"])
@pytest.mark.parametrize(
    ("bad", "cards"),
    [(np.nan, {}), (healpy.UNSEEN, {}), (-9999.0, {"BAD_DATA": -9999.0})],
)
def test_missing_pixels_have_one_face(folder, bad, cards, form):
    values = np.arange(1.0, N + 1)
    values[[2, 7]] = bad
    sky = load_map(write(folder / "bad.fits", table({"I": values}, form=form, **cards)))
    assert np.flatnonzero(~np.asarray(sky.mask)).tolist() == [2, 7]
    assert np.flatnonzero(np.isnan(sky.I)).tolist() == [2, 7]


def test_values_that_are_no_map(folder):
    values = np.arange(1.0, N + 1)
    values[3] = np.inf
    refused(write(folder / "inf.fits", table({"I": values})), "column I is infinite in 1 pixels")
    text = {"I": np.array(["a"] * N)}
    refused(write(folder / "text.fits", table(text, form="3A")), "column I has TFORM1 = 3A")
    hdu = table({"I": np.arange(N)}, form="J")
    hdu.columns["I"].null = 5
    assert np.isnan(load_map(write(folder / "int.fits", hdu)).I[5])


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        ([1, 12], r"pixels must lie in 0..11 for nside 1, got 12"),
        ([-1, 3], "pixels must lie in 0..11 for nside 1, got -1"),
        ([4, 4], "pixels holds 4 2 times"),
    ],
)
def test_pixel_numbers_are_checked(folder, pixels, match):
    path = write(folder / "p.fits", table({"I": np.ones(2)}, pixels, INDXSCHM="EXPLICIT"))
    refused(path, match)
    with pytest.raises(ValueError, match=match):
        synax.SkyMap(np.ones(2), "I", 1, frequency=1.0, pixels=pixels)


def test_fractions_and_lengths_of_pixels(folder):
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("PIXEL", "D", array=[1.5, 2.0]), fits.Column("RM", "D", unit="rad/m2",
         array=[1.0, 2.0])])  # fmt: skip
    hdu.header.update(NSIDE=1, ORDERING="RING")
    refused(write(folder / "f.fits", hdu), "column PIXEL: pixels must be whole numbers, got 1.5")
    row = np.zeros(1, [("PIXEL", ">i4", 2), ("RM", ">f8", 3)])
    hdu = fits.BinTableHDU(row)
    hdu.header["TUNIT2"] = "rad/m2"
    hdu.header.update(NSIDE=1, ORDERING="RING")
    refused(write(folder / "l.fits", hdu), "columns have different lengths")


# ---------------------------------------------------------------- damaged files, as a kind


def _bytes():
    memory = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table(IQU, POLCCONV="IAU")]).writeto(memory)
    return memory.getvalue()


WHOLE = _bytes()
CARDS = [
    WHOLE[k : k + 8].decode().strip() for k in range(0, 8640, 80) if WHOLE[k + 8 : k + 9] == b"="
]
VALUES = st.one_of(
    st.integers(-(10**18), 10**18), st.booleans(), st.floats(), st.just(""),
    st.text(string.ascii_letters + string.digits + " '/", max_size=20),
)  # fmt: skip


@settings(max_examples=120, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(key=st.sampled_from(CARDS), value=VALUES)
def test_any_card_gives_the_map_or_one_sentence(folder, key, value):
    if isinstance(value, bool):
        text = "T" if value else "F"
    else:
        text = f"'{value}'" if isinstance(value, str) else f"{value!r}"
    raw = bytearray(WHOLE)
    at = raw.rfind(key.ljust(8).encode() + b"=")
    raw[at : at + 80] = f"{key:8}= {text:>20}"[:80].ljust(80).encode()
    path = folder / "any.fits"
    path.write_bytes(raw)
    try:
        sky = load_map(path)
    except ValueError as error:
        assert str(error).startswith(f"'{path}'") and "\n" not in str(error)
        assert len(str(error)) < 600 and "TypeCheck" not in str(error)
        return
    np.testing.assert_array_equal(np.abs(sky.Q), IQU["Q"])


@settings(max_examples=60, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(cut=st.integers(0, len(WHOLE) - 2900), flips=st.lists(st.integers(0, 8639), max_size=8))
def test_any_damage_gives_the_map_or_one_sentence(folder, cut, flips):
    raw = bytearray(WHOLE[: len(WHOLE) - cut])
    for at in flips:
        if at < len(raw):
            raw[at] ^= 0x15
    path = folder / "damaged.fits"
    path.write_bytes(raw)
    try:
        load_map(path)
    except ValueError as error:
        assert str(error).startswith(f"'{path}'") and "\n" not in str(error)
        assert "TypeCheck" not in str(error)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("TFIELDS", 10**9, "TFIELDS = 1000000000 must be a whole number from 0 to 999"),
        ("TFIELDS", 999, "TFORM4 must be there for each of TFIELDS = 999"),
        ("NAXIS2", 10**12, "promises .* bytes of data"),
        ("NAXIS1", "'K'", "NAXIS1 = K must be a whole number"),
        ("BITPIX", "'X'", "BITPIX = X must be a whole number"),
        ("PCOUNT", 10**15, "promises .* bytes of data"),
        ("TFORM1", "'99999999D'", "NAXIS1 = 24 bytes, its columns"),
    ],
)
def test_sizes_are_compared_with_the_file(folder, key, value, match):
    raw = bytearray(WHOLE)
    at = raw.rfind(key.ljust(8).encode() + b"=")
    raw[at : at + 80] = f"{key:8}= {value:>20}".ljust(80).encode()
    path = folder / "size.fits"
    path.write_bytes(raw)
    refused(path, match)


@pytest.mark.parametrize("card", ["UNITFREQ", "FREQUNIT", "FREQ_UNI"])
def test_a_card_for_the_unit_of_the_frequency(folder, card):
    path = folder / "unit.fits"
    hdus = fits.HDUList([fits.PrimaryHDU(), table(FREQ=1420, **{card: "MHz"})])
    hdus.writeto(path, overwrite=True)
    assert load_map(path).frequency == 1.42


def test_a_bare_frequency_that_looks_like_megahertz(folder, caplog):
    path = folder / "bare.fits"
    fits.HDUList([fits.PrimaryHDU(), table(FREQ=408)]).writeto(path, overwrite=True)
    assert load_map(path).frequency == 408.0
    assert "FREQ = 408 has no unit: taken as GHz, not as MHz" in caplog.text
    for words, options in {
        "frame must be one of": {"frame": "G"},
        "table must be a number or a name": {"table": True},
    }.items():
        with pytest.raises((TypeError, ValueError), match=words):
            load_map(path, **options)
