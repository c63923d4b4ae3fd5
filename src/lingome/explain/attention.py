"""Follow one sequence through one attention head, with the model's own numbers.

The model runs as it always does; what passes through the chosen layer is caught on the way. The head's scores
and weights, which fast kernels never write down, are computed again from the caught queries and keys, and
`Trace.deviation` says how far the mixture they give is from the one that the layer used.

====  ==========================================================
L     tokens of the sequence, with those put before and after it
D     hidden size
H, K  attention heads, and the size of one (D = H * K)
V     vocabulary
====  ==========================================================

Attention: Vaswani et al. 2017, arXiv:1706.03762. A weight says where a head reads, not why the model answers as it
does: Jain and Wallace 2019, arXiv:1902.10186.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError, DataError
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.layers.blocks import Rotation, hide
from lingome.models.networks.transformer.model import Layer, Transformer
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.shape import require
from lingome.tokens.frame import frame_packed
from lingome.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Trace:
    """What one layer and one of its heads do with one sequence; tensors are float32, on the CPU.

    Parameters
    ----------
    tokens : tuple of str, L
        As the model reads them: ``[CLS]`` first, ``[SEP]`` last, ``[MASK]`` where one is hidden.
    starts, ends : ndarray of int64, shape (L,)
        Bases ``[start, end)`` of each token, 0-based within the sequence; a special token owns none, a hidden one
        those that it hides.
    input_ids : Tensor of int64, shape (L,)
        The tokens' ids.
    hidden_row : int or None
        Row of the token that was hidden.
    hidden_token : str
        What stands there in truth; empty if nothing was hidden.
    rotated : bool
        Whether positions act by rotation: queries and keys are given as they are compared, so already turned then.
        Values are never turned.
    embeddings_LD : Tensor
        Token vectors as they enter the first layer.
    x_LD : Tensor
        What enters the layer.
    q_LK, k_LK, v_LK : Tensor
        Queries, keys and values of the head.
    scores_LL : Tensor
        ``q k' / sqrt(K)`` plus what positions add; row i asks, column j answers. Below -1e29 where a local layer
        does not look.
    weights_LL : Tensor
        Softmax of each row of scores.
    mixed_LK : Tensor
        ``weights v``.
    written_LD : Tensor
        What the head adds to the tokens' vectors: `mixed_LK` times its columns of the output matrix, without bias.
    attention_LD, ffn_LD : Tensor
        What all heads together, and then the feed-forward, give out; bias included.
    y_LD : Tensor
        What leaves the layer.
    logits_LV : Tensor
        What the model says of every row.
    deviation : float
        Largest difference between `mixed_LK` and the head's part of what the layer itself mixed.
    """

    tokens: tuple[str, ...]
    starts: np.ndarray
    ends: np.ndarray
    input_ids: Tensor
    hidden_row: int | None
    hidden_token: str
    rotated: bool
    embeddings_LD: Tensor
    x_LD: Tensor
    q_LK: Tensor
    k_LK: Tensor
    v_LK: Tensor
    scores_LL: Tensor
    weights_LL: Tensor
    mixed_LK: Tensor
    written_LD: Tensor
    attention_LD: Tensor
    ffn_LD: Tensor
    y_LD: Tensor
    logits_LV: Tensor
    deviation: float

    @property
    def probabilities_LV(self) -> Tensor:
        """Softmax of the logits: (L, V)."""
        return self.logits_LV.softmax(dim=1)


def trace_attention(
    model: MaskedLM, tokenizer: Tokenizer, sequence: str, *, layer: int, head: int, hidden_base: int | None = None
) -> Trace:
    """Follow a sequence through one head of one layer, and on to the guesses.

    Parameters
    ----------
    model : MaskedLM
        On a transformer encoder, on any device; it runs in evaluation mode, and is left in the mode it was in.
    tokenizer : Tokenizer
        The model's own.
    sequence : str
        Letters; at least one.
    layer, head : int
        Both counted from 0.
    hidden_base : int, optional
        0-based; the token that owns this base is replaced by ``[MASK]``.

    Raises
    ------
    ConfigError
        If the model has no such layer or head, is no transformer encoder, or reads another vocabulary.
    DataError
        If the sequence is empty, longer than the model reads, or has no such base.

    Examples
    --------
    >>> from lingome.models.presets import build_masked_lm
    >>> from lingome.tokens.characters import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer()
    >>> model = build_masked_lm("nano", tokenizer.vocab_size, seed=0)
    >>> trace = trace_attention(model, tokenizer, "GATTACA", layer=0, head=1, hidden_base=4)
    >>> trace.tokens
    ('[CLS]', 'G', 'A', 'T', 'T', '[MASK]', 'C', 'A', '[SEP]')
    >>> tuple(trace.weights_LL.shape), trace.hidden_row, trace.hidden_token
    ((9, 9), 5, 'A')
    """
    block = _find_layer(model, tokenizer, layer, head)
    if not sequence:
        raise DataError("there is nothing to read", where="sequence", got="no letters", expected="at least one")
    encoding = tokenizer.encode(sequence)
    ids_L = frame_packed([encoding.input_ids], tokenizer)
    edges = np.concatenate([[0], encoding.offsets, encoding.offsets[-1:]]).astype(np.int64)
    hidden_row = None
    hidden_token = ""
    if hidden_base is not None:
        hidden_row = int(encoding.token_at(hidden_base)) + 1
        hidden_token = tokenizer.vocab[ids_L[hidden_row]]
        ids_L[hidden_row] = tokenizer.mask_id
    with _watched(model, block) as caught:
        logits_LV = model(torch.from_numpy(ids_L)[None].to(next(model.parameters()).device))[0]
    parts, deviation = _recompute(block, caught, head)
    return Trace(
        tuple(tokenizer.vocab[i] for i in ids_L), edges[:-1], edges[1:], torch.from_numpy(ids_L), hidden_row,
        hidden_token, block.config.positions == "rotary", _plain(caught["embeddings"]), _plain(caught["x"]), *parts,
        _plain(caught["attention"]), _plain(caught["ffn"]), _plain(caught["y"]), _plain(logits_LV), deviation,
    )


def effects_of_hiding(model: MaskedLM, tokenizer: Tokenizer, trace: Trace) -> Tensor:
    """Measure what each other token is worth to a guess: hide it too, and see what the guess loses.

    Parameters
    ----------
    model, tokenizer
        Those of the trace.
    trace : Trace
        Of a sequence with a hidden token.

    Returns
    -------
    Tensor of float32, shape (L,)
        log2 p(hidden token) before minus after, in bits: positive where the token helped. NaN at special tokens.

    Raises
    ------
    DataError
        If nothing was hidden in the trace.
    """
    row = trace.hidden_row
    if row is None:
        raise DataError("the trace has no hidden token", got="none", hint="trace_attention(..., hidden_base=...)")
    others = torch.tensor([i for i in range(1, len(trace.tokens) - 1) if i != row], dtype=torch.int64)
    ids_BL = trace.input_ids.repeat(len(others) + 1, 1)
    ids_BL[torch.arange(len(others)), others] = tokenizer.mask_id  # the last row is left as it was
    asked_BL = torch.zeros_like(ids_BL, dtype=torch.bool)
    asked_BL[:, row] = True
    device = next(model.parameters()).device
    with _evaluating(model):
        log_p_B = model(ids_BL.to(device), None, asked_BL.to(device)).float().log_softmax(dim=1)
    log_p_B = log_p_B[:, tokenizer.ids[trace.hidden_token]].cpu() / math.log(2)
    effects_L = torch.full((len(trace.tokens),), math.nan)
    effects_L[others] = log_p_B[-1] - log_p_B[:-1]
    return effects_L


def most_likely(probabilities_V: Tensor, vocab: Sequence[str], n: int = 5) -> list[tuple[str, float]]:
    """Name the tokens of highest probability, best first; of equal ones, that of the lower id.

    Examples
    --------
    >>> most_likely(torch.tensor([0.25, 0.5, 0.25]), ["A", "C", "G"], n=2)
    [('C', 0.5), ('A', 0.25)]
    """
    order = probabilities_V.argsort(descending=True, stable=True)[:n]
    return [(vocab[i], float(probabilities_V[i])) for i in order.tolist()]


def _find_layer(model: MaskedLM, tokenizer: Tokenizer, layer: int, head: int) -> Layer:
    """Give the layer, if model, tokenizer and numbers fit."""
    body = model.body
    config = model.config
    if not isinstance(body, Transformer) or not isinstance(config, TransformerConfig):
        raise ConfigError("only the attention of a transformer encoder can be followed", got=type(body).__name__,
                          expected=Transformer.__name__)
    require(0 <= layer < config.n_layers, "layer", layer, f"0 to {config.n_layers - 1}")
    require(0 <= head < config.n_heads, "head", head, f"0 to {config.n_heads - 1}")
    require(tokenizer.vocab_size == config.vocab_size, "tokenizer", f"{tokenizer.vocab_size:,} tokens",
            f"the model's {config.vocab_size:,}")
    block = body.layers[layer]
    assert isinstance(block, Layer)
    return block


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Compute inside without dropout and gradients."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


@contextmanager
def _watched(model: MaskedLM, block: Layer) -> Iterator[dict[str, Any]]:
    """Run the model inside: what passed the layer's own modules is in the dictionary afterwards."""
    caught: dict[str, Any] = {}

    def before(*names: str) -> Any:
        return lambda _, inputs: caught.update(zip(names, inputs, strict=False))

    def after(name: str) -> Any:
        return lambda _, inputs, out: caught.update({name: out})

    handles = [
        model.body.get_submodule("layers.0").register_forward_pre_hook(before("embeddings")),
        block.register_forward_pre_hook(before("x", "context")),
        block.qkv.register_forward_hook(after("qkv")),
        block.attention_out.register_forward_pre_hook(before("mixed")),
        block.attention_out.register_forward_hook(after("attention")),
        block.ffn_out.register_forward_hook(after("ffn")),
        block.register_forward_hook(after("y")),
    ]
    try:
        with _evaluating(model):
            yield caught
    finally:
        for handle in handles:
            handle.remove()


