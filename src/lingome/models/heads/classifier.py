"""A classifier of sequences, on a body of any architecture.

Shapes are in the names: B sequences in a batch, L tokens in a sequence (padding included), D hidden size, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lingome.models.layers.pooling import find_tokens, pool_mean
from lingome.models.registry import build_body
from lingome.models.shape import Shape, require


class SequenceClassifier(nn.Module):
    """A body of any kind, one vector per sequence, and one linear layer.

    The vector is the mean over tokens, which leaves out ``[PAD]``, ``[CLS]`` and ``[SEP]``; unknown letters
    (``[UNK]``) count; a sequence with no token left pools to zeros. A shape with ``pooling="last"`` takes the
    state of the last token that is not padding instead, as transformers' classifiers on decoders do, and its
    linear layer has no bias.
    """

    def __init__(self, config: Shape) -> None:
        super().__init__()
        require(len(config.label_names) >= 2, "label_names", config.label_names, "at least two classes")
        self.config = config
        self.body = build_body(config)
        self.pools_last = getattr(config, "pooling", "mean") == "last"
        self.head = nn.Linear(config.hidden_size, len(config.label_names), bias=not self.pools_last)

    def pool(self, hidden_BLD: Tensor, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Make one vector per sequence, in float32: (B, D)."""
        if self.pools_last:
            shown_BL = input_ids_BL != self.config.pad_id if attention_mask_BL is None else attention_mask_BL.bool()
            last_B = (shown_BL * torch.arange(1, shown_BL.shape[1] + 1, device=shown_BL.device)).argmax(dim=1)
            return hidden_BLD[torch.arange(len(last_B), device=last_B.device), last_B].float()
        special_ids = (self.config.pad_id, self.config.cls_id, self.config.sep_id)
        return pool_mean(hidden_BLD, find_tokens(input_ids_BL, special_ids, attention_mask_BL))

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give logits (B, C)."""
        hidden_BLD = self.body(input_ids_BL, attention_mask_BL)
        logits: Tensor = self.head(self.pool(hidden_BLD, input_ids_BL, attention_mask_BL))
        return logits
