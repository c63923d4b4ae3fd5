"""How likely sequence is to a causal model, by the chain rule, and to a Markov model of bases beside it.

ln p(sequence) = sum over its tokens of ln p(token | tokens before it); the first token follows ``[CLS]``.

This is the probability of the sequence as the tokenizer cuts it. Where the vocabulary spells the same bases in
other ways too (byte pairs above all), what the model gives to those would come on top, so the number is at most
the probability of the bases. For single bases there is one way, and it is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.evaluate.features import base_codes
from lingome.evaluate.markov import MarkovModel, WordCounts
from lingome.models.batching import collate, length_batches
from lingome.models.decoder import CausalLM
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives import CausalObjective, next_token_losses, next_tokens
from lingome.train.pretraining import Pretrained

COUNTED_BASES = 1 << 25
"""Bases of the training area that the Markov model counts at most, 34 million, spread over all of it."""
LONGEST_WORD = 11
PIECE_TOKENS = 1 << 13


class Likelihood(NamedTuple):
    """What a model says of one sequence.

    Parameters
    ----------
    log_likelihood : float
        Natural logarithm of the probability, in nats; at most 0 where each probability is.
    bits_per_base : float
        ``-log_likelihood / ln 2`` over the bases of its known tokens; nan where there are none.
    n_tokens, n_bases : int
        Tokens that were guessed, the end among them if asked for, and the bases they cover.
    n_unknown : int
        Letters outside the alphabet, which are not guessed but are seen as context.
    """

    log_likelihood: float
    bits_per_base: float
    n_tokens: int
    n_bases: int
    n_unknown: int


def log_likelihood(
    model: CausalLM,
    tokenizer: Tokenizer,
    sequences: Sequence[np.ndarray | str],
    *,
    ends: bool = False,
    batch_tokens: int = 8192,
) -> list[Likelihood]:
    """Score sequences by the chain rule; the result of each does not depend on the others.

    Parameters
    ----------
    model : CausalLM
        On any device; it is put in evaluation mode.
    tokenizer : Tokenizer
        The model's own.
    sequences : sequence of str or uint8 arrays
        Each fits the model's context once cut into tokens.
    ends : bool
        Whether ``[SEP]`` after the last token is guessed too. With it, the probabilities of all sequences
        sum to one; without it, those of all continuations do, which is what pieces of a longer sequence need.
    batch_tokens : int
        Tokens of a batch at most, padding included.

    Returns
    -------
    list of Likelihood
        In the order of the sequences.

    Raises
    ------
    DataError
        If there are no sequences, or one is longer than the model's context.
    """
    if not len(sequences):
        raise DataError("there are no sequences to score")
    encodings = tokenizer.encode_batch(list(sequences))
    rows = [encoding.input_ids for encoding in encodings]
    _check_lengths(rows, model.config.max_positions)
    nats, guessed = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)
    model.eval()
    with torch.inference_mode(), track("scoring sequences", total=len(rows), unit="sequences") as task:
        for chosen in length_batches([len(row) + 2 for row in rows], batch_tokens):
            ids, mask = collate(
                [rows[i] for i in chosen], pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id, sep_id=tokenizer.sep_id,
                max_tokens=model.config.max_positions + 1,
            )
            shifted = next_tokens(ids.numpy(), mask.numpy(), tokenizer.unk_id)
            if not ends:
                places = np.arange(shifted.targets.shape[1])
                counted = shifted.counted & (places < np.array([len(rows[i]) for i in chosen])[:, None])
                shifted = shifted._replace(counted=counted)
            nats[chosen] = next_token_losses(model, shifted).double().sum(dim=1).cpu().numpy()
            guessed[chosen] = shifted.counted.sum(axis=1)
            task.advance(len(chosen))
    return [_likelihood(tokenizer, row, float(n), int(g)) for row, n, g in zip(rows, nats, guessed, strict=True)]


def _check_lengths(rows: Sequence[np.ndarray], max_positions: int) -> None:
    """Refuse rows that do not fit: [CLS] and all tokens but the end are read, the end is only guessed."""
    for index, row in enumerate(rows):
        if len(row) + 1 > max_positions:
            raise DataError(
                "a sequence is too long for the model", where=f"sequence {index + 1} of {len(rows)}",
                got=f"{len(row)} tokens", expected=f"at most {max_positions - 1} beside [CLS]",
                hint="cut it into windows",
            )


def _likelihood(tokenizer: Tokenizer, ids: np.ndarray, nats: float, guessed: int) -> Likelihood:
    known = ids != tokenizer.unk_id
    stretches = int(np.count_nonzero(np.diff(known.astype(np.int8), prepend=0) == 1))
    bases = tokenizer.covered_bp(ids[known], stretches)
    bits = nats / math.log(2) / bases if bases else math.nan
    return Likelihood(-nats, bits, guessed, bases, int((~known).sum()))


def markov_baseline(done: Pretrained) -> list[dict[str, object]]:
    """Measure a Markov model of bases on the windows that a causal model was measured on.

    Both read from the left and guess every base of the windows, the first ones with the context there
    is. Counts come from the training area, a tenth of which chooses order and smoothing.

    Returns
    -------
    list of dict
        One row of the table ``language``, in bits per base alone; none for a masked model, which sees both
        sides, and none without validation.
    """
    if not isinstance(done.objective, CausalObjective) or not len(done.windows):
        return []
    pieces, read = _training_codes(done), base_reader(done.objective.tokenizer)
    valid = pieces[9::10] or pieces[-1:]
    train = [piece for index, piece in enumerate(pieces[: None if len(pieces) > 9 else -1]) if index % 10 != 9]
    model = MarkovModel(WordCounts(train or pieces, LONGEST_WORD), WordCounts(valid, LONGEST_WORD), LONGEST_WORD - 1)
    bits = np.concatenate([model.bits(read(window)) for window in done.windows])
    name = f"Markov model of bases, order {model.order}"
    return [{"name": name, "kind": "baseline", "bits_per_base": float(bits.mean())}]


def _training_codes(done: Pretrained) -> list[np.ndarray]:
    """Give bases of the training area in pieces, spread evenly if they are too many to count."""
    learnt, read = done.learnt, base_reader(done.objective.tokenizer)
    cuts = [
        (first, min(first + PIECE_TOKENS, end))
        for start, end in learnt.segments.tolist() for first in range(start, end, PIECE_TOKENS)
    ]
    step = max(1, math.ceil(learnt.bases / COUNTED_BASES))
    ids = learnt.ids
    return [
        read(ids[first:last] if isinstance(ids, np.ndarray) else ids.part(first, last)) for first, last in cuts[::step]
    ]


def base_reader(tokenizer: Tokenizer) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from known tokens that follow each other to base codes (A 0, C 1, G 2, T 3), uint8.

    >>> from lingome.tokens.kmers import KmerTokenizer
    >>> words = KmerTokenizer(3)
    >>> base_reader(words)(words.encode("GATTACA").input_ids).tolist()
    [2, 0, 3, 3, 0, 1, 0]
    """
    table = np.full((tokenizer.vocab_size, int(tokenizer.token_lengths.max())), 4, dtype=np.uint8)
    for index in np.flatnonzero(tokenizer.token_lengths):
        codes = base_codes(tokenizer.vocab[index])
        table[index, : len(codes)] = codes
    overlap = words_over_a_base(tokenizer) > 1

    def read(ids: np.ndarray) -> np.ndarray:
        if overlap:
            return np.concatenate([table[ids, 0], table[ids[-1], 1:]])
        letters = table[ids].ravel()
        return np.asarray(letters[letters < 4])

    return read
