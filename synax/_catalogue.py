"""The catalogue of models, made from the code: paper, Sun, parameters, units and defaults.

Used by the command line and by the documentation; a new model appears in both by itself.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, NamedTuple, get_args

import equinox as eqx
import jax
import numpy as np

from . import cosmic_rays, electrons, magnetic
from ._parameters import ModelInfo
from .fields._domain import AbstractDomain
from .fields._field import AbstractField

GROUPS: tuple[tuple[str, ModuleType, str], ...] = (
    ("magnetic", magnetic, "magnetic field, microgauss"),
    ("electrons", electrons, "thermal-electron density, cm^-3"),
    ("cosmic_rays", cosmic_rays, "cosmic-ray electrons, cm^-3"),
)
"""The three kinds of model: name, module, what they give."""


class ParameterEntry(NamedTuple):
    """One argument of a model's constructor."""

    name: str
    unit: str
    default: Any
    """Number, nested list, string or None; '(required)' where there is none."""
    text: str
    kind: str
    """'number' (a leaf), 'switch' (static), 'field', 'domain', 'part' or 'key'."""
    dims: str = ""
    """Names of the axes of an array ('n_arms'), where they have any."""


class ModelEntry(NamedTuple):
    """One model of the catalogue."""

    group: str
    name: str
    cls: type
    info: ModelInfo
    summary: str
    parameters: tuple[ParameterEntry, ...]
    variants: tuple[str, ...]
    """Names of other versions: class methods (`JF12.hammurabi`) and those of `info.variants`."""
    make: Callable[..., AbstractField]
    """The constructor: the class itself, or a function such as `JF12b`."""

    def variant(self, name: str) -> Callable[..., AbstractField]:
        """The constructor of a version by its name."""
        if name in self.info.variants:
            return functools.partial(self.make, **self.info.variants[name])
        return getattr(self.cls, name)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "group": self.group,
            "name": self.name,
            "summary": self.summary,
            "paper": self.info.paper,
            "sun_kpc": None if self.info.sun is None else list(self.info.sun),
            "notes": self.info.notes,
            "variants": list(self.variants),
            "parameters": [p._asdict() for p in self.parameters],
        }


REQUIRED = "(required)"


def models(group: str | None = None, names: Collection[str] | None = None) -> list[ModelEntry]:
    """All models, or those of one group ('magnetic', 'electrons', 'cosmic_rays').

    With `names` only the models called so: each is built to find its defaults, which takes time.
    """
    entries = []
    for name, module, _ in GROUPS:
        if group not in (None, name):
            continue
        for public, make in sorted(vars(module).items()):
            info = getattr(make, "info", None)
            wanted = names is None or public in names
            if isinstance(info, ModelInfo) and wanted and not public.startswith("_"):
                entries.append(_entry(name, public, make, info))
    return entries


def _entry(group: str, name: str, make: Any, info: ModelInfo) -> ModelEntry:
    doc = inspect.getdoc(make) or ""
    summary = doc.split("\n\n")[0].replace("\n", " ")
    if isinstance(make, type):
        named = (*variants(make), *info.variants)
        return ModelEntry(group, name, make, info, summary, constructor(make), named, make)
    built = make()
    found = constructor(type(built), built)
    return ModelEntry(group, name, type(built), info, summary, found, (), make)


def variants(cls: type) -> tuple[str, ...]:
    """Names of the class methods of a model's own class that build it."""
    own = {k for base in cls.__mro__ if hasattr(base, "info") for k in vars(base)}
    found = [k for k in own if isinstance(inspect.getattr_static(cls, k), classmethod)]
    return tuple(sorted(k for k in found if not k.startswith("_")))


def constructor(cls: type, built: Any = None) -> tuple[ParameterEntry, ...]:
    """What the constructor of a field class takes, with units and defaults (those of `built`)."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    arguments = inspect.signature(cls).parameters
    built = _try_build(cls) if built is None else built
    entries = []
    for name, argument in arguments.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            continue
        field = fields.get(name)
        metadata = {} if field is None else field.metadata
        default = argument.default
        if default is inspect.Parameter.empty:
            default = REQUIRED
        elif built is not None and field is not None:
            default = getattr(built, name)
        kind = _kind(name, field, argument.annotation)
        unit, text = metadata.get("unit", ""), metadata.get("text", "") or _TEXTS.get(kind, "")
        dims = getattr(argument.annotation, "dim_str", "") if kind == "number" else ""
        entries.append(ParameterEntry(name, unit, plain(default), text, kind, dims))
    return tuple(entries)


_TEXTS = {
    "switch": "switch of the model",
    "field": "another field",
    "domain": "a box",
    "part": "a part of the model with parameters of its own",
    "key": "random key",
}


def _kind(name: str, field: Any, annotation: Any) -> str:
    if name == "key":
        return "key"
    types = [annotation, *get_args(annotation)]
    for kind, base in (("domain", AbstractDomain), ("field", AbstractField), ("part", eqx.Module)):
        if any(isinstance(t, type) and issubclass(t, base) for t in types):
            return kind
    return "switch" if field is None or field.metadata.get("static", False) else "number"


def _try_build(cls: type) -> Any:
    needed = [
        p
        for p in inspect.signature(cls).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    return None if needed else cls()


def plain(value: Any) -> Any:
    """A value as JSON-ready data: arrays become numbers or lists, large ones their shape."""
    if isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
        return {"key": np.asarray(jax.random.key_data(value)).tolist()}
    if eqx.is_array(value) or isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.size > 64:
            return {"shape": list(array.shape), "dtype": str(array.dtype)}
        return array.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, eqx.Module):
        return describe(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def describe(module: eqx.Module) -> dict[str, Any]:
    """A built field, domain or rule as plain data: its class and every one of its values."""
    values = {f.name: plain(getattr(module, f.name)) for f in dataclasses.fields(module)}
    return {"class": type(module).__name__, **values}
