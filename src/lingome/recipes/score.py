"""Say how likely a language model finds sequences and changes of them, beside models that know letters alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lingome.api.model import require_dna
from lingome.api.scoring import Asked, Changes, ask, cut_variants, score_alleles, score_changed, score_texts
from lingome.config.score import ScoreSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_file, check_new_file, write_text
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.tables import format_cell
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.readers.proteins import read_proteins
from lingome.data.readers.tables import read_sequences
from lingome.data.readers.variants import holds_places, read_mutants, read_variants
from lingome.evaluate.baselines.letters import delta_log_likelihoods, fit_letters, held_out_scores
from lingome.evaluate.baselines.scores import (
    Contender,
    change_rows,
    measured_column,
    sequence_rows,
    spread,
    with_random_weights,
)
from lingome.genome.variants import all_substitutions, cut_mutants
from lingome.models.devices import pick_device
from lingome.models.heads.language_model import LanguageModel
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.models.reading.cost import ReadingCost, estimate_reading
from lingome.models.scoring.cost import count_asked, read_rows
from lingome.tokens.alphabet import DNA, doubt_letters

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Scoring:
    """The model, how it is asked, and what is scored: sequences, or changes as alleles in windows."""

    start: Opened[LanguageModel]
    asked: Asked
    ids: list[str]
    sequences: list[str]
    changed: Changes
    counted: Sequence[str | np.ndarray]
    warnings: list[str]

    @property
    def formula(self) -> str:
        """What a score computes, in symbols."""
        return self.asked.convention.says(changes=bool(self.changed.changes))


def plan(settings: ScoreSettings) -> Plan:
    """Load the model, read the inputs, and say what would be scored."""
    opened = _open(settings)
    n_parameters = count_parameters(opened.start.model)
    texts = [one.sequence for one in opened.changed.alleles] or opened.sequences
    read = set(texts)
    return Plan("score", [
        ("model", f"{settings.model}: {n_parameters:,} parameters, {opened.start.tokenizer.kind}"),
        ("convention", f"{opened.asked.convention.name}: {opened.formula}"),
        (settings.task, f"{len(texts):,}, in {len(read):,} different texts of {sum(map(len, read)):,} letters"),
        *_estimate(settings, opened).rows(),
        ("output", f"{settings.out}, {_json_path(settings.out)}"),
    ])


def _estimate(settings: ScoreSettings, opened: Scoring) -> ReadingCost:
    """Count what some of the items ask the model to read, and time one batch of it."""
    model = opened.start.model
    tokenizer = opened.start.tokenizer
    n_items = len(opened.changed.alleles or opened.sequences)
    if opened.changed.alleles:
        n_sample = min(n_items, 256)  # side by side: neighbours share their windows
        alleles = opened.changed.alleles[:n_sample]
        asked = count_asked(lambda some: score_alleles(opened.asked._replace(model=some), alleles), model)
    else:
        picked = spread(n_items, 64)
        n_sample = len(picked)
        texts = [opened.sequences[index] for index in picked]
        asked = count_asked(
            lambda some: score_texts(opened.asked._replace(model=some), texts, texts, settings.too_long), model
        )
    n_scored = n_items + min(n_items, settings.baseline_items)  # the model with random weights scores some too
    device = pick_device(settings.device)
    model.to(device)
    return estimate_reading(
        lambda rows: read_rows(model, tokenizer, list(rows), batch_tokens=settings.batch_tokens,
                               precision=settings.precision),
        model, tokenizer, asked.n_tokens * n_scored / n_sample, asked.n_tokens / max(1, asked.n_rows), device=device,
        batch_tokens=settings.batch_tokens, copies=2,
    )


def run(settings: ScoreSettings) -> Outcome:
    """Score everything and what it stands beside; write the table, and how it was made."""
    lineage = Lineage("score", settings.seed)
    opened = _open(settings)
    model = opened.start.model
    model.to(pick_device(settings.device))
    rows, summary, warnings = (_changes if opened.changed.changes else _sequences)(settings, opened)
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
        settings=settings.as_dict(), convention=opened.asked.convention.name, warnings=warnings, summary=summary,
        formula=opened.formula, tokenizer_sha256=opened.start.tokenizer.digest,
        model_sha256=opened.start.digest,
    ), indent=2) + "\n")
    title = f"{opened.asked.convention.name}, in nats" + (", alternative - reference" if opened.changed.changes else "")
    return Outcome(f"{len(rows):,} scores: {settings.out}", path=settings.out,
                   tables=[Table(title, list(summary[0]), [list(row.values()) for row in summary])])


def _sequences(settings: ScoreSettings, opened: Scoring) -> tuple[Rows, Rows, list[str]]:
    alphabet = opened.start.tokenizer.alphabet
    texts = opened.sequences
    scores = score_texts(opened.asked, opened.ids, texts, settings.too_long)
    picked = spread(len(texts), settings.baseline_items)
    everything = np.arange(len(texts))
    random = opened.asked._replace(model=with_random_weights(opened.asked.model, settings.seed + 1))
    some = [texts[index] for index in picked]
    blank = score_texts(random, some, some, settings.too_long)
    unit = "base" if alphabet is DNA else "residue"
    n_letters = np.asarray(scores[f"n_{unit}s"])
    lengths = n_letters + np.asarray(scores["n_unknown"])
    name, counted = held_out_scores([text[:length] for text, length in zip(texts, lengths, strict=True)], alphabet)
    summary = sequence_rows([
        Contender("model", "model", everything, scores.scores),
        Contender("the same model, random weights", "baseline", picked, blank.scores),
        Contender(name, "baseline", everything, counted),
    ], n_letters, unit)
    return scores.rows, summary, opened.warnings + scores.warnings


def _changes(settings: ScoreSettings, opened: Scoring) -> tuple[Rows, Rows, list[str]]:
    changes, alleles, _ = opened.changed
    measured = measured_column(changes, settings.measured)
    scores = score_changed(opened.asked, opened.changed)
    picked = spread(len(alleles), settings.baseline_items)
    everything = np.arange(len(alleles))
    random = opened.asked._replace(model=with_random_weights(opened.asked.model, settings.seed + 1))
    blank = score_alleles(random, [alleles[index] for index in picked])
    letters = fit_letters(opened.counted, opened.start.tokenizer.alphabet)
    summary = change_rows([
        Contender("model", "model", everything, scores.scores),
        Contender("the same model, random weights", "baseline", picked, blank),
        Contender(letters.name, "baseline", everything, delta_log_likelihoods(letters, alleles)),
    ], measured, [one.place for one in changes], settings.seed)
    return scores.rows, summary, opened.warnings + scores.warnings


def _open(settings: ScoreSettings) -> Scoring:
    for file in (settings.out, _json_path(settings.out)):
        check_new_file(file, settings.force)
    pick_device(settings.device)
    start = load_model(settings.model, "language_model", seed=settings.seed)
    tokenizer = start.tokenizer
    dna = tokenizer.alphabet is DNA
    asked = ask(
        start.model, tokenizer, settings.convention, changes=settings.task != "sequences", strands=settings.strands,
        precision=settings.precision, batch_tokens=settings.batch_tokens,
    )
    if settings.sequences is not None:
        ids, sequences = (read_sequences if dna else read_proteins)(settings.sequences, settings.sequence_column)
        doubts = doubt_letters(tokenizer.alphabet, sequences)
        if settings.variants is None:
            return Scoring(start, asked, ids, sequences, Changes([], [], []), sequences, doubts)
        if holds_places(settings.variants):
            raise ConfigError("variants with chrom and pos lie on a genome", where="variants", got=settings.variants,
                              hint="genome=FASTA instead of sequences")
        named = dict(zip(ids, sequences, strict=True))
        mutants = read_mutants(settings.variants, named, settings.first_position)
        alleles = cut_mutants(named, mutants, settings.window_bp if settings.too_long == "window" else None)
        return Scoring(start, asked, [], [], Changes(mutants, alleles, []), sequences, doubts)
    assert settings.genome is not None
    require_dna(tokenizer)
    genome = Genome.open(settings.genome)
    if settings.region is not None:
        variants = all_substitutions(genome, Interval.parse(settings.region, genome.lengths))
    else:
        assert settings.variants is not None
        variants = read_variants(settings.variants, genome)
    changed = cut_variants(
        genome, variants, window_bp=settings.window_bp, step_bp=settings.step_bp,
        keep_indels=settings.indels == "score", data_seen=start.lineage.get("data_seen", []), where=settings.variants,
    )
    return Scoring(start, asked, [], [], changed, [genome.sequence(chrom) for chrom in genome.lengths], [])


def _json_path(out: Path) -> Path:
    return out.with_name(out.name + ".json")
