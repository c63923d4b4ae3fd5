"""Open a model that gives sequence a probability, masked or causal, by name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lingome.core.errors import CheckpointError
from lingome.models.checkpoint import load_whole
from lingome.models.presets import CAUSAL_PRESETS, build_causal_lm, build_masked_lm
from lingome.models.questions import LanguageModel
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
        preset, letters = name.removeprefix(RANDOM), CharacterTokenizer()
        if preset in CAUSAL_PRESETS:
            return OpenedModel(build_causal_lm(preset, letters.vocab_size, seed).eval(), letters, None)
        return OpenedModel(build_masked_lm(preset, letters.vocab_size, seed).eval(), letters, None)
    folder = resolve_model(name)
    model, tokenizer = load_whole(folder)
    if not isinstance(model, LanguageModel):
        raise CheckpointError("this model gives no probability to letters", where=folder,
                              got=type(model).__name__, expected="a masked or a causal language model",
                              hint="give the folder of the pre-trained model")
    return OpenedModel(model.eval(), tokenizer, folder)
