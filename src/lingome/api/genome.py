"""Genomes, and data sets that the package fetches by itself."""

from __future__ import annotations

from pathlib import Path

from lingome.data.catalog import fetch as fetching
from lingome.data.genome import Genome, SoftMasked


def open_genome(path: str | Path, *, soft_masked: SoftMasked = "upper") -> Genome:
    """Open a FASTA: plain, gzip or bgzip.

    Parameters
    ----------
    path : str or Path
        The file. A bgzip file with its two indices beside it is not loaded: each look reads what it asks for.
    soft_masked : {"upper", "n"}
        What lower-case letters become: upper case, or N.

    Returns
    -------
    Genome
        Sequence by name; ``genome["chr20:30,000,000-30,000,050"]`` gives letters (0-based, half-open).

    Raises
    ------
    DataError
        If the file cannot be read, is no FASTA of DNA, or its index does not fit it.
    """
    return Genome.open(Path(path).expanduser(), soft_masked=soft_masked)


def as_genome(genome: Genome | str | Path) -> Genome:
    """Give the genome itself, or open the file of this name.

    Raises
    ------
    DataError
        As `open_genome`.
    """
    return genome if isinstance(genome, Genome) else open_genome(genome)


def fetch(name: str, *, offline: bool | None = None) -> Path:
    """Give the path of a data set of the catalog, after getting it and checking its content where needed.

    Parameters
    ----------
    name : str
        A name of the catalog, such as ``yeast-genome``; ``lingome data list`` shows all.
    offline : bool, optional
        True never touches the network; by default ``LINGOME_OFFLINE`` or ``HF_HUB_OFFLINE`` decide.

    Returns
    -------
    Path
        In ``$LINGOME_DATA`` where it is there ready for use, else in the cache.

    Raises
    ------
    ConfigError
        If the catalog has no such name.
    DataError
        If no source has it; the message lists every source and what was wrong with it.
    """
    return fetching.fetch(name, offline=offline)
