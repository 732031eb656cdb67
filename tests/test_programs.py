"""Compiled programs that the command line keeps: checked, shared by runs, never in the way."""

import hashlib
import os
import subprocess
import sys
import zlib
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from synax.cli import _app, _programs
from synax.cli._programs import Programs
from synax.io._process import Owner, this_process

KEY = "jit_f-" + 64 * "a"


def key(letter: str) -> str:
    return f"jit_f-{64 * letter}"


def made(store: Programs, name: str, content: bytes) -> None:
    """What JAX does when it has compiled a program."""
    (store.private / f"{name}-cache").write_bytes(content)


def kept(folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for path, name, _ in _programs._kept(folder)}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "synax" / ("jax-1.2.3-" + 16 * "0")
    folder.mkdir(parents=True, mode=0o700)
    return folder


def test_a_program_of_one_run_is_there_for_the_next(folder):
    with Programs.open(folder) as store:
        made(store, KEY, zlib.compress(b"program"))
    assert not store.private.exists()
    with Programs.open(folder) as store:
        assert zlib.decompress((store.private / f"{KEY}-cache").read_bytes()) == b"program"
    assert kept(folder) == {KEY: zlib.compress(b"program")}


@pytest.mark.parametrize("content", [b"", b"x", zlib.compress(b"program")[:-1], b"\x78\x9c1234"])
def test_what_was_not_written_to_its_end_is_not_kept(folder, content):
    with Programs.open(folder) as store:
        made(store, KEY, content)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda c: c[:-9], lambda c: b"", lambda c: b"y" + c[1:]])
def test_a_damaged_program_is_removed_before_jax_sees_it(folder, damage):
    for name in (key("a"), key("b")):
        with Programs.open(folder) as store:
            made(store, name, zlib.compress(b"program"))
    (path,) = (path for path, name, _ in _programs._kept(folder) if name == key("a"))
    path.write_bytes(damage(path.read_bytes()))
    with Programs.open(folder) as store:
        assert [p.name for p in store.private.iterdir()] == [f"{key('b')}-cache"]
    assert set(kept(folder)) == {key("b")}


def test_two_runs_at_once(folder):
    with Programs.open(folder) as first, Programs.open(folder) as second:
        made(first, KEY, zlib.compress(b"of the first"))
        made(second, KEY, zlib.compress(b"of the second"))
        made(second, key("b"), zlib.compress(b"another"))
    assert kept(folder) == {
        KEY: zlib.compress(b"of the second"),
        key("b"): zlib.compress(b"another"),
    }
    assert [p for p in folder.iterdir() if p.is_dir()] == []


def test_folders_of_killed_runs_are_removed_and_no_others(folder):
    own = this_process()
    dead = Owner(own.host, 2**22 + 1, own.started)
    elsewhere = Owner("00000000", dead.pid, own.started)
    ended, foreign, living, inside = (
        folder / f"run-{owner.host}-{owner.pid}-{owner.started}-{mark * 12}"
        for owner, mark in ((dead, "1"), (elsewhere, "2"), (own, "3"), (dead, "4"))
    )
    for path in (ended, foreign, living, inside, folder / "run-mine"):
        path.mkdir()
        (path / f"{KEY}-cache").write_bytes(b"half a pro")
    (inside / "thesis.txt").write_text("not ours")
    with Programs.open(folder) as store:
        assert list(store.private.iterdir()) == []
    assert not ended.exists()
    assert [p.name for p in inside.iterdir()] == ["thesis.txt"]
    for path in (foreign, living, folder / "run-mine"):
        assert [p.name for p in path.iterdir()] == [f"{KEY}-cache"]


