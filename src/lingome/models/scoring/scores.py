"""Score sequences and changes of them by the conventions of `lingome.models.scoring.conventions`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import track
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.data.variants import Edit
from lingome.models.devices import Precision
from lingome.models.heads.language_model import LanguageModel
from lingome.models.scoring.conventions import Change, Convention, ask_in_turn, find_convention
from lingome.models.scoring.questions import Questions, is_causal
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Encoding, Tokenizer

Strands = Literal["forward", "both"]
ROWS = 1 << 14
"""Rows gathered before the model is run."""


class SequenceScore(NamedTuple):
    """What a model says of one sequence.

    Parameters
    ----------
    score : float
        Sum of log-probabilities, in nats; at most 0.
    bits_per_letter : float
        ``-score / ln 2`` over the letters of its known tokens; nan where there are none.
    n_tokens, n_letters : int
        Tokens that were guessed, the end among them if asked for, and the letters they cover.
    n_unknown : int
        Tokens that are not guessed but are seen as context: letters outside the alphabet, or words that hold one.
    """

    score: float
    bits_per_letter: float
    n_tokens: int
    n_letters: int
    n_unknown: int


class Allele(NamedTuple):
    """A window of reference letters, and what is changed in it, by position; `where` is for messages."""

    sequence: str
    edits: tuple[Edit, ...]
    where: str = ""


def score_tokens(
    model: LanguageModel,
    tokenizer: Tokenizer,
    rows: Sequence[np.ndarray],
    convention: str,
    *,
    ends: bool = False,
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> list[SequenceScore]:
    """Score sequences of tokens as wholes; the result of each does not depend on the others.

    Parameters
    ----------
    model : LanguageModel
        A masked or causal language model, on any device.
    tokenizer : Tokenizer
        The model's own.
    rows : sequence of ndarray of int, shape (n,) each
        Tokens without special ones, each row within the model's context.
    convention : {"log_likelihood", "pll"}
        See `lingome.models.scoring.conventions`.
    ends : bool
        Of ``log_likelihood``: whether ``[SEP]`` after the last token is guessed too. With it, the probabilities
        of all sequences sum to one; without it, those of all continuations do.
    batch_tokens, precision
        As in `Questions.answer`.

    Returns
    -------
    list of SequenceScore
        In the order of the rows.

    Raises
    ------
    DataError
        If there are no rows, or one is longer than the model's context.
    """
    if not len(rows):
        raise DataError("there are no sequences to score")
    limit = model.config.max_positions
    totals = np.zeros(len(rows))
    n_tokens = []
    asked = Questions(tokenizer, is_causal(model), limit)
    with track("scoring", total=len(rows), unit="sequences") as task:
        for index, ids in enumerate(rows):
            try:
                n_tokens.append(_ask_whole(asked, index, ids, convention, ends=ends))
            except DataError as error:
                raise DataError(error.what, where=f"sequence {index + 1} of {len(rows)}", got=error.got,
                                expected=error.expected, hint=error.hint) from None
            if asked.n_rows >= ROWS or index == len(rows) - 1:
                totals += asked.answer(model, len(rows), batch_tokens=batch_tokens, precision=precision)
                asked = Questions(tokenizer, asked.causal, limit)
            task.advance(1)
    return [
        _summed(tokenizer, ids, float(total), n) for ids, total, n in zip(rows, totals, n_tokens, strict=True)
    ]


def _ask_whole(asked: Questions, index: int, ids: np.ndarray, convention: str, *, ends: bool) -> int:
    """Ask for every known token of a sequence, and its end; give the number of questions."""
    places = np.flatnonzero(ids != asked.tokenizer.unk_id)
    if convention == "pll":
        ask_in_turn(asked, index, ids, places, 1.0)
        return len(places)
    targets = ids[places]
    if ends:
        places = np.append(places, len(ids))
        targets = np.append(targets, asked.tokenizer.sep_id)
    asked.ask(index, ids, places, targets)
    return len(places)


def _summed(tokenizer: Tokenizer, ids: np.ndarray, score: float, n_tokens: int) -> SequenceScore:
    known = ids != tokenizer.unk_id
    stretches = int(np.count_nonzero(np.diff(known.astype(np.int8), prepend=0) == 1))
    letters = tokenizer.covered_bp(ids[known], stretches)
    bits = -score / math.log(2) / letters if letters else math.nan
    return SequenceScore(score, bits, n_tokens, letters, int((~known).sum()))


def score_sequences(
    model: LanguageModel, tokenizer: Tokenizer, sequences: Sequence[str], convention: str | None = None, **options: Any
) -> list[SequenceScore]:
    """Cut sequences into tokens and score them; see `score_tokens` for the options.

    Parameters
    ----------
    model, tokenizer
        As in `score_tokens`.
    sequences : sequence of str
        Letters of the model's alphabet; others are read as unknown tokens.
    convention : str, optional
        ``log_likelihood`` or ``pll``; None for the one that fits the model.
    **options
        `ends`, `batch_tokens` and `precision` of `score_tokens`.

    Raises
    ------
    ConfigError
        If the convention does not fit the model.
    DataError
        As `score_tokens`.
    """
    found = find_convention(convention, model, tokenizer, changes=False)
    rows = [encoding.input_ids for encoding in tokenizer.encode_batch(list(sequences))]
    return score_tokens(model, tokenizer, rows, found.name, **options)


def score_alleles(
    model: LanguageModel,
    tokenizer: Tokenizer,
    alleles: Sequence[Allele],
    convention: str | None = None,
    *,
    strands: Strands = "forward",
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> np.ndarray:
    """Score changes, alternative - reference, in nats: float64, shape (N,), in the order given.

    Parameters
    ----------
    model, tokenizer
        As in `score_tokens`.
    alleles : sequence of Allele
        Equal reference windows are read once where they come near each other in this order.
    convention : str, optional
        A name in `CONVENTIONS`.
    strands : {"forward", "both"}
        ``both`` is the mean with the same change on the reverse complement.
    batch_tokens, precision
        As in `Questions.answer`.

    Raises
    ------
    ConfigError
        If the convention has no meaning for the model or vocabulary, or a protein has no other strand.
    DataError
        If a window is longer than the context, a change is outside it or not of its letters, or alleles differ
        in length under a convention of sites.
    """
    found = find_convention(convention, model, tokenizer, changes=True)
    check_strands(strands, tokenizer)
    limit = model.config.max_positions
    totals = np.zeros(len(alleles))
    weight = 1.0 if strands == "forward" else 0.5
    asked = Questions(tokenizer, is_causal(model), limit)
    with track("scoring", total=len(alleles), unit="variants") as task:
        for first in range(0, len(alleles), 256):
            part = alleles[first : first + 256]
            turns = [part] if strands == "forward" else [part, [on_other_strand(one) for one in part]]
            for some in turns:
                for index, change in enumerate(_changes(tokenizer, some, found, asked.room)):
                    found.ask(asked, first + index, change, weight)
                    if asked.n_rows >= ROWS:
                        totals += asked.answer(model, len(alleles), batch_tokens=batch_tokens, precision=precision)
                        asked = Questions(tokenizer, asked.causal, limit)
            task.advance(len(part))
        totals += asked.answer(model, len(alleles), batch_tokens=batch_tokens, precision=precision)
    return totals


def check_strands(strands: Strands, tokenizer: Tokenizer) -> None:
    """Refuse both strands of what has one.

    Raises
    ------
    ConfigError
        If the model does not read DNA.
    """
    if strands == "both" and tokenizer.alphabet is not DNA:
        raise ConfigError("only DNA has two strands", where="strands", got=f"both, and {tokenizer.alphabet.name}")


def _changes(tokenizer: Tokenizer, alleles: Sequence[Allele], convention: Convention, room: int) -> list[Change]:
    texts = {one.sequence for one in alleles}
    changed = [apply_edits(one) for one in alleles]
    ordered = sorted(texts.union(changed))
    cut = dict(zip(ordered, tokenizer.encode_batch(ordered), strict=True))
    found = []
    for allele, alt in zip(alleles, changed, strict=True):
        longest = max(len(cut[allele.sequence].input_ids), len(cut[alt].input_ids))
        if longest > room:
            raise DataError("the window is longer than the model can read", where=allele.where or None,
                            got=f"{longest} tokens", expected=f"at most {room}",
                            hint="a smaller window_bp; with mutations of a sequence, too_long=window")
        found.append(_change(tokenizer, allele, cut[allele.sequence], cut[alt], convention))
    return found


def _change(
    tokenizer: Tokenizer, allele: Allele, ref: Encoding, alt: Encoding, convention: Convention
) -> Change:
    sites = np.empty(0, dtype=np.int64)
    change = Change(ref.input_ids, alt.input_ids, sites, sites)
    if any(not tokenizer.alphabet.has(edit.ref + edit.alt) for edit in allele.edits):
        raise _unknown_letter(tokenizer, allele)  # it would cost nothing to guess, and so seem likely
    if not convention.sites:
        return change
    if any(len(edit.ref) != len(edit.alt) for edit in allele.edits):
        edit = next(edit for edit in allele.edits if len(edit.ref) != len(edit.alt))
        raise DataError(
            f"{convention.name} compares letters at the same places, and here letters come or go",
            where=allele.where or None, got=f"{edit.ref or '-'}>{edit.alt or '-'}", expected="substitutions",
            hint="convention=pll (masked) or log_likelihood (causal), or indels=leave_out",
        )
    if len(ref.input_ids) == len(alt.input_ids) == len(allele.sequence):
        ref_sites = alt_sites = np.flatnonzero(ref.input_ids != alt.input_ids)
    else:
        size = tokenizer.vocab_size
        ref_keys, alt_keys = (one.offsets[:-1] * size + one.input_ids for one in (ref, alt))
        ref_sites = np.flatnonzero(~np.isin(ref_keys, alt_keys))
        alt_sites = np.flatnonzero(~np.isin(alt_keys, ref_keys))
    known_ref = ref_sites[ref.input_ids[ref_sites] != tokenizer.unk_id]
    known_alt = alt_sites[alt.input_ids[alt_sites] != tokenizer.unk_id]
    if allele.edits and (not len(known_ref) or not len(known_alt)):
        raise _unknown_letter(tokenizer, allele)
    return change._replace(ref_sites=known_ref, alt_sites=known_alt)


def _unknown_letter(tokenizer: Tokenizer, allele: Allele) -> DataError:
    return DataError("the change is of a letter that the model does not know", where=allele.where or None,
                     got=", ".join(f"{edit.ref}>{edit.alt}" for edit in allele.edits)[:80],
                     expected=" ".join(tokenizer.alphabet.letters))


def apply_edits(allele: Allele) -> str:
    """Give the alternative letters of a window.

    Raises
    ------
    DataError
        If an edit leaves the window, two overlap, or the window has other letters than its reference.

    >>> apply_edits(Allele("ACGT", (Edit(1, "C", "T"), Edit(3, "T", ""))))
    'ATG'
    """
    text = allele.sequence
    end = len(allele.sequence)
    for edit in reversed(allele.edits):
        there = allele.sequence[edit.start : edit.start + len(edit.ref)] if edit.start >= 0 else ""
        if there != edit.ref or edit.start + len(edit.ref) > end:
            raise DataError("the change does not fit its window", where=allele.where or None,
                            got=f"{edit.ref or '-'}>{edit.alt or '-'} at {edit.start} (0-based)",
                            expected=f"the window has {there or 'nothing'} there", hint="edits are sorted by position")
        text = text[: edit.start] + edit.alt + text[edit.start + len(edit.ref) :]
        end = edit.start
    return text


def on_other_strand(allele: Allele) -> Allele:
    """Give the same change on the reverse complement.

    >>> on_other_strand(Allele("AACG", (Edit(1, "A", "G"),)))
    Allele(sequence='CGTT', edits=(Edit(start=2, ref='T', alt='C'),), where='')
    """
    def turned(text: str) -> str:
        return as_text(reverse_complement(as_bases(text)))

    n = len(allele.sequence)
    edits = [Edit(n - one.start - len(one.ref), turned(one.ref), turned(one.alt)) for one in reversed(allele.edits)]
    return Allele(turned(allele.sequence), tuple(edits), allele.where)
