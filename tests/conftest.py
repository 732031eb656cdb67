"""Settings for the whole suite: float64 on (the package itself never touches it), no display."""

import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)

TABLES = Path(__file__).parent / "data"


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


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file():
    """Compiled programs are let go after each file: hundreds of them fill gigabytes."""
    yield
    jax.clear_caches()
