"""Measure a model, or a task without one, beside its baselines."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lingome.api.finetune import Fit
from lingome.api.genome import as_genome
from lingome.api.model import Model, load, require_dna
from lingome.api.run import RunInMemory
from lingome.api.sequences import is_table
from lingome.api.task import Task
from lingome.config.evaluate import EvaluateSettings
from lingome.config.parts.task import file_kind
from lingome.config.schema.settings import load_settings
from lingome.core.errors import ConfigError
from lingome.core.lineage import Lineage
from lingome.core.outcome import Table
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed, generator
from lingome.core.warnings import RunWarning
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.splits import hold_out_ends
from lingome.data.windows import tile
from lingome.evaluate.baselines.classifiers import fit_baselines, usable_splits
from lingome.evaluate.classification import leak_view, score_numbers, write_leaks, write_scores
from lingome.evaluate.classifier import score_classifier
from lingome.evaluate.language.perplexity import compare_language
from lingome.evaluate.leaks.leakage import leak_warnings
from lingome.evaluate.leaks.seen import pretraining_overlap
from lingome.evaluate.measures.scores import Scored, verdict
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.models.architecture import CausalModel
from lingome.models.heads.classifier import SequenceClassifier
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

IN_MEMORY = Path("(in memory)")
"""What settings say of a table or model that is no file."""


class Measured(NamedTuple):
    """What an evaluation came to: an answer in sentences, and tables for people."""

    answer: str
    tables: list[Table]


def evaluate(subject: Any, data: Any = None, *, seed: int = 0, **options: Any) -> Evaluation:
    """Measure a classifier on labelled sequences, a language model on a genome, or the baselines alone on a table.

    Parameters
    ----------
    subject : Fit, Model, str, Path, Task or table
        What is measured: a classifier or language model, by object or name; or labelled sequences, for which every
        baseline and the check of the splits are computed.
    data : Task, table, Genome, str or Path, optional
        Labelled sequences for a classifier (those of a `Fit` are its own by default), a genome for a language model.
    seed : int
        Of fits, windows and resamples.
    **options
        Further settings of ``lingome evaluate``: ``baselines``, ``seeds``, ``resamples``, ``n_windows``,
        ``window_bp``, ``mask_rate`` ...

    Returns
    -------
    Evaluation
        An answer in words, tables with intervals, warnings.

    Raises
    ------
    ConfigError
        If an option is unknown, or model and data do not fit together.
    CheckpointError
        If there is no such model.
    DataError
        If the data cannot be read.
    """
    model, data = _sort(subject, data)
    named: dict[str, Any] = {}
    if model is not None:
        named["model"] = model.name
    language = model is not None and not isinstance(model.network, SequenceClassifier)
    if language:
        if not isinstance(data, Genome):
            raise ConfigError("a language model is measured on a genome", got=type(data).__name__,
                              expected="an open genome, or the path of a FASTA")
        named["genome"] = data.path
    else:
        named["table"] = data.settings.table or IN_MEMORY
    device = model.device if model is not None else "auto"
    settings = load_settings(EvaluateSettings, flags={**named, "seed": seed, "device": device, **options})
    lineage = Lineage("evaluate", seed)
    for role in ("table", "genome"):
        path = getattr(settings, role)
        if path is not None and path.is_file():
            lineage.add_input(role, path)
    run = RunInMemory()
    run.write_config(settings.as_dict())
    if model is not None:
        add_model(lineage, model)
    if model is not None and language:
        found = measure_language(run, model, data, settings, lineage)
    else:
        tokenizer = load_tokenizer(settings.tokenizer) if settings.tokenizer is not None else None
        found = measure_classifier(run, model, data.examples, settings, lineage, tokenizer)
    run.lineage["command"] = f"lingome.evaluate({str(named.get('model', 'task'))!r}, ..., seed={seed})"
    return Evaluation(run, found)


def add_model(lineage: Lineage, model: Model) -> None:
    """Record in a lineage which weights are measured, and what they have seen."""
    if model.folder is not None and (model.folder / "model.safetensors").is_file():
        lineage.add_input("weights", model.folder / "model.safetensors")
    if model.folder is not None or model.lineage:
        lineage.add_parent(model.lineage)


def measure_classifier(
    run: RunDir, model: Model | None, examples: Examples, settings: EvaluateSettings, lineage: Lineage,
    tokenizer: Tokenizer | None,
) -> Measured:
    """Measure a classifier and the baselines on the test examples, and write every table and the lineage.

    Parameters
    ----------
    run : RunDir
        Where tables and lineage go.
    model : Model, optional
        A classifier; the baselines alone without one.
    examples : Examples
        In splits.
    settings : EvaluateSettings
        Baselines, seeds, resamples.
    lineage : Lineage
        Of the run.
    tokenizer : Tokenizer, optional
        For the baselines on tokens, where there is no model, which brings its own.

    Raises
    ------
    CheckpointError
        If the model is no classifier, or its classes are not as many as those of the examples.
    ConfigError
        If there is nothing to measure.
    DataError
        If there are no labelled training or test examples.
    """
    usable_splits(examples)
    scored: list[Scored] = []
    if model is not None:
        network = model.classifier()
        if sorted(network.config.label_names) == sorted(examples.label_names):
            examples = examples.with_label_names(network.config.label_names)
        tokenizer = model.tokenizer
        scored.append(score_classifier(network, tokenizer, examples, model.name, settings.too_long))
    if settings.baselines:
        seeds = [derive_seed(settings.seed, "fit", index) for index in range(settings.seeds)]
        scored += fit_baselines(examples, tokenizer, seeds, n_trees=settings.n_trees)
    if not scored:
        raise ConfigError("there is nothing to measure: no model, and baselines=false")
    scores = write_scores(run, scored, settings.resamples, settings.seed)
    leaks = write_leaks(run, examples)
    test = examples.split("test")
    warnings = leak_warnings(leaks) + pretraining_overlap(lineage.data_seen, test.intervals or [])
    run.write_warnings(warnings)
    answer = _with_warnings(verdict(scored, n_resamples=settings.resamples, seed=settings.seed), warnings)
    classes = " from ".join(reversed(examples.label_names)) if len(examples.label_names) == 2 else "classes"
    run.write_lineage(lineage.as_dict(
        title="Evaluation", question=f"How well can sequence tell {classes}?", answer=answer,
    ))
    return Measured(answer, [score_numbers(scores), leak_view(leaks)])


def measure_language(
    run: RunDir, model: Model, genome: Genome, settings: EvaluateSettings, lineage: Lineage
) -> Measured:
    """Measure a language model on the last tenth of every sequence of the genome, and write tables and lineage.

    Parameters
    ----------
    run : RunDir
        Where tables and lineage go.
    model : Model
        A language model of DNA.
    genome : Genome
        The baselines count on the first nine tenths of each sequence.
    settings : EvaluateSettings
        Windows, mask rate.
    lineage : Lineage
        Of the run.

    Raises
    ------
    CheckpointError
        If the model gives letters no probability.
    ConfigError
        If it does not read DNA, or a causal one is to hide something.
    """
    network = model.language_model()
    causal = isinstance(network, CausalModel)
    require_dna(model.tokenizer)
    if causal and "mask_rate" in settings.model_fields_set:
        raise ConfigError("a causal model hides nothing: leave out mask_rate", where="mask_rate")
    learn, shown = hold_out_ends(genome.lengths, 0.1)
    draw = generator(settings.seed, "evaluate windows")
    test = list(Stretches(genome, shown, "test").draw(settings.n_windows, settings.window_bp, draw))
    # Tiles, not draws: draws overlap, and the Markov model would choose its order on bases it counted.
    tiles = tile({one.chrom: one.end for one in learn}, settings.window_bp, settings.window_bp)
    every = max(1, len(tiles) * settings.window_bp // 20_000_000)
    train = [genome.sequence(one.chrom, one.start, one.end) for one in tiles[::every]]
    scores = compare_language(
        network, model.tokenizer, train, test, rate=settings.mask_rate, seed=settings.seed, name=model.name
    )
    warnings = pretraining_overlap(lineage.data_seen, shown, genome.digest)
    kinds = ["model", *["baseline" for _ in scores[1:]]]
    run.write_table("language", [
        {"name": one.name, "kind": kind, **one._asdict()} for one, kind in zip(scores, kinds, strict=True)
    ])
    run.write_warnings(warnings)
    best = min(scores[1:], key=lambda score: score.bits_per_base)
    needed = f"{scores[0].bits_per_base:.3f} bits per base, {best.name} {best.bits_per_base:.3f}"
    parts = [RunWarning(one.level, one.topic, one.text.replace("windows", "parts")) for one in warnings]
    answer = _with_warnings(f"The model needs {needed} (a uniform guess: 2).", parts)
    asked = f"How well does the model guess {'the next token' if causal else 'hidden sequence'}?"
    run.write_lineage(lineage.as_dict(title="Evaluation", question=asked, answer=answer))
    title = f"{settings.n_windows} windows of {settings.window_bp} bases"
    return Measured(answer, [Table(title, list(scores[0]._fields), [tuple(one) for one in scores])])


def _with_warnings(answer: str, warnings: Sequence[RunWarning]) -> str:
    return " ".join([answer, *(f"{one.level}: {one.text}." for one in warnings)])


def _sort(subject: Any, data: Any) -> tuple[Model | None, Any]:
    """Tell what is a model, what labelled sequences and what a genome."""
    if isinstance(subject, Fit):
        return subject.classifier, _as_data(subject.task if data is None else data)
    if isinstance(subject, Model):
        return subject, _as_data(data)
    if isinstance(subject, Task | tuple) or is_table(subject):
        return None, _as_data(subject)
    path = Path(subject).expanduser()
    if data is None and path.is_file():
        return None, _as_data(path)
    model = load(subject)
    if data is None and (path / "tables" / "examples.tsv").is_file():
        data = path / "tables" / "examples.tsv"
    return model, _as_data(data)


def _as_data(data: Any) -> Task | Genome:
    if isinstance(data, Task | Genome):
        return data
    if data is None:
        raise ConfigError("there is nothing to measure on",
                          hint="give labelled sequences, or a genome for a language model")
    if isinstance(data, str | Path) and not Path(data).is_dir() and file_kind(str(data)) == "genome":
        return as_genome(data)
    return Task.from_table(data)


class Evaluation:
    """Measures of a model or a task; `evaluate` makes one.

    Parameters
    ----------
    run : RunInMemory
        Every table, the settings and the lineage.
    measured : Measured
        The answer, and tables for people.

    Attributes
    ----------
    answer : str
        What was found, in sentences.
    """

    def __init__(self, run: RunInMemory, measured: Measured) -> None:
        self.run = run
        self.answer = measured.answer
        self._shown = measured.tables

    @property
    def scores(self) -> Table:
        """One row per method, with 95% intervals; of a language model, its bits per base beside baselines."""
        return self.run.tables["scores" if self.run.has_table("scores") else "language"]

    @property
    def warnings(self) -> Table:
        """What a reader must know before believing the scores: level, topic, text."""
        return self.run.tables["warnings"]

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write a run directory, as ``lingome evaluate`` does; `lingome.report` makes its page.

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
            self.run.copy_to(run)
        return path

    def __repr__(self) -> str:
        return "\n".join([f"Evaluation: {self.answer}", *map(repr, self._shown)])

    def _repr_html_(self) -> str:
        return "".join([f"<p>{html.escape(self.answer)}</p>", *(table._repr_html_() for table in self._shown)])
