"""Turn requests to stop (Ctrl-C, SIGTERM) into a flag, so that no step is cut in half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lingome.core.progress import say


class StopRequest:
    """Whether someone asked to stop."""

    requested = False


@contextmanager
def catch_stop() -> Iterator[StopRequest]:
    """Take SIGINT and SIGTERM as a wish to stop soon, for the duration of a block.

    The first sets the flag; a second raises KeyboardInterrupt at once. Outside the main thread,
    where Python delivers no signals, the flag stays down.
    """
    stop = StopRequest()

    def ask(signum: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        say("stopping after this step, to save the state (once more to stop at once)")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
