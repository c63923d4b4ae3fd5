"""The transformer encoder, whole: layers, masked-LM head, classifier.

Shapes are in the names: ``x_BLD`` has axes B, L, D.

====  =====================================================
B     sequences in a batch
L     tokens in a sequence, padding included
D     hidden size
H, K  attention heads, and the size of one (D = H * K)
N     B * H, one row an attention head of a sequence
F     feed-forward size
Q     query positions a sequence (L, or the most masked ones)
M     masked positions in the whole batch
V, C  vocabulary, classes
====  =====================================================

Two families are exact twins of published ones, so their weights can be exchanged:
learned positions + post-norm + GELU + biases is BERT (Devlin et al. 2019,
doi:10.18653/v1/N19-1423); rotary positions + pre-norm + gated GELU without biases is ModernBERT
(Warner et al. 2024, arXiv:2412.13663) with global attention in every layer.

Initialisation, one rule for every model (`initialise`):

=========================  ==================================  =================================
tensor                     value                               source
=========================  ==================================  =================================
embeddings and matrices    normal(0, 0.02), cut at 2 sd        Devlin et al. 2019, released code
out of attention and FFN,  the same, divided by sqrt(2 * n)    Radford et al. 2019 (GPT-2),
pre-norm only              for n layers                        Warner et al. 2024
biases, norms              0; scale 1                          Ba et al. 2016, arXiv:1607.06450
=========================  ==================================  =================================
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import DataError
from lingome.models.blocks import HIDDEN_SCORE, Rotation, attend, draw_weights
from lingome.models.shapes import Shape, StaticConfig, TransformerConfig, require
from lingome.models.word2vec import StaticEmbeddings

__all__ = [
    "Body", "Layer", "MaskedLM", "MaskedLMHead", "Rotation", "SequenceClassifier", "Transformer", "TransformerConfig",
    "attend", "build_body", "initialise",
]

class Picked(NamedTuple):
    """Masked positions of a batch: their places, the rows padded to the longest, and which are real."""

    places_BQ: Tensor
    real_BQ: Tensor

    @classmethod
    def of(cls, masked_BL: Tensor) -> Picked:
        """Find the masked positions; read row by row they are in the order of ``x[masked_BL]``."""
        count_B = masked_BL.sum(dim=1)
        longest = int(count_B.max())
        places_BL = masked_BL.logical_not().byte().argsort(dim=1, stable=True)
        real_BQ = torch.arange(longest, device=masked_BL.device) < count_B[:, None]
        return cls(places_BL[:, :longest], real_BQ)

    def take(self, x_BLD: Tensor) -> Tensor:
        """Take those positions of every sequence: (B, Q, D)."""
        return x_BLD.gather(1, self.places_BQ[:, :, None].expand(-1, -1, x_BLD.shape[2]))


class Layer(nn.Module):
    """One block: attention, then feed-forward, each added to what came in."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        self.config = config
        D, width = config.hidden_size, config.ffn_size * (2 if config.ffn == "geglu" else 1)
        bare = config.norm == "pre" and index == 0
        self.attention_norm = nn.Identity() if bare else build_norm(config)
        self.qkv = nn.Linear(D, 3 * D, bias=config.bias)
        self.attention_out = nn.Linear(D, D, bias=config.bias)
        self.ffn_norm = build_norm(config)
        self.ffn_in = nn.Linear(D, width, bias=config.bias)
        self.ffn_out = nn.Linear(config.ffn_size, D, bias=config.bias)

    def forward(
        self, x_BLD: Tensor, bias_B1L: Tensor | None, rotation: Rotation | None, picked: Picked | None = None
    ) -> Tensor:
        """Give (B, L, D); with `picked`, only the masked positions, (M, D): the rest is never computed."""
        pre = self.config.norm == "pre"
        mixed = self._attention(self.attention_norm(x_BLD) if pre else x_BLD, bias_B1L, rotation, picked)
        if picked is not None:
            x, mixed = picked.take(x_BLD)[picked.real_BQ], mixed[picked.real_BQ]
        else:
            x = x_BLD
        if pre:
            x = x + self._drop(mixed)
            return x + self._drop(self._ffn(self.ffn_norm(x)))
        x = self.attention_norm(x + self._drop(mixed))
        out: Tensor = self.ffn_norm(x + self._drop(self._ffn(x)))
        return out

    def _attention(
        self, x_BLD: Tensor, bias_B1L: Tensor | None, rotation: Rotation | None, picked: Picked | None
    ) -> Tensor:
        B, L, D = x_BLD.shape
        H, K = self.config.n_heads, self.config.head_size
        if picked is None:
            q, k, v = self.qkv(x_BLD).view(B, L, 3, H, K).unbind(dim=2)
        else:
            weight, bias = self.qkv.weight, self.qkv.bias
            q_bias, kv_bias = (None, None) if bias is None else (bias[:D], bias[D:])
            q = F.linear(picked.take(x_BLD), weight[:D], q_bias).view(B, -1, H, K)
            k, v = F.linear(x_BLD, weight[D:], kv_bias).view(B, L, 2, H, K).unbind(dim=2)
        if rotation is not None:
            q = (rotation if picked is None else rotation.at(picked.places_BQ)).turn(q)
            k = rotation.turn(k)
        dropout = self.config.dropout if self.training else 0.0
        o_BHQK = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), bias_B1L, dropout)
        out: Tensor = self.attention_out(o_BHQK.transpose(1, 2).reshape(B, -1, D))
        return out

    def _ffn(self, x_D: Tensor) -> Tensor:
        inner = self.ffn_in(x_D)
        if self.config.ffn == "geglu":
            value, gate = inner.chunk(2, dim=-1)
            inner = F.gelu(value) * gate
        else:
            inner = F.gelu(inner)
        out: Tensor = self.ffn_out(inner)
        return out

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training) if self.config.dropout else x


