"""The configuration of a simulation: embedded default, TOML file, --set and flags, checked.

Everything is known to be usable before anything is computed; the first thing that is not ends
the program with one sentence that names the key, the value and what is allowed.
"""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ..maps._units import BRIGHTNESS_UNITS
from . import _values as v
from ._console import BadInput, suggestion

GROUPS = ("magnetic", "electrons", "cosmic_rays")
OUTPUTS = ("stokes", "RM", "DM", "EM")


def _pixels(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return v.text(key, value)
    return v.list_of(v.integer(0), "pixel")(key, value)


SCHEMA: dict[str, Any] = {
    "frequency": v.list_of(v.quantity("GHz", positive=True), "frequency"),
    "outputs": v.list_of(v.choice(*OUTPUTS), "output"),
    "seed": v.integer(0, 2**32 - 1),
    "sightlines": {
        "nside": v.nside,
        "ordering": v.choice("RING", "NEST"),
        "observer": v.vector(3, "kpc"),
        "minimum_distance": v.quantity("kpc", minimum=0.0),
        "pixels": _pixels,
    },
    "domain": {
        "shape": v.choice("box", "sphere"),
        "half_lengths": v.vector(3, "kpc", positive=True),
        "radius": v.quantity("kpc", positive=True),
        "center": v.vector(3, "kpc"),
    },
    "integration": {
        "steps": v.integer(1, 1_000_000),
        "spacing": v.choice("uniform", "graded"),
        "scale": v.quantity("kpc", positive=True),
        "quadrature": v.choice("gauss", "midpoint"),
        "faces": v.boolean,
        "precision": v.choice("float64", "float32"),
    },
    "output": {
        "directory": v.text,
        "unit": v.choice(*BRIGHTNESS_UNITS),
        "convention": v.choice("IAU", "COSMO"),
        "overwrite": v.boolean,
        "figure": v.boolean,
    },
}


class Override(NamedTuple):
    """One change from the command line: the flag it came from, dotted path, value."""

    flag: str
    path: str
    value: Any


def default_text() -> str:
    """The embedded default configuration, a commented TOML text."""
    return files("synax.cli").joinpath("default.toml").read_text(encoding="utf-8")


def load(path: Path | None, overrides: list[Override]) -> dict[str, Any]:
    """The complete, checked configuration as plain nested data (models are built elsewhere)."""
    tree = tomllib.loads(default_text())
    if path is not None:
        _merge(tree, _read(path), "")
    for override in overrides:
        _assign(tree, override)
    return _check(tree)


def _read(path: Path) -> dict[str, Any]:
    try:
        user = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"configuration file '{path}' does not exist") from None
    except OSError as error:
        raise BadInput(f"configuration file '{path}': {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"configuration file '{path}' is not valid TOML: {error}") from None
    _anchor(user, path.parent)
    return user


def _anchor(user: dict[str, Any], folder: Path) -> None:
    """Make file names in a configuration file relative to that file."""
    for group in GROUPS:
        parts = user.get(group, [])
        for part in parts if isinstance(parts, list) else [parts]:
            for key in ("class", "grid"):
                if isinstance(part, dict) and isinstance(part.get(key), str):
                    part[key] = str(folder / part[key])
    lines = user.get("sightlines")
    if isinstance(lines, dict) and isinstance(lines.get("pixels"), str):
        lines["pixels"] = str(folder / lines["pixels"])


def _known(key: str, allowed: Any, where: str) -> None:
    if key not in allowed:
        place = f"in [{where}]" if where else "at the top level"
        choices = ", ".join(allowed)
        hint = suggestion(key, allowed)
        raise BadInput(f"unknown key '{key}' {place}: known are {choices}{hint}")


def _merge(tree: dict[str, Any], user: dict[str, Any], where: str) -> None:
    schema = SCHEMA if not where else SCHEMA[where]
    for key, value in user.items():
        _known(key, schema if where else (*schema, *GROUPS), where)
        if not where and key in GROUPS:
            replaces = not isinstance(value, dict) or any(s in value for s in v.SOURCES)
            tree[key] = value if replaces else {**tree[key], **value}
        elif not where and isinstance(schema[key], dict):
            if not isinstance(value, dict):
                raise BadInput(f"{key} = {value!r}: must be a table, [{key}]")
            if key == "domain" and _other_shape(tree["domain"], value):
                tree["domain"] = {}
            _merge(tree[key], value, key)
        else:
            tree[key] = value


def _assign(tree: dict[str, Any], override: Override) -> None:
    *parents, last = override.path.split(".")
    node: Any = tree
    if parents or last not in GROUPS:
        _known(override.path.split(".")[0], (*SCHEMA, *GROUPS), "")
    for depth, name in enumerate(parents):
        here = ".".join(parents[: depth + 1])
        if isinstance(node, list):
            if not name.isdigit() or int(name) >= len(node):
                raise BadInput(
                    f"{override.flag} {override.path}: '{here}' must be a number from 0 to "
                    f"{len(node) - 1}"
                )
            node = node[int(name)]
        else:
            node = node.setdefault(name, {})
        if not isinstance(node, dict | list if parents[0] in GROUPS else dict):
            raise BadInput(f"{override.flag} {override.path}: '{here}' holds no further keys")
    if isinstance(node, list):
        raise BadInput(
            f"{override.flag} {override.path}: '{'.'.join(parents)}' is a sum of {len(node)} "
            f"models; say which, as in {'.'.join(parents)}.0.{last}"
        )
    if node is tree.get("domain") and _other_shape(node, {last: override.value}):
        node.clear()
    if last in v.SOURCES and parents and parents[0] in GROUPS:
        for source in v.SOURCES:
            node.pop(source, None)
    node[last] = override.value


def _other_shape(domain: dict[str, Any], changes: dict[str, Any]) -> bool:
    """Whether the changes speak of another shape, so that the old lengths mean nothing."""
    named = "sphere" if "radius" in changes else "box" if "half_lengths" in changes else None
    wanted = changes.get("shape", named)
    return wanted is not None and wanted != domain.get("shape", wanted)


def parse_set(text: str) -> Override:
    """'magnetic.b0=3.0' -> an override; the value is TOML, or a bare string."""
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path or not all(path.split(".")):
        raise BadInput(f"--set {text!r}: must be KEY=VALUE, such as magnetic.b0=3.0")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return Override("--set", path, parsed)


def _check(tree: dict[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in tree.items():
        if key in GROUPS:
            checked[key] = _models(key, value)
        elif isinstance(SCHEMA[key], dict):
            checked[key] = {}
            for name, item in value.items():
                _known(name, SCHEMA[key], key)
                checked[key][name] = SCHEMA[key][name](f"{key}.{name}", item)
        else:
            checked[key] = SCHEMA[key](key, value)
    _check_domain(checked["domain"])
    lines = checked["sightlines"]
    v.check_nested("sightlines.nside", lines["nside"], lines["ordering"])
    if "scale" in checked["integration"] and checked["integration"]["spacing"] != "graded":
        raise BadInput("integration.scale has a meaning only with integration.spacing = 'graded'")
    return checked


def _check_domain(domain: dict[str, Any]) -> None:
    domain.setdefault("shape", "sphere" if "radius" in domain else "box")
    domain.setdefault("center", [0.0, 0.0, 0.0])
    needed = "radius" if domain["shape"] == "sphere" else "half_lengths"
    other = "half_lengths" if needed == "radius" else "radius"
    if needed not in domain:
        raise BadInput(f"domain.{needed} is missing: a {domain['shape']} needs it, in kpc")
    if other in domain:
        raise BadInput(f"domain.{other} = {domain[other]!r}: a {domain['shape']} has no {other}")


def _models(group: str, value: Any) -> list[dict[str, Any]]:
    parts = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise BadInput(f"{group} = {value!r}: must be a table [{group}] or several [[{group}]]")
    for k, part in enumerate(parts):
        name = group if len(parts) == 1 else f"{group}.{k}"
        sources = [s for s in v.SOURCES if s in part]
        if len(sources) != 1:
            given = "none" if not sources else " and ".join(sources)
            raise BadInput(f"[{name}] must have exactly one of model, class, grid; it has {given}")
        v.text(f"{name}.{sources[0]}", part[sources[0]])
    return parts
