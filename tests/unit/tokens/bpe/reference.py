"""Byte-pair training and encoding written as plainly as can be, to compare with."""

from __future__ import annotations

import itertools
from collections import Counter

LETTERS = "ACGT"


def split_known(text: str, letters: str = LETTERS) -> list[list[int]]:
    """Cut at letters outside the alphabet; its letters become 5, 6 ..., as in BpeTokenizer."""
    runs = "".join(letter if letter in letters else " " for letter in text.upper()).split()
    return [[5 + letters.index(letter) for letter in run] for run in runs]


def merge(tokens: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Replace a pair left to right."""
    out, i = [], 0
    while i < len(tokens):
        if i + 1 < len(tokens) and (tokens[i], tokens[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def train(texts: list[str], merges: int, letters: str = LETTERS) -> list[tuple[int, int, int, int]]:
    """Give (left, right, count, margin) of each merge, counting everything anew each time."""
    runs = [run for text in texts for run in split_known(text, letters)]
    learnt: list[tuple[int, int, int, int]] = []
    for rank in range(merges):
        counts = Counter(pair for run in runs for pair in itertools.pairwise(run))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if not ranked:
            break
        pair, count = ranked[0]
        learnt.append((*pair, count, count - (ranked[1][1] if len(ranked) > 1 else 0)))
        runs = [merge(run, pair, 5 + len(letters) + rank) for run in runs]
    return learnt


def encode(text: str, merges: list[tuple[int, int]], letters: str = LETTERS) -> list[int]:
    """Replay the merges in order on each stretch between unknown letters; those become 1."""
    tokens = [5 + letters.index(letter) if letter in letters else 1 for letter in text.upper()]
    for rank, pair in enumerate(merges):
        tokens = merge(tokens, pair, 5 + len(letters) + rank)
    return tokens


def count(texts: list[str], merges: list[tuple[int, int]]) -> list[int]:
    """Count each id in the encoded texts, special ones left out."""
    found = Counter(token for text in texts for token in encode(text, merges) if token > 4)
    return [found[index] for index in range(9 + len(merges))]
