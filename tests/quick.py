"""How tests compile: without optimisation, equal programs once. Nearly all of the suite's time goes
into programs that run once.

Each of these reaches into JAX or jaxtyping, so each is done only where it was seen to work;
elsewhere the suite takes longer. None is done with `SYNAX_TESTS_OPTIMISED=1`, which compiles as
users do.
"""

import ast
import hashlib
import os
import threading
from importlib.metadata import version

import jax
import jaxlib.version

OPTIMISED = bool(os.environ.get("SYNAX_TESTS_OPTIMISED"))
FLAGS = (
    "--xla_cpu_use_fusion_emitters=false",  # compiled in a third of the time
    "--xla_cpu_parallel_codegen_split_count=1",  # in one piece: a tenth less
)
LEFT_OUT = (
    "while-loop-invariant-code-motion,simplify-while-loops,while-loop-constant-sinking,"
    "small-while-loop-hoisting"
)
"""Passes of XLA: without them loops are as they are written, and a march and its gradient compile
in a fifth less."""


def set_flags() -> None:
    """XLA ends the process at a flag that it does not know: only where it was seen to know it."""
    if not jaxlib.version.__version__.startswith("0.10.") or OPTIMISED:
        return
    given = os.environ.get("XLA_FLAGS", "")
    new = [flag for flag in FLAGS if flag.split("=")[0] not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *new]).strip()


def keep_translators(uses: int = 200) -> None:
    """Let JAX translate many programs in one MLIR context: to make one takes 4 ms, a tenth."""
    from jax._src.interpreters import mlir

    make, kept = mlir.make_ir_context, threading.local()

    def context():
        kept.left = getattr(kept, "left", 0) - 1
        if kept.left < 0:  # a context keeps the constants of all its programs
            kept.left, kept.context = uses, make()
        return kept.context

    mlir.make_ir_context = context


PROGRAMS: dict[tuple, object] = {}
"""Compiled programs of this process."""


def forget_places() -> None:
    """Programs without the lines of source they come from, which cost XLA an eighth of its time."""
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir

    mlir.source_info_to_location = lambda *_: ir.Location.unknown()


def share_programs() -> None:
    """Compile equal programs once a process, without optimisation of loops but where asked for."""
    from jax._src import compiler
    from jax._src.interpreters import mlir
    from jaxlib.mlir.passmanager import PassManager

    compile_anew = compiler.compile_or_get_cached
    jax.config.update("jax_enable_compilation_cache", False)  # on a disk, which costs more

    def compile_once(backend, program, devices, options, callbacks, *more, **named):
        with program.context:  # of what is left of places
            PassManager.parse("builtin.module(strip-debuginfo)").run(program.operation)
        if jax.config.read("jax_disable_most_optimizations"):
            given = options.env_option_overrides
            options.env_option_overrides = [*given, ("xla_disable_hlo_passes", LEFT_OUT)]
        if callbacks:  # functions of Python's, known by their addresses
            return compile_anew(backend, program, devices, options, callbacks, *more, **named)
        text = hashlib.sha256(mlir.module_to_bytecode(program)).digest()
        ids = tuple(device.id for device in devices.flat)
        key = (text, options.SerializeAsString(), ids, id(backend))
        if key not in PROGRAMS:
            PROGRAMS[key] = compile_anew(
                backend, program, devices, options, callbacks, *more, **named
            )
        return PROGRAMS[key]

    compiler.compile_or_get_cached = compile_once


def check_outer_functions() -> None:
    """Types are checked where functions are made once; `SYNAX_TESTS_OPTIMISED=1` checks all.

    The check of a function inside another one would be made anew at each call of that one, which
    takes a millisecond or two: more than all that the check finds out.
    """
    from jaxtyping import _import_hook as hook

    visit, name_of = hook.JaxtypingTransformer.visit_FunctionDef, hook.Typechecker.get_hash

    def visit_outer(self, node):
        if not any(isinstance(parent, ast.FunctionDef) for parent in self._parents):
            return visit(self, node)
        self._parents.append(node)
        self.generic_visit(node)
        self._parents.pop()
        return node

    hook.JaxtypingTransformer.visit_FunctionDef = visit_outer
    hook.Typechecker.get_hash = lambda self: f"{name_of(self)}outer"  # of the files of bytecode


def be_quick() -> None:
    """All of them; the flags must be set before JAX's first computation."""
    set_flags()
    if OPTIMISED:
        return
    if jax.__version__.startswith("0.10."):
        keep_translators()
        forget_places()
        share_programs()
    if version("jaxtyping").startswith("0.3."):
        check_outer_functions()
