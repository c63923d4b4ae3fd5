"""Named shapes, and models built from them."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.architecture import Body, CausalModel
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.dilated.shape import DilatedConfig
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.registry import find_architecture, initialise
from lingome.models.shape import Shape, require
from lingome.tokens.bpe import vocabulary_size

S = TypeVar("S", bound=Shape)

_BERT = TransformerConfig(positions="learned", norm="post", ffn="gelu", bias=True, norm_eps=1e-12)

PRESETS: dict[str, Shape] = {
    "grover": dataclasses.replace(_BERT, hidden_size=768, n_layers=12, n_heads=12, ffn_size=3072),
    "bert-mini": dataclasses.replace(_BERT, hidden_size=256, n_layers=4, n_heads=4, ffn_size=1024),
    "mini": TransformerConfig(hidden_size=256, n_layers=4, n_heads=4, ffn_size=512),
    "tiny": TransformerConfig(hidden_size=64, n_layers=2, n_heads=2, ffn_size=128),
    "nano": TransformerConfig(hidden_size=32, n_layers=1, n_heads=2, ffn_size=64),
    "dilated-mini": DilatedConfig(hidden_size=192, ffn_size=192, block="convnet", bias=True),
    "dilated-wide": DilatedConfig(hidden_size=256, ffn_size=256, block="convnet", bias=True),
    "dilated-tiny": DilatedConfig(hidden_size=32, n_layers=3, ffn_size=64),
    "gpn": DilatedConfig(hidden_size=512, n_layers=25, ffn_size=2048),
}
"""Shapes by name; the vocabulary comes from the tokenizer. ``grover`` is BERT-base for 512
tokens (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0), ``bert-mini`` the small BERT of Turc
et al. 2019 (arXiv:1908.08962); ``mini``, ``tiny`` and ``nano`` are small ModernBERTs;
``gpn`` is GPN (Benegas et al. 2023, doi:10.1073/pnas.2311219120), of single bases, and ``dilated-wide``,
``dilated-mini`` and ``dilated-tiny`` are small ones."""


def _hyena(name: str) -> HyenaConfig:
    """Give a published shape with lingome's own ids of padding, beginning and end."""
    return dataclasses.replace(RELEASED[name], vocab_size=vocabulary_size(0), pad_id=0, cls_id=2, sep_id=3)


CAUSAL_PRESETS: dict[str, Shape] = {
    "gpt2": DecoderConfig(
        hidden_size=768, n_layers=12, n_heads=12, n_kv_heads=12, ffn_size=3072, positions="learned", norm="layer",
        ffn="gelu_tanh", bias=True,
    ),
    "gpt-mini": DecoderConfig(hidden_size=256, n_layers=4, n_heads=4, n_kv_heads=2, ffn_size=768),
    "hyena-tiny": _hyena("hyenadna-tiny-1k"),
    "hyena-wide": _hyena("hyenadna-tiny-1k-d256"),
    "hyena-small": _hyena("hyenadna-small-32k"),
    "hyena-medium": _hyena("hyenadna-medium-160k"),
    "hyena-mini": dataclasses.replace(
        _hyena("hyenadna-tiny-1k"), hidden_size=64, ffn_size=256, filter_size=32, vocab_multiple=1,
        embedding_dropout=0.0,
    ),
}
"""Shapes of models that guess the next token, by name. ``gpt2`` is the small GPT-2 (Radford et al. 2019);
``gpt-mini`` a small Llama, its feed-forward size by Llama's rule (two thirds of 4 D, rounded up to a multiple of 256).
``hyena-tiny``, ``hyena-wide``, ``hyena-small`` and ``hyena-medium`` are the four published sizes of HyenaDNA (Nguyen
et al. 2023, arXiv:2306.15794), for up to 1,026, 1,026, 32,770 and 160,002 tokens; ``hyena-mini`` is a small one, to
try things out."""


SEQ2SEQ_PRESETS: dict[str, EncoderDecoderConfig] = {
    "t5-small": EncoderDecoderConfig(
        hidden_size=512, n_layers=6, n_decoder_layers=6, n_heads=8, ffn_size=2048, ffn="relu", tie_head=True,
        scale_head=True,
    ),
    "t5-mini": EncoderDecoderConfig(
        hidden_size=256, n_layers=4, n_decoder_layers=4, n_heads=4, ffn_size=512, tie_head=False, scale_head=False,
    ),
    "t5-nano": EncoderDecoderConfig(
        hidden_size=32, n_layers=1, n_decoder_layers=1, n_heads=2, head_size=16, ffn_size=64, tie_head=False,
        scale_head=False,
    ),
}
"""Shapes of encoder-decoders by name. ``t5-small`` is the small T5 (Raffel et al. 2020, arXiv:1910.10683); the others
are small T5 1.1."""


def find_config(preset: str | Shape, vocab_size: int | None = None) -> Shape:
    """Give the configuration of an encoder's name, or the given one, for a vocabulary.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    return _find(preset, PRESETS, vocab_size, _encoder_of)


def find_causal_config(preset: str | Shape, vocab_size: int | None = None) -> Shape:
    """Give the configuration of a causal model's name, or the given one, for a vocabulary.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    return _find(preset, CAUSAL_PRESETS, vocab_size, _decoder_of)


