"""Open a model that gives sequence a probability, masked or causal, by name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import nn

from lingome.core.errors import CheckpointError
from lingome.models.architecture import Body
from lingome.models.folders.checkpoint import load_whole
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.presets import CAUSAL_PRESETS, build_causal_lm, build_masked_lm
from lingome.models.registry import find_architecture, shape_of
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.tokenizer import Tokenizer
from lingome.tune.start import RANDOM, resolve_model


class OpenedModel(NamedTuple):
    """A language model in evaluation mode on the CPU, its vocabulary, and its folder (None for random weights)."""

    model: LanguageModel
    tokenizer: Tokenizer
    folder: Path | None


def open_language_model(name: str, seed: int = 0) -> OpenedModel:
    """Load a packaged model, checkpoint or run; or make ``random:PRESET``, with single letters of DNA as tokens.

    Raises
    ------
    CheckpointError
        If there is no such model, or it gives no probabilities (a classifier, static vectors).
    ConfigError
        If there is no such preset.
    """
    if name.startswith(RANDOM):
        preset = name.removeprefix(RANDOM)
        letters = CharacterTokenizer()
        if preset in CAUSAL_PRESETS:
            return OpenedModel(build_causal_lm(preset, letters.vocab_size, seed).eval(), letters, None)
        return OpenedModel(build_masked_lm(preset, letters.vocab_size, seed).eval(), letters, None)
    folder = resolve_model(name)
    model, tokenizer = load_whole(folder)
    if not isinstance(model, LanguageModel):
        raise CheckpointError("this model gives no probability to letters", where=folder, got=_kind(model),
                              expected="a masked or a causal language model", hint=_hint(model))
    return OpenedModel(model.eval(), tokenizer, folder)


def _kind(model: nn.Module) -> str:
    """Say what was found, in the words of the field."""
    name = find_architecture(shape_of(model)).name
    if isinstance(model, SequenceClassifier):
        return f"a classifier: classes {', '.join(model.config.label_names)}"
    return f"{name}, the body alone" if isinstance(model, Body) and not isinstance(model, StaticEmbeddings) else name


def _hint(model: nn.Module) -> str | None:
    if isinstance(model, SequenceClassifier):
        return "lingome predict takes it; for probabilities of letters give the folder of the pre-trained model"
    return "lingome embed and lingome finetune take it" if isinstance(model, Body | EncoderDecoderLM) else None
