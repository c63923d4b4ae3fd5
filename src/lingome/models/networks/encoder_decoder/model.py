"""The encoder-decoder transformer, whole: T5 and its later version 1.1 (Flan-T5, ProtT5, Ankh).

Shapes are in the names: ``x_BLD`` has axes B, L, D.

====  ====================================================================
B     sequences in a batch
L     source tokens, padding included
Q     target tokens given now; the queries
T     target tokens seen, those in the cache and those given now
D     hidden size
H, K  attention heads, and the size of one; I = H * K need not be D
F     feed-forward size
S     places of a table of distances, Q + T - 1
V     vocabulary
====  ====================================================================

Every layer is pre-norm with RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467) and without biases. Scores are
not divided by sqrt(K): the first weights of the queries are smaller instead. Positions are a learned number per head
and bucket of distance, added to the scores of self-attention; all layers of a stack share one table. ReLU and a tied
output matrix, with the states divided by sqrt(D) before it, is T5 (Raffel et al. 2020, arXiv:1910.10683); gated GELU
(Shazeer 2020, arXiv:2002.05202) and an output matrix of its own, T5 1.1.

Initialisation (`initialise_encoder_decoder`), from the released code of T5 (Mesh TensorFlow):

==============================  ==============================  ==============================
tensor                          value                           source
==============================  ==============================  ==============================
embeddings                      normal(0, 1)                    T5's code
queries                         normal(0, 1 / sqrt(D K))        T5's code: in place of scaling
keys, values, out of attention  normal(0, 1 / sqrt(width in))   T5's code
feed-forward, output matrix     normal(0, 1 / sqrt(width in))   T5's code
distances                       normal(0, 1 / sqrt(D))          T5's code
norms                           1                               arXiv:1910.07467
==============================  ==============================  ==============================
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.architecture import Body
from lingome.models.layers.attention import relative_buckets
from lingome.models.layers.blocks import attend, build_norm, check_length, drop, hide, is_padded
from lingome.models.layers.first_weights import constant, fill_weights
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.shape import require


class RelativePositions(nn.Embedding):
    """A number per bucket of distance and head, (buckets, H)."""

    def __init__(self, config: EncoderDecoderConfig, *, both_sides: bool) -> None:
        super().__init__(config.n_buckets, config.n_heads)
        self.max_distance = config.max_distance
        self.both_sides = both_sides

    def bias(self, n_queries: int, n_keys: int) -> Tensor:
        """Give what is added to scores, (1, H, Q, T); the queries are the last of the keys."""
        distances_S = torch.arange(1 - n_keys, n_queries, device=self.weight.device)
        buckets_S = relative_buckets(distances_S, self.num_embeddings, self.max_distance, both_sides=self.both_sides)
        # Window i of T distances in a row belongs to the query that sees its last key at the window's end.
        return self.weight[buckets_S].t().unfold(1, n_keys, 1).flip(1)[None]


class Source(NamedTuple):
    """An encoded source: its states (B, L, D), and True at real tokens (B, L), or None where none is padding."""

    states_BLD: Tensor
    real_BL: Tensor | None


class DecoderCache:
    """Keys and values of the target tokens so far, and those of the source, computed once.

    Parameters
    ----------
    decoder : DecoderStack
        Projects the source for each of its layers.
    source : Source
        B sequences.
    max_tokens : int
        Most target tokens, padding included; the memory is taken at once.

    Attributes
    ----------
    length : int
        Target tokens held, padding included.
    """

    def __init__(self, decoder: DecoderStack, source: Source, max_tokens: int) -> None:
        config = decoder.config
        states_BLD = source.states_BLD
        require(1 <= max_tokens <= config.max_positions, "cache", f"{max_tokens} tokens",
                f"1 to the model's {config.max_positions}")
        shape = (len(states_BLD), config.n_heads, max_tokens, config.head_size)
        self.max_tokens = max_tokens
        self.length = 0
        self.padded = False
        self.source_real_BL = source.real_BL
        with torch.no_grad():
            self.source_keys = [layer.read_source(states_BLD) for layer in decoder.blocks()]
        self.keys = [(states_BLD.new_empty(shape), states_BLD.new_empty(shape)) for _ in self.source_keys]
        self.real_BT = torch.ones(shape[0], max_tokens, dtype=torch.bool, device=states_BLD.device)

    def put(self, index: int, k_BHQK: Tensor, v_BHQK: Tensor) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values; give all of that layer's, (B, H, T, K)."""
        end = self.length + k_BHQK.shape[2]
        for store, new in zip(self.keys[index], (k_BHQK, v_BHQK), strict=True):
            store[:, :, self.length : end] = new
        keys, values = self.keys[index]
        return keys[:, :, :end], values[:, :, :end]

    def reorder(self, index_B: Tensor) -> None:
        """Replace sequence i, source and target, by a copy of sequence ``index_B[i]``."""
        self.keys = [(k[index_B], v[index_B]) for k, v in self.keys]
        self.source_keys = [(k[index_B], v[index_B]) for k, v in self.source_keys]
        self.real_BT = self.real_BT[index_B]
        self.source_real_BL = None if self.source_real_BL is None else self.source_real_BL[index_B]


