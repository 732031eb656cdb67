"""The notebooks run as they are written, each in a process of its own, and show their figures."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NEEDS_DATA = ("sky_data", "haslam", "joint_fit")
FIGURES = {
    "quick_start": 4, "gallery": 12, "new_field": 2, "low_frequencies": 3, "devices": 0,
    "sampling": 2, "paper_figures": 6, "sky_data": 2, "haslam": 2, "joint_fit": 4,
    "from_sky_to_data": 8, "one_megahertz": 4,
}  # fmt: skip
"""How many pictures each one shows."""

DRIVER = """
import ast, sys, types

shown = 0

def display(value):
    global shown
    if hasattr(value, "_repr_png_"):
        assert value._repr_png_().startswith(b"\\x89PNG")
        shown += 1

sys.modules["IPython.display"] = types.SimpleNamespace(display=display)
space = {"__name__": "__main__"}
for cell in open(sys.argv[1]).read().split("\\n# %%"):
    body = ast.parse("# %%" + cell).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), sys.argv[1], "exec"), space)
    if last is not None:
        display(eval(compile(ast.Expression(last.value), sys.argv[1], "eval"), space))
print("figures:", shown)
"""


def marks(name):
    return [pytest.mark.slow, *([pytest.mark.data] if name in NEEDS_DATA else [])]


@pytest.mark.parametrize(
    "name",
    [pytest.param(p.stem, marks=marks(p.stem)) for p in sorted(NOTEBOOKS.glob("*.py"))],
)
def test_runs(name, tmp_path, request):
    if name in NEEDS_DATA:
        request.getfixturevalue("sky_data")
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(NOTEBOOKS.parent)}
    command = [sys.executable, "-c", DRIVER, NOTEBOOKS / f"{name}.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == f"figures: {FIGURES[name]}"


def test_every_notebook_is_listed():
    listed = set(re.findall(r"`(\w+)\.py`", (NOTEBOOKS / "README.md").read_text()))
    assert listed == {p.stem for p in NOTEBOOKS.glob("*.py")} == set(FIGURES)


def test_pages_show_what_the_notebooks_gave():
    """Every cell with a record is the cell that ran, and its figures are there."""
    hooks = runpy.run_path(str(NOTEBOOKS.parent / "docs" / "config" / "hooks.py"))
    pictures = NOTEBOOKS.parent / "docs" / "images" / "notebooks"
    for name in FIGURES:
        known = {
            hooks["notebook_digest"](s) for text, s in hooks["notebook_cells"](name) if not text
        }
        outputs = hooks["recorded"](name)
        assert set(outputs) <= known, f"run python docs/make_notebooks.py {name}"
        drawn = [file for cell in outputs.values() for file in cell["figures"]]
        assert not outputs or len(drawn) == FIGURES[name]
        assert all((pictures / file).is_file() for file in drawn)
        page = hooks["notebook"](name)
        assert page.count("{ .figure }") == len(drawn)
