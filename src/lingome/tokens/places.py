"""Where windows of any length fit among stretches of tokens, without a pass over the stretches."""

from __future__ import annotations

import numpy as np

BLOCK = 256
TABLE_BYTES = 1 << 26


class WindowPlaces:
    """Number the places where a window fits, stretch after stretch, for every length of window at once.

    A stretch of `n` tokens has ``max(0, n - length + 1)`` places. How many there are up to the end of
    each block of stretches is tabled once for every length; so finding a place takes a search in a row
    of that table and a look at one block, however many stretches there are.

    Parameters
    ----------
    lengths : ndarray of int64, shape (S,)
        Tokens of each stretch.
    shortest, longest : int
        Lengths of windows that will be asked for, both included.
    """

    def __init__(self, lengths: np.ndarray, shortest: int, longest: int) -> None:
        self._shortest = shortest
        n_lengths = longest - shortest + 1
        # Wider blocks keep the table small where there are very many stretches or lengths.
        self._block = max(BLOCK, -(-len(lengths) * n_lengths * 8 // TABLE_BYTES))
        n_blocks = max(1, -(-len(lengths) // self._block))
        padded = np.zeros(n_blocks * self._block, dtype=np.int64)
        padded[: len(lengths)] = lengths
        self._lengths = padded.reshape(n_blocks, self._block)
        block_of = np.arange(len(lengths)) // self._block
        fits = lengths >= shortest
        cells = block_of * n_lengths + np.minimum(lengths, longest) - shortest
        per_length = np.bincount(cells[fits], minlength=n_blocks * n_lengths).reshape(n_blocks, n_lengths)
        # Summed from the long end: once for the stretches that hold a window, twice for its places in them.
        at_least = np.cumsum(per_length[:, ::-1], axis=1)
        places = np.cumsum(at_least, axis=1)[:, ::-1]
        beyond = np.bincount(block_of, weights=np.maximum(0, lengths - longest), minlength=n_blocks).astype(np.int64)
        self._ends = np.ascontiguousarray(np.cumsum(places + beyond[:, None], axis=0).T)

    def count(self, length: int) -> int:
        """Count the places of windows of a length."""
        return int(self._ends[length - self._shortest, -1])

    def find(self, numbers: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Find places by their numbers.

        Parameters
        ----------
        numbers : ndarray of int64, shape (R,)
            Each below ``count(length)``.

        Returns
        -------
        stretch, offset : ndarray of int64, shape (R,)
            The stretch each lies in, and its first token counted from the start of that stretch.
        """
        ends = self._ends[length - self._shortest]
        block = np.searchsorted(ends, numbers, side="right")
        inside = numbers - np.where(block > 0, ends[block - 1], 0)
        places = np.maximum(0, self._lengths[block] - length + 1)
        within = np.cumsum(places, axis=1)
        found = (within <= inside[:, None]).sum(axis=1)
        rows = np.arange(len(numbers))
        return block * self._block + found, inside - (within[rows, found] - places[rows, found])
