"""The demo's questions: which motif sites are used, and what makes a promoter.

Each is put together from the catalog: a genome, labelled windows in blocks that do not touch,
and a region that nothing learns from, to predict over at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.seeds import generator
from lingome.data.catalog.entries import find
from lingome.data.catalog.fetch import fetch
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.motifs import select
from lingome.data.readers.bed import read_bed, read_narrow_peak
from lingome.data.readers.gff import read_gff
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.splits import split_by_blocks, split_by_chromosome
from lingome.data.windows import middle_in_any, tile
from lingome.genome.regions import build_regions, promoter_intervals
from lingome.genome.sites import build_sites

HUMAN_FILES = {
    "genome": "hg19-chr20", "peaks": "hg19-chr20-ctcf-gm12878", "motifs": "jaspar-ctcf",
    "blacklist": "hg19-chr20-blacklist",
}
YEAST_FILES = {"genome": "yeast-genome", "genes": "yeast-genes"}
FILES = {"human": HUMAN_FILES, "yeast": YEAST_FILES}
"""Data sets of each organism's question, by role; names of the catalog."""

CTCF = "MA0139.1"
CHR20_BLOCKS = (
    Interval("chr20", 0, 42_000_000, name="train"),
    Interval("chr20", 42_010_000, 50_000_000, name="valid"),
    Interval("chr20", 50_010_000, 61_000_000, name="test"),
)
CHR20_REGION = Interval("chr20", 61_010_000, 63_025_520)
CHR20_HIDDEN = Interval("chr20", 50_000_000, 63_025_520)

YEAST_VALID = ("chrXIV",)
YEAST_TEST = ("chrXII", "chrXIII")
YEAST_REGION = Interval("chrXVI", 300_000, 350_000)
YEAST_HIDDEN = {*YEAST_TEST, "chrXVI", "chrM"}
PROMOTER_UPSTREAM_BP = 200
PROMOTER_DOWNSTREAM_BP = 50


@dataclass(frozen=True)
class Question:
    """A question with everything that is needed to answer it.

    Parameters
    ----------
    title, text : str
        A line, and the question in a sentence.
    genome : Genome
        Read whole.
    examples : Examples
        Labelled windows with splits; those that touch a gap are left out.
    blocks : sequence of Interval
        What each split covers; the name is the split.
    hidden : sequence of Interval
        What a language model must not read: the test blocks and the region.
    region : Interval
        A stretch that no split and no pre-training touches.
    region_examples : Examples
        Windows of that stretch, with the labels that the measurement gives.
    truth : sequence of Interval
        What was measured in the region (peaks, promoters), to draw below the predictions.
    """

    title: str
    text: str
    genome: Genome
    examples: Examples
    blocks: Sequence[Interval]
    hidden: Sequence[Interval]
    region: Interval
    region_examples: Examples
    truth: Sequence[Interval]


def fetch_files(names: Mapping[str, str], *, offline: bool = False) -> dict[str, Path]:
    """Fetch the data sets of a question, by role.

    Raises
    ------
    DataError
        If one of them cannot be had.
    """
    return {role: fetch(name, offline=offline or None) for role, name in names.items()}


