"""Run folders from outside: other people's files, damage, locks, signals, full disks."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import run_cli
from run_cli import call, refused

import synax
from synax.inference import Run, RunRefused, RunWarning, read_draws

ROOT = Path(synax.__file__).parents[1]
CONFIG = run_cli.CONFIG.replace("steps = 60", 'optimizer = "adam"\nsteps = 24\nrestarts = 0')


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "galaxy.toml"
    path.write_text(CONFIG)
    return path


OTHERS = (".pre-commit-config.yaml", ".python-version", "sub/.my-notes.txt", "notes.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished fit (beside other people's files) and a finished sample, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    path = folder / "galaxy.toml"
    path.write_text(CONFIG)
    for name in OTHERS:
        (folder / "fit" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fit" / name).write_text("precious")
    for verb in ("fit", "sample"):
        result = call(verb, path, "--output", folder / verb, "--quiet")
        assert result.exit_code == 0, result.output
    return folder


def copied(finished, verb, tmp_path):
    import shutil

    return Path(shutil.copytree(finished / verb, tmp_path / verb))


NAMES = ("run.json", "configuration.json", "best.npz", "result.json", "posterior.nc",
         "checkpoint.npz", "log.jsonl", "draws/000000000.nc")  # fmt: skip


@pytest.mark.parametrize("verb", ["fit", "sample"])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_with_a_file_of_our_names_is_refused_untouched(config, tmp_path, verb, name):
    folder = tmp_path / "home"
    hidden = (".pre-commit-config.yaml", ".python-version", "sub/.my-notes.txt")
    for path in (*hidden, name):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("precious")
    before = tree(folder)
    for more in ((), ("--resume",)):
        sentence = refused(verb, config, "--output", folder, *more)
        assert name.partition("/")[0] in sentence
    assert tree(folder) == before


def test_a_fit_beside_other_files_leaves_them(finished, tmp_path):
    folder = copied(finished, "fit", tmp_path)
    assert all((folder / name).read_text() == "precious" for name in OTHERS)
    assert not (folder / "run.lock").exists()
    (folder / "report.html").write_text("precious")
    before = tree(folder)
    assert "is no report of synax" in refused("report", folder)
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [("magnetic.b9=1", "b9"), ("magnetic.b0=x", "b0"), ("fit.steps=0", "fit.steps")],
)
def test_a_refused_command_leaves_no_trace(config, tmp_path, change, words):
    before = tree(tmp_path)
    for verb in ("fit", "sample"):
        assert words in refused(verb, config, "-o", tmp_path / "a" / "run", "--set", change)
    assert tree(tmp_path) == before


def test_outputs_that_cannot_be_are_found_before_the_computation(config, tmp_path, monkeypatch):
    from synax.cli import _run

    monkeypatch.setattr(_run, "compute", lambda *a: pytest.fail("computed"))
    (tmp_path / "dangling").symlink_to("nowhere")
    for folder, inside in (("sky", "sky.png"), ("maps", "record.json")):
        (tmp_path / folder / inside).mkdir(parents=True)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "sky.png").symlink_to("/nowhere/at/all")
    before = tree(tmp_path)
    for folder, words in {
        "dangling": "link to a folder that does not exist", "dangling/x": "link",
        "sky": "sky.png' is a folder", "maps": "record.json' is a folder",
        "link": "sky.png' is a link", "galaxy.toml": "is a file", "/proc/x": "not writable",
    }.items():  # fmt: skip
        for more in ((), ("--overwrite",)):
            assert words in refused("simulate", "-o", tmp_path / folder, *more)
    for folder in ("dangling", "galaxy.toml/x", "/proc/x"):
        assert "run.directory" in refused("fit", config, "-o", tmp_path / folder)
    assert tree(tmp_path) == before


def test_a_run_in_use_is_refused(finished, tmp_path):
    folder = copied(finished, "fit", tmp_path)
    from synax.io._lock import FolderLock

    lock = FolderLock(folder)
    config = finished / "galaxy.toml"
    before = tree(folder)
    sentence = refused("fit", config, "--output", folder, "--resume")
    assert f"in use by process {os.getpid()} " in sentence
    assert tree(folder) == before
    lock.release()
    assert call("fit", config, "--output", folder, "--resume", "-q").exit_code == 0


def flipped(path, where=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("verb", ["fit", "sample"])
def test_the_previous_checkpoint_takes_over(finished, tmp_path, verb):
    folder = copied(finished, verb, tmp_path)
    whole = tree(folder)
    for damage in (flipped, lambda p: p.write_bytes(b""), Path.unlink):
        damage(folder / "checkpoint.npz")
        result = call(verb, finished / "galaxy.toml", "-o", folder, "--resume", "-q")
        assert result.exit_code == 0, result.output
        assert result.stderr.startswith("note: ") and "checkpoint.npz'" in result.stderr
        assert "going on from the one before it" in result.stderr
        after = tree(folder)
        for name in ("checkpoint.npz", "posterior.nc", "best.npz", "result.json"):
            assert after.get(name) == whole.get(name)
    flipped(folder / "checkpoint.npz")
    flipped(folder / "checkpoint-previous.npz")
    sentence = refused(verb, finished / "galaxy.toml", "-o", folder, "--resume")
    assert "checkpoint.npz'" in sentence and "checkpoint-previous.npz'" in sentence


def test_the_checkpoint_of_another_run_is_found(finished, tmp_path, config):
    folder = copied(finished, "fit", tmp_path)
    config.write_text(CONFIG.replace("sigma = 1e-6", "sigma = 2e-6"))
    assert call("fit", config, "-o", tmp_path / "other", "-q").exit_code == 0
    for name in ("checkpoint.npz", "checkpoint-previous.npz"):
        (folder / name).write_bytes((tmp_path / "other" / "checkpoint.npz").read_bytes())
    sentence = refused("fit", finished / "galaxy.toml", "-o", folder, "--resume")
    assert "is the checkpoint of another run" in sentence


@pytest.mark.parametrize("where", np.linspace(0.0, 0.999, 12))
def test_a_flipped_bit_in_the_draws_is_found_and_named(finished, tmp_path, where):
    folder = copied(finished, "sample", tmp_path)
    flipped(folder / "posterior.nc", where)
    assert "posterior.nc" in refused("info", folder / "posterior.nc")
    flipped(folder / "draws" / "000000010.nc", where)
    with pytest.raises(ValueError, match=r"000000010\.nc"):
        read_draws(folder)
    assert "000000010.nc" in refused("report", folder)
    assert "000000010.nc" in refused("info", folder / "draws" / "000000010.nc")
    sentence = refused("sample", finished / "galaxy.toml", "-o", folder, "--resume")
    assert "000000010.nc" in sentence


def test_draws_that_are_missing_or_swapped_are_found(finished, tmp_path):
    folder = copied(finished, "sample", tmp_path)
    one, two = folder / "draws" / "000000000.nc", folder / "draws" / "000000010.nc"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    with pytest.raises(ValueError, match=r"000000000\.nc' holds other draws"):
        read_draws(folder)
    one.unlink()
    with pytest.raises(ValueError, match="draws 0 to 9 are missing"):
        read_draws(folder)
    one.write_bytes(first)
    two.unlink()
    assert read_draws(folder)[0]["magnetic.b0"].shape == (2, 10)
    sentence = refused("sample", finished / "galaxy.toml", "-o", folder, "--resume")
    assert "draws 10 to 19 are missing" in sentence


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 9000, b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["run.json", "configuration.json", "result.json", "best.npz"])
def test_damaged_run_folders_give_one_sentence(finished, tmp_path, name, content):
    folder = copied(finished, "fit", tmp_path)
    (folder / name).write_bytes(content)
    if name == "run.json":
        sentence = refused("fit", finished / "galaxy.toml", "-o", folder, "--resume")
    else:
        sentence = refused("report", folder)
    assert name in sentence and "Traceback" not in sentence


def test_a_fit_without_a_finite_loss_fails_and_writes_null(config, tmp_path):
    config.write_text(CONFIG.replace("sigma = 1e-6", "sigma = 1e-300"))
    result = call("fit", config, "-o", tmp_path / "run", "--json")
    written = [p for p in tmp_path.rglob("*.json*") if p.is_file()]
    for path in written:
        for line in path.read_text().splitlines():
            assert "NaN" not in line and "Infinity" not in line
    assert result.exit_code in (1, 2) and "NaN" not in result.stdout
    assert "finite" in result.stderr or "sigma" in result.stderr


SIZE = """
import resource, sys
from synax.cli import _run, main
from synax.inference import Run
begun, limit = sys.argv.pop(1) == "begun", int(sys.argv.pop(1))
def then_limited(function):
    def limited(*args, **kwargs):
        result = function(*args, **kwargs)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return result
    return limited
