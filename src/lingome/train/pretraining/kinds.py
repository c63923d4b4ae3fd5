"""What a language model can be pre-trained for: each objective with the models that learn it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lingome.config.pretrain import PretrainSettings
from lingome.models.folders.checkpoint import Promise
from lingome.models.heads.language_model import LanguageModel
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives import CausalObjective, LanguageObjective
from lingome.train.objectives.contrastive import ContrastiveObjective
from lingome.train.objectives.corruption import build_span_model, span_objective
from lingome.train.objectives.mask_schemes import masked_objective

Pretrainable = LanguageModel | EncoderDecoderLM
"""What can be pre-trained."""


@dataclass(frozen=True)
class ObjectiveKind:
    """How one objective comes by its model, and by itself.

    Parameters
    ----------
    preset : str
        Smallest useful shape, where none is asked for.
    build : callable
        Takes a preset, the size of the vocabulary and a seed, and gives a model with random weights.
    promise : str
        What a checkpoint to start from must hold, see `lingome.models.open.load_model`.
    objective : callable
        Takes the settings and the tokenizer.
    """

    preset: str
    build: Callable[[str, int, int], Pretrainable]
    promise: Promise
    objective: Callable[[PretrainSettings, Tokenizer], LanguageObjective]


def _masked(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return masked_objective(tokenizer, settings.mask_scheme, settings.mask_rate, settings.mask_span)


def _causal(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return CausalObjective(tokenizer)


def _contrastive(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    chosen = settings.contrastive
    return ContrastiveObjective(tokenizer, chosen.views, chosen.temperature, chosen.crop_share)


def _span(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return span_objective(tokenizer, settings.mask_rate, settings.mask_span, settings.max_tokens)


OBJECTIVES: dict[str, ObjectiveKind] = {
    "masked": ObjectiveKind("mini", build_masked_lm, "masked_lm", _masked),
    "causal": ObjectiveKind("gpt-mini", build_causal_lm, "causal_lm", _causal),
    "span": ObjectiveKind("t5-mini", build_span_model, "seq2seq_lm", _span),
    "contrastive": ObjectiveKind("mini", build_masked_lm, "masked_lm", _contrastive),
}
"""What a language model can be pre-trained for, by the name that the settings use."""


def build_language_model(objective: str, preset: str | None, vocab_size: int, seed: int = 0) -> Pretrainable:
    """Build a model with random weights for an objective; its smallest useful preset by default.

    Parameters
    ----------
    objective : str
        A name in `OBJECTIVES`.
    preset : str, optional
        Name of a shape; the smallest useful one by default.
    vocab_size : int
        Tokens of the vocabulary.
    seed : int
        Decides the weights.

    Raises
    ------
    ConfigError
        If no model of this kind has such a preset.
    """
    kind = OBJECTIVES[objective]
    return kind.build(preset or kind.preset, vocab_size, seed)


def build_objective(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    """Give the objective that settings ask for.

    Raises
    ------
    ConfigError
        If a masking scheme does not fit the vocabulary.
    """
    return OBJECTIVES[settings.objective].objective(settings, tokenizer)
