"""Errors a user can act on, and the exit code of each.

A message says what happened, where, what was found, what was expected and what to try.
Exit codes: 1 our own bug, 2 settings, 3 data or checkpoint, 4 a missing extra, 130 interrupted.
"""

from __future__ import annotations


class LingomeError(Exception):
    """Base of every error that lingome raises on purpose.

    Parameters
    ----------
    what : str
        One sentence that says what is wrong.
    where : str, optional
        The place: ``file``, ``file:line`` or the name of a setting.
    got, expected : object, optional
        What was found, and what would have been right.
    hint : str, optional
        What the user can try next.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: object | None = None,
        got: object | None = None,
        expected: object | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.hint = hint
        lines = [f"{where}: {what}" if where is not None else what]
        if got is not None:
            lines.append(f"  got:      {got}")
        if expected is not None:
            lines.append(f"  expected: {expected}")
        if hint is not None:
            lines.append(f"  try:      {hint}")
        super().__init__("\n".join(lines))


class ConfigError(LingomeError):
    """A setting is unknown, of the wrong type, or does not fit another setting."""

    exit_code = 2


class DataError(LingomeError):
    """An input cannot be read or used, or an output cannot be written."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint is incomplete, corrupt, or does not fit its tokenizer or task."""


class MissingExtraError(LingomeError):
    """An optional package is needed for what was asked."""

    exit_code = 4


class Interrupted(LingomeError):
    """The user or the system stopped the run after its state was saved."""

    exit_code = 130