if begun:  # the first state is kept, and nothing after it
    Run.save = then_limited(Run.save)
else:
    _run.precision = then_limited(_run.precision)
main()
"""


def program(*arguments, code=None, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    start = [sys.executable, "-W", "ignore", *(["-m", "synax"] if code is None else ["-c", code])]
    return subprocess.Popen(
        [*start, *map(str, arguments)], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


PAPER = ("--galaxy", "wmap")  # the quickest sky


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "when", "limit"),
    [
        ("fit", "before", 100),
        ("fit", "before", 900),
        ("sample", "before", 100),
        ("sample", "begun", 100),
        ("simulate", "before", 3000),
    ],
)
def test_a_full_disk_ends_in_one_sentence_with_the_file(config, tmp_path, verb, when, limit):
    run = tmp_path / "run"
    arguments = [config] if verb != "simulate" else [*PAPER, "--nside", 4, "--steps", 4]
    process = program(when, limit, verb, *arguments, "-o", run, "-q", code=SIZE)
    out, err = process.communicate()
    assert process.returncode == 1, (process.returncode, out, err)
    (told,) = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert told.startswith("error: cannot write '") and str(tmp_path) in told
    assert not [p for p in tree(tmp_path) if ".partial" in p or "lock" in p]
    assert run.exists() == (when == "begun")


BEGINS = "import sys, synax.cli; print('on', flush=True); synax.cli.main()"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("wait", [0.5, 2.0, 4.0, 7.0])
def test_interrupted_simulations_say_so_and_leave_nothing(tmp_path, number, wait):
    process = program("simulate", *PAPER, "--nside", 128, "-q", "-o", tmp_path / "sky", code=BEGINS)
    assert process.stdout.readline() == "on\n"
    time.sleep(wait)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "interrupted" in err and "Fatal" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_the_program_cannot_hear_ends_it_all_the_same(tmp_path):
    deaf = (
        "import signal, time; from synax.cli._signals import watched\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may ignore it
        "with watched(0.5):\n"
        "    try: print('on', flush=True); time.sleep(60)\n"
        "    except KeyboardInterrupt: pass\n"
        "    time.sleep(60)\n"
    )
    process = program(code=deaf)
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == "interrupted\n"
    assert process.returncode == 130


def test_an_interrupt_before_a_verb_begins_is_told(monkeypatch, capsys):
    """Typer makes a silent exit of what comes while it reads the command line."""
    from typer.core import TyperGroup

    from synax.cli import _app

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    codes = []
    monkeypatch.setattr(TyperGroup, "make_context", interrupted)
    monkeypatch.setattr(_app, "watched", contextlib.nullcontext)
    monkeypatch.setattr(_app, "use_cores", lambda: None)
    monkeypatch.setattr(_app, "leave", codes.append)
    _app.main()
    assert codes == [130] and capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("verb", ["fit", "sample"])
def test_an_interrupted_run_says_how_it_goes_on(config, tmp_path, verb, monkeypatch):
    run = tmp_path / "run"
    save = Run.save
    count = []

    def interrupted(self, *args, **kwargs):
        if len(count) == limit:
            raise KeyboardInterrupt
        count.append(save(self, *args, **kwargs))

    monkeypatch.setattr(Run, "save", interrupted)
    limit = 0
    result = call(verb, config, "-o", run, "-q")
    assert result.exit_code == 130 and result.stderr.strip().startswith("interrupted")
    assert verb == "sample" or not run.exists()
    limit = 1
    result = call(verb, config, "-o", run if verb == "fit" else tmp_path / "run2", "-q")
    assert result.exit_code == 130 and "goes on with --resume" in " ".join(result.stderr.split())
    assert not list(tmp_path.rglob("run.lock"))


def test_the_library_refuses_and_warns_as_the_program_does(tmp_path):
    import jax.numpy as jnp

    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "posterior.nc").write_text("precious")
    with pytest.raises(RunRefused, match=r"holds posterior\.nc, but no run of synax"):
        Run(tmp_path / "result").begin("fit", {}, {})
    with Run(tmp_path / "run") as run:
        run.begin("fit", {}, {})
        with pytest.raises(RunRefused, match=f"in use by process {os.getpid()} "):
            Run(tmp_path / "run").begin("fit", {}, {})
        for n in range(3):
            run.save({"n": jnp.int32(n)}, {"n": float("nan")})
        flipped(tmp_path / "run" / "checkpoint.npz")
        with pytest.warns(RunWarning, match="going on from the one before it"):
            state, note = run.restore({"n": jnp.int32(0)})
        assert int(state["n"]) == 1 and np.isnan(note["n"])
        run.save({"n": jnp.int32(5)}, {})  # the damaged one does not become the previous one
        flipped(tmp_path / "run" / "checkpoint.npz")
        with pytest.warns(RunWarning):
            assert int(run.restore({"n": jnp.int32(0)})[0]["n"]) == 1
    with pytest.raises(RuntimeError), Run(tmp_path / "deep" / "empty") as run:
        run.begin("fit", {}, {})
        raise RuntimeError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result", "run"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["kind"] == "fit"
