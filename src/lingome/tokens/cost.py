"""What encoding a FASTA or training byte pairs on it would take, measured on its first megabase on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import silence
from lingome.data.readers.compressed import read_blocks
from lingome.tokens.alphabet import DNA, Alphabet
from lingome.tokens.bpe.learning import learn_merges
from lingome.tokens.tokenizer import Tokenizer, as_codes

SAMPLE_BASES = 1_000_000
SMALL_PART = 4
SAMPLE_MERGES = 100
MERGES_EXPONENT = 0.7
"""Passes over the text grow with this power of the number of merges, because the text becomes shorter."""


class EncodingCost(NamedTuple):
    """What encoding takes.

    Parameters
    ----------
    bases_per_token : float
        Mean length of a token, unknown letters left out; at least 1.
    seconds_per_base : float
        Reading and encoding on one core.
    """

    bases_per_token: float
    seconds_per_base: float


class TrainingCost(NamedTuple):
    """What training byte pairs takes.

    Parameters
    ----------
    seconds_per_base : float
        Reading, and merging as often as asked.
    seconds : float
        What does not grow with the sequence: choosing merges and starting passes.
    """

    seconds_per_base: float
    seconds: float


def measure_encoding(path: Path, tokenizer: Tokenizer) -> EncodingCost:
    """Encode the first megabase of known letters of a FASTA, and say how long a base takes.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    tokenizer.encode("A")  # compiled before the clock starts
    started = time.perf_counter()
    n_read = 0
    n_known = 0
    n_tokens = 0
    for letters in _read_letters(path):
        ids, _ = tokenizer.encode_flat(letters, np.array([0, len(letters)], dtype=np.int64))
        known = ids[ids != tokenizer.unk_id]
        n_read += len(letters)
        n_known += tokenizer.covered_bp(known, 0)
        n_tokens += len(known)
        if n_known > SAMPLE_BASES:
            break
    seconds = time.perf_counter() - started
    return EncodingCost(max(1.0, n_known / max(1, n_tokens)), seconds / max(1, n_read))


def measure_training(
    path: Path, merges: int, *, alphabet: Alphabet = DNA, both_strands: bool = False, threads: int = 1
) -> TrainingCost:
    """Learn a few merges on the first megabase of a FASTA, and say how long a base takes.

    Two lengths are trained on, so that what grows with the sequence is told apart from what does not.

    Parameters
    ----------
    path : Path
        The FASTA.
    merges : int
        How many are to be learnt.
    alphabet : Alphabet
        Its letters.
    both_strands : bool
        The reverse complement is counted as well.
    threads : int
        Cores to use.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    started = time.perf_counter()
    letters = np.concatenate([np.empty(0, dtype=np.uint8), *_first_letters(path, alphabet)])
    reading = (time.perf_counter() - started) / max(1, len(letters))
    letters = letters[alphabet.codes[letters] != alphabet.unknown][:SAMPLE_BASES]
    n_merges = min(merges, SAMPLE_MERGES)

    def learn(part: np.ndarray) -> float:
        begun = time.perf_counter()
        learn_merges([part], n_merges, alphabet=alphabet, both_strands=both_strands, threads=threads)
        return time.perf_counter() - begun

    small = letters[: len(letters) // SMALL_PART]
    try:
        with silence():
            learn(small[:1000])  # compiled before the clock starts
            small_seconds = learn(small)
            whole_seconds = learn(letters)
    except DataError:  # too little to learn from, which training itself will say
        return TrainingCost(reading, 0.0)
    more = (merges / n_merges) ** MERGES_EXPONENT
    per_base = max(0.0, whole_seconds - small_seconds) / (len(letters) - len(small))
    fixed = max(0.0, whole_seconds - per_base * len(letters))
    return TrainingCost(reading + per_base * more, fixed * merges / n_merges)


def _first_letters(path: Path, alphabet: Alphabet) -> Iterator[np.ndarray]:
    """Give blocks of letters until a megabase of known ones was read."""
    n_known = 0
    for letters in _read_letters(path):
        yield letters
        n_known += int((alphabet.codes[letters] != alphabet.unknown).sum())
        if n_known > SAMPLE_BASES:
            break


def _read_letters(path: Path) -> Iterator[np.ndarray]:
    """Give the letters of a FASTA block by block, without its headers."""
    for block in read_blocks(path):
        yield as_codes(b"".join(line.strip() for line in block.split(b"\n") if not line.startswith(b">")))
