"""Files: whole or not at all, nobody else's touched, damage found, JSON without NaN."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import synax
from synax.cli._console import BadInput
from synax.cli._simulate import check_folder
from synax.io import _atomic, save_grid
from synax.io._atomic import (
    CannotWrite,
    _temporary,
    atomic,
    check_place,
    check_target,
    remove_leftovers,
    together,
    write_whole,
)
from synax.io._lock import FolderInUse, FolderLock
from synax.io._plain_json import dumps, exact, explained, from_exact
from synax.io._process import Owner, this_process
from synax.io._sealed import DamagedFile, read_document, read_sealed, seal, seal_document

ROOT = Path(synax.__file__).parents[1]


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def python(program, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)


HOLDS = """
import sys
sys.path.insert(0, sys.argv[2])
import importlib.util, types
for name in ("synax", "synax.io"):  # without the weight of the whole package
    package = types.ModuleType(name)
    package.__path__ = [f"{sys.argv[2]}/{name.replace('.', '/')}"]
    sys.modules[name] = package
from pathlib import Path
from synax.io._atomic import _temporary
from synax.io._lock import FolderLock
folder = Path(sys.argv[1])
lock, left = FolderLock(folder), _temporary(folder / "map.fits")
print(left, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a folder and writes a file there; and that file."""
    process = python(HOLDS, tmp_path, ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_a_living_owner_keeps_and_a_killed_one_loses(tmp_path, holder):
    process, left = holder
    assert left.exists() and remove_leftovers(tmp_path) == []
    with pytest.raises(FolderInUse, match=f"in use by process {process.pid} on .* \\(since"):
        FolderLock(tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert remove_leftovers(tmp_path) == []
    process.kill()
    process.wait()
    with atomic(tmp_path / "other.txt") as temporary:  # any write into the folder clears it
        temporary.write_text("x")
    assert not left.exists()
    lock = FolderLock(tmp_path)
    assert f"process {process.pid} " in lock.dead
    with pytest.raises(FolderInUse, match=f"process {os.getpid()} "):
        FolderLock(tmp_path)
    lock.release()
    assert names(tmp_path) == ["other.txt"]
    FolderLock(tmp_path).release()


def test_another_host_and_another_program_are_not_overruled(tmp_path):
    path = tmp_path / "run.lock"
    about = {"program": "synax", "host": "node7", "since": "noon", "owner": ["0" * 8, 7, "ab"]}
    path.write_text(json.dumps(about))
    with pytest.raises(FolderInUse, match=r"process 7 on node7 .*delete '.*run.lock'"):
        FolderLock(tmp_path)
    for foreign in ("", "locked by emacs", "[]", '{"owner": 3}'):
        path.write_text(foreign)
        with pytest.raises(FolderInUse, match=r"no lock that synax can read.*delete that"):
            FolderLock(tmp_path)
        assert path.read_text() == foreign
    assert Owner("0" * 8, 7, "ab").alive() is None and this_process().alive() is True
    assert Owner(this_process().host, os.getpid(), "ab").alive() is False  # a later process


HOST, PID, START = this_process()
DEAD = f".synax-{HOST}-{PID}-0abc-0123456789ab.partial"
FOREIGN = [
    ".pre-commit-config.yaml", ".python-version", ".my-notes.txt", ".synax-notes", ".sky-x1.fits",
    f"{DEAD}.tar.gz", f"x{DEAD}", DEAD[1:], DEAD.replace("partial", "part"), DEAD.upper(),
    DEAD.replace(HOST, "01234567"), f".synax-{HOST}-{PID}-{START}-0123456789ab.partial.fits",
]  # fmt: skip


def test_only_files_of_our_exact_name_whose_owner_ended_are_removed(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in (*FOREIGN, f"sub/{DEAD}"):
        (tmp_path / name).write_text("precious")
    (tmp_path / f"{DEAD}.dir").mkdir()
    (tmp_path / f"{DEAD}.lnk").symlink_to(tmp_path / ".my-notes.txt")
    before = names(tmp_path)
    for name in (DEAD, f"{DEAD}.fits"):
        (tmp_path / name).write_text("half")
    assert len(remove_leftovers(tmp_path)) == 2 and names(tmp_path) == before
    assert all((tmp_path / name).read_text() == "precious" for name in FOREIGN)


@pytest.mark.parametrize("overwrite", [False, True])
def test_targets_that_cannot_be_written_are_found_before(tmp_path, overwrite):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("precious")
    for name, words in {
        "folder": "is a folder", "dangling": "link to a file that does not exist",
        "loop": "loop", "pipe": "device or a pipe", "no/file": "does not exist", "file/x": "file",
        "x" * 300: "name", "a\0b": "null",
    }.items():  # fmt: skip
        with pytest.raises(OSError, match=words):
            check_target(tmp_path / name, overwrite)
    with pytest.raises(OSError, match="not writable"):
        check_target("/proc/synax.fits", overwrite)
    for name, words in {"file/sub": "is a file", "dangling/x": "link", "dangling": "link"}.items():
        with pytest.raises(OSError, match=words):
            check_place(tmp_path / name)
    assert names(tmp_path) == ["dangling", "file", "folder", "loop", "pipe"]


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_whole(tmp_path / "link.txt", b"new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_two_outputs_that_are_links_to_one_file_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).symlink_to("real.txt")
    (tmp_path / "real.txt").write_text("old")
    with pytest.raises(CannotWrite, match=r"'.*b': another output is '.*real.txt', by a link"):
        with together(tmp_path, overwrite=True) as stage:
            for name in ("a", "b"):
                with stage(name) as temporary:
                    temporary.write_text(name)
    assert (tmp_path / "real.txt").read_text() == "old"
    assert names(tmp_path) == ["a", "b", "real.txt"]
    with pytest.raises(BadInput, match="a and b are links to one file; remove one of them"):
        check_folder(tmp_path, ["a", "b"], overwrite=True)


def test_files_of_two_writers_come_one_after_the_other(tmp_path, monkeypatch):
    """Without leave to replace, the second fails in one sentence; with it, it has all files."""

    def write(who, overwrite, meanwhile=lambda: None):
        with together(tmp_path, overwrite) as stage:
            for name in ("a", "b"):
                with stage(name) as temporary:
                    temporary.write_text(who)
            meanwhile()

    with pytest.raises(CannotWrite, match="has come into being meanwhile, by another program"):
        write("one", False, lambda: write("two", False))
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["two", "two"]
    with pytest.raises(CannotWrite, match="a': it has come into being meanwhile"):
        write("three", False)
    place, threads, waited = _atomic._place, [], []

    def slowly(*given):
        if not threads:  # between the two files of the first, the second wants to place its own
            threads.append(threading.Thread(target=write, args=("second", True)))
            threads[0].start()
            threads[0].join(0.5)
            waited.append(threads[0].is_alive())
        place(*given)

    monkeypatch.setattr(_atomic, "_place", slowly)
    write("first", True)
    threads[0].join()
    assert waited == [True]
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["second", "second"]


def test_what_comes_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError, match="meanwhile"), atomic(path) as temporary:
        temporary.write_text("ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "full"), ValueError])
def test_files_come_together_or_not_at_all(tmp_path, error):
    folder = tmp_path / "new" / "deep"
    with together(folder) as stage:
        for name in ("a", "b"):
            with stage(name) as temporary:
                temporary.write_text(name)
        assert not (folder / "a").exists()
    assert (folder / "a").read_text() == "a" and names(folder) == ["a", "b"]
    wanted = CannotWrite if isinstance(error, OSError) else error
    for place in (folder, tmp_path / "other" / "deep"):
        with pytest.raises(wanted) as caught, together(place, overwrite=True) as stage:
            with stage("a") as temporary:
                temporary.write_text("x")
            with stage("c") as temporary:
                raise error
        if wanted is CannotWrite:
            assert str(caught.value) == f"cannot write '{place / 'c'}': full"
    assert names(tmp_path) == ["new", "new/deep", "new/deep/a", "new/deep/b"]
    assert (folder / "a").read_text() == "a"


FULL = """
import resource, sys
import numpy as np, synax
from synax.io import save_grid, save_map
from synax.maps import SkyMap
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
box = synax.Box((1.0, 1.0, 1.0))
grid = synax.GridField(np.ones((3, 16, 16, 16)), box)
for name in ("g.h5", "g.npz", "g.fits", "g.vti", "g.vtk", "g.bin"):
    try:
        save_grid(f"{sys.argv[1]}/{name}", grid)
    except OSError as error:
        print(error)
try:
    save_map(f"{sys.argv[1]}/m.fits", SkyMap(np.ones(12 * 16**2), "RM", 16))
except OSError as error:
    print(error)
"""


def test_a_full_disk_is_told_with_the_file_and_crashes_nothing(tmp_path):
    """A limit on the size of files fails where a full disk does; HDF5 used to crash at the end."""
    process = python(FULL, tmp_path, stdout=subprocess.PIPE)
    said = process.communicate()[0].splitlines()
    assert process.returncode == 0 and names(tmp_path) == []
    files = ("g.h5", "g.npz", "g.fits", "g.vti", "g.vtk", "g.bin", "m.fits")
    assert [line.partition(": ")[0] for line in said] == [
        f"cannot write '{tmp_path / name}'" for name in files
    ]


def test_hdf5_made_in_memory_is_read_as_before(tmp_path):
    grid = synax.GridField(np.arange(27.0).reshape(3, 3, 3), synax.Box((1.0, 2.0, 3.0)))
    save_grid(tmp_path / "g.h5", grid)
    assert np.array_equal(synax.io.load_grid(tmp_path / "g.h5").values, grid.values)


CONTENT = seal(bytes(range(256)))


@settings(max_examples=200, deadline=None)
@given(bit=st.integers(0, 8 * len(CONTENT) - 1), length=st.integers(0, len(CONTENT) - 1))
def test_every_flipped_bit_and_every_cut_is_found(tmp_path_factory, bit, length):
    path = tmp_path_factory.mktemp("sealed") / "x"
    path.write_bytes(CONTENT)
    assert read_sealed(path) == bytes(range(256))
    changed = bytearray(CONTENT)
    changed[bit // 8] ^= 1 << bit % 8
    for damaged in (bytes(changed), CONTENT[:length], CONTENT + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile, match=str(path)):
            read_sealed(path)


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=4)
KEYS = st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(record=st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_json_has_no_nan_and_says_what_is_missing(tmp_path_factory, record):
    def refuse(token):
        raise AssertionError(token)

    text = dumps(explained(record))
    found = json.loads(text, parse_constant=refuse)
    count = text.count("null") - json.dumps(record).count("null")
    assert len(found.get("not_finite", [])) >= min(1, count)
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(seal_document(record))
    assert read_document(path) == json.loads(dumps(record))
    assert repr(from_exact(json.loads(json.dumps(exact(record), allow_nan=False)))) == repr(record)


def test_numbers_that_are_not_finite_are_listed_by_their_place():
    record = {"a": [1.0, math.nan], "b": {"c": np.float32("-inf")}, "d": np.array([1, 2])}
    made = explained(record)
    assert made["a"] == [1.0, None] and made["b"]["c"] is None and made["d"] == [1, 2]
    assert made["not_finite"] == ["a.1 = nan", "b.c = -inf"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b"{}", b'{"a": 1, "sha256": "0"}'])
def test_damaged_documents_are_named(tmp_path, content):
    path = tmp_path / "configuration.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"configuration\.json' is damaged"):
        read_document(path)


def test_temporary_names_keep_the_ending(tmp_path):
    for name, ending in {"a.fits": ".fits", "b": ".partial", "c.d e": ".partial"}.items():
        assert _temporary(tmp_path / name).suffix == ending


RAYS = synax.Sightlines.healpix(1)
WRITERS = {
    "map": lambda path: synax.SkyMap(np.ones(12), "RM", nside=1).save(path),
    "depths": lambda path: synax.io.save_depths(path, [1.0, 2.0], np.ones((2, 12), complex), RAYS),
    "image": lambda path: synax.instruments.View(
        synax.Sightlines.parallel((2, 2), (9, 9)), distance=100.0
    ).save(path, np.ones(4), unit="K"),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_name_that_says_another_format_is_refused(write, tmp_path):
    for name in ("sky.png", "sky.npz", "sky.H5", "sky.csv.gz", "sky.toml"):
        with pytest.raises(ValueError, match=rf"{name}.*is written as FITS.*in \.fits"):
            write(tmp_path / name)
    assert not list(tmp_path.iterdir())
    for name in ("sky.fits", "sky.FIT", "sky", "sky_23.5GHz", "sky.fits.gz"):
        write(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 0


def test_a_survey_is_written_as_toml_only(tmp_path):
    survey = synax.instruments.Survey("one", 1.4)
    with pytest.raises(ValueError, match=r"survey is written as TOML.*in \.toml, not in \.fits"):
        survey.save(tmp_path / "one.fits")
    survey.save(tmp_path / "one.toml")
    assert synax.instruments.Survey.read(tmp_path / "one.toml").name == "one"
