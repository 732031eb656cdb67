"""What the notebooks print and draw, kept for the site: `python docs/make_notebooks.py [NAME...]`.

Every notebook runs in a process of its own. Its texts go into docs/data/notebooks/NAME.json, its
figures into docs/images/notebooks/NAME-1.png, ... as small pictures. Those of real data need
SYNAX_DATA. A test compares the cells with those that ran.
"""

import ast
import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

DOCS = Path(__file__).resolve().parent
NOTEBOOKS = DOCS.parent / "notebooks"
RECORDS, IMAGES = DOCS / "data" / "notebooks", DOCS / "images" / "notebooks"
NEEDS_DATA = ("sky_data", "haslam", "joint_fit")
WIDTH = 1000
"""Pixels of the widest picture."""
MOST_LINES = 40
"""Of printed text that a page shows."""


def cells(path):
    """(is it text, its source) of every cell of a notebook in jupytext's percent format."""
    found = re.split(r"^# %%", path.read_text(), flags=re.MULTILINE)[1:]
    parts = (cell.partition("\n") for cell in found)
    return [("[markdown]" in head, body.strip()) for head, _, body in parts]


def digest(source):
    """The mark by which a cell is known again."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def record(name):
    """Run a notebook in this process; write its record and its pictures."""
    path, outputs, drawn = NOTEBOOKS / f"{name}.py", [], []

    def keep(value):
        if hasattr(value, "_repr_png_"):
            file = f"{name}-{len(drawn) + 1}.png"
            _small(value._repr_png_(), IMAGES / file)
            drawn.append(file)
            figures.append(file)
        elif value is not None:
            print(repr(value))

    sys.modules["IPython.display"] = types.SimpleNamespace(display=keep)
    space = {"__name__": "__main__"}
    for text, source in cells(path):
        if text:
            continue
        figures, printed = [], io.StringIO()
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed):
            exec(compile(ast.Module(body, []), str(path), "exec"), space)
            if last is not None:
                keep(eval(compile(ast.Expression(last.value), str(path), "eval"), space))
        lines = printed.getvalue().rstrip().splitlines()
        lines = [*lines[:MOST_LINES], "..."] if len(lines) > MOST_LINES else lines
        outputs.append({"cell": digest(source), "text": "\n".join(lines), "figures": figures})
    for old in IMAGES.glob(f"{name}-*.png"):
        if old.name not in drawn:
            old.unlink()
    found = {"notebook": name, "outputs": outputs}
    (RECORDS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def _small(png, file):
    """Write a picture in 64 colours, no wider than a page shows."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > WIDTH:
        height = round(image.height * WIDTH / image.width)
        image = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    image.quantize(64, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


def main(names):
    """Record notebooks, each in a process and a folder of its own."""
    for folder in (RECORDS, IMAGES):
        folder.mkdir(parents=True, exist_ok=True)
    known = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
    for name in names or known:
        if name not in known:
            sys.exit(f"there is no notebook '{name}', but {', '.join(known)}")
        if name in NEEDS_DATA and not os.environ.get("SYNAX_DATA"):
            print(f"{name}: left out, SYNAX_DATA is not set")
            continue
        path = os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": path}
        code = f"import sys; sys.path.insert(0, {str(DOCS)!r}); import make_notebooks as m; "
        command = [sys.executable, "-c", code + f"m.record({name!r})"]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(command, cwd=folder, env=environment, check=True)
        print(f"{name}: done")


if __name__ == "__main__":
    main(sys.argv[1:])
