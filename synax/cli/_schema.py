"""Every key of every configuration: type, unit, range, default and what it means, in one place.

Checking, the printed defaults, the JSON schema for editors and the lists in messages are all made
from these tables.
"""

from typing import Any, NamedTuple

from ..maps._kinds import FRAMES
from ..maps._units import BARE_KELVIN, BRIGHTNESS_UNITS, spelled
from ..sightlines._sightlines import SUN
from ..sightlines._tables import TABLE_FRAMES
from . import _values as v
from ._background import Background
from ._channels import frequencies

PER_BEAM = "Jy/beam"
"""The unit of an image that a beam has made."""

GROUPS = ("magnetic", "electrons", "cosmic_rays")
MAPS = ("stokes", "RM", "DM", "EM", "tau")
"""Outputs that the march itself gives."""
OUTPUTS = (*MAPS, "faraday", "synthesis")
DISTRIBUTIONS = ("uniform", "normal", "lognormal", "loguniform")


class Key(NamedTuple):
    """One key of a table."""

    reader: Any
    doc: str
    default: Any = None
    """None: absent unless given."""
    example: Any = None
    """Shown, commented out, where there is no default."""


Section = dict[str, Key]

TOP: Section = {
    "frequency": Key(
        frequencies,
        'GHz, or "408 MHz"; or { low = 0.8, high = 1.1, channels = 64 }',
        [0.408, 2.4, 23.0],
    ),
    "outputs": Key(
        v.list_of(v.choice(*OUTPUTS), "output"),
        "any of stokes, RM, DM, EM, faraday, synthesis, and tau, where something absorbs",
        ["stokes", "RM", "DM"],
    ),
    "seed": Key(v.integer(0, 2**32 - 1), "for the random parts of models, and for noise", 0),
    "survey": Key(
        v.path,
        "a preset or a TOML file: simulate that survey's map in place of frequency",
        example="wmap-k",
    ),
}

GALAXIES = ("calibrated", "wmap", "jf12", "uf23")
DEFAULT_GALAXY = GALAXIES[0]
"""The sky of `synax simulate` and `synax compare` where no model is named."""
TOP["galaxy"] = Key(
    v.choice(*GALAXIES),
    f"a whole Galaxy in place of the models below: {', '.join(GALAXIES)}",
    example="calibrated",
)

MODELS = {"magnetic": "WMAP", "electrons": "YMW16", "cosmic_rays": "WMAP"}
"""The default model of each group, where another group's is named or a verb has no Galaxy."""

MODEL: Section = {
    "model": Key(v.text, "a model by name (see `synax models`)"),
    "class": Key(v.path, "or a class of your own: 'mymodels.py:Ring'"),
    "grid": Key(v.path, "or a grid's file: 'field.npz'"),
    "unit": Key(v.text, "unit of the grid, where its file says none"),
    "scale": Key(v.quantity(""), "factor"),
    "rotate": Key(v.vector(3, "rad"), "turned about the Centre by this rotation vector, rad"),
    "shift": Key(v.vector(3, "kpc"), "moved by this much, kpc"),
}
"""What stands beside the parameters of a model in its table."""

SIGHTLINES: Section = {
    "nside": Key(v.nside, "HEALPix resolution", 64),
    "ordering": Key(v.choice("RING", "NEST"), "RING or NEST", "RING"),
    "observer": Key(
        v.vector(3, "kpc"),
        "kpc; x from the Sun to the Galactic Centre; default: this place",
        example=list(SUN),
    ),
    "minimum_distance": Key(v.quantity("kpc", minimum=0.0), "kpc, where the rays start", 0.0),
    "pixels": Key(
        v.either(v.path, v.list_of(v.integer(0), "pixel")),
        "or a FITS mask: non-zero pixels are computed",
        example=[0, 1, 2],
    ),
}

DOMAIN: Section = {
    "shape": Key(v.choice("box", "sphere"), "box: half_lengths; sphere: radius", "box"),
    "half_lengths": Key(v.vector(3, "kpc", positive=True), "kpc", [20.0, 20.0, 5.0]),
    "radius": Key(v.quantity("kpc", positive=True), "kpc, of a sphere", example=20.0),
    "center": Key(v.vector(3, "kpc"), "kpc", [0.0, 0.0, 0.0]),
}

