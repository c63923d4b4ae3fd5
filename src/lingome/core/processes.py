"""Which of several processes this one is, as ``torchrun`` says in the environment."""

from __future__ import annotations

import os


def count_processes() -> int:
    """Count the processes that were started together; 1 without ``torchrun``."""
    return _number("WORLD_SIZE", 1) if "RANK" in os.environ else 1


def process_rank() -> int:
    """Give this process's number among all, from 0."""
    return _number("RANK", 0) if count_processes() > 1 else 0


def local_rank() -> int:
    """Give this process's number among those on the same machine, from 0."""
    return _number("LOCAL_RANK", 0) if count_processes() > 1 else 0


def is_first_process() -> bool:
    """Say whether this process is the one that writes and speaks."""
    return process_rank() == 0


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
