"""Surveys as TOML files, and those that come with the package."""

import os
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..io._atomic import check_ending, check_target, together
from ..io._toml import toml_string as quote
from ._bandpass import Bandpass
from ._beams import AbstractBeam, Beams, GaussianBeam, WindowFunction
from ._survey import NODES, Survey
from ._survey_noise import (
    AbstractSurveyNoise,
    CorrelatedNoise,
    HitNoise,
    VarianceNoise,
    WhiteNoise,
)

KEYS = (
    "name", "frequency", "band", "channels", "beam", "stokes", "unit", "noise", "offset", "mask",
    "nodes",
)  # fmt: skip
BAND = ("low", "high", "file", "channel", "frequency", "weight", "measure")
BEAM = ("fwhm", "window", "polarised", "parts")
NOISE = ("depth", "polarised", "sigma", "hits", "variance", "knee", "slope", "least")


def presets() -> tuple[str, ...]:
    """Names of the surveys that come with the package."""
    folder = files("synax.instruments").joinpath("surveys")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def read_preset(name: str) -> Survey:
    """A survey of this package by its name."""
    if name not in presets():
        raise ValueError(f"preset must be one of {', '.join(presets())}, got '{name}'")
    text = files("synax.instruments").joinpath("surveys", f"{name}.toml").read_text("utf-8")
    return as_survey(tomllib.loads(text), f"preset '{name}'", Path())


def read_survey(path: str | os.PathLike) -> Survey:
    """The survey of a TOML file."""
    table, where = read_table(path)
    if "channels" in table:
        raise ValueError(f"{where} describes channels: read it with ChannelSurvey.read")
    return as_survey(table, where, Path(path).parent)


