"""Write a synthetic genome with the statistics of human chromosome 20, of any size up to 3.1 Gb.

    python benchmarks/genome.py 100 -o genome.fa     # 100 Mb

Between repeats: an order-8 Markov chain counted outside the repeats of chr20. Repeats: real instances
of chr20, each followed by the gap that follows it there, in random order and with 2% of their bases
substituted. Records: the 24 chromosomes of GRCh37, scaled. As in an assembly, N stands at both ends
of a record, in one long run (a centromere) and two short ones inside. Memory does not depend on the size.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np

from lingome.data.genome import Genome

# GRCh37, chromosomes 1-22, X, Y, in base pairs; the largest record of 3.1 Gb is 249.6 Mb.
CHROMOSOMES = dict(zip(
    [f"chr{name}" for name in (*range(1, 23), "X", "Y")],
    (249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431, 135534747,
     135006516, 133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248, 59128983, 63025520,
     48129895, 51304566, 155270560, 59373566),
    strict=True,
))
LARGEST_MB = 3100
ORDER = 8
SUBSTITUTED = 0.02
LONGEST_GAP = 100_000  # longer ones are gaps of the assembly
WIDTH, LINES = 60, 1 << 17  # a block is 7.9 Mb
LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
CODES = np.full(256, 4, dtype=np.uint8)
CODES[LETTERS] = np.arange(4)


class Source(NamedTuple):
    """What is sampled from.

    Parameters
    ----------
    thresholds : ndarray of uint16, shape (4 ** ORDER, 3)
        After these 8 letters the next is A below the first threshold, C below the second, G below the third.
    repeats : ndarray of uint8
        Letter codes of all repeats, one after the other.
    starts : ndarray of int64, shape (R + 1,)
        Where each begins.
    gaps : ndarray of int64, shape (R,)
        Bases from its end to the next one.
    """

    thresholds: np.ndarray
    repeats: np.ndarray
    starts: np.ndarray
    gaps: np.ndarray


def read_source() -> Source:
    """Read chromosome 20 and its repeats from $LINGOME_DATA."""
    folder = Path(os.environ["LINGOME_DATA"])
    codes = CODES[Genome.open(folder / "genome" / "hg19_chr20.fa.gz").sequence("chr20")]
    with gzip.open(folder / "annotation" / "hg19_chr20_repeats.bed.gz", "rt") as rows:
        intervals = np.array([row.split()[1:3] for row in rows], dtype=np.int64)
    starts, ends = _merged(intervals)
    outside = codes.copy()
    pieces, gaps = [], []
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        outside[start:end] = 4
        piece = codes[start:end]
        gap = int(starts[i + 1]) - end if i + 1 < len(starts) else 0
        if gap <= LONGEST_GAP and piece.max() < 4:
            pieces.append(piece)
            gaps.append(gap)
    lengths = [len(piece) for piece in pieces]
    cuts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    counts = np.ones((4**ORDER, 4), dtype=np.int64)  # one each, so that every context has a next letter
    _count_contexts(outside, counts)
    shares = np.cumsum(counts, axis=1)[:, :3] / counts.sum(axis=1, keepdims=True)
    thresholds = np.minimum(np.round(shares * 65536), 65535).astype(np.uint16)
    return Source(thresholds, np.concatenate(pieces), cuts, np.array(gaps, dtype=np.int64))


def _merged(intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join intervals that overlap or touch."""
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.concatenate([[True], intervals[1:, 0] > reach[:-1]])
    return intervals[first, 0], reach[np.concatenate([first[1:], [True]])]


@numba.njit(cache=True)
def _count_contexts(codes: np.ndarray, counts: np.ndarray) -> None:
    """Count each letter after each word of `ORDER` known letters."""
    context, known = 0, 0
    for code in codes:
        if code > 3:
            known = 0
            continue
        if known >= ORDER:
            counts[context, code] += 1
        context = (context * 4 + code) & (4**ORDER - 1)
        known += 1


