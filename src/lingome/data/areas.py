"""Which parts of a genome are learnt from, and which measure progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lingome.core.errors import DataError
from lingome.data.interval import Interval


@dataclass(frozen=True)
class Areas:
    """Which parts of a genome are learnt from, one or both strands, and which measure progress; they never overlap."""

    train: tuple[Interval, ...]
    valid: tuple[Interval, ...]


def choose_areas(
    lengths: dict[str, int], exclude: Sequence[Interval] = (), *, validation_share: float = 0.02, gap_bp: int = 5000,
    both_strands: bool = False,
) -> Areas:
    """Leave out what must stay unseen, and set the end of the rest aside for validation.

    Parameters
    ----------
    lengths : dict of str to int
        Base pairs of each chromosome, in order.
    exclude : sequence of Interval
        Never trained or validated on.
    validation_share : float
        Share of the remaining bases, counted from the end of the last chromosome; 0 for none.
    gap_bp : int
        Bases between training and validation that neither uses.
    both_strands : bool
        Learn from the reverse complement of each part, too, as an interval of strand ``-``.

    Raises
    ------
    DataError
        If nothing is left to train on.

    >>> areas = choose_areas({"c": 100}, [Interval("c", 20, 40)], validation_share=0.25, gap_bp=5)
    >>> [str(i) for i in areas.train], [str(i) for i in areas.valid]
    (['c:0-20', 'c:40-75'], ['c:80-100'])
    """
    free = _without(lengths, exclude)
    wanted = round(validation_share * sum(part.length_bp for part in free))
    rest, valid = _cut_end(free, wanted)
    learnt, _ = _cut_end(rest, gap_bp if wanted else 0)
    if not learnt:
        raise DataError(
            "nothing is left to train on", got=f"{sum(lengths.values()):,} bases, {len(exclude)} excluded intervals",
            hint="exclude less, or lower validation_share",
        )
    other = [replace(part, strand="-") for part in learnt] if both_strands else []
    return Areas((*learnt, *other), tuple(valid))


def _without(lengths: dict[str, int], exclude: Sequence[Interval]) -> list[Interval]:
    free = []
    for chrom, length in lengths.items():
        start = 0
        for part in sorted((p for p in exclude if p.chrom == chrom), key=lambda p: p.start):
            if start < min(part.start, length):
                free.append(Interval(chrom, start, min(part.start, length)))
            start = min(length, max(start, part.end))
        if start < length:
            free.append(Interval(chrom, start, length))
    return free


def _cut_end(parts: Sequence[Interval], bases: int) -> tuple[list[Interval], list[Interval]]:
    """Split intervals in two, so that the second part holds the last `bases` bases."""
    first = list(parts)
    last: list[Interval] = []
    while first and bases > 0:
        part = first.pop()
        cut = max(part.start, part.end - bases)
        last.insert(0, Interval(part.chrom, cut, part.end))
        bases -= part.end - cut
        if cut > part.start:
            first.append(Interval(part.chrom, part.start, cut))
    return first, last
