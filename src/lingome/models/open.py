"""Open a model by name: one that comes with lingome, a folder, a run, one of the hub, or random weights.

==========================  =============================================================================
name                        what is opened
==========================  =============================================================================
``human-mini``              a model that comes with lingome, see `packaged_models`
``path/to/folder``          a checkpoint: a folder with ``config.json``
``runs/mine``               a run directory: its ``checkpoint/``
``hub:OWNER/NAME@REVISION``  a model of the Hugging Face hub; without ``@REVISION`` the newest
``random:PRESET``           random weights of a preset's shape, the same for the same seed
==========================  =============================================================================
"""

from __future__ import annotations

import dataclasses
import difflib
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

from torch import nn

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.files import read_json_object
from lingome.models.architecture import Body, CausalModel
from lingome.models.folders.checkpoint import Promise, load_checkpoint, with_roles
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.mapping.weight_files import digest_weights
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.tracks.model import Tracks
from lingome.models.presets import (
    CAUSAL_PRESETS,
    PRESETS,
    SEQ2SEQ_PRESETS,
    build_causal_lm,
    build_masked_lm,
    build_seq2seq_lm,
    find_causal_config,
    find_config,
    find_seq2seq_config,
    find_shape,
)
from lingome.models.registry import build_body, initialise
from lingome.models.shape import Shape
from lingome.tokens.load import build_tokenizer, load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

RANDOM = "random:"
HUB = "hub:"
M = TypeVar("M", bound=nn.Module)


