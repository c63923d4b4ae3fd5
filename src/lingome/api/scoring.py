"""Likelihoods of sequences and of changes, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lingome.api.scores import Scores
from lingome.api.sequences import is_table, table_rows
from lingome.config.embed import LongPolicy
from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.readers.variants import parse_variant, read_variants, variants_from_rows
from lingome.data.variants import Mutant, Variant, check_reference
from lingome.evaluate.language.whole_sequences import score_whole
from lingome.evaluate.language.whole_sequences import table_rows as score_rows
from lingome.evaluate.leaks.seen import pretraining_overlap
from lingome.genome.variants import cut_windows
from lingome.models.devices import Precision
from lingome.models.heads.language_model import LanguageModel
from lingome.models.scoring.conventions import Convention, find_convention
from lingome.models.scoring.saturation import score_changes
from lingome.models.scoring.scores import Allele, SequenceScore, Strands, check_strands
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Tokenizer


class Asked(NamedTuple):
    """A language model, and how it is asked.

    Parameters
    ----------
    model : LanguageModel
        On its device.
    tokenizer : Tokenizer
        The model's.
    convention : Convention
        What a score is.
    strands : {"forward", "both"}
        ``both`` is the mean with the reverse complement.
    precision : {"fp32", "bf16", "auto"}
        Of matrix products.
    batch_tokens : int, optional
        Tokens of a batch; by default what suits the device.
    """

    model: LanguageModel
    tokenizer: Tokenizer
    convention: Convention
    strands: Strands
    precision: Precision
    batch_tokens: int | None = None


class Changes(NamedTuple):
    """Changes to score: what they are, as alleles in windows, and what to warn of."""

    changes: Sequence[Variant | Mutant]
    alleles: list[Allele]
    warnings: list[str]


def ask(
    model: LanguageModel, tokenizer: Tokenizer, convention: str | None, *, changes: bool, strands: Strands,
    precision: Precision = "fp32", batch_tokens: int | None = None,
) -> Asked:
    """Choose how a model is asked.

    Parameters
    ----------
    model : LanguageModel
        On its device.
    tokenizer : Tokenizer
        The model's.
    convention : str, optional
        A name of `lingome.models.scoring.conventions`; by default ``log_likelihood`` of a causal model, and of a
        masked one ``mask_fill`` of changes and ``pll`` of sequences.
    changes : bool
        Whether changes are scored, not whole sequences.
    strands, precision, batch_tokens
        See `Asked`.

    Raises
    ------
    ConfigError
        If there is no such convention, it has no meaning for this model, or a protein has no other strand.
    """
    found = find_convention(convention, model, tokenizer, changes=changes)
    check_strands(strands, tokenizer)
    return Asked(model, tokenizer, found, strands, precision, batch_tokens)


def score_texts(asked: Asked, ids: Sequence[str], sequences: Sequence[str], too_long: LongPolicy) -> Scores:
    """Score whole sequences.

    Parameters
    ----------
    asked : Asked
        Model and convention.
    ids, sequences : sequence of str
        Names and letters of N sequences.
    too_long : {"error", "truncate", "window"}
        Beyond the context: refuse; score the beginning; or add up the scores of windows.

    Raises
    ------
    ConfigError, DataError
        As `lingome.evaluate.language.whole_sequences.score_whole`.
    """
    found, n_windows = score_whole(
        asked.model, asked.tokenizer, sequences, asked.convention.name, too_long=too_long, strands=asked.strands,
        batch_tokens=asked.batch_tokens, precision=asked.precision,
    )
    unit = "base" if asked.tokenizer.alphabet is DNA else "residue"
    name = asked.convention.name
    return Scores(
        score_rows(ids, found, n_windows, name, unit), name, asked.convention.says(changes=False),
        _what_was_cut(sequences, found, n_windows),
    )


def _what_was_cut(sequences: Sequence[str], found: Sequence[SequenceScore], n_windows: np.ndarray) -> list[str]:
    cut = [one.n_letters + one.n_unknown < len(text) for one, text in zip(found, sequences, strict=True)]
    counts = (
        (int((n_windows > 1).sum()), "sequences are longer than the context: each is the sum over its windows"),
        (sum(cut), "sequences are longer than the context and were cut at its end"),
        (sum(one.n_unknown > 0 for one in found), "sequences have letters outside the vocabulary: read, not scored"),
    )
    return [f"{n:,} of {len(sequences):,} {what}" for n, what in counts if n]


def score_changed(asked: Asked, some: Changes) -> Scores:
    """Score changes, alternative - reference.

    Raises
    ------
    ConfigError, DataError
        As `lingome.models.scoring.saturation.score_changes`.
    """
    found = score_alleles(asked, some.alleles)
    name = asked.convention.name
    return Scores(change_rows(some.changes, found, name), name, asked.convention.says(changes=True), some.warnings)


def score_alleles(asked: Asked, alleles: Sequence[Allele]) -> np.ndarray:
    """Score changes of N windows, alternative - reference, in nats: float64, shape (N,).

    Raises
    ------
    ConfigError, DataError
        As `lingome.models.scoring.saturation.score_changes`.
    """
    return score_changes(
        asked.model, asked.tokenizer, alleles, asked.convention.name, strands=asked.strands,
        batch_tokens=asked.batch_tokens, precision=asked.precision,
    )


def change_rows(
    changes: Sequence[Variant | Mutant], scores: np.ndarray, convention: str
) -> list[dict[str, Any]]:
    """Give the table of scores of N changes; `scores` has shape (N,)."""
    return [{**one.cells(), "convention": convention, "score": float(score)}
            for one, score in zip(changes, scores, strict=True)]


def read_any_variants(source: Any, genome: Genome) -> list[Variant]:
    """Read variants from a VCF or table, a DataFrame, or a list of ``chrom:pos:ref>alt`` (1-based) or `Variant`.

    Raises
    ------
    DataError
        If one cannot be read, or its reference is not what the genome has.
    """
    if isinstance(source, str) and ">" in source:
        source = [source]
    if isinstance(source, str | Path):
        return read_variants(Path(source).expanduser(), genome)
    if is_table(source):
        return variants_from_rows(table_rows(source), "table", genome)
    if isinstance(source, Variant):
        source = [source]
    found = [one if isinstance(one, Variant) else parse_variant(one, f"variant {number}")
             for number, one in enumerate(source, start=1)]
    if not found:
        raise DataError("there are no variants", got=repr(source)[:60])
    check_reference(found, genome)
    return found


def cut_variants(
    genome: Genome, variants: Sequence[Variant], *, window_bp: int, step_bp: int, keep_indels: bool,
    data_seen: Sequence[dict[str, Any]], where: object = None,
) -> Changes:
    """Cut the windows of variants of a genome.

    Parameters
    ----------
    genome : Genome
        What they lie on.
    variants : sequence of Variant
        At least one.
    window_bp, step_bp : int
        Bases of a window; places of one step share a window.
    keep_indels : bool
        False leaves insertions and deletions out, which only ``log_likelihood`` and ``pll`` can score.
    data_seen : sequence of dict
        What the model has learnt from, as its lineage says.
    where : object, optional
        What the variants came from, for messages.

    Raises
    ------
    DataError
        If no variant is left, or one does not fit into its window.
    """
    kept = list(variants) if keep_indels else [one for one in variants if len(one.ref) == len(one.alt)]
    if not kept:
        raise DataError("all variants are insertions or deletions", where=where, hint="indels=score")
    warnings = []
    if len(kept) < len(variants):
        left_out = len(variants) - len(kept)
        warnings.append(f"left out {left_out:,} of {len(variants):,} variants: insertions and deletions")
    cut = cut_windows(genome, kept, window_bp, step_bp)
    overlap = pretraining_overlap(data_seen, cut.places, genome.digest if data_seen else None)
    warnings += [one.text for one in overlap]
    if cut.n_moved:
        warnings.append(f"{cut.n_moved:,} of {len(kept):,} windows were moved inside their chromosome")
    return Changes(kept, cut.alleles, warnings)
