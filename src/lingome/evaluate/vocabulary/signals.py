"""Cheap signals of a vocabulary: what can be said of it by cutting and counting alone.

Intervals (95 %) come from a bootstrap over blocks of test bases; all vocabularies see the same
resamples, so differences between them are paired.

Legend: Q blocks of test bases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import MarkovModel, WordCounts
from lingome.evaluate.measures.paired import Draws, resampled_ratio
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.evaluate.vocabulary.token_ngrams import NgramModel
from lingome.tokens.tokenizer import Encoding, Tokenizer

BLOCK_BP = 5000
"""Length of a block of test bases, at least. Lengths go through 60 values in a row, so that no
fixed k from 2 to 6 has the same phase on both strands of every block."""
PIECE_BP = 20_000
FREQUENT = 100
RENYI_ORDER = 2.5
HIGHEST_MARKOV = 9

_COMPLEMENT = np.full(256, ord("N"), dtype=np.uint8)
_COMPLEMENT[np.frombuffer(b"ACGTacgt", dtype=np.uint8)] = np.frombuffer(b"TGCATGCA", dtype=np.uint8)


class SignalBases(NamedTuple):
    """The bases that signals are read from: pieces to count, to choose smoothing on, and to test."""

    train: list[np.ndarray]
    valid: list[np.ndarray]
    test: list[np.ndarray]

    @classmethod
    def sample(cls, learn: Stretches, test: Stretches, count_bp: int, test_bp: int) -> SignalBases:
        """Take evenly spaced pieces; every tenth of those to learn from chooses the smoothing.

        Parameters
        ----------
        learn, test : Stretches
            Sequence to count, and other sequence to test on.
        count_bp, test_bp : int
            Bases taken of each at most.

        Raises
        ------
        DataError
            If either part is too short to cut into pieces.
        """
        length = max(1, min(PIECE_BP, len(learn.letters) // 20))
        pieces = learn.pieces([length], count_bp)
        block = max(1, min(BLOCK_BP, len(test.letters) // 20))
        blocks = test.pieces([block + i for i in range(60)] if block > 120 else [block], test_bp)
        if len(pieces) < 10 or len(blocks) < 2:
            raise DataError(
                "the sequence is too short to compare vocabularies",
                got=f"{len(learn.letters):,} letters to learn from, {len(test.letters):,} to test",
                hint="use a longer sequence",
            )
        valid = pieces[9::10]
        return cls([piece for index, piece in enumerate(pieces) if index % 10 != 9], valid, blocks)


def vocabulary_signals(
    bases: SignalBases, tokenizers: Mapping[str, Tokenizer], merges: Mapping[str, int | None]
) -> list[dict[str, Any]]:
    """Give the rows of the table ``vocabulary_signals``, one per candidate.

    Parameters
    ----------
    bases : SignalBases
    tokenizers : mapping of str to Tokenizer
        Candidates whose tokens tile the sequence (no overlapping k-mers), by the name to show.
    merges : mapping of str to int or None
        Byte-pair merges of each, None for other kinds.

    Returns
    -------
    list of dict
        vocabulary, merges, vocab_size; tokens_per_base and bases_per_token (with _low, _high);
        bits_per_base of the n-gram model on test bases (with _low, _high), its ngram_order, and
        bits_behind (with _low, _high): how many more than the best candidate, paired;
        markov_bits_per_base and markov_order of a Markov model of bases on the same; used_share and
        frequent_share: tokens that occur at least once, and 100 times, in the bases counted;
        entropy_bits per token and renyi_efficiency (order 2.5; Zouhar et al. 2023,
        doi:10.18653/v1/2023.acl-long.284); length_p5, length_median, length_p95 of the tokens in the test
        bases; single_share of them that are one letter; rc_share (with _low, _high); n_bases
        counted and n_test_bases.
    """
    markov = _markov(bases)
    rows = []
    bits = {}
    with track("cheap signals", total=len(tokenizers), unit="vocabularies") as task:
        for name, tokenizer in tokenizers.items():
            row, bits[name] = _signals(bases, tokenizer)
            rows.append({"vocabulary": name, "merges": merges[name], "vocab_size": tokenizer.vocab_size, **row})
            task.advance(1)
    best = min(bits, key=lambda name: bits[name].value)
    for row in rows:
        row |= _with_interval("bits_behind", bits[row["vocabulary"]].less(bits[best])) | markov
    return rows


def _signals(bases: SignalBases, tokenizer: Tokenizer) -> tuple[dict[str, Any], Draws]:
    train, valid = (tokenizer.encode_batch(pieces) for pieces in (bases.train, bases.valid))
    test = tokenizer.encode_batch(bases.test)
    numbers = word_numbers(tokenizer)
    n_words = int(numbers.max()) + 1
    model = NgramModel(_stream(train, numbers), _stream(valid, numbers), n_words)
    bits_Q, bases_Q = bits_of_blocks(model, tokenizer, bases.test, test)
    tokens_Q = np.array([int((numbers[one.input_ids] >= 0).sum()) for one in test])
    bits = resampled_ratio(bits_Q, bases_Q)
    per_base = resampled_ratio(tokens_Q, bases_Q)
    kept_Q, borders_Q = strand_borders(tokenizer, bases.test, test)
    counts = sum(np.bincount(one.input_ids, minlength=tokenizer.vocab_size) for one in [*train, *valid])
    counts = np.asarray(counts)[numbers >= 0]
    lengths = np.concatenate([tokenizer.token_lengths[one.input_ids] for one in test])
    lengths = lengths[lengths > 0]
    p5, median, p95 = np.quantile(lengths, [0.05, 0.5, 0.95], method="inverted_cdf")
    row = {
        **_with_interval("tokens_per_base", per_base),
        **_with_interval("bases_per_token", resampled_ratio(bases_Q, tokens_Q)),
        **_with_interval("bits_per_base", bits), "ngram_order": model.order,
        "used_share": float((counts > 0).mean()), "frequent_share": float((counts >= FREQUENT).mean()),
        "entropy_bits": entropy_bits(counts), "renyi_efficiency": renyi_efficiency(counts),
        "length_p5": int(p5), "length_median": int(median), "length_p95": int(p95),
        "single_share": float((lengths == 1).mean()), **_with_interval("rc_share", resampled_ratio(kept_Q, borders_Q)),
        "n_bases": sum(len(piece) for piece in [*bases.train, *bases.valid]), "n_test_bases": int(bases_Q.sum()),
    }
    return row, bits


def _with_interval(name: str, draws: Draws) -> dict[str, float]:
    found = draws.estimate
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def word_numbers(tokenizer: Tokenizer) -> np.ndarray:
    """Number the tokens that stand for letters from 0 on: int64, shape (V,); -1 for the others."""
    ordinary = tokenizer.token_lengths > 0
    return np.where(ordinary, np.cumsum(ordinary) - 1, -1)


def _stream(encodings: Sequence[Encoding], numbers: np.ndarray) -> np.ndarray:
    """Join pieces, with a gap after each that no context reaches across."""
    gap = np.full(1, -1, dtype=np.int64)
    return np.concatenate([part for one in encodings for part in (numbers[one.input_ids], gap)])


def bits_of_blocks(
    model: NgramModel, tokenizer: Tokenizer, blocks: Sequence[np.ndarray], encodings: Sequence[Encoding]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the bits that every block costs, and its known bases: float64 and int64, shape (Q,).

    Tokens give back the bases and nothing else, so their bits added up are a code for the bases;
    that other cuts would give the same bases is not used, so it is no shorter than it could be.
    A known base under an unknown token costs 2 bits. Unknown letters cost nothing and do not count.

    Parameters
    ----------
    model : NgramModel
        Gives the bits of each token.
    tokenizer : Tokenizer
        The vocabulary.
    blocks : sequence of ndarray of uint8, shape (length,) each
        Letters, Q blocks of them.
    encodings : sequence of Encoding
        Their tokens.
    """
    numbers = word_numbers(tokenizer)
    stream = _stream(encodings, numbers)
    ends = np.cumsum([len(one.input_ids) + 1 for one in encodings])
    bits = np.add.reduceat(model.bits(stream), np.concatenate([[0], ends[:-1]]))
    known = np.array([int((base_codes(block) < 4).sum()) for block in blocks], dtype=np.int64)
    covered = np.array([int(tokenizer.token_lengths[one.input_ids].sum()) for one in encodings])
    return bits + 2.0 * (known - covered), known


