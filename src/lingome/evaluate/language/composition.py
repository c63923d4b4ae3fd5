"""What generated DNA is made of, beside what knows composition alone.

GC content and the spectrum of k-mers of a set of sequences, against the training data; the same of
sequences drawn from a Markov model of these data, of uniform bases, and of windows of the data themselves,
which show how far a set of this size lies from its own source by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.core.seeds import generator
from lingome.evaluate.baselines.features import base_codes, gc_share, kmer_ids
from lingome.evaluate.baselines.markov import MarkovModel, WordCounts

_LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
_HELD_OUT = 10
"""One block in ten chooses the Markov model's order and smoothing."""
_BLOCK_BP = 10_000
_SPECTRUM_BP = 1_000_000


def kmer_spectrum(sequences: Iterable[str | np.ndarray], k: int) -> np.ndarray:
    """Give the share of each k-mer among all of them; zeros if there is none.

    Parameters
    ----------
    sequences : iterable of str, or of ndarray of uint8, shape (length,)
        Text or ASCII codes.
    k : int
        Letters of a word.

    Returns
    -------
    ndarray of float64, shape (4^k,)
        They add up to 1.
    """
    counts = np.zeros(4**k, dtype=np.float64)
    for sequence in sequences:
        for start in range(0, len(sequence), _SPECTRUM_BP):  # k-mers take 8 bytes each while they are counted
            ids = kmer_ids(base_codes(sequence[start : start + _SPECTRUM_BP + k - 1]), k)
            counts += np.bincount(ids[ids >= 0], minlength=4**k)
    shares: np.ndarray = counts / max(1.0, counts.sum())
    return shares


def spectrum_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Give the Jensen-Shannon divergence of two distributions, in bits: 0 the same, 1 nothing in common.

    Lin 1991, doi:10.1109/18.61115.

    Parameters
    ----------
    one, other : ndarray of float, shape (n,)
        Shares that add up to 1.

    >>> spectrum_distance(np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 1.0, 0]))
    1.0
    """
    middle = (one + other) / 2

    def bits(part: np.ndarray) -> float:
        some = part > 0
        return float((part[some] * np.log2(part[some] / middle[some])).sum())

    return (bits(one) + bits(other)) / 2


def fit_markov(pieces: Sequence[np.ndarray], highest: int = 9) -> MarkovModel:
    """Fit a Markov model of bases to sequences; order and smoothing by one block of 10 kb in ten.

    Parameters
    ----------
    pieces : sequence of ndarray of uint8, shape (length,) each
        ASCII codes.
    highest : int
        Bases of context at most.

    Raises
    ------
    DataError
        If there are fewer than 10 bases.
    """
    blocks = [base_codes(piece[start : start + _BLOCK_BP]) for piece in pieces
              for start in range(0, len(piece), _BLOCK_BP)]
    if sum(map(len, blocks)) < 10:
        raise DataError("there is too little sequence to count", got=f"{sum(map(len, blocks))} bases")
    if len(blocks) < _HELD_OUT:  # little data: the end of each block is held out
        train = [block[: -(-9 * len(block) // 10)] for block in blocks]
        valid = [block[-(-9 * len(block) // 10) :] for block in blocks]
    else:
        train = [block for index, block in enumerate(blocks) if index % _HELD_OUT != _HELD_OUT - 1]
        valid = blocks[_HELD_OUT - 1 :: _HELD_OUT]
    return MarkovModel(WordCounts(train, highest + 1), WordCounts(valid, highest + 1), highest)


def sample_markov(model: MarkovModel, lengths: Sequence[int], seed: int, prompt: str = "") -> list[str]:
    """Draw sequences from a Markov model, each after the prompt, which is not part of them.

    The first bases are drawn with the context they have.

    Parameters
    ----------
    model : MarkovModel
        From `fit_markov`.
    lengths : sequence of int
        Bases of each sequence.
    seed : int
        Decides the draws.
    prompt : str
        What stands before each.
    """
    rng = generator(seed, "markov")
    before = base_codes(prompt)
    known = np.flatnonzero(before > 3)
    before = before[known[-1] + 1 if len(known) else 0 :].astype(np.int64)
    codes_NL = np.zeros((len(lengths), len(before) + max(lengths, default=0)), dtype=np.int64)
    codes_NL[:, : len(before)] = before
    sums = [table.cumsum(axis=1) for table in model.tables]
    for place in range(len(before), codes_NL.shape[1]):
        order = min(place, model.order)
        context_N = codes_NL[:, place - order : place] @ (4 ** np.arange(order - 1, -1, -1))
        points_N = rng.random(len(lengths))
        codes_NL[:, place] = (points_N[:, None] >= sums[order][context_N][:, :3]).sum(axis=1)
    letters_NL = _LETTERS[codes_NL[:, len(before) :]]
    return [row[:length].tobytes().decode() for row, length in zip(letters_NL, lengths, strict=True)]


def sample_uniform(lengths: Sequence[int], seed: int) -> list[str]:
    """Draw sequences of equally likely, independent bases."""
    rng = generator(seed, "uniform")
    return [_LETTERS[rng.integers(0, 4, length)].tobytes().decode() for length in lengths]


def sample_windows(pieces: Sequence[np.ndarray], lengths: Sequence[int], seed: int) -> list[str]:
    """Draw stretches of sequences, from anywhere alike; without N if 100 tries find one.

    Lengths that no piece has are left out.

    Parameters
    ----------
    pieces : sequence of ndarray of uint8, shape (length,) each
        ASCII codes.
    lengths : sequence of int
        Bases of each stretch.
    seed : int
        Decides the draws.
    """
    rng = generator(seed, "windows")
    found = []
    for length in lengths:
        room = np.array([max(0, len(piece) - length + 1) for piece in pieces], dtype=np.float64)
        if not length or not room.sum():
            continue
        window = ""
        for _ in range(100):
            piece = pieces[rng.choice(len(pieces), p=room / room.sum())]
            start = int(rng.integers(0, len(piece) - length + 1))
            window = piece[start : start + length].tobytes().decode("ascii")
            if "N" not in window:
                break
        found.append(window)
    return found


def composition_rows(
    sets: Mapping[str, Sequence[str]], spectrum: np.ndarray, k: int, matches: Mapping[str, np.ndarray], seed: int
) -> list[dict[str, Any]]:
    """Describe sets of sequences, one row each.

    Parameters
    ----------
    sets : dict of str to sequence of str
        By name.
    spectrum : ndarray, shape (4^k,)
        K-mers of the training data.
    k : int
        Letters of a word.
    matches : dict of str to ndarray of int, shape (N,)
        Longest match of each sequence to the training data; sets that were taken from these are not in it.
    seed : int
        Of the bootstrap over sequences that gives the 95% interval of the GC content.
    """
    rows: list[dict[str, Any]] = []
    for name, sequences in sets.items():
        if not sequences:
            continue
        gc = gc_share(sequences)
        again = gc[generator(seed, "composition", name).integers(0, len(gc), (1000, len(gc)))].mean(axis=1)
        longest = matches.get(name)
        rows.append({
            "name": name, "n": len(sequences), "gc": float(gc.mean()), "gc_low": float(np.quantile(again, 0.025)),
            "gc_high": float(np.quantile(again, 0.975)),
            f"{k}mer_distance_bits": spectrum_distance(kmer_spectrum(sequences, k), spectrum),
            "longest_match_median": None if longest is None else float(np.median(longest)),
            "longest_match_max": None if longest is None else int(longest.max()),
        })
    return rows
