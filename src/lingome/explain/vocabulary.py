"""What a vocabulary holds: length, GC and use of each token, and the merge that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.tokens.alphabet import DNA
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import COUNTED_TOKENS

VOCABULARY_COLUMNS = (
    "id", "token", "length_bp", "count", "frequency", "gc", "rank", "left", "right", "pair_count", "margin",
)


def count_tokens(ids: Iterable[np.ndarray], vocab_size: int) -> np.ndarray:
    """Count how often each id occurs.

    Parameters
    ----------
    ids : iterable of ndarray of int
        Token ids, in any number of pieces.
    vocab_size : int
        Number of ids.

    Returns
    -------
    ndarray of int64, shape (vocab_size,)
    """
    counts = np.zeros(vocab_size, dtype=np.int64)
    for piece in ids:
        for first in range(0, len(piece), COUNTED_TOKENS):  # bincount makes an int64 copy of what it is given
            counts += np.bincount(piece[first : first + COUNTED_TOKENS], minlength=vocab_size)
    return counts


def vocabulary_table(
    tokenizer: Tokenizer, counts: np.ndarray | None = None, merges: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Describe every token that stands for letters.

    Parameters
    ----------
    tokenizer : Tokenizer
        The vocabulary.
    counts : ndarray of int64, shape (V,), optional
        Occurrences of each token; cells are empty without.
    merges : sequence of mapping, optional
        Rows of `BpeTraining.merges`: gives ``pair_count`` and ``margin``.

    Returns
    -------
    list of dict
        Columns `VOCABULARY_COLUMNS`: ``frequency`` is the share of all tokens that stand for
        letters; ``gc`` the share of G and C in the token, None if it is no DNA; ``rank`` (from 1),
        ``left`` and ``right`` the merge that made it, None for letters and k-mers.
    """
    special = set(tokenizer.special_ids.tolist())
    kept = [index for index in range(tokenizer.vocab_size) if index not in special]
    total = int(counts[kept].sum()) if counts is not None else 0
    rows: list[dict[str, Any]] = []
    for index in kept:
        token = tokenizer.vocab[index]
        row: dict[str, Any] = dict.fromkeys(VOCABULARY_COLUMNS)
        row.update(id=index, token=token, length_bp=len(token))
        if tokenizer.alphabet is DNA:
            row.update(gc=sum(c in "CG" for c in token) / len(token))
        if counts is not None:
            row.update(count=int(counts[index]), frequency=float(counts[index] / total) if total else 0.0)
        if isinstance(tokenizer, BpeTokenizer) and index >= tokenizer.first_merged:
            rank = index - tokenizer.first_merged
            left, right = tokenizer.merges[rank]
            row.update(rank=rank + 1, left=tokenizer.vocab[left], right=tokenizer.vocab[right])
            if rank < len(merges):
                row.update(pair_count=merges[rank]["count"], margin=merges[rank]["margin"])
        rows.append(row)
    return rows


def check_rows(rows: Sequence[Mapping[str, Any]], tokens: Sequence[str], where: object) -> None:
    """Refuse a table that was made for other tokens than these, or is cut short.

    Raises
    ------
    DataError
        If it does not have these tokens, in this order.
    """
    found = [str(row.get("token")) for row in rows]
    for number, (got, expected) in enumerate(zip_longest(found, tokens), start=2):
        if got != expected:
            raise DataError(
                "this table is not of this vocabulary", where=f"{where}:{number}", got=got or "the end of the table",
                expected=expected or "the end of the table", hint="make the vocabulary again, or take the table away",
            )


def length_table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum a vocabulary up by length of token.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of `vocabulary_table`.

    Returns
    -------
    list of dict
        One a length, ascending: ``length_bp``, ``tokens`` (how many have it), ``used`` (how many
        of them occur), ``count`` and ``share`` (of all occurrences); the last three are None
        without counts.
    """
    table: list[dict[str, Any]] = []
    counted = any(row["count"] is not None for row in rows)
    total = sum(row["count"] or 0 for row in rows)
    for length in sorted({row["length_bp"] for row in rows}):
        those = [row for row in rows if row["length_bp"] == length]
        line: dict[str, Any] = {"length_bp": length, "tokens": len(those), "used": None, "count": None, "share": None}
        if counted:
            count = sum(row["count"] for row in those)
            used = sum(row["count"] > 0 for row in those)
            line.update(used=used, count=count, share=count / total if total else 0.0)
        table.append(line)
    return table


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    """Sum a vocabulary up in a few numbers.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of `vocabulary_table`.

    Returns
    -------
    dict
        ``tokens``, ``mean_length_bp`` (over the vocabulary), ``longest_bp``; with counts also
        ``used`` (tokens that occur), ``bases_per_token`` (mean over occurrences),
        ``median_count``, ``entropy_bits`` (of the token distribution, bits per token) and
        ``frequency_length_correlation`` (Pearson, of log10 count and length over used tokens;
        absent when one of them does not vary).
    """
    lengths = np.array([row["length_bp"] for row in rows], dtype=np.float64)
    found: dict[str, int | float] = {
        "tokens": len(rows), "mean_length_bp": float(lengths.mean()), "longest_bp": int(lengths.max()),
    }
    if any(row["count"] is None for row in rows):
        return found
    counts = np.array([row["count"] for row in rows], dtype=np.float64)
    used = counts > 0
    if not used.any():
        return {**found, "used": 0}
    shares = counts[used] / counts.sum()
    found |= {
        "used": int(used.sum()),
        "bases_per_token": float((counts * lengths).sum() / counts.sum()),
        "median_count": float(np.median(counts)),
        "entropy_bits": float((shares * -np.log2(shares)).sum()) + 0.0,
    }
    if np.ptp(lengths[used]) > 0 and np.ptp(counts[used]) > 0:
        found["frequency_length_correlation"] = float(np.corrcoef(np.log10(counts[used]), lengths[used])[0, 1])
    return found
