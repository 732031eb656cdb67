"""What the header of a HEALPix map says, in our words; what is odd is refused, nothing guessed.

A card is looked up in the header of the table and then in the first header of the file. Every
refusal names the file, the card, its value, and what is allowed.
"""

import math
import re
from typing import Any, NoReturn

from ..maps._units import BARE_KELVIN, HIGHEST_FREQUENCY, UNKNOWN, spelled

FRAMES = {
    **dict.fromkeys(("G", "GAL", "GALACTIC"), "galactic"),
    **dict.fromkeys(
        ("C", "Q", "EQ", "EQU", "EQUATORIAL", "CEL", "CELESTIAL", "ICRS", "FK5", "J2000"),
        "equatorial",
    ),
    **dict.fromkeys(("E", "ECL", "ECLIPTIC"), "ecliptic"),
}
"""Names of frames in COORDSYS and SKYCOORD, in capitals."""

ORDERINGS = {"RING": "RING", "NEST": "NEST", "NESTED": "NEST"}
CONVENTIONS = {"IAU": "IAU", "COSMO": "COSMO"}

LARGEST_GHZ = 1e4
"""A bare number in FREQ up to here is GHz: 10 THz."""

SMALLEST_HZ, LARGEST_HZ = 1e6, 1e13
"""A bare number in FREQ from 1 MHz to 10 THz, read as Hz; it is far beyond all GHz."""

_GHZ_PER = {"hz": 1e-9, "khz": 1e-6, "mhz": 1e-3, "ghz": 1.0, "thz": 1e3}
_WITH_UNIT = re.compile(r"([+-]?[\d.]+(?:[eEdD][+-]?\d+)?)\s*([kKmMgGtT]?[hH][zZ])")


class Cards:
    """Headers of one table: its own, then that of the whole file."""

    def __init__(self, path: str, where: str, *headers: Any):
        self.path, self.where, self.headers = path, where, headers
        self.notes: list[str] = []
        """What was assumed, for people."""

    def refuse(self, what: str) -> NoReturn:
        """Raise `ValueError` about this table."""
        raise ValueError(f"'{self.path}', {self.where}: {what}")

    def get(self, key: str, own: bool = False) -> Any:
        """The value of a card (None: no such card, or an empty one); `own`: of this table only."""
        headers = self.headers[:1] if own else self.headers
        values = [value for header in headers for value in self._all(header, key)]
        for other in values[1:]:
            if _plain(other) != _plain(values[0]):
                self.refuse(f"{key} is there twice, as {values[0]!r} and {other!r}")
        return values[0] if values else None

    def _all(self, header: Any, key: str) -> list[Any]:
        found = []
        for k in range(header.count(key) if key in header else 0):
            try:
                value = header[(key, k)]
            except Exception:
                self.refuse(f"the card {key} cannot be read; a text needs quotes")
            if isinstance(value, str):
                value = value.strip()
            if value is not None and value != "" and type(value).__name__ != "Undefined":
                found.append(value)
        return found

    def comment(self, key: str) -> str:
        """The comment of a card."""
        return next((str(h.comments[key]) for h in self.headers if key in h), "")

    def whole(self, key: str) -> int | None:
        """A card that is a whole number, 5 and 5.0 alike."""
        value = self.get(key)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value != int(value):
            self.refuse(f"{key} = {value!r} must be a whole number")
        return int(value)

    def number(self, key: str) -> float | None:
        """A card that is a finite number."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.refuse(f"{key} = {value!r} must be a number")
        if not math.isfinite(value):
            self.refuse(f"{key} = {value!r} must be finite")
        return float(value)

    def word(self, key: str, meaning: dict[str, str]) -> str | None:
        """A card that is one of some words, in any case; the value is what it means."""
        value = self.get(key)
        if value is None:
            return None
        text = value.upper() if isinstance(value, str) else ""
        if text not in meaning:
            self.refuse(f"{key} = {value!r} must be one of {', '.join(meaning)}")
        return meaning[text]


def _plain(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else (isinstance(value, bool), value)


def settled(
    cards: Cards, card: str, name: str, found: Any, given: Any, override: bool, same: Any = None
) -> Any:
    """What the header says, or the argument where it says nothing; refused where they differ."""
    if given is None or found is None or override:
        return found if given is None else given
    agree = found == given if same is None else same(found, given)
    if not agree:
        cards.refuse(
            f"{card} says {found}, and {name} = {given} was given; leave it out, or pass "
            "override=True (--override) if the header is wrong"
        )
    return found


def nside_of(cards: Cards, count: int | None) -> int:
    """NSIDE of the header, or of a whole sky of `count` pixels (None: a part of it)."""
    nside = cards.whole("NSIDE")
    if nside is None:
        found = 0 if count is None else math.isqrt(count // 12)
        if count is None or found < 1 or 12 * found**2 != count:
            wanted = "a part of the sky needs it" if count is None else f"{count} pixels are no sky"
            cards.refuse(f"there is no card NSIDE; {wanted}")
        return found
    if not 1 <= nside <= 2**29:
        cards.refuse(f"NSIDE = {nside} must be from 1 to 2^29")
    if count is not None and count != 12 * nside**2:
        cards.refuse(f"NSIDE = {nside} needs {12 * nside**2:,} pixels, the table has {count:,}")
    return nside


def ordering_of(cards: Cards, nside: int, given: str | None, override: bool) -> str:
    """'RING' or 'NEST'."""
    found = None if override and given else cards.word("ORDERING", ORDERINGS)
    ordering = settled(cards, "ORDERING", "ordering", found, given, override)
    if ordering is None:
        cards.refuse("there is no card ORDERING; give ordering='RING' or 'NEST'")
    if ordering == "NEST" and nside & (nside - 1):
        cards.refuse(f"NSIDE = {nside} must be a power of two in NESTED ordering")
    return ordering


def frame_of(cards: Cards, given: str | None, override: bool) -> str:
    """'galactic', 'equatorial' or 'ecliptic'; galactic, with a note, where no card says it."""
    found = None
    if not (override and given):
        words = {key: cards.word(key, FRAMES) for key in ("COORDSYS", "SKYCOORD")}
        kinds = {word for word in words.values() if word is not None}
        if len(kinds) > 1:
            cards.refuse(f"COORDSYS is {words['COORDSYS']}, SKYCOORD is {words['SKYCOORD']}")
        found = kinds.pop() if kinds else None
    frame = settled(cards, "COORDSYS", "frame", found, given, override)
    if frame is None:
        cards.notes.append("no card COORDSYS: taken as galactic")
        return "galactic"
    return frame


def convention_of(cards: Cards, polarised: bool, given: str | None, override: bool) -> str:
    """'IAU' or 'COSMO'; HEALPix's own, COSMO, with a note, where no card says it."""
    found = None if override and given else cards.word("POLCCONV", CONVENTIONS)
    convention = settled(cards, "POLCCONV", "convention", found, given, override)
    if convention is None:
        if polarised:
            cards.notes.append("no card POLCCONV: U taken as COSMO, HEALPix's own convention")
        return "COSMO" if polarised else "IAU"
    return convention


