"""Ctrl-C while the command line is being imported: the program ends, and shows no traceback.

The imports take a second, and several on a machine that has no compiled files of Python yet. Until
they are done no code of the command line runs that could say `interrupted`.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable


def ends_at_once() -> Callable[[], None]:
    """From here on Ctrl-C ends the process, as it ends programs in C; returns what undoes that.

    Does nothing unless this process is the `synax` command: other programs keep their own handler.
    """
    if not (_is_the_command() and threading.current_thread() is threading.main_thread()):
        return lambda: None
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return lambda: None
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def undo() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return undo


def _is_the_command() -> bool:
    """Whether this process was started as `synax` or as `python -m synax`."""
    script = os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0]
    if script != "-m":
        return script == "synax"
    words = sys.orig_argv
    return any(words[i : i + 2] == ["-m", "synax"] for i in range(len(words)))
