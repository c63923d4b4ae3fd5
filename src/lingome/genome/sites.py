"""Which motif sites of a genome are used?

A transcription factor binds only a part of the places that match its motif. Sites are found by
an exact scan, labelled by ChIP-seq peaks, and given as windows read on the motif's strand, so
that the motif always stands forward and in the middle: what tells bound from unbound sites is
the match and its surroundings, not where or which way the motif lies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import say, track
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.motifs import Motif, check_background, scan, score_threshold
from lingome.data.windows import middle_in_any, overlaps_any

LABEL_NAMES = ("unbound", "bound")
SCORE_COLUMN = "motif score"


def find_sites(
    genome: Genome,
    motif: Motif,
    *,
    p_value: float = 1e-5,
    background: Sequence[float] | None = None,
    regions: Sequence[Interval] | None = None,
) -> list[Interval]:
    """Find the sites of a motif on both strands.

    Hits that share a base are one site, and the best of them is kept (a palindromic motif hits
    both strands at one place); of equal scores, the forward strand, then the one further left.

    Parameters
    ----------
    genome : Genome
        Where to look.
    motif : Motif
        Counts per position.
    p_value : float
        Probability that a random sequence of the background scores at least as high, which
        sets the exact score threshold.
    background : sequence of float, shape (4,), optional
        Frequencies of A, C, G, T that scores are relative to; those of the genome by default.
    regions : sequence of Interval, optional
        Only sites that lie wholly within one of these; the whole genome by default.

    Returns
    -------
    list of Interval
        In genome order; ``strand`` is the motif's, ``score`` is in bits.

    Raises
    ------
    DataError
        If a region lies outside the genome, or nothing in the background reaches `p_value`.
    """
    weights = base_shares(genome) if background is None else np.asarray(background, dtype=np.float64)
    threshold = score_threshold(motif, p_value, weights)
    places = [Interval(chrom, 0, length) for chrom, length in genome.lengths.items()] if regions is None else regions
    found: set[Interval] = set()
    with track(f"scanning for {motif.name}", sum(place.length_bp for place in places), "bases") as task:
        for place in places:
            bases = genome.sequence(place.chrom, place.start, place.end)
            positions, strands, scores = scan(motif, bases, threshold, weights)
            hits = [
                Interval(place.chrom, place.start + int(at), place.start + int(at) + motif.length_bp, str(strand),
                         motif.name, float(score))
                for at, strand, score in zip(positions, strands, scores, strict=True)
            ]
            found.update(_best_of_overlapping(hits))
            task.advance(place.length_bp)
    order = {chrom: rank for rank, chrom in enumerate(genome.lengths)}
    return sorted(found, key=lambda site: (order[site.chrom], site.start, site.end, site.strand))


def base_shares(genome: Genome) -> np.ndarray:
    """Give the shares of A, C, G, T among the known bases of a genome; float64, shape (4,).

    Raises
    ------
    DataError
        If one of the letters does not occur.
    """
    total = np.zeros(4)
    for chrom in genome.lengths:
        bases = genome.sequence(chrom)
        total += [np.count_nonzero(bases == letter) for letter in b"ACGT"]
    return check_background(total / max(total.sum(), 1.0))


def site_windows(
    genome: Genome, sites: Sequence[Interval], *, flank_bp: int = 116, blacklist: Sequence[Interval] = ()
) -> Examples:
    """Give the windows around sites, read on the strand of each site; labels are unknown (-1).

    Sites that share a base with the blacklist, and those whose window leaves the chromosome or
    holds a letter other than A, C, G, T, are left out, and their number is told.

    Parameters
    ----------
    genome : Genome
        The genome the sites lie in.
    sites : sequence of Interval
        From `find_sites`.
    flank_bp : int
        Bases to either side of the motif.
    blacklist : sequence of Interval
        Stretches where signals cannot be trusted.

    Returns
    -------
    Examples
        Intervals are the windows; the column ``motif score`` is in bits.
    """
    lost = {"in the blacklist": 0, "at the end of a sequence": 0, "with unknown letters": 0}
    windows: list[Interval] = []
    texts: list[str] = []
    listed = overlaps_any(sites, blacklist)
    for site, bad in zip(sites, listed, strict=True):
        window = site.widened(flank_bp, flank_bp)
        if bad:
            lost["in the blacklist"] += 1
        elif window.start < 0 or window.end > genome.length(site.chrom):
            lost["at the end of a sequence"] += 1
        elif "N" in (text := genome.text(window)):
            lost["with unknown letters"] += 1
        else:
            windows.append(window)
            texts.append(text)
    if any(lost.values()):
        say("sites left out: " + ", ".join(f"{count:,} {reason}" for reason, count in lost.items() if count))
    return Examples(
        sequences=texts,
        labels=np.full(len(windows), -1, dtype=np.int64),
        splits=np.full(len(windows), "", dtype=object),
        ids=[str(window) for window in windows],
        intervals=windows,
        label_names=LABEL_NAMES,
        columns={SCORE_COLUMN: np.array([window.score for window in windows], dtype=np.float64)},
    )


def build_sites(
    genome: Genome,
    motif: Motif,
    peaks: Sequence[Interval],
    *,
    blacklist: Sequence[Interval] = (),
    p_value: float = 1e-5,
    flank_bp: int = 116,
    background: Sequence[float] | None = None,
    regions: Sequence[Interval] | None = None,
) -> Examples:
    """Build the task of distinguishing used motif sites from unused ones.

    A site is bound (label 1) when its middle base lies within a peak. Splits are left open.

    Parameters
    ----------
    genome, motif, p_value, background, regions
        As for `find_sites`.
    peaks : sequence of Interval
        Where the factor was found bound.
    blacklist, flank_bp
        As for `site_windows`; windows are ``motif.length_bp + 2 * flank_bp`` wide.

    Raises
    ------
    DataError
        If there is no site, or all sites are bound, or none.

    References
    ----------
    The task follows the CTCF binding-site task of GROVER: Sanabria et al. 2024, Nature Machine
    Intelligence 6, 911, DOI 10.1038/s42256-024-00872-0.
    """
    sites = find_sites(genome, motif, p_value=p_value, background=background, regions=regions)
    windows = site_windows(genome, sites, flank_bp=flank_bp, blacklist=blacklist)
    if not len(windows):
        raise DataError(
            f"no site of {motif.name} was found", where=genome.path, got=f"p-value {p_value:g}",
            hint="raise the p-value, or check that the motif and the genome belong together",
        )
    assert windows.intervals is not None
    labels = middle_in_any(windows.intervals, peaks).astype(np.int64)
    if labels.min() == labels.max():
        raise DataError(
            f"every site of {motif.name} is {LABEL_NAMES[labels[0]]}: nothing to tell apart", where=genome.path,
            got=f"{len(windows):,} sites, {len(peaks):,} peaks",
            hint="check that the peaks belong to this genome build",
        )
    say(f"{len(windows):,} sites of {motif.name}, {int(labels.sum()):,} of them bound")
    return Examples(
        windows.sequences, labels, windows.splits, windows.ids, windows.intervals, LABEL_NAMES, windows.columns
    )


def _best_of_overlapping(hits: Sequence[Interval]) -> list[Interval]:
    """Take hits from the best down, leaving out those that share a base with one taken before."""
    taken: list[Interval] = []
    occupied: set[int] = set()
    for hit in sorted(hits, key=lambda h: (-h.score, h.strand, h.start)):
        bases = range(hit.start, hit.end)
        if occupied.isdisjoint(bases):
            occupied.update(bases)
            taken.append(hit)
    return taken

