"""A task: labelled sequences, divided into training, validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lingome.api.genome import as_genome
from lingome.api.sequences import is_table, table_rows
from lingome.config.parts.task import TaskSettings
from lingome.config.schema.settings import load_settings
from lingome.core.errors import ConfigError, DataError
from lingome.core.outcome import Table
from lingome.core.seeds import generator
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.readers.bed import whole_number
from lingome.data.readers.tables import examples_from_rows
from lingome.data.splits import reach
from lingome.genome.regions import build_regions
from lingome.genome.task import build_examples, divide_and_say

Place = str | Path
Split = str | Mapping[str, Any]


class Task:
    """Labelled sequences in splits; `from_bed`, `from_sites` and `from_table` make one.

    Parameters
    ----------
    examples : Examples
        Sequences, labels, splits, and where each lies.
    settings : TaskSettings
        How they were made; without files where the data came from memory.
    genome : Genome, optional
        What they were cut from.

    Examples
    --------
    >>> import lingome as lg
    >>> sequences = ["ACGT", "GGCC", "TTTA", "CCCG"]
    >>> task = lg.Task.from_table((sequences, [0, 1, 0, 1]), split={"fractions": (0.5, 0.25, 0.25)})
    >>> task.label_names, len(task)
    (('0', '1'), 4)
    """

    def __init__(self, examples: Examples, settings: TaskSettings, genome: Genome | None = None) -> None:
        self.examples = examples
        self.settings = settings
        self.genome = genome

    @classmethod
    def from_settings(cls, settings: TaskSettings, *, seed: int = 0, genome: Genome | None = None) -> Task:
        """Read or build what the settings of ``lingome finetune`` name under ``task``.

        Parameters
        ----------
        settings : TaskSettings
            A table, motif sites under peaks, or regions against background.
        seed : int
            Of drawn background and of random splits.
        genome : Genome, optional
            The genome, if it is open already.

        Raises
        ------
        ConfigError
            If the inputs make no task, or the split does not fit them.
        DataError
            If an input cannot be read, or too little is left.
        """
        settings.check()
        if genome is None and settings.genome is not None:
            genome = as_genome(settings.genome)
        return cls(build_examples(settings, seed=seed, genome=genome), settings, genome)

    @classmethod
    def from_bed(
        cls, genome: Genome | Place, regions: Any, *, width_bp: int | None = None, negatives: Any = None,
        split: Split = "auto", seed: int = 0, **options: Any,
    ) -> Task:
        """Tell regions of a genome (label 1) from background (label 0).

        Parameters
        ----------
        genome : Genome, str or Path
            What they lie on.
        regions : str, Path, DataFrame, or list
            BED or narrowPeak; GFF3 of genes, whose promoters are meant; a table with chrom, start and end (0-based,
            half-open); or texts such as ``chr20:1,000-1,400``.
        width_bp : int, optional
            Width of windows centred on the regions; the regions as they are by default.
        negatives : str, Path, DataFrame, or list, optional
            Background windows; drawn to match by default.

        split : str or mapping
            ``auto``, ``blocks``, ``chromosomes`` or ``random``; or fields of ``task.split`` such as
            ``{"valid_chroms": ["chr19"], "test_chroms": ["chr20"]}``.
        seed : int
            Of the background that is drawn, and of a random split.
        **options
            Further settings under ``task``: ``match``, ``upstream_bp``, ``downstream_bp``.

        Raises
        ------
        ConfigError
            If an option is unknown, or the split does not fit the regions.
        DataError
            If an input cannot be read, or no window is left.
        """
        genome = as_genome(genome)
        flags = {"genome": genome.path, "width_bp": width_bp, "split": _split(split), **options}
        files = [one for one in (regions, negatives) if one is not None]
        if all(isinstance(one, str | Path) for one in files):
            positives = Path(regions).expanduser()
            others = None if negatives is None else Path(negatives).expanduser()
            settings = load_settings(TaskSettings, flags={**flags, "positives": positives, "negatives": others})
            return cls.from_settings(settings, seed=seed, genome=genome)
        settings = load_settings(TaskSettings, flags=flags)
        background = None if negatives is None else read_intervals(negatives, genome.lengths)
        examples = build_regions(
            genome, read_intervals(regions, genome.lengths), width_bp=width_bp, negatives=background,
            match=settings.match, seed=seed,
        )
        return cls(divide_and_say(examples, genome.lengths, settings.split, seed=seed), settings, genome)

    @classmethod
    def from_sites(
        cls, genome: Genome | Place, motifs: Place, peaks: Place, *, motif: str | None = None, split: Split = "auto",
        seed: int = 0, **options: Any,
    ) -> Task:
        """Tell motif sites that are bound (label 1) from those that are not (label 0).

        Parameters
        ----------
        genome : Genome, str or Path
            What the sites are found on.
        motifs : str or Path
            Motif matrices in JASPAR format.
        peaks : str or Path
            BED or narrowPeak: sites whose middle lies inside are bound.
        motif : str, optional
            Identifier or name in that file; CTCF's by default.

        split : str or mapping
            As in `from_bed`.
        seed : int
            Of a random split.
        **options
            Further settings under ``task``: ``p_value``, ``flank_bp``, ``blacklist``.

        Raises
        ------
        ConfigError
            If an option is unknown, or the split does not fit the sites.
        DataError
            If an input cannot be read, or no site is left.
        """
        genome = as_genome(genome)
        flags = {
            "genome": genome.path, "motifs": Path(motifs).expanduser(), "peaks": Path(peaks).expanduser(),
            "motif": motif, "split": _split(split), **options,
        }
        return cls.from_settings(load_settings(TaskSettings, flags=flags), seed=seed, genome=genome)

    @classmethod
    def from_table(
        cls, table: Any, *, sequence_column: str | None = None, label_column: str | None = None,
        split: Split = "auto", seed: int = 0,
    ) -> Task:
        """Take labelled sequences as they are.

        Parameters
        ----------
        table : str, Path, DataFrame, dict of columns, or (sequences, labels)
            CSV or TSV, or a folder of splits; a table of pandas or polars; or two columns. Beside sequences and
            labels it may have a column ``split``, and ``chrom``, ``start``, ``end`` (0-based, half-open).
        sequence_column, label_column : str, optional
            Found by their names by default.
        split : str or mapping
            As in `from_bed`; also ``column``.
        seed : int
            Of a random split.

        Raises
        ------
        ConfigError
            If the split does not fit the table.
        DataError
            If the table cannot be read: no such column, a letter that is no DNA, a missing label.
        """
        columns = {"sequence_column": sequence_column, "label_column": label_column, "split": _split(split)}
        if isinstance(table, str | Path):
            flags = {"table": Path(table).expanduser(), **columns}
            return cls.from_settings(load_settings(TaskSettings, flags=flags), seed=seed)
        if isinstance(table, tuple) and len(table) == 2:
            sequences, labels = table
            table = {"sequence": list(sequences), "label": list(labels)}
        if not is_table(table):
            raise DataError("this is no table of labelled sequences", got=type(table).__name__,
                            expected="a path, a table of pandas or polars, or (sequences, labels)")
        settings = load_settings(TaskSettings, flags=columns)
        examples = examples_from_rows(table_rows(table), "table", sequence_column, label_column)
        lengths = reach(examples.intervals or ())
        return cls(divide_and_say(examples, lengths, settings.split, seed=seed), settings)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(self.examples.label_names)

    @property
    def counts(self) -> np.ndarray:
        """Examples of each split (train, valid, test) and class: int64, shape (3, C)."""
        known = self.examples.labels >= 0
        return np.array([
            np.bincount(self.examples.labels[known & (self.examples.splits == name)], minlength=len(self.label_names))
            for name in SPLITS
        ], dtype=np.int64)

    @property
    def table(self) -> Table:
        """The counts as a table."""
        rows = [[name, *map(int, row)] for name, row in zip(SPLITS, self.counts, strict=True)]
        return Table(self._title(), ("split", *self.label_names), rows, thousands=True)

    def sample(self, n: int, *, seed: int = 0) -> Task:
        """Give the task of `n` of its examples, drawn at random, in the order they have; for a quick look.

        Raises
        ------
        ConfigError
            If there are fewer.
        """
        if not 0 < n <= len(self):
            raise ConfigError("these are more examples than there are", where="n", got=n, expected=f"1 to {len(self)}")
        chosen = np.sort(generator(seed, "sample").permutation(len(self))[:n])
        return Task(self.examples.select(chosen), self.settings, self.genome)

    def split(self, name: str) -> Examples:
        """Give the examples of ``train``, ``valid`` or ``test``."""
        return self.examples.split(name)

    def __len__(self) -> int:
        return len(self.examples)

    def __repr__(self) -> str:
        lines = [
            f"{name}: " + ", ".join(f"{n:,} {label}" for n, label in zip(row, self.label_names, strict=True))
            for name, row in zip(SPLITS, self.counts.tolist(), strict=True)
        ]
        return "\n  ".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def _title(self) -> str:
        sizes = sorted({len(one) for one in self.examples.sequences})
        span = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}" if sizes else "0"
        unused = len(self.examples) - int(np.isin(self.examples.splits, SPLITS).sum())
        left_out = f"; {unused:,} in no split" if unused else ""
        source = f" of {self.genome.path.name}" if self.genome is not None else ""
        return f"Task: {len(self):,} sequences{source}, {span} bases each{left_out}"


def read_intervals(source: Any, lengths: Mapping[str, int]) -> list[Interval]:
    """Read stretches of a genome from a table with chrom, start and end, or a list of texts or `Interval`.

    Parameters
    ----------
    source : DataFrame, dict of columns, or list
    lengths : mapping of str to int
        Length of each chromosome in bp.

    Raises
    ------
    ConfigError
        If a text is no ``chrom:start-end`` on the genome.
    DataError
        If the table lacks a column, a number is none, or there is no interval.
    """
    if is_table(source):
        found = [_row_interval(cells, where) for where, cells in table_rows(source)]
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        found = [one if isinstance(one, Interval) else Interval.parse(str(one), lengths) for one in source]
    else:
        raise DataError("these are no stretches of a genome", got=type(source).__name__,
                        expected="a BED, a table with chrom, start and end, or texts chrom:start-end")
    if not found:
        raise DataError("there are no stretches of a genome", got=repr(source)[:60])
    return found


def _row_interval(cells: Mapping[str, str], where: str) -> Interval:
    missing = [name for name in ("chrom", "start", "end") if name not in cells]
    if missing:
        raise DataError(f"the table has no column {missing[0]!r}", where="table", got=", ".join(cells)[:300],
                        expected="chrom, start, end (0-based, half-open)")
    start = whole_number(cells["start"], "start", where)
    end = whole_number(cells["end"], "end", where)
    return Interval(cells["chrom"], start, end, cells.get("strand") or ".", cells.get("name") or ".")


def _split(split: Split) -> dict[str, Any]:
    return {"by": split} if isinstance(split, str) else dict(split)
