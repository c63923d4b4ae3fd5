"""The transformer encoder, whole: layers and masked-LM head.

Shapes are in the names: ``x_TD`` has axes T, D.

====  =====================================================
B     sequences in a batch
L     tokens in a sequence, padding included
T     tokens of the whole batch: B * L, or without padding
M     masked positions in the whole batch
D     hidden size
H, K  attention heads, and the size of one (D = H * K)
G     heads of keys and values
F     feed-forward size
V     vocabulary
====  =====================================================

A layer works on one matrix of tokens, (T, D); which of them belong together is known to its
`AttentionContext` alone, so a padded batch and a packed one take the same way. Published mixes whose
weights can be exchanged: BERT, ModernBERT and MosaicBERT (`lingome.models.networks.transformer.folder`), ESM and the
Nucleotide Transformer (`lingome.models.networks.transformer.folder_esm`). Parts and their sources: `TransformerConfig`.

Initialisation, one rule for every model (`initialise_transformer`):

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

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.architecture import Body
from lingome.models.layers.attention import N_BUCKETS, AttentionContext, Bias, Packed, alibi, relative_buckets
from lingome.models.layers.blocks import build_norm, check_length, drop, is_padded
from lingome.models.layers.chosen_rows import project_chosen
from lingome.models.layers.first_weights import draw_weights
from lingome.models.networks.transformer.shape import TransformerConfig


class Layer(nn.Module):
    """One block: attention, then feed-forward, each added to what came in."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        self.config = config
        self.local = config.is_local(index)
        D = config.hidden_size
        G = config.kv_heads
        K = config.head_size
        width = config.ffn_size * (1 if config.ffn == "gelu" else 2)
        bare = config.norm == "pre" and config.first_norm == "embedding" and index == 0
        self.attention_norm = nn.Identity() if bare else _norm(config)
        self.qkv = nn.Linear(D, D + 2 * G * K, bias=config.bias)
        self.attention_out = nn.Linear(D, D, bias=config.bias)
        self.ffn_norm = _norm(config)
        self.ffn_in = nn.Linear(D, width, bias=config.bias and config.ffn_bias == "all")
        self.ffn_out = nn.Linear(config.ffn_size, D, bias=config.bias and config.ffn_bias != "none")

    def forward(self, x_TD: Tensor, context: AttentionContext) -> Tensor:
        """Give (T, D), or (M, D) if the context wants some rows only: the rest is never computed."""
        pre = self.config.norm == "pre"
        rows_M = context.rows_M
        mixed = self._attention(self.attention_norm(x_TD) if pre else x_TD, context)
        x = x_TD if rows_M is None else x_TD[rows_M]
        if pre:
            x = x + drop(mixed, self.config.dropout, self.training)
            return x + drop(self._ffn(self.ffn_norm(x)), self.config.dropout, self.training)
        x = self.attention_norm(x + drop(mixed, self.config.dropout, self.training))
        out: Tensor = self.ffn_norm(x + drop(self._ffn(x), self.config.dropout, self.training))
        return out

    def _attention(self, x_TD: Tensor, context: AttentionContext) -> Tensor:
        H = self.config.n_heads
        G = self.config.kv_heads
        K = self.config.head_size
        if context.rows_M is None:
            q, k, v = torch.split(self.qkv(x_TD).view(-1, H + 2 * G, K), [H, G, G], dim=1)
        else:
            q_MD, kv_T = project_chosen(self.qkv, x_TD, context.rows_M, H * K)
            q = q_MD.view(-1, H, K)
            k, v = kv_T.reshape(-1, 2 * G, K).chunk(2, dim=1)
        dropout = self.config.dropout if self.training else 0.0
        out: Tensor = self.attention_out(context.attend(q, k, v, local=self.local, dropout=dropout))
        return out

    def _ffn(self, x_D: Tensor) -> Tensor:
        inner = self.ffn_in(x_D)
        if self.config.ffn == "gelu":
            inner = F.gelu(inner)
        else:
            first, second = inner.chunk(2, dim=-1)
            inner = (F.gelu(first) if self.config.ffn == "geglu" else F.silu(first)) * second
        out: Tensor = self.ffn_out(inner)
        return out



