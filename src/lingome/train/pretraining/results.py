"""What pre-training came to, as tables and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lingome.core.warnings import RunWarning
from lingome.tokens.overlap import words_over_a_base
from lingome.train.objectives import CausalObjective, MaskedObjective
from lingome.train.pretraining.model import Pretrained

LANGUAGE_COLUMNS = (
    "name", "kind", "loss", "perplexity", "bits_per_base", "loss_outside_repeats", "bits_per_base_outside_repeats",
    "accuracy",
)
"""Columns of the table ``language``; a run has those that its objective measures."""


def language_columns(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Give the columns of `LANGUAGE_COLUMNS` that any row has."""
    return tuple(column for column in LANGUAGE_COLUMNS if any(column in row for row in rows))


def language_rows(done: Pretrained) -> list[dict[str, object]]:
    """Give the table ``language``: the model beside what it started from and token frequencies."""
    named = [
        ("trained", "model", done.after), ("at the start", "baseline", done.before),
        ("chance" if "accuracy" in done.unigram else "token frequencies", "baseline", done.unigram),
        *((name, "baseline", values) for name, values in done.others),
    ]
    return [{"name": name, "kind": kind, **values} for name, kind, values in named if values]


def find_warnings(done: Pretrained) -> list[RunWarning]:
    """Warn of what a reader of the result has to know."""
    found = []
    if done.unknown:
        text = f"{done.unknown:,} tokens with letters other than A, C, G, T were left out of training"
        found.append(RunWarning("info", "unknown letters", text))
    masked = isinstance(done.objective, MaskedObjective)
    if advice := done.objective.advice:
        topic = "byte pairs and a causal model" if isinstance(done.objective, CausalObjective) else "overlapping tokens"
        found.append(RunWarning("warn", topic, advice))
    elif masked and words_over_a_base(done.objective.tokenizer) > 1:
        text = "a hidden word shares bases with visible ones: its loss cannot be compared with other vocabularies"
        found.append(RunWarning("info", "overlapping tokens", text))
    passes = done.result.tokens / max(1, done.train_tokens)
    if passes < 0.5:
        text = f"the model saw as many tokens as {passes:.1%} of one pass over its training area"
        found.append(RunWarning("info", "short training", text))
    if not done.after:
        found.append(RunWarning("warn", "no validation", "nothing was set aside to measure on"))
    elif "accuracy" in done.after:
        name, best = max(done.others, key=lambda other: other[1]["accuracy"])
        if done.after["accuracy"] <= best["accuracy"]:
            text = f"{name} find partners as well as the model: {best['accuracy']:.3f}"
            found.append(RunWarning("warn", "a baseline is as good", text))
    elif done.after["loss"] >= done.unigram["loss"]:
        text = f"token frequencies alone guess {done.objective.guesses} as well as the model: train longer"
        found.append(RunWarning("warn", "little was learnt", text))
    return found


def describe(done: Pretrained) -> str:
    """Say in a sentence what pre-training came to."""
    result = done.result
    text = f"{result.steps:,} steps, {result.tokens:,} tokens in {result.seconds:.0f} s, stopped by {result.stopped_by}"
    if not done.after:
        return text
    if "accuracy" in done.after:
        return (
            f"{text}; {done.after['accuracy']:.1%} of views find their partner among {len(done.windows)}, against "
            f"{done.before['accuracy']:.1%} at the start and {done.unigram['accuracy']:.1%} by chance"
        )
    after, before, unigram = (values["bits_per_base"] for values in (done.after, done.before, done.unigram))
    return (
        f"{text}; {done.objective.guesses} cost {after:.3f} bits per base, against {before:.3f} at the start "
        f"and {unigram:.3f} from token frequencies"
    )
