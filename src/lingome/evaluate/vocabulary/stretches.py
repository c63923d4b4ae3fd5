"""Parts of a genome as one array of letters: to draw windows from, and to read in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.baselines.features import base_codes


class Stretches:
    """Parts of a genome laid end to end, with an N between, to draw windows without unknown letters from.

    Raises
    ------
    DataError
        If a window is drawn and the intervals are empty or hold none of known letters.
    """

    def __init__(self, genome: Genome, intervals: Sequence[Interval], what: str) -> None:
        self.what = what
        gap = np.frombuffer(b"N", dtype=np.uint8)
        parts = [part for i in intervals for part in (genome.sequence(i.chrom, i.start, i.end), gap)]
        self.letters = np.concatenate(parts) if parts else gap
        self.codes = base_codes(self.letters)

    def draw_starts(self, n: int, length_bp: int, rng: np.random.Generator) -> np.ndarray:
        """Draw where windows begin, evenly from all that hold only A, C, G and T: int64, shape (n,).

        Raises
        ------
        DataError
            If there are too few such windows.
        """
        found: list[np.ndarray] = []
        missing = n
        last = len(self.letters) - length_bp
        steps = np.arange(length_bp)
        for _ in range(1000):
            if missing <= 0 or last < 0:
                break
            starts = rng.integers(last + 1, size=missing + 8)
            good = starts[(self.codes[starts[:, None] + steps] < 4).all(axis=1)][:missing]
            found.append(good)
            missing -= len(good)
        if missing > 0:
            raise DataError(
                f"the {self.what} part of the genome has too few stretches of {length_bp} known letters",
                got=f"{len(self.letters):,} letters", hint="use a longer sequence",
            )
        return np.concatenate(found)

    def windows(self, starts: np.ndarray, length_bp: int) -> np.ndarray:
        """Give the letters of windows.

        Parameters
        ----------
        starts : ndarray of int, shape (n,)
            Where they begin.
        length_bp : int
            Bases of each.

        Returns
        -------
        ndarray of uint8, shape (n, length_bp)
            ASCII codes.
        """
        return self.letters[starts[:, None] + np.arange(length_bp)]

    def draw(self, n: int, length_bp: int, rng: np.random.Generator) -> np.ndarray:
        """Draw windows evenly from all that hold only A, C, G and T.

        Parameters
        ----------
        n, length_bp : int
            How many, and bases of each.
        rng : Generator
            Draws where they begin.

        Returns
        -------
        ndarray of uint8, shape (n, length_bp)
            ASCII codes.

        Raises
        ------
        DataError
            If there are too few such windows.
        """
        return self.windows(self.draw_starts(n, length_bp, rng), length_bp)

    def pieces(self, lengths_bp: Sequence[int], at_most_bp: int) -> list[np.ndarray]:
        """Cut all into pieces whose lengths go through `lengths_bp` again and again, and keep some, evenly spaced.

        Pieces hold at most `at_most_bp` letters together; those without a known letter, and what is
        left over at the end, are left out. One short piece is given where nothing else fits.

        Returns
        -------
        list of ndarray of uint8, shape (length,) each
            ASCII codes.
        """
        cuts = [0]
        index = 0
        while cuts[-1] + lengths_bp[index % len(lengths_bp)] <= len(self.letters):
            cuts.append(cuts[-1] + lengths_bp[index % len(lengths_bp)])
            index += 1
        if index == 0:
            cuts.append(len(self.letters))
        whole = [(a, b) for a, b in itertools.pairwise(cuts) if (self.codes[a:b] < 4).any()]
        n = max(1, min(len(whole), at_most_bp // max(lengths_bp)))
        chosen = [whole[round(i * (len(whole) - 1) / max(1, n - 1))] for i in range(n)] if whole else []
        return [self.letters[a:b] for a, b in chosen]
