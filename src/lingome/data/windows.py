"""Windows: cut, centre, and ask what overlaps what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lingome.core.errors import ConfigError
from lingome.data.interval import Interval


def centred(interval: Interval, width_bp: int) -> Interval:
    """Give the window of `width_bp` around the middle of an interval (may leave the chromosome).

    >>> str(centred(Interval("chr1", 10, 20), 4))
    'chr1:13-17'
    """
    start = interval.middle - width_bp // 2
    return replace(interval, start=start, end=start + width_bp)


def tile(lengths: Mapping[str, int], width_bp: int, step_bp: int) -> list[Interval]:
    """Cut chromosomes into windows of equal width; a rest shorter than a window is left out.

    Raises
    ------
    ConfigError
        If a window or a step has no base.

    >>> [str(window) for window in tile({"chr1": 10}, 4, 3)]
    ['chr1:0-4', 'chr1:3-7', 'chr1:6-10']
    """
    if width_bp < 1 or step_bp < 1:
        raise ConfigError("windows and steps have at least one base", got=f"width {width_bp}, step {step_bp}")
    return [
        Interval(chrom, start, start + width_bp)
        for chrom, length in lengths.items()
        for start in range(0, length - width_bp + 1, step_bp)
    ]


def overlaps_any(intervals: Sequence[Interval], others: Iterable[Interval]) -> np.ndarray:
    """Say of each interval whether it shares a base with any of the others; bool, shape (N,)."""
    spans = [(one.chrom, one.start, one.end) for one in intervals]
    return _overlap(spans, others)


def middle_in_any(intervals: Sequence[Interval], others: Iterable[Interval]) -> np.ndarray:
    """Say of each interval whether its middle base lies in any of the others; bool, shape (N,)."""
    return _overlap([(one.chrom, one.middle, one.middle + 1) for one in intervals], others)


def _overlap(spans: Sequence[tuple[str, int, int]], others: Iterable[Interval]) -> np.ndarray:
    by_chrom: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for other in others:
        if other.end > other.start:
            by_chrom[other.chrom].append((other.start, other.end))
    merged = {chrom: _merge(pairs) for chrom, pairs in by_chrom.items()}
    found = np.zeros(len(spans), dtype=bool)
    for index, (chrom, start, end) in enumerate(spans):
        if chrom in merged and end > start:
            starts, ends = merged[chrom]
            at = int(np.searchsorted(ends, start, side="right"))
            found[index] = at < len(starts) and int(starts[at]) < end
    return found


def _merge(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    merged: list[list[int]] = []
    for start, end in sorted(pairs):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    array = np.array(merged, dtype=np.int64)
    return array[:, 0], array[:, 1]
