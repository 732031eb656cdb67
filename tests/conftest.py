"""Settings for the whole suite: float64 on (the package itself never touches it), no display.

Nearly all of the suite's time is compilation of programs that run once: see `quick.py`.
`SYNAX_TESTS_OPTIMISED=1` compiles as users do.
"""

import contextlib
import ctypes
import gc
import os
import platform
import re
import socket
import tempfile
from pathlib import Path

import hypothesis
import jax
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from quick import OPTIMISED, PROGRAMS, be_quick

matplotlib.use("Agg")
be_quick()
gc.disable()  # until everything is imported

# of the workers, which start after this: threads that wait for each other burn what others need
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of healpy's transforms
ON_DISK = tempfile.TemporaryDirectory(prefix="synax-tests-")  # of this worker alone

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", not OPTIMISED)
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(not OPTIMISED))  # of programs started here
jax.config.update("jax_compilation_cache_dir", ON_DISK.name)  # never that of a person
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.02)  # less costs more to keep
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

TABLES = Path(__file__).parent / "data"
DEAR = (
    "docs laws transfer devices catalogue cli_runs magnetic_models sampling cli_physics "
    "reference_maps"
)


def free_memory() -> int:
    """Bytes that may still be taken here, as Linux tells them; elsewhere 0."""
    try:
        told = dict(re.findall(r"(\w+): +(\d+) kB", Path("/proc/meminfo").read_text()))
        found = [1024 * int(told["MemAvailable"])]
    except (OSError, KeyError):
        return 0
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):  # of a container
        with contextlib.suppress(OSError, ValueError):
            found.append(int((Path("/sys/fs/cgroup") / limit).read_text()))
    return min(found)


WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
MOST_MEMORY = max(2 * 2**30, free_memory() // 2 // WORKERS)
"""Bytes of one worker, above which compiled programs are let go: of half of what is free."""


def pytest_collection_finish():
    """Full collections of garbage walk all of JAX's modules: seldom, and not over those."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(200_000, 100, 100)


@pytest.fixture(scope="session")
def table():
    """Load one of the small reference tables: `table('lsa_dev')['B']`."""

    def load(name: str):
        return np.load(TABLES / f"{name}.npz", allow_pickle=False)

    return load


@pytest.fixture(scope="session")
def sky_data():
    """Folder of the real sky data, or a skip that says how to get it."""
    folder = os.environ.get("SYNAX_DATA")
    if not folder:
        pytest.skip("real sky data not found: set SYNAX_DATA to the folder that holds them")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Nothing here may open a connection, except to this machine: neither imports nor programs."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo
    near = ("localhost", "127.0.0.1", "::1", platform.node())

    def refuse(host):
        if host not in near:
            raise AssertionError(f"a connection to {host!r} was tried: synax opens none")

    def only_near(self, address):
        refuse(address[0] if isinstance(address, tuple) else "localhost")
        return connect(self, address)

    def known(host, *args, **kwargs):
        refuse(host or "localhost")
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_near)
        patch.setattr(socket, "getaddrinfo", known)
        yield


@pytest.fixture(scope="session", autouse=True)
def small_figures():
    """Nobody looks at the figures of tests: a tenth of the pixels, and where labels need room is
    found for one figure of each number of axes."""
    whole, laid_out = Figure.savefig, set()

    def save(self, *args, **kwargs):
        engine = self.get_layout_engine()
        if len(self.axes) in laid_out and engine is not None:
            self.set_layout_engine("none")
        laid_out.add(len(self.axes))
        try:
            return whole(self, *args, **{**kwargs, "dpi": 40})
        finally:
            self.set_layout_engine("none" if engine is None else engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        yield


def full() -> bool:
    """Whether this process holds too much: of memory, or of its pieces, which Linux counts (a
    compiled program has several, a process at most 65,530). Without /proc, always."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        pieces = Path("/proc/self/maps").read_bytes().count(b"\n")
        most_pieces = int(Path("/proc/sys/vm/max_map_count").read_text())
    except OSError:
        return True
    return pages * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY or pieces > most_pieces // 2


def give_back():
    """Free memory of this process is the system's again, with the C library of Linux."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file():
    """Compiled programs are let go after a file that leaves too many.

    What they held goes back to the system, or each file after this one would leave too many.
    """
    yield
    if full():
        jax.clear_caches()
        PROGRAMS.clear()
        gc.collect()
        give_back()


@pytest.fixture(scope="module")
def optimised():
    """For a file whose programs run for longer than they compile: compiled as users do."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", not OPTIMISED)


def pytest_collection_modifyitems(items):
    """Dear files first, so that all workers end together.

    `SYNAX_TIMES_EXAMPLES=20`: twenty times as many draws of inputs, other ones in each run.
    """
    dear = [f"test_{name}.py" for name in DEAR.split()]
    items.sort(key=lambda i: dear.index(i.path.name) if i.path.name in dear else len(dear))
    times, done = int(os.environ.get("SYNAX_TIMES_EXAMPLES", "1")), set()
    for item in items if times > 1 else ():
        test = getattr(item, "function", None)
        given = getattr(test, "_hypothesis_internal_use_settings", None)
        if given is not None and test not in done:
            more = given.max_examples * times
            own = hypothesis.settings(given, max_examples=more, derandomize=False)
            test._hypothesis_internal_use_settings = own
            done.add(test)
