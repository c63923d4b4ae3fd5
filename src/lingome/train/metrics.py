"""Lines of ``metrics.jsonl``."""

from __future__ import annotations

import json

from lingome.core.files import write_text
from lingome.core.rundir import RunDir


def write_metric(run: RunDir, *, phase: str, split: str, step: int, tokens: int, **values: float) -> None:
    """Append one measurement: after `step` steps and `tokens` tokens of a phase.

    Parameters
    ----------
    run : RunDir
        Gets the line.
    phase : str
        Name of the training.
    split : {"train", "valid"}
        What was measured on.
    step, tokens : int
        How many were done and seen before.
    **values : float
        Measures by name, rounded to seven digits.
    """
    rounded = {name: float(f"{value:.7g}") for name, value in values.items()}
    run.append_metric(phase=phase, split=split, step=step, tokens=tokens, **rounded)


def drop_metrics_after(run: RunDir, phase: str, step: int) -> None:
    """Remove a phase's measurements later than a step, which are about to be made again."""
    rows = run.read_metrics()
    kept = [row for row in rows if row.get("phase") != phase or row.get("step", 0) <= step]
    text = "".join(json.dumps(row) + "\n" for row in kept)
    file = run.path / "metrics.jsonl"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        write_text(file, text)
