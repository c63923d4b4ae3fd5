"""Messages and progress bars of a terminal: on standard error; data as it is made on standard output."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text


class _Rate(ProgressColumn):
    """Units per second, short."""

    def render(self, task: RichTask) -> Text:
        unit = task.fields.get("unit", "")
        if not unit or not task.speed:
            return Text("")
        speed = task.speed
        prefix = ""
        for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0)):
            if speed >= size:
                return Text(f"{speed / size:.1f} {prefix}{unit}/s", style="cyan")
        return Text(f"{speed:.2f} {unit}/s", style="cyan")


class _RichBar:
    def __init__(self, progress: Progress, description: str, total: float | None, unit: str) -> None:
        self.progress = progress
        self.task = progress.add_task(description, total=total, unit=unit, note="")

    def advance(self, amount: float, note: str) -> None:
        if note:
            self.progress.update(self.task, advance=amount, note=note)
        else:
            self.progress.update(self.task, advance=amount)

    def close(self) -> None:
        self.progress.stop_task(self.task)
        self.progress.remove_task(self.task)
        if not self.progress.tasks:
            self.progress.stop()


class _NoBar:
    def advance(self, amount: float, note: str) -> None:
        pass

    def close(self) -> None:
        pass


class TerminalSink:
    """Draw on standard error; bars only where someone can see them move."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.progress: Progress | None = None

    def say(self, message: str) -> None:
        """Print a message, unless quiet."""
        if not self.quiet:
            self.console.print(message, markup=False)

    def show(self, text: str) -> None:
        """Write data to standard output at once, even when quiet; but not where only JSON may stand."""
        if not self.as_json:
            sys.stdout.write(text)
            sys.stdout.flush()

    def fail(self, message: str) -> None:
        """Print an error, even when quiet."""
        self.console.print(message, markup=False, style="red")

    def bar(self, description: str, total: float | None, unit: str) -> Any:
        """Start a bar; one that draws nothing where nobody would see it move."""
        if self.quiet or not self.console.is_terminal:
            return _NoBar()
        if self.progress is None or not self.progress.tasks:
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                _Rate(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                console=self.console,
                transient=True,
            )
            self.progress.start()
        return _RichBar(self.progress, description, total, unit)
