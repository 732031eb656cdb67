"""Vectors of 512 bits, for programs in which XLA is right with them.

XLA compiles for vectors of 256 bits, also where a processor has longer ones. With 512 bits the
march of the calibrated Galaxy takes two thirds of the time. But jaxlib 0.10.2 then computes a wrong
arctan (`stablehlo.atan2` with a constant, XLA's own code for it). So a program gets them only if
all its operations are among those that were tried, and only on processors that do not slow down
for them.
"""

import functools
import re
from pathlib import Path

import jax

TRIED = frozenset(
    """
    abs add and bitcast_convert broadcast_in_dim call case cbrt ceil clamp compare composite
    concatenate constant convert cosine divide dot_general dynamic_slice dynamic_update_slice
    exponential exponential_minus_one floor func gather iota is_finite log log_plus_one maximum
    minimum multiply negate not or pad power reduce remainder reshape return reverse
    round_nearest_even rsqrt scatter select shift_left shift_right_arithmetic shift_right_logical
    sign sine slice sqrt subtract tan tanh transpose while xor
    """.split()
)
"""Operations of StableHLO: those of arithmetic are in tests/test_lowered.py, both dtypes."""

OPTION = {"xla_cpu_prefer_vector_width": 512}
_NAME = re.compile(rb"\x00([a-z][a-z0-9_]*)_v[0-9]+(?=\x00)")


def options(program: bytes) -> dict[str, int] | None:
    """Options of the compiler for a program, serialised StableHLO; None: its own."""
    names = {name.decode() for name in _NAME.findall(program)}
    # numbers in it may look like a name, seldom: the program then has shorter vectors
    return OPTION if names and names <= TRIED and _has_them() else None


@functools.cache
def _has_them() -> bool:
    """Whether the device is a processor made since long vectors cost it no speed."""
    if jax.default_backend() != "cpu":
        return False
    try:
        return "avx512_vbmi2" in Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
