"""Say how likely a language model finds sequences and changes of them, beside models that know letters alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lingome.config.score import ScoreSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_file, check_new_file, write_text
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.tables import format_cell
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.proteins import read_proteins
from lingome.data.tables import read_sequences
from lingome.data.variants import Mutant, Variant, holds_places, read_mutants, read_variants
from lingome.evaluate.baselines.letters import delta_log_likelihoods, fit_letters, held_out_scores
from lingome.evaluate.baselines.scores import (
    Contender,
    change_rows,
    measured_column,
    sequence_rows,
    spread,
    with_random_weights,
)
from lingome.evaluate.language.whole_sequences import score_whole, table_rows
from lingome.evaluate.leaks.seen import pretraining_overlap
from lingome.genome.variants import all_substitutions, cut_mutants, cut_windows
from lingome.models.devices import pick_device
from lingome.models.heads.language_model import LanguageModel
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.models.reading.cost import ReadingCost, estimate_reading
from lingome.models.scoring.conventions import Convention, find_convention
from lingome.models.scoring.cost import count_asked, read_rows
from lingome.models.scoring.saturation import score_changes
from lingome.models.scoring.scores import Allele, SequenceScore, check_strands
from lingome.tokens.alphabet import DNA, doubt_letters

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Scoring:
    """The model, how it is asked, and what is scored: sequences, or changes as alleles in windows."""

    start: Opened[LanguageModel]
    convention: Convention
    ids: list[str]
    sequences: list[str]
    changes: Sequence[Variant | Mutant]
    alleles: list[Allele]
    counted: Sequence[str | np.ndarray]
    warnings: list[str]


def plan(settings: ScoreSettings) -> Plan:
    """Load the model, read the inputs, and say what would be scored."""
    opened = _open(settings)
    n_parameters = count_parameters(opened.start.model)
    texts = [one.sequence for one in opened.alleles] or opened.sequences
    read = set(texts)
    return Plan("score", [
        ("model", f"{settings.model}: {n_parameters:,} parameters, {opened.start.tokenizer.kind}"),
        ("convention", f"{opened.convention.name}: {opened.convention.says(changes=bool(opened.changes))}"),
        (settings.task, f"{len(texts):,}, in {len(read):,} different texts of {sum(map(len, read)):,} letters"),
        *_estimate(settings, opened).rows(),
        ("output", f"{settings.out}, {_json_path(settings.out)}"),
    ])


def _estimate(settings: ScoreSettings, opened: Scoring) -> ReadingCost:
    """Count what some of the items ask the model to read, and time one batch of it."""
    model = opened.start.model
    tokenizer = opened.start.tokenizer
    n_items = len(opened.alleles or opened.sequences)
    if opened.alleles:
        n_sample = min(n_items, 256)  # side by side: neighbours share their windows
        asked = count_asked(lambda some: _score_alleles(settings, opened, some, opened.alleles[:n_sample]), model)
    else:
        picked = spread(n_items, 64)
        n_sample = len(picked)
        texts = [opened.sequences[index] for index in picked]
        asked = count_asked(lambda some: _score_texts(settings, opened, some, texts), model)
    n_scored = n_items + min(n_items, settings.baseline_items)  # the model with random weights scores some too
    device = pick_device(settings.device)
    model.to(device)
    return estimate_reading(
        lambda rows: read_rows(model, tokenizer, list(rows), batch_tokens=settings.batch_tokens,
                               precision=settings.precision),
        model, tokenizer, asked.n_tokens * n_scored / n_sample, asked.n_tokens / max(1, asked.n_rows), device=device,
        batch_tokens=settings.batch_tokens, copies=2,
    )


def _score_texts(
    settings: ScoreSettings, opened: Scoring, model: LanguageModel, texts: Sequence[str]
) -> tuple[list[SequenceScore], np.ndarray]:
    """Score whole sequences as the settings ask for; also give the windows of each."""
    return score_whole(
        model, opened.start.tokenizer, texts, opened.convention.name, too_long=settings.too_long,
        strands=settings.strands, batch_tokens=settings.batch_tokens, precision=settings.precision,
    )


def _score_alleles(
    settings: ScoreSettings, opened: Scoring, model: LanguageModel, alleles: Sequence[Allele]
) -> np.ndarray:
    """Score changes as the settings ask for: float64, shape (N,)."""
    return score_changes(
        model, opened.start.tokenizer, alleles, opened.convention.name, strands=settings.strands,
        batch_tokens=settings.batch_tokens, precision=settings.precision,
    )


def run(settings: ScoreSettings) -> Outcome:
    """Score everything and what it stands beside; write the table, and how it was made."""
    lineage = Lineage("score", settings.seed)
    opened = _open(settings)
    model = opened.start.model
    model.to(pick_device(settings.device))
    rows, summary, warnings = (_changes if opened.changes else _sequences)(settings, opened)
    for warning in warnings:
        say(f"warning: {warning}")
    for name in ("sequences", "genome", "variants"):
        if getattr(settings, name) is not None:
            lineage.add_input(name, getattr(settings, name))
    if opened.start.folder is not None:
        lineage.add_parent(opened.start.lineage)
    with atomic_file(settings.out, force=settings.force) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write("\t".join(rows[0]) + "\n")
        handle.writelines("\t".join(str(format_cell(cell, ".6f")) for cell in row.values()) + "\n" for row in rows)
    write_text(_json_path(settings.out), json.dumps(lineage.as_dict(
        settings=settings.as_dict(), convention=opened.convention.name, warnings=warnings, summary=summary,
        formula=opened.convention.says(changes=bool(opened.changes)), tokenizer_sha256=opened.start.tokenizer.digest,
        model_sha256=opened.start.digest,
    ), indent=2) + "\n")
    title = f"{opened.convention.name}, in nats" + (", alternative - reference" if opened.changes else "")
    return Outcome(f"{len(rows):,} scores: {settings.out}", path=settings.out,
                   tables=[Table(title, list(summary[0]), [list(row.values()) for row in summary])])


def _sequences(settings: ScoreSettings, opened: Scoring) -> tuple[Rows, Rows, list[str]]:
    tokenizer = opened.start.tokenizer
    texts = opened.sequences
    scores, n_windows = _score_texts(settings, opened, opened.start.model, texts)
    picked = spread(len(texts), settings.baseline_items)
    everything = np.arange(len(texts))
    random = with_random_weights(opened.start.model, settings.seed + 1)
    blank, _ = _score_texts(settings, opened, random, [texts[index] for index in picked])
    read = [text[: one.n_letters + one.n_unknown] for text, one in zip(texts, scores, strict=True)]
    name, counted = held_out_scores(read, tokenizer.alphabet)
    unit = "base" if tokenizer.alphabet is DNA else "residue"
    summary = sequence_rows([
        Contender("model", "model", everything, np.array([one.score for one in scores])),
        Contender("the same model, random weights", "baseline", picked, np.array([one.score for one in blank])),
        Contender(name, "baseline", everything, counted),
    ], np.array([one.n_letters for one in scores]), unit)
    rows = table_rows(opened.ids, scores, n_windows, opened.convention.name, unit)
    counts = (
        (int((n_windows > 1).sum()), "sequences are longer than the context: each is the sum over its windows"),
        (sum(len(one) < len(text) for one, text in zip(read, texts, strict=True)),
         "sequences are longer than the context and were cut at its end"),
        (sum(one.n_unknown > 0 for one in scores), "sequences have letters outside the vocabulary: read, not scored"),
    )
    return rows, summary, opened.warnings + [f"{n:,} of {len(texts):,} {what}" for n, what in counts if n]


def _changes(settings: ScoreSettings, opened: Scoring) -> tuple[Rows, Rows, list[str]]:
    tokenizer = opened.start.tokenizer
    alleles = opened.alleles
    measured = measured_column(opened.changes, settings.measured)
    scores = _score_alleles(settings, opened, opened.start.model, alleles)
    picked = spread(len(alleles), settings.baseline_items)
    everything = np.arange(len(alleles))
    random = with_random_weights(opened.start.model, settings.seed + 1)
    blank = _score_alleles(settings, opened, random, [alleles[index] for index in picked])
    letters = fit_letters(opened.counted, tokenizer.alphabet)
    summary = change_rows([
        Contender("model", "model", everything, scores),
        Contender("the same model, random weights", "baseline", picked, blank),
        Contender(letters.name, "baseline", everything, delta_log_likelihoods(letters, alleles)),
    ], measured, [one.place for one in opened.changes], settings.seed)
    rows = [{**one.cells(), "convention": opened.convention.name, "score": float(score)}
            for one, score in zip(opened.changes, scores, strict=True)]
    return rows, summary, opened.warnings


def _open(settings: ScoreSettings) -> Scoring:
    for file in (settings.out, _json_path(settings.out)):
        check_new_file(file, settings.force)
    pick_device(settings.device)
    start = load_model(settings.model, "language_model", seed=settings.seed)
    dna = start.tokenizer.alphabet is DNA
    convention = find_convention(settings.convention, start.model, start.tokenizer,
                                 changes=settings.task != "sequences")
    check_strands(settings.strands, start.tokenizer)
    if settings.sequences is not None:
        ids, sequences = (read_sequences if dna else read_proteins)(settings.sequences, settings.sequence_column)
        doubts = doubt_letters(start.tokenizer.alphabet, sequences)
        if settings.variants is None:
            return Scoring(start, convention, ids, sequences, [], [], sequences, doubts)
        if holds_places(settings.variants):
            raise ConfigError("variants with chrom and pos lie on a genome", where="variants", got=settings.variants,
                              hint="genome=FASTA instead of sequences")
        named = dict(zip(ids, sequences, strict=True))
        mutants = read_mutants(settings.variants, named, settings.first_position)
        alleles = cut_mutants(named, mutants, settings.window_bp if settings.too_long == "window" else None)
        return Scoring(start, convention, [], [], mutants, alleles, sequences, doubts)
    assert settings.genome is not None
    if not dna:
        raise ConfigError("this model does not read DNA", where="model", got=start.tokenizer.alphabet.name)
    genome = Genome.open(settings.genome)
    if settings.region is not None:
        variants = all_substitutions(genome, Interval.parse(settings.region, genome.lengths))
    else:
        assert settings.variants is not None
        variants = read_variants(settings.variants, genome)
    kept = variants if settings.indels == "score" else [one for one in variants if len(one.ref) == len(one.alt)]
    warnings = []
    if len(kept) < len(variants):
        n_left_out = len(variants) - len(kept)
        warnings.append(f"left out {n_left_out:,} of {len(variants):,} variants: insertions and deletions")
    if not kept:
        raise DataError("all variants are insertions or deletions", where=settings.variants, hint="indels=score")
    cut = cut_windows(genome, kept, settings.window_bp, settings.step_bp)
    seen = start.lineage.get("data_seen", [])
    warnings += [one.text for one in pretraining_overlap(seen, cut.places, genome.digest if seen else None)]
    moved = [f"{cut.n_moved:,} of {len(kept):,} windows were moved inside their chromosome"] if cut.n_moved else []
    counted = [genome.sequence(chrom) for chrom in genome.lengths]
    return Scoring(start, convention, [], [], kept, cut.alleles, counted, warnings + moved)


def _json_path(out: Path) -> Path:
    return out.with_name(out.name + ".json")
