"""A matplotlib figure that shows itself in a notebook, whether or not pyplot was imported."""

import io

from matplotlib.figure import Figure


class Shown(Figure):
    """A `Figure` with the picture that Jupyter asks for."""

    def _repr_png_(self) -> bytes:
        target = io.BytesIO()
        self.savefig(target, format="png", dpi=80, bbox_inches="tight")
        return target.getvalue()
