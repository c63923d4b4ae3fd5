"""Import optional packages, or say which extra brings them."""

from __future__ import annotations

import importlib
from types import ModuleType

from lingome.core.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise with the command that installs the extra it belongs to.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs the package {module.split('.')[0]!r}, which is not installed",
            hint=f'pip install "lingome[{extra}]"',
        ) from error
