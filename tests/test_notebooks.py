"""The notebooks run as they are written, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NEEDS_DATA = ("sky_data", "haslam")


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
    # figures that end a cell are drawn, as Jupyter would
    source = (NOTEBOOKS / f"{name}.py").read_text()
    shown = re.sub(r"^(plot\.\w+\(.*|figure)$", r"_figure = \1", source, flags=re.MULTILINE)
    shown = shown.replace("from IPython.display import display", "display = lambda figure: None")
    script = tmp_path / f"{name}.py"
    script.write_text(shown)
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]


def test_every_notebook_is_listed():
    listed = set(re.findall(r"`(\w+)\.py`", (NOTEBOOKS / "README.md").read_text()))
    assert listed == {p.stem for p in NOTEBOOKS.glob("*.py")}
