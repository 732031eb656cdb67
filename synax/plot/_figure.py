"""The figure that every function of this package returns."""

from typing import Any


def figure(**settings: Any) -> Any:
    """A matplotlib `Figure` that a notebook shows, made without pyplot and its global state.

    **Arguments:**

    - those of `matplotlib.figure.Figure`, such as `figsize` and `layout`.

    ```python
    axes = synax.plot.figure(figsize=(5, 4)).subplots()
    ```
    """
    from ._shown import Shown

    return Shown(**settings)
