"""A mirror of ``metrics.jsonl`` for TensorBoard."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, Protocol

from lingome.core.extras import require
from lingome.core.rundir import RunDir


class Writer(Protocol):
    """What `Board` asks of TensorBoard's writer."""

    def add_scalar(self, name: str, value: float, step: int, /) -> None:
        """Write a number at a step."""

    def close(self) -> None:
        """Write what is still held in memory."""


def open_writer(folder: str) -> Writer:
    """Open TensorBoard's writer on a folder.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.
    """
    require("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer: Writer = SummaryWriter(folder)
    return writer


class Board:
    """Writes the numbers of one phase into ``tensorboard/<phase>`` of a run.

    What ``metrics.jsonl`` holds of the phase already is written anew, so that a resumed run has no step twice.
    """

    def __init__(self, run: RunDir, phase: str) -> None:
        folder = run.path / "tensorboard" / phase
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = open_writer(str(folder))
        for row in run.read_metrics():
            if row.get("phase") == phase:
                self.write(row)

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a line of metrics: ``train/loss``, ``valid/loss`` ... at its step."""
        for name, value in row.items():
            if name not in ("phase", "split", "step"):
                self._writer.add_scalar(f"{row['split']}/{name}", float(value), int(row["step"]))

    def close(self) -> None:
        """Write what is still held in memory."""
        self._writer.close()
