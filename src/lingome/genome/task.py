"""From a task's settings to its labelled, divided sequences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lingome.config.parts.task import SplitSettings, TaskSettings, file_kind
from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.motifs import select
from lingome.data.readers.bed import bed_rows, on_genome, peak_rows
from lingome.data.readers.gff import read_gff
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.readers.tables import read_examples
from lingome.data.splits import divide, reach
from lingome.genome.regions import build_regions, promoter_intervals
from lingome.genome.sites import build_sites


def build_examples(task: TaskSettings, *, seed: int = 0, genome: Genome | None = None) -> Examples:
    """Read or build the examples of a task, and divide them.

    Parameters
    ----------
    task : TaskSettings
        A table, motif sites under peaks, or regions against background.
    seed : int
        Of drawn background and of random splits.
    genome : Genome, optional
        The genome, if it is open already.

    Raises
    ------
    ConfigError
        If the inputs make no task, or the split does not fit them.
    DataError
        If an input cannot be read, or too little is left.
    """
    task.check()
    if task.table is not None:
        examples = read_examples(task.table, task.sequence_column, task.label_column)
        lengths: Mapping[str, int] = reach(examples.intervals or ())
    else:
        assert task.genome is not None
        genome = genome or Genome.open(task.genome)
        lengths = genome.lengths
        examples = _sites(task, genome) if task.motifs is not None else _regions(task, genome, seed)
    return divide_and_say(examples, lengths, task.split, seed=seed)


def divide_and_say(
    examples: Examples, lengths: Mapping[str, int], split: SplitSettings, *, seed: int = 0
) -> Examples:
    """Divide examples as `divide` does, and say how many each split has.

    Parameters
    ----------
    examples : Examples
        Their own splits count where the settings name a column.
    lengths : mapping of str to int
        Length of each chromosome in bp, for blocks.
    split : SplitSettings
        The way.
    seed : int
        Of random splits.

    Raises
    ------
    ConfigError, DataError
        As `divide`.
    """
    divided = examples.with_splits(divide(examples, lengths, split, seed=seed))
    counts = {name: int((divided.splits == name).sum()) for name in SPLITS}
    left_out = len(divided) - sum(counts.values())
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    unused = f" ({left_out:,} in gaps between blocks, or in no split, are not used)" if left_out else ""
    say(f"{said}{unused}")
    return divided


def read_places(path: Path, lengths: Mapping[str, int]) -> list[Interval]:
    """Read BED or narrowPeak, without what lies on chromosomes that the genome lacks.

    Raises
    ------
    DataError
        If it cannot be read, or nothing lies on the genome.
    """
    peaks = file_kind(str(path)) == "peaks" and "narrow" in path.name.lower()
    rows = [(n, peak.interval) for n, peak in peak_rows(path)] if peaks else [row[:2] for row in bed_rows(path)]
    if not rows:
        raise DataError("there is no interval in this file", where=path)
    return on_genome([place for _, place in rows], lengths, path, [number for number, _ in rows])


def _sites(task: TaskSettings, genome: Genome) -> Examples:
    assert task.motifs is not None
    assert task.peaks is not None
    return build_sites(
        genome,
        select(read_jaspar(task.motifs), task.motif),
        read_places(task.peaks, genome.lengths),
        blacklist=read_places(task.blacklist, genome.lengths) if task.blacklist is not None else (),
        p_value=task.p_value,
        flank_bp=task.flank_bp,
    )


def _regions(task: TaskSettings, genome: Genome, seed: int) -> Examples:
    assert task.positives is not None
    if file_kind(str(task.positives)) == "genes":
        genes = read_gff(task.positives, types=("gene",))
        positives = promoter_intervals(genes, genome.lengths, task.upstream_bp, task.downstream_bp)
    else:
        positives = read_places(task.positives, genome.lengths)
    negatives = read_places(task.negatives, genome.lengths) if task.negatives is not None else None
    return build_regions(
        genome, positives, width_bp=task.width_bp, negatives=negatives, match=task.match, seed=seed
    )
