"""Read the tables of a run directory, checked against what the page expects of each."""

from __future__ import annotations

import csv
import math
from typing import Any

import yaml

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir

# Each column: `!` it must be there, `#` it holds numbers (or nothing), `?` numbers or text; else text.
SCHEMAS: dict[str, str] = {
    "data": "name! file what licence records? size? unit sha256 note",
    "vocabulary": "id#! token! length_bp#! count# frequency# gc# rank# left? right? pair_count# margin#",
    "tokens": (
        "id#! token! length_bp#! count#! frequency# gc# ag# ac# count_reverse# strand_bias# palindrome# rank# "
        "left right pair_count# margin#"
    ),
    "token_annotation": "annotation! id#! token! count#! inside# share# baseline# ratio#",
    "merge_tree": "token! parent_left parent_right rank# depth#! n_descendants#!",
    "token_map": "id#! token! pc1#! pc2#! count# gc# length_bp#! ag# ac#",
    "token_axes": "axis! variance# correlates_with! correlation#",
    "token_axes_random": "axis! variance# correlates_with! correlation#",
    "self_similarity": "id#! token! layer#! n# self_similarity# baseline# random_weights# random_baseline#",
    "language": (
        "name! kind! loss# perplexity# bits_per_base# loss_outside_repeats# bits_per_base_outside_repeats# accuracy#"
    ),
    "choice": "topic! text! vocabulary!",
    "next_kmer": (
        "vocabulary! merges# k#! accuracy#! low# high# chance# baseline# n# seeds# vocab_size# mean_accuracy# behind# "
        "behind_low# behind_high#"
    ),
    "next_kmer_controls": "vocabulary! accuracy#! random_weights#! gain#! gain_low#! gain_high#!",
    "vocabulary_signals": (
        "vocabulary! merges# vocab_size#! tokens_per_base#! bases_per_token#! bases_per_token_low# "
        "bases_per_token_high# bits_per_base#! bits_per_base_low# bits_per_base_high# bits_behind#! bits_behind_low#! "
        "bits_behind_high#! markov_bits_per_base# used_share#! frequent_share#! renyi_efficiency#! length_p5#! "
        "length_median#! length_p95#! single_share#! rc_share#!"
    ),
    "splits": "split! chrom start# end# n#! n_positive#",
    "scores": (
        "name! kind! group seeds# mcc# mcc_low# mcc_high# auroc# auroc_low# auroc_high# "
        "auprc# auprc_low# auprc_high# brier# ece# n_test# n_positive#"
    ),
    "curves": "name! kind! curve! x#! y#! low# high#",
    "calibration": "name! kind! predicted#! observed#! low# high# n#",
    "embedding_map": "id! pc1#! pc2#! label split chrom start# end# probability#",
    "embedding_axes": "axis! variance# correlates_with correlation#",
    "predictions": "chrom! start#! end#! strand probability#! motif_score# label?",
    "region_peaks": "chrom! start#! end#! signal#",
    "neighbours": "token! rank#! neighbour! cosine#!",
    "token_axes_control": "axis! variance# correlates_with correlation# control",
    "ladder": (
        "name! size! seed#! parameters#! parameters_without_embeddings#! tokens#! steps# flops#! loss#! fitted# "
        "perplexity# bits_per_base# loss_at_start# time_s# in_fit#!"
    ),
    "ladder_laws": "law! counted! value! fitted#! low#! high#!",
    "ladder_budget": (
        "law! counted! flops#! hours#! parameters#! parameters_low#! parameters_high#! tokens#! tokens_low#! "
        "tokens_high#! tokens_a_parameter#! tokens_a_parameter_low#! tokens_a_parameter_high#! loss#! loss_low#! "
        "loss_high#! perplexity#! bits_per_base#! flops_beyond#! parameters_beyond#! tokens_beyond#!"
    ),
    "ladder_curves": "curve! size flops#! tokens#! parameters#! loss#! low# high#",
    "ladder_baselines": "name! loss#! bits_per_base#",
    "ladder_noise": "law! counted! fit_sd#! seed_sd# seeds#!",
    "attention_cost": "part! length#! time_s#! memory_bytes#! parameters#!",
    "attention_growth": "part! measure! exponent#!",
    "leaks": "check! pair n# share# verdict! what",
    "warnings": "level! topic text!",
    "steps": "step! time_s#! note",
}

Tables = dict[str, list[dict[str, Any]]]


def read_tables(run: RunDir) -> Tables:
    """Read every table that the page knows and the run has; empty ones are left out.

    Text columns come as text even where a cell looks like a number (chromosome ``20``); numbers
    that are not finite come as None, and rows that need one are left out.

    Raises
    ------
    DataError
        If a needed column is missing, a cell is not a number where one belongs, or a file is not
        tab-separated text.
    """
    tables = {name: _read(run, name, schema) for name, schema in SCHEMAS.items() if run.has_table(name)}
    return {name: rows for name, rows in tables.items() if rows}


def read_metrics(run: RunDir) -> list[dict[str, Any]]:
    """Read the measurements of training that have a phase, a split and a finite loss.

    Raises
    ------
    DataError
        If a line is not an object in JSON.
    """
    where = run.path / "metrics.jsonl"
    try:
        lines: list[Any] = list(run.read_metrics())
    except UnicodeDecodeError as error:
        raise DataError("not text in UTF-8", where=where, got=error) from error
    kept = []
    for index, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            raise DataError("not an object in JSON", where=f"{where}:{index}", got=repr(line)[:80])
        if isinstance(line.get("loss"), int | float) and math.isfinite(line["loss"]):
            kept.append({**line, "phase": str(line.get("phase", "training")), "split": str(line.get("split", "train"))})
    return kept


def read_lineage(run: RunDir) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    DataError
        If it does not hold an object in JSON.
    """
    return run.read_lineage()


def read_config(run: RunDir) -> str:
    """Read ``config.yaml`` as text, written again in the same order; empty if there is none.

    Raises
    ------
    DataError
        If it is not YAML.
    """
    config = run.read_config()
    return yaml.safe_dump(config, sort_keys=False) if config else ""


def _read(run: RunDir, name: str, schema: str) -> list[dict[str, Any]]:
    file = run.path / "tables" / f"{name}.tsv"
    try:
        rows = run.read_table(name)
    except (UnicodeDecodeError, csv.Error, TypeError) as error:
        raise DataError("not a table of tab-separated text", where=file, got=error) from error
    checked: list[dict[str, Any]] = [{} for _ in rows]
    for column in schema.split():
        key = column.rstrip("!#?")
        if rows and "!" in column and key not in rows[0]:
            raise DataError(f"the column {key!r} is missing", where=f"{file}:1", got=", ".join(map(str, rows[0])))
        for index, row in enumerate(rows):
            if row.get(key) is None and "!" in column:
                raise DataError(f"the column {key!r} is empty here", where=f"{file}:{index + 2}")
            checked[index][key] = _check(row.get(key), column[len(key) :], f"{file}:{index + 2}", key)
    needed = [column.rstrip("!#?") for column in schema.split() if "!" in column and "#" in column]
    return [row for row in checked if all(row[key] is not None for key in needed)]


def _check(value: Any, rule: str, where: str, key: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or "?" in rule:
        return value
    if "#" not in rule:
        return str(value)
    if isinstance(value, str):
        raise DataError(f"the column {key!r} holds numbers", where=where, got=repr(value)[:80])
    return value
