"""Ctrl-C, and being told to end: the program says so and is gone in seconds.

Python runs its handlers between two of its own instructions, and compiled code (a compilation of
XLA may take a minute) has none. So a second thread waits for signals too, and ends the program if
the first has not ended by itself.
"""

import atexit
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

GRACE = 5.0


class Told(KeyboardInterrupt):
    """A signal other than Ctrl-C asked the program to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def watched(grace: float = GRACE) -> Iterator[None]:
    """Inside, signals end the program within `grace` seconds, at once when sent twice."""
    old = {number: signal.getsignal(number) for number in _numbers()}
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    over = threading.Event()
    before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    for number in old:
        signal.signal(number, _raise)
    threading.Thread(target=_wait, args=(ear, set(old), over, grace), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        for number, handler in old.items():
            signal.signal(number, handler)
        mouth.close()


def _numbers() -> list[int]:
    """Signals that would end the program by default (a shell may have had them ignored)."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    found = [getattr(signal, name) for name in names if hasattr(signal, name)]
    usual = (signal.SIG_DFL, signal.default_int_handler)
    return [number for number in found if signal.getsignal(number) in usual]


def _raise(number: int, frame: Any) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else Told(number)


def _wait(ear: socket.socket, numbers: set[int], over: threading.Event, grace: float) -> None:
    heard = b""
    with suppress(OSError), ear:
        while not heard:
            heard = bytes(n for n in ear.recv(64) if n in numbers)
            if over.is_set():
                return
        ear.settimeout(grace)
        with suppress(TimeoutError):
            ear.recv(64)
    if heard and not over.is_set():
        with suppress(OSError):
            os.write(2, b"interrupted\n")
        os._exit(128 + heard[0])


def leave(code: int) -> int:
    """Flush what was printed; after a failure end at once. Returns the exit code.

    Threads of JAX may still be computing then, and crash while Python takes itself apart.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; all is done
        os._exit(code)
    except OSError as error:
        code = code or 1
        with suppress(OSError):
            sys.stderr.write(f"error: cannot write standard output: {error.strerror}\n")
    with suppress(OSError):
        sys.stderr.flush()
    if code:
        os._exit(code)
    return code


def end() -> None:
    """End the process after a success, as Python does but for taking itself apart: 0.3 s."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
