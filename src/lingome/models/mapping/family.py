"""One kind of published model folder, and its tensors both ways.

A `Family` says which shapes it holds, how ``config.json`` is read and written, and which tensor of the file is which
of ours. Each ``networks/*/folder.py`` describes its own and lists them in ``FAMILIES``;
`lingome.models.registry` joins the lists. To add one, write::

    FAMILIES = (Family("bert", TransformerConfig, fits=..., read_config=..., write_config=..., parts={...}, ...),)

or, for a shape that no other library has, ``own_family("lingome-dilated", DilatedConfig, kind="masked_lm")``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lingome.core.errors import CheckpointError
from lingome.models.mapping.config_json import read_number

CLASSIFIER = "mean_pool_classifier"
"""Tensors of our classifier. No name of transformers' own classifiers, whose heads pool otherwise
and would take these weights without a word."""

Kind = Literal["masked_lm", "causal_lm", "seq2seq_lm", "encoder", "tracks", "static"]
"""What a folder holds: it guesses hidden tokens, the next one, or a second sequence; is an encoder alone; predicts
tracks; or is a table of vectors."""

Tensors = dict[str, Tensor]

_SIZES = ("vocab_size", "hidden_size", "n_layers", "n_heads", "ffn_size", "max_positions")


def _mean_pool(config: Any) -> tuple[str, str]:
    return CLASSIFIER, "LingomeSequenceClassifier"


def _equal_rows(name: str, rows: int, n_names: int, config: Any) -> list[int]:
    return [rows // n_names] * n_names


def _all_of_them(config: Any) -> bool:
    return True


def _as_it_is(tensors: Tensors, config: Any) -> tuple[Tensors, list[str]]:
    return tensors, []


def _nothing_more(tensors: Tensors, config: Any) -> Tensors:
    return tensors


@dataclass(frozen=True)
class Family:
    """One kind of published model folder.

    Parameters
    ----------
    name : str
        Its name here, and the ``model_type`` that is written unless `model_type` says another.
    shape : type
        Class of the shapes that it holds.
    read_config : function (content, file) -> shape
        Read ``config.json``; raises a `CheckpointError` that names what cannot be read.
    write_config : function (shape) -> dict
        Settings of ``config.json``, without the heading (`lingome.models.folders.families.to_config_json`).
    kind : str
        What it holds; see `Kind`.
    architecture : str
        Class that ``config.json`` names: of `library`.
    library : {"transformers", "lingome"}
        Who else loads the folder.
    fits : function (shape) -> bool
        Whether a shape of this class can be written so; the first family that fits is taken.
    model_type, model_types
        The one written, and others that are read.
    recognises : function (content) -> bool
        Tell apart families that are read under one ``model_type``.
    parts : mapping
        Our name without ``.weight`` or ``.bias`` (or whole), to that of the file: several where ours is
        theirs stacked. ``#`` stands for the number of a layer. Empty: the names are ours.
    body : str
        How names of the body begin in the file; files of a bare body leave it out.
    ties : mapping
        Our tensors that are another of ours again, if the shape's `tie_head` is true.
    spare, spare_ends : tuple of str
        Beginnings and ends of names in published files that no model here uses.
    spare_rows : int
        Most rows of the embedding for which the tokenizer has no token.
    transposed : tuple of str
        Ends of our names whose matrices the file keeps as (in, out).
    rows : function (name, rows, n_names, shape) -> list of int
        Rows of each of several tensors that are one of ours; equal parts unless given.
    classifier : function (shape) -> (str, str)
        Of a shape with classes: the name of the head's tensors, and the class that ``config.json`` names.
    prepare : function (tensors, shape) -> (tensors, problems)
        Change the file's tensors, names as they stand there, before any is looked up; problems are reported.
    finish : function (tensors, shape) -> tensors
        Change the file's tensors before they are written.
    """

    name: str
    shape: type
    read_config: Callable[[Mapping[str, Any], Path], Any]
    write_config: Callable[[Any], dict[str, Any]]
    kind: Kind
    architecture: str
    library: Literal["transformers", "lingome"] = "lingome"
    fits: Callable[[Any], bool] = _all_of_them
    model_type: str = ""
    model_types: tuple[str, ...] = ()
    recognises: Callable[[Mapping[str, Any]], bool] = _all_of_them
    parts: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    body: str = "body."
    ties: Mapping[str, str] = field(default_factory=dict)
    spare: tuple[str, ...] = ()
    spare_ends: tuple[str, ...] = ()
    spare_rows: int = 0
    transposed: tuple[str, ...] = ()
    rows: Callable[[str, int, int, Any], list[int]] = _equal_rows
    classifier: Callable[[Any], tuple[str, str]] = _mean_pool
    prepare: Callable[[Tensors, Any], tuple[Tensors, list[str]]] = _as_it_is
    finish: Callable[[Tensors, Any], Tensors] = _nothing_more

    def reads(self, content: Mapping[str, Any]) -> bool:
        """Say whether a ``config.json`` is of this family."""
        model_type = content.get("model_type")
        return model_type in (self.model_type or self.name, *self.model_types) and self.recognises(content)

    def file_names(self, name: str, config: Any) -> tuple[str, ...]:
        """Give the names in the file of one of our tensors: several where ours is theirs stacked.

        Raises
        ------
        KeyError
            If the family does not know the tensor: `parts` lacks a line.
        """
        part, kind = name.rsplit(".", 1)
        if part == "head" and config.label_names:
            return (f"{self.classifier(config)[0]}.{kind}",)
        if not self.parts:
            return (name,)
        for key, numbers in _patterns(name):
            if key in self.parts:
                return tuple(_numbered(place, numbers) for place in _several(self.parts[key]))
        for key, numbers in _patterns(part):
            if key in self.parts:
                return tuple(f"{_numbered(place, numbers)}.{kind}" for place in _several(self.parts[key]))
        raise KeyError(f"{self.name} has no name for {name}")

    def tied(self, config: Any) -> dict[str, str]:
        """Give our tensors that are others of ours again: name and name."""
        if not getattr(config, "tie_head", False):
            return {}
        return {ours: source for ours, source in self.ties.items() if not (config.label_names and ours[:4] == "head")}

    def to_file(self, state: Mapping[str, Tensor], config: Any) -> Tensors:
        """Turn our tensors into those of the file; a tied matrix is left out.

        Parameters
        ----------
        state : mapping
            Our tensors by name, of the shapes that the model has.
        config : shape
            The model's shape.

        Returns
        -------
        dict
            Tensors by the file's names, several where one of ours is theirs stacked.
        """
        tensors: Tensors = {}
        tied = self.tied(config)
        for name, tensor in state.items():
            if name in tied:
                continue
            names = self.file_names(name, config)
            rows = self.rows(name, tensor.shape[0], len(names), config) if len(names) > 1 else [tensor.shape[0]]
            turned = name.endswith(self.transposed) if self.transposed else False
            for theirs, part in zip(names, torch.split(tensor, rows, dim=0), strict=True):
                tensors[theirs] = part.t() if turned else part
        return self.finish(tensors, config)

    def from_file(
        self, tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], config: Any, file: Path,
        *, body_only: bool = False,
    ) -> Tensors:
        """Turn the file's tensors into ours, in float32.

        Parameters
        ----------
        tensors : mapping
            Content of the file.
        shapes : mapping
            Our names and the shape that each must have.
        config : shape
            The model's shape.
        file : Path
            Named in errors.
        body_only : bool
            Whether tensors outside the body are left unread.

        Raises
        ------
        CheckpointError
            If tensors are missing, unexpected or of another shape or kind; the message names them.
        """
        tied = self.tied(config)
        wanted = {name: self.file_names(name, config) for name in shapes if name not in tied}
        known = {name for names in wanted.values() for name in names}
        given, problems = self.prepare(dict(tensors), config)
        again = {theirs for ours in tied for theirs in self.file_names(ours, config)}
        given = self._with_prefix(given, known | again)
        missing = known - given.keys()
        problems += [f"missing {name}" for name in sorted(missing)]
        if not body_only:
            problems += [
                f"unexpected {name}" for name in sorted(given.keys() - known - again) if not self._is_spare(name)
            ]
        found: Tensors = {}
        for name, names in wanted.items():
            if not missing.isdisjoint(names):
                continue
            turned = name.endswith(self.transposed) if self.transposed else False
            bad = self._misfits(given, name, names, shapes[name], turned, config)
            problems += bad
            if not bad and not problems:
                whole = torch.cat([given[part].float() for part in names]) if shapes[name] else given[names[0]].float()
                found[name] = whole.t().contiguous() if turned else whole
        if problems:
            raise CheckpointError(
                "the weights do not fit the model that config.json describes", where=file, got=_shown(problems),
                expected=f"{len(known)} tensors of a {self.name} model, {config.n_layers} layers of "
                f"{config.hidden_size}",
            )
        return found | {ours: found[source] for ours, source in tied.items() if ours in shapes}

    def _with_prefix(self, tensors: Tensors, known: set[str]) -> Tensors:
        """Put the body's prefix before the names of a file that was written by the bare body's class."""
        if any(name.startswith(self.body) for name in tensors):
            return tensors
        return {name if name in known else self.body + name: tensor for name, tensor in tensors.items()}

    def _is_spare(self, name: str) -> bool:
        return name.startswith(self.spare or ("\0",)) or name.endswith(self.spare_ends or ("\0",))

    def _misfits(
        self, given: Tensors, name: str, names: tuple[str, ...], wanted: torch.Size, turned: bool, config: Any
    ) -> list[str]:
        """Name the parts of one of our tensors that have another shape or hold no floating-point numbers."""
        problems = []
        parts = self.rows(name, wanted[0], len(names), config) if len(names) > 1 else list(wanted[:1])
        for index, theirs in enumerate(names):
            shape = [*parts[index : index + 1], *wanted[1:]]
            shape = shape[::-1] if turned else shape
            if list(given[theirs].shape) != shape:
                problems.append(f"{theirs} is {list(given[theirs].shape)}, config.json asks for {shape}")
            elif not given[theirs].is_floating_point():
                problems.append(f"{theirs} holds {given[theirs].dtype}, not floating-point numbers")
        return problems


def own_family(name: str, shape: type, kind: Kind, architecture: str, **others: Any) -> Family:
    """Describe a folder under our own names: every field of the shape, and tensors as the model has them.

    Parameters
    ----------
    name, shape, kind, architecture
        As in `Family`.
    **others
        Further fields of `Family`, as `ties`.
    """
    def read(content: Mapping[str, Any], file: Path) -> Any:
        return read_fields(content, file, shape)

    return Family(name, shape, read, dataclasses.asdict, kind, architecture, **others)


def read_fields(content: Mapping[str, Any], file: Path, shape: type) -> Any:
    """Read a shape whose fields stand in ``config.json`` under their own names.

    Sizes must be there; of the others, one that is left out has its default, as in folders written before it was.

    Raises
    ------
    CheckpointError
        If a number is missing or is none.
    """
    values: dict[str, Any] = {}
    for one in dataclasses.fields(shape):
        if isinstance(one.default, tuple):
            values[one.name] = tuple(content.get(one.name, one.default))
        elif one.default is None or isinstance(one.default, bool | str):
            values[one.name] = content.get(one.name, one.default)
        else:
            default: Any = one.default
            needed = None if one.name in _SIZES else default
            values[one.name] = read_number(content, one.name, type(default), file, needed)
    return shape(**values)


def within(ours: str, theirs: str, parts: Mapping[str, str | tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Put a layer's prefix before both names of each part, ours and the file's.

    >>> within("body.layers.#", "bert.encoder.layer.#", {"ffn_in": "intermediate.dense"})
    {'body.layers.#.ffn_in': ('bert.encoder.layer.#.intermediate.dense',)}
    """
    return {f"{ours}.{name}": tuple(f"{theirs}.{one}" for one in _several(places)) for name, places in parts.items()}


def _several(places: str | tuple[str, ...]) -> tuple[str, ...]:
    return (places,) if isinstance(places, str) else places


def _patterns(name: str) -> Iterator[tuple[str, list[str]]]:
    """Give a name as it is, with # for its first number, and with # for every number; and those numbers."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.|$)", name)
    yield name, []
    yield re.sub(r"(?<=\.)\d+(?=\.|$)", "#", name, count=1), numbers[:1]
    yield re.sub(r"(?<=\.)\d+(?=\.|$)", "#", name), numbers


def _numbered(place: str, numbers: list[str]) -> str:
    for number in numbers:
        place = place.replace("#", number, 1)
    return place


def _shown(problems: list[str], most: int = 6) -> str:
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return "; ".join(problems[:most]) + more
