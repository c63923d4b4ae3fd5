"""The base of all settings, and how a file, overrides and flags become one.

Order, later wins: defaults, ``--config`` file, ``key=value`` overrides, flags.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lingome.core.errors import ConfigError


class Settings(BaseModel):
    """Settings of a workflow or of a part of one; unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, ready for YAML."""
        return self.model_dump(mode="json")

    def replace(self, **changes: Any) -> Self:
        """Give a copy with some fields changed, checked again."""
        return self.__class__.model_validate({**self.model_dump(), **changes})


T = TypeVar("T", bound=Settings)


class RunSettings(Settings):
    """What every workflow has."""

    seed: int = Field(default=0, ge=0, description="the run's seed; every random choice derives from it")
    device: str = Field(default="auto", description="auto, cpu, cuda or mps")


def load_settings(
    cls: type[T],
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> T:
    """Build settings from a YAML file, ``key=value`` overrides and flags.

    Parameters
    ----------
    cls : type
        The settings class.
    file : Path, optional
        YAML file with any of the fields.
    overrides : sequence of str
        ``lr=1e-3`` or, for nested settings, ``train.lr=1e-3``; values are read as YAML.
    flags : mapping, optional
        Values given on the command line; None means not given.

    Raises
    ------
    ConfigError
        If the file cannot be read, a name is unknown or a value does not fit.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values = _read_yaml(file)
    for override in overrides:
        name, separator, text = override.partition("=")
        if not separator or not name:
            raise ConfigError("an override must look like key=value", got=override)
        _put(values, name.split("."), read_value(name, text))
    for name, value in (flags or {}).items():
        if value is not None:
            _put(values, name.split("."), value)
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise _explain(cls, error, file) from error


def read_value(name: str, text: str) -> Any:
    """Read the value of a setting as YAML; 1e-3 is a number, too.

    Raises
    ------
    ConfigError
        If it is not valid YAML.

    >>> read_value("lr", "1e-3"), read_value("chroms", "[chr1, chr2]")
    (0.001, ['chr1', 'chr2'])
    """
    try:
        return _number(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError("the value of an override cannot be read", where=name, got=text) from error


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the settings file cannot be read", where=file, got=error) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise ConfigError("not valid YAML", where=where, got=getattr(error, "problem", error)) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError("a settings file holds names and values", where=file, got=type(values).__name__)
    return values


def _number(value: Any) -> Any:
    """Read 1e-3 as a number, which YAML 1.1 takes for text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError("this setting has no parts", where=name, got=".".join(path))
        values = inner
    values[path[-1]] = value


def _explain(cls: type[Settings], error: ValidationError, file: Path | None) -> ConfigError:
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _names(cls)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        return ConfigError(f"there is no setting {name!r}", where=file, hint=hint)
    if first["type"] == "missing":
        flag = "-o PATH" if name == "out" else f"{name}=..."
        return ConfigError(f"the setting {name!r} is needed", where=file, hint=f"add {flag}")
    if first["type"] == "model_type":
        parts = [part for part in _names(cls) if part.startswith(f"{name}.")]
        return ConfigError(
            "this setting has parts", where=name, got=repr(first.get("input"))[:200], expected=", ".join(parts),
            hint=f"set them one by one: {parts[0]}=...",
        )
    found = first.get("input")
    if first["type"] == "path_type" and isinstance(found, dict):
        return ConfigError("this setting has no parts", where=name, got=", ".join(f"{name}.{part}" for part in found))
    if first["type"] in ("tuple_type", "list_type"):
        items = "" if found is None else found
        return ConfigError("this setting is a list", where=name, got=repr(found)[:200], hint=f"{name}=[{items}]"[:200])
    message = first["msg"].removeprefix("Value error, ")
    # The input of a rule about several settings is all of them: more than anyone wants to read.
    return ConfigError(message, where=name or file, got=None if isinstance(found, dict) else repr(found)[:200])


def _names(cls: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in cls.model_fields.items():
        names.append(prefix + name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names.extend(_names(inner, f"{prefix}{name}."))
    return names
