"""The page's parts in order, each only where its table exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lingome.core.warnings import LEVELS, RunWarning
from lingome.report.blocks import Row, Section, digits, duration, number, size
from lingome.report.sections.choice import choice_section, next_kmer_section, signals_section
from lingome.report.sections.data import data_section
from lingome.report.sections.inspection import annotation_section, inspection_cards, tokens_section, tree_section
from lingome.report.sections.reproduction import methods_section, reproduce_section, steps_section
from lingome.report.sections.results import (
    METRICS,
    best,
    curves_section,
    embedding_section,
    main_metric,
    region_section,
    results_section,
)
from lingome.report.sections.scaling import attention_section, scaling_section
from lingome.report.sections.token_vectors import similarity_section, token_axes_section
from lingome.report.sections.training import perplexity_of, training_section
from lingome.report.sections.vectors import vectors_section
from lingome.report.sections.vocabulary import vocabulary_section
from lingome.report.tables import Tables


def build_sections(
    tables: Tables, metrics: Sequence[Row], lineage: Mapping[str, Any], config: str
) -> list[Section]:
    """Build every section that has something to show, in the order of the page.

    Parameters
    ----------
    tables : Tables
        Of the run, by name.
    metrics : sequence of mapping
        Measurements while training; see `lingome.report.tables.read_metrics`.
    lineage : mapping
        ``run.json``.
    config : str
        ``config.yaml``.
    """
    sections = []
    chosen = str(lineage.get("best") or "")
    if "choice" in tables:
        sections.append(choice_section(tables))
    if "scores" in tables:
        sections.append(results_section(tables, chosen))
    if "curves" in tables or "calibration" in tables:
        sections.append(curves_section(tables, chosen))
    if any(name in tables for name in ("data", "splits", "leaks")):
        sections.append(data_section(tables))
    if "vocabulary" in tables:
        sections.append(vocabulary_section(tables["vocabulary"]))
    for name, build in (("tokens", tokens_section), ("token_annotation", annotation_section),
                        ("merge_tree", tree_section), ("token_map", token_axes_section),
                        ("self_similarity", similarity_section)):
        if name in tables:
            sections.append(build(tables))
    if metrics or "language" in tables:
        sections.append(training_section(metrics, tables.get("language", [])))
    for name, build in (("ladder", scaling_section), ("attention_cost", attention_section),
                        ("next_kmer", next_kmer_section), ("vocabulary_signals", signals_section),
                        ("embedding_map", embedding_section), ("neighbours", vectors_section),
                        ("predictions", region_section)):
        if name in tables:
            sections.append(build(tables))
    if "steps" in tables:
        sections.append(steps_section(tables["steps"]))
    sections.append(reproduce_section(lineage, config))
    sections.append(methods_section(tables, metrics))
    return sections


def cards(tables: Tables, metrics: Sequence[Row], lineage: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Give the key figures: (name, value, remark)."""
    found = []
    scores = tables.get("scores", [])
    metric = main_metric(scores)
    chosen = str(lineage.get("best") or "")
    for kind in ("model", "baseline"):
        top = best(scores, kind, chosen)
        if top:
            title = f"chosen model: {METRICS[metric]}" if top["name"] == chosen else f"best {kind}: {METRICS[metric]}"
            found.append((title, digits(top[metric]), interval_and(top["name"], top, metric)))
    first = next((row for row in scores if row["n_test"]), None)
    if first:
        positive = f"{number(first['n_positive'])} positive" if first["n_positive"] is not None else ""
        found.append(("test items", number(first["n_test"]), positive))
    valid = [row for row in metrics if row["phase"].startswith("pretrain") and row["split"] == "valid"]
    if valid:
        row = min(valid, key=lambda line: float(line["loss"]))
        bits = row.get("bits_per_base")
        found.append(("masked perplexity", f"{perplexity_of(row['loss']):.1f}",
                      f"{bits:.3f} bits per base" if isinstance(bits, int | float) else "validation, lower is better"))
    if "vocabulary" in tables:
        lengths = [row["length_bp"] for row in tables["vocabulary"]]
        found.append(("vocabulary", f"{len(lengths):,} tokens", f"up to {number(max(lengths))} bp long"))
    found += inspection_cards(tables)
    if isinstance(lineage.get("wall_s"), int | float):
        memory = lineage.get("peak_memory_bytes")
        found.append(("time", duration(lineage["wall_s"]),
                      f"{size(memory)} of memory at most" if isinstance(memory, int | float) else ""))
    return found


def interval_and(name: str, row: Row, metric: str) -> str:
    """Write the interval of a metric, then a name."""
    low = row[f"{metric}_low"]
    high = row[f"{metric}_high"]
    return name if low is None or high is None else f"{digits(low)} to {digits(high)} · {name}"


def warnings(tables: Tables) -> list[RunWarning]:
    """Give what a reader must know before believing, the worst first."""
    found = [RunWarning.from_row(row) for row in tables.get("warnings", [])]
    told = " ".join(one.topic.lower() for one in found)
    found += [
        RunWarning.from_row({
            "level": row["verdict"], "topic": f"leak: {row['check']}",
            "text": row["what"] or f"{number(row['n'])} between {row['pair']}",
        })
        for row in tables.get("leaks", [])
        if row["verdict"] != "ok" and "leak" not in told and row["check"].lower() not in told
    ]
    return sorted(found, key=lambda one: -LEVELS.index(one.level))
