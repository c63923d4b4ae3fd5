"""Fine-tune a model on a task, beside everything simpler."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lingome.api.model import Model, load
from lingome.api.run import RunInMemory
from lingome.api.sequences import Sequences
from lingome.api.task import Task
from lingome.config.finetune import FinetuneSettings, TuneSettings
from lingome.config.schema.settings import load_settings
from lingome.core.clock import Clock
from lingome.core.lineage import Lineage
from lingome.core.outcome import Table
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.core.warnings import RunWarning
from lingome.evaluate.baselines.classifiers import fit_baselines
from lingome.evaluate.classification import answer, score_view, write_examples_tables, write_scores
from lingome.evaluate.leaks.seen import note_seen
from lingome.evaluate.methods import evaluate_methods
from lingome.explain.embeddings import write_map
from lingome.genome.sites import base_shares
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.heads.classifier import SequenceClassifier
from lingome.tokens.tokenizer import Tokenizer

Row = dict[str, Any]
Publish = Callable[[SequenceClassifier, Tokenizer, ModelCard], None]
"""What becomes of the best classifier: it is written, or kept."""


class Tuned(NamedTuple):
    """What fine-tuning came to.

    Parameters
    ----------
    classifier : SequenceClassifier
        The best one on the validation examples, of those that start from trained weights.
    answer : str
        How good it is, and whether it beats the strongest baseline.
    scores : list of dict
        The table ``scores``.
    """

    classifier: SequenceClassifier
    answer: str
    scores: list[Row]


def finetune(
    model: Model | str | Path, task: Task | Any, method: str | Sequence[str] = "full", *, seeds: int = 3, seed: int = 0,
    **options: Any,
) -> Fit:
    """Fine-tune a model to tell labelled sequences apart, and measure it beside everything simpler.

    Parameters
    ----------
    model : Model, str or Path
        What to start from; a name or folder is opened by `load`.
    task : Task, or what `Task.from_table` reads
        Labelled sequences in splits.
    method : str or sequence of str
        ``features`` (a linear head on frozen features), ``last:N`` (the last N layers), ``full`` (all weights), or
        several of them, of which validation chooses one.

    seeds : int
        Fits of each method.
    seed : int
        Every random choice derives from it; the same one gives the numbers of ``lingome finetune``.
    **options
        Further settings of ``lingome finetune``: ``random_control``, ``baselines``, ``resamples``; and those under
        ``tune``: ``epochs``, ``lr``, ``class_weights``, ``too_long`` ...

    Returns
    -------
    Fit
        Scores of the model, its baselines and controls; warnings; and the classifier that validation chose.

    Raises
    ------
    ConfigError
        If an option or method is unknown, or does not fit the model.
    DataError
        If training or test examples are missing, or sequences do not fit the context.
    """
    model = model if isinstance(model, Model) else load(model, seed=seed)
    task = task if isinstance(task, Task) else Task.from_table(task, seed=seed)
    nested = {(f"tune.{name}" if name in TuneSettings.model_fields else name): value for name, value in options.items()}
    flags = {"model": model.name, "task": task.settings, "method": method, "seeds": seeds, "seed": seed,
             "device": model.device, **nested}
    settings = load_settings(FinetuneSettings, flags=flags)
    run = RunInMemory()
    run.write_config(settings.as_dict())
    cards: list[ModelCard] = []
    tuned = fit_task(
        run, model, task, settings, Lineage("finetune", seed), Clock(), publish=lambda *made: cards.append(made[2])
    )
    run.lineage["command"] = f"lingome.finetune({model.name!r}, ..., {method!r}, seeds={seeds}, seed={seed})"
    return Fit(model, task, run, tuned, cards[0])


def fit_task(
    run: RunDir, model: Model, task: Task, settings: FinetuneSettings, lineage: Lineage, clock: Clock, *,
    publish: Publish,
) -> Tuned:
    """Fit each method and the controls, measure all, and write every table and the lineage of the run.

    Parameters
    ----------
    run : RunDir
        Where tables, metrics and lineage go.
    model : Model
        What to start from.
    task : Task
        Labelled sequences in splits.
    settings : FinetuneSettings
        Methods, seeds, controls, and how the model is adapted.
    lineage : Lineage
        Of the run; inputs, parents and data seen are added.
    clock : Clock
        Of the run's table ``steps``.
    publish : callable
        Takes the best classifier, its tokenizer and its card.

    Raises
    ------
    ConfigError, DataError
        As `finetune`.
    """
    examples = task.examples
    start = model.start
    for role, path in task.settings.inputs.items():
        if path.is_file():
            lineage.add_input(role, path)
    seeds = [derive_seed(settings.seed, "fit", index) for index in range(settings.seeds)]
    result = evaluate_methods(
        examples, start, settings.method, seeds, settings.tune, random_control=settings.random_control,
        run=run, device=settings.device,
    )
    clock.lap("fine-tuning", f"{len(result.scored)} methods")
    baselines = fit_baselines(examples, start.tokenizer, seeds) if settings.baselines else []
    clock.lap("baselines", f"{len(baselines)}")
    scored = [*result.scored, *baselines]
    scores = write_scores(run, scored, settings.resamples, settings.seed)
    found = answer(scores, scored, result.best_name, settings.resamples, settings.seed)
    clock.lap("intervals", f"{settings.resamples:,} resamples")
    warnings = [*result.warnings, *note_seen(examples, task.genome, start, lineage)]
    write_examples_tables(run, examples, warnings)
    write_map(run, examples.split("test"), result.best.model, start.tokenizer)
    card = ModelCard(
        f"{' or '.join(examples.label_names)}", f"Tells sequences apart: {', '.join(examples.label_names)}.",
        data=[str(path.name) for path in task.settings.inputs.values()],
        training={"from": start.name, "method": result.best_name, **settings.tune.as_dict()},
    )
    publish(result.best.model, start.tokenizer, card)
    clock.lap("writing", "")
    run.write_table("steps", clock.rows)
    run.write_lineage(lineage.as_dict(
        title="Fine-tuning", question=f"Can sequence tell {' from '.join(reversed(examples.label_names))}?",
        answer=found, model=start.name, best=result.best_name,
        background=base_shares(task.genome).tolist() if task.genome is not None else None,
    ))
    return Tuned(result.best.model, found, scores)


class Fit:
    """A fine-tuned classifier with its measures; `finetune` makes one.

    Parameters
    ----------
    model : Model
        What it started from.
    task : Task
        What it learnt from.
    run : RunInMemory
        Every table, the settings and the lineage.
    tuned : Tuned
        The classifier that validation chose, and the answer.
    card : ModelCard
        What the README of its checkpoint says.

    Attributes
    ----------
    classifier : Model
        The classifier, which can also embed.
    answer : str
        How good it is, and whether it beats the strongest baseline, in a sentence.
    """

    def __init__(self, model: Model, task: Task, run: RunInMemory, tuned: Tuned, card: ModelCard) -> None:
        opened = model.opened._replace(
            name=f"fine-tuned {model.name}", model=tuned.classifier, folder=None, digest="", lineage=run.lineage
        )
        self.model = model
        self.task = task
        self.run = run
        self.answer = tuned.answer
        self.classifier = Model(
            opened, device=model.device, precision=model.precision, batch_tokens=model.batch_tokens
        )
        self._card = card

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `predict_proba`."""
        return self.classifier.label_names

    @property
    def scores(self) -> Table:
        """One row per method: the model, controls and baselines, with 95% intervals, on the test examples."""
        return self.run.tables["scores"]

    @property
    def warnings(self) -> Table:
        """What a reader must know before believing the scores: level, topic, text."""
        return self.run.tables["warnings"]

    @property
    def leaks(self) -> Table:
        """What the check of the splits against each other found."""
        return self.run.tables["leaks"]

    def predict_proba(self, sequences: Sequences) -> np.ndarray:
        """Give the probability of each class for each of N sequences: float64, shape (N, C).

        Raises
        ------
        DataError
            If a sequence cannot be read, is empty, or is longer than the context.
        """
        return self.classifier.predict_proba(sequences, too_long=self._too_long())

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Give the most probable class of each of N sequences: names, shape (N,); raises as `predict_proba`."""
        return self.classifier.predict(sequences, too_long=self._too_long())

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write a run directory, as ``lingome finetune`` does: the classifier, all tables, settings and lineage.

        `lingome.report` makes its page; ``lingome predict`` and ``lingome evaluate`` take it as a model.

        Parameters
        ----------
        folder : str or Path
            The run directory to make.
        force : bool
            Replace a run that is there.

        Returns
        -------
        Path
            The run directory.

        Raises
        ------
        DataError
            If the folder exists and `force` is false, or cannot be written.
        """
        path = Path(folder).expanduser()
        with RunDir.create(path, force=force) as run:
            save_checkpoint(
                run.checkpoint_path, self.classifier.network, self.classifier.tokenizer, self._card
            )
            self.run.copy_to(run)
        return path

    def _too_long(self) -> Any:
        return self.run.config["tune"]["too_long"]

    def __repr__(self) -> str:
        shown = score_view(self.scores.to_dicts())
        warnings = [RunWarning.from_row(row) for row in self.run.read_table("warnings")]
        said = [f"{one.level}: {one.topic}: {one.text}" for one in warnings]
        return "\n".join([f"Fit of {self.model.name!r}: {self.answer}", repr(shown), *said])

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self.answer)}</p>", score_view(self.scores.to_dicts())._repr_html_()]
        if len(self.warnings):
            parts.append(self.warnings._repr_html_())
        return "".join(parts)
