"""Packages that can be called as functions, where a function of the front door has the name of a package.

``lingome.report`` is the package of the page and, in a notebook, the function that writes one:
``lg.report("runs/mine")``. Python binds a package to its parent when any module of it is imported, so the two can
only be one object.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package with a function of its own name."""

    function: tuple[str, str]

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the function; it is imported when it is first used."""
        module, name = self.function
        importlib.import_module("lingome.api.progress").listen()
        return getattr(importlib.import_module(module), name)(*args, **keywords)


def make_callable(package: str, module: str, function: str) -> None:
    """Let a package be called.

    Parameters
    ----------
    package : str
        Its name, ``__name__``; it is being imported.
    module, function : str
        Where the function is defined, and its name there.
    """
    found = sys.modules[package]
    found.__class__ = CallablePackage
    found.function = (module, function)  # type: ignore[attr-defined]  # of the class set above
