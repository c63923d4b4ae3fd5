"""Write what was measured of a classifier into its run, and show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lingome.core.outcome import Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.warnings import RunWarning
from lingome.data.examples import Examples, example_rows
from lingome.data.splits import split_rows
from lingome.evaluate.leaks.leakage import LeakRow, check_leaks, leak_warnings
from lingome.evaluate.measures.scores import Scored, score_table, verdict

Row = dict[str, Any]


def write_scores(run: RunDir, scored: Sequence[Scored], resamples: int, seed: int) -> list[Row]:
    """Write the tables ``scores``, ``curves`` and ``calibration``.

    Parameters
    ----------
    run : RunDir
        Where the tables go.
    scored : sequence of Scored
        Models and baselines on the same test examples.
    resamples, seed : int
        Of the bootstrap that gives the intervals.

    Returns
    -------
    list of dict
        The table ``scores``, models first.
    """
    tables = score_table(scored, n_resamples=resamples, seed=seed)
    run.write_table("scores", tables.scores)
    run.write_table("curves", tables.curves)
    run.write_table("calibration", tables.calibration)
    return tables.scores


def write_leaks(run: RunDir, examples: Examples) -> list[LeakRow]:
    """Check whether the splits leak into each other, and write the table ``leaks``, which is given back."""
    leaks = check_leaks(examples)
    run.write_table("leaks", [leak._asdict() for leak in leaks], LeakRow._fields)
    return leaks


def write_examples_tables(run: RunDir, examples: Examples, warnings: Sequence[RunWarning]) -> None:
    """Write the tables ``examples``, ``splits``, ``leaks`` and ``warnings``, and say each warning."""
    run.write_table("examples", example_rows(examples))
    run.write_table("splits", split_rows(examples))
    found = [*leak_warnings(write_leaks(run, examples)), *warnings]
    run.write_warnings(found)
    for one in found:
        say(f"{one.level}: {one.topic}: {one.text}")


def answer(scores: Sequence[Row], scored: Sequence[Scored], chosen: str, resamples: int, seed: int) -> str:
    """Say how good the model is that validation chose, and whether it beats the strongest baseline.

    Parameters
    ----------
    scores : sequence of dict
        The table ``scores``.
    scored : sequence of Scored
        What it was made from.
    chosen : str
        Name of the model that validation chose.
    resamples, seed : int
        Of the bootstrap that gives the interval of the difference.
    """
    row = next(row for row in scores if row["name"] == chosen)
    found = verdict(scored, chosen=chosen, n_resamples=resamples, seed=seed)
    measured = f"AUROC {_with_interval(row, 'auroc')}, MCC {_with_interval(row, 'mcc')}"
    return f"The model chosen on validation ({chosen}) has {measured}. {found}"


def score_view(scores: Sequence[Row]) -> Table:
    """Show the table ``scores`` to people: value and 95% interval in one cell."""
    rows = []
    for row in scores:
        values = [_with_interval(row, metric) for metric in ("mcc", "auroc", "auprc")]
        rows.append((row["name"], row["seeds"], *values, row["brier"], row["ece"]))
    title = f"{scores[0]['n_test']:,} test examples; value (95% interval over examples and seeds)"
    return Table(title, ("method", "fits", "MCC", "AUROC", "AUPRC", "Brier", "ECE"), rows)


def score_numbers(scores: Sequence[Row]) -> Table:
    """Show the table ``scores`` as numbers, one to a cell."""
    columns = ("name", "seeds", "mcc", "auroc", "auroc_low", "auroc_high", "auprc", "brier", "ece")
    return Table("test examples, 95% intervals", columns, [[row[column] for column in columns] for row in scores])


def leak_view(leaks: Sequence[LeakRow]) -> Table:
    """Show what the check of the splits found."""
    rows = [(row.check, row.pair, row.n, row.verdict) for row in leaks]
    return Table("leak check of the split", ("check", "pair", "n", "verdict"), rows)


def _with_interval(row: Row, metric: str) -> str:
    if row[metric] is None:
        return ""
    return f"{row[metric]:.3f} ({row[f'{metric}_low']:.3f} to {row[f'{metric}_high']:.3f})"
