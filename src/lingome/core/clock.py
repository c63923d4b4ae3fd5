"""How long each stage of a run took."""

from __future__ import annotations

import time
from typing import Any


class Clock:
    """Rows of the table ``steps``: name, seconds and a note for each stage."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._since = time.monotonic()

    def lap(self, step: str, note: str) -> None:
        """End a stage, and begin the next one."""
        now = time.monotonic()
        self.rows.append({"step": step, "time_s": round(now - self._since, 2), "note": note})
        self._since = now