def data_rows(names: Mapping[str, str], files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Give rows of the table ``data``: what each file is, its licence, size and checksum."""
    return [
        {
            "name": name, "file": files[role].name, "what": find(name).what, "licence": find(name).licence,
            "records": None, "size": files[role].stat().st_size, "unit": "bytes", "sha256": find(name).sha256,
            "note": find(name).citation,
        }
        for role, name in names.items()
    ]


def ask(
    organism: str, files: Mapping[str, Path], *, p_value: float, flank_bp: int, promoters: int, seed: int,
    region: str | None = None,
) -> Question:
    """Put the question of an organism together; see `ask_human` and `ask_yeast`.

    Parameters
    ----------
    organism : {"human", "yeast"}
        Whose question.
    files : mapping of str to Path
        Its data sets, by role; see `fetch_files`.
    p_value : float
        Of motif sites (human).
    flank_bp : int
        Bases on either side of a motif (human).
    promoters : int
        Most promoters to learn from (yeast).
    seed : int
        Of drawn windows.
    region : str, optional
        Where to predict, ``chrom:start-end``, 0-based and half-open.

    Raises
    ------
    ConfigError
        If `region` is no ``chrom:start-end``, or overlaps what the model learns from.
    """
    genome = Genome.open(files["genome"])
    where = Interval.parse(region, genome.lengths) if region else None
    if organism == "human":
        return ask_human(genome, files, p_value=p_value, flank_bp=flank_bp, region=where)
    return ask_yeast(genome, files, most=promoters, seed=seed, region=where)


def ask_human(
    genome: Genome, files: Mapping[str, Path], *, p_value: float, flank_bp: int, region: Interval | None = None
) -> Question:
    """Ask which CTCF motif sites of human chromosome 20 are used in GM12878 cells.

    Parameters
    ----------
    genome : Genome
        Chromosome 20 of hg19.
    files : mapping of str to Path
        The roles of `HUMAN_FILES`.
    p_value, flank_bp
        As in `build_sites`.
    region : Interval, optional
        Where to predict; the last 2 Mb of the chromosome by default.

    Raises
    ------
    ConfigError
        If `region` overlaps what the model learns from.
    """
    peaks = [peak.interval for peak in read_narrow_peak(files["peaks"], genome.lengths)]
    region = _free_region(region or CHR20_REGION, CHR20_BLOCKS)
    sites = build_sites(
        genome, select(read_jaspar(files["motifs"]), CTCF), peaks,
        blacklist=read_bed(files["blacklist"], genome.lengths), p_value=p_value, flank_bp=flank_bp,
    )
    return Question(
        title="Which CTCF motif sites are used?",
        text="CTCF binds only a part of the places in human chromosome 20 that match its motif. Can the sequence "
        "around a site tell whether it is bound in GM12878 cells?",
        genome=genome,
        examples=_in_blocks(sites, CHR20_BLOCKS, genome),
        blocks=CHR20_BLOCKS,
        hidden=(CHR20_HIDDEN,),
        region=region,
        region_examples=_inside(sites, region),
        truth=[peak for peak in peaks if peak.overlaps(region)],
    )


def ask_yeast(
    genome: Genome, files: Mapping[str, Path], *, most: int, seed: int, region: Interval | None = None
) -> Question:
    """Ask what tells promoters of yeast from windows of the same GC content.

    Parameters
    ----------
    genome : Genome
        S288C, chromosomes named chrI to chrXVI and chrM.
    files : mapping of str to Path
        The roles of `YEAST_FILES`.
    most : int
        Promoters to use at most, drawn with `seed`, so that a small machine is enough.
    region : Interval, optional
        Where to predict; 50 kb of chromosome XVI by default.

    Raises
    ------
    ConfigError
        If `region` overlaps what the model learns from.
    """
    hidden = [Interval(chrom, 0, length) for chrom, length in genome.lengths.items() if chrom in YEAST_HIDDEN]
    used = [Interval(chrom, 0, length) for chrom, length in genome.lengths.items() if chrom not in ("chrXVI", "chrM")]
    region = _free_region(region or YEAST_REGION, used)
    genes = read_gff(files["genes"], types={"gene"})
    promoters = promoter_intervals(genes, genome.lengths, PROMOTER_UPSTREAM_BP, PROMOTER_DOWNSTREAM_BP)
    usable = [one for one in promoters if one.chrom not in ("chrXVI", "chrM")]
    chosen = np.sort(generator(seed, "promoters").permutation(len(usable))[:most])
    examples = build_regions(genome, [usable[i] for i in chosen], match="gc", avoid=promoters, seed=seed)
    assert examples.intervals is not None
    splits = split_by_chromosome(examples.intervals, valid=YEAST_VALID, test=YEAST_TEST)
    names = {**dict.fromkeys(YEAST_VALID, "valid"), **dict.fromkeys(YEAST_TEST, "test")}
    return Question(
        title="What makes a promoter of yeast?",
        text="Promoters of yeast against windows of the same chromosome, width and GC content: can the sequence "
        "alone tell which is which, on chromosomes never seen?",
        genome=genome,
        examples=examples.with_splits(splits),
        blocks=[Interval(one.chrom, 0, one.end, name=names.get(one.chrom, "train")) for one in used],
        hidden=hidden,
        region=region,
        region_examples=_tiles(genome, region, promoters, examples.label_names),
        truth=[one for one in promoters if one.overlaps(region)],
    )


def _free_region(region: Interval, used: Sequence[Interval]) -> Interval:
    for one in used:
        if region.overlaps(one):
            raise ConfigError(
                "the region to predict over must be new to the model", got=region,
                expected=f"nothing of {one}, which is used for {one.name if one.name != '.' else 'training'}",
            )
    return region


def _in_blocks(examples: Examples, blocks: Sequence[Interval], genome: Genome) -> Examples:
    assert examples.intervals is not None
    gap_bp = max(len(sequence) for sequence in examples.sequences)
    splits = split_by_blocks(examples.intervals, genome.lengths, None, gap_bp, boundaries=blocks)
    return examples.with_splits(splits).select(np.isin(splits, SPLITS))


def _inside(examples: Examples, region: Interval) -> Examples:
    assert examples.intervals is not None
    keep = np.array(
        [one.chrom == region.chrom and region.start <= one.start < one.end <= region.end for one in examples.intervals]
    )
    if not keep.any():
        raise DataError("no site lies in the region to predict over", got=region, hint="give a larger region")
    return examples.select(keep)


def _tiles(genome: Genome, region: Interval, promoters: Sequence[Interval], label_names: tuple[str, ...]) -> Examples:
    """Cut a region into overlapping windows on both strands; label those whose middle lies in a promoter."""
    width_bp = PROMOTER_UPSTREAM_BP + PROMOTER_DOWNSTREAM_BP
    windows = [
        Interval(region.chrom, region.start + one.start, region.start + one.end, strand)
        for one in tile({region.chrom: region.length_bp}, width_bp, width_bp // 2)
        for strand in "+-"
    ]
    labels = np.zeros(len(windows), dtype=np.int64)
    for strand in "+-":
        mine = np.array([one.strand == strand for one in windows])
        labels[mine & middle_in_any(windows, [one for one in promoters if one.strand == strand])] = 1
    return Examples(
        sequences=[genome.text(window) for window in windows],
        labels=labels,
        splits=np.full(len(windows), "", dtype=object),
        ids=[str(window) for window in windows],
        intervals=windows,
        label_names=label_names,
    )
