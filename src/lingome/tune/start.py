"""Where fine-tuning and embedding start from: a model by name, by folder, or with random weights."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from lingome.core.errors import CheckpointError, ConfigError
from lingome.models.architecture import Body
from lingome.models.folders.checkpoint import load_body
from lingome.models.mapping.weight_files import digest_weights
from lingome.models.presets import CAUSAL_PRESETS, PRESETS, SEQ2SEQ_PRESETS, find_shape
from lingome.models.registry import build_body, initialise
from lingome.models.shape import Shape
from lingome.tokens.load import build_tokenizer, load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

RANDOM = "random:"


class Start(NamedTuple):
    """A body to start from.

    Parameters
    ----------
    name : str
        As it was asked for.
    body : Body
        In evaluation mode, on the CPU.
    tokenizer : Tokenizer
        Its vocabulary.
    folder : Path, optional
        The checkpoint; None for random weights.
    digest : str
        The sha256 of the weights; empty for random ones.
    lineage : dict
        ``run.json`` of the run that made the checkpoint, as far as it is known.
    """

    name: str
    body: Body
    tokenizer: Tokenizer
    folder: Path | None
    digest: str
    lineage: dict[str, Any]


def packaged_models() -> dict[str, Path]:
    """List the models that come with lingome: name and folder."""
    shelf = Path(str(files("lingome.models"))) / "pretrained"
    if not shelf.is_dir():
        return {}
    return {folder.name: folder for folder in sorted(shelf.iterdir()) if (folder / "config.json").is_file()}


def resolve_model(name: str | Path) -> Path:
    """Find the checkpoint folder of a packaged model's name, a run directory or a checkpoint.

    A folder wins over a packaged model of the same name.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    folder = Path(name).expanduser()
    for place in (folder, folder / "checkpoint"):
        if (place / "config.json").is_file():
            return place
    packaged = packaged_models()
    if str(name) in packaged:
        return packaged[str(name)]
    if folder.is_dir():
        raise CheckpointError(
            "there is no model in this folder", where=folder, expected="config.json, or checkpoint/config.json",
            hint="give a checkpoint folder, or a run that trained a model",
        )
    if folder.exists():
        raise CheckpointError("this is a file, and a model is a folder", where=folder, expected="a checkpoint or a run")
    raise CheckpointError(
        f"there is no model {str(name)!r}", expected=", ".join(["the folder of a checkpoint or a run", *packaged]),
        hint=f"for random weights: {RANDOM}PRESET, one of {', '.join([*PRESETS, *CAUSAL_PRESETS, *SEQ2SEQ_PRESETS])}",
    )


def load_start(name: str | Path, *, tokenizer: Path | None = None, seed: int = 0) -> Start:
    """Load a body, or make a random one of a preset's shape.

    Parameters
    ----------
    name : str or Path
        Packaged model, checkpoint folder, run directory, or ``random:PRESET``.
    tokenizer : Path, optional
        Vocabulary folder; for ``random:PRESET`` only, where single letters are the default.
    seed : int
        Of random weights.

    Raises
    ------
    CheckpointError
        If there is no such model, or it cannot be used.
    ConfigError
        If there is no such preset, or a vocabulary is given for a model that has its own.
    """
    if str(name).startswith(RANDOM):
        cutter = build_tokenizer("characters") if tokenizer is None else load_tokenizer(tokenizer)
        config = dataclasses.replace(
            find_shape(str(name).removeprefix(RANDOM), cutter.vocab_size),
            pad_id=cutter.pad_id, cls_id=cutter.cls_id, sep_id=cutter.sep_id,
        )
        return Start(str(name), random_body(config, seed), cutter, None, "", {})
    if tokenizer is not None:
        raise ConfigError(
            "a trained model has its own vocabulary", where="tokenizer", got=tokenizer,
            hint=f"leave it out, or start from random weights with {RANDOM}mini",
        )
    folder = resolve_model(name)
    body, cutter = load_body(folder)
    digest = digest_weights(folder)
    return Start(str(name), body.eval(), cutter, folder, digest, read_lineage(folder))


def random_body(config: Shape, seed: int) -> Body:
    """Make a body with random weights, in evaluation mode; the same for the same seed."""
    body = build_body(dataclasses.replace(config, label_names=()))
    initialise(body, seed)
    return body.eval()


def read_lineage(folder: Path) -> dict[str, Any]:
    """Read the ``run.json`` that lies in a checkpoint or beside it; empty if there is none."""
    for file in (folder / "run.json", folder.parent / "run.json"):
        if file.is_file():
            try:
                return dict(json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                raise CheckpointError("cannot be read as JSON", where=file, got=error) from error
    return {}