def build_norm(config: TransformerConfig) -> nn.LayerNorm:
    """Make a LayerNorm over D."""
    return nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.bias)


class Transformer(nn.Module):
    """The body: token ids in, one vector a token out."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.places = nn.Embedding(config.max_positions, config.hidden_size)
            self.segments = nn.Embedding(config.n_segments, config.hidden_size)
        self.embedding_norm = build_norm(config)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.n_layers))
        self.final_norm = build_norm(config) if config.norm == "pre" else nn.Identity()

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens, False at padding. None: no padding.
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
        picked = None if masked_BL is None else Picked.of(masked_BL)
        return self._run(input_ids_BL, attention_mask_BL, picked)[-1]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""
        return self._run(input_ids_BL, attention_mask_BL, None)

    def _run(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None, picked: Picked | None) -> list[Tensor]:
        config, length = self.config, input_ids_BL.shape[1]
        if length > config.max_positions:
            raise DataError(
                "a sequence is longer than the model can read", got=f"{length} tokens",
                expected=f"at most {config.max_positions}", hint="cut the sequences into windows, or truncate them",
            )
        x_BLD = self.tokens(input_ids_BL)
        rotation = None
        if config.positions == "learned":
            x_BLD = x_BLD + self.segments.weight[0] + self.places.weight[:length]
        else:
            rotation = Rotation.of(length, config, x_BLD.device)
        x_BLD = self.embedding_norm(x_BLD)
        if config.dropout:
            x_BLD = F.dropout(x_BLD, config.dropout, self.training)
        bias_B1L = None
        if attention_mask_BL is not None and not bool(attention_mask_BL.all()):
            bias_B1L = torch.where(attention_mask_BL.bool(), 0.0, HIDDEN_SCORE)[:, None].to(x_BLD.dtype)
        states = [x_BLD]
        for index, layer in enumerate(self.layers, start=1):
            last = index == config.n_layers
            states.append(layer(states[-1], bias_B1L, rotation, picked if last else None))
        states[-1] = self.final_norm(states[-1])
        return states


Body = Transformer | StaticEmbeddings
"""What gives one vector a token: a transformer, or a table of static vectors."""


def build_body(config: Shape) -> Body:
    """Make the body that a shape describes; the weights are not set."""
    return StaticEmbeddings(config) if isinstance(config, StaticConfig) else Transformer(config)


class MaskedLMHead(nn.Module):
    """Dense, GELU, norm, then scores of every token by the embedding matrix."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=config.bias)
        self.norm = build_norm(config)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, x_D: Tensor) -> Tensor:
        """Map (..., D) to logits (..., V)."""
        logits: Tensor = self.decoder(self.norm(F.gelu(self.dense(x_D))))
        return logits


class MaskedLM(nn.Module):
    """A body and a head that guesses hidden tokens."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.body = Transformer(config)
        self.head = MaskedLMHead(config)
        if config.tie_head:
            self.head.decoder.weight = self.body.tokens.weight

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Give logits (M, V) at the positions where `masked_BL` is true; (B, L, V) everywhere when it is None."""
        logits: Tensor = self.head(self.body(input_ids_BL, attention_mask_BL, masked_BL))
        return logits


class SequenceClassifier(nn.Module):
    """A body of any kind, the mean over real tokens, and one linear layer.

    The mean leaves out ``[PAD]``, ``[CLS]`` and ``[SEP]``; unknown letters (``[UNK]``) count. A
    sequence with no token left pools to zeros.
    """

    def __init__(self, config: Shape) -> None:
        super().__init__()
        require(config.n_classes >= 2, "label_names", config.label_names, "at least two classes")
        self.config = config
        self.body = build_body(config)
        self.head = nn.Linear(config.hidden_size, config.n_classes)

    def pool(self, hidden_BLD: Tensor, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Average the states of real tokens, in float32: (B, D)."""
        special = torch.tensor([self.config.pad_id, self.config.cls_id, self.config.sep_id], device=input_ids_BL.device)
        counted_BL = torch.isin(input_ids_BL, special, invert=True)
        if attention_mask_BL is not None:
            counted_BL = counted_BL & attention_mask_BL.bool()
        weight_BL1 = counted_BL[:, :, None].float()
        return (hidden_BLD.float() * weight_BL1).sum(dim=1) / weight_BL1.sum(dim=1).clamp(min=1)

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give logits (B, C)."""
        hidden_BLD = self.body(input_ids_BL, attention_mask_BL)
        logits: Tensor = self.head(self.pool(hidden_BLD, input_ids_BL, attention_mask_BL))
        return logits


def initialise(model: MaskedLM | SequenceClassifier | Body, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    config = model.config
    pre = isinstance(config, TransformerConfig) and config.norm == "pre"
    draw_weights(model, seed, config.n_layers if pre else None)
