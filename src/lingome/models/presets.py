"""Named shapes, and models built from them."""

from __future__ import annotations

import copy
import dataclasses
import difflib
from collections.abc import Iterable, Sequence

from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.decoder import CausalLM, initialise_causal
from lingome.models.shapes import DecoderConfig, Shape, TransformerConfig
from lingome.models.transformer import Body, MaskedLM, SequenceClassifier, initialise

_BERT = TransformerConfig(positions="learned", norm="post", ffn="gelu", bias=True, norm_eps=1e-12)

PRESETS: dict[str, TransformerConfig] = {
    "grover": dataclasses.replace(_BERT, hidden_size=768, n_layers=12, n_heads=12, ffn_size=3072),
    "bert-mini": dataclasses.replace(_BERT, hidden_size=256, n_layers=4, n_heads=4, ffn_size=1024),
    "mini": TransformerConfig(hidden_size=256, n_layers=4, n_heads=4, ffn_size=512),
    "tiny": TransformerConfig(hidden_size=64, n_layers=2, n_heads=2, ffn_size=128),
    "nano": TransformerConfig(hidden_size=32, n_layers=1, n_heads=2, ffn_size=64),
}
"""Shapes by name; the vocabulary comes from the tokenizer. ``grover`` is BERT-base for 512
tokens (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0), ``bert-mini`` the small BERT of Turc
et al. 2019 (arXiv:1908.08962); ``mini``, ``tiny`` and ``nano`` are small ModernBERTs."""


CAUSAL_PRESETS: dict[str, DecoderConfig] = {
    "gpt2": DecoderConfig(
        hidden_size=768, n_layers=12, n_heads=12, n_kv_heads=12, ffn_size=3072, positions="learned", norm="layer",
        ffn="gelu_tanh", bias=True,
    ),
    "gpt-mini": DecoderConfig(hidden_size=256, n_layers=4, n_heads=4, n_kv_heads=2, ffn_size=768),
}
"""Shapes of decoders by name. ``gpt2`` is the small GPT-2 (Radford et al. 2019); ``gpt-mini`` a small Llama, its
feed-forward size by Llama's rule (two thirds of 4 D, rounded up to a multiple of 256)."""


def find_config(preset: str | TransformerConfig, vocab_size: int | None = None) -> TransformerConfig:
    """Give the configuration of a preset's name, or the given one, for a vocabulary.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise _unknown(preset, PRESETS, CAUSAL_PRESETS)
        preset = PRESETS[preset]
    return preset if vocab_size is None else dataclasses.replace(preset, vocab_size=vocab_size)


def find_causal_config(preset: str | DecoderConfig, vocab_size: int | None = None) -> DecoderConfig:
    """Give the configuration of a decoder's name, or the given one, for a vocabulary.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    if isinstance(preset, str):
        if preset not in CAUSAL_PRESETS:
            raise _unknown(preset, CAUSAL_PRESETS, PRESETS)
        preset = CAUSAL_PRESETS[preset]
    return preset if vocab_size is None else dataclasses.replace(preset, vocab_size=vocab_size)


def _unknown(name: str, known: Iterable[str], others: Iterable[str]) -> ConfigError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else None
    if name in others:
        hint = "decoders guess the next token, encoders hidden tokens: that one is of the other kind"
    return ConfigError(f"there is no model {name!r}", expected=", ".join(known), hint=hint)


def build_causal_lm(preset: str | DecoderConfig, vocab_size: int | None = None, seed: int = 0) -> CausalLM:
    """Build a causal language model with random weights, the same for the same seed.

    Parameters
    ----------
    preset : str or DecoderConfig
        A name in `CAUSAL_PRESETS`, or a configuration.
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    seed : int
        Seed of the weights.
    """
    model = CausalLM(find_causal_config(preset, vocab_size))
    initialise_causal(model, seed)
    return model


def build_masked_lm(preset: str | TransformerConfig, vocab_size: int | None = None, seed: int = 0) -> MaskedLM:
    """Build a masked language model with random weights, the same for the same seed.

    Parameters
    ----------
    preset : str or TransformerConfig
        A name in `PRESETS`, or a configuration.
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    seed : int
        Seed of the weights.
    """
    model = MaskedLM(find_config(preset, vocab_size))
    initialise(model, seed)
    return model


def build_classifier(
    preset: str | Shape,
    vocab_size: int | None = None,
    label_names: Sequence[str] = ("0", "1"),
    seed: int = 0,
    body: Body | None = None,
) -> SequenceClassifier:
    """Build a classifier with random weights; with `body`, on a copy of that body.

    Parameters
    ----------
    preset : str or TransformerConfig
        A name in `PRESETS`, or a configuration (for `body`, its own).
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    label_names : sequence of str
        Names of the classes, in the order of the logits.
    seed : int
        Seed of the weights.
    body : Transformer or StaticEmbeddings, optional
        A trained body; it is copied, not shared.
    """
    shape: Shape = find_config(preset, vocab_size) if isinstance(preset, str | TransformerConfig) else preset
    config = dataclasses.replace(shape, label_names=tuple(label_names))
    model = SequenceClassifier(config)
    initialise(model, seed)
    if body is not None:
        if dataclasses.replace(body.config, label_names=config.label_names) != config:
            raise ConfigError("the body has another shape than the classifier", got=body.config, expected=config)
        model.body = copy.deepcopy(body)
        model.body.config = config
    return model


def count_parameters(model: nn.Module, *, trainable: bool = False) -> int:
    """Count parameters, shared ones once; with `trainable`, only those that need a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)
