"""Every letter at every place of a window: all substitutions at once, wherever the convention allows it.

Shapes: N windows, P places of one window, A letters of the alphabet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import track
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.models.devices import Precision
from lingome.models.heads.language_model import LanguageModel
from lingome.models.scoring.conventions import CONVENTIONS, has_one_letter_tokens
from lingome.models.scoring.questions import Questions, is_causal
from lingome.models.scoring.scores import ROWS, Allele, Strands, check_strands, score_alleles
from lingome.tokens.tokenizer import Tokenizer


def can_saturate(convention: str, tokenizer: Tokenizer) -> bool:
    """Say whether `saturate` gives this convention: one of sites, and tokens of one letter."""
    return CONVENTIONS[convention].sites and has_one_letter_tokens(tokenizer)


def score_changes(
    model: LanguageModel,
    tokenizer: Tokenizer,
    alleles: Sequence[Allele],
    convention: str,
    *,
    strands: Strands = "forward",
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> np.ndarray:
    """Give what `score_alleles` gives, by `saturate` where all changes are single substitutions of one-letter tokens.

    Parameters
    ----------
    model, tokenizer, alleles, convention, strands, batch_tokens, precision
        As in `score_alleles`.

    Returns
    -------
    ndarray of float64, shape (N,)
        alternative - reference, in nats, in the order of the alleles.

    Raises
    ------
    ConfigError, DataError
        As `score_alleles`.
    """
    if not alleles:
        return np.zeros(0)
    single = all(len(one.edits) == 1 and len(one.edits[0].ref) == len(one.edits[0].alt) == 1 for one in alleles)
    if not single or not can_saturate(convention, tokenizer):
        return score_alleles(model, tokenizer, alleles, convention, strands=strands, batch_tokens=batch_tokens,
                             precision=precision)
    column = {letter: index for index, letter in enumerate(tokenizer.alphabet.letters)}
    places: dict[str, dict[int, int]] = {}
    for one in alleles:
        edit = one.edits[0]
        if one.sequence[edit.start : edit.start + 1] != edit.ref or edit.start < 0:
            raise DataError("the change does not fit its window", where=one.where or None,
                            got=f"{edit.ref}>{edit.alt} at {edit.start} (0-based)")
        if edit.ref not in column or edit.alt not in column:
            raise DataError("the change is of a letter that the model does not know", where=one.where or None,
                            got=f"{edit.ref}>{edit.alt}", expected=" ".join(column))
        inside = places.setdefault(one.sequence, {})
        inside.setdefault(edit.start, len(inside))
    tables = saturate(model, tokenizer, list(places), [np.array(list(some)) for some in places.values()], convention,
                      strands=strands, batch_tokens=batch_tokens, precision=precision)
    number = {text: index for index, text in enumerate(places)}
    return np.array([
        tables[number[one.sequence]][places[one.sequence][one.edits[0].start], column[one.edits[0].alt]]
        for one in alleles
    ])


def saturate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    windows: Sequence[str],
    places: Sequence[np.ndarray],
    convention: str = "wt_marginal",
    *,
    strands: Strands = "forward",
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> list[np.ndarray]:
    """Score every substitution at some places of windows, in nats, letter - reference.

    ``wt_marginal`` reads each window once and gives all of its places from that. Every other convention of
    sites reads one row per place, in which it is masked: of single substitutions they are one number.

    Parameters
    ----------
    model : MaskedLM
        With tokens of one letter.
    tokenizer : Tokenizer
        The model's own.
    windows : sequence of str
        Reference letters.
    places : sequence of ndarray of int, shape (P,) each
        0-based places in each window.
    convention : str
        A convention of sites.
    strands : {"forward", "both"}
        ``both`` is the mean with the reverse complement.
    batch_tokens, precision
        As in `Questions.answer`.

    Returns
    -------
    list of ndarray of float64, shape (P, A)
        In the order of the alphabet's letters; 0 at the reference's own letter, nan at unknown letters.

    Raises
    ------
    ConfigError
        If the model, its tokens or the convention have no such scores.
    DataError
        If a window is longer than the context.
    """
    CONVENTIONS[convention].check(model, tokenizer)
    check_strands(strands, tokenizer)
    room = model.config.max_positions - 2
    if max(map(len, windows)) > room:
        raise DataError("the window is longer than the model can read", got=f"{max(map(len, windows))} tokens",
                        expected=f"at most {room}",
                        hint="a smaller window_bp; with mutations of a sequence, too_long=window")
    if not can_saturate(convention, tokenizer):
        raise ConfigError("all letters at once need tokens of one letter, and a convention of sites",
                          where="convention", got=f"{convention}, {tokenizer.kind}")
    forward = _letters(model, tokenizer, windows, places, convention, batch_tokens, precision)
    if strands == "forward":
        return forward
    others = [as_text(reverse_complement(as_bases(text))) for text in windows]
    turned = [len(text) - 1 - np.asarray(some) for text, some in zip(windows, places, strict=True)]
    backward = _letters(model, tokenizer, others, turned, convention, batch_tokens, precision)
    return [(one + other[:, ::-1]) / 2 for one, other in zip(forward, backward, strict=True)]  # ACGT turned is TGCA


def _letters(
    model: LanguageModel, tokenizer: Tokenizer, windows: Sequence[str], places: Sequence[np.ndarray], convention: str,
    batch_tokens: int | None, precision: Precision,
) -> list[np.ndarray]:
    letters = np.array([tokenizer.ids[letter] for letter in tokenizer.alphabet.letters])
    n_letters = len(letters)
    ends = np.cumsum([0, *(len(some) for some in places)])
    values = np.zeros(int(ends[-1]) * n_letters)
    limit = model.config.max_positions
    asked = Questions(tokenizer, is_causal(model), limit)
    encoded = tokenizer.encode_batch(list(windows))
    with track("scoring", total=int(ends[-1]), unit="places") as task:
        for index, some in enumerate(places):
            ids = encoded[index].input_ids
            first = int(ends[index])
            some = np.asarray(some, dtype=np.int64)
            if convention == "wt_marginal":
                items = np.arange(first * n_letters, (first + len(some)) * n_letters)
                asked.ask(items, ids, np.repeat(some, n_letters), np.tile(letters, len(some)))
            else:
                for number, place in enumerate(some.tolist(), start=first):
                    items = np.arange(number * n_letters, (number + 1) * n_letters)
                    asked.ask(items, ids, np.repeat(place, n_letters), letters, hidden=[place])
            if asked.n_rows >= ROWS or index == len(places) - 1:
                values += asked.answer(model, len(values), batch_tokens=batch_tokens, precision=precision)
                asked = Questions(tokenizer, asked.causal, limit)
            task.advance(len(some))
    table = values.reshape(-1, n_letters)
    reference = np.concatenate([encoded[i].input_ids[some] for i, some in enumerate(places)])
    own = np.argmax(reference[:, None] == letters, axis=1)
    table = table - table[np.arange(len(table)), own][:, None]
    table[~np.isin(reference, letters)] = np.nan
    return np.split(table, ends[1:-1])
