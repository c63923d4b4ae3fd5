"""A model that guesses hidden tokens, on a body of any architecture.

Shapes are in the names: B sequences in a batch, L tokens in a sequence (padding included), D hidden size, M masked
positions in the whole batch, T tokens of packed sequences, V tokens of the vocabulary.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lingome.models.registry import build_body, find_architecture
from lingome.models.shape import Shape, require


class MaskedLM(nn.Module):
    """A body and a head that guesses hidden tokens.

    Raises
    ------
    ConfigError
        If the architecture has no such head, as decoders have none.
    """

    def __init__(self, config: Shape) -> None:
        super().__init__()
        architecture = find_architecture(config)
        require(architecture.masked_head is not None, "architecture", architecture.name, "an encoder")
        assert architecture.masked_head is not None
        self.config = config
        self.body = build_body(config)
        self.head = architecture.masked_head(config)
        self.tie()

    def tie(self) -> None:
        """Share the embedding matrix with the head, if the shape says so; again after weights were assigned."""
        if getattr(self.config, "tie_head", False):
            decoder = self.head.get_submodule("decoder")
            decoder.weight = self.body.tokens.weight

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None,
        lengths_B: Tensor | None = None,
    ) -> Tensor:
        """Give logits.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids; with `lengths_B`, (T,), those of packed sequences, one after the other.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens. None: no padding; packed sequences have none.
        masked_BL : Tensor, (B, L) bool, optional
            Positions whose logits are wanted; with `lengths_B`, (T,).
        lengths_B : Tensor, (B,) int, optional
            Tokens of each packed sequence. The body has to read such (`Transformer.forward_packed`).

        Returns
        -------
        Tensor, (M, V) at the positions where `masked_BL` is true; (B, L, V), or (T, V), everywhere when it is None.

        Raises
        ------
        ConfigError
            If sequences are packed, and the body cannot read them so.
        """
        if lengths_B is None:
            hidden = self.body(input_ids_BL, attention_mask_BL, masked_BL)
        else:
            forward_packed: Any = getattr(self.body, "forward_packed", None)
            packs = forward_packed is not None
            require(packs, "architecture", type(self.body).__name__, "a transformer encoder to pack")
            hidden = forward_packed(input_ids_BL, lengths_B, masked_BL)
        logits: Tensor = self.head(hidden)
        return logits