def _norm(config: TransformerConfig) -> nn.LayerNorm | nn.RMSNorm:
    return build_norm(config.norm_kind, config.hidden_size, config.norm_eps, bias=config.bias)


class Transformer(Body):
    """The body: token ids in, one vector per token out."""

    config: TransformerConfig
    tokens: nn.Embedding

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        D = config.hidden_size
        self.tokens = nn.Embedding(config.vocab_size, D)
        if config.positions == "learned":
            self.places = nn.Embedding(config.position_offset + config.max_positions, D)
        if config.segment_rows:
            self.segments = nn.Embedding(config.segment_rows, D)
        if config.positions == "relative":
            self.relative = nn.Embedding(N_BUCKETS, config.n_heads)
        self.embedding_norm = nn.Identity() if config.first_norm == "layer" else _norm(config)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.n_layers))
        self.final_norm = _norm(config) if config.norm == "pre" else nn.Identity()

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states, (B, L, D) or (M, D): parameters and errors are those of `Body.forward`."""
        return _last(self._read_padded(input_ids_BL, attention_mask_BL, masked_BL))

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""
        return list(self._read_padded(input_ids_BL, attention_mask_BL, None))

    def forward_packed(
        self, input_ids_T: Tensor, lengths: Sequence[int] | Tensor, masked_T: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states of sequences that stand one after the other, without padding.

        Each sequence has its own positions and sees itself alone; the result is that of `forward` to rounding.

        Parameters
        ----------
        input_ids_T : Tensor, (T,) int
            Token ids of all sequences.
        lengths : sequence of int, or Tensor (B,) int
            Tokens of each sequence, in order; they add up to T. Sequences of equal length are computed together
            wherever they stand.
        masked_T : Tensor, (T,) bool, optional
            Positions whose states are wanted.

        Returns
        -------
        Tensor, (T, D) float, or (M, D) in the order of ``hidden[masked_T]`` when `masked_T` is given.

        Raises
        ------
        DataError
            If a sequence is longer than the model's positions, or the lengths do not add up to T.
        """
        packed = Packed.of(lengths, len(input_ids_T), input_ids_T.device)
        return packed.restore(_last(self._read_packed(input_ids_T, packed, masked_T)), masked_T)

    def hidden_states_packed(self, input_ids_T: Tensor, lengths: Sequence[int] | Tensor) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (T, D), the last is final.

        `lengths`, (B,), are the tokens of each sequence, as in `forward_packed`.
        """
        packed = Packed.of(lengths, len(input_ids_T), input_ids_T.device)
        return [packed.restore(x_TD, None) for x_TD in self._read_packed(input_ids_T, packed, None)]

    def _read_padded(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None, masked_BL: Tensor | None
    ) -> Iterator[Tensor]:
        """Give the states after the embedding and each layer, one at a time."""
        B, L = input_ids_BL.shape
        check_length(L, self.config.max_positions)
        real_BL = None
        if is_padded(attention_mask_BL):
            real_BL = attention_mask_BL.bool()
        places_T = None
        if self.config.positions == "learned" and real_BL is not None and is_padded(real_BL[:, 0]):
            places_T = (real_BL.cumsum(dim=1) - 1).clamp(min=0).flatten()  # the first real token stands first
        context = AttentionContext.padded(self.config, B, L, real_BL, self._bias(), input_ids_BL.device)
        real_T = None if real_BL is None else real_BL.flatten()
        x_TD = self._embed(input_ids_BL.flatten(), context, places_T, real_T)
        for index, x in enumerate(self._run(x_TD, context, None if masked_BL is None else masked_BL.flatten())):
            yield x if masked_BL is not None and index == self.config.n_layers else x.view(B, L, -1)

    def _read_packed(self, input_ids_T: Tensor, packed: Packed, masked_T: Tensor | None) -> Iterator[Tensor]:
        """Give the states after the embedding and each layer, in the order of computation, one at a time."""
        check_length(max(packed.lengths), self.config.max_positions)
        context = AttentionContext.packed(self.config, packed.lengths, self._bias(), input_ids_T.device)
        places_T = context.places() if self.config.positions == "learned" else None
        x_TD = self._embed(packed.arrange(input_ids_T), context, places_T, None)
        yield from self._run(x_TD, context, None if masked_T is None else packed.arrange(masked_T))

    def _run(self, x_TD: Tensor, context: AttentionContext, masked_T: Tensor | None) -> Iterator[Tensor]:
        yield x_TD
        for index, layer in enumerate(self.layers, start=1):
            last = index == self.config.n_layers
            if last and masked_T is not None:
                context = context.pick(masked_T)
            x_TD = layer(x_TD, context)
            yield self.final_norm(x_TD) if last else x_TD

    def _embed(
        self, input_ids_T: Tensor, context: AttentionContext, places_T: Tensor | None, real_T: Tensor | None
    ) -> Tensor:
        """Look up tokens, segment and learned positions; `places_T` is None where all are 0, 1, 2 ..."""
        config = self.config
        x_TD = self.tokens(input_ids_T)
        if config.token_dropout:
            x_TD = self._rescale(x_TD, input_ids_T, context, real_T)
        if config.segment_rows:
            x_TD = x_TD + self.segments.weight[0]
        if config.positions == "learned":
            first = config.position_offset
            if places_T is None:
                table_LD = self.places.weight[first : first + context.groups[0].length]
                x_TD = (x_TD.view(-1, *table_LD.shape) + table_LD).view_as(x_TD)
            else:
                x_TD = x_TD + self.places(places_T + first)
        x_TD = self.embedding_norm(x_TD)
        return drop(x_TD, config.dropout, self.training)

    def _rescale(
        self, x_TD: Tensor, input_ids_T: Tensor, context: AttentionContext, real_T: Tensor | None
    ) -> Tensor:
        """Zero embeddings of ``[MASK]``, and scale those of each sequence to the length they had in training."""
        sequence_T = context.sequences()
        hidden_T = input_ids_T == self.config.mask_id
        real = torch.ones_like(hidden_T) if real_T is None else real_T
        sums_B2 = x_TD.new_zeros(int(sequence_T[-1]) + 1, 2, dtype=torch.float32)
        sums_B2 = sums_B2.index_add(0, sequence_T, torch.stack([hidden_T & real, real], dim=1).float())
        seen_B = 1 - sums_B2[:, 0] / sums_B2[:, 1].clamp(min=1)
        # A sequence of masks alone has only zeros to scale.
        scale_B = (1 - self.config.token_dropout) / seen_B.clamp(min=1e-6)
        return x_TD.masked_fill(hidden_T[:, None], 0.0) * scale_B[sequence_T][:, None].to(x_TD.dtype)

    def _bias(self) -> Bias | None:
        """Give what positions add to scores, as a function of distances (..., Q, L): (..., H, Q, L)."""
        if self.config.positions == "relative":
            return lambda distance: self.relative(relative_buckets(distance)).movedim(-1, -3)
        if self.config.positions == "alibi":
            return lambda distance: alibi(distance, self.config.n_heads)
        return None


def _last(states: Iterator[Tensor]) -> Tensor:
    """Walk to the last state, and keep no other."""
    state = next(states)
    while (following := next(states, None)) is not None:
        state = following
    return state


class MaskedLMHead(nn.Module):
    """Dense, GELU, norm, then scores of every token by the embedding matrix."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=config.bias)
        self.norm = _norm(config)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, x_D: Tensor) -> Tensor:
        """Map (..., D) to logits, (B, L, V) or (M, V)."""
        inner = F.gelu(self.dense(x_D)).to(self.norm.weight.dtype)  # autocast does so for LayerNorm, not for RMSNorm
        logits: Tensor = self.decoder(self.norm(inner))
        return logits


def initialise_transformer(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    config = model.config
    assert isinstance(config, TransformerConfig)
    draw_weights(model, seed, config.n_layers if config.norm == "pre" else None)
