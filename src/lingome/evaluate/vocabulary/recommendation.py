"""Which vocabulary to take, by a rule that is written down, and the reasons in numbers.

The rule, for masked models: of the candidates whose mean accuracy cannot be told from that of the
best one (the paired 95 % interval of the difference reaches 0), the one with the fewest tokens. For
causal models byte pairs are left out (`lingome.tokens.advice`): 6-mers if they take part, else characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Pick(NamedTuple):
    """The vocabulary recommended, the best one, and those that cannot be told from the best."""

    chosen: str
    best: str
    tied: list[str]


def one_each(rows: Sequence[Row]) -> dict[str, Row]:
    """Keep the first row of every vocabulary."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["vocabulary"], row)
    return found


def pick_vocabulary(rows: Sequence[Row], purpose: str = "masked") -> Pick:
    """Apply the rule to rows of the table ``next_kmer``."""
    candidates = one_each(rows)
    best = max(candidates.values(), key=lambda row: row["mean_accuracy"])["vocabulary"]
    tied = [name for name, row in candidates.items() if name == best or row["behind_low"] <= 0]
    if purpose == "causal":
        fit = [name for name, row in candidates.items() if not row["merges"]]
        return Pick("6-mers" if "6-mers" in fit else fit[0], best, tied)
    return Pick(min(tied, key=lambda name: candidates[name]["vocab_size"]), best, tied)


def reasons(
    pick: Pick, rows: Sequence[Row], signals: Sequence[Row], controls: Sequence[Row] = (), warning: str = ""
) -> list[dict[str, str]]:
    """Give the rows of the table ``choice``: topic, text, vocabulary (the one recommended).

    Parameters
    ----------
    pick : Pick
    rows, signals, controls : sequence
        Rows of the tables ``next_kmer``, ``vocabulary_signals`` and ``next_kmer_controls``.
    warning : str
        Why byte pairs are left out; empty for masked models.
    """
    candidates = one_each(rows)
    chosen = candidates[pick.chosen]
    best = candidates[pick.best]
    found = [("recommended", _recommended(pick, candidates, warning))]
    if warning:
        found.append(("purpose", warning[0].upper() + warning[1:]))
    found += [
        ("accuracy", _accuracy(pick, chosen, best, len(candidates))),
        ("next-base bits", _bits(pick, candidates)),
        ("cheap signals", _cheap(pick, one_each(signals))),
        ("baselines", _baselines(pick, rows)),
    ]
    if controls:
        found.append(("pre-training", " ".join(_control(row) for row in controls)))
    if chosen["seeds"] == 1:
        found.append((
            "seeds", "Every candidate was trained once: intervals cover the choice of test positions, not that of "
            "weights and batches. With --seeds 3 or more they cover both.",
        ))
    return [{"topic": topic, "text": text, "vocabulary": pick.chosen} for topic, text in found]


def _recommended(pick: Pick, candidates: Mapping[str, Row], warning: str) -> str:
    chosen = candidates[pick.chosen]
    size = f"Take {pick.chosen} ({chosen['vocab_size']:,} tokens)"
    if warning:
        return f"{size}, because the model is to be causal, and byte pairs are left out."
    if len(pick.tied) == len(candidates):
        return f"{size}, by size alone: no vocabulary stands out, all {len(candidates)} do as well on this test."
    if len(pick.tied) == 1:
        return f"{size}: every other vocabulary is behind it by more than chance explains."
    if pick.chosen == pick.best:
        return f"{size}: the best, and no smaller vocabulary does as well."
    return f"{size}: the smallest of {len(pick.tied)} vocabularies that do as well as the best, {pick.best}."


def points(row: Row, name: str = "behind") -> str:
    """Write a difference of accuracy in points of a percent, with its interval.

    >>> points({"behind": 0.0123, "behind_low": -0.001, "behind_high": 0.02})
    '1.23 points (-0.10 to 2.00)'
    """
    return f"{100 * row[name]:.2f} points ({100 * row[f'{name}_low']:.2f} to {100 * row[f'{name}_high']:.2f})"


def _accuracy(pick: Pick, chosen: Row, best: Row, n: int) -> str:
    text = (
        f"Best mean accuracy over k: {pick.best}, {best['mean_accuracy']:.2%} "
        f"({best['mean_low']:.2%} to {best['mean_high']:.2%}), on {best['n']:,} positions and {best['seeds']} "
        f"seed{'s' if best['seeds'] > 1 else ''}."
    )
    if pick.chosen != pick.best:
        text += f" {pick.chosen} is behind by {points(chosen)}, paired."
    return f"{text} {n - len(pick.tied)} of {n} vocabularies are behind the best beyond their interval."


def _bits(pick: Pick, candidates: Mapping[str, Row]) -> str:
    top = min(candidates.values(), key=lambda row: row["bits_per_base"])
    row = candidates[pick.chosen]
    text = f"Fewest bits for the next bases: {top['vocabulary']}, {top['bits_per_base']:.4f} per base."
    if top is row:
        return f"{text} This agrees."
    clear = "more than chance explains" if row["bits_behind_low"] > 0 else "no more than chance explains"
    return (
        f"{text} {pick.chosen} needs {row['bits_behind']:.4f} more ({row['bits_behind_low']:.4f} to "
        f"{row['bits_behind_high']:.4f}), {clear}."
    )


def _cheap(pick: Pick, signals: Mapping[str, Row]) -> str:
    if not signals:
        return "Not computed."
    top = min(signals.values(), key=lambda one: one["bits_per_base"])
    row = signals[pick.chosen]
    text = (
        f"An n-gram model of tokens needs fewest bits per base with {top['vocabulary']}: {top['bits_per_base']:.4f}; "
        f"a Markov model of bases, {top['markov_bits_per_base']:.4f}."
    )
    if top is row:
        return f"{text} This agrees."
    if row["bits_behind_low"] <= 0:
        return f"{text} {pick.chosen} is level with it."
    return (
        f"{text} {pick.chosen} needs {row['bits_behind']:.4f} more ({row['bits_behind_low']:.4f} to "
        f"{row['bits_behind_high']:.4f}): the two signals disagree. {pick.chosen} has {row['bases_per_token']:.2f} "
        f"bases per token, {top['vocabulary']} {top['bases_per_token']:.2f}."
    )


def _baselines(pick: Pick, rows: Sequence[Row]) -> str:
    mine = [row for row in rows if row["vocabulary"] == pick.chosen]
    better = [str(row["k"]) for row in mine if row["accuracy"] < row["baseline"]]
    ratio = sum(row["accuracy"] / max(row["baseline"], 1e-12) for row in mine) / len(mine)
    text = f"{pick.chosen} reaches {ratio:.2f} times the accuracy of a Markov model of bases, on average over k."
    if better:
        text += (
            f" The Markov model is better for k = {', '.join(better)}: this training is short, and ranks vocabularies "
            "by how soon a small model reads them, not by what a large one would reach."
        )
    return text


def _control(row: Row) -> str:
    clear = "more than chance explains" if row["gain_low"] > 0 else (
        "less than from random weights, beyond chance" if row["gain_high"] < 0 else "no more than chance explains")
    return (
        f"{row['vocabulary']} reaches {row['accuracy']:.2%} with pre-training and {row['random_weights']:.2%} from "
        f"random weights: a gain of {points(row, 'gain')}, {clear}."
    )