INTEGRATION: Section = {
    "steps": Key(
        v.integer(1, 1_000_000), "per ray; surfaces of the models add cells of their own", 256
    ),
    "spacing": Key(
        v.choice("uniform", "graded"), "graded: finer near the observer; or uniform", "graded"
    ),
    "scale": Key(
        v.quantity("kpc", positive=True), "kpc, of graded cells: beyond it they grow", example=0.1
    ),
    "quadrature": Key(
        v.choice("gauss", "midpoint"), "gauss (4th order) or midpoint (2nd)", "gauss"
    ),
    "faces": Key(v.boolean, "cell faces where models jump", True),
    "precision": Key(v.choice("float64", "float32"), "float64 or float32", "float64"),
}

SCATTERING = "scattering"
"""The filling factor that follows from the scattering of pulsars, as NE2001 has it."""

PHYSICS: Section = {
    "free_free": Key(
        v.either(v.choice("auto"), v.boolean),
        "free-free emission and absorption: true, false, or auto: below 0.3 GHz",
        "auto",
    ),
    "temperature": Key(v.quantity("K", positive=True), "K, of the thermal electrons", 8000.0),
    "filling_factor": Key(
        v.either(v.choice(SCATTERING), v.quantity("", positive=True, maximum=1.0)),
        f"volume fraction of their clumps, or {SCATTERING!r}: of NE2001's or NE2025's parts",
        1.0,
    ),
    "turbulence": Key(
        v.quantity("uG", minimum=0.0), "total rms of an unresolved random field", example=3.0
    ),
    "striation": Key(
        v.quantity("", minimum=0.0), "energy of its part along the regular field, relative", 0.0
    ),
    "correlation_length": Key(
        v.quantity("kpc", minimum=0.0), "kpc, of the random field; depolarises", 0.03
    ),
    "realisation": Key(
        v.boolean, "one random field, of number `seed`, in place of the mean over turbulence", False
    ),
    "self_absorption": Key(v.boolean, "synchrotron absorption and circular polarisation", False),
    "background": Key(
        Background(),
        "K (Rayleigh-Jeans) behind the Galaxy; or { model = 'PowerLawBackground' }, or a list",
        example=2.7,
    ),
}

FARADAY: Section = {
    "depths": Key(v.vector(2, "rad/m2"), "rad/m2, the first and the last", [-200.0, 200.0]),
    "step": Key(v.quantity("rad/m2", positive=True), "rad/m2, between them", 5.0),
    "frequency": Key(
        v.quantity("GHz", positive=True),
        "GHz, of the brightness of `faraday`; default: the highest",
        example=1.4,
    ),
    "clean": Key(
        v.quantity("", positive=True), "RM-CLEAN of `synthesis` down to this, in its unit",
        example=1e-3,
    ),
}  # fmt: skip

VIEW: Section = {
    "shape": Key(v.integers(2, 2), "pixels: rows, columns", [64, 64]),
    "extent": Key(v.vector(2, "kpc", positive=True), "kpc, width and height", [40.0, 40.0]),
    "inclination": Key(v.quantity("deg"), "degrees: 0 from above, 90 edge-on", 0.0),
    "position_angle": Key(
        v.quantity("deg"), "degrees, of the axis from north to east; disc: 90 more", 0.0
    ),
    "azimuth": Key(v.quantity("deg"), "degrees, of the side that faces the observer", 0.0),
    "center": Key(v.vector(3, "kpc"), "kpc, the point in the middle", [0.0, 0.0, 0.0]),
    "distance": Key(v.quantity("kpc", positive=True), "kpc, to the galaxy", 10000.0),
    "sky": Key(v.vector(2, "deg"), "degrees: right ascension, declination (ICRS)", [0.0, 0.0]),
    "beam": Key(v.quantity("arcsec", positive=True), "arcsec, width of a beam", example=15.0),
}

OUTPUT: Section = {
    "directory": Key(v.path, "where the files go", "synax-output"),
    "unit": Key(
        v.choice(*BRIGHTNESS_UNITS, PER_BEAM),
        "K_RJ, mK_RJ, uK_RJ, K_CMB, ..., Jy/sr, MJy/sr; of a view Jy/beam",
        "K_RJ",
    ),
    "convention": Key(v.choice("IAU", "COSMO"), "sign of U: COSMO (healpy's own) or IAU", "COSMO"),
    "overwrite": Key(v.boolean, "replace files that are there", False),
    "figure": Key(v.boolean, "sky.png beside the maps", True),
}

SIMULATION: dict[str, Section] = {
    "sightlines": SIGHTLINES,
    "domain": DOMAIN,
    "physics": PHYSICS,
    "integration": INTEGRATION,
    "output": OUTPUT,
}
"""The tables of `synax simulate`, beside the top level and the models."""

