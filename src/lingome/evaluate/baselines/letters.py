"""How likely letters are without a language model: a Markov model of bases, or the frequencies of residues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lingome.core.errors import DataError
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import MarkovModel
from lingome.evaluate.language.composition import fit_markov
from lingome.models.scoring.scores import Allele, apply_edits
from lingome.tokens.alphabet import DNA, PROTEIN, Alphabet

COUNTED_BASES = 4_000_000
PIECE_BP = 65_536


class LetterModel(Protocol):
    """Something that gives letters a probability."""

    name: str

    def log_likelihood(self, sequence: str) -> float:
        """Sum ln p of every known letter, in nats."""
        ...


class MarkovLetters:
    """A Markov model of bases, counted on some sequence."""

    def __init__(self, model: MarkovModel) -> None:
        self.model = model
        self.name = f"Markov model of bases, order {model.order}"

    def log_likelihood(self, sequence: str) -> float:
        """Sum ln p of every base given those before it, in nats; unknown letters count nothing."""
        codes = base_codes(sequence)
        return -float(self.model.bits(codes)[codes < 4].sum()) * math.log(2)


class Frequencies:
    """Letters on their own, as often as they were seen, with one count added to each."""

    def __init__(self, counted: Sequence[str], alphabet: Alphabet) -> None:
        counts = np.ones(len(alphabet) + 1)
        for text in counted:
            counts += np.bincount(_codes(text, alphabet), minlength=len(counts))
        self._nats = np.append(np.log(counts[:-1] / counts[:-1].sum()), 0.0)
        self._alphabet = alphabet
        self.name = f"frequencies of {'bases' if alphabet is DNA else 'residues'}"

    def log_likelihood(self, sequence: str) -> float:
        """Sum ln p of every known letter, in nats."""
        return float(self._nats[_codes(sequence, self._alphabet)].sum())


def _codes(text: str, alphabet: Alphabet) -> np.ndarray:
    return alphabet.codes[np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)]


def fit_letters(counted: Sequence[str | np.ndarray], alphabet: Alphabet) -> LetterModel:
    """Count letters: a Markov model for DNA (order and smoothing chosen on a tenth), frequencies for the rest.

    Of more than `COUNTED_BASES` letters, pieces spread evenly are counted.

    Parameters
    ----------
    counted : sequence of str, or of ndarray of uint8, each of shape (n,)
        Sequences to count, as text or as ASCII codes.
    alphabet : Alphabet
        What the letters are.
    """
    pieces = [one[start : start + PIECE_BP] for one in counted for start in range(0, len(one), PIECE_BP)]
    total = sum(map(len, pieces))
    kept = pieces[:: max(1, math.ceil(total / COUNTED_BASES))]
    texts = [one if isinstance(one, str) else one.tobytes().decode("ascii") for one in kept]
    if alphabet is DNA:
        try:
            longest = max(1, min(9, int(math.log(max(4, total), 4))))  # beyond, most contexts were never seen
            codes = [np.frombuffer(text.encode("ascii"), dtype=np.uint8) for text in texts]
            return MarkovLetters(fit_markov(codes, longest))
        except DataError:  # fewer bases than a context needs
            return Frequencies(texts, DNA)
    return Frequencies(texts, PROTEIN)


def held_out_scores(sequences: Sequence[str], alphabet: Alphabet) -> tuple[str, np.ndarray]:
    """Score each half of the sequences by letters counted on the other half, in nats, shape (N,).

    One sequence alone has no other half: it is scored by equally likely letters.

    Returns
    -------
    name : str
    scores : ndarray of float64
    """
    alphabet = DNA if alphabet is DNA else PROTEIN
    if len(sequences) < 2:
        known = [int((_codes(text, alphabet) < len(alphabet)).sum()) for text in sequences]
        return "equally likely letters", -np.array(known) * math.log(len(alphabet))
    halves = [list(range(0, len(sequences), 2)), list(range(1, len(sequences), 2))]
    scores = np.zeros(len(sequences))
    names = []
    for scored, counted in (halves, halves[::-1]):
        letters = fit_letters([sequences[index] for index in counted], alphabet)
        scores[scored] = [letters.log_likelihood(sequences[index]) for index in scored]
        names.append(letters.name)
    return f"{' and '.join(dict.fromkeys(names))}, of the other half", scores


def delta_log_likelihoods(letters: LetterModel, alleles: Sequence[Allele]) -> np.ndarray:
    """Score changes by counted letters: ln p of the alternative window - that of the reference, shape (N,)."""
    known: dict[str, float] = {}
    scores = []
    for one in alleles:
        if one.sequence not in known:
            known[one.sequence] = letters.log_likelihood(one.sequence)
        scores.append(letters.log_likelihood(apply_edits(one)) - known[one.sequence])
    return np.array(scores)
