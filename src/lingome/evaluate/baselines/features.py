"""Context-free features of sequences: GC content, counts of k-mers, counts of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lingome.tokens.tokenizer import SPECIAL, Tokenizer

_CODE = np.full(256, 4, dtype=np.uint8)
_CODE[np.frombuffer(b"ACGT", dtype=np.uint8)] = np.arange(4)


def base_codes(sequence: str | np.ndarray) -> np.ndarray:
    """Give A 0, C 1, G 2, T 3 and anything else 4.

    Parameters
    ----------
    sequence : str, or ndarray of uint8, shape (n,)
        Text, or its ASCII codes.

    Returns
    -------
    ndarray of uint8, shape (n,)

    >>> base_codes("ACGTN").tolist()
    [0, 1, 2, 3, 4]
    """
    if isinstance(sequence, str):
        sequence = np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)
    return np.asarray(_CODE[sequence])


def joined_codes(sequences: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Join sequences into one array of codes with a 4 after each, and say whose each position is.

    Returns
    -------
    codes : ndarray of uint8, shape (n,)
        As `base_codes`; n is the letters of all sequences, and one for each sequence.
    owner : ndarray of int64, shape (n,)
        Index of the sequence that each position belongs to.
    """
    codes = base_codes("N".join([*sequences, ""]))
    owner = np.repeat(np.arange(len(sequences)), [len(sequence) + 1 for sequence in sequences])
    return codes, owner


def kmer_ids(codes: np.ndarray, k: int) -> np.ndarray:
    """Give the number (base 4, first base highest) of the k-mer starting at each position.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n,)
        As `base_codes`.
    k : int
        At most 31.

    Returns
    -------
    ndarray of int64, shape (n - k + 1,)
        -1 where the k-mer holds a letter other than A, C, G, T.
    """
    n = len(codes) - k + 1
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    ids = np.zeros(n, dtype=np.int64)
    bad = np.zeros(n, dtype=bool)
    for offset in range(k):
        part = codes[offset : offset + n]
        ids <<= 2
        ids |= part & 3
        bad |= part > 3
    ids[bad] = -1
    return ids


def kmer_counts(sequences: Sequence[str], ks: Sequence[int] = (3, 4, 5, 6)) -> sparse.csr_matrix:
    """Count every k-mer, stride 1, on the strand given.

    Returns
    -------
    csr_matrix of float32, shape (N, F)
        A row for each sequence; F is the sum of 4^k over `ks`, in their order.
    """
    codes, owner = joined_codes(sequences)
    blocks = []
    for k in ks:
        ids = kmer_ids(codes, k)
        blocks.append(_count(owner[: len(ids)][ids >= 0], ids[ids >= 0], len(sequences), 4**k))
    return sparse.hstack(blocks, format="csr")


def token_counts(sequences: Sequence[str], tokenizer: Tokenizer) -> sparse.csr_matrix:
    """Count every token of a vocabulary: (N, vocabulary - 5) float32; special tokens are left out."""
    ids = [encoding.input_ids.astype(np.int64) for encoding in tokenizer.encode_batch(sequences)]
    owner = np.repeat(np.arange(len(ids)), [len(each) for each in ids])
    flat = np.concatenate(ids) if ids else np.empty(0, dtype=np.int64)
    counts = _count(owner, flat, len(sequences), tokenizer.vocab_size)
    return counts[:, len(SPECIAL) :]


def _count(rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int) -> sparse.csr_matrix:
    flat, counts = np.unique(rows * n_columns + columns, return_counts=True)
    return sparse.csr_matrix(
        (counts.astype(np.float32), (flat // n_columns, flat % n_columns)), shape=(n_rows, n_columns)
    )


def gc_share(sequences: Sequence[str]) -> np.ndarray:
    """Give the share of G and C among the A, C, G, T of each sequence; 0.5 if it has none.

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    shares = np.full(len(sequences), 0.5)
    for index, sequence in enumerate(sequences):
        counts = np.bincount(base_codes(sequence), minlength=5)[:4]
        if counts.sum():
            shares[index] = (counts[1] + counts[2]) / counts.sum()
    return shares
