"""The page's parts in order, each only where its table exists."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from lingome.core.warnings import LEVELS, RunWarning
from lingome.report import charts, maps
from lingome.report.blocks import (
    Block,
    Code,
    Figure,
    Grid,
    Row,
    Section,
    Words,
    digits,
    duration,
    grid_of,
    number,
    rounded,
    size,
    thinned,
)
from lingome.report.choice import choice_section, next_kmer_section, signals_section
from lingome.report.inspection import annotation_section, inspection_cards, tokens_section, tree_section
from lingome.report.methods import TERMS
from lingome.report.results import (
    METRICS,
    best,
    curves_section,
    embedding_section,
    main_metric,
    region_section,
    results_section,
)
from lingome.report.scaling import attention_section, scaling_section
from lingome.report.tables import Tables
from lingome.report.token_vectors import similarity_section, token_axes_section
from lingome.report.vectors import vectors_section

AT_MOST_TOKENS = 1000
AT_MOST_LINES = 12


def build_sections(
    tables: Tables, metrics: Sequence[Row], lineage: Mapping[str, Any], config: str
) -> list[Section]:
    """Build every section that has something to show, in the order of the page."""
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
        found.append(("masked perplexity", f"{_perplexity(row['loss']):.1f}",
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


def data_section(tables: Tables) -> Section:
    """Show inputs, the splits along their chromosomes, and the leak check."""
    blocks: list[Block] = []
    if "data" in tables:
        rows = [{**row, "sha256": (row["sha256"] or "")[:12] or None} for row in tables["data"]]
        columns = {"name": "name", "what": "what", "file": "file", "records": "records", "size": "size", "unit": "unit",
                   "licence": "licence", "sha256": "sha256 (start)", "note": "note"}
        blocks.append(grid_of(rows, columns, title="Inputs"))
    if "splits" in tables:
        blocks += _splits(tables["splits"])
    if "leaks" in tables:
        columns = {"check": "check", "pair": "between", "n": "found", "share": "share", "verdict": "verdict",
                   "what": "meaning"}
        blocks.append(grid_of(tables["leaks"], columns, title="Do the splits leak into each other?"))
    return Section("data", "Data and lineage", blocks)


def _splits(rows: Sequence[Row]) -> list[Block]:
    columns = {"split": "split", "chrom": "chromosome", "start": "start", "end": "end", "n": "windows",
               "n_positive": "positive"}
    grid = grid_of(rows, columns)
    placed = [row for row in rows if None not in (row["chrom"], row["start"], row["end"])]
    if not placed:
        return [grid_of(rows, columns, title="Splits")]
    totals = Counter[str]()
    for row in rows:
        totals[row["split"]] += row["n"]
    named = ", ".join(f"{number(count)} {name}" for name, count in totals.items())
    chroms = len({row["chrom"] for row in placed})
    title = f"{named} windows lie in separate {'blocks' if chroms == 1 else 'parts of the genome'}"
    text = f"Strip drawing of {chroms} chromosome{'s' if chroms > 1 else ''}: " + "; ".join(
        f"{row['split']} {row['chrom']}:{number(row['start'])}-{number(row['end'])}, {number(row['n'])} windows"
        for row in placed[:60]) + "."
    return [Figure("splits", title, text, maps.splits_chart(placed), grid,
                   note="Gaps between blocks keep neighbours apart.")]


def vocabulary_section(rows: Sequence[Row]) -> Section:
    """Show the tokens: lengths, frequencies, GC content, the first merges, all of them to search."""
    blocks: list[Block] = []
    real = [row for row in rows if row["length_bp"] > 0]
    lengths = Counter(row["length_bp"] for row in real)
    if lengths:
        common = max(lengths, key=lambda length: (lengths[length], -length))
        share = lengths[common] / len(real)
        blocks.append(Figure(
            "token-length", f"Most tokens are {common} bp long ({share:.0%}); the longest has {max(lengths)} bp",
            "Histogram of token length. "
            + "; ".join(f"{length} bp: {lengths[length]}" for length in sorted(lengths)) + ".",
            maps.token_length_chart([{"length_bp": length, "tokens": lengths[length]} for length in sorted(lengths)]),
            Grid(["length (bp)", "tokens"], [[str(length), number(lengths[length])] for length in sorted(lengths)],
                 right=(0, 1))))
    blocks += _frequencies(real) + _gc(real)
    names = {row["id"]: row["token"] for row in rows}
    merges = sorted((row for row in rows if row["rank"] is not None and row["left"] is not None),
                    key=lambda row: row["rank"])
    if merges:
        shown = [{**row, "left": names.get(row["left"], row["left"]), "right": names.get(row["right"], row["right"])}
                 for row in merges[:20]]
        columns = {"rank": "rank", "left": "left", "right": "right", "token": "new token", "pair_count": "times seen",
                   "margin": "ahead of the next pair"}
        blocks.append(grid_of(shown, columns, title=f"The first {len(shown)} of {len(merges):,} merges"))
    ordered = sorted(rows, key=lambda row: -(row["count"] or 0))[:AT_MOST_TOKENS]
    columns = {"id": "id", "token": "token", "length_bp": "length (bp)", "count": "count", "frequency": "share",
               "gc": "GC"}
    rest = f"The {AT_MOST_TOKENS:,} most frequent of {len(rows):,}. " if len(rows) > AT_MOST_TOKENS else ""
    blocks.append(grid_of(ordered, columns, title="Tokens", search=True,
                          note=f"{rest}All columns are in tables/vocabulary.tsv."))
    return Section("vocabulary", "Vocabulary", blocks)


def _frequencies(rows: Sequence[Row]) -> list[Block]:
    seen = sorted((row for row in rows if row["frequency"]), key=lambda row: -row["frequency"])
    if not seen:
        return []
    ranks = rounded([{**row, "rank": index} for index, row in enumerate(seen, start=1)],
                    ("rank", "frequency", "token", "length_bp"))
    sums = list(accumulate(row["frequency"] for row in seen))
    half = 1 + bisect_left(sums, 0.5 * sums[-1])
    title = f"{half} of {len(seen):,} tokens make half of the sequence's tokens"
    grid = grid_of(ranks[:20], {"rank": "rank", "token": "token", "frequency": "share"},
                   note="The 20 most frequent; all are in tables/vocabulary.tsv.")
    text = f"{title}. The most frequent is {seen[0]['token']} ({seen[0]['frequency']:.2%}), " \
           f"the rarest {seen[-1]['token']} ({seen[-1]['frequency']:.4%})."
    return [Figure("rank", title, text, maps.rank_chart(thinned(ranks, 1500)), grid)]


def _gc(rows: Sequence[Row]) -> list[Block]:
    known = [row for row in rows if row["gc"] is not None]
    if not known:
        return []
    bins: list[dict[str, Any]] = [{"shown": f"{index * 10}-{index * 10 + 10}%", "tokens": 0,
             "share": 0.0} for index in range(10)]
    for row in known:
        held = bins[min(9, int(row["gc"] * 10 + 1e-9))]
        held["tokens"] += 1
        held["share"] += row["frequency"] or 0.0
    mean = sum(row["gc"] for row in known) / len(known)
    grid = grid_of(rounded(bins, ("shown", "tokens", "share"), 3),
                   {"shown": "GC content", "tokens": "tokens", "share": "share of all occurrences"})
    text = "Histogram of GC content of tokens. " + "; ".join(f"{row['shown']}: {row['tokens']}" for row in bins) + "."
    return [Figure("gc", f"Tokens are {mean:.0%} G or C on average", text, maps.gc_chart(bins), grid)]


def training_section(metrics: Sequence[Row], language: Sequence[Row] = ()) -> Section:
    """Show loss against tokens, and how well tokens of validation sequence are guessed."""
    pretraining = [row for row in metrics if row["phase"].startswith("pretrain")]
    others = [row for row in metrics if not row["phase"].startswith("pretrain")]
    blocks: list[Block] = []
    if pretraining:
        blocks.append(_losses("loss-pretrain", pretraining, both=True))
    if others:
        valid = [row for row in others if row["split"] != "train"]
        blocks.append(_losses("loss-finetune", valid or others, both=False))
    if language:
        columns = {"name": "name", "kind": "kind", "loss": "loss (nats)", "perplexity": "perplexity",
                   "bits_per_base": "bits per base", "loss_outside_repeats": "loss outside repeats",
                   "bits_per_base_outside_repeats": "bits per base outside repeats", "accuracy": "partners found"}
        blocks.append(grid_of(language, columns, title="Guessing tokens of validation sequence"))
    return Section("training", "Training", blocks)


def _losses(key: str, rows: Sequence[Row], *, both: bool) -> Figure:
    x = "tokens" if all(isinstance(row.get("tokens"), int | float) for row in rows) else "step"
    lines: dict[str, list[Row]] = {}
    for index, row in enumerate(rows):
        name = f"{row['phase']}, {row['split']}"
        line = name
        place = row.get(x, index)
        again = 1
        while line in lines and lines[line][-1]["x"] >= place:  # the same phase, run once more
            again += 1
            line = f"{name} ({again})"
        perplexity = _perplexity(row["loss"]) if both else None
        lines.setdefault(line, []).append({"line": line, "x": place, "loss": row["loss"], "perplexity": perplexity})
    strong = dict(list(lines.items())[:AT_MOST_LINES])
    drawn = [{**row, "dot": len(line) <= 40} for line in strong.values() for row in thinned(line, 300)]
    ends = {line: (values[0]["loss"], values[-1]["loss"]) for line, values in lines.items()}
    main = next((line for line in lines if line.endswith("valid")), next(iter(lines)))
    start, end = ends[main]
    if both:
        title = (f"Loss ({main}) went from {start:.3f} to {end:.3f}: "
                 f"perplexity from {_perplexity(start):.1f} to {_perplexity(end):.1f}")
    else:
        name, low = min(((line, min(row["loss"] for row in values)) for line, values in lines.items()),
                        key=lambda item: item[1])
        title = f"Lowest loss: {low:.3f} ({name})"
    text = "Line chart of loss against " + x + ". " + "; ".join(
        f"{line}: from {first:.3f} to {last:.3f}" for line, (first, last) in ends.items()) + "."
    columns = {"line": "line", "x": x, "loss": "loss", "perplexity": "perplexity"}
    shown = [row for line in lines.values() for row in thinned(line, 25)]
    return Figure(key, title, text, charts.loss_chart(rounded(drawn, (*columns, "dot")), x, list(strong)),
                  grid_of(rounded(shown, tuple(columns), 4), columns,
                          note="At most 25 points a line; all are in metrics.jsonl."),
                  note="" if len(strong) == len(lines) else f"The first {len(strong)} of {len(lines)} lines.")


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 300.0))


def steps_section(rows: Sequence[Row]) -> Section:
    """Show where the time went."""
    shown = [{**row, "shown": duration(row["time_s"])} for row in rows]
    total = sum(row["time_s"] for row in rows)
    longest = max(rows, key=lambda row: float(row["time_s"]))
    title = f"{longest['step']} took longest: {duration(longest['time_s'])} of {duration(total)}"
    text = "Bar chart of time. " + "; ".join(f"{row['step']}: {row['shown']}" for row in shown) + "."
    grid = grid_of(shown, {"step": "step", "shown": "time", "note": "note"})
    return Section("steps", "Steps and time", [Figure("steps", title, text, charts.steps_chart(shown), grid)])


def reproduce_section(lineage: Mapping[str, Any], config: str) -> Section:
    """Show the exact command, versions, seed, digests of inputs, parents, data seen and settings."""
    blocks: list[Block] = []
    if lineage.get("command"):
        blocks.append(Code(str(lineage["command"])))
    facts = [("seed", lineage.get("seed")), ("started", lineage.get("started")), ("workflow", lineage.get("workflow"))]
    facts += [(f"{name}, version", value) for name, value in _mapping(lineage.get("versions")).items()]
    kept = [[name, str(value)] for name, value in facts if value is not None]
    if kept:
        blocks.append(Grid(["what", "value"], kept, title="Seed and versions"))
    columns = {"name": "input", "file": "file", "size_bytes": "bytes", "sha256": "sha256"}
    if inputs := _rows(lineage.get("inputs")):
        blocks.append(grid_of(inputs, columns, title="Inputs, by digest"))
    if parents := _rows(lineage.get("parents")):
        columns = {"model": "model", "workflow": "workflow", "command": "command", "started": "started", "seed": "seed",
                   "weights_sha256": "sha256 of the weights"}
        blocks.append(grid_of(parents, columns, title="Continued from"))
    if seen := _rows(lineage.get("data_seen")):
        columns = {"by": "stage", "chrom": "chromosome", "intervals": "intervals", "bases": "bases"}
        blocks.append(grid_of(_seen(seen), columns, title="What each stage learnt from"))
    if config:
        blocks.append(Code(config, summary="All settings (config.yaml)"))
    return Section("reproduce", "How to reproduce this", blocks)


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[dict[str, Any]]:
    """Keep the records of a list, with text for whatever is not a number."""
    records = value if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else []
    return [
        {str(key): cell if isinstance(cell, int | float | None) else str(cell) for key, cell in record.items()}
        for record in records if isinstance(record, Mapping)
    ]


def _seen(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sum intervals by stage and chromosome."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        held = sums.setdefault((str(row.get("by", "")), str(row.get("chrom", ""))), [0, 0])
        held[0] += 1
        held[1] += int(row.get("end") or 0) - int(row.get("start") or 0)
    return [{"by": by, "chrom": chrom, "intervals": count, "bases": bases}
            for (by, chrom), (count, bases) in sums.items()]


def methods_section(tables: Tables, metrics: Sequence[Row]) -> Section:
    """Explain in plain words what the page's tables hold."""
    have = {*tables, *(["metrics"] if metrics or "language" in tables else [])}
    terms = [(term, text) for table, term, text in TERMS if table in have]
    return Section("methods", "Methods in plain words", [Words(terms)] if terms else [])
