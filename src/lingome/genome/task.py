"""From a task's settings to its labelled, divided sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lingome.config.task import SplitSettings, TaskSettings, file_kind
from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import say
from lingome.data.bed import bed_rows, on_genome, peak_rows
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.gff import read_gff
from lingome.data.interval import Interval
from lingome.data.motifs import read_jaspar, select
from lingome.data.splits import split_by_blocks, split_by_chromosome, split_random
from lingome.data.tables import read_examples
from lingome.data.windows import overlaps_any
from lingome.genome.regions import build_regions, promoter_intervals
from lingome.genome.sites import build_sites

VALID_SHARE = 0.1


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


def divide(examples: Examples, lengths: Mapping[str, int], split: SplitSettings, *, seed: int = 0) -> np.ndarray:
    """Divide examples into training, validation and test, in the way the settings name.

    Parameters
    ----------
    lengths : mapping of str to int
        Length of each chromosome in bp, for blocks.

    Returns
    -------
    ndarray of object, shape (N,)
        ``train``, ``valid``, ``test``, or an empty string for examples that are not used.

    Raises
    ------
    ConfigError
        If the examples lack what the split needs: a split column, or coordinates.
    """
    given = np.asarray(examples.splits, dtype=object)
    by = split.by
    if by == "auto":
        by = "column" if any(given != "") else "random" if examples.intervals is None else "blocks"
        if split.test_chroms:
            by = "chromosomes"
    if by == "column":
        return _complete(examples, given, seed)
    if by == "random":
        return split_random(examples.sequences, split.fractions, seed)
    if examples.intervals is None:
        raise ConfigError(
            f"a split by {by} needs coordinates", where="split.by",
            hint="add the columns chrom, start and end to the table, or use split.by=random",
        )
    if by == "chromosomes":
        return split_by_chromosome(examples.intervals, split.valid_chroms, split.test_chroms)
    gap_bp = split.gap_bp if split.gap_bp is not None else max(one.length_bp for one in examples.intervals)
    if split.boundaries is None:
        return split_by_blocks(examples.intervals, lengths, split.fractions, gap_bp)
    return split_by_blocks(
        examples.intervals, lengths, None, gap_bp, boundaries=_blocks(examples.intervals, lengths, split, gap_bp)
    )


def _blocks(
    intervals: Sequence[Interval], lengths: Mapping[str, int], split: SplitSettings, gap_bp: int
) -> list[Interval]:
    """Turn two positions on one chromosome into three blocks with gaps around the positions."""
    chroms = sorted({one.chrom for one in intervals})
    assert split.boundaries is not None
    first, second = split.boundaries
    if len(chroms) != 1 or not 0 < first < second < lengths[chroms[0]]:
        raise ConfigError(
            "boundaries are two positions on the one chromosome of the examples", where="split.boundaries",
            got=f"{first}, {second} on {', '.join(chroms[:5])}", hint="use split.fractions, or name chromosomes",
        )
    half = gap_bp // 2
    rest = gap_bp - gap_bp // 2
    edges = ((0, first - half), (first + rest, second - half), (second + rest, lengths[chroms[0]]))
    return [Interval(chroms[0], start, end, name=name) for name, (start, end) in zip(SPLITS, edges, strict=True)]


def _complete(examples: Examples, given: np.ndarray, seed: int) -> np.ndarray:
    """Use the table's own split; take validation from training if the table has none."""
    if not any(given != ""):
        raise ConfigError("the table has no split column", where="split.by", hint="use split.by=random")
    for name in ("train", "test"):
        if name not in given:
            raise DataError(
                f"the split column has no {name} rows", got=", ".join(sorted(set(given.tolist()) - {""})),
                hint="divide anew with task.split.by=random (or blocks, with coordinates)",
            )
    if "valid" in given:
        return given
    train = np.flatnonzero(given == "train")
    drawn = split_random([examples.sequences[i] for i in train.tolist()], (1 - VALID_SHARE, VALID_SHARE, 0.0), seed)
    divided = given.copy()
    divided[train[drawn == "valid"]] = "valid"
    say(f"the table names no validation rows: {int((drawn == 'valid').sum()):,} training rows were taken at random")
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


def reach(intervals: Sequence[Interval]) -> dict[str, int]:
    """Give the last base that intervals reach on each chromosome, for tables that come without a genome."""
    ends: dict[str, int] = {}
    for one in sorted(intervals, key=lambda interval: interval.chrom):
        ends[one.chrom] = max(ends.get(one.chrom, 0), one.end)
    return ends


def split_rows(examples: Examples) -> list[dict[str, Any]]:
    """Give rows of the table ``splits``: each split's reach on each chromosome, and its examples."""
    rows = []
    for name in SPLITS:
        part = examples.split(name)
        chroms = sorted({one.chrom for one in part.intervals}) if part.intervals is not None else [None]
        for chrom in chroms:
            here = part
            if chrom is not None and part.intervals is not None:
                here = part.select(np.array([one.chrom == chrom for one in part.intervals], dtype=bool))
            places = here.intervals or ()
            rows.append({
                "split": name,
                "chrom": chrom,
                "start": min((one.start for one in places), default=None),
                "end": max((one.end for one in places), default=None),
                "n": len(here),
                "n_positive": int((here.labels == 1).sum()) if len(examples.label_names) == 2 else None,
            })
    return rows


def example_rows(examples: Examples) -> list[dict[str, Any]]:
    """Give rows of the table ``examples``, which `read_examples` reads back."""
    rows = []
    for index, name in enumerate(examples.ids):
        place = examples.intervals[index] if examples.intervals is not None else None
        label = int(examples.labels[index])
        rows.append({
            "id": name,
            **({"chrom": place.chrom, "start": place.start, "end": place.end, "strand": place.strand} if place else {}),
            "label": examples.label_names[label] if label >= 0 else None,
            "split": str(examples.splits[index]),
            **{column: float(values[index]) for column, values in examples.columns.items()},
            "sequence": examples.sequences[index],
        })
    return rows


def seen_before(intervals: Sequence[Interval], digest: str, data_seen: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Say of each interval whether a model has seen any of it, by what its lineage says.

    Parameters
    ----------
    intervals : sequence of Interval
        N intervals of the genome with this digest.
    digest : str
        `Genome.digest`; the same sequence in another file has the same digest.
    data_seen : sequence of mapping
        As `Lineage.add_seen` writes them.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    seen = [Interval(one["chrom"], one["start"], one["end"]) for one in data_seen if one.get("genome") == digest]
    return overlaps_any(intervals, seen)
