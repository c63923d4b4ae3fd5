"""What an architecture is: a shape, a body that reads tokens, the models on it, and the folders it is saved as.

Every folder below `lingome.models.networks` describes one as a value, `ARCHITECTURE`; `lingome.models.registry` lists
them. Shapes are in the names: ``x_BLD`` has axes B (sequences in a batch), L (tokens in a sequence, padding included)
and D (hidden size); M positions chosen in the whole batch, V tokens of the vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from lingome.models.mapping.family import Family, Kind
from lingome.models.shape import Shape


class Body(nn.Module, ABC):
    """Token ids in, one vector per token out: what every network of tokens is, whatever it is made of.

    Attributes
    ----------
    config : shape
        Its shape, as `lingome.models.shape.Shape` asks for.
    tokens : Module
        The table of tokens; its ``weight``, (V, D), may serve a head as well.
    layers : ModuleList
        The layers, first to last; a table of vectors has none.
    final_norm : Module
        What comes after the last layer, and is adapted with it; a table of vectors has none.
    causal : bool
        Whether the state of a token knows only that token and those before it.
    """

    config: Shape
    tokens: Any
    layers: nn.ModuleList
    final_norm: Any
    causal: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens, False at padding on either side. None: no padding.
        masked_BL : Tensor, (B, L) bool, optional
            Positions whose states are wanted.

        Returns
        -------
        Tensor, (B, L, D) float, or (M, D) in the order of ``hidden[masked_BL]`` when `masked_BL` is given.

        Raises
        ------
        DataError
            If a sequence is longer than the model's positions.
        """

    @abstractmethod
    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""


class CausalModel(nn.Module, ABC):
    """A causal body and a head that guesses the next token.

    Attributes
    ----------
    config : shape
        Its shape.
    body : Body
        A causal one.
    head : Linear
        From states, (..., D), to logits, (..., V).
    """

    config: Shape
    body: Body
    head: nn.Linear
    causal: ClassVar[bool] = True

    @abstractmethod
    def last_logits(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give logits (B, V) after the last real token of each sequence; the head is computed there alone."""


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
    families : tuple of Family
        The kinds of model folder it is written as and read from; of a shape's families the first that fits is written,
        of a file's the first that reads it.
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
    families: tuple[Family, ...]
    masked_head: Callable[[Any], nn.Module] | None = None
    models: Mapping[Kind, Callable[[Any], nn.Module]] = field(default_factory=dict)