class Opened(NamedTuple, Generic[M]):
    """A model that was opened.

    Parameters
    ----------
    name : str
        As it was asked for.
    model : Module
        What was promised, in evaluation mode, on the CPU.
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
    model: M
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


def find_model(name: str | Path) -> Path:
    """Find the checkpoint folder of a model that has weights; those of the hub are downloaded once.

    A folder wins over a packaged model of the same name.

    Parameters
    ----------
    name : str or Path
        Packaged model, checkpoint folder, run directory, or ``hub:OWNER/NAME[@REVISION]``.

    Raises
    ------
    CheckpointError
        If there is none.
    ConfigError
        If it is random weights, which have no folder.
    """
    text = str(name)
    if text.startswith(HUB):
        from lingome.models.hub import fetch_model

        return fetch_model(text)
    if text.startswith(RANDOM):
        raise ConfigError("random weights have no folder, and trained ones are needed here", where="model", got=text,
                          expected="a packaged model, the folder of a checkpoint or a run, or hub:OWNER/NAME")
    folder = Path(name).expanduser()
    for place in (folder, folder / "checkpoint"):
        if (place / "config.json").is_file():
            return place
    packaged = packaged_models()
    if text in packaged:
        return packaged[text]
    if folder.is_dir():
        raise CheckpointError(
            "there is no model in this folder", where=folder, expected="config.json, or checkpoint/config.json",
            hint="give a checkpoint folder, or a run that trained a model",
        )
    if folder.exists():
        inside = folder.parent if (folder.parent / "config.json").is_file() else None
        raise CheckpointError("this is a file, and a model is a folder", where=folder, expected="a checkpoint or a run",
                              hint=None if inside is None else f"give the folder that it lies in: {inside}")
    close = difflib.get_close_matches(text, packaged, n=1)
    presets = ", ".join([*PRESETS, *CAUSAL_PRESETS, *SEQ2SEQ_PRESETS])
    raise CheckpointError(
        f"there is no model {text!r}",
        expected=", ".join(["the folder of a checkpoint or a run", f"{HUB}OWNER/NAME", *packaged]),
        hint=f"did you mean {close[0]}?" if close else f"for random weights: {RANDOM}PRESET, one of {presets}",
    )


@overload
def load_model(
    name: str | Path, promise: Literal["whole"] = "whole", *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[nn.Module]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["body"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[Body]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["language_model"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[LanguageModel]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["masked_lm"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[MaskedLM]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["causal_lm"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[CausalModel]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["seq2seq_lm"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[EncoderDecoderLM]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["tracks"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[Tracks]: ...
@overload
def load_model(
    name: str | Path, promise: Literal["classifier"], *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[SequenceClassifier]: ...
@overload
def load_model(
    name: str | Path, promise: Promise, *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[Any]: ...


def load_model(
    name: str | Path, promise: Promise = "whole", *, tokenizer: Path | None = None, seed: int = 0
) -> Opened[Any]:
    """Load a model by name, or make one with random weights.

    Parameters
    ----------
    name : str or Path
        Packaged model, checkpoint folder, run directory, ``hub:OWNER/NAME[@REVISION]``, or ``random:PRESET``.
    promise : str
        What the caller needs, see `lingome.models.folders.checkpoint.load_checkpoint`. Of ``random:PRESET``, ``whole``
        is the language model of that preset.
    tokenizer : Path, optional
        Vocabulary folder; for ``random:PRESET`` only, where single letters of DNA are the default.
    seed : int
        Of random weights.

    Raises
    ------
    CheckpointError
        If there is no such model, it is of another kind than promised, or it cannot be used.
    ConfigError
        If there is no such preset of this kind, or a vocabulary is given for a model that has its own.

    Examples
    --------
    >>> opened = load_model("random:nano", "body", seed=1)
    >>> opened.model.config.hidden_size, opened.tokenizer.kind
    (32, 'characters')
    """
    text = str(name)
    if text.startswith(RANDOM):
        given = build_tokenizer("characters") if tokenizer is None else load_tokenizer(tokenizer)
        model = _build_random(text.removeprefix(RANDOM), promise, given, seed)
        return Opened(text, model, given, None, "", {})
    if tokenizer is not None:
        raise ConfigError(
            "a trained model has its own vocabulary", where="tokenizer", got=tokenizer,
            hint=f"leave it out, or start from random weights with {RANDOM}mini",
        )
    folder = find_model(name)
    found = load_checkpoint(folder, promise)
    return Opened(text, found.model, found.tokenizer, folder, digest_weights(folder), read_lineage(folder))


def _build_random(preset: str, promise: Promise, tokenizer: Tokenizer, seed: int) -> nn.Module:
    """Make what was promised, with random weights, in evaluation mode."""
    size = tokenizer.vocab_size
    kind = promise
    if promise in ("whole", "language_model"):
        kind = "causal_lm" if preset in CAUSAL_PRESETS else "masked_lm"
        if promise == "whole" and preset in SEQ2SEQ_PRESETS:
            kind = "seq2seq_lm"
    if kind == "body":
        return random_body(with_roles(find_shape(preset, size), tokenizer), seed)
    if kind == "causal_lm":
        return build_causal_lm(with_roles(find_causal_config(preset, size), tokenizer), seed=seed).eval()
    if kind == "seq2seq_lm":
        return build_seq2seq_lm(with_roles(find_seq2seq_config(preset, size), tokenizer), seed=seed).eval()
    if kind == "masked_lm":
        return build_masked_lm(with_roles(find_config(preset, size), tokenizer), seed=seed).eval()
    what = "random weights know no classes" if kind == "classifier" else "no preset gives tracks"
    raise ConfigError(what, where="model", got=f"{RANDOM}{preset}", expected="the folder of a checkpoint or a run")


def random_body(config: Shape, seed: int) -> Body:
    """Make a body with random weights, in evaluation mode; the same for the same seed."""
    body = build_body(dataclasses.replace(config, label_names=()))
    initialise(body, seed)
    return body.eval()


def read_lineage(folder: Path) -> dict[str, Any]:
    """Read the ``run.json`` that lies in a checkpoint or beside it; empty if there is none.

    Of a model of the hub, ``origin`` holds its name, commit and digest.

    Raises
    ------
    CheckpointError
        If it cannot be read.
    """
    for file in (folder / "run.json", folder.parent / "run.json"):
        if file.is_file():
            return read_json_object(file)
    if (folder / "hub.json").is_file():
        from lingome.models.hub import read_origin

        return {"origin": read_origin(folder)}
    return {}
