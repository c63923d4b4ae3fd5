"""Every architecture, by the class of its shape.

An architecture is a body (token ids in, one vector a token out), the models on it, and the rule of its first weights.
To add one: its shape and body in a file of their own, and one line in `ARCHITECTURES`; then it can be trained,
saved, embedded with, fine-tuned and checked by `lingome.models.contract.check_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.layers.blocks import draw_weights
from lingome.models.mapping.family import Kind
from lingome.models.networks.decoder.model import CausalLM, Decoder, initialise_causal
from lingome.models.networks.dilated.model import Dilated, DilatedConfig, DilatedHead, initialise_dilated
from lingome.models.networks.encoder_decoder.model import (
    EncoderDecoderConfig,
    EncoderDecoderLM,
    EncoderStack,
    initialise_encoder_decoder,
)
from lingome.models.networks.hyena.model import Hyena, HyenaConfig, HyenaLM, initialise_hyena
from lingome.models.networks.tracks.model import Tracks, TracksBody, TracksConfig, initialise_tracks
from lingome.models.networks.transformer.model import MaskedLMHead, Transformer, initialise_transformer
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.shape import DecoderConfig, Shape, StaticConfig, TransformerConfig

Body = Transformer | StaticEmbeddings | Decoder | EncoderStack | Hyena | Dilated
"""What gives one vector a token."""

CausalModel = CausalLM | HyenaLM
"""What guesses the next token."""


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Parameters
    ----------
    name : str
        As people say it.
    shape : type
        The class of its shapes.
    body : function (shape) -> Module
        Builds the body; weights are not set.
    initialise : function (model, seed)
        Sets every weight of the body or of a model on it; a draw depends on seed and name alone.
    masked_head : function (shape) -> Module, optional
        Builds what a `MaskedLM` has on the body: (..., D) to logits (..., V), by a linear layer `decoder` that shares
        the embedding matrix if the shape's `tie_head` is true. None for a body that cannot guess hidden tokens.
    models : mapping
        Builders of models other than `MaskedLM` and `SequenceClassifier`, by what they do.
    """

    name: str
    shape: type
    body: Callable[[Any], nn.Module]
    initialise: Callable[[Any, int], None]
    masked_head: Callable[[Any], nn.Module] | None = None
    models: Mapping[Kind, Callable[[Any], nn.Module]] = field(default_factory=dict)


def _initialise_static(model: nn.Module, seed: int) -> None:
    draw_weights(model, seed, None)


_ALL = (
    Architecture("transformer encoder", TransformerConfig, Transformer, initialise_transformer, MaskedLMHead),
    Architecture("transformer decoder", DecoderConfig, Decoder, initialise_causal, models={"causal_lm": CausalLM}),
    Architecture("transformer encoder-decoder", EncoderDecoderConfig, EncoderStack, initialise_encoder_decoder,
                 models={"seq2seq_lm": EncoderDecoderLM}),
    Architecture("Hyena", HyenaConfig, Hyena, initialise_hyena, models={"causal_lm": HyenaLM}),
    Architecture("dilated convolution", DilatedConfig, Dilated, initialise_dilated, DilatedHead),
    Architecture("convolution and attention to tracks", TracksConfig, TracksBody, initialise_tracks,
                 models={"tracks": Tracks}),
    Architecture("static vectors", StaticConfig, StaticEmbeddings, _initialise_static),
)
ARCHITECTURES: dict[type, Architecture] = {architecture.shape: architecture for architecture in _ALL}


def find_architecture(config: Shape) -> Architecture:
    """Give the architecture of a shape.

    Raises
    ------
    ConfigError
        If no architecture has shapes of this class.
    """
    if type(config) not in ARCHITECTURES:
        raise ConfigError("no architecture has such a shape", got=type(config).__name__,
                          expected=", ".join(shape.__name__ for shape in ARCHITECTURES))
    return ARCHITECTURES[type(config)]


def shape_of(model: nn.Module) -> Shape:
    """Give the shape of a model or a body."""
    config: Any = model.config
    shape: Shape = config
    return shape


def build_body(config: Shape) -> Body:
    """Make the body that a shape describes; the weights are not set."""
    body = find_architecture(config).body(config)
    assert isinstance(body, Body)
    return body


def initialise(model: nn.Module, seed: int) -> None:
    """Set every weight by the rule of the model's architecture; each draw depends on `seed` and a name alone."""
    find_architecture(shape_of(model)).initialise(model, seed)
