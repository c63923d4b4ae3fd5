"""Turn sequences into vectors: one per sequence, per token or per base.

Vectors do not depend on what else is in their batch: a sequence sees itself alone, and padding, where
there is any, is masked in attention and left out of the pooling.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lingome.config.embed import Pooling
from lingome.core.errors import ConfigError
from lingome.core.progress import track
from lingome.models.architecture import Body
from lingome.models.layers.pooling import pool_mean
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.reading.pieces import Pieces
from lingome.models.reading.reader import Layer, Reader, count_features, read_states
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.tokenizer import Tokenizer


class TokenVectors(NamedTuple):
    """Vectors of tokens, or of bases, of many sequences.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (M, D)
        Those of sequence `r` are rows ``cuts[r]`` to ``cuts[r + 1] - 1``.
    cuts : ndarray of int64, shape (N + 1,)
    starts, ends : ndarray of int64, shape (M,)
        The bases of each row, 0-based and half-open, within its sequence.
    """

    embeddings: np.ndarray
    cuts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def check_choice(body: Body, layer: Layer, pooling: Pooling) -> None:
    """Refuse a layer that the body has not, and ``[CLS]`` where it means nothing.

    Raises
    ------
    ConfigError
        Says what there is.
    """
    n_states = body.config.n_layers + 1
    if layer != "all" and not -n_states <= layer < n_states:
        known = f"0 to {n_states - 1}, -1 or all"
        raise ConfigError("the model has no such layer", where="layer", got=layer, expected=known)
    if pooling == "cls" and isinstance(body, StaticEmbeddings):
        raise ConfigError("static vectors say nothing at [CLS]", where="pooling", got=pooling, expected="mean or max")
    if pooling == "cls" and body.causal:
        raise ConfigError("[CLS] comes first, and in a causal model knows no other token", where="pooling", got=pooling,
                          expected="mean or max")


def embed_pieces(
    reader: Reader,
    tokenizer: Tokenizer,
    pieces: Pieces,
    *,
    layer: Layer = -1,
    pooling: Pooling = "mean",
    batch_tokens: int | None = None,
) -> np.ndarray:
    """Compute one vector per sequence from its pieces.

    The vectors of the windows of one sequence are averaged by their tokens; for ``max``, the largest value counts.

    Parameters
    ----------
    reader : Reader
        The body, on its device and in its precision.
    tokenizer : Tokenizer
        The body's own.
    pieces : Pieces
        Of N sequences, each within the context; see `lingome.models.reading.pieces.cut_to_fit`.
    layer : int or "all"
        0 is the embedding table, 1 the first layer, ..., -1 the last (final norm included). Static vectors have 0.
        All of them, side by side, make a vector of (n_layers + 1) D numbers.
    pooling : {"mean", "max", "cls"}
        Mean or maximum over the sequence's tokens without ``[CLS]`` and ``[SEP]``, or ``[CLS]``, which static vectors
        know nothing of.
    batch_tokens : int, optional
        Tokens of a batch; None for what suits the device.

    Returns
    -------
    ndarray of float32, shape (N, D), or (N, (n_layers + 1) D) of all layers
        In the order of the sequences.
    """
    n_sequences = int(pieces.owner[-1]) + 1 if len(pieces.owner) else 0
    sums = np.full((n_sequences, count_features(reader.body, layer)), -np.inf if pooling == "max" else 0.0)
    weights = np.zeros(n_sequences)
    for chosen, states in _read(reader, tokenizer, pieces, layer, batch_tokens):
        vectors = torch.stack([_pool(state_LD, pooling) for state_LD in states]).double().cpu().numpy()
        tokens = np.array([len(state_LD) - N_SPECIAL for state_LD in states])
        if pooling == "max":
            np.maximum.at(sums, pieces.owner[chosen], vectors)
        else:
            np.add.at(sums, pieces.owner[chosen], vectors * tokens[:, None])
        np.add.at(weights, pieces.owner[chosen], tokens)
    return (sums if pooling == "max" else sums / weights[:, None]).astype(np.float32)


class Rows(NamedTuple):
    """Where vectors of tokens or bases go; see `TokenVectors`.

    Parameters
    ----------
    cuts, starts, ends : ndarray of int64
        As there.
    firsts : ndarray of int64, shape (P,)
        The first row of each piece.
    bases : bool
        Whether a row is of a base, not of a token.
    """

    cuts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    firsts: np.ndarray
    bases: bool


def lay_rows(pieces: Pieces, n_sequences: int, *, bases: bool) -> Rows:
    """Say which row holds which token or base: sequences in their order, and each from its beginning."""
    if bases:
        starts = [np.arange(borders[0], borders[-1]) for borders in pieces.borders]
        ends = [one + 1 for one in starts]
    else:
        starts = [one[:-1] for one in pieces.borders]
        ends = [one[1:] for one in pieces.borders]
    sizes = np.array([len(one) for one in starts], dtype=np.int64)
    each = np.bincount(pieces.owner, weights=sizes, minlength=n_sequences).astype(np.int64)
    none = np.empty(0, dtype=np.int64)
    return Rows(np.concatenate([none[:0], [0], each.cumsum()]).astype(np.int64), np.concatenate([none, *starts]),
                np.concatenate([none, *ends]), sizes.cumsum() - sizes, bases)


def embed_tokens(
    reader: Reader,
    tokenizer: Tokenizer,
    pieces: Pieces,
    n_sequences: int,
    *,
    bases: bool = False,
    layer: Layer = -1,
    batch_tokens: int | None = None,
) -> TokenVectors:
    """Compute one vector per token, or with `bases` one per base: that of the token which owns it.

    Bases that were cut off have no rows; where a sequence was cut into windows, a token sees its own window alone.

    Parameters
    ----------
    reader, tokenizer, pieces, layer, batch_tokens
        As in `embed_pieces`.
    n_sequences : int
        Sequences that the pieces are of.
    bases : bool
        Whether there is a row per base.
    """
    rows = lay_rows(pieces, n_sequences, bases=bases)
    out = np.empty((int(rows.cuts[-1]), count_features(reader.body, layer)), dtype=np.float32)
    fill_rows(reader, tokenizer, pieces, rows, out, layer=layer, batch_tokens=batch_tokens)
    return TokenVectors(out, rows.cuts, rows.starts, rows.ends)


def fill_rows(
    reader: Reader,
    tokenizer: Tokenizer,
    pieces: Pieces,
    rows: Rows,
    out: np.ndarray,
    *,
    layer: Layer = -1,
    batch_tokens: int | None = None,
) -> None:
    """Write the vectors of tokens or bases into an array, in memory or mapped from a file.

    Parameters
    ----------
    reader, tokenizer, pieces
        As in `embed_pieces`.
    rows : Rows
        Says where the vectors of each piece go.
    out : ndarray of float32, shape (M, D)
        It is filled.
    layer, batch_tokens
        As in `embed_pieces`.
    """
    for chosen, states in _read(reader, tokenizer, pieces, layer, batch_tokens):
        for piece, state_LD in zip(chosen.tolist(), states, strict=True):
            vectors = state_LD[1:-1].float().cpu().numpy()
            if rows.bases:
                vectors = np.repeat(vectors, np.diff(pieces.borders[piece]), axis=0)
            first = int(rows.firsts[piece])
            out[first : first + len(vectors)] = vectors


def _read(
    reader: Reader, tokenizer: Tokenizer, pieces: Pieces, layer: Layer, batch_tokens: int | None
) -> Iterator[tuple[np.ndarray, list[Tensor]]]:
    """Read pieces under a progress bar."""
    lengths = np.array([len(one) + N_SPECIAL for one in pieces.ids], dtype=np.int64)
    with track("embedding", int(lengths.sum()), "tokens") as task:
        for chosen, states in read_states(reader, tokenizer, pieces.ids, layer=layer, batch_tokens=batch_tokens):
            yield chosen, states
            task.advance(int(lengths[chosen].sum()))


def _pool(state_LD: Tensor, pooling: Pooling) -> Tensor:
    """Pool over the tokens of one sequence, without the first, [CLS], and the last, [SEP]: (D,) float32."""
    if pooling == "cls":
        return state_LD[0].float()
    inner_LD = state_LD[1:-1]
    if pooling == "max":
        return inner_LD.float().amax(dim=0)
    everything_1L = torch.ones(1, len(inner_LD), dtype=torch.bool, device=inner_LD.device)
    return pool_mean(inner_LD[None], everything_1L)[0]


def sample_cosine(
    body: Body, reader: Reader, tokenizer: Tokenizer, pieces: Pieces, *, layer: Layer = -1, n_sample: int = 16
) -> float:
    """Compare vectors of a precision with those of float32 on some pieces: the lowest cosine of pooled means.

    Parameters
    ----------
    body : Body
        What the reader was made from.
    reader : Reader
        Of the precision in question.
    tokenizer : Tokenizer
        The body's own.
    pieces : Pieces
        What the sample is taken from.
    layer : int or "all"
        As in `embed_pieces`.
    n_sample : int
        Pieces, evenly spaced, at most 4,096 tokens of them together (one at least).
    """
    places = np.unique(np.linspace(0, len(pieces.ids) - 1, n_sample).astype(int))
    held = np.cumsum([len(pieces.ids[place]) for place in places])
    ids = [pieces.ids[place] for place in places[: max(1, int((held <= 4096).sum()))]]
    alone = pieces._replace(ids=ids, owner=np.arange(len(ids)))
    exact = embed_pieces(Reader.of(body, reader.device), tokenizer, alone, layer=layer).astype(np.float64)
    rough = embed_pieces(reader, tokenizer, alone, layer=layer).astype(np.float64)
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(rough, axis=1)
    return float(((exact * rough).sum(axis=1) / np.maximum(norms, 1e-30)).min())
