"""A machine as nobody made it ready: closed or full streams, no home, forbidden folders."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from run_cli import CONFIG, call, refused

from synax import _beginning
from synax.cli import app
from synax.cli._app import prepare
from synax.cli._given_files import no_file

POSIX = pytest.mark.skipif(os.name != "posix", reason="of POSIX systems")
LONG = "n" * 300


def shell(line, **variables):
    """A line of the shell, in which `synax` is this program."""
    known = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    known |= {"PROGRAM": f'"{sys.executable}" -m synax', **variables}
    return subprocess.run(
        ["bash", "-c", f'synax() {{ "{sys.executable}" -m synax "$@"; }}\n{line}'],
        cwd=Path(__file__).parent.parent, env=known, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@POSIX
@pytest.mark.parametrize("words", ["--help", "models", "simulate --print-schema"])
def test_output_that_nobody_takes_shows_no_traceback(words):
    """A closed stream, a full disk, and a reader that has seen enough."""
    closed = shell(f"synax {words} >&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    full = shell(f"synax {words} >/dev/full")
    assert full.returncode == 1
    assert full.stderr == "error: cannot write standard output: No space left on device\n"
    ended = shell(f"synax {words} | true; exit ${{PIPESTATUS[0]}}")
    assert ended.returncode in (0, 141) and ended.stderr == ""


@POSIX
def test_no_file_gets_the_number_of_a_closed_stream():
    """What libraries print by themselves would stand in it."""
    code = (
        "import os; from synax.cli._surroundings import prepare; prepare()\n"
        "import sys, tempfile; print('a'); print('b', file=sys.stderr)\n"
        "with tempfile.TemporaryFile() as file: os._exit(file.fileno())"
    )
    done = shell(f'"{sys.executable}" -c "{code}" <&- >&- 2>&-')
    assert done.returncode >= 3


@POSIX
def test_a_user_that_the_machine_does_not_know_has_a_home(monkeypatch):
    """Without one astropy cannot be imported."""

    def unknown(_):
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()
    monkeypatch.setenv("HOME", "")  # so that it is put back
    monkeypatch.delenv("HOME")
    prepare()
    assert Path.home() == Path("/")


@POSIX
def test_a_home_that_cannot_be_written_is_no_news():
    """Matplotlib would tell of it on each run, also with --quiet."""
    code = "from synax.cli._surroundings import prepare; prepare(); import matplotlib as m"
    done = shell(
        f"\"{sys.executable}\" -c '{code}; print(m.get_cachedir())'", HOME="/dev/null",
        MPLCONFIGDIR="", XDG_CONFIG_HOME="", TMPDIR="/tmp",
    )  # fmt: skip
    assert done.stderr == "" and "/dev/null" not in done.stdout and done.stdout.strip()
    logged = logging.LogRecord("matplotlib", 30, "", 0, "something else", (), None)
    assert logging.getLogger("matplotlib").filter(logged)


@POSIX
def test_diagnostics_need_no_home_that_can_be_written():
    """ArviZ, on its first import of a day, writes into it."""
    code = "from synax.inference._results import arviz_module as a; print(a().ess.__name__)"
    done = shell(
        f"\"{sys.executable}\" -c '{code}'", HOME="/dev/null", XDG_CACHE_HOME="/dev/null/cache"
    )
    assert (done.returncode, done.stdout) == (0, "ess\n") and "ArviZ" not in done.stderr


@pytest.mark.parametrize("verb", [(), *[(v,) for v in typer.main.get_command(app).commands]])
def test_help_names_no_value_for_a_switch(verb):
    result = call(*verb, "--help")
    assert result.exit_code == 0 and "--help" in result.output
    assert "bool" not in result.output.lower()


NAMED = [
    ("info", "{}"),
    ("convert", "{}", "x.fits"),
    ("compare", "{}", "--frequency", "1.4 GHz"),
    ("compare", "haslam", "--data", "{}"),
    ("compare", "{}", "--rm", "RM"),
    ("simulate", "{}"),
    ("simulate", "--survey", "{}"),
    ("simulate", "--pixels", "{}"),
    ("simulate", "--set", "magnetic.grid={}"),
    ("simulate", "--set", "magnetic.class={}:Ring"),
    ("fit", "{}"),
    ("sample", "{}"),
    ("report", "{}"),
    ("dm", "{}", "--electrons", "Uniform"),
    ("dm", "--at", "30 -5", "--config", "{}"),
]
"""Words that name a file or folder to read."""


def forbidden(monkeypatch, name):
    """Nothing about a path of this name may be known, as in a folder of someone else."""
    known = os.stat

    def stat(path, *args, **kwargs):
        if name in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return known(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", stat)


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
@pytest.mark.parametrize("kind", ["long", "forbidden"])
def test_a_name_that_cannot_be_looked_up_is_refused(tmp_path, monkeypatch, words, kind):
    """Exit code 2 and a sentence with the name, not an exception of the system."""
    monkeypatch.chdir(tmp_path)
    name = LONG if kind == "long" else "secret.fits"
    if kind == "forbidden":
        forbidden(monkeypatch, name)
    told = refused(*[w.format(name) for w in words])
    assert name in told.replace("...", "") and "Error" not in told and "Errno" not in told


def test_data_of_a_fit_that_cannot_be_looked_up_are_refused(tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text(CONFIG.replace('name = "sky"', f'name = "sky"\nfile = "{LONG}.npz"'))
    assert "file name too long" in refused("fit", config, "-o", tmp_path / "run")


def test_what_is_no_file_is_told(tmp_path, monkeypatch):
    assert no_file(tmp_path) == "it is a folder, not a file"
    assert no_file(tmp_path / "a") == no_file(tmp_path / "a" / "b") == "there is no such file"
    assert no_file("a\0b") == "the name has a null character"
    (tmp_path / "a").write_text("")
    assert no_file(tmp_path / "a") is None
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert no_file(tmp_path / "a") == "permission denied"
    if os.name == "posix":
        assert no_file(os.devnull) == "it is a device or a pipe, not a file"


@POSIX
@pytest.mark.parametrize("way", ["-m synax", "bin/synax"])
def test_an_interrupt_of_the_imports_shows_no_traceback(tmp_path, way):
    """The program has no line of its own running yet; a slow module stands in for all."""
    script = tmp_path / "bin" / "synax"
    script.parent.mkdir()
    script.write_text("from synax.cli import program\nprogram()\n")
    (tmp_path / "equinox.py").write_text(
        "import time\nprint('on', flush=True)\ntime.sleep(60)\n"  # synax imports it
    )
    words = ["-m", "synax"] if way == "-m synax" else [str(script)]
    paths = [str(tmp_path), str(Path(__file__).parent.parent)]
    default = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{default}os.execv(sys.executable, {[sys.executable, *words]!r})"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "on\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == -signal.SIGINT


def test_other_programs_keep_their_handler(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "argv", ["my_fit.py"])
    _beginning.ends_at_once()()
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "synax.other"])
    _beginning.ends_at_once()()
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.setattr(sys, "argv", ["/usr/bin/synax"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        undo = _beginning.ends_at_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        undo()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_names_that_are_no_text_here_are_told_apart(tmp_path, monkeypatch):
    """Bytes of another encoding, as Python hands them over."""
    monkeypatch.chdir(tmp_path)
    told = refused("simulate", "--galaxy", "wmap", "--output", os.fsdecode(b"Gr\xf6\xdfe"))
    assert "must be readable in the encoding of this shell, 'utf-8'" in told


def test_a_view_and_sightlines_are_refused_by_the_words_given(tmp_path):
    config = tmp_path / "view.toml"
    config.write_text("[view]\nshape = [4, 4]\nextent = [9, 9]\n")
    assert "leave out --nside or [view]" in refused("simulate", config, "--nside", 2)
    assert "leave out sightlines or [view]" in refused(
        "simulate", config, "--set", "sightlines.nside=2"
    )
