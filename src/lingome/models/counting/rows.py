"""Rows of a count of parameters: each is a product of named sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One row: a tensor's shape, and how often the model has one of that shape.

    Parameters
    ----------
    component : str
        What it is.
    shape : str
        Shape of one tensor, as in ``50,257 x 768``.
    formula : str
        Factors whose product is `parameters`.
    parameters : int
        Numbers in all of these tensors.
    """

    component: str
    shape: str
    formula: str
    parameters: int


@dataclass(frozen=True)
class Count:
    """The rows of a model under one convention of counting.

    Parameters
    ----------
    convention : str
        What is counted, in a few words.
    parts : tuple of Part
        The rows.
    sizes : mapping of str to int
        The symbols of the formulas.
    """

    convention: str
    parts: tuple[Part, ...]
    sizes: Mapping[str, int]

    @property
    def total(self) -> int:
        """Parameters in all."""
        return sum(part.parameters for part in self.parts)


class Rows:
    """Rows of one model. `add` takes a shape and its repeats as symbols: ``add("query", "D D", "L")``."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.parts = list[Part]()

    def add(self, component: str, shape: str, times: str = "") -> None:
        """Add a row; one with a size of 0 has no parameters, and is left out."""
        dims = shape.split()
        repeats = times.split()
        numbers = [word for word in repeats if word.isdigit()]
        words = [*numbers, *dims, *(word for word in repeats if not word.isdigit())]
        product = math.prod(self._size(word) for word in words)
        if product:
            formula = " x ".join(word for word in words if word != "1") or "1"
            self.parts.append(Part(component, write_shape([self._size(word) for word in dims]), formula, product))

    def _size(self, word: str) -> int:
        """Read a factor: a symbol, a number, a number before a symbol (2F), or a symbol less one (L-1)."""
        if word.isdigit():
            return int(word)
        if word.endswith("-1"):
            return self.sizes[word.removesuffix("-1")] - 1
        symbol = word.lstrip("0123456789")
        return int(word[: len(word) - len(symbol)] or 1) * self.sizes[symbol]

    def attention(self, *, bias: bool = True) -> None:
        """Add query, key, value and output of every layer, all D x D."""
        for name in ("query", "key", "value"):
            self.add(name, "D D", "L")
        self.add("attention output", "D D", "L")
        if bias:
            self.add("biases of attention", "D", "4 L")

    def grouped_attention(self, *, bias: bool) -> None:
        """Add the same a head at a time, where keys and values have fewer heads, or heads another size than D / H."""
        for name, heads in (("query", "H"), ("key", "G"), ("value", "G")):
            self.add(name, "K D", f"{heads} L")
        self.add("attention output", "D K", "H L")
        if bias:
            self.add("biases of query", "K", "H L")
            self.add("biases of key and value", "K", "2 G L")
            self.add("biases of attention output", "D", "L")

    def feed_forward(self) -> None:
        """Add the two matrices of every layer and their biases."""
        self.add("up-projection", "D F", "L")
        self.add("biases of up-projection", "F", "L")
        self.add("down-projection", "F D", "L")
        self.add("biases of down-projection", "D", "L")

    def count(self, convention: str) -> Count:
        """Give what was added."""
        return Count(convention, tuple(self.parts), self.sizes)


def write_shape(sizes: Sequence[int]) -> str:
    """Write a shape.

    >>> write_shape([50257, 768])
    '50,257 x 768'
    """
    return " x ".join(f"{size:,}" for size in sizes) or "1"


def merge_counts(counts: Sequence[Count]) -> list[tuple[str, str, str, list[int]]]:
    """Put counts of one model side by side: component, shape, formula, and the parameters under each convention.

    A component that a convention leaves out has 0. Rows stand in the order of the first count, those of
    later ones after the row that they follow there.
    """
    order: list[str] = []
    first: dict[str, Part] = {}
    for count in counts:
        place = 0
        for part in count.parts:
            if part.component not in first:
                first[part.component] = part
                order.insert(place, part.component)
            place = order.index(part.component) + 1
    columns = [{part.component: part.parameters for part in count.parts} for count in counts]
    return [
        (name, first[name].shape, first[name].formula, [column.get(name, 0) for column in columns]) for name in order
    ]
