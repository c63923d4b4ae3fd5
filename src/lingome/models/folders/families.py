"""Model folders as Hugging Face has them, both ways.

Each family of folders is described by its architecture, in ``networks/*/folder.py``; here it is found by the shape to
be written, or by the ``config.json`` to be read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.version import __version__
from lingome.models.mapping.family import Family
from lingome.models.registry import list_families
from lingome.models.shape import Shape


def find_family(config: Shape) -> Family:
    """Give the family that a shape is saved as.

    Raises
    ------
    ConfigError
        If none holds such a shape.
    """
    for family in list_families():
        if type(config) is family.shape and family.fits(config):
            return family
    raise ConfigError("no kind of model folder holds such a shape", got=type(config).__name__)


def read_family(content: Mapping[str, Any], file: Path) -> Family:
    """Give the family of a ``config.json``.

    Raises
    ------
    CheckpointError
        If no family reads it; the message lists the types that are read.
    """
    for family in list_families():
        if family.reads(content):
            return family
    known = dict.fromkeys(name for one in list_families() for name in (one.model_type or one.name, *one.model_types))
    got = content.get("model_type")
    variant = got in tuple(known)
    raise CheckpointError(
        "this variant of the model cannot be read" if variant else "models of this type cannot be read", where=file,
        got=f"model_type {got!r}, architectures {content.get('architectures')!r}" if variant else
        f"model_type {got!r}", expected=", ".join(known),
    )


def to_config_json(config: Shape, dtype: str = "float32") -> dict[str, Any]:
    """Give the content of ``config.json``."""
    family = find_family(config)
    classifier = bool(config.label_names)
    content = {
        "architectures": [family.classifier(config)[1] if classifier else family.architecture],
        "model_type": family.model_type or family.name,
        "dtype": dtype,
        "torch_dtype": dtype,
        "lingome": {"version": __version__, "kind": "classifier" if classifier else family.kind},
    }
    if classifier:
        content["id2label"] = {str(index): name for index, name in enumerate(config.label_names)}
        content["label2id"] = {name: index for index, name in enumerate(config.label_names)}
    return content | family.write_config(config)


def from_config_json(content: Mapping[str, Any], file: Path) -> Shape:
    """Read a shape from the content of ``config.json``.

    Raises
    ------
    CheckpointError
        If the model is of a kind that cannot be read here, or a value is missing or does not fit.
    """
    family = read_family(content, file)
    own = content.get("lingome")
    try:
        config: Shape = family.read_config(content, file)
        if isinstance(own, dict) and own.get("kind") == "classifier" and not config.label_names:
            config = dataclasses.replace(config, label_names=read_labels(content, file))
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError("the model's shape cannot be used", where=file, got=error) from error
    return config


def read_labels(content: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    """Read the names of a classifier's classes, in the order of its logits.

    Raises
    ------
    CheckpointError
        If they are missing or do not count from 0.
    """
    names = content.get("id2label")
    if not isinstance(names, dict) or sorted(names) != sorted(str(i) for i in range(len(names))):
        raise CheckpointError("a classifier needs the names of its classes", where=file, got=f"id2label {names!r}",
                              expected='id2label {"0": ..., "1": ...}')
    return tuple(str(names[str(index)]) for index in range(len(names)))
