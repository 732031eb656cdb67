"""Names that stand for strategy objects: one way to look them up, one sentence if there is none."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._checks import shown

T = TypeVar("T")


def from_name(
    name: str, value: Any, kind: type[T], table: Mapping[str, Callable[[], T]], example: str
) -> T:
    """The strategy itself, or a new one by its name.

    **Arguments:**

    - `name`: of the argument, for the message.
    - `value`: what the user gave: an object of class `kind`, or a name in `table`.
    - `example`: an object that could be given, for the message.

    **Raises** `ValueError` that lists the names.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in table:
        return table[value]()
    names = ", ".join(repr(known) for known in sorted(table))
    raise ValueError(
        f"{name} must be one of {names}, or an object such as {example}, got {shown(value)}"
    )
