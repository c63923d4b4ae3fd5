"""Scores of whole sequences of any length: long ones by windows, on one strand or on both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lingome.config.embed import LongPolicy
from lingome.core.errors import ConfigError
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.models.devices import Precision
from lingome.models.heads.language_model import LanguageModel
from lingome.models.reading.pieces import cut_to_fit
from lingome.models.scoring.scores import SequenceScore, Strands, score_tokens
from lingome.tokens.tokenizer import Tokenizer


def score_whole(
    model: LanguageModel,
    tokenizer: Tokenizer,
    sequences: Sequence[str],
    convention: str,
    *,
    too_long: LongPolicy = "error",
    strands: Strands = "forward",
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> tuple[list[SequenceScore], np.ndarray]:
    """Score sequences of any length.

    Parameters
    ----------
    model : MaskedLM or CausalModel
        The model.
    tokenizer : Tokenizer
        Its own.
    sequences : sequence of str
        N of them.
    convention : {"log_likelihood", "pll"}
        See `lingome.models.scoring.conventions`.
    too_long : {"error", "truncate", "window"}
        Beyond the context: refuse; score the beginning; or cut into windows of almost equal length, each read
        alone, and add their scores up.
    strands : {"forward", "both"}
        ``both`` is the mean with the reverse complement; counts are those of the forward strand. It goes with no
        ``truncate``, which would cut another end off the other strand.
    batch_tokens : int
        Tokens of a batch, padding included.
    precision : {"auto", "fp32", "bf16"}
        Of the computation.

    Returns
    -------
    scores : list of SequenceScore
    n_windows : ndarray of int64, shape (N,)
        Windows that each sequence was read in.

    Raises
    ------
    ConfigError
        If both strands are asked for, and to be cut.
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    if strands == "both" and too_long == "truncate":
        raise ConfigError("the strands of a sequence that is cut are different stretches", where="too_long",
                          got="truncate, and strands=both", expected="error or window")
    pieces = cut_to_fit(tokenizer, sequences, model.config.max_positions, too_long)
    found = score_tokens(model, tokenizer, pieces.ids, convention, batch_tokens=batch_tokens, precision=precision)
    scores = add_up(found, pieces.owner, len(sequences))
    n_windows = np.bincount(pieces.owner, minlength=len(sequences))
    if strands == "both":
        turned = [as_text(reverse_complement(as_bases(text))) for text in sequences]
        others, _ = score_whole(model, tokenizer, turned, convention, too_long=too_long,
                                batch_tokens=batch_tokens, precision=precision)
        scores = [
            one._replace(score=(one.score + other.score) / 2,
                         bits_per_letter=(one.bits_per_letter + other.bits_per_letter) / 2)
            for one, other in zip(scores, others, strict=True)
        ]
    return scores, n_windows


def add_up(scores: Sequence[SequenceScore], owner: np.ndarray, n_sequences: int) -> list[SequenceScore]:
    """Add up the scores of the windows of each sequence; bits per letter are those of all of its letters.

    Parameters
    ----------
    scores : sequence of SequenceScore
        One per window.
    owner : ndarray of int, shape (n_windows,)
        The sequence of each window.
    n_sequences : int
        How many there are.
    """
    totals = np.zeros((n_sequences, 4))
    bits = np.zeros(n_sequences)
    for one, of in zip(scores, owner, strict=True):
        totals[of] += (one.score, one.n_tokens, one.n_letters, one.n_unknown)
        bits[of] += one.bits_per_letter * one.n_letters if one.n_letters else 0.0
    letters = totals[:, 2]
    mean = np.divide(bits, letters, out=np.full(n_sequences, np.nan), where=letters > 0)
    return [
        SequenceScore(float(row[0]), float(per), int(row[1]), int(row[2]), int(row[3]))
        for row, per in zip(totals, mean, strict=True)
    ]


def table_rows(
    ids: Sequence[str], scores: Sequence[SequenceScore], n_windows: np.ndarray, convention: str, unit: str
) -> list[dict[str, Any]]:
    """Give the rows of the table of scores, one per sequence.

    Parameters
    ----------
    ids : sequence of str
        Names.
    scores : sequence of SequenceScore
        In the same order.
    n_windows : ndarray of int, shape (N,)
        Windows that each was read in.
    convention : str
        What a score is.
    unit : {"base", "residue"}
        What a letter is.
    """
    return [
        {"id": name, "convention": convention, "score": one.score, "n_tokens": one.n_tokens,
         f"n_{unit}s": one.n_letters, f"bits_per_{unit}": one.bits_per_letter, "n_windows": int(n),
         "n_unknown": one.n_unknown}
        for name, one, n in zip(ids, scores, n_windows, strict=True)
    ]
