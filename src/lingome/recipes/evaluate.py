"""Measure a model, or a task without one, beside its baselines, with intervals and a leak check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lingome.config.evaluate import EvaluateSettings
from lingome.config.task import SplitSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed, generator
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.splits import divide, hold_out_ends, reach, split_random
from lingome.data.tables import read_examples
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
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import read_config
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.open import RANDOM, Opened, find_model, load_model
from lingome.models.reading.cost import ReadingCost, estimate_reading
from lingome.models.reading.pieces import CUT_HINT, cut_to_fit
from lingome.models.scoring.cost import read_rows
from lingome.tokens.alphabet import DNA
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer
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
    folder = None if opened is None else opened.folder
    lineage = Lineage("evaluate", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        weights = None if folder is None else folder / "model.safetensors"
        for role, path in (("table", settings.table), ("genome", settings.genome), ("weights", weights)):
            if path is not None and path.is_file():
                lineage.add_input(role, path)
        if opened is not None and opened.folder is not None:
            lineage.add_parent(opened.lineage)
        if opened is not None and not isinstance(opened.model, SequenceClassifier):
            return _language(settings, opened, run_dir, lineage)
        return _classification(settings, opened, run_dir, lineage)


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


def _classification(
    settings: EvaluateSettings, opened: Opened[SequenceClassifier] | None, run_dir: RunDir, lineage: Lineage
) -> Outcome:
    examples = read_task(settings)
    usable_splits(examples)
    scored: list[Scored] = []
    tokenizer: Tokenizer | None = load_tokenizer(settings.tokenizer) if settings.tokenizer is not None else None
    if opened is not None:
        model, tokenizer = opened.model, opened.tokenizer
        model.to(pick_device(settings.device))
        if sorted(model.config.label_names) == sorted(examples.label_names):
            examples = examples.with_label_names(model.config.label_names)
        scored.append(score_classifier(model, tokenizer, examples, str(settings.model), settings.too_long))
    if settings.baselines:
        seeds = [derive_seed(settings.seed, "fit", index) for index in range(settings.seeds)]
        scored += fit_baselines(examples, tokenizer, seeds, n_trees=settings.n_trees)
    if not scored:
        raise ConfigError("there is nothing to measure: no model, and baselines=false")
    scores = write_scores(run_dir, scored, settings.resamples, settings.seed)
    leaks = write_leaks(run_dir, examples)
    test = examples.split("test")
    warnings = leak_warnings(leaks) + pretraining_overlap(lineage.data_seen, test.intervals or [])
    run_dir.write_warnings(warnings)
    found = verdict(scored, n_resamples=settings.resamples, seed=settings.seed)
    answer = " ".join([found, *(f"{one.level}: {one.text}." for one in warnings)])
    classes = " from ".join(reversed(examples.label_names)) if len(examples.label_names) == 2 else "classes"
    run_dir.write_lineage(lineage.as_dict(
        title="Evaluation", question=f"How well can sequence tell {classes}?", answer=answer,
    ))
    views = [score_numbers(scores), leak_view(leaks)]
    return Outcome(f"{answer}\nrun: {settings.out}", path=settings.out, tables=views)


def _language(
    settings: EvaluateSettings, opened: Opened[LanguageModel], run_dir: RunDir, lineage: Lineage
) -> Outcome:
    """Measure a language model on the last tenth of every sequence of the genome."""
    model, tokenizer = opened.model, opened.tokenizer
    causal = isinstance(model, CausalModel)
    if tokenizer.alphabet is not DNA:
        raise ConfigError("this model does not read DNA", where=settings.model, got=tokenizer.alphabet.name)
    if causal and "mask_rate" in settings.model_fields_set:
        raise ConfigError("a causal model hides nothing: leave out mask_rate", where="mask_rate")
    model.to(pick_device(settings.device))
    genome = _genome(settings)
    learn, shown = hold_out_ends(genome.lengths, 0.1)
    draw = generator(settings.seed, "evaluate windows")
    test = list(Stretches(genome, shown, "test").draw(settings.n_windows, settings.window_bp, draw))
    # Tiles, not draws: draws overlap, and the Markov model would choose its order on bases it counted.
    tiles = tile({one.chrom: one.end for one in learn}, settings.window_bp, settings.window_bp)
    every = max(1, len(tiles) * settings.window_bp // 20_000_000)
    train = [genome.sequence(one.chrom, one.start, one.end) for one in tiles[::every]]
    scores = compare_language(
        model, tokenizer, train, test, rate=settings.mask_rate, seed=settings.seed, name=str(settings.model)
    )
    warnings = pretraining_overlap(lineage.data_seen, shown, genome.digest)
    kinds = ["model", *["baseline" for _ in scores[1:]]]
    run_dir.write_table("language", [
        {"name": one.name, "kind": kind, **one._asdict()} for one, kind in zip(scores, kinds, strict=True)
    ])
    run_dir.write_warnings(warnings)
    best = min(scores[1:], key=lambda score: score.bits_per_base)
    needed = f"{scores[0].bits_per_base:.3f} bits per base, {best.name} {best.bits_per_base:.3f}"
    answer = f"The model needs {needed} (a uniform guess: 2)."
    answer = " ".join([answer, *(f"{one.level}: {one.text.replace('windows', 'parts')}." for one in warnings)])
    asked = f"How well does the model guess {'the next token' if causal else 'hidden sequence'}?"
    run_dir.write_lineage(lineage.as_dict(title="Evaluation", question=asked, answer=answer))
    columns = list(scores[0]._fields)
    table = Table(f"{settings.n_windows} windows of {settings.window_bp} bases", columns, [tuple(s) for s in scores])
    return Outcome(f"{answer}\nrun: {settings.out}", tables=[table], path=settings.out)


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