RANDOM_FIELD: Section = {
    "group": Key(v.choice("magnetic", "electrons"), "what it is added to", "magnetic"),
    "kind": Key(v.choice("solenoidal", "gaussian"), "solenoidal: without divergence", "solenoidal"),
    "shape": Key(v.integers(3, 2), "nodes along x, y, z", example=[48, 48, 12]),
    "half_lengths": Key(v.vector(3, "kpc", positive=True), "kpc", [20.0, 20.0, 5.0]),
    "spectrum": Key(v.choice("matern", "power-law"), "matern or power-law", "matern"),
    "rms": Key(v.quantity("", positive=True), "of all components, in microgauss or cm-3", 1.0),
    "length": Key(v.vector(3, "kpc", positive=True), "kpc, correlation lengths", [4.0, 4.0, 1.0]),
    "slope": Key(v.quantity("", positive=True), "of a power-law spectrum", 11.0 / 3.0),
    "replace": Key(v.boolean, "in place of the model, not added to it", False),
    "amplitude": Key(v.quantity("", minimum=0.0), "of the modes at the start", 0.1),
}

FIT: Section = {
    "optimizer": Key(
        v.choice("gauss-newton", "adam", "lbfgs"), "gauss-newton, adam or lbfgs", "gauss-newton"
    ),
    "rate": Key(v.quantity("", positive=True), "step size of adam", 0.02),
    "steps": Key(v.integer(1, 10**9), "at most so many", 200),
    "tolerance": Key(v.quantity("", positive=True), "end when the loss falls by less", 1e-6),
    "patience": Key(v.integer(1, 10**9), "steps without a better validation before the end", 5),
    "restarts": Key(v.integer(0, 10_000), "searches for the maximum, from draws of the prior", 8),
}

SAMPLE: Section = {
    "method": Key(v.choice("hmc", "nuts", "mclmc", "rwmh"), "hmc, nuts, mclmc or rwmh", "hmc"),
    "chains": Key(v.integer(1, 100_000), "independent chains", 4),
    "warmup": Key(v.integer(0, 10**9), "steps of each chain that are not kept", 100),
    "draws": Key(v.integer(4, 10**9), "draws of each chain", 500),
    "chunk": Key(v.integer(1, 10**9), "steps between two checkpoints", 25),
    "whiten": Key(
        v.choice("fisher", "pathfinder", "prior"),
        "what the steps are scaled with: fisher, pathfinder, prior",
        "fisher",
    ),
    "restarts": Key(v.integer(0, 10_000), "searches for the maximum, from draws of the prior", 8),
}

RUN: Section = {
    "directory": Key(v.path, "folder of the run", "synax-run"),
    "every_minutes": Key(v.quantity("", minimum=0.0), "minutes between checkpoints, at least", 0.0),
}

INFERENCE: dict[str, Section] = {
    "random_field": RANDOM_FIELD,
    "fit": FIT,
    "sample": SAMPLE,
    "run": RUN,
}
"""The further tables of `synax fit` and `synax sample`."""

OPTIONAL = ("random_field", "view")
"""Tables that are absent unless given."""

DATA: Section = {
    "name": Key(v.text, "letters, digits and _; its gain is 'likelihood.NAME.gain'", example="sky"),
    "kind": Key(v.choice("stokes", "RM", "DM"), "stokes, RM or DM", "stokes"),
    "file": Key(v.path, "npz or FITS; without a file: mock data of the model", example="sky.npz"),
    "columns": Key(
        v.table_of(v.text, "{ I = 'T' }"), "names of the arrays in a npz file", example={"I": "T"}
    ),
    "unit": Key(
        v.choice(*BRIGHTNESS_UNITS, *BARE_KELVIN, "rad/m2", "pc/cm3", spelled=spelled),
        "of the file, if it says none (K: Rayleigh-Jeans)",
        example="K",
    ),
    "table": Key(v.either(v.text, v.integer(0)), "extension of a FITS file", example=1),
    "ordering": Key(v.choice("RING", "NEST"), "of the file, if it says none", example="RING"),
    "frame": Key(v.choice(*FRAMES), "of the file, if it says none", example="galactic"),
    "convention": Key(v.choice("IAU", "COSMO"), "sign of U, if the file says none", example="IAU"),
    "frequency": Key(v.quantity("GHz", positive=True), "GHz, of Stokes parameters", example=2.4),
    "stokes": Key(
        v.list_of(v.choice("I", "Q", "U", "V"), "Stokes parameter"),
        "which ones; V needs physics.self_absorption",
        example=["Q", "U"],
    ),
    "sigma": Key(v.quantity("", positive=True), "the noise: K, rad/m2, pc/cm3", example=5e-4),
    "relative_sigma": Key(
        v.quantity("", minimum=0.0), "further noise, as a fraction of the data", example=0.05
    ),
    "excess": Key(v.quantity("", positive=True), "what the model misses, at first", example=1e-3),
    "held_out": Key(
        v.quantity("", minimum=0.0, below=1.0), "fraction of the pixels set aside", 0.0
    ),
}

