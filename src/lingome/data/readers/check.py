"""Look into a file before it is used: what it is, what was read, what was left out, what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from lingome.core.errors import DataError
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.data.readers.bed import bed_rows, check_interval, peak_rows
from lingome.data.readers.compressed import is_folder, read_lines, sniff
from lingome.data.readers.fasta import ReadReport
from lingome.data.readers.gff import read_gff
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.readers.tables import LABEL_NAMES, SEQUENCE_NAMES, SPLIT_NAMES, read_examples

_BY_NAME = (
    ("narrowPeak", (".narrowpeak",)),
    ("BED", (".bed",)),
    ("GFF", (".gff", ".gff3", ".gtf")),
    ("FASTA", (".fa", ".fasta", ".fna", ".fsa", ".ffn")),
    ("JASPAR", (".jaspar", ".pfm")),
    ("table", (".tsv", ".csv", ".tab")),
)


@dataclass(frozen=True)
class FileReport:
    """What `check_file` found.

    Parameters
    ----------
    path : Path
    kind : str
        ``FASTA``, ``BED``, ``narrowPeak``, ``GFF``, ``JASPAR`` or ``table``.
    rows : list of (str, str)
        What was read: name and value.
    skipped : list of str
        What was left out or changed, and why.
    problem : DataError or None
        The first thing that keeps the file from being used.
    """

    path: Path
    kind: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problem: DataError | None = None


def check_file(path: Path, genome: Genome | None = None) -> FileReport:
    """Read a file with the reader it needs and report.

    Parameters
    ----------
    path : Path
        FASTA, BED, narrowPeak, GFF3, GTF, JASPAR or a table of sequences; or a folder of tables.
    genome : Genome, optional
        Checks chromosome names and ends of what has coordinates, and sequences against it.

    Raises
    ------
    DataError
        If the file is missing, empty, or of no known kind; what is wrong inside is in `problem`.
    """
    path = Path(path)
    folder = is_folder(path)
    report = FileReport(path, "table" if folder else recognise(path))
    if not folder:
        report.rows.append(("compression", sniff(path)))
    try:
        _CHECKS[report.kind](report, genome)
    except DataError as error:
        return FileReport(path, report.kind, report.rows, report.skipped, error)
    return report


def recognise(path: Path) -> str:
    """Tell the kind of a text file by its content, or by its name where the content does not say.

    Raises
    ------
    DataError
        If neither says.
    """
    lines = [line for _, line in islice(read_lines(path), 200) if line.strip()]
    body = [line for line in lines if not line.startswith(("#", "track", "browser"))]
    first = body[0] if body else ""
    fields = first.split("\t") if "\t" in first else first.split()
    lower = {name.strip().lower() for name in re.split(r"[\t,]", first)}
    if first.startswith(">"):
        return "JASPAR" if len(body) > 1 and re.match(r"([ACGTacgt]\s*)?\[|[\d.]+\s+[\d.]", body[1]) else "FASTA"
    if (lines and lines[0].startswith("##gff")) or (len(fields) >= 8 and fields[3].isdigit() and fields[4].isdigit()):
        return "GFF"
    if len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit():
        return "narrowPeak" if len(fields) == 10 and _ends_like(path, "narrowPeak") else "BED"
    if lower & {*SEQUENCE_NAMES, *LABEL_NAMES}:
        return "table"
    for kind, _ in _BY_NAME:
        if _ends_like(path, kind):
            return kind
    raise DataError(
        "lingome does not know what this file is", where=path, got=repr(first[:60]),
        expected="FASTA, BED, narrowPeak, GFF3, GTF, JASPAR, or a table with a column named sequence",
    )


def _ends_like(path: Path, kind: str) -> bool:
    name = path.name.lower()
    for ending in (".gz", ".bgz"):
        name = name.removesuffix(ending)
    return name.endswith(dict(_BY_NAME)[kind])


def describe_genome(report: ReadReport, lengths: dict[str, int]) -> tuple[list[tuple[str, str]], list[str]]:
    """Put a genome's report into rows and remarks."""
    sizes = sorted(lengths.values())
    rows = [
        ("records", f"{report.records:,}"),
        ("bases", f"{report.bases:,}"),
        ("lengths", f"{sizes[0]:,} to {sizes[-1]:,}" if sizes else "none"),
        ("names", _listed(list(lengths))),
        ("N", f"{report.n_bases:,} ({report.n_bases / max(report.bases, 1):.1%})"),
        ("lower case", f"{report.lower_case:,} ({report.lower_case / max(report.bases, 1):.1%})"),
        ("other letters", f"{report.other_letters:,}"),
    ]
    remarks = []
    if report.lower_case:
        became = "upper case" if report.soft_masked == "upper" else "N"
        remarks.append(f"{report.lower_case:,} soft-masked (lower-case) letters are read as {became}")
    if report.letters:
        counts = ", ".join(f"{letter} {count:,}" for letter, count in report.letters.items())
        remarks.append(f"{report.other_letters:,} letters other than A C G T N are read as N: {counts}")
    if report.uracil:
        remarks.append(f"{report.uracil:,} U are read as T")
    if report.empty_records:
        count = len(report.empty_records)
        names = _listed(report.empty_records)
        remarks.append(f"{count:,} records without sequence are left out: {names}")
    if not report.complete:
        remarks.append("an index is there: letters are counted and checked only when they are read")
    return rows, remarks


def _check_fasta(report: FileReport, genome: Genome | None) -> None:
    opened = Genome.open(report.path)
    rows, remarks = describe_genome(opened.report, opened.lengths)
    report.rows.extend(rows)
    report.skipped.extend(remarks)


