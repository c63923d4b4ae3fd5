"""Messages and progress bars of a Jupyter notebook: drawn with IPython alone, no widgets are needed."""

from __future__ import annotations

import html
import importlib
import sys
import time
from typing import Any

REDRAW_S = 0.2
"""Seconds between two drawings of a bar."""


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it; nobody else has to
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookSink:
    """Show messages as output of the cell, and bars as HTML that is drawn anew in place."""

    def say(self, message: str) -> None:
        """Show one message."""
        sys.stdout.write(message + "\n")
        sys.stdout.flush()

    def show(self, text: str) -> None:
        """Write data as it is made, without a line break."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def bar(self, description: str, total: float | None, unit: str) -> NotebookBar:
        """Start a bar."""
        return NotebookBar(description, total, unit)


class NotebookBar:
    """One running bar of a notebook.

    Parameters
    ----------
    description : str
        What is being done.
    total : float, optional
        Units of work in all; None when unknown.
    unit : str
        Name of the unit.
    """

    def __init__(self, description: str, total: float | None, unit: str) -> None:
        self.description = description
        self.total = total
        self.unit = unit
        self.done = 0.0
        self.note = ""
        self._began = time.monotonic()
        self._drawn = self._began
        self._display: Any = importlib.import_module("IPython.display")
        self._handle: Any = self._display.display(self._display.HTML(self.as_html()), display_id=True)

    def advance(self, amount: float, note: str) -> None:
        """Add units of work; an empty note leaves the last one."""
        self.done += amount
        self.note = note or self.note
        now = time.monotonic()
        if now - self._drawn >= REDRAW_S:
            self._drawn = now
            self._draw(self.as_html())

    def close(self) -> None:
        """Take the bar away."""
        self._draw("")

    def as_html(self) -> str:
        """Give the bar as HTML: description, bar, share, rate, note."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        extent = f' value="{self.done:g}" max="{self.total:g}"' if self.total else ""
        share = f"{min(self.done / self.total, 1):.0%}" if self.total else f"{self.done:,.0f} {self.unit}"
        rate = f"{self.done / seconds:,.0f} {self.unit}/s" if self.unit and self.done else ""
        words = " ".join(html.escape(word) for word in (share, rate, self.note) if word)
        return f"<div>{html.escape(self.description)} <progress{extent}></progress> {words}</div>"

    def _draw(self, text: str) -> None:
        if self._handle is not None:
            self._handle.update(self._display.HTML(text))
