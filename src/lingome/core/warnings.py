"""What a reader of a result must know before believing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Literal, cast, get_args

Level = Literal["info", "warn", "fail"]
LEVELS: tuple[str, ...] = get_args(Level)
WARNING_COLUMNS = ("level", "topic", "text")
"""Columns of the table ``warnings``."""
OLD_LEVELS = {"warning": "warn"}
"""Levels that older versions wrote, and what they are now."""


@dataclass(frozen=True)
class RunWarning:
    """One row of the table ``warnings`` of a run.

    Parameters
    ----------
    level : {"info", "warn", "fail"}
        ``info`` is worth knowing, ``warn`` makes the result less certain, ``fail`` makes it worthless.
    topic : str
        What it is about, in a few words.
    text : str
        What was found, in a sentence without a full stop.

    Raises
    ------
    ValueError
        If the level is none of the three.
    """

    level: Level
    topic: str
    text: str

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"the level of a warning is one of {', '.join(LEVELS)}, not {self.level!r}")

    def as_row(self) -> dict[str, str]:
        """Give the row of the table ``warnings``, by `WARNING_COLUMNS`."""
        return dict(zip(WARNING_COLUMNS, astuple(self), strict=True))

    @classmethod
    def from_row(cls, row: Mapping[str, str | None]) -> RunWarning:
        """Read a row of the table ``warnings``, of older versions too; a level that is not known is ``info``."""
        found = row["level"] or "info"
        level = OLD_LEVELS.get(found, found)
        return cls(cast(Level, level) if level in LEVELS else "info", row["topic"] or "", row["text"] or "")
