"""Score sequences, windows or motif sites with a fine-tuned model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lingome.api.model import Model
from lingome.config.parts.task import TaskSettings
from lingome.config.predict import PredictSettings
from lingome.config.schema.settings import load_settings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_file, check_new_file
from lingome.core.outcome import Outcome, Plan
from lingome.core.rundir import RunDir
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.motifs import select
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.readers.tables import read_sequences
from lingome.genome.predictions import as_bed, prediction_rows
from lingome.genome.regions import read_windows
from lingome.genome.sites import find_sites, site_windows
from lingome.genome.task import read_places
from lingome.models.devices import pick_device
from lingome.models.open import load_model
from lingome.models.presets import count_parameters
from lingome.models.reading.pieces import CUT_HINT, cut_to_fit
from lingome.tune.cost import estimate_predicting


def plan(settings: PredictSettings) -> Plan:
    """Load the model, read the inputs, and say what would be scored."""
    opened, examples, _ = _open(settings)
    model = opened.classifier()
    tokenizer = opened.tokenizer
    ids = cut_to_fit(
        tokenizer, examples.sequences, model.config.max_positions, settings.too_long, hint=CUT_HINT
    ).ids
    n_tokens = sum(len(one) for one in ids)
    n_parameters = count_parameters(model)
    return Plan("predict", [
        ("model", f"{settings.model}: {n_parameters:,} parameters, classes {', '.join(model.config.label_names)}"),
        ("sequences", f"{len(examples):,}, {n_tokens:,} tokens"),
        *estimate_predicting(model, tokenizer, ids, settings.device, settings.batch_tokens).rows(),
        ("output", f"{settings.out or 'standard output'} ({_format(settings, examples)})"),
    ])


def run(settings: PredictSettings) -> Outcome:
    """Score everything, and write BED or a table."""
    model, examples, flank_bp = _open(settings)
    form = _format(settings, examples)
    probabilities = model.predict_proba(examples, too_long=settings.too_long)
    if form == "BED":
        text = as_bed(prediction_rows(examples, probabilities, flank_bp))
    else:
        text = _as_table(examples, probabilities, model.label_names)
    message = f"scored {len(examples):,} sequences"
    if settings.out is None:
        return Outcome(message, text=text)
    with atomic_file(settings.out, force=settings.force) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Outcome(f"{message}: {settings.out}", path=settings.out)


def find_site_windows(settings: PredictSettings, trained: TaskSettings, background: list[float] | None) -> Examples:
    """Find the motif sites of a genome or a region, and the windows around them, as in training."""
    assert settings.genome is not None
    assert settings.motifs is not None
    genome = Genome.open(settings.genome)
    sites = find_sites(
        genome,
        select(read_jaspar(settings.motifs), settings.motif or trained.motif),
        p_value=settings.p_value or trained.p_value,
        background=background,
        regions=[Interval.parse(settings.region, genome.lengths)] if settings.region else None,
    )
    return site_windows(genome, sites, flank_bp=trained.flank_bp if settings.flank_bp is None else settings.flank_bp)


def _open(settings: PredictSettings) -> tuple[Model, Examples, int]:
    """Load the model and the inputs; also the flank around motifs, 0 if there are none."""
    if settings.out is not None:
        check_new_file(settings.out, settings.force)
    pick_device(settings.device)
    opened = load_model(settings.model, "classifier")
    model = Model(opened, device=settings.device, batch_tokens=settings.batch_tokens)
    assert opened.folder is not None, "random weights are no classifier"
    config = RunDir(opened.folder.parent).read_config()
    task = config.get("task", {name: config[name] for name in ("p_value", "flank_bp") if name in config})
    trained = load_settings(TaskSettings, flags=task if isinstance(task, dict) else None)
    if settings.sequences is not None:
        if settings.genome or settings.bed or settings.motifs:
            raise ConfigError("sequences need no genome", got="sequences and a genome", hint="give one or the other")
        ids, sequences = read_sequences(settings.sequences, settings.sequence_column)
        return model, _unlabelled(ids, sequences, None), 0
    if settings.genome is None or (settings.bed is None) == (settings.motifs is None):
        raise ConfigError(
            "there is nothing to score",
            hint="give a table or FASTA of sequences, a genome and a BED, or a genome and motifs",
        )
    if settings.motifs is not None:
        examples = find_site_windows(settings, trained, opened.lineage.get("background"))
        flank_bp = trained.flank_bp if settings.flank_bp is None else settings.flank_bp
    else:
        genome = Genome.open(settings.genome)
        assert settings.bed is not None
        places = read_places(settings.bed, genome.lengths)
        if settings.region is not None:
            limits = Interval.parse(settings.region, genome.lengths)
            places = [one for one in places if one.chrom == limits.chrom]
            places = [one for one in places if limits.start <= one.start and one.end <= limits.end]
        windows, texts = read_windows(genome, places, settings.width_bp, "windows", allow_n=True)
        examples = _unlabelled([str(one) for one in windows], texts, windows)
        flank_bp = 0
    if not len(examples):
        raise DataError("there is nothing to score", where=settings.genome, got="no window or site", hint="see region")
    return model, examples, flank_bp


def _unlabelled(ids: list[str], sequences: list[str], intervals: list[Interval] | None) -> Examples:
    unknown = np.full(len(sequences), -1, dtype=np.int64)
    return Examples(sequences, unknown, np.full(len(sequences), "", dtype=object), ids, intervals)


def _format(settings: PredictSettings, examples: Examples) -> str:
    suffix = Path(settings.out).suffix if settings.out is not None else ""
    if suffix not in ("", ".bed", ".tsv", ".txt"):
        raise ConfigError("predictions are written as .bed or .tsv", where="out", got=settings.out)
    if suffix == ".bed" and examples.intervals is None:
        raise ConfigError("sequences without coordinates make no BED", where="out", got=settings.out, hint="-o X.tsv")
    return "BED" if suffix == ".bed" or (not suffix and examples.intervals is not None) else "table"


def _as_table(examples: Examples, probabilities: np.ndarray, label_names: tuple[str, ...]) -> str:
    """Write id and probability of class 1; of every class by name when there are more than two."""
    two = len(label_names) == 2
    header = ["id", "probability"] if two else ["id", *label_names]
    shown = probabilities[:, 1:] if two else probabilities
    cells = [[name, *(f"{value:.6f}" for value in row)] for name, row in zip(examples.ids, shown, strict=True)]
    return "".join("\t".join(line) + "\n" for line in [header, *cells])
