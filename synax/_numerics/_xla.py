"""One setting of XLA that is changed on a CPU: products of small matrices that end the process.

XLA multiplies matrices on a CPU by kernels of the library YNNPACK. From jaxlib 0.9.2 on some of
them read up to 256 bytes behind the second matrix. Where its memory ends there, the process ends
with a segmentation fault: seldom, and anywhere in a program. They are used for sums with a product
in them too, so the library is switched off as a whole; XLA then uses Eigen's and its own.
"""

import os

from jaxlib import version

FLAG = "--xla_cpu_experimental_ynn_fusion_type"
FIRST, LAST = (0, 9, 2), (0, 12, 0)
"""Versions of jaxlib seen to have the kernels and the flag; of a flag that is unknown, XLA dies."""


def has_fault(number: str = version.__version__) -> bool:
    """Whether a version of jaxlib has it."""
    return FIRST <= tuple(int(part) for part in number.split(".")[:3]) <= LAST


def avoid_overreading_kernels() -> None:
    """Switch them off, unless `XLA_FLAGS` says something of them.

    XLA reads its flags once, before the first computation of a process. It is made to do so here,
    and the environment, which other programs inherit, is left as it was. After a computation
    nothing changes.
    """
    given = os.environ.get("XLA_FLAGS")
    if not has_fault() or FLAG in (given or ""):
        return
    try:
        from jaxlib import xla_client
    except ImportError:  # later versions may call it otherwise
        return
    os.environ["XLA_FLAGS"] = f"{given or ''} {FLAG}=".strip()
    try:
        _ = xla_client.CompileOptions().executable_build_options.debug_options
    finally:
        if given is None:
            del os.environ["XLA_FLAGS"]
        else:
            os.environ["XLA_FLAGS"] = given
