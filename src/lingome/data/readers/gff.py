"""GFF3 and GTF: features of a genome. 1-based, closed in the file; 0-based, half-open here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lingome.core.errors import DataError
from lingome.data.interval import Interval
from lingome.data.readers.bed import check_interval, finite_number, whole_number
from lingome.data.readers.compressed import read_lines

_GTF = re.compile(r'\s*([^\s;"]+)\s+(?:"([^"]*)"|([^\s;"]+))\s*(?:;|$)')


@dataclass(frozen=True, slots=True)
class Feature:
    """A line of GFF3 or GTF.

    Parameters
    ----------
    interval : Interval
        0-based, half-open; named by ``ID``, ``Name``, ``transcript_id`` or ``gene_id``.
    type : str
        ``gene``, ``exon``, ``CDS``, ...
    attributes : dict of str to str
        The ninth column.
    """

    interval: Interval
    type: str
    attributes: dict[str, str]


def read_gff(
    path: Path, types: Collection[str] | None = None, lengths: Mapping[str, int] | None = None
) -> list[Feature]:
    """Read GFF3 or GTF, plain or gzip; which of the two is told line by line from the ninth column.

    Comments and directives are passed over; a ``##FASTA`` part ends the features.

    Parameters
    ----------
    path : Path
    types : collection of str, optional
        Keep only these.
    lengths : mapping of str to int, optional
        Length of each chromosome; when given, features are checked against it.

    Raises
    ------
    DataError
        With file and line: not nine columns, a start or end that is no position, end < start, a
        start of 0, a strand other than + - . ?, or attributes that are neither GFF3 nor GTF; no
        feature of `types`.
    """
    path = Path(path)
    features = []
    seen: set[str] = set()
    for number, line in read_lines(path):
        if line.startswith("##FASTA") or line.startswith(">"):
            break
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        feature = _feature(line, f"{path}:{number}")
        seen.add(feature.type)
        if types is None or feature.type in types:
            if lengths is not None:
                check_interval(feature.interval, lengths, f"{path}:{number}")
            features.append(feature)
    if not seen:
        raise DataError("there is no feature in this file", where=path, expected="GFF3 or GTF")
    if not features:
        raise DataError(
            f"no feature is of type {', '.join(sorted(types or ()))}", where=path, got=", ".join(sorted(seen)[:20])
        )
    return features


def _feature(line: str, where: str) -> Feature:
    fields = line.split("\t")
    if len(fields) not in (8, 9):
        raise DataError(
            "a feature has nine columns, separated by tabs", where=where, got=f"{len(fields)}: {line[:60]!r}"
        )
    chrom, _, kind, first, last, score, strand = fields[:7]
    start = whole_number(first, "start", where)
    end = whole_number(last, "end", where)
    if not chrom or not kind:
        raise DataError("a feature without a sequence name or a type", where=where, got=line[:60])
    if start < 1 or end < start:
        raise DataError(
            "the start comes after the end, or is 0", where=where, got=f"{start}..{end}", expected="1 <= start <= end"
        )
    if strand not in ("+", "-", ".", "?"):
        raise DataError("the seventh column is the strand", where=where, got=repr(strand[:40]), expected="+ - . or ?")
    attributes = _attributes(fields[8], where) if len(fields) == 9 else {}
    names = (attributes[key] for key in ("ID", "Name", "transcript_id", "gene_id") if attributes.get(key))
    value = finite_number(score, "score", where) if score not in (".", "") else 0.0
    interval = Interval(unquote(chrom), start - 1, end, "." if strand == "?" else strand, next(names, "."), value)
    return Feature(interval, kind, attributes)


def _attributes(text: str, where: str) -> dict[str, str]:
    text = text.strip()
    if text in ("", "."):
        return {}
    head = re.match(r'[^\s;="]+', text)
    if head and text[head.end() : head.end() + 1] == "=":
        pairs = (part.partition("=") for part in text.split(";") if part.strip())
        found = {key.strip(): value.strip() for key, _, value in pairs}
        return {unquote(key): unquote(value) for key, value in found.items()} if "%" in text else found
    found = {}
    position = 0
    while position < len(text):
        match = _GTF.match(text, position)
        if match is None:
            raise DataError("the attributes are neither GFF3 nor GTF", where=where, got=text[position : position + 60])
        found.setdefault(match.group(1), match.group(2) if match.group(2) is not None else match.group(3))
        position = match.end()
    return found
