"""Messages and progress bars, drawn by whoever listens.

Code below the command line never prints: it says and tracks, and a sink (the terminal, a
notebook, a test) decides what to show. Without a sink both are silent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """One running bar."""

    def advance(self, amount: float, note: str) -> None:
        """Add units of work; an empty note leaves the last one."""

    def close(self) -> None:
        """Take the bar away."""


class Sink(Protocol):
    """Where messages and bars go."""

    def say(self, message: str) -> None:
        """Show one message."""

    def show(self, text: str) -> None:
        """Write data as it is made, without a line break."""

    def bar(self, description: str, total: float | None, unit: str) -> Bar:
        """Start a bar."""
        ...


class Task:
    """A piece of work that advances; handed out by `track`."""

    def __init__(self, bar: Bar | None) -> None:
        self._bar = bar
        self.started_s = time.monotonic()

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Add `amount` units of work; `note` stands beside the bar (loss, file name)."""
        if self._bar is not None:
            self._bar.advance(amount, note)


_sink: Sink | None = None


def set_sink(sink: Sink | None) -> None:
    """Choose who shows messages and bars; None silences them."""
    global _sink
    _sink = sink


def has_sink() -> bool:
    """Say whether anybody shows messages and bars."""
    return _sink is not None


@contextmanager
def silence() -> Iterator[None]:
    """Show neither messages nor bars for the duration of a block."""
    sink = _sink
    set_sink(None)
    try:
        yield
    finally:
        set_sink(sink)


def say(message: str) -> None:
    """Tell the user one line."""
    if _sink is not None:
        _sink.say(message)


def show(text: str) -> None:
    """Give the user data while it is made, as letters of a sequence; no line break is added."""
    if _sink is not None:
        _sink.show(text)


@contextmanager
def track(description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
    """Show a bar for the duration of a block.

    Parameters
    ----------
    description : str
        What is being done, in a few words.
    total : float, optional
        Units of work in all; None when unknown.
    unit : str
        Name of the unit, for the rate beside the bar: ``tokens``, ``bases``, ``bytes``.
    """
    bar = _sink.bar(description, total, unit) if _sink is not None else None
    try:
        yield Task(bar)
    finally:
        if bar is not None:
            bar.close()