def read_table(path: str | os.PathLike) -> tuple[dict[str, Any], str]:
    """A TOML file as nested data, and how a message calls it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is not valid TOML: {error}") from None
    return table, f"'{path}'"


def as_survey(table: dict[str, Any], where: str, folder: Path) -> Survey:
    known(table, KEYS, where)
    if "name" not in table:
        raise ValueError(f"{where} has no name")
    if ("frequency" in table) == ("band" in table):
        raise ValueError(f"{where} must have frequency or [band], one of the two")
    try:
        if "band" in table:
            frequency = _band(sub_table(table, "band", BAND, where), folder)
        else:
            frequency = number(table["frequency"], "GHz", "frequency")
        beam = _beam(sub_table(table, "beam", BEAM, where), folder) if "beam" in table else None
        noise = (
            _noise(sub_table(table, "noise", NOISE, where), folder) if "noise" in table else None
        )
        mask = None
        if "mask" in table:
            mask = _map(table["mask"], folder, "mask").reshape(-1) > 0
        return Survey(
            table["name"],
            frequency,
            beam,
            stokes=tuple(table.get("stokes", ("I", "Q", "U"))),
            unit=table.get("unit", "K_RJ"),
            noise=noise,
            offset=table.get("offset", 0.0),
            mask=mask,
            nodes=table.get("nodes", NODES),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


def known(table: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in allowed]
    if unknown:
        raise ValueError(f"{where} has the unknown key '{unknown[0]}'; known: {', '.join(allowed)}")


def sub_table(
    table: dict[str, Any], key: str, allowed: tuple[str, ...], where: str
) -> dict[str, Any]:
    part = table[key]
    if not isinstance(part, dict):
        raise ValueError(f"{where}: {key} must be a table, [{key}]")
    known(part, allowed, f"{where} [{key}]")
    return part


def number(value: Any, unit: str, key: str) -> float:
    if isinstance(value, str):
        import astropy.units as u

        try:
            return float(u.Quantity(value).to_value(unit))
        except (TypeError, ValueError):
            raise ValueError(
                f"{key} must be a number in {unit} or one with a unit, got '{value}'"
            ) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} must be a number in {unit}, got {value!r}")
    return float(value)


def _band(part: dict[str, Any], folder: Path) -> Bandpass:
    if "file" in part:
        return Bandpass.read(folder / part["file"], part.get("channel"))
    if "low" in part or "high" in part:
        ends = [number(part.get(key), "GHz", f"band.{key}") for key in ("low", "high")]
        return Bandpass.top_hat(*ends)
    if "frequency" not in part or "weight" not in part:
        raise ValueError("[band] needs low and high, or file, or frequency and weight")
    return Bandpass(part["frequency"], part["weight"], tuple(part.get("measure", ())))


def _beam(part: dict[str, Any], folder: Path) -> AbstractBeam:
    if sum(key in part for key in ("fwhm", "window", "parts")) != 1:
        raise ValueError("[beam] needs one of fwhm, window, parts")
    if "parts" in part:
        parts = part["parts"]
        if (
            not isinstance(parts, list)
            or len(parts) < 2
            or not all(isinstance(one, dict) for one in parts)
        ):
            raise ValueError(
                "beam.parts must be two or more tables, such as [{ fwhm = 1.0 }, "
                f"{{ window = 'pixel.npz' }}], got {parts!r}"
            )
        for one in parts:
            known(one, BEAM, "beam.parts")
        return Beams(tuple(_beam(one, folder) for one in parts))
    if "fwhm" in part:
        return GaussianBeam(number(part["fwhm"], "deg", "beam.fwhm"))
    if str(part["window"]).endswith(".npz"):
        with np.load(folder / part["window"], allow_pickle=False) as archive:
            return WindowFunction(archive["bl"], archive.get("polarised"))
    return WindowFunction.read(folder / part["window"])


def _noise(part: dict[str, Any], folder: Path) -> AbstractSurveyNoise:
    kinds = [key for key in ("depth", "hits", "variance") if key in part]
    if len(kinds) != 1:
        raise ValueError("[noise] needs one of depth, hits (with sigma), variance")
    polarised = part.get("polarised")
    if kinds == ["hits"]:
        if "sigma" not in part:
            raise ValueError("[noise] with hits needs sigma, the noise of one observation")
        return HitNoise(part["sigma"], _map(part["hits"], folder, "hits"), polarised)
    if kinds == ["variance"]:
        return VarianceNoise(_map(part["variance"], folder, "variance"))
    white = WhiteNoise(part["depth"], polarised)
    if "knee" not in part:
        return white
    return CorrelatedNoise(white, part["knee"], part.get("slope", -1.5), part.get("least", 0.1))


def _map(name: Any, folder: Path, key: str) -> np.ndarray:
    """A map of the whole sky in RING, from an npz file (array 'map') or a HEALPix FITS file."""
    if not isinstance(name, str) or not (folder / name).is_file():
        raise ValueError(f"{key} must name a file with a map, got {name!r}")
    if name.endswith(".npz"):
        with np.load(folder / name, allow_pickle=False) as archive:
            return np.asarray(archive["map"], float)
    import healpy

    return np.asarray(healpy.read_map(folder / name, dtype=float), float)


def save_survey(survey: Survey, path: str | os.PathLike, *, overwrite: bool) -> None:
    """Write the TOML file, and beside it the arrays that do not belong into one."""
    path = Path(path)
    check_ending(path, "a survey", "TOML", (".toml",))
    arrays: dict[str, dict[str, np.ndarray]] = {}
    text = "\n".join(_lines(survey, path.stem, arrays)) + "\n"
    for name in (path.name, *arrays):  # before any of them is written
        check_target(path.parent / name, overwrite)
    with together(path.parent, overwrite) as stage:
        for name, content in arrays.items():
            with stage(name) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **content)
        with stage(path.name) as temporary:
            temporary.write_text(text, "utf-8")


def _lines(survey: Survey, stem: str, arrays: dict[str, dict[str, np.ndarray]]) -> Iterator[str]:
    row = lambda values: "[" + ", ".join(repr(float(v)) for v in values) + "]"

    def beside(key: str, **content: Any) -> str:
        name = f"{stem}-{key}.npz"
        arrays[name] = {k: np.asarray(v) for k, v in content.items() if v is not None}
        return quote(name)

    def of(beam: AbstractBeam, place: str) -> str:
        if isinstance(beam, GaussianBeam):
            return f"fwhm = {float(beam.fwhm)!r}"  # degrees
        if isinstance(beam, WindowFunction):
            window = beside(f"window{place}", bl=beam.bl, polarised=beam.polarised)
            return f"window = {window}"
        if isinstance(beam, Beams):
            parts = enumerate(beam.parts, start=1)
            listed = ", ".join(f"{{ {of(one, f'{place}-{k}')} }}" for k, one in parts)
            return f"parts = [{listed}]"
        raise ValueError(f"a beam of type {type(beam).__name__} cannot be written; give its window")

    yield f"name = {quote(survey.name)}"
    yield "stokes = [" + ", ".join(quote(s) for s in survey.stokes) + "]"
    yield f"unit = {quote(survey.unit)}"
    yield f"offset = {float(survey.offset)!r}"
    yield f"nodes = {survey.nodes}"
    if survey.mask is not None:
        yield f"mask = {beside('mask', map=survey.mask.astype(np.uint8))}"
    band, beam, noise = survey.band, survey.beam, survey.noise
    yield f"\n[band]\nfrequency = {row(band.frequency)}\nweight = {row(band.weight)}"
    yield f"measure = {row(band.measure)}"
    if beam is not None:
        yield f"\n[beam]  # fwhm in degrees\n{of(beam, '')}"
    if noise is None:
        return
    yield "\n[noise]"
    white = noise.white if isinstance(noise, CorrelatedNoise) else noise
    if isinstance(noise, CorrelatedNoise):
        yield f"knee = {float(noise.knee)!r}\nslope = {float(noise.slope)!r}"
        yield f"least = {float(noise.least)!r}"
    if isinstance(white, WhiteNoise):
        yield f"depth = {float(white.depth)!r}"
    elif isinstance(white, HitNoise):
        yield f"sigma = {float(white.sigma_0)!r}\nhits = {beside('hits', map=white.hits)}"
    elif isinstance(white, VarianceNoise):
        yield f"variance = {beside('variance', map=white.variance)}"
    else:
        raise ValueError(f"noise of type {type(white).__name__} cannot be written")
    polarised = getattr(white, "polarised", None)
    if polarised is not None:
        yield f"polarised = {float(polarised)!r}"
