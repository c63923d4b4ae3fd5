"""Measure a model, or a task without one, beside its baselines, with intervals and a leak check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lingome.api.evaluate import add_model, measure_classifier, measure_language
from lingome.api.model import Model
from lingome.config.evaluate import EvaluateSettings
from lingome.config.parts.task import SplitSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan
from lingome.core.rundir import RunDir
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.readers.tables import read_examples
from lingome.data.splits import divide, reach, split_random
from lingome.evaluate.baselines.classifiers import usable_splits
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import read_config
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.open import RANDOM, Opened, find_model, load_model
from lingome.models.reading.cost import ReadingCost, estimate_reading
from lingome.models.reading.pieces import CUT_HINT, cut_to_fit
from lingome.models.scoring.cost import read_rows
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.load import load_tokenizer
from lingome.tune.cost import estimate_predicting


def plan(settings: EvaluateSettings) -> Plan:
    """Read the inputs and say what would be measured."""
    check_absent(settings.out, settings.force)
    pick_device(settings.device)
    opened = None if settings.model is None else _open(settings)
    rows = [("model", "none: baselines only" if opened is None else str(opened.folder or opened.name))]
    if opened is not None and not isinstance(opened.model, SequenceClassifier):
        genome = _genome(settings)
        rows.append(("genome", f"{len(genome.lengths)} sequences, {sum(genome.lengths.values()):,} bases"))
        rows.append(("windows", f"{settings.n_windows} of {settings.window_bp} bases"))
        rows += _estimate_language(settings, opened).rows()
    else:
        examples = read_task(settings)
        train, valid, test = usable_splits(examples)
        rows.append(("examples", ", ".join(f"{int((examples.splits == name).sum()):,} {name}" for name in SPLITS)))
        rows.append(("classes", ", ".join(examples.label_names)))
        judged = [*valid.sequences, *test.sequences]
        rows += _estimate_classification(settings, opened, len(train), judged).rows()
    return Plan("evaluate", [*rows, ("output", str(settings.out))])


def _estimate_language(settings: EvaluateSettings, opened: Opened[LanguageModel]) -> ReadingCost:
    """Time one batch of windows; 3 s more for the models of letters and tokens that stand beside."""
    device = pick_device(settings.device)
    model = opened.model.to(device)
    row_tokens = N_SPECIAL + settings.window_bp / max(1.0, float(opened.tokenizer.token_lengths.mean()))
    row_tokens = min(row_tokens, model.config.max_positions)
    cost = estimate_reading(
        lambda rows: read_rows(model, opened.tokenizer, list(rows)), model, opened.tokenizer,
        settings.n_windows * row_tokens, row_tokens, device=device,
    )
    return cost._replace(seconds=cost.seconds + 3)


def _estimate_classification(
    settings: EvaluateSettings, opened: Opened[SequenceClassifier] | None, n_train: int, judged: Sequence[str]
) -> ReadingCost:
    """Time one batch of the classifier, if there is one, and add what fitting the forests takes."""
    forests_s = 2 * settings.seeds * n_train * settings.n_trees * 4e-6 if settings.baselines else 0.0
    intervals_s = 1 + len(judged) * 0.004
    if opened is None:
        return ReadingCost(1 + intervals_s + forests_s, 1e9)
    room = opened.model.config.max_positions
    ids = cut_to_fit(opened.tokenizer, judged, room, settings.too_long, hint=CUT_HINT).ids
    cost = estimate_predicting(opened.model, opened.tokenizer, ids, settings.device)
    return ReadingCost(cost.seconds + intervals_s + forests_s, max(1e9, cost.memory_bytes))


def run(settings: EvaluateSettings) -> Outcome:
    """Measure, write the run directory, and give the tables."""
    pick_device(settings.device)
    opened = None if settings.model is None else _open(settings)
    model = None if opened is None else Model(opened, device=settings.device)
    lineage = Lineage("evaluate", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        for role, path in (("table", settings.table), ("genome", settings.genome)):
            if path is not None and path.is_file():
                lineage.add_input(role, path)
        if model is not None:
            add_model(lineage, model)
        if model is not None and not isinstance(model.network, SequenceClassifier):
            found = measure_language(run_dir, model, _genome(settings), settings, lineage)
        else:
            tokenizer = load_tokenizer(settings.tokenizer) if settings.tokenizer is not None else None
            found = measure_classifier(run_dir, model, read_task(settings), settings, lineage, tokenizer)
    return Outcome(f"{found.answer}\nrun: {settings.out}", tables=found.tables, path=settings.out)


def read_task(settings: EvaluateSettings) -> Examples:
    """Read the examples; without a split, divide them by blocks where they have coordinates, else at random.

    Raises
    ------
    DataError
        If there are no examples, or too few labels.
    """
    table = settings.table
    if table is None:
        assert settings.model is not None, "the settings hold a model or a table"
        table = settings.model / "tables" / "examples.tsv"
        if not table.is_file():
            raise DataError(
                "this model brings no examples of its own", where=settings.model,
                expected="tables/examples.tsv in a run", hint="name a table of labelled sequences too",
            )
    examples = read_examples(table, settings.sequence_column, settings.label_column)
    if settings.split == "auto" and (examples.splits != "").any():
        return examples
    shares = (1 - settings.valid_share - settings.test_share, settings.valid_share, settings.test_share)
    if settings.split == "random" or examples.intervals is None:
        return examples.with_splits(split_random(examples.sequences, shares, settings.seed))
    return examples.with_splits(divide(examples, reach(examples.intervals), SplitSettings(fractions=shares)))


def _genome(settings: EvaluateSettings) -> Genome:
    if settings.genome is None:
        raise ConfigError(
            "this model is no classifier, and a language model needs sequence to be measured on", where=settings.model,
            hint="add a FASTA; or give a fine-tuned model",
        )
    return Genome.open(settings.genome)


def _open(settings: EvaluateSettings) -> Opened[Any]:
    """Load the model: a classifier where the checkpoint has classes of its own, else a language model."""
    name = str(settings.model)
    classifies = not name.startswith(RANDOM) and "Classif" in str(read_config(find_model(name)).get("architectures"))
    return load_model(name, "classifier" if classifies else "language_model", seed=settings.seed)
