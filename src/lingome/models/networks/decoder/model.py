"""The transformer decoder, whole: layers, cache of keys and values, next-token head.

Shapes are in the names: ``x_BLD`` has axes B, L, D.

====  ===========================================================
B     sequences in a batch
L, Q  tokens given now, padding included; the queries
T     tokens seen, those in the cache and those given now
D     hidden size
H, K  heads of queries, and the size of one (D = H * K, if no head_dim is given)
G     heads of keys and values; each serves H / G heads of queries
F     feed-forward size
V     vocabulary
====  ===========================================================

Every layer is pre-norm. Two families are exact twins of published ones, so their weights can be exchanged:
learned positions + LayerNorm + GELU (tanh) + biases is GPT-2 (Radford et al. 2019, "Language models are
unsupervised multitask learners"); rotary positions + RMSNorm + SwiGLU is Llama (Touvron et al. 2023,
arXiv:2302.13971); with fewer heads of keys and values and a sliding window, Mistral (Jiang et al. 2023,
arXiv:2310.06825); and with experts (`lingome.models.networks.decoder.experts`) Mixtral (Jiang et al. 2024,
arXiv:2401.04088).

Initialisation (`initialise_causal`), the rule of the encoder:

=========================  ==================================  =================================
tensor                     value                               source
=========================  ==================================  =================================
embeddings and matrices    normal(0, 0.02), cut at 2 sd        Radford et al. 2018 (GPT); the cut
                                                               is of Devlin et al. 2019
out of attention and FFN   the same, divided by sqrt(2 * n)    Radford et al. 2019, section 2.3
                           for n layers
biases, norms              0; scale 1                          Ba et al. 2016, arXiv:1607.06450
=========================  ==================================  =================================
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lingome.core.errors import DataError
from lingome.models.architecture import Body, CausalModel
from lingome.models.layers.blocks import Rotation, attend, build_norm, drop, hide, is_padded, last_real
from lingome.models.layers.compiled_steps import attend_step, fits_compiled_step
from lingome.models.layers.first_weights import draw_weights
from lingome.models.networks.decoder.experts import Mixture, activate
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.shape import require


class KvCache:
    """Keys and values of the tokens so far, in memory taken once.

    Parameters
    ----------
    config : DecoderConfig
        The model's shape.
    batch_size : int
        B, sequences.
    max_tokens : int
        Most tokens per sequence, padding included; at most the model's positions.
    device, dtype
        Where the numbers are kept, and how.

    Attributes
    ----------
    length : int
        Tokens held, padding included; the same for every sequence.

    Raises
    ------
    ConfigError
        If a size is out of range.
    """

    def __init__(
        self,
        config: DecoderConfig,
        batch_size: int,
        max_tokens: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        require(batch_size >= 1, "cache", f"{batch_size} sequences", "at least 1")
        fits = 1 <= max_tokens <= config.max_positions
        require(fits, "cache", f"{max_tokens} tokens per sequence", f"1 to the model's {config.max_positions}")
        device = torch.device(device)
        shape = (batch_size, config.n_kv_heads, max_tokens, config.head_size)
        self.max_tokens = max_tokens
        self.length = 0
        self.padded = False
        self.keys_BGTK = [torch.empty(shape, device=device, dtype=dtype) for _ in range(config.n_layers)]
        self.values_BGTK = [torch.empty(shape, device=device, dtype=dtype) for _ in range(config.n_layers)]
        self.real_BT = torch.ones(batch_size, max_tokens, dtype=torch.bool, device=device)
        self.rotation = None
        if config.positions == "rotary":
            self.rotation = Rotation.of(max_tokens, config.head_size, config.rope_theta, device)
        # How many tokens two sequences have in common from the first on, as copies of one: those need no copying again.
        self._alike_BB = torch.zeros(batch_size, batch_size, dtype=torch.int64, device=device)

    @property
    def batch_size(self) -> int:
        """B, the number of sequences."""
        return self.real_BT.shape[0]

    def put(self, index: int, k_BGQK: Tensor, v_BGQK: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values, and give all of that layer's.

        Parameters
        ----------
        index : int
            The layer, counted from 0.
        k_BGQK, v_BGQK : Tensor, (B, G, Q, K) float
            Keys and values of the new tokens.
        first : int
            Token from which on the layer's are given.

        Returns
        -------
        tuple of two Tensors, (B, G, T, K) float
            Keys and values, T counted from `first`.
        """
        end = self.length + k_BGQK.shape[2]
        keys = self.keys_BGTK[index]
        values = self.values_BGTK[index]
        keys[:, :, self.length : end] = k_BGQK
        values[:, :, self.length : end] = v_BGQK
        return keys[:, :, first:end].to(k_BGQK.dtype), values[:, :, first:end].to(v_BGQK.dtype)

    def reorder(self, index_B: Tensor) -> None:
        """Replace sequence i by a copy of sequence ``index_B[i]``; the batch takes the length of the index."""
        if len(index_B) == self.batch_size:
            moved = (index_B != torch.arange(len(index_B), device=index_B.device)).nonzero()[:, 0]
            first = int(self._alike_BB[moved, index_B[moved]].min()) if len(moved) else 0
            for store in (*self.keys_BGTK, *self.values_BGTK) if len(moved) else ():
                store[moved, :, first : self.length] = store[index_B[moved], :, first : self.length]
        else:
            self.keys_BGTK = [store[index_B] for store in self.keys_BGTK]
            self.values_BGTK = [store[index_B] for store in self.values_BGTK]
        self.real_BT = self.real_BT[index_B]
        alike_BB = self._alike_BB[index_B][:, index_B]
        self._alike_BB = alike_BB.masked_fill(index_B[:, None] == index_B, self.length)


