"""Do these stretches of a genome look different from the rest of it?

Windows around given intervals are told apart from other windows of the same genome: given ones,
or drawn ones that match in chromosome, width, strand and GC content, so that a model must find
more than composition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import say, track
from lingome.core.seeds import generator
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.data.readers.gff import Feature
from lingome.data.sequence import gc_content
from lingome.data.windows import centred

LABEL_NAMES = ("background", "region")
GC_TOLERANCE = 0.02
ROUNDS = 40
TRIES_PER_WINDOW = 20


def build_regions(
    genome: Genome,
    positives: Sequence[Interval],
    *,
    width_bp: int | None = None,
    negatives: Sequence[Interval] | None = None,
    match: Literal["gc", "none"] = "gc",
    avoid: Sequence[Interval] = (),
    seed: int = 0,
) -> Examples:
    """Build the task of distinguishing given windows of a genome from others.

    Parameters
    ----------
    genome : Genome
        The genome both lie in.
    positives : sequence of Interval
        Label 1. Strand ``-`` is read as the reverse complement.
    width_bp : int, optional
        Width of all windows, centred on the intervals; the intervals as they are by default.
    negatives : sequence of Interval, optional
        Label 0; drawn as matches of the positives by default.
    match : {"gc", "none"}
        What a drawn window must share with its positive beside chromosome, width and strand:
        GC content within 0.02, or nothing.
    avoid : sequence of Interval
        Where no window is drawn, beside `positives`: the whole set, when those are a sample of it.
    seed : int
        Of the draw.

    Returns
    -------
    Examples
        Positives first; windows that leave the chromosome or hold N are left out. Splits are
        left open.

    Raises
    ------
    DataError
        If no window is left on one side.
    """
    wanted, seen = read_windows(genome, positives, width_bp, "regions")
    if negatives is None:
        others, texts = draw_matched(genome, wanted, seen, avoid=[*positives, *avoid], match=match, seed=seed)
    else:
        others, texts = read_windows(genome, negatives, width_bp, "background windows")
    if not wanted or not others:
        raise DataError(
            "no window is left", where=genome.path,
            got=f"{len(wanted):,} of {len(positives):,} regions, {len(others):,} background windows",
            hint="windows that leave their chromosome or hold N cannot be used: check the genome build and the width",
        )
    windows = [*wanted, *others]
    names = [str(window) for window in windows]
    if len(set(names)) < len(names):
        raise DataError(
            "the same window is listed twice", where=genome.path,
            got=next(name for name in names if names.count(name) > 1), hint="remove repeated lines from the BED files",
        )
    say(f"{len(wanted):,} regions and {len(others):,} background windows")
    return Examples(
        sequences=[*seen, *texts],
        labels=np.repeat(np.array([1, 0], dtype=np.int64), [len(wanted), len(others)]),
        splits=np.full(len(windows), "", dtype=object),
        ids=names,
        intervals=windows,
        label_names=LABEL_NAMES,
    )


def draw_matched(
    genome: Genome,
    windows: Sequence[Interval],
    texts: Sequence[str],
    *,
    avoid: Sequence[Interval] = (),
    match: Literal["gc", "none"] = "gc",
    seed: int = 0,
) -> tuple[list[Interval], list[str]]:
    """Draw one other window for each window: same chromosome, width and strand, similar GC.

    Drawn windows hold no N and share no base with each other, with `windows` or with `avoid`.
    Windows for which nothing is found after many draws go without a match, and their number is
    said.

    Parameters
    ----------
    genome : Genome
        Where windows are drawn.
    windows : sequence of Interval
        Those to match.
    texts : sequence of str
        Their sequences, in the same order.
    avoid : sequence of Interval
        What drawn windows must not touch beside `windows`.
    match : {"gc", "none"}
        Draw windows of similar GC content, or any.
    seed : int
        Of the drawing.

    Returns
    -------
    intervals, sequences : list of Interval, list of str
        In the order of the windows they match.
    """
    rng = generator(seed, "matched windows")
    drawn: dict[int, tuple[Interval, str]] = {}
    with track("drawing background windows", len(windows), "windows") as task:
        for chrom in dict.fromkeys(window.chrom for window in windows):
            bases = genome.sequence(chrom)
            taken = np.zeros(len(bases), dtype=bool)
            for interval in (*windows, *avoid):
                if interval.chrom == chrom:
                    taken[max(interval.start, 0):interval.end] = True
            open_ = {i: float(gc_content(texts[i])) for i, window in enumerate(windows) if window.chrom == chrom}
            before = len(open_)
            for width in sorted({windows[i].length_bp for i in open_}):
                todo = {i: gc for i, gc in open_.items() if windows[i].length_bp == width}
                for index, start in _match_starts(bases, taken, todo, width, match, rng):
                    place = Interval(chrom, start, start + width, windows[index].strand)
                    drawn[index] = (place, genome.text(place))
            task.advance(before)
    if len(drawn) < len(windows):
        say(f"{len(windows) - len(drawn):,} windows have no match in GC content on their chromosome")
    return [drawn[i][0] for i in sorted(drawn)], [drawn[i][1] for i in sorted(drawn)]


def promoter_intervals(
    features: Sequence[Feature], lengths: Mapping[str, int], upstream_bp: int, downstream_bp: int
) -> list[Interval]:
    """Give the stretch around the start of each gene, on the gene's strand.

    Parameters
    ----------
    features : sequence of Feature
        Genes; their interval runs from the first to the last base of the gene.
    lengths : mapping of str to int
        Length of each chromosome in bp. Features may name chromosomes without ``chr``
        (``IV`` for ``chrIV``, ``Mito`` for ``chrM``), as Ensembl and SGD do.
    upstream_bp, downstream_bp : int
        Bases before the gene's first base, and from it on.

    Returns
    -------
    list of Interval
        ``upstream_bp + downstream_bp`` wide, one for each start; stretches that would leave
        the chromosome, and genes without a strand, are left out.

    Raises
    ------
    DataError
        If a feature lies on a chromosome that is not in `lengths`.
    """
    found: dict[tuple[str, int, str], Interval] = {}
    for feature in features:
        gene = feature.interval
        chrom = _known_name(gene.chrom, lengths)
        if gene.strand == "+":
            start = gene.start - upstream_bp
            end = gene.start + downstream_bp
        elif gene.strand == "-":
            start = gene.end - downstream_bp
            end = gene.end + upstream_bp
        else:
            continue
        if start >= 0 and end <= lengths[chrom]:
            found.setdefault((chrom, start, gene.strand), Interval(chrom, start, end, gene.strand, gene.name))
    return list(found.values())


def _known_name(chrom: str, lengths: Mapping[str, int]) -> str:
    names = [chrom, f"chr{chrom}", chrom.removeprefix("chr")]
    if chrom in ("Mito", "MT"):
        names += ["chrM", "MT"]
    for name in names:
        if name in lengths:
            return name
    raise unknown_chromosome(chrom, lengths, where="annotation")


def read_windows(
    genome: Genome, intervals: Sequence[Interval], width_bp: int | None, what: str, *, allow_n: bool = False
) -> tuple[list[Interval], list[str]]:
    """Give windows on intervals, and their sequences, read on their strand.

    Those that leave their chromosome or hold N are left out, and their number is told.

    Parameters
    ----------
    genome : Genome
        What is read.
    intervals : sequence of Interval
        Where; those on strand ``-`` are read as their reverse complement.
    width_bp : int, optional
        Width of windows centred on the intervals; None takes the intervals as they are.
    what : str
        What the intervals are, for the message.
    allow_n : bool
        Keep windows that hold N.

    Raises
    ------
    DataError
        If a chromosome is unknown.
    """
    windows = []
    texts = []
    for interval in intervals:
        window = interval if width_bp is None else centred(interval, width_bp)
        if window.start >= 0 and window.end <= genome.length(window.chrom):
            text = genome.text(window)
            if text and (allow_n or "N" not in text):
                windows.append(window)
                texts.append(text)
    if len(windows) < len(intervals):
        why = "leave their chromosome or are empty" if allow_n else "leave their chromosome, are empty or hold N"
        say(f"{len(intervals) - len(windows):,} of {len(intervals):,} {what} {why}: left out")
    return windows, texts


def _match_starts(
    bases: np.ndarray,
    taken: np.ndarray,
    todo: Mapping[int, float],
    width_bp: int,
    match: str,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Find a start for each index in `todo` (index -> GC); marks what it uses in `taken`."""
    waiting: dict[int, list[int]] = {}
    for index, gc in todo.items():
        waiting.setdefault(_gc_bin(gc, match), []).append(index)
    found: list[tuple[int, int]] = []
    if len(bases) < width_bp:
        return found
    for _ in range(ROUNDS):
        missing = len(todo) - len(found)
        if not missing:
            break
        starts = rng.integers(0, len(bases) - width_bp + 1, size=min(max(TRIES_PER_WINDOW * missing, 200), 50_000))
        letters = bases[starts[:, None] + np.arange(width_bp)]
        clean = ~(letters == ord("N")).any(axis=1)
        gcs = ((letters == ord("G")) | (letters == ord("C"))).mean(axis=1)
        for start, gc in zip(starts[clean].tolist(), gcs[clean].tolist(), strict=True):
            queue = waiting.get(_gc_bin(gc, match))
            if queue and not taken[start:start + width_bp].any():
                taken[start:start + width_bp] = True
                found.append((queue.pop(), start))
    return found


def _gc_bin(gc: float, match: str) -> int:
    """Number the classes of GC content within which windows match; all are one without matching."""
    return int(gc / GC_TOLERANCE + 1e-9) if match == "gc" else 0
