"""What a shell offers after a name's first letters: models, Galaxies, surveys, comparisons."""

from collections.abc import Callable


def _models(group: str, incomplete: str) -> list[tuple[str, str]]:
    from .. import _catalogue

    found = []
    for entry in _catalogue.models(group):
        names = [entry.name, *(f"{entry.name}.{variant}" for variant in entry.variants)]
        found += [(name, entry.info.paper) for name in names]
    return [pair for pair in found if pair[0].lower().startswith(incomplete.lower())]


def _of(group: str) -> Callable[[str], list[tuple[str, str]]]:
    def names(incomplete: str) -> list[tuple[str, str]]:
        return _models(group, incomplete)

    return names


magnetic, electrons, cosmic_rays = _of("magnetic"), _of("electrons"), _of("cosmic_rays")
"""Names of the models of a group, with their papers."""


def any_model(incomplete: str) -> list[tuple[str, str]]:
    """Names of all models, with and without their group."""
    from .. import _catalogue

    found = []
    for entry in _catalogue.models():
        for name in (entry.name, f"{entry.group}.{entry.name}"):
            if name.lower().startswith(incomplete.lower()):
                found.append((name, entry.info.paper))
    return found


def galaxies(incomplete: str) -> list[str]:
    """Names of whole Galaxies."""
    from ._schema import GALAXIES

    return [name for name in GALAXIES if name.startswith(incomplete)]
