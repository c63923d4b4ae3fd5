"""Turn sequences into vectors.

The vector of a sequence does not depend on what else is in its batch: padding is masked in
attention and left out of the pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lingome.config.embed import LongPolicy, Pooling
from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import track
from lingome.models.architectures import Body
from lingome.models.batching import collate, length_batches
from lingome.models.decoder import Decoder
from lingome.models.devices import pick_device
from lingome.models.hyena import Hyena
from lingome.models.word2vec import StaticEmbeddings
from lingome.tokens.tokenizer import Tokenizer

N_SPECIAL = 2
"""Tokens that stand around a sequence: [CLS] and [SEP]."""


class Pieces(NamedTuple):
    """Sequences cut to fit a model's context.

    Parameters
    ----------
    ids : list of ndarray of int
        Token ids of each piece, without special tokens.
    owner : ndarray of int64, shape (P,)
        The sequence each piece is of.
    n_long : int
        Sequences that did not fit as they were.
    n_unknown : int
        Tokens that stand for letters the vocabulary does not know.
    """

    ids: list[np.ndarray]
    owner: np.ndarray
    n_long: int
    n_unknown: int


def embed(
    body: Body,
    tokenizer: Tokenizer,
    sequences: Sequence[str],
    *,
    layer: int = -1,
    pooling: Pooling = "mean",
    too_long: LongPolicy = "error",
    batch_tokens: int = 8192,
    device: str = "auto",
) -> np.ndarray:
    """Compute one vector a sequence.

    Parameters
    ----------
    body : Body
        The model's body; it is moved to the device and left in evaluation mode.
    sequences : sequence of str
        N sequences, none of them empty.
    layer : int
        0 is the embedding table, 1 the first layer, ..., -1 the last (final norm included). Static vectors have 0.
    pooling : {"mean", "max", "cls"}
        Mean or maximum over the sequence's tokens without ``[CLS]`` and ``[SEP]``, or ``[CLS]``, which static vectors
        know nothing of.
    too_long : {"error", "truncate", "window"}
        Sequences beyond the context: refuse; keep their beginning; or cut them into windows of
        almost equal length and average the windows' vectors by their tokens (for ``max``, take
        the largest value).
    batch_tokens : int
        Tokens of a batch, padding included.

    Returns
    -------
    ndarray of float32, shape (N, D)
        In the order of the sequences.

    Raises
    ------
    ConfigError
        If the model has no such layer, or no meaning for ``[CLS]``.
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    pieces = cut_to_fit(tokenizer, sequences, body.config.max_positions, too_long)
    return embed_pieces(
        body, tokenizer, pieces, len(sequences), layer=layer, pooling=pooling, batch_tokens=batch_tokens, device=device
    )


def cut_to_fit(
    tokenizer: Tokenizer, sequences: Sequence[str], max_positions: int, too_long: LongPolicy = "error"
) -> Pieces:
    """Encode sequences, and cut those beyond the context as the policy says.

    Raises
    ------
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    room = max_positions - N_SPECIAL
    ids: list[np.ndarray] = []
    owner: list[int] = []
    n_long = 0
    for index, encoding in enumerate(tokenizer.encode_batch(sequences)):
        one = encoding.input_ids
        if not len(one):
            raise DataError("a sequence is empty", where=f"sequence {index + 1}")
        parts = [one]
        if len(one) > room:
            n_long += 1
            if too_long == "error":
                raise DataError(
                    "a sequence is longer than the model can read", where=f"sequence {index + 1}",
                    got=f"{len(one):,} tokens ({len(sequences[index]):,} letters)", expected=f"at most {room} tokens",
                    hint="set too_long=window to average over windows, or too_long=truncate",
                )
            parts = [one[:room]] if too_long == "truncate" else np.array_split(one, -(-len(one) // room))
        ids.extend(parts)
        owner.extend([index] * len(parts))
    n_unknown = sum(int((one == tokenizer.unk_id).sum()) for one in ids)
    return Pieces(ids, np.array(owner, dtype=np.int64), n_long, n_unknown)


def embed_pieces(
    body: Body,
    tokenizer: Tokenizer,
    pieces: Pieces,
    n_sequences: int,
    *,
    layer: int = -1,
    pooling: Pooling = "mean",
    batch_tokens: int = 8192,
    device: str = "auto",
) -> np.ndarray:
    """Compute one vector a sequence from its pieces; see `embed`."""
    n_states = body.config.n_layers + 1
    if not -n_states <= layer < n_states:
        known = f"0 to {n_states - 1}, or -1"
        raise ConfigError("the model has no such layer", where="layer", got=layer, expected=known)
    if pooling == "cls" and isinstance(body, StaticEmbeddings):
        raise ConfigError("static vectors say nothing at [CLS]", where="pooling", got=pooling, expected="mean or max")
    if pooling == "cls" and isinstance(body, Decoder | Hyena):
        raise ConfigError("[CLS] comes first, and in a causal model knows no other token", where="pooling", got=pooling,
                          expected="mean or max")
    place = pick_device(device)
    body.to(place).eval()
    sums = np.full((n_sequences, body.config.hidden_size), -np.inf if pooling == "max" else 0.0)
    weights = np.zeros(n_sequences)
    lengths = np.array([len(one) + N_SPECIAL for one in pieces.ids])
    with torch.inference_mode(), track("embedding", int(lengths.sum()), "tokens") as task:
        for chosen in length_batches(lengths, batch_tokens) if len(lengths) else []:
            input_ids, mask = collate(
                [pieces.ids[i] for i in chosen], pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id,
                sep_id=tokenizer.sep_id, max_tokens=body.config.max_positions,
            )
            input_ids_BL, mask_BL = input_ids.to(place), mask.to(place)
            last = layer in (-1, n_states - 1)
            hidden_BLD = body(input_ids_BL, mask_BL) if last else body.hidden_states(input_ids_BL, mask_BL)[layer]
            vectors = _pool(hidden_BLD, mask_BL, pooling).double().cpu().numpy()
            tokens = lengths[chosen] - N_SPECIAL
            if pooling == "max":
                np.maximum.at(sums, pieces.owner[chosen], vectors)
            else:
                np.add.at(sums, pieces.owner[chosen], vectors * tokens[:, None])
            np.add.at(weights, pieces.owner[chosen], tokens)
            task.advance(int(lengths[chosen].sum()))
    return (sums if pooling == "max" else sums / weights[:, None]).astype(np.float32)


def _pool(hidden_BLD: Tensor, mask_BL: Tensor, pooling: Pooling) -> Tensor:
    """Pool over real tokens, (B, D): without the first, [CLS], and the last real one, [SEP]."""
    if pooling == "cls":
        return hidden_BLD[:, 0].float()
    inner_BL = mask_BL.bool().clone()
    inner_BL[:, 0] = False
    inner_BL.scatter_(1, mask_BL.sum(dim=1, keepdim=True).long() - 1, False)
    if pooling == "max":
        return hidden_BLD.float().masked_fill(~inner_BL[:, :, None], -torch.inf).amax(dim=1)
    weights_BL1 = inner_BL[:, :, None].float()
    return (hidden_BLD.float() * weights_BL1).sum(dim=1) / weights_BL1.sum(dim=1)
