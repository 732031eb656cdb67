"""Units of the parameters of a problem, as their models declare them."""

from typing import Any

from .._parameters import get_path
from ._likelihood import Likelihood


def unit_of(posterior: Any, path: str) -> str:
    """Unit of a parameter as its model declares it; '' where it has none, or says nothing."""
    inside = path.startswith("likelihood.")
    tree = posterior.likelihood if inside else posterior.model
    names = path.removeprefix("likelihood.").split(".")
    for depth in range(len(names) - 1, -1, -1):
        owner = tree if depth == 0 else get_path(tree, ".".join(names[:depth]))
        if isinstance(owner, Likelihood):
            of_data = names[depth:] in (["offset"], ["noise", "sigma"], ["noise", "excess"],
                                        ["noise", "scale"])  # fmt: skip
            return getattr(owner.observable, "unit", "") if of_data else ""
        field = getattr(type(owner), "__dataclass_fields__", {}).get(names[depth])
        if field is not None and "unit" in field.metadata:
            return str(field.metadata["unit"])
    return ""
