"""Words of k bases: overlapping (DNABERT) or side by side (Nucleotide Transformer).

Ji et al. 2021, doi:10.1093/bioinformatics/btab083; Dalla-Torre et al. 2025,
doi:10.1038/s41592-024-02523-z.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np

from lingome.core.errors import ConfigError
from lingome.core.files import atomic_file
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import SPECIAL, Tokenizer
from lingome.tokens.tokenizer_json import split_by, word_level, write_tokenizer_json

LAYOUTS = ("dnabert", "nucleotide-transformer", "nucleotide-transformer-v2")
MAX_K = 8

# Both published vocabularies count in the order A, T, C, G. Digit of each ASCII character; 4 if unknown.
_ORDER = "ATCG"
_DIGIT = np.array([_ORDER.index(letter) for letter in DNA.letters] + [DNA.unknown], dtype=np.uint8)[DNA.codes]
_NT_ROLES = {"pad": "<pad>", "unk": "N", "cls": "<cls>", "sep": "<eos>", "mask": "<mask>"}


class KmerTokenizer(Tokenizer):
    """Cut a sequence into words of k bases.

    Parameters
    ----------
    k : int
        Length of a word, 1..8.
    overlap : bool
        True: a word begins at every base, n - k + 1 words in all; a word with an unknown letter
        is [UNK]; token `i` owns base `i`, and the last token owns its k bases, so that tokens
        tile the sequence. A sequence shorter than k becomes one [UNK] per base.
        False: words side by side from the left; an unknown letter breaks the grid, and bases
        that fill no word are single letters.
    layout : {"dnabert", "nucleotide-transformer", "nucleotide-transformer-v2"}
        Order of ids. ``dnabert``: `SPECIAL`, then k-mers in the order A, T, C, G; without overlap
        and for k > 1 the letters A, T, C, G follow. ``nucleotide-transformer`` (without overlap only):
        ``<unk> <pad> <mask> <cls>``, k-mers, A, T, C, G, N, ``<eos> <bos>``, as in its first
        version; in the second ``<eos> <bos>`` follow ``<cls>``, which adds 2 to every k-mer's id. There
        an unknown letter is the token ``N``, which is what `unk_id` gives.

    Raises
    ------
    ConfigError
        If k or the layout does not fit.

    Examples
    --------
    >>> words = KmerTokenizer(3)
    >>> [words.vocab[i] for i in words.encode("TAGCGTAT").input_ids]
    ['TAG', 'AGC', 'GCG', 'CGT', 'GTA', 'TAT']
    """

    kind = "kmers"

    def __init__(self, k: int, overlap: bool = True, layout: str = "dnabert") -> None:
        if not 1 <= k <= MAX_K:
            raise ConfigError("a k-mer vocabulary needs a k that fits in memory", got=k, expected=f"1 to {MAX_K}")
        if layout not in LAYOUTS or (overlap and layout != "dnabert"):
            raise ConfigError(
                "this layout does not fit", where="layout", got=layout,
                expected="dnabert, or without overlap nucleotide-transformer or nucleotide-transformer-v2",
            )
        self.k = k
        self.overlap = overlap
        self.layout = layout
        words = ["".join(word) for word in itertools.product(_ORDER, repeat=k)]
        letters = list(_ORDER) if k > 1 else []
        if layout == "dnabert":
            super().__init__((*SPECIAL, *words, *(letters if not overlap else [])))
        else:
            front = ("<unk>", "<pad>", "<mask>", "<cls>")
            ends = ("<eos>", "<bos>")
            body = (*words, *letters, "N")
            super().__init__((*front, *(ends + body if layout.endswith("v2") else body + ends)), _NT_ROLES)
        self._first = self.ids[words[0]]
        self._letter_ids = np.array(
            [*(self.ids.get(letter, self.unk_id) for letter in _ORDER), self.unk_id], dtype=self.ids_dtype
        )

    def settings(self) -> dict[str, Any]:
        """Give the kind, k, overlap and layout."""
        return {"kind": self.kind, "k": self.k, "overlap": self.overlap, "layout": self.layout}

    def encode_flat(self, bases: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode sequences that lie one after the other; see `Tokenizer.encode_flat`.

        Parameters
        ----------
        bases : ndarray of uint8, shape (n,)
            ASCII codes.
        starts : ndarray of int64, shape (R + 1,)
            Where each sequence begins, and the last ends.

        Returns
        -------
        ids : ndarray of uint16 or int32, shape (m,)
        cuts : ndarray of int64, shape (R + 1,)
        """
        ids = np.empty(len(bases), dtype=self.ids_dtype)
        cuts = np.zeros(len(starts), dtype=np.int64)
        kernel = _encode_overlapping if self.overlap else _encode_side_by_side
        n = kernel(bases, starts, _DIGIT, self.k, self._first, self._letter_ids, ids, cuts)
        ids.resize(n, refcheck=False)
        return ids, cuts

    def borders(self, ids: np.ndarray, cuts: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Give where each token begins and the last ends; see `Tokenizer.borders`.

        Parameters
        ----------
        ids : ndarray, shape (m,)
            Tokens of all sequences.
        cuts : ndarray of int64, shape (R + 1,)
            Where the tokens of each sequence begin.
        starts : ndarray of int64, shape (R + 1,)
            Where the bases of each sequence begin.

        Returns
        -------
        ndarray of int64, shape (m + 1,)
        """
        if not self.overlap:
            return super().borders(ids, cuts, starts)
        # A token begins at its own base, so the one before ends there: also the last of a sequence.
        borders = np.full(len(ids) + 1, starts[-1], dtype=np.int64)
        borders[:-1] = np.arange(len(ids)) + np.repeat(starts[:-1] - cuts[:-1], np.diff(cuts))
        return borders

    def covered_bp(self, ids: np.ndarray, n_stretches: int) -> int:
        """Count the bases under known words `ids`, shape (m,), that form `n_stretches` stretches of sequence."""
        if not self.overlap:
            return super().covered_bp(ids, n_stretches)
        return len(ids) + n_stretches * (self.k - 1)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give the letters of tokens `ids`, shape (m,); with overlap, what any word says of a base."""
        if not self.overlap:
            return super().decode(ids)
        skip = set(self.special_ids.tolist()) - {self.unk_id}
        kept = [int(i) for i in ids if int(i) not in skip]
        if not kept:
            return ""
        letters = ["N"] * (len(kept) + self.k - 1)
        for position, index in enumerate(kept):
            if index != self.unk_id:
                letters[position : position + self.k] = self.vocab[index]
        return "".join(letters)

    def write_model(self, folder: Path) -> None:
        """Write ``vocab.txt``, and ``tokenizer.json`` when words do not overlap."""
        end = "" if self.overlap and self.k < 6 else "\n"  # as the published files end
        with atomic_file(folder / "vocab.txt") as temporary:
            temporary.write_bytes(("\n".join(self.vocab) + end).encode())
        if self.overlap:
            return
        unknown = self.roles["unk"]
        word = f"[ACGT]{{{self.k}}}|[\\s\\S]"
        special = [(self.vocab[i], int(i)) for i in self.special_ids if self.vocab[i] != "N"]
        after = self.roles["sep"] if self.layout == "dnabert" else None
        write_tokenizer_json(
            folder, model=word_level(self.ids, unknown), pre_tokenizer=split_by(word), special=special,
            before=self.roles["cls"], after=after,
        )

    def config_extras(self) -> dict[str, Any]:
        """Say how others can read overlapping words, which tokenizer.json cannot express."""
        if not self.overlap:
            return {}
        return {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": False,
            "lingome_note": (
                "Overlapping k-mers cannot be said in tokenizer.json. lingome cuts the sequence itself; "
                "other readers of vocab.txt need k-mers separated by spaces, as DNABERT does."
            ),
        }


# Shapes in the kernels: bases (n,), starts and cuts (R + 1,), digit_of (256,), letter_ids (5,), and ids (n,), of which
# the first m are written.


@numba.njit(cache=True, nogil=True)
def _encode_overlapping(
    bases: np.ndarray, starts: np.ndarray, digit_of: np.ndarray, k: int, first: int, letter_ids: np.ndarray,
    ids: np.ndarray, cuts: np.ndarray,
) -> int:
    """Roll a base-4 number along each sequence; see `KmerTokenizer`."""
    n = 0
    mask = 4**k - 1
    unknown = letter_ids[4]
    for r in range(len(starts) - 1):
        letters = bases[starts[r] : starts[r + 1]]
        word = 0
        known = 0
        for letter in letters[: k - 1]:
            digit = digit_of[letter]
            word = (word << 2 | digit) & mask
            known = known + 1 if digit < 4 else 0
        for letter in letters[k - 1 :]:
            digit = digit_of[letter]
            word = (word << 2 | digit) & mask  # an unknown letter spoils it, until k others have passed
            known = known + 1 if digit < 4 else 0
            ids[n] = first + word if known >= k else unknown
            n += 1
        if len(letters) < k:
            for _ in letters:
                ids[n] = unknown
                n += 1
        cuts[r + 1] = n
    return n


@numba.njit(cache=True, nogil=True)
def _encode_side_by_side(
    bases: np.ndarray, starts: np.ndarray, digit_of: np.ndarray, k: int, first: int, letter_ids: np.ndarray,
    ids: np.ndarray, cuts: np.ndarray,
) -> int:
    """Take k known letters at a time, else one letter; see `KmerTokenizer`."""
    n = 0
    for r in range(len(starts) - 1):
        i = starts[r]
        end = starts[r + 1]
        while i < end:
            word = 0
            length = 0
            while length < k and i + length < end:
                digit = digit_of[bases[i + length]]
                if digit == 4:
                    break
                word = word << 2 | digit
                length += 1
            if length == k:
                ids[n] = first + word
                i += k
            else:
                ids[n] = letter_ids[digit_of[bases[i]]]
                i += 1
            n += 1
        cuts[r + 1] = n
    return n