@numba.njit(cache=True)
def _next(state: np.ndarray) -> np.uint64:
    """Give 64 random bits (xorshift64*, Vigna 2016, doi:10.1145/2845077)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(2685821657736338717)


@numba.njit(cache=True)
def _sample(
    out: np.ndarray, random: np.ndarray, place: np.ndarray, thresholds: np.ndarray, repeats: np.ndarray,
    starts: np.ndarray, gaps: np.ndarray, letters: np.ndarray, substituted: int,
) -> None:
    """Fill `out` with letters, going on from `place`: context, bases left of the gap, next and last of the repeat."""
    context, left, position, end = place[0], place[1], place[2], place[3]
    mask, i, n = len(thresholds) - 1, 0, len(out)
    while i < n:
        if left == 0 and position == end:
            which = np.int64((_next(random) >> np.uint64(32)) * np.uint64(len(gaps)) >> np.uint64(32))
            position, end, left = starts[which], starts[which + 1], gaps[which]
        inside = position < end
        stretch = min(n - i, end - position if inside else left)
        bits = np.uint64(0)
        for j in range(stretch):
            bits = _next(random) if j & 3 == 0 else bits >> np.uint64(16)
            draw = np.int64(bits & np.uint64(65535))
            if inside:
                code = np.int64(repeats[position + j])
                if draw < substituted:
                    code = (code + 1 + draw % 3) & 3
            else:
                row = thresholds[context]
                code = np.int64(draw >= row[0]) + np.int64(draw >= row[1]) + np.int64(draw >= row[2])
            out[i + j] = letters[code]
            context = (context * 4 + code) & mask
        i += stretch
        if inside:
            position += stretch
        else:
            left -= stretch
    place[0], place[1], place[2], place[3] = context, left, position, end


def unknown_runs(length: int) -> list[tuple[int, int]]:
    """Give where a record of this length has N: both ends, a centromere, two short gaps."""
    end, short = min(10_000, length // 200), min(50_000, length // 500)
    inside = [(0.2, short), (0.4, min(3_000_000, length // 50)), (0.7, short)]
    return [(0, end), *((int(at * length), int(at * length) + n) for at, n in inside), (length - end, length)]


def record_lengths(bases: int) -> dict[str, int]:
    """Share `bases` out over chromosomes as in GRCh37; the last takes what rounding leaves."""
    whole = sum(CHROMOSOMES.values())
    lengths = {name: bases * length // whole for name, length in CHROMOSOMES.items()}
    lengths["chrY"] += bases - sum(lengths.values())
    return lengths


def blocks(source: Source, bases: int, seed: int) -> Iterator[tuple[str, int, np.ndarray]]:
    """Give the genome block by block: name of the record, where the block begins in it, its letters."""
    random = np.random.SeedSequence(seed).generate_state(1, np.uint64) | np.uint64(1)
    place = np.zeros(4, dtype=np.int64)
    buffer = np.empty(WIDTH * LINES, dtype=np.uint8)
    for name, length in record_lengths(bases).items():
        for start in range(0, length, len(buffer)):
            block = buffer[: min(len(buffer), length - start)]
            _sample(block, random, place, *source, LETTERS, int(SUBSTITUTED * 65536))
            for first, last in unknown_runs(length):
                block[max(0, first - start) : max(0, last - start)] = ord("N")
            yield name, start, block


def write_genome(path: Path, bases: int, seed: int = 0, source: Source | None = None) -> None:
    """Write a FASTA of `bases` letters, N among them."""
    lines = np.full((LINES, WIDTH + 1), ord("\n"), dtype=np.uint8)
    with path.open("wb") as handle:
        for name, start, block in blocks(source or read_source(), bases, seed):
            if start == 0:
                handle.write(f">{name}\n".encode())
            full = len(block) // WIDTH
            lines[:full, :WIDTH] = block[: full * WIDTH].reshape(-1, WIDTH)
            handle.write(lines[:full].data)
            if len(block) % WIDTH:
                handle.write(block[full * WIDTH :].tobytes() + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megabases", type=float, help=f"size in Mb, up to {LARGEST_MB}")
    parser.add_argument("-o", "--out", type=Path, required=True, help="FASTA to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 0.01 <= arguments.megabases <= LARGEST_MB:
        parser.error(f"a size from 0.01 to {LARGEST_MB} Mb is expected, got {arguments.megabases:g}")
    if "LINGOME_DATA" not in os.environ:
        parser.error("set LINGOME_DATA to the folder that holds genome/ and annotation/")
    source = read_source()
    before = time.process_time()
    write_genome(arguments.out, round(arguments.megabases * 1e6), arguments.seed, source)
    spent = time.process_time() - before
    speed = arguments.megabases / spent
    print(f"{arguments.out}: {arguments.megabases:g} Mb, {spent:.1f} CPU s, {speed:.0f} Mb a CPU s")


if __name__ == "__main__":
    main()
