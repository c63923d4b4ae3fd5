"""Letters that sequences are written in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import islice

import numpy as np


class Alphabet:
    """The letters of one kind of sequence, and the small number each stands for.

    Either case is read. Every other letter is unknown: it breaks words and becomes one unknown token.

    Parameters
    ----------
    name : str
        What to call it in settings and messages.
    letters : str
        Upper-case letters; the index of each is its code.

    >>> DNA.codes[[ord("A"), ord("t"), ord("N")]].tolist(), DNA.unknown
    ([0, 3, 4], 4)
    """

    def __init__(self, name: str, letters: str) -> None:
        self.name = name
        self.letters = letters

    def __len__(self) -> int:
        return len(self.letters)

    def __repr__(self) -> str:
        return f"Alphabet({self.name!r}, {self.letters!r})"

    @property
    def unknown(self) -> int:
        """Code of every letter that is not in the alphabet."""
        return len(self.letters)

    @cached_property
    def codes(self) -> np.ndarray:
        """Code of each ASCII character, uint8, shape (256,)."""
        codes = np.full(256, self.unknown, dtype=np.uint8)
        for code, letter in enumerate(self.letters):
            codes[[ord(letter), ord(letter.lower())]] = code
        return codes

    def has(self, token: str) -> bool:
        """Say whether a token is written in these letters alone."""
        return set(token) <= set(self.letters)


DNA = Alphabet("dna", "ACGT")
PROTEIN = Alphabet("protein", "ACDEFGHIKLMNPQRSTVWY")
ESM = Alphabet("esm", "LAGVSERTIDPKQNFYMHWCXBUZO.-")  # residues and gaps, in the order of ESM's ids
ALPHABETS = {alphabet.name: alphabet for alphabet in (DNA, PROTEIN, ESM)}

LOOKED_AT = 100
"""Sequences that `doubt_letters` looks at, and letters of each."""


def doubt_letters(alphabet: Alphabet, sequences: Iterable[str]) -> list[str]:
    """Warn if sequences look like DNA to whoever reads protein, whose letters A, C, G and T are, too; else nothing.

    >>> doubt_letters(PROTEIN, ["MKTAYIAKQR", "GATTACA"]), doubt_letters(DNA, ["GATTACA"])
    ([], [])
    >>> print(*doubt_letters(PROTEIN, ["GATTACA" * 5]))
    the sequences look like DNA, and this model reads protein: A is alanine to it, C cysteine, G glycine, T threonine
    """
    if alphabet is DNA:
        return []
    letters = "".join(sequence[:LOOKED_AT] for sequence in islice(sequences, LOOKED_AT)).upper()
    if len(letters) < 20 or not set(letters) <= set("ACGTUN"):
        return []
    names = "A is alanine to it, C cysteine, G glycine, T threonine"
    return [f"the sequences look like DNA, and this model reads protein: {names}"]