class CausalMask(NamedTuple):
    """Where the new tokens stand, and what each may see: keys from `first` on, as far as the bias lets it."""

    places_BQ: Tensor | slice
    bias_BQT: Tensor | None
    causal: bool
    first: int = 0

    @classmethod
    def of(
        cls, length: int, real_BQ: Tensor | None, cache: KvCache | None, device: torch.device, window: int = 0
    ) -> CausalMask:
        """Count positions over real tokens; hide later tokens, those before the window, and padding.

        Parameters
        ----------
        length : int
            Q, new tokens of a sequence, padding included.
        real_BQ : Tensor, (B, Q) bool, optional
            True at real tokens; None: no padding among the new ones.
        cache : KvCache, optional
            What came before them.
        device : device
            Of the batch.
        window : int
            Tokens that a token sees, itself included; 0 for all.
        """
        start = 0 if cache is None else cache.length
        end = start + length
        window = window or end
        first = max(0, start + 1 - window)  # no new token sees what is before
        plain = real_BQ is None and not (cache is not None and cache.padded)
        if plain and (length == 1 or (start == 0 and length <= window)):
            return cls(slice(start, end), None, length > 1, first)
        seen_QT = torch.ones(length, end - first, dtype=torch.bool, device=device).tril(start - first)
        seen_QT = seen_QT.triu(start - first - window + 1)
        if plain:
            return cls(slice(start, end), hide(seen_QT)[None], False, first)
        if cache is not None:
            real_BT = cache.real_BT[:, :end]
        else:
            assert real_BQ is not None
            real_BT = real_BQ
        places_BT = (real_BT.cumsum(dim=1) - 1).clamp(min=0)
        return cls(places_BT[:, start:], hide(seen_QT & real_BT[:, None, first:]), False, first)