def test_the_oldest_are_removed_beyond_the_bound_other_versions_too(folder, monkeypatch):
    older = folder.parent / ("jax-0.0.1-" + 16 * "0")
    older.mkdir()
    (folder.parent / "notes").mkdir()
    for age, (where, letter) in enumerate([(folder, "a"), (folder, "b"), (older, "c")]):
        content = zlib.compress(os.urandom(1000))
        path = where / f"{key(letter)}.{hashlib.sha256(content).hexdigest()}"
        path.write_bytes(content)
        os.utime(path, (1e9 - age, 1e9 - age))
    (folder / "mine.txt").write_text("stays")
    monkeypatch.setattr(_programs, "MOST_BYTES", 2500)
    with Programs.open(folder) as store:
        made(store, key("d"), zlib.compress(os.urandom(1000)))
    assert set(kept(folder)) == {key("a"), key("d")}
    assert not older.exists()
    assert (folder.parent / "notes").exists() and (folder / "mine.txt").exists()


def test_without_hard_links_programs_are_copied(folder, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):
        with Programs.open(folder) as store:
            made(store, KEY, zlib.compress(b"program"))
    assert kept(folder) == {KEY: zlib.compress(b"program")}


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path, folder, monkeypatch):
    (tmp_path / "file").write_text("")
    assert Programs.open(tmp_path / "file" / "jax") is None
    assert Programs.open(tmp_path / "file") is None
    assert Programs.open(None) is None
    folder.chmod(0o770)  # others of the group could put a program there
    assert Programs.open(folder) is None
    folder.chmod(0o700)
    (tmp_path / "link").symlink_to(folder)
    assert Programs.open(tmp_path / "link") is None

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    assert Programs.open(folder) is None


def test_a_full_disk_at_the_end_is_no_error(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with Programs.open(folder) as store:
        made(store, KEY, zlib.compress(b"program"))
        monkeypatch.setattr(os, "replace", full)
    assert list(folder.iterdir()) == []


def test_the_place_is_that_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _programs.cache_folder().parent == tmp_path / "synax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the standard
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert _programs.cache_folder().parent == tmp_path / "home" / ".cache" / "synax"


@pytest.mark.parametrize(
    ("words", "used"),
    [
        (["simulate", "--print-config"], True),
        (["fit", "--print-config"], True),
        (["--no-compile-cache", "simulate", "--print-config"], False),
        (["models", "WMAP", "--json"], False),
    ],
)
def test_verbs_that_compile_and_the_flag(monkeypatch, words, used):
    entered = []
    monkeypatch.setattr(_app, "kept_programs", lambda: _spy(entered))
    with ExitStack() as stack:
        assert CliRunner().invoke(_app.app, words, obj=stack).exit_code == 0
    assert entered == ["in", "out"] * used
    CliRunner().invoke(_app.app, words)  # the application inside another program sets nothing
    assert entered == ["in", "out"] * used


class _spy:
    def __init__(self, entered):
        self.entered = entered

    def __enter__(self):
        self.entered.append("in")

    def __exit__(self, *_):
        self.entered.append("out")


SCRIPT = """
import os, signal, sys
import jax
from jax import monitoring
from synax.cli._programs import kept_programs

heard = []
monitoring.register_event_listener(lambda name, **_: heard.append(name.split("/")[-1]))
with kept_programs():
    jax.jit(lambda x: (x * 3).sum())(jax.numpy.ones(5))
    if "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
print(heard.count("cache_hits"), heard.count("cache_misses"), jax.config.jax_compilation_cache_dir)
"""


def test_jax_takes_the_program_and_a_killed_run_harms_none(tmp_path):
    """A killed run leaves its folder; the next one compiles, the third takes what it kept."""
    unwanted = ("JAX_COMPILATION_CACHE_DIR",)
    environment = {k: v for k, v in os.environ.items() if k not in unwanted}
    environment["XDG_CACHE_HOME"] = str(tmp_path)

    def run(*words):
        command = [sys.executable, "-c", SCRIPT, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    assert run("die").returncode == -9
    (folder,) = (tmp_path / "synax").iterdir()
    assert [p.name.split("-")[0] for p in folder.iterdir()] == ["run"]
    first, second = run(), run()
    assert first.stderr == second.stderr == ""
    hits, misses, private = first.stdout.split()
    assert int(hits) == 0 and int(misses) > 0 and not Path(private).exists()
    assert [int(x) for x in second.stdout.split()[:2]] == [int(misses), 0]
    assert all(p.is_file() for p in folder.iterdir())