def frequency_of(
    cards: Cards, given: float | None, override: bool, fallback: float | None = None
) -> float:
    """FREQ in GHz: its unit is in the text, in a card of its own, or in the comment's brackets.

    A bare number is GHz up to 10^4 (with a note from 405 on, where it may be MHz), Hz from 10^6
    to 10^13 (with a note), and refused elsewhere.
    The name of a band is no frequency. `fallback` counts where the header says none.
    """
    value = cards.get("FREQ")
    if value is None and given is None and fallback is not None:
        return fallback
    if given is not None and (override or value is None):
        return given
    if value is None:
        cards.refuse("there is no FREQ keyword; give the frequency in GHz")
    number, factor = value, _GHZ_PER.get(_stated_unit(cards))
    if isinstance(value, str):
        found = _WITH_UNIT.fullmatch(value.strip())
        bare = re.fullmatch(r"[+-]?[\d.]+([eEdD][+-]?\d+)?", value.strip())
        known = fallback if given is None else given
        if not found and not bare and known is not None:
            return known  # the name of a band: the header does not say the frequency
        if not found and not bare:
            cards.refuse(f"FREQ = {value!r} must be a number of GHz or have a unit; give frequency")
        text = (found[1] if found else value.strip()).replace("D", "E").replace("d", "e")
        factor = _GHZ_PER[found[2].lower()] if found else factor
        try:
            number = float(text)
        except ValueError:
            cards.refuse(f"FREQ = {value!r} must be a number")
    if isinstance(number, bool) or not isinstance(number, int | float):
        cards.refuse(f"FREQ = {value!r} must be a number of GHz")
    if not (math.isfinite(number) and number > 0):
        cards.refuse(f"FREQ = {value!r} must be positive and finite")
    if factor is None:
        factor = _judged(cards, float(number))
    frequency = number * factor if factor >= 1 else number / round(1 / factor)
    return settled(
        cards, "FREQ", "frequency", frequency, given, override,
        lambda a, b: math.isclose(a, b, rel_tol=1e-6),
    )  # fmt: skip


def _stated_unit(cards: Cards) -> str:
    known = (cards.get(key) for key in ("UNITFREQ", "FREQUNIT", "FREQ_UNI", "FREQUNI"))
    stated = next((value for value in known if value is not None), None)
    bracket = re.match(r"\s*\[([A-Za-z]+)\]", cards.comment("FREQ"))
    return str(stated if stated is not None else bracket[1] if bracket else "").strip().lower()


def _judged(cards: Cards, number: float) -> float:
    if number <= LARGEST_GHZ:
        if number > HIGHEST_FREQUENCY:
            cards.notes.append(f"FREQ = {number:g} has no unit: taken as GHz, not as MHz")
        return 1.0
    if SMALLEST_HZ <= number <= LARGEST_HZ:
        cards.notes.append(f"FREQ = {number:g} has no unit and is no GHz: taken as Hz")
        return 1e-9
    cards.refuse(f"FREQ = {number:g} has no unit and is neither GHz nor Hz; give frequency")


def unit_of(
    cards: Cards,
    column: int,
    name: str,
    allowed: tuple[str, ...],
    given: str | None,
    override: bool,
) -> str:
    """Our name of the unit of a column (counted from 0): TUNITn, or the argument where it is bare.

    'K' without Rayleigh-Jeans or CMB is completed by an argument of the same prefix.
    """
    key, choices = f"TUNIT{column + 1}", ", ".join(allowed)
    value = cards.get(key, own=True)
    text = "" if value is None or str(value).strip().lower() in UNKNOWN else str(value).strip()
    found, own = spelled(text), None if given is None else spelled(given)
    if own is not None and own not in allowed:
        cards.refuse(f"unit of column {name} must be one of {choices}, got unit = {given}")
    if own is None and found in ("", *BARE_KELVIN):
        cards.refuse(f"column {name} ({key}) has unit '{text}'; give one of {choices} as unit")
    completes = own is not None and found in BARE_KELVIN and own.partition("_")[0] == found
    unit = own if completes else settled(cards, key, "unit", found or None, own, override)
    if unit not in allowed:
        cards.refuse(f"column {name} has {key} = '{text}', which must be one of {choices}")
    return unit
