"""A Markov model of bases beside a causal model, on the windows of its validation.

Scores of sequences by a model's own probabilities are in `lingome.models.scoring.scores`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import MarkovModel, WordCounts
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives import CausalObjective
from lingome.train.pretraining.model import Pretrained

COUNTED_BASES = 1 << 25
"""Bases of the training area that the Markov model counts at most, 34 million, spread over all of it."""
LONGEST_WORD = 11
PIECE_TOKENS = 1 << 13


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
    pieces = _training_codes(done)
    read = base_reader(done.objective.tokenizer)
    valid = pieces[9::10] or pieces[-1:]
    train = [piece for index, piece in enumerate(pieces[: None if len(pieces) > 9 else -1]) if index % 10 != 9]
    model = MarkovModel(WordCounts(train or pieces, LONGEST_WORD), WordCounts(valid, LONGEST_WORD), LONGEST_WORD - 1)
    bits = np.concatenate([model.bits(read(window)) for window in done.windows])
    name = f"Markov model of bases, order {model.order}"
    return [{"name": name, "kind": "baseline", "bits_per_base": float(bits.mean())}]


def _training_codes(done: Pretrained) -> list[np.ndarray]:
    """Give bases of the training area in pieces, spread evenly if they are too many to count."""
    learnt = done.learnt
    read = base_reader(done.objective.tokenizer)
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