def _check_bed(report: FileReport, genome: Genome | None) -> None:
    comments = sum(line.startswith(("#", "track", "browser")) for _, line in read_lines(report.path))
    if comments:
        report.skipped.append(f"{comments:,} lines of comment, track or browser")
    rows = list(bed_rows(report.path))
    _check_intervals(report, [row[1] for row in rows], "intervals", genome, [row[0] for row in rows])


def _check_narrow_peak(report: FileReport, genome: Genome | None) -> None:
    rows = list(peak_rows(report.path))
    if rows:
        signals = [peak.signal for _, peak in rows]
        report.rows.append(("signal", f"{min(signals):.4g} to {max(signals):.4g}"))
    _check_intervals(report, [peak.interval for _, peak in rows], "peaks", genome, [number for number, _ in rows])


def _check_gff(report: FileReport, genome: Genome | None) -> None:
    features = read_gff(report.path)
    types = Counter(feature.type for feature in features)
    report.rows.append(("types", ", ".join(f"{kind} {count:,}" for kind, count in types.most_common(8))))
    _check_intervals(report, [feature.interval for feature in features], "features", genome)


def _check_jaspar(report: FileReport, genome: Genome | None) -> None:
    motifs = read_jaspar(report.path)
    report.rows.append(("matrices", f"{len(motifs):,}"))
    report.rows.append(("motifs", _listed([f"{motif.id} {motif.name}" for motif in motifs])))
    widths = [motif.length_bp for motif in motifs]
    report.rows.append(("lengths", f"{min(widths)} to {max(widths)}"))


def _check_table(report: FileReport, genome: Genome | None) -> None:
    examples = read_examples(report.path, need_labels=False)
    lengths = [len(sequence) for sequence in examples.sequences]
    named = Counter(str(name) or "none" for name in examples.splits)
    classes = Counter(int(label) for label in examples.labels)
    report.rows.extend([
        ("rows", f"{len(examples):,}"),
        ("lengths", f"{min(lengths):,} to {max(lengths):,}"),
        ("labels", ", ".join(f"{name}: {classes[index]:,}" for index, name in enumerate(examples.label_names))),
        ("splits", ", ".join(f"{name} {named[name]:,}" for name in (*dict.fromkeys(SPLIT_NAMES.values()), "none"))),
        ("number columns", ", ".join(examples.columns) or "none"),
    ])
    if classes[-1]:
        report.skipped.append(f"{classes[-1]:,} rows have no label: they can be predicted, not learnt from")
    unknown = sum(sequence.count("N") for sequence in examples.sequences)
    if unknown:
        report.skipped.append(f"{unknown:,} letters are N, or read as N")
    if examples.intervals is not None:
        _check_intervals(report, examples.intervals, "intervals", None)
        if genome is not None:
            _compare_sequences(report, examples, examples.intervals, genome)


def _compare_sequences(
    report: FileReport, examples: Examples, intervals: Sequence[Interval], genome: Genome
) -> None:
    there = [index for index, one in enumerate(intervals) if one.chrom in genome.lengths]
    if not there:
        raise unknown_chromosome(intervals[0].chrom, genome.lengths, report.path)
    if len(there) < len(intervals):
        report.skipped.append(f"{len(intervals) - len(there):,} rows lie on chromosomes that the genome has not")
    same = 0
    for index in there:
        check_interval(intervals[index], genome.lengths, f"{report.path}, row {index + 1}")
        same += genome.text(intervals[index]) == examples.sequences[index]
    report.rows.append(("equal to the genome", f"{same:,} of {len(there):,}"))
    if same < len(there):
        raise DataError(
            "sequences differ from the genome at their coordinates", where=report.path,
            got=f"{len(there) - same:,} of {len(there):,}", hint="are they of another assembly, or 1-based?",
        )


def _check_intervals(
    report: FileReport,
    intervals: Sequence[Interval],
    what: str,
    genome: Genome | None,
    lines: Sequence[int] | None = None,
) -> None:
    if not intervals:
        raise DataError(f"there are no {what} in this file", where=report.path)
    chroms = Counter(one.chrom for one in intervals)
    sizes = np.array([one.length_bp for one in intervals])
    report.rows.extend([
        (what, f"{len(intervals):,}"),
        ("chromosomes", _listed(list(chroms))),
        ("lengths", f"{sizes.min():,} to {sizes.max():,}, median {int(np.median(sizes)):,}"),
    ])
    empty = int((sizes == 0).sum())
    if empty:
        report.skipped.append(f"{empty:,} {what} have no bases")
    if genome is None:
        return
    missing = [chrom for chrom in chroms if chrom not in genome.lengths]
    if missing:
        count = sum(chroms[chrom] for chrom in missing)
        report.skipped.append(f"{count:,} {what} lie on chromosomes that the genome has not: {_listed(missing)}")
        if len(missing) == len(chroms):
            raise unknown_chromosome(missing[0], genome.lengths, f"{report.path}:{lines[0]}" if lines else report.path)
    for index, one in enumerate(intervals):
        if one.chrom in genome.lengths:
            place = f"{report.path}:{lines[index]}" if lines else f"{report.path}, {what[:-1]} {index + 1}"
            check_interval(one, genome.lengths, place)
    report.rows.append(("on the genome", f"{sum(chroms.values()) - sum(chroms[chrom] for chrom in missing):,}"))


def _listed(names: Sequence[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ... ({len(names):,} in all)" if len(names) > limit else shown


_CHECKS = {
    "FASTA": _check_fasta, "BED": _check_bed, "narrowPeak": _check_narrow_peak, "GFF": _check_gff,
    "JASPAR": _check_jaspar, "table": _check_table,
}
