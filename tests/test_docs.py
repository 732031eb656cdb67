"""The documentation's examples run, its links and its feature table are right."""

import ast
import importlib.util
import re
import runpy
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import synax
from synax.cli import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
CODE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [m[2] for m in CODE.finditer(page.read_text()) if m[1] == language]


def name(page):
    return str(page.relative_to(ROOT))


DEAR = ("recipes.md", "neighbours.md", "catalogues.md")
"""Pages whose examples take more than ten seconds."""

WITH_CODE = [
    pytest.param(page, marks=[pytest.mark.slow] * (page.name in DEAR))
    for page in PAGES
    if blocks(page, "python")
]


@pytest.mark.filterwarnings("ignore:.* scatters polarisation angles")  # as the pages say
@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_python_blocks(page, tmp_path, monkeypatch):
    """All blocks of a page, in order, in one namespace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    for module in [p.stem for p in (DOCS / "examples").glob("*.py")]:
        monkeypatch.delitem(__import__("sys").modules, module, raising=False)
    source = page.read_text()
    namespace = {"__name__": "__main__"}
    for match in CODE.finditer(source):
        if match[1] != "python":
            continue
        line = source[: match.start(2)].count("\n")
        exec(compile("\n" * line + match[2], str(page), "exec"), namespace)
    assert any(key in namespace for key in ("synax", "plot", "sky")), "the page never used synax"


@pytest.mark.parametrize("page", ["command-line", "performance"])
def test_commands(page, tmp_path, monkeypatch):
    """The shell blocks of the pages on the command line, line by line."""
    monkeypatch.chdir(tmp_path)
    lines = [line for b in blocks(DOCS / f"{page}.md", "bash") for line in b.strip().splitlines()]
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "synax"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{line}: {result.output}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links(page):
    text = re.sub(CODE, "", page.read_text())
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_words_of_the_glossary_become_links_once():
    hooks = runpy.run_path(str(DOCS / "config" / "hooks.py"))
    glossary = (DOCS / "glossary.md").read_text().lower()
    assert all(f"**{term}**" in glossary for term in hooks["TERMS"])
    page = "<h2>March</h2><p>It leaves a <code>leaf</code>.</p><p>Its leaves, its leaves march.</p>"
    link = '<a class="term" href="../glossary/#{}">{}</a>'
    assert hooks["link_terms"](page, "../glossary/") == (
        "<h2>March</h2><p>It leaves a <code>leaf</code>.</p>"
        f"<p>Its {link.format('leaf', 'leaves')}, its leaves {link.format('march', 'march')}.</p>"
    )


def test_feature_table_names_existing_tests_and_every_public_name():
    text = (DOCS / "features.md").read_text()
    tests = set(re.findall(r"`(test_\w+\.py)`", text))
    missing = sorted(t for t in tests if not (ROOT / "tests" / t).exists())
    assert not missing, f"docs/features.md names tests that do not exist: {missing}"
    assert len(tests) > 10
    exported = ast.walk(ast.parse(Path(synax.__file__).read_text()))
    public = [a.asname for n in exported if isinstance(n, ast.ImportFrom) for a in n.names]
    public = [n for n in public if n and not n.startswith("_")]
    unmentioned = [n for n in public if not re.search(rf"\b{n}\b", text)]
    assert not unmentioned, f"docs/features.md does not mention {unmentioned}"


MADE_BY = {
    "ModelInfo": "info",
    "UF23Prior": "prior",
    "RotationMoments": "correlated_moments",
    "FieldFrame": "power_law_coefficients",
    "ErrorEstimate": "estimate_error",
    "Observation": "observe",
    "Integration": "integrate_with",
    "SampledField": "sample_along",
    "Stokes": "stokes",
    "Fit": "fit",
    "Goodness": "goodness",
    "Maximum": "maxima",
    "HMC": "hmc",
    "RealisedField": "realisation",
    "Importance": "laplace",
    "Chains": "chains",
    "LatentDensity": "logdensity",
    "SkyMaps": "GaussianLikelihood",
    "FisherWhitening": "whiten",
    "PathfinderWhitening": "pathfinder",
    "PriorWhitening": "whiten",
}
"""Names of what functions give, and by which word a test speaks of them."""


def rows_of_features():
    """(section, names, tests) of each row: what it is about, and the files said to verify it."""
    section = ""
    for line in (DOCS / "features.md").read_text().splitlines():
        section = line[3:] if line.startswith("## ") else section
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0] not in ("what", "---"):
            tests = re.findall(r"`(test_\w+\.py)`", cells[2])
            yield section, cells[0], re.findall(r"`([\w.]+)`", cells[1]), tests


def test_feature_table_names_tests_that_are_about_the_thing():
    """Each public name of a row, and each model in its title, stands in a test of that row."""
    from synax._catalogue import models

    known = {m.name for m in models()}
    wrong = []
    for section, title, names, tests in rows_of_features():
        source = "".join((ROOT / "tests" / t).read_text() for t in tests)
        wanted = [n.split(".")[-1] for n in names if ".Abstract" not in f".{n}"]
        wanted = [MADE_BY.get(n, n) for n in wanted]
        if section == "Fields":
            wanted += [w for w in re.findall(r"\w+", title) if w in known and not w.islower()]
        wrong += [(title, n) for n in wanted if not re.search(rf"(?i)\b{n}\b", source)]
    assert not wrong


def test_reference_covers_every_public_name():
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "config" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    asked = re.findall(
        r"<!-- generated: reference (.*) -->",
        "".join(p.read_text() for p in (DOCS / "reference").glob("*.md")),
    )
    shown = "\n".join(hooks.reference(*prefixes.split()) for prefixes in asked)
    missing = [name for name in hooks.public_names() if f"::: {name}\n" not in shown + "\n"]
    assert not missing and "::: synax.Synchrotron" in shown


def test_lines_of_prose_are_short():
    """120 columns, but for tables, code, formulae and what is generated."""
    for page in PAGES:
        text = re.sub(CODE, "", page.read_text())
        text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
        long = [x for x in text.splitlines() if len(x) > 120 and x.lstrip()[0] not in "|<"]
        assert not long, f"{name(page)}: {long}"
