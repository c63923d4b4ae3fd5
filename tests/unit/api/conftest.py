"""Small labelled data, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def labelled() -> tuple[list[str], list[str]]:
    """120 sequences of 40 bases: ``rich`` in G and C, or ``poor``."""
    rng = np.random.default_rng(0)
    sequences = []
    labels = []
    for index in range(120):
        share = 0.35 if index % 2 else 0.2
        sequences.append("".join(rng.choice(list("ACGT"), 40, p=[0.5 - share, share, share, 0.5 - share])))
        labels.append("rich" if index % 2 else "poor")
    return sequences, labels


@pytest.fixture(scope="session")
def table(labelled: tuple[list[str], list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    file = tmp_path_factory.mktemp("data") / "labelled.tsv"
    rows = [f"{sequence}\t{label}\n" for sequence, label in zip(*labelled, strict=True)]
    file.write_text("sequence\tlabel\n" + "".join(rows))
    return file


@pytest.fixture(scope="session")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome of two chromosomes, 40,000 and 20,000 bases."""
    rng = np.random.default_rng(1)
    file = tmp_path_factory.mktemp("data") / "genome.fa"
    parts = [("chr1", 40_000), ("chr2", 20_000)]
    file.write_text("".join(f">{name}\n{''.join(rng.choice(list('ACGT'), length))}\n" for name, length in parts))
    return file
