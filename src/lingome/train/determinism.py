"""The same bits every time: seeds that are functions of names, and algorithms without a race."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import torch

from lingome.core.progress import say


@contextmanager
def reproducible(device: torch.device, wanted: bool = True) -> Iterator[None]:
    """Train in a block without disturbing the caller's random numbers, and where it can be, to the same bits.

    torch then takes deterministic algorithms wherever it has one (`torch.use_deterministic_algorithms`), cuDNN does
    not try which of its algorithms is fastest, and cuBLAS gets a workspace of its own. An operation that has
    no deterministic algorithm is told once and runs. Everything is set back at the end.

    Parameters
    ----------
    wanted : bool
        False leaves torch's choice of algorithms alone.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        if not wanted:
            yield
            return
        if device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        filling: Any = torch.utils.deterministic
        before = (
            torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.benchmark, filling.fill_uninitialized_memory,
        )
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        # Filling new memory only makes the bugs of others repeatable, and costs a pass over every tensor.
        filling.fill_uninitialized_memory = False
        try:
            with _told_once():
                yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.backends.cudnn.benchmark = before[2]
            filling.fill_uninitialized_memory = before[3]


@contextmanager
def _told_once() -> Iterator[None]:
    """Say torch's warnings of operations without a deterministic algorithm in one line each."""
    told: set[str] = set()
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:
            text = str(message)
            if "deterministic" not in text:
                usual(message, category, filename, lineno, file, line)
                return
            name = text.split(" does not have")[0].split()[-1]
            if name not in told:
                told.add(name)
                say(f"warning: {name} has no deterministic algorithm here: last bits may differ between runs")

        warnings.showwarning = show
        warnings.filterwarnings("always", message=".*deterministic.*", category=UserWarning)
        yield
