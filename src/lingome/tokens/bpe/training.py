"""Train a byte-pair tokenizer: merges are learnt on uncut sequence, exactly and deterministically."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.tokens.alphabet import DNA, Alphabet
from lingome.tokens.bpe.byte_pairs import FIRST_LETTER, BpeTokenizer
from lingome.tokens.bpe.learning import Known, Merge, learn_merges
from lingome.tokens.tokenizer import SPECIAL


class BpeTraining(NamedTuple):
    """A trained vocabulary and how each merge was chosen.

    Parameters
    ----------
    tokenizer : BpeTokenizer
        The vocabulary.
    merges : list of dict
        One a merge: ``rank`` (from 1), ``left``, ``right``, ``token`` (letters), ``count``
        (occurrences of the pair when it was chosen, overlapping ones included), ``margin``
        (count less that of the next best pair at that moment; 0 is a tie).
    counts : ndarray of int64, shape (V,)
        Occurrences of each id in the encoded sequences (of both strands, if both were counted).
    seconds : dict of str to float
        Wall time of ``reading``, ``choosing`` and ``merging``.
    """

    tokenizer: BpeTokenizer
    merges: list[dict[str, Any]]
    counts: np.ndarray
    seconds: dict[str, float]


def train_bpe(
    sequences: Iterable[np.ndarray],
    merges: int,
    *,
    both_strands: bool = False,
    alphabet: Alphabet = DNA,
    threads: int | None = None,
    known: Sequence[Mapping[str, Any]] = (),
    save: Callable[[list[dict[str, Any]]], None] | None = None,
) -> BpeTraining:
    """Train a byte-pair vocabulary on uncut sequence, exactly and deterministically.

    At each step the pair of neighbouring tokens with the highest count is merged everywhere, left
    to right; of pairs that count the same, the one with the smaller left, then smaller right id.
    Every neighbouring pair counts, overlapping ones too. Unknown letters and ends of sequences are
    never crossed.

    Parameters
    ----------
    sequences : iterable of ndarray of uint8, shape (letters,) each
        ASCII letters, for example the chromosomes of a genome. Taken one at a time and let go;
        memory is about 1.6 bytes per base (twice that with `both_strands`), and the longest sequence.
    merges : int
        How many merges, `known` ones included; 600 for GROVER.
    both_strands : bool
        Count the reverse complement of every sequence as well.
    alphabet : Alphabet
        Letters of the sequences.
    threads : int, optional
        Cores to use, all that this process may use by default; the result is the same.
    known : sequence of mapping
        Rows of `BpeTraining.merges` of a run that was interrupted, to go on from.
    save : callable, optional
        Given such rows every 20 seconds and on an interrupt.

    Raises
    ------
    ConfigError
        If `merges` is out of range or the alphabet has no strands.
    DataError
        If there is nothing to learn from.
    """
    going_on = None
    if known:
        before = BpeTokenizer(_pairs_of(known, alphabet), alphabet)
        going_on = Known([
            Merge(_symbol(left, alphabet), _symbol(right, alphabet), row["count"], row["margin"])
            for (left, right), row in zip(before.merges, known, strict=True)
        ], _encoder(before))

    def save_rows(learnt: Sequence[Merge]) -> None:
        assert save is not None
        save(_rows(learnt, _tokenizer_of(learnt, alphabet)))

    learnt = learn_merges(
        sequences, merges, alphabet=alphabet, both_strands=both_strands, threads=threads or available_cores(),
        known=going_on, save=save_rows if save else None,
    )
    tokenizer = _tokenizer_of(learnt.merges, alphabet)
    if len(learnt.merges) < merges:
        say(f"training stopped after {len(learnt.merges)} of {merges} merges: no two neighbouring tokens are left")
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    symbols = np.delete(learnt.counts, alphabet.unknown)
    counts[FIRST_LETTER:] = symbols
    return BpeTraining(tokenizer, _rows(learnt.merges, tokenizer), counts, learnt.seconds)


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pairs_of(rows: Sequence[Mapping[str, Any]], alphabet: Alphabet) -> list[tuple[int, int]]:
    ids = {token: index for index, token in enumerate((*SPECIAL, *alphabet.letters))}
    pairs = []
    for rank, row in enumerate(rows, start=1):
        if missing := [row[part] for part in ("left", "right") if row[part] not in ids]:
            raise DataError(
                "a merge to go on from is of a token that no merge before it makes", where=f"merge {rank}",
                got=missing[0], hint="start again without --resume",
            )
        pairs.append((ids[row["left"]], ids[row["right"]]))
        ids[row["left"] + row["right"]] = len(ids)
    return pairs


def _encoder(tokenizer: BpeTokenizer) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from letters to the symbols that training counts."""
    symbols = np.full(tokenizer.vocab_size, tokenizer.alphabet.unknown, dtype=np.uint16)
    symbols[FIRST_LETTER:] = [_symbol(i, tokenizer.alphabet) for i in range(FIRST_LETTER, tokenizer.vocab_size)]

    def encode(letters: np.ndarray) -> np.ndarray:
        ids, _ = tokenizer.encode_flat(letters, np.array([0, len(letters)], dtype=np.int64))
        found: np.ndarray = symbols[ids]
        return found

    return encode


def _tokenizer_of(learnt: Sequence[Merge], alphabet: Alphabet) -> BpeTokenizer:
    return BpeTokenizer([(_id(merge.left, alphabet), _id(merge.right, alphabet)) for merge in learnt], alphabet)


def _rows(learnt: Sequence[Merge], tokenizer: BpeTokenizer) -> list[dict[str, Any]]:
    return [
        {
            "rank": rank, "left": tokenizer.vocab[left], "right": tokenizer.vocab[right],
            "token": tokenizer.vocab[left] + tokenizer.vocab[right], "count": merge.occurrences,
            "margin": merge.margin,
        }
        for rank, ((left, right), merge) in enumerate(zip(tokenizer.merges, learnt, strict=True), start=1)
    ]


def _id(symbol: int, alphabet: Alphabet) -> int:
    """Give the id of a training symbol: letters move past the special tokens, merges past them less the break."""
    return symbol + FIRST_LETTER - (symbol > alphabet.unknown)


def _symbol(index: int, alphabet: Alphabet) -> int:
    """Give the training symbol of an id of a letter or merge."""
    return index - FIRST_LETTER + (index >= FIRST_LETTER + len(alphabet))