class Block(nn.Module):
    """One layer of either stack: self-attention, attention to the source in a decoder, feed-forward; each is added."""

    def __init__(self, config: EncoderDecoderConfig, index: int, *, crossed: bool) -> None:
        super().__init__()
        self.config = config
        self.index = index
        self.crossed = crossed
        D = config.hidden_size
        width = config.n_heads * config.head_size
        self.attention_norm = _norm(config)
        self.qkv = nn.Linear(D, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, D, bias=False)
        if crossed:
            self.cross_norm = _norm(config)
            self.cross_query = nn.Linear(D, width, bias=False)
            self.cross_keys = nn.Linear(D, 2 * width, bias=False)
            self.cross_out = nn.Linear(width, D, bias=False)
        self.ffn_norm = _norm(config)
        self.ffn_in = nn.Linear(D, config.ffn_size * (1 if config.ffn == "relu" else 2), bias=False)
        self.ffn_out = nn.Linear(config.ffn_size, D, bias=False)

    def forward(
        self, x_BQD: Tensor, bias_BHQT: Tensor, source: Source | None = None, source_bias: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> Tensor:
        """Compute the layer.

        Parameters
        ----------
        x_BQD : Tensor, (B, Q, D) float
            States of the tokens.
        bias_BHQT : Tensor, (B or 1, H or 1, Q or 1, T) float
            Added to the scores of self-attention: distances, and what hides tokens.
        source : Source, optional
            What a decoder reads, unless the cache holds its keys and values.
        source_bias : Tensor, (B, 1, 1, L) float, optional
            Added to the scores of attention to the source: hides its padding.
        cache : DecoderCache, optional
            Read, and filled with these tokens.

        Returns
        -------
        Tensor, (B, Q, D) float
        """
        q, k, v = self._heads(self.qkv(self.attention_norm(x_BQD)), 3)
        if cache is not None:
            k, v = cache.put(self.index, k, v)
        x_BQD = x_BQD + drop(self.attention_out(self._attend(q, k, v, bias_BHQT)), self.config.dropout, self.training)
        if self.crossed:
            (q,) = self._heads(self.cross_query(self.cross_norm(x_BQD)), 1)
            if cache is not None:
                k, v = cache.source_keys[self.index]
            else:
                assert source is not None, "a decoder without a cache reads the source itself"
                k, v = self.read_source(source.states_BLD)
            x_BQD = x_BQD + drop(self.cross_out(self._attend(q, k, v, source_bias)), self.config.dropout, self.training)
        return x_BQD + drop(self._ffn(self.ffn_norm(x_BQD)), self.config.dropout, self.training)

    def read_source(self, states_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """Give keys and values of the source, each (B, H, L, K)."""
        k, v = self._heads(self.cross_keys(states_BLD), 2)
        return k, v

    def _heads(self, x_BQI: Tensor, n: int) -> tuple[Tensor, ...]:
        B, Q, _ = x_BQI.shape
        parts = x_BQI.view(B, Q, n, self.config.n_heads, self.config.head_size).unbind(dim=2)
        return tuple(part.transpose(1, 2) for part in parts)

    def _attend(self, q_BHQK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, bias: Tensor | None) -> Tensor:
        dropout = self.config.dropout if self.training else 0.0
        dtype = q_BHQK.dtype
        o_BHQK = attend(q_BHQK, k_BHTK.to(dtype), v_BHTK.to(dtype), bias, dropout, scale=1.0)
        return o_BHQK.transpose(1, 2).flatten(2)

    def _ffn(self, x_BQD: Tensor) -> Tensor:
        inner = self.ffn_in(x_BQD)
        if self.config.ffn == "relu":
            inner = F.relu(inner)
        else:
            gate, value = inner.chunk(2, dim=-1)
            inner = F.gelu(gate, approximate="tanh") * value
        out: Tensor = self.ffn_out(drop(inner, self.config.dropout, self.training))
        return out



def _norm(config: EncoderDecoderConfig) -> nn.LayerNorm | nn.RMSNorm:
    return build_norm("rms", config.hidden_size, config.norm_eps, bias=False)


class Stack(nn.Module):
    """Layers that share one table of distances, and the norm after them."""

    def __init__(self, config: EncoderDecoderConfig, n_layers: int, *, crossed: bool) -> None:
        super().__init__()
        self.config = config
        self.relative = RelativePositions(config, both_sides=not crossed)
        self.layers = nn.ModuleList(Block(config, index, crossed=crossed) for index in range(n_layers))
        self.final_norm = _norm(config)

    def blocks(self) -> list[Block]:
        """List the layers."""
        return [layer for layer in self.layers if isinstance(layer, Block)]



class EncoderStack(Stack, Body):
    """The encoder, a body of its own: token ids in, one vector per token out."""

    config: EncoderDecoderConfig
    tokens: nn.Embedding

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__(config, config.n_layers, crossed=False)
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states, (B, L, D) or (M, D): parameters and errors are those of `Body.forward`."""
        hidden_BLD = self.hidden_states(input_ids_BL, attention_mask_BL)[-1]
        return hidden_BLD if masked_BL is None else hidden_BLD[masked_BL]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""
        length = input_ids_BL.shape[1]
        check_length(length, self.config.max_positions)
        bias = self.relative.bias(length, length)
        if is_padded(attention_mask_BL):
            bias = bias + hide(attention_mask_BL.bool())[:, None, None]
        states = [drop(self.tokens(input_ids_BL), self.config.dropout, self.training)]
        for layer in self.layers:
            states.append(layer(states[-1], bias))
        return [*states[:-1], drop(self.final_norm(states[-1]), self.config.dropout, self.training)]


class DecoderStack(Stack):
    """The decoder: each target token sees the whole source and the target tokens before it."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__(config, config.n_decoder_layers, crossed=True)

    def forward(
        self, x_BQD: Tensor, source: Source, real_BQ: Tensor | None = None, cache: DecoderCache | None = None
    ) -> Tensor:
        """Compute final states of embedded target tokens.

        Parameters
        ----------
        x_BQD : Tensor, (B, Q, D) float
            Embedded target tokens; with a cache, those after the ones it holds.
        source : Source
            What is read.
        real_BQ : Tensor, (B, Q) bool, optional
            False at padding; None: there is none.
        cache : DecoderCache, optional
            Read, and filled with these tokens.

        Returns
        -------
        Tensor, (B, Q, D) float

        Raises
        ------
        DataError
            If there are more target tokens than the model's positions or the cache have room for.
        """
        Q = x_BQD.shape[1]
        start = 0 if cache is None else cache.length
        check_length(Q, self.config.max_positions if cache is None else cache.max_tokens - start)
        device = x_BQD.device
        end = start + Q
        bias = self.relative.bias(Q, end)
        if Q > 1:
            bias = bias + hide(torch.ones(Q, end, dtype=torch.bool, device=device).tril(start))
        real_BT = None if real_BQ is None or bool(real_BQ.all()) else real_BQ.bool()
        if cache is not None:
            cache.padded = cache.padded or real_BT is not None
            cache.real_BT[:, start:end] = True if real_BT is None else real_BT
            real_BT = cache.real_BT[:, :end] if cache.padded else None
        if real_BT is not None:
            bias = bias + hide(real_BT)[:, None, None]
        source_real = source.real_BL if cache is None else cache.source_real_BL
        source_bias = None if source_real is None else hide(source_real)[:, None, None]
        x_BQD = drop(x_BQD, self.config.dropout, self.training)
        for layer in self.layers:
            x_BQD = layer(x_BQD, bias, source, source_bias, cache)
        if cache is not None:
            cache.length = end
        return drop(self.final_norm(x_BQD), self.config.dropout, self.training)


class EncoderDecoderLM(nn.Module):
    """An encoder, a decoder that reads it, and a head that guesses the next target token."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        require(config.n_decoder_layers >= 1, "n_decoder_layers", config.n_decoder_layers, "at least 1")
        self.config = config
        self.body = EncoderStack(config)
        self.decoder = DecoderStack(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_head:
            self.head.weight = self.body.tokens.weight

    def forward(
        self, input_ids_BL: Tensor, target_ids_BQ: Tensor, attention_mask_BL: Tensor | None = None,
        target_mask_BQ: Tensor | None = None,
    ) -> Tensor:
        """Give logits (B, Q, V): row i scores the target token after the i-th that is given.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            The source.
        target_ids_BQ : Tensor, (B, Q) int
            What the decoder reads: ``config.start_id``, then target tokens.
        attention_mask_BL, target_mask_BQ : Tensor of bool or 0/1, optional
            False at padding, on either side.

        Raises
        ------
        DataError
            If one of them is longer than the model's positions.
        """
        return self.score(target_ids_BQ, self.encode(input_ids_BL, attention_mask_BL), target_mask_BQ)

    def encode(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Source:
        """Read the source, once for all target tokens."""
        real_BL = attention_mask_BL.bool() if is_padded(attention_mask_BL) else None
        return Source(self.body(input_ids_BL, real_BL), real_BL)

    def score(
        self, target_ids_BQ: Tensor, source: Source, target_mask_BQ: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> Tensor:
        """Give logits after target tokens.

        Parameters
        ----------
        target_ids_BQ : Tensor, (B, Q) int
            Target tokens; with a cache, those after the ones it holds.
        source : Source
            The encoded source.
        target_mask_BQ : Tensor, (B, Q) bool or 0/1, optional
            False at padding.
        cache : DecoderCache, optional
            Read, and filled with these tokens.

        Returns
        -------
        Tensor, (B, Q, V) float
            Row i scores the token after the i-th that is given.
        """
        hidden_BQD = self.decoder(self.body.tokens(target_ids_BQ), source, target_mask_BQ, cache)
        if self.config.scale_head:
            hidden_BQD = hidden_BQD * self.config.hidden_size**-0.5
        logits: Tensor = self.head(hidden_BQD)
        return logits


def initialise_encoder_decoder(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    config: Any = model.config

    def rule(name: str, values: Tensor, draw: torch.Generator) -> None:
        if values.dim() == 1:
            values.fill_(constant(name))
            return
        owner = name.rsplit(".", 2)[-2]
        width = config.hidden_size if owner == "relative" else values.shape[1]
        values.normal_(0.0, 1.0 if owner == "tokens" else width**-0.5, generator=draw)
        rows = {"qkv": len(values) // 3, "cross_query": len(values)}.get(owner, 0)
        values[:rows] *= config.head_size**-0.5

    fill_weights(model, seed, rule)
