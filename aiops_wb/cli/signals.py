"""Ctrl-C and its kin: a call ends in one sentence, and its exit code says by what.

Nothing that was begun needs care before the work is under way: while modules are loaded a signal
ends the process at once. Later it interrupts the work, which publishes what is finished; where
that takes too long, because a query does not listen, the process ends all the same. Whatever it
left is what a kill would leave, and the next run takes it up.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Received", "ending_at_once", "interrupting", "told"]

GRACE = 20.0
"Seconds in which the work may end in order."

_TOLD = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "told to stop (SIGTERM)",
    signal.SIGHUP: "its terminal was closed (SIGHUP)",
}


def told(number: int = signal.SIGINT) -> str:
    "What ended a call, and how to go on."
    return f"{_TOLD[number]}; run it again to go on."


class Received:
    "The first signal that came; None while there was none."

    number: int | None = None

    def instead_of(self, code: int, message: str | None) -> tuple[int, str | None]:
        "The exit code and the sentence, whatever became of a signal on its way through the work."
        return (code, message) if self.number is None else (128 + self.number, told(self.number))


@contextmanager
def ending_at_once() -> Iterator[None]:
    "Meanwhile a signal ends the process, with its sentence."
    with _handled(lambda number, frame: _end(number)):
        yield


@contextmanager
def interrupting() -> Iterator[Received]:
    "Meanwhile a signal raises KeyboardInterrupt, once; the work then has `GRACE` seconds to end."
    received = Received()

    def interrupt(number, frame):
        if received.number is None:
            received.number = number
            raise KeyboardInterrupt

    with _handled(interrupt) as handled:
        if not handled:  # a thread of another program: its signals are that program's
            yield received
            return
        with _ended_after(GRACE):
            yield received


@contextmanager
def _handled(handler: Callable) -> Iterator[bool]:
    "Signals go to a handler, where nobody chose otherwise; False outside the main thread."
    if threading.current_thread() is not threading.main_thread():
        yield False
        return
    ours = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in _TOLD}
    # a call inside a call, or inside the loading of one, takes the signals over
    usual = {n: h for n, h in before.items() if h in ours or hasattr(h, "of_a_call")}
    handler.of_a_call = True
    for number in usual:
        signal.signal(number, handler)
    try:
        yield True
    finally:
        for number, handler_before in usual.items():
            signal.signal(number, handler_before)


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    "A thread that ends the process so long after a signal: a query may hear none for minutes."
    done = threading.Event()
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def wait():
        number = _first_of_ours(read)
        if number is not None and not done.wait(seconds):
            _end(number)
        os.close(read)

    threading.Thread(target=wait, daemon=True, name="aiops-wb-signals").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        done.set()
        os.close(write)


def _first_of_ours(pipe) -> int | None:
    "The first signal of interest that comes through a pipe; None when it is closed."
    while numbers := os.read(pipe, 64):
        for number in numbers:
            if number in _TOLD:
                return number
    return None


def _end(number):
    "End the process with its sentence, whatever it is about."
    os.write(2, f"aiops-wb: {told(number)}\n".encode())
    os._exit(128 + number)