def strand_borders(
    tokenizer: Tokenizer, blocks: Sequence[np.ndarray], encodings: Sequence[Encoding]
) -> tuple[np.ndarray, np.ndarray]:
    """Count borders between known tokens, and those of them that the other strand has too, of each block.

    The reverse complement of the block is encoded, and a border before its base i is mirrored to
    L - i. A vocabulary that cuts both strands alike keeps all of them; one that cuts without regard
    to letters keeps about as many as there are tokens per base.

    Parameters
    ----------
    tokenizer : Tokenizer
        The vocabulary.
    blocks : sequence of ndarray of uint8, shape (length,) each
        Letters, Q blocks of them.
    encodings : sequence of Encoding
        Their tokens.

    Returns
    -------
    kept, total : ndarray of int64, shape (Q,)
        Borders that the other strand has too, and all of them.
    """
    reverse = [_COMPLEMENT[np.asarray(block)][::-1].copy() for block in blocks]
    kept = []
    total = []
    for block, forward, backward in zip(blocks, encodings, tokenizer.encode_batch(reverse), strict=True):
        mirrored = np.zeros(len(block) + 1, dtype=bool)
        mirrored[len(block) - np.asarray(backward.offsets)] = True
        known = tokenizer.token_lengths[forward.input_ids] > 0
        inside = np.asarray(forward.offsets)[1:-1][known[:-1] & known[1:]]
        kept.append(int(mirrored[inside].sum()))
        total.append(len(inside))
    return np.array(kept), np.array(total)


