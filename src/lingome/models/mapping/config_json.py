"""Checked values out of ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError


def check_values(content: Mapping[str, Any], expected: Mapping[str, object], file: Path) -> None:
    """Refuse a model whose settings, where given, are not the ones expected.

    Raises
    ------
    CheckpointError
        If one is another; the message names it.
    """
    for name, value in expected.items():
        if content.get(name, value) != value:
            raise CheckpointError("this variant of the model cannot be read", where=file,
                                  got=f"{name} = {content[name]!r}", expected=f"{name} = {value!r}")


def read_number(content: Mapping[str, Any], name: str, kind: type, file: Path, default: float | None = None) -> Any:
    """Read an int or a float, or give the default.

    Parameters
    ----------
    content : mapping
        Of ``config.json``.
    name : str
        Of the setting.
    kind : {int, float}
        What it has to be.
    file : Path
        Named in errors.
    default : float, optional
        For a file that leaves it out; None: it has to be there.

    Raises
    ------
    CheckpointError
        If it is neither there nor has a default, or is no number of that kind.
    """
    value = content.get(name, default)
    fits = isinstance(value, int) if kind is int else isinstance(value, int | float)
    if not fits or isinstance(value, bool) or abs(value) > 1e30:
        raise CheckpointError(f"config.json needs a number for {name!r}", where=file, got=repr(value))
    return kind(value)
