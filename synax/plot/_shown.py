"""A matplotlib figure that shows itself in a notebook, whether or not pyplot was imported."""

import io

from matplotlib.figure import Figure


class Shown(Figure):
    """A `Figure` with the picture that Jupyter asks for."""

    def _repr_png_(self) -> bytes:
        target = io.BytesIO()
        self.savefig(target, format="png", dpi=80, bbox_inches="tight")
        return target.getvalue()


def spaced(figure: Figure, *, w_pad: float, h_pad: float) -> None:
    """Set the space around the parts of a figure with a constrained layout, inches."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=w_pad, h_pad=h_pad)