def entropy_bits(counts: np.ndarray) -> float:
    """Give Shannon's entropy of a token drawn by its frequency, in bits.

    Parameters
    ----------
    counts : ndarray of int, shape (V,)
        Occurrences of each token.

    >>> entropy_bits(np.array([2, 1, 1, 0]))
    1.5
    """
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def renyi_efficiency(counts: np.ndarray, order: float = RENYI_ORDER) -> float:
    """Give Renyi's entropy of the tokens over that of as many equally frequent ones, 0 to 1.

    Parameters
    ----------
    counts : ndarray of int, shape (V,)
        Occurrences of each token.
    order : float
        Of the entropy; not 1.

    >>> renyi_efficiency(np.array([5, 5, 5, 5])), renyi_efficiency(np.array([8, 0]))
    (1.0, 0.0)
    """
    if len(counts) < 2 or not counts.sum():
        return 0.0
    shares = counts / counts.sum()
    return float(np.log2((shares**order).sum()) / (1 - order) / np.log2(len(counts))) + 0.0


def _markov(bases: SignalBases) -> dict[str, float | int]:
    """Score a Markov model of bases on the same pieces."""
    longest = HIGHEST_MARKOV + 1
    train, valid = (
        WordCounts([base_codes(piece) for piece in pieces], longest) for pieces in (bases.train, bases.valid)
    )
    model = MarkovModel(train, valid, HIGHEST_MARKOV)
    codes = [base_codes(block) for block in bases.test]
    total = sum(float(model.bits(one)[one < 4].sum()) for one in codes)
    known = sum(int((one < 4).sum()) for one in codes)
    return {"markov_bits_per_base": total / max(1, known), "markov_order": model.order}
