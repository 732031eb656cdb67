"""Public names that changed: each old one raises an error that names the new one."""

from collections.abc import Callable

RENAMED = {
    "synax": {
        "AbstractSpectrum": "synax.random_fields.AbstractSpectrum",
        "Exponential": "synax.random_fields.Exponential",
        "Matern": "synax.random_fields.Matern",
        "PowerLaw": "synax.random_fields.PowerLaw, or synax.cosmic_rays.PowerLaw",
    },
    "synax.inference": {
        "Whitening": "synax.inference.Competing",
    },
    "GaussianRandom": {
        "noise": "latent",
        "realize": "grid",
    },
}
"""Old name to new one, by module, or by class for the names of its objects."""


def refuse_old(owner: str, name: str) -> None:
    """Raise `AttributeError` if `name` is an old name of a module or class."""
    new = RENAMED.get(owner, {}).get(name)
    if new is not None:
        old = f"{owner}.{name}"
        raise AttributeError(f"'{old}' is now called '{new}'".replace(", or ", "' or '"))


def old_names(module: str) -> Callable[[str], object]:
    """The `__getattr__` of a module."""

    def missing(name: str) -> object:
        refuse_old(module, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return missing
