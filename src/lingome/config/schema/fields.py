"""The settings of a class, laid out one by one: name, kind, default and meaning, those of parts too."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

NEEDED = object()
"""In place of a default: the setting has to be given."""

Kind = Literal["whole number", "number", "yes or no", "text", "path", "list", "mapping"]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Parameters
    ----------
    name : str
        As it is written before ``=``: ``seed``, ``train.lr``.
    kind : str
        What sort of value it takes.
    choices : tuple of str
        The values there are, if only some are.
    default : object
        The value when nothing is said; `NEEDED` if there is none.
    description : str
        What it means.
    reads_text : bool
        For lists: whether the class reads a text, such as ``features,full`` or ``0,50,...,300``.
    """

    name: str
    kind: Kind
    choices: tuple[str, ...]
    default: Any
    description: str
    reads_text: bool = False


@dataclass(frozen=True)
class Part:
    """Settings that stand together: those of the workflow itself, or those under one name.

    Parameters
    ----------
    name : str
        Empty for the workflow's own.
    description : str
        What the part is about.
    settings : tuple of Setting
        In the order of the class.
    """

    name: str
    description: str
    settings: tuple[Setting, ...]


def list_parts(settings: type[BaseModel]) -> list[Part]:
    """Lay out a settings class: first its own settings, then each part, with the parts in it.

    >>> from lingome.config.finetune import FinetuneSettings
    >>> [part.name for part in list_parts(FinetuneSettings)]
    ['', 'task', 'task.split', 'tune']
    """
    return list(_parts(settings, "", "", None))


def list_settings(settings: type[BaseModel]) -> list[Setting]:
    """Lay out every setting of a class, those of its parts too."""
    return [setting for part in list_parts(settings) for setting in part.settings]


def show_default(value: Any) -> str:
    """Write a default as it would be written behind ``=``; nothing for None and for empty values.

    >>> show_default((0, 100)), show_default(True), show_default(0.0003), show_default(None)
    ('[0,100]', 'true', '0.0003', '')
    """
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return f"[{','.join(show_default(item) for item in value)}]"
    return str(value)


def _parts(settings: type[BaseModel], prefix: str, description: str, default: BaseModel | None) -> Iterator[Part]:
    own: list[Setting] = []
    inner: list[Part] = []
    for name, field in settings.model_fields.items():
        value = _default(field) if default is None else getattr(default, name)
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            inner.extend(_parts(part, f"{prefix}{name}.", field.description or "", value))
        else:
            own.append(_setting(settings, name, field, prefix, value))
    yield Part(prefix.removesuffix("."), description, tuple(own))
    yield from inner


def _setting(settings: type[BaseModel], name: str, field: FieldInfo, prefix: str, default: Any) -> Setting:
    decorators = settings.__pydantic_decorators__.field_validators.values()
    reads_text = any(name in one.info.fields and one.info.mode == "before" for one in decorators)
    kind, choices = _kind(field.annotation)
    return Setting(prefix + name, kind, choices, default, field.description or "", reads_text)


def _default(field: FieldInfo) -> Any:
    return NEEDED if field.is_required() else field.get_default(call_default_factory=True)


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    """Tell what sort of value a field takes, and which values if only some are."""
    origin = get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = [_kind(one) for one in get_args(annotation) if one is not type(None)]
        return kinds[0] if len(kinds) == 1 else ("text", ())
    if origin is Literal:
        return "text", tuple(str(value) for value in get_args(annotation))
    if origin in (tuple, list):
        return "list", ()
    if origin is dict:
        return "mapping", ()
    simple: dict[Any, Kind] = {bool: "yes or no", int: "whole number", float: "number", Path: "path"}
    return simple.get(annotation, "text"), ()
