"""The configuration: defaults, TOML file, --set and flags, checked against the schema.

Everything is known to be usable before anything is computed; the first thing that is not ends
the program with one sentence that names the key, the value and what is allowed.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ..io._text import read_text
from . import _schema, _values as v
from ._console import BadInput, suggestion
from ._print import printed_config, schema_text
from ._schema import GROUPS, OUTPUTS as OUTPUTS

Tree = dict[str, Any]


def printed(verb: str, config: bool, schema: bool) -> bool:
    """Print what these options ask for; whether they asked for anything."""
    if config:
        typer.echo(printed_config(verb), nl=False)
    elif schema:
        typer.echo(schema_text(verb), nl=False)
    return config or schema


class Override(NamedTuple):
    """One change from the command line: the flag it came from, dotted path, value."""

    flag: str
    path: str
    value: Any


def default_text(verb: str = "simulate") -> str:
    """The default configuration of a verb, a commented TOML text."""
    return printed_config(verb)


def load(path: Path | None, overrides: list[Override], verb: str = "simulate") -> Tree:
    """The complete, checked configuration as plain nested data (models are built elsewhere)."""
    tree = complete(verb, {} if path is None else read(path), overrides)
    with named(overrides):
        return checked(verb, tree)


def complete(verb: str, user: Tree, overrides: Sequence[Override]) -> Tree:
    """The defaults of a verb with a file's and the command line's changes; not checked yet."""
    tree: Tree = {**_schema.defaults(_schema.top(verb))}
    paths = [*user, *(override.path.partition(".")[0] for override in overrides)]
    given = [group for group in GROUPS if group in paths]
    if given and "galaxy" not in paths:
        tree.pop("galaxy", None)
    tree |= {group: {"model": model} for group, model in _schema.MODELS.items()}
    for name, section in _schema.VERBS[verb].items():
        if name not in _schema.OPTIONAL:
            tree[name] = _schema.defaults(section)
    _merge(verb, tree, user)
    with named(overrides):
        for override in overrides:
            _assign(verb, tree, override)
    if "view" in tree:
        for other in ("sightlines", "survey"):
            if other in paths:
                flags = {o.flag for o in overrides if o.path.partition(".")[0] == other}
                which = ", ".join(sorted(flags - {"--set"})) or other
                raise BadInput(
                    f"[view] has sightlines of its own, parallel ones; leave out {which} or [view]"
                )
        tree["view"] = _schema.defaults(_schema.VIEW) | tree["view"]
    if "galaxy" in tree:
        if given:
            raise BadInput(
                f"galaxy = {v.shown(tree['galaxy'])}: has its own fields; leave out [{given[0]}] "
                "or galaxy"
            )
        for group in GROUPS:
            del tree[group]
    return tree


@contextmanager
def named(overrides: Sequence[Override]) -> Iterator[None]:
    """Put the flag that gave a value before a message about that value."""
    try:
        yield
    except BadInput as error:
        message = str(error)
        for override in overrides:
            about = rf"(unknown parameter |\[)?{re.escape(override.path)}(?![\w])"
            if override.flag != "--set" and re.match(about, message):
                raise BadInput(f"{override.flag}: {message}") from None
        raise


def read(path: Path) -> Tree:
    """A TOML file as nested data, the file names in it made relative to it."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise BadInput(f"configuration file '{path}' does not exist") from None
    except OSError as error:
        raise BadInput(f"configuration file '{path}': {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"configuration file '{path}' is not valid TOML: {error}") from None
    except ValueError as error:
        raise BadInput(f"configuration file: {error}") from None
    try:
        user = tomllib.loads(text)
    except RecursionError:
        raise BadInput(f"configuration file '{path}': too many brackets in each other") from None
    except ValueError as error:  # also of TOML, of UTF-8 and of whole numbers too long to read
        raise BadInput(f"configuration file '{path}' is not valid TOML: {error}") from None
    _anchor(user, path.parent)
    return user


def _anchor(user: Tree, folder: Path) -> None:
    """Make file names in a configuration file relative to that file."""
    for group in GROUPS:
        parts = user.get(group, [])
        for part in parts if isinstance(parts, list) else [parts]:
            for key in ("class", "grid"):
                _anchor_one(part, key, folder)
    if str(user.get("survey", "")).endswith(".toml"):
        _anchor_one(user, "survey", folder)
    _anchor_one(user.get("sightlines"), "pixels", folder)
    data = user.get("data")
    for part in data if isinstance(data, list) else [data]:
        _anchor_one(part, "file", folder)


def _anchor_one(table: Any, key: str, folder: Path) -> None:
    if isinstance(table, dict) and isinstance(table.get(key), str) and table[key].strip():
        table[key] = str(folder / v.from_home(key, table[key]))


def unknown(key: str, allowed: Sequence[str], where: str) -> None:
    """Raise `BadInput` for a key that is not there, with those that are."""
    if key in allowed:
        return
    place = f"in [{where}]" if where else "at the top level"
    further = ""
    if not where and key in (*_schema.LISTS, *_schema.INFERENCE):
        further = f"; '{key}' is for synax fit and synax sample"
    elif where and key in _schema.TOP:
        further = f"; '{key}' stands outside of tables: write it before the first one"
    elif not where and key == "catalogue":
        further = "; 'catalogue' is for synax rm, synax dm and synax distance"
    elif not where and key == "survey":
        further = "; 'survey' is for synax simulate"
    raise BadInput(
        f"unknown key {_quoted(key)} {place}: known are {', '.join(allowed)}"
        f"{further or suggestion(key, allowed)}"
    )


def _quoted(key: str) -> str:
    return f"'{key}'" if key.isprintable() and len(key) < 80 else v.shown(key)


def _merge(verb: str, tree: Tree, user: Tree) -> None:
    sections = _schema.VERBS[verb]
    for key, value in user.items():
        unknown(key, _schema.top_level(verb), "")
        if key in GROUPS:
            replaces = not isinstance(value, dict) or any(s in value for s in v.SOURCES)
            tree[key] = value if replaces else {**tree[key], **value}
        elif key in sections:
            value = _table(key, value)
            if key == "domain" and _other_shape(tree["domain"], value):
                tree["domain"] = {}
            tree[key] = {**tree.get(key, {}), **value}
        else:
            tree[key] = value


def _table(key: str, value: Any) -> Tree:
    if not isinstance(value, dict):
        raise BadInput(f"{key} = {v.shown(value)}: must be a table, [{key}]")
    return value


def _assign(verb: str, tree: Tree, override: Override) -> None:
    """Put one change into the tree: nested keys, parts of sums, data sets, priors by path."""
    names = split(override.path)
    first, *rest = names
    what = f"{override.flag} {override.path}"
    unknown(first, _schema.top_level(verb), "")
    if first in ("priors", "start"):
        table = tree.setdefault(first, {})
        if rest:
            _table(first, table)[".".join(rest)] = override.value
        else:
            tree[first] = override.value
        return
    if first == "data" and rest:
        _table(what, _data_set(what, tree.get("data"), rest))[rest[-1]] = override.value
        return
    *parents, last = names
    if not parents:
        _merge(verb, tree, {last: override.value})
        return
    node: Any = tree
    for depth, name in enumerate(parents):
        here = ".".join(parents[: depth + 1])
        if isinstance(node, list):
            if not name.isdecimal() or int(name) >= len(node):
                raise BadInput(f"{what}: '{here}' must be a number from 0 to {len(node) - 1}")
            node = node[int(name)]
        else:
            node = node.setdefault(name, {})
        if not isinstance(node, dict | list if first in GROUPS else dict):
            raise BadInput(f"{what}: '{here}' holds no further keys")
    if isinstance(node, list):
        above = ".".join(parents)
        raise BadInput(
            f"{what}: '{above}' is a sum of {len(node)} models; say which, as in {above}.0.{last}"
        )
    if node is tree.get("domain") and _other_shape(node, {last: override.value}):
        node.clear()
    if last in v.SOURCES and first in GROUPS:
        for source in v.SOURCES:
            node.pop(source, None)
    node[last] = override.value


def _data_set(what: str, data: Any, rest: list[str]) -> Any:
    """The data set that a change is for: by its number, its name, or the only one."""
    parts = [data] if isinstance(data, dict) else data
    if not isinstance(parts, list) or not parts:
        raise BadInput(f"{what}: there is no [[data]] table to change")
    if len(rest) == 1 and len(parts) == 1:
        return parts[0]
    names = [part.get("name") if isinstance(part, dict) else None for part in parts]
    if len(rest) == 2 and rest[0] in names:
        return parts[names.index(rest[0])]
    if len(rest) == 2 and rest[0].isdecimal() and int(rest[0]) < len(parts):
        return parts[int(rest[0])]
    known = ", ".join(str(n or k) for k, n in enumerate(names))
    raise BadInput(f"{what}: say which of the data, as in data.{known.split(', ')[0]}.sigma")


def _other_shape(domain: Tree, changes: Tree) -> bool:
    """Whether the changes speak of another shape, so that the old lengths mean nothing."""
    if not isinstance(domain, dict):
        return False
    given = "sphere" if "radius" in changes else "box" if "half_lengths" in changes else None
    wanted = changes.get("shape", given)
    return wanted is not None and wanted != domain.get("shape", wanted)


def split(path: str) -> list[str]:
    """The names of a dotted path; a quoted part may hold dots: priors."magnetic.b0"."""
    found = re.findall(r"\"([^\"]*)\"|'([^']*)'|([^.\"']+)", path)
    return ["".join(parts).strip() for parts in found] or [path]


def parse_set(text: str) -> Override:
    """'magnetic.b0=3.0' -> an override; the value is TOML, or a bare string."""
    path, equals, value = text.partition("=")
    path = path.strip()
    plain = re.sub(r"\"[^\"]*\"|'[^']*'", "x", path)
    if not equals or not path or not path.isprintable() or not all(plain.split(".")):
        raise BadInput(f"--set {v.shown(text)}: must be KEY=VALUE, such as magnetic.b0=3.0")
    return Override("--set", path, value_of(path, value))


def value_of(path: str, value: str) -> Any:
    """The value of a --set: TOML, or else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")
    except tomllib.TOMLDecodeError:
        return value.strip()
    except RecursionError:
        raise BadInput(f"{path}: too many brackets in each other") from None
    except ValueError:
        raise BadInput(f"{path} = {v.shown(value)}: has too many digits") from None
    return parsed["value"] if len(parsed) == 1 else value.strip()


def checked(verb: str, tree: Tree) -> Tree:
    """The tree with every value read; tables with names of the user's are left to their reader."""
    sections, found = _schema.VERBS[verb], {}
    for key, value in tree.items():
        if key in GROUPS:
            found[key] = _models(key, value)
        elif key in sections:
            found[key] = section(key, value, sections[key])
        elif key in _schema.TOP:
            found[key] = _schema.TOP[key].reader(key, value)
    _check_domain(found["domain"])
    lines = found["sightlines"]
    if verb not in _schema.OWN_SUN:
        lines.setdefault("observer", list(_schema.SUN))
    v.check_nested("sightlines.nside", lines["nside"], lines["ordering"])
    if found["output"]["unit"] == _schema.PER_BEAM and "beam" not in found.get("view", {}):
        raise BadInput(
            f"output.unit = '{_schema.PER_BEAM}': needs a view with a beam, [view] and view.beam"
        )
    if "scale" in found["integration"] and found["integration"]["spacing"] != "graded":
        raise BadInput("integration.scale has a meaning only with integration.spacing = 'graded'")
    return found


def section(name: str, value: Any, keys: _schema.Section) -> Tree:
    """The values of one table, each read."""
    for key in _table(name, value):
        unknown(key, tuple(keys), name)
    return {key: keys[key].reader(f"{name}.{key}", item) for key, item in value.items()}


def _check_domain(domain: Tree) -> None:
    domain.setdefault("shape", "sphere" if "radius" in domain else "box")
    domain.setdefault("center", [0.0, 0.0, 0.0])
    needed = "radius" if domain["shape"] == "sphere" else "half_lengths"
    other = "half_lengths" if needed == "radius" else "radius"
    if needed not in domain:
        raise BadInput(f"domain.{needed} is missing: a {domain['shape']} needs it, in kpc")
    if other in domain:
        raise BadInput(f"domain.{other} = {domain[other]!r}: a {domain['shape']} has no {other}")


def _models(group: str, value: Any) -> list[Tree]:
    parts = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise BadInput(f"{group} = {v.shown(value)}: must be a table [{group}] or several "
                       f"[[{group}]]")  # fmt: skip
    found = []
    for k, part in enumerate(parts):
        name = group if len(parts) == 1 else f"{group}.{k}"
        sources = [s for s in v.SOURCES if s in part]
        if len(sources) != 1:
            given = "none" if not sources else " and ".join(sources)
            raise BadInput(f"[{name}] must have exactly one of model, class, grid; it has {given}")
        source = sources[0]
        read = _schema.MODEL[source].reader(f"{name}.{source}", part[source])
        found.append({**part, source: read})
    return found
