"""Chromosome names that nearly fit: 20 and chr20, MT and chrM."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from lingome.core.errors import DataError

_MITOCHONDRIA = ("chrM", "chrMT", "MT", "M", "Mito", "chrMito")


def near_name(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that `name` most likely means, if any.

    >>> near_name("20", ["chr19", "chr20"])
    'chr20'
    >>> near_name("Mito", ["chrI", "chrM"])
    'chrM'
    """
    names = list(known)
    candidates = [f"chr{name}", name.removeprefix("chr"), name.split(".")[0]]
    if name in _MITOCHONDRIA:
        candidates += list(_MITOCHONDRIA)
    folded = {other.lower(): other for other in names}
    for candidate in [*candidates, name]:
        if candidate.lower() in folded:
            return folded[candidate.lower()]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return close[0] if close else None


def unknown_chromosome(chrom: str, lengths: Mapping[str, int], where: object) -> DataError:
    """Explain that a chromosome is not in the genome, with both names and the fix."""
    near = near_name(chrom, lengths)
    shown = ", ".join(list(lengths)[:8]) + (f", ... ({len(lengths)} in all)" if len(lengths) > 8 else "")
    hint = "use the genome that these coordinates were made on"
    if near == f"chr{chrom}":
        hint = f"the genome says {near!r}: put chr before the names, e.g.  sed '/^#/!s/^/chr/' FILE > NEW"
    elif near is not None and chrom == f"chr{near}":
        hint = f"the genome says {near!r}: take chr off the names, e.g.  sed 's/^chr//' FILE > NEW"
    elif near is not None:
        hint = f"did you mean {near!r}?"
    what = f"there is no chromosome {chrom!r} in the genome"
    return DataError(what, where=where, got=chrom, expected=shown, hint=hint)