class DecoderLayer(nn.Module):
    """One block: attention to what came before, then feed-forward, each added to what came in."""

    def __init__(self, config: DecoderConfig, index: int) -> None:
        super().__init__()
        self.config = config
        self.index = index
        D = config.hidden_size
        width = config.ffn_size * (2 if config.ffn == "swiglu" else 1)
        H = config.n_heads
        G = config.n_kv_heads
        K = config.head_size
        self.attention_norm = _norm(config)
        self.qkv = nn.Linear(D, (H + 2 * G) * K, bias=config.bias)
        self.attention_out = nn.Linear(H * K, D, bias=config.bias)
        self.ffn_norm = _norm(config)
        if config.n_experts:
            self.mixture = Mixture(config)
        else:
            self.ffn_in = nn.Linear(D, width, bias=config.bias)
            self.ffn_out = nn.Linear(config.ffn_size, D, bias=config.bias)

    def forward(self, x_BQD: Tensor, mask: CausalMask, rotation: Rotation | None, cache: KvCache | None) -> Tensor:
        """Compute the block.

        Parameters
        ----------
        x_BQD : Tensor, (B, Q, D) float
            States of the new tokens.
        mask : CausalMask
            Where they stand, and what each may see.
        rotation : Rotation, optional
            Rotary positions of the new tokens; None where positions are learned.
        cache : KvCache, optional
            Read, and filled with these tokens.

        Returns
        -------
        Tensor, (B, Q, D) float
        """
        mixed_BQD = self._attention(self.attention_norm(x_BQD), mask, rotation, cache)
        x_BQD = x_BQD + drop(mixed_BQD, self.config.dropout, self.training)
        return x_BQD + drop(self._ffn(self.ffn_norm(x_BQD)), self.config.dropout, self.training)

    def _attention(self, x_BQD: Tensor, mask: CausalMask, rotation: Rotation | None, cache: KvCache | None) -> Tensor:
        B, Q = x_BQD.shape[:2]
        H = self.config.n_heads
        G = self.config.n_kv_heads
        K = self.config.head_size
        q, k, v = self.qkv(x_BQD).view(B, Q, H + 2 * G, K).split([H, G, G], dim=2)
        if rotation is not None:
            q = rotation.turn(q)
            k = rotation.turn(k)
        q = q.transpose(1, 2)
        k = k.transpose(1, 2)
        v = v.transpose(1, 2)
        if cache is not None:
            k, v = cache.put(self.index, k, v, mask.first)
        dropout = self.config.dropout if self.training else 0.0
        if Q == 1:
            out: Tensor = self.attention_out(self._attend_one(q[:, :, 0], k, v, mask, cache).reshape(B, 1, H * K))
            return out
        if G < H:
            k = k.repeat_interleave(H // G, dim=1)
            v = v.repeat_interleave(H // G, dim=1)
        o_BHQK = attend(q, k, v, mask.bias_BQT, dropout, causal=mask.causal)
        out = self.attention_out(o_BHQK.transpose(1, 2).reshape(B, Q, H * K))
        return out

    def _attend_one(
        self, q_BHK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, mask: CausalMask, cache: KvCache | None
    ) -> Tensor:
        """Mix values for one new token per sequence."""
        if cache is not None and mask.bias_BQT is None and fits_compiled_step(q_BHK, cache.keys_BGTK[self.index]):
            stores = cache.keys_BGTK[self.index], cache.values_BGTK[self.index]
            return attend_step(q_BHK, *stores, mask.first, cache.length + 1)
        # The queries that share a head of keys stand in for positions: nothing is copied.
        B, H, K = q_BHK.shape
        q_BGRK = q_BHK.reshape(B, k_BGTK.shape[1], H // k_BGTK.shape[1], K)
        dropout = self.config.dropout if self.training else 0.0
        return attend(q_BGRK, k_BGTK, v_BGTK, mask.bias_BQT, dropout)

    def _ffn(self, x_BQD: Tensor) -> Tensor:
        if self.config.n_experts:
            out: Tensor = self.mixture(x_BQD)
        else:
            out = self.ffn_out(activate(self.ffn_in(x_BQD), self.config.ffn))
        return out



def _norm(config: DecoderConfig) -> nn.LayerNorm | nn.RMSNorm:
    return build_norm(config.norm, config.hidden_size, config.norm_eps, bias=config.bias)


class Decoder(Body):
    """The body: token ids in, one vector per token out, which knows the tokens before it and itself."""

    causal = True
    config: DecoderConfig
    tokens: nn.Embedding
    final_norm: nn.LayerNorm | nn.RMSNorm

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.places = nn.Embedding(config.max_positions, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config, index) for index in range(config.n_layers))
        self.final_norm = _norm(config)

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None, *,
        cache: KvCache | None = None,
    ) -> Tensor:
        """Compute final hidden states.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids; with a cache, those after the ones it holds.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens, False at padding, on the left or on the right. None: no padding.
            Padding takes no position: the first real token stands at 0.
        masked_BL : Tensor, (B, L) bool, optional
            Positions whose states are wanted.
        cache : KvCache, optional
            Read, and filled with these tokens. Nothing computed with a cache has a gradient.

        Returns
        -------
        Tensor, (B, L, D) float, or (M, D) in the order of ``hidden[masked_BL]`` when `masked_BL` is given
            The states at padding mean nothing.

        Raises
        ------
        DataError
            If a sequence is longer than the model's positions or the cache, or the batch is not the cache's.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and cache is None):
            hidden_BLD = self._run(input_ids_BL, attention_mask_BL, cache)[-1]
        return hidden_BLD if masked_BL is None else hidden_BLD[masked_BL]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""
        return self._run(input_ids_BL, attention_mask_BL, None, every=True)

    def _run(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None, cache: KvCache | None, *, every: bool = False
    ) -> list[Tensor]:
        config = self.config
        (B, L) = input_ids_BL.shape
        device = input_ids_BL.device
        self._check_room(B, L, cache)
        real_BL = None
        if is_padded(attention_mask_BL):
            real_BL = attention_mask_BL.bool()
        if cache is not None:
            cache.padded = cache.padded or real_BL is not None
            cache.real_BT[:, cache.length : cache.length + L] = True if real_BL is None else real_BL
        mask = CausalMask.of(L, real_BL, cache, device, config.window)
        x_BLD = self.tokens(input_ids_BL)
        rotation = None
        if config.positions == "learned":
            x_BLD = x_BLD + self.places.weight[mask.places_BQ]
        else:
            table = None if cache is None else cache.rotation
            if table is None:
                table = Rotation.of(L, config.head_size, config.rope_theta, device)
            rotation = table.at(mask.places_BQ)
        x_BLD = drop(x_BLD, config.dropout, self.training)
        states = [x_BLD]
        for layer in self.layers:
            x_BLD = layer(states[-1], mask, rotation, cache)
            states = [*states, x_BLD] if every else [x_BLD]
        if cache is not None:
            cache.length += L
        states[-1] = self.final_norm(states[-1])
        return states

    def _check_room(self, B: int, L: int, cache: KvCache | None) -> None:
        if cache is not None and cache.batch_size != B:
            raise DataError("the batch is not the one in the cache", got=f"{B} sequences",
                            expected=f"{cache.batch_size}")
        room = self.config.max_positions if cache is None else cache.max_tokens - cache.length
        if room < L:
            held = "" if cache is None else f" after the {cache.length} in the cache"
            raise DataError(
                "a sequence is longer than the model can read", got=f"{L} tokens{held}", expected=f"at most {room}",
                hint="cut the sequences into windows, or generate fewer tokens" if cache else
                "cut the sequences into windows, or truncate them",
            )


class CausalLM(CausalModel):
    """A decoder and a head that guesses the next token."""

    config: DecoderConfig
    body: Decoder

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.body = Decoder(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_head:
            self.head.weight = self.body.tokens.weight

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, cache: KvCache | None = None
    ) -> Tensor:
        """Give logits (B, L, V): row i scores token i + 1. Parameters are those of `Decoder.forward`."""
        logits: Tensor = self.head(self.body(input_ids_BL, attention_mask_BL, cache=cache))
        return logits

    def last_logits(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, cache: KvCache | None = None
    ) -> Tensor:
        """Give logits (B, V) after the last real token of each sequence; the head is computed there alone."""
        hidden_BLD = self.body(input_ids_BL, attention_mask_BL, cache=cache)
        logits: Tensor = self.head(last_real(hidden_BLD, attention_mask_BL))
        return logits


def initialise_causal(model: CausalLM | Decoder, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    draw_weights(model, seed, model.config.n_layers)


@torch.no_grad()
def store_for_steps(model: CausalLM) -> CausalLM:
    """Lay matrices out in memory for steps of one token at batch 1; shapes, names and values stay.

    A product of one row with a matrix reads the matrix once, fastest along its longer side: in float32 on one
    core torch reads a 3072 x 768 matrix (out x in) at 19 GB/s transposed and 13 as it is, a 768 x 3072 one at 13
    and 16. So those with more outputs than inputs are transposed. From about 16 sequences on the
    change costs a tenth of the speed instead.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.out_features > module.in_features:
            module.weight.data = module.weight.data.t().contiguous().t()
    return model