def find_seq2seq_config(preset: str | EncoderDecoderConfig, vocab_size: int | None = None) -> EncoderDecoderConfig:
    """Give the configuration of an encoder-decoder's name, or the given one, for so many rows of the embedding.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    return _find(preset, SEQ2SEQ_PRESETS, vocab_size)


def find_shape(preset: str | Shape, vocab_size: int | None = None) -> Shape:
    """Give the configuration of any preset's name, or the given one, for a vocabulary; a size is that of an encoder.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    return _find(preset, _all_presets(), vocab_size, _encoder_of)


class Size(NamedTuple):
    """Width and depth of a small model."""

    width: int
    n_layers: int

    @property
    def n_heads(self) -> int:
        """Heads of 64 numbers; of fewer, where that would leave less than two."""
        return max(2, self.width // 64)


def read_size(name: str) -> Size | None:
    """Read a size, width times layers: those of `nano` (32x1), `tiny` (64x2) and `mini` (256x4), and any between.

    None for any other name.

    Raises
    ------
    ConfigError
        If the width cannot be split into heads.

    Examples
    --------
    >>> read_size("192x4"), read_size("mini")
    (Size(width=192, n_layers=4), None)
    """
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", name)
    if found is None:
        return None
    size = Size(int(found[1]), int(found[2]))
    if size.width % (2 * size.n_heads):
        raise ConfigError("this width has no heads of one even size", where="preset", got=name,
                          expected="a width that is a multiple of 64, or below 192 of 4")
    return size


def _find(
    preset: str | S, known: Mapping[str, S], vocab_size: int | None, build_sized: Callable[[Size], S] | None = None
) -> S:
    """Look a preset's name up, or a size where `build_sized` makes shapes of sizes; give it another vocabulary."""
    if isinstance(preset, str):
        size = None if build_sized is None else read_size(preset)
        if build_sized is not None and size is not None:
            preset = build_sized(size)
        elif preset in known:
            preset = known[preset]
        else:
            raise _unknown(preset, known)
    return preset if vocab_size is None else dataclasses.replace(preset, vocab_size=vocab_size)


def _all_presets() -> dict[str, Shape]:
    return {**PRESETS, **CAUSAL_PRESETS, **SEQ2SEQ_PRESETS}


def _encoder_of(size: Size) -> Shape:
    return TransformerConfig(
        hidden_size=size.width, n_layers=size.n_layers, n_heads=size.n_heads, ffn_size=2 * size.width
    )


def _decoder_of(size: Size) -> Shape:
    return DecoderConfig(
        hidden_size=size.width, n_layers=size.n_layers, n_heads=size.n_heads, n_kv_heads=size.n_heads,
        ffn_size=3 * size.width,
    )


def _unknown(name: str, known: Iterable[str]) -> ConfigError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else None
    if name in _all_presets():
        hint = "encoders guess hidden tokens, decoders the next, encoder-decoders spans: that one is of another kind"
    return ConfigError(f"there is no model {name!r}", expected=", ".join(known) + ", or WIDTHxLAYERS",
                       hint=hint)


def build_causal_lm(preset: str | Shape, vocab_size: int | None = None, seed: int = 0) -> CausalModel:
    """Build a causal language model with random weights, the same for the same seed.

    Parameters
    ----------
    preset : str or shape
        A name in `CAUSAL_PRESETS`, or a configuration of a causal architecture.
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    seed : int
        Seed of the weights.
    """
    config = find_causal_config(preset, vocab_size)
    architecture = find_architecture(config)
    require("causal_lm" in architecture.models, "architecture", architecture.name, "a causal one, as a decoder")
    model = architecture.models["causal_lm"](config)
    assert isinstance(model, CausalModel)
    initialise(model, seed)
    return model


def build_masked_lm(preset: str | Shape, vocab_size: int | None = None, seed: int = 0) -> MaskedLM:
    """Build a masked language model with random weights, the same for the same seed.

    Parameters
    ----------
    preset : str or shape
        A name in `PRESETS`, or a configuration of an architecture that guesses hidden tokens.
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    seed : int
        Seed of the weights.
    """
    model = MaskedLM(find_config(preset, vocab_size))
    initialise(model, seed)
    return model


def build_seq2seq_lm(
    preset: str | EncoderDecoderConfig, vocab_size: int | None = None, seed: int = 0
) -> EncoderDecoderLM:
    """Build an encoder-decoder with random weights, the same for the same seed.

    Parameters
    ----------
    preset : str or EncoderDecoderConfig
        A name in `SEQ2SEQ_PRESETS`, or a configuration.
    vocab_size : int, optional
        Rows of the embedding: the tokenizer's vocabulary and any sentinels; None keeps the configuration's.
    seed : int
        Seed of the weights.
    """
    model = EncoderDecoderLM(find_seq2seq_config(preset, vocab_size))
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
    preset : str or shape
        A name of any preset, or a configuration (for `body`, its own).
    vocab_size : int, optional
        Size of the tokenizer's vocabulary; None keeps the configuration's.
    label_names : sequence of str
        Names of the classes, in the order of the logits.
    seed : int
        Seed of the weights.
    body : Body, optional
        A trained body of any architecture; it is copied, not shared.

    Raises
    ------
    ConfigError
        If there is no such preset, or the body has another shape than the classifier.
    """
    shape = find_shape(preset, vocab_size)
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
