"""What the headers of a FITS file claim, compared with the file before anything is allocated.

The structural cards (SIMPLE, XTENSION, BITPIX, NAXISn, PCOUNT, GCOUNT, TFIELDS, TFORMn) are read
here, in the words of the FITS standard 4.0, sections 4.4.1 and 7.3.1, without a library.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase

_BLOCK, _CARD = 2880, 80
_MOST_BLOCKS = 5000
"""Blocks of one header: 180,000 cards. The largest real ones have some thousand."""

_BITS = (8, 16, 32, 64, -32, -64)
_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_BYTES = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "P": 8,
          "M": 16, "Q": 16}  # fmt: skip
_INTEGER = re.compile(r"[+-]?\d{1,18}")


def is_fits(path: str | os.PathLike) -> bool:
    """Whether a file begins as FITS files do, compressed by gzip or not."""
    try:
        with _opened(path) as file:
            return file.read(9) == b"SIMPLE  ="
    except (OSError, EOFError, zlib.error):
        return False


def checked_tables(path: str | os.PathLike) -> int:
    """The number of binary tables in a FITS file whose headers agree with its size.

    **Raises** `ValueError` that names the file, the card, its value, and what is allowed.
    """
    name, found, number = os.fspath(path), 0, 0
    try:
        with _opened(path) as file:
            if file.read(9) != b"SIMPLE  =":
                raise ValueError(f"'{name}' is not a FITS file: it does not begin with SIMPLE")
            file.seek(0)
            while (cards := _header(file, name, number)) is not None:
                where = f"'{name}', " + (f"extension {number}" if number else "first header")
                size = _data_size(cards, where)
                there = _skip(file, size)
                if there < size:
                    raise ValueError(
                        f"{where}: its header promises {size:,} bytes of data (NAXIS1 = "
                        f"{cards.get('NAXIS1', 0)}, NAXIS2 = {cards.get('NAXIS2', 1)}), the file "
                        f"has {there:,}"
                    )
                _skip(file, -size % _BLOCK)
                if cards.get("XTENSION", "").strip("' ") == "BINTABLE":
                    found += 1
                number += 1
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(f"'{name}' cannot be read: {error}") from None
    return found


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[BufferedIOBase]:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield unpacked


def _skip(file: BufferedIOBase, count: int) -> int:
    """Move on by so many bytes, if they are there; how many were."""
    if isinstance(file, gzip.GzipFile):
        left = count
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            left -= len(piece)
        return count - left
    here = file.tell()
    there = min(count, os.fstat(file.fileno()).st_size - here)
    file.seek(here + there)
    return there


def _header(file: BufferedIOBase, name: str, number: int) -> dict[str, str] | None:
    """The cards of the next header by keyword, or None where the file has no further one."""
    cards: dict[str, str] = {}
    for k in range(_MOST_BLOCKS):
        block = file.read(_BLOCK)
        if k == 0 and number and block[:9] not in (b"XTENSION=",):
            return None  # the standard allows other records after the last extension
        if len(block) < _BLOCK:
            break
        for start in range(0, _BLOCK, _CARD):
            card = block[start : start + _CARD].decode("ascii", "replace")
            key = card[:8].rstrip()
            if key == "END":
                return cards
            if card[8:9] == "=":
                cards.setdefault(key, _value(card[9:]))
        if not all(32 <= byte < 127 for byte in block):
            break
    raise ValueError(f"'{name}': header {number} has no END card")


def _value(text: str) -> str:
    text = text.strip()
    if text.startswith("'"):
        return text.split("'")[1].strip() if text.count("'") > 1 else text[1:].strip()
    return text.split("/")[0].strip()


def _whole(cards: dict[str, str], key: str, where: str, low: int, high: int) -> int:
    text = cards.get(key)
    if text is None:
        raise ValueError(f"{where}: the card {key} is missing")
    value = int(text) if _INTEGER.fullmatch(text) else None
    if value is None or not low <= value <= high:
        raise ValueError(
            f"{where}: {key} = {text[:40]} must be a whole number from {low} to {high}"
        )
    return value


def _data_size(cards: dict[str, str], where: str) -> int:
    """Bytes of data behind a header."""
    bits = _whole(cards, "BITPIX", where, -64, 64)
    if bits not in _BITS:
        raise ValueError(f"{where}: BITPIX = {bits} must be one of {', '.join(map(str, _BITS))}")
    axes = _whole(cards, "NAXIS", where, 0, 999)
    count = 1 if axes else 0
    lengths = [_whole(cards, f"NAXIS{k + 1}", where, 0, 2**62) for k in range(axes)]
    random_groups = cards.get("GROUPS") == "T" and axes > 1 and lengths[0] == 0
    for length in lengths[1:] if random_groups else lengths:
        count *= length
    extra = {key: _whole(cards, key, where, 0, 2**62) for key in ("PCOUNT", "GCOUNT")
             if key in cards}  # fmt: skip
    if cards.get("XTENSION") == "BINTABLE":
        _check_table(cards, where, bits, lengths)
    return abs(bits) // 8 * extra.get("GCOUNT", 1) * (extra.get("PCOUNT", 0) + count)


def _check_table(cards: dict[str, str], where: str, bits: int, lengths: list[int]) -> None:
    if bits != 8 or len(lengths) != 2:
        raise ValueError(
            f"{where}: BITPIX = {bits}, NAXIS = {len(lengths)}: a binary table has 8 and 2"
        )
    width = 0
    for k in range(1, _whole(cards, "TFIELDS", where, 0, 999) + 1):
        form = cards.get(f"TFORM{k}", "")
        found = _TFORM.match(form)
        if not found:
            what = f"TFORM{k} = {form}" if form else f"the card TFORM{k}"
            raise ValueError(
                f"{where}: {what} must be there for each of TFIELDS = {cards['TFIELDS']} columns, "
                "as a number and a letter"
            )
        repeat = int(found[1][:18] or 1)
        width += -(-repeat // 8) if found[2] == "X" else repeat * _BYTES[found[2]]
    if width != lengths[0]:
        raise ValueError(f"{where}: NAXIS1 = {lengths[0]} bytes, its columns (TFORMn) have {width}")
