"""DNA as arrays of letters: uint8 ASCII codes, upper case, A C G T N."""

from __future__ import annotations

import numpy as np

from lingome.core.errors import DataError

Bases = np.ndarray

N = ord("N")
IUPAC = "RYKMSWBDHV"
DNA = "ACGTUN" + IUPAC

_COMPLEMENT = np.arange(256, dtype=np.uint8)
for _one, _other in zip(b"ACGTNacgtn", b"TGCANtgcan", strict=True):
    _COMPLEMENT[_one] = _other

UPPER = bytes.maketrans(
    (DNA + DNA.lower()).encode(), ("ACGTTN" + "N" * len(IUPAC)).encode() * 2
)


def as_bases(sequence: str | bytes | np.ndarray) -> Bases:
    """Turn letters into an array of upper-case A, C, G, T, N.

    U becomes T; the other IUPAC letters for DNA become N. An array is taken to be clean already.

    Parameters
    ----------
    sequence : str, bytes or ndarray of uint8, shape (L,)

    Returns
    -------
    ndarray of uint8, shape (L,)
        Read-only when made from text.

    Raises
    ------
    DataError
        If there is a letter that is no DNA.

    >>> bytes(as_bases("acgun"))
    b'ACGTN'
    """
    if isinstance(sequence, np.ndarray):
        if sequence.dtype != np.uint8:
            raise DataError("bases are kept as uint8", got=sequence.dtype)
        return sequence
    try:
        raw = sequence.encode("ascii") if isinstance(sequence, str) else bytes(sequence)
    except UnicodeEncodeError as error:
        raise DataError("a letter that is no DNA", got=repr(error.object[error.start])) from error
    strange = raw.translate(None, (DNA + DNA.lower()).encode())
    if strange:
        letter = chr(strange[0])
        raise DataError("a letter that is no DNA", where=f"base {raw.index(strange[:1]) + 1}", got=repr(letter))
    return np.frombuffer(raw.translate(UPPER), dtype=np.uint8)


def as_text(bases: Bases) -> str:
    """Turn an array of letters into a string."""
    return bases.tobytes().decode("ascii")


def reverse_complement(bases: Bases) -> Bases:
    """Give the other strand, 5' to 3'; N stays N.

    Parameters
    ----------
    bases : ndarray of uint8, shape (L,)

    Returns
    -------
    ndarray of uint8, shape (L,)

    >>> as_text(reverse_complement(as_bases("AACGN")))
    'NCGTT'
    """
    other: np.ndarray = _COMPLEMENT[bases[::-1]]
    return other


def gc_content(bases: Bases | str) -> float:
    """Give the share of G and C among A, C, G, T; NaN when there is none of them.

    >>> gc_content("GGCANN")
    0.75
    """
    array = as_bases(bases)
    counts = np.bincount(array, minlength=256)
    strong = int(counts[67] + counts[71])
    weak = int(counts[65] + counts[84])
    return strong / (strong + weak) if strong + weak else float("nan")
