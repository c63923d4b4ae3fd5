"""Labelled sequences: the table that tasks build, models learn from and baselines see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.data.interval import Interval

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Examples:
    """Sequences with labels, and where each came from.

    Parameters
    ----------
    sequences : sequence of str
        Upper-case letters, one string an example (N examples).
    labels : ndarray of int64, shape (N,)
        Class of each example, 0..C-1; -1 where unknown (prediction only).
    splits : ndarray of str, shape (N,)
        ``train``, ``valid``, ``test``; or an empty string where undecided.
    ids : sequence of str
        Unique names.
    intervals : sequence of Interval, optional
        Where each sequence lies, if it comes from a genome; the strand is the one it was read on.
    label_names : tuple of str
        Name of each class, in order.
    columns : mapping of str to ndarray, each of shape (N,)
        Further numbers known of each example (motif score, ...), usable as baselines.
    """

    sequences: Sequence[str]
    labels: np.ndarray
    splits: np.ndarray
    ids: Sequence[str]
    intervals: Sequence[Interval] | None = None
    label_names: tuple[str, ...] = ("0", "1")
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = {
            "sequences": len(self.sequences), "labels": len(self.labels), "splits": len(self.splits),
            "ids": len(self.ids), **{name: len(values) for name, values in self.columns.items()},
        }
        if self.intervals is not None:
            counts["intervals"] = len(self.intervals)
        if len(set(counts.values())) > 1:
            raise DataError("the columns of a set of examples differ in length", got=counts)

    def __len__(self) -> int:
        return len(self.sequences)

    def select(self, keep: np.ndarray) -> Examples:
        """Give some of the examples, in order.

    Parameters
    ----------
    keep : ndarray of int, shape (K,), or of bool, shape (N,)
        Their indices, or a mask that is true where an example is kept.
    """
        index = np.flatnonzero(keep) if keep.dtype == bool else np.asarray(keep)
        rows = [int(i) for i in index]
        return Examples(
            sequences=[self.sequences[i] for i in rows],
            labels=self.labels[index],
            splits=self.splits[index],
            ids=[self.ids[i] for i in rows],
            intervals=None if self.intervals is None else [self.intervals[i] for i in rows],
            label_names=self.label_names,
            columns={name: values[index] for name, values in self.columns.items()},
        )

    def with_label_names(self, names: tuple[str, ...]) -> Examples:
        """Give the same examples with the classes numbered in another order.

        Parameters
        ----------
        names : tuple of str
            The names there are, reordered.
        """
        assert sorted(names) == sorted(self.label_names), "the same names in another order"
        number = np.array([names.index(name) for name in self.label_names], dtype=np.int64)
        labels = np.where(self.labels >= 0, number[self.labels], self.labels)
        return Examples(self.sequences, labels, self.splits, self.ids, self.intervals, names, self.columns)

    def split(self, name: str) -> Examples:
        """Give the examples of one split, in order."""
        return self.select(self.splits == name)

    def with_splits(self, splits: np.ndarray) -> Examples:
        """Give the same examples under another split.

    Parameters
    ----------
    splits : ndarray of str or object, shape (N,)
        ``train``, ``valid``, ``test``, or an empty string.
    """
        return Examples(
            self.sequences, self.labels, np.asarray(splits, dtype=object), self.ids,
            self.intervals, self.label_names, self.columns,
        )


def example_rows(examples: Examples) -> list[dict[str, Any]]:
    """Give rows of the table ``examples``, which `read_examples` reads back."""
    rows = []
    for index, name in enumerate(examples.ids):
        place = examples.intervals[index] if examples.intervals is not None else None
        label = int(examples.labels[index])
        rows.append({
            "id": name,
            **({"chrom": place.chrom, "start": place.start, "end": place.end, "strand": place.strand} if place else {}),
            "label": examples.label_names[label] if label >= 0 else None,
            "split": str(examples.splits[index]),
            **{column: float(values[index]) for column, values in examples.columns.items()},
            "sequence": examples.sequences[index],
        })
    return rows