CATALOGUE: Section = {
    "columns": Key(
        v.table_of(v.text, "{ lon = 'RAJ' }"),
        "which column is what: lon, lat, distance, dm",
        example={"lon": "RAJ", "lat": "DECJ"},
    ),
    "frame": Key(
        v.choice(*TABLE_FRAMES),
        "of the angles: galactic, icrs, fk5 (J2000), fk4 (B1950), ...; default: as columns say",
        example="icrs",
    ),
    "distance": Key(
        v.either(v.text, v.quantity("kpc", positive=True)),
        "of rm and dm: a column, or kpc; default: a column 'distance', else all of the domain",
        example="Dist",
    ),
    "dm": Key(
        v.either(v.text, v.quantity("pc cm-3", minimum=0.0)),
        "of distance: a column, or pc cm-3; default: a column 'dm'",
        example="DM",
    ),
    "result": Key(v.text, "name of the new column", example="rm_model"),
}

_SPHERE: Section = {
    "shape": DOMAIN["shape"]._replace(default="sphere"),
    "radius": DOMAIN["radius"]._replace(default=30.0),
    "half_lengths": DOMAIN["half_lengths"]._replace(default=None, example=[20.0, 20.0, 5.0]),
    "center": DOMAIN["center"],
}
"""The domain of sources: as large as `synax.catalogues` has it."""

_LINES: Section = {
    **SIGHTLINES,
    "observer": SIGHTLINES["observer"]._replace(
        doc="kpc; default: the own Sun of the electrons' model, if it has one"
    ),
}

OF_SOURCES = ("rm", "dm", "distance")
"""Verbs that read a table of sources."""

WITH_DATA = ("fit", "sample")
"""Verbs that read data and priors."""

OWN_SUN = (*OF_SOURCES, "compare")
"""Verbs that look from the own Sun of the electrons' model at sources, where not told otherwise."""

VERBS = {
    "simulate": {**SIMULATION, "faraday": FARADAY, "view": VIEW},
    "fit": {**SIMULATION, **INFERENCE},
}
VERBS["sample"] = VERBS["fit"]
VERBS["compare"] = VERBS["simulate"]
VERBS |= {
    verb: {"catalogue": CATALOGUE, **SIMULATION, "sightlines": _LINES, "domain": _SPHERE}
    for verb in OF_SOURCES
}
"""Tables by verb."""

_PIXELS = ("nside", "ordering", "pixels", "minimum_distance")
_MAPS = ("frequency", "outputs", "physics", "output", "cosmic_rays", *_PIXELS)
_CELLS = ("magnetic", "spacing", "scale", "quadrature", "faces")
UNUSED = {
    "rm": (*_MAPS, "dm"),
    "dm": (*_MAPS, *_CELLS, "dm"),
    "distance": (*_MAPS, *_CELLS, "distance"),
}
"""Tables and keys that a verb takes and leaves alone: one file serves `synax simulate` too."""

LISTS = ("data", "priors", "start")
"""Of `synax fit` and `synax sample`: tables with names of the user's."""


def top_level(verb: str) -> tuple[str, ...]:
    """All names that may stand at the top level of a verb's configuration."""
    more = LISTS if verb in WITH_DATA else ()
    return (*top(verb), *GROUPS, *VERBS[verb], *more)


def top(verb: str) -> Section:
    """The keys outside of tables: only a simulation has a survey, and a Galaxy by itself."""
    if verb not in ("simulate", "compare"):
        return {name: key for name, key in TOP.items() if name != "survey"}
    return {**TOP, "galaxy": TOP["galaxy"]._replace(default=DEFAULT_GALAXY)}


def defaults(section: Section) -> dict[str, Any]:
    """The values of a table when nothing is said."""
    return {name: key.default for name, key in section.items() if key.default is not None}
