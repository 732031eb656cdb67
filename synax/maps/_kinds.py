"""What a map may hold: kinds and their components, units, orderings, frames, signs of U."""

from ._units import BRIGHTNESS_UNITS

STOKES = ("I", "Q", "U", "V")
"""The Stokes parameters, in the order of arrays, files and tables."""

COMPONENTS = {
    "IQUV": STOKES,
    "IQU": STOKES[:3],
    "QU": STOKES[1:3],
    "I": STOKES[:1],
    "V": STOKES[3:],
    "RM": ("RM",),
    "DM": ("DM",),
    "EM": ("EM",),
    "TAU": ("TAU",),
}
"""Kinds of map and the components each one has."""

UNITS = {
    **{kind: BRIGHTNESS_UNITS for kind, parts in COMPONENTS.items() if set(parts) <= set(STOKES)},
    "RM": ("rad/m2",),
    "DM": ("pc/cm3",),
    "EM": ("pc/cm6",),
    "TAU": ("1",),
}
"""Units each kind may have; the first is its default."""

ALL_FREQUENCIES = ("RM", "DM", "EM")
"""Kinds whose maps have no frequency."""

ORDERINGS = ("RING", "NEST")
CONVENTIONS = ("IAU", "COSMO")
FRAMES = ("galactic", "equatorial", "ecliptic")


def choose(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `ValueError` that names the argument unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got '{value}'")


def check_unit(kind: str, unit: str) -> None:
    """Raise `ValueError` unless a map of this kind may have this unit."""
    if unit not in UNITS[kind]:
        allowed = ", ".join(UNITS[kind])
        raise ValueError(f"unit of a map of {kind} must be {allowed}, got '{unit}'")


def stokes_kind(n: int) -> str:
    """The kind of `n` Stokes parameters from I on: 3 is 'IQU', 4 is 'IQUV'."""
    return "".join(STOKES[:n])