class _HeadParts(NamedTuple):
    """What one head computes, in the order of `Trace`."""

    q_LK: Tensor
    k_LK: Tensor
    v_LK: Tensor
    scores_LL: Tensor
    weights_LL: Tensor
    mixed_LK: Tensor
    written_LD: Tensor


def _recompute(block: Layer, caught: dict[str, Any], head: int) -> tuple[_HeadParts, float]:
    """Give the head's parts, from what it read; and how far its mixture is from the layer's own."""
    config = block.config
    bias = caught["context"].bias
    H = config.n_heads
    G = config.kv_heads
    K = config.head_size
    qkv = _plain(caught["qkv"]).view(-1, H + 2 * G, K)
    shared = head // (H // G)  # heads that stand side by side share keys and values
    q = qkv[:, head]
    k = qkv[:, H + shared]
    v = qkv[:, H + G + shared]
    L = len(q)
    if config.positions == "rotary":
        theta = config.local_rope_theta if block.local else config.rope_theta
        table = Rotation.of(L, K, theta, q.device)
        q, k = (table.turn(x.reshape(1, L, 1, K)).view(L, K) for x in (q, k))
    scores = q @ k.T / math.sqrt(K)
    distance = torch.arange(L) - torch.arange(L)[:, None]
    if bias is not None:
        scores = scores + _plain(bias(distance.to(caught["qkv"].device)))[head]
    if block.local:
        scores = scores + hide(distance.abs() <= config.local_window // 2)
    weights = scores.softmax(dim=1)
    mixed = weights @ v
    columns = slice(head * K, (head + 1) * K)
    written = mixed @ _plain(block.attention_out.weight)[:, columns].T
    deviation = float((mixed - _plain(caught["mixed"])[:, columns]).abs().max())
    return _HeadParts(q, k, v, scores, weights, mixed, written), deviation


def _plain(x: Tensor) -> Tensor:
    return x.detach().float().cpu()
