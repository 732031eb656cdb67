"""Settings for the whole suite: float64 on (the package itself never touches it), no display.

Nearly all of the suite's time is compilation of programs that run once: see `quick.py`.
`SYNAX_TESTS_OPTIMISED=1` compiles as users do.
"""

import gc
import os
import platform
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
MOST_MEMORY = 2 * 2**30  # bytes of one worker, above which compiled programs are let go


def pytest_collection_finish():
    """Full collections of garbage walk all of JAX's modules: seldom, and not over those."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(200_000, 20, 20)


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
    """Nobody looks at the figures of tests: a tenth of the pixels."""
    whole = Figure.savefig

    def save(self, *args, **kwargs):
        return whole(self, *args, **{**kwargs, "dpi": 40})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        yield


def memory() -> int:
    """Bytes that this process holds now; without /proc, always too many."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return MOST_MEMORY + 1
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file():
    """Compiled programs are let go after a file that leaves many: they fill gigabytes."""
    yield
    if memory() > MOST_MEMORY:
        jax.clear_caches()
        PROGRAMS.clear()


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
