"""Fit a classifier in several ways, and measure each on the same test examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingome.config.finetune import TuneSettings
from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.warnings import RunWarning
from lingome.data.examples import SPLITS, Examples
from lingome.evaluate.measures.metrics import best_threshold
from lingome.evaluate.measures.scores import Scored
from lingome.models.architecture import Body
from lingome.models.open import Opened, random_body
from lingome.models.reading.pieces import cut_to_fit
from lingome.tokens.alphabet import doubt_letters
from lingome.tune.classifier import TUNE_HINT, FitLog, Fitted, check_training, fit_classifier
from lingome.tune.cost import FitCost, estimate_fits
from lingome.tune.methods import method_group, method_title
from lingome.tune.predict import run_batches, softmax


class Comparison(NamedTuple):
    """Every method on the test examples, the best fitted model, and what to warn of."""

    scored: list[Scored]
    best: Fitted
    best_name: str
    warnings: list[RunWarning]


class Fits(NamedTuple):
    """Fits of one method.

    Parameters
    ----------
    name, method : str
        What tables call it, and the method.
    random : bool
        From random weights.
    n_fits : int
        How many.
    """

    name: str
    method: str
    random: bool
    n_fits: int


def list_fits(methods: Sequence[str], start: Opened[Body], n_seeds: int, *, random_control: bool = True) -> list[Fits]:
    """List what is fitted: each method, and the one that changes most from random weights, too.

    ``features`` from trained weights has nothing random, and is fitted once.

    Parameters
    ----------
    methods : sequence of str
        ``features``, ``last:N`` and ``full``.
    start : Opened
        The body to adapt; one without a folder has random weights, and gets no control.
    n_seeds : int
        Fits per method.
    random_control : bool
        Whether random weights are fitted too.
    """
    random = start.folder is None
    fits = [
        Fits(method_title(method), method, random, n_seeds if method != "features" or random else 1)
        for method in methods
    ]
    if random_control and not random:
        strongest = "full" if "full" in methods else methods[-1]
        fits.append(Fits(f"random weights, {method_title(strongest)}", strongest, True, n_seeds))
    return fits


def _labelled_parts(examples: Examples) -> dict[str, Examples]:
    """Give the labelled examples of each split; there are some to test on."""
    known = examples.select(np.asarray(examples.labels >= 0))
    parts = {name: known.split(name) for name in SPLITS}
    if not len(parts["test"]):
        raise DataError("there are no labelled test examples", hint="see task.split: by, fractions")
    return parts


def estimate_methods(
    examples: Examples, start: Opened[Body], fits: Sequence[Fits], tune: TuneSettings, device: str = "auto"
) -> FitCost:
    """Check what `evaluate_methods` would refuse, and estimate what its fits take.

    Parameters
    ----------
    examples : Examples
        With training, validation and test splits; unlabelled and undivided ones are not used.
    start : Opened
        The body to adapt, and its tokenizer.
    fits : sequence of Fits
        From `list_fits`.
    tune : TuneSettings
        How they are trained.
    device : str
        As in `lingome.models.devices.pick_device`.

    Raises
    ------
    DataError, ConfigError
        As `evaluate_methods`.
    """
    parts = _labelled_parts(examples)
    room = start.model.config.max_positions
    check_training(parts["train"])
    coded = {name: cut_to_fit(start.tokenizer, part.sequences, room, tune.too_long, hint=TUNE_HINT).ids
             for name, part in parts.items()}
    each = [fit.method for fit in fits for _ in range(fit.n_fits)]
    return estimate_fits(start.model, start.tokenizer, coded, examples.label_names, each, tune, device)


def evaluate_methods(
    examples: Examples,
    start: Opened[Body],
    methods: Sequence[str],
    seeds: Sequence[int],
    tune: TuneSettings,
    *,
    random_control: bool = True,
    run: RunDir | None = None,
    device: str = "auto",
) -> Comparison:
    """Fit each method with each seed, and the last one from random weights too; score the test examples.

    What is fitted is in `list_fits`. The best model is the one with the lowest validation loss, among those that
    start from trained weights.

    Parameters
    ----------
    examples : Examples
        With training, validation and test splits; unlabelled and undivided ones are not used.
    start : Opened
        The body to adapt, which is copied, and its tokenizer.
    methods : sequence of str
        ``features``, ``last:N`` and ``full``.
    seeds : sequence of int
        One fit per seed; a method with fewer fits takes the first.
    tune : TuneSettings
        How they are trained.
    random_control : bool
        Whether random weights are fitted too.
    run : RunDir, optional
        Gets lines of ``metrics.jsonl`` of each fit.
    device : str
        As in `lingome.models.devices.pick_device`.

    Raises
    ------
    DataError
        If a split that is needed has no labelled examples, training examples are of one class, or sequences do not
        fit the context.
    ConfigError
        If a method is not known, or asks for more layers than there are.
    """
    parts = _labelled_parts(examples)
    test = parts["test"]
    valid_labels = parts["valid"].labels
    room = start.model.config.max_positions
    coded = cut_to_fit(start.tokenizer, test.sequences, room, tune.too_long, hint=TUNE_HINT)
    scored: list[Scored] = []
    warnings = [RunWarning("warn", "test sequences", text) for text in coded.warnings()]
    for doubt in doubt_letters(start.tokenizer.alphabet, examples.sequences):
        say(f"warning: {doubt}")
        warnings.append(RunWarning("warn", "letters", doubt))
    best: tuple[Fitted, str] | None = None
    for name, method, random, n_fits in list_fits(methods, start, len(seeds), random_control=random_control):
        control = random and start.folder is not None
        probabilities = []
        thresholds = []
        for number, seed in enumerate(seeds[:n_fits], start=1):
            body = random_body(start.model.config, seed) if random else start.model
            fitted = fit_classifier(
                body, start.tokenizer, examples, method, tune, seed, device=device,
                log=FitLog(run, f"{name}, fit {number}"),
            )
            chances = softmax(run_batches(fitted.model, start.tokenizer, coded.ids))
            probabilities.append(chances[:, 1] if chances.shape[1] == 2 else chances)
            two = chances.shape[1] == 2 and len(valid_labels)
            thresholds.append(best_threshold(valid_labels, softmax(fitted.valid_logits)[:, 1]) if two else 0.5)
            warnings += [RunWarning("warn", f"{name}, fit {number}", text) for text in fitted.warnings]
            say(f"{name}, fit {number}: validation loss {fitted.valid_loss:.4f} in {fitted.seconds:.0f} s")
            if not control and (best is None or fitted.valid_loss < best[0].valid_loss):
                best = fitted, name
        kind = "baseline" if control else "model"
        group = "random weights" if random else method_group(method)
        scored.append(Scored(name, kind, test.labels, np.stack(probabilities), group, tuple(thresholds)))
    assert best is not None, "the settings hold at least one method and one seed"
    return Comparison(scored, best[0], best[1], warnings)
