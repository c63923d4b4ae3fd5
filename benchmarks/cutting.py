"""How many tokens survive when a genome is cut into pieces before its vocabulary is trained.

    python benchmarks/cutting.py                  # 40 Mb of human chromosome 20, 600 merges

One trainer (lingome's) does all, so that only the cutting differs: an N is put after every 510, 1,000 or
10,000 bases, and nothing is merged or counted across an N. The last row counts both strands, uncut.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from measuring import table

from lingome.tokens.bpe import BpeTraining, train_bpe

PIECES = (510, 1000, 10_000)
DATA = "hg19-chr20"


def read_bases(fasta: Path | None, bases: int) -> np.ndarray:
    """Read the longest sequence, without N, from its beginning."""
    from lingome.data.catalog.fetch import fetch
    from lingome.data.genome import Genome

    genome = Genome.open(fasta or fetch(DATA))
    sequence = genome.sequence(max(genome.lengths, key=lambda name: genome.lengths[name]))
    return sequence[sequence != ord("N")][:bases]


def cut(bases: np.ndarray, length: int) -> np.ndarray:
    """Put an N after every `length` bases, and drop the rest that fills no piece."""
    n = len(bases) // length
    pieces = np.full((n, length + 1), ord("N"), dtype=np.uint8)
    pieces[:, :length] = bases[: n * length].reshape(n, length)
    return pieces.reshape(-1)


def compare(name: str, uncut: BpeTraining, other: BpeTraining, seconds: float) -> list[str]:
    """Count tokens that are the same at their rank and as a set; find the first rank that differs, and its margin.

    The margin is that of the uncut training at that rank: its count less that of the next best pair.
    """
    ours, theirs = ([row["token"] for row in training.merges] for training in (uncut, other))
    same = sum(a == b for a, b in zip(ours, theirs, strict=False))
    shared = len(set(ours) & set(theirs))
    first = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    cells = [name, f"{same} of {len(ours)}", f"{shared} of {len(ours)}"]
    if first is None:
        return [*cells, "none", "-", "-", f"{seconds:.1f}"]
    row = uncut.merges[first]
    margin = f"{row['margin']:,} of {row['count']:,} ({row['margin'] / row['count']:.2%})"
    return [*cells, f"{first + 1}", f"{ours[first]}, {theirs[first]}", margin, f"{seconds:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=float, default=40e6, help="bases to train on (default 40e6)")
    parser.add_argument("--merges", type=int, default=600)
    parser.add_argument("--fasta", type=Path, help="sequence to use (default: human chromosome 20)")
    arguments = parser.parse_args()
    bases = read_bases(arguments.fasta, int(arguments.bases))

    def train(sequence: np.ndarray, both_strands: bool = False) -> tuple[BpeTraining, float]:
        before = time.process_time()
        training = train_bpe([sequence], arguments.merges, both_strands=both_strands)
        return training, time.process_time() - before

    train(bases[:20_000])  # loads the kernels
    uncut, seconds = train(bases)
    rows = [["uncut", *(f"{len(uncut.merges)} of {len(uncut.merges)}",) * 2, "none", "-", "-", f"{seconds:.1f}"]]
    rows += [compare(f"cut every {length:,}", uncut, *train(cut(bases, length))) for length in PIECES]
    rows.append(compare("both strands", uncut, *train(bases, both_strands=True)))
    ties = sum(row["margin"] == 0 for row in uncut.merges)
    near = sum(row["margin"] * 1000 < row["count"] for row in uncut.merges)
    print(f"{len(bases) / 1e6:g} Mb, {arguments.merges} merges; {ties} were won by a tie, {near} by less than 0.1%\n")
    table(
        ("training on", "same token at its rank", "same as a set", "first rank to differ", "tokens there (uncut, this)",
         "margin there (uncut)", "CPU s"),
        rows,
    )


if __name__ == "__main__":
    main()
