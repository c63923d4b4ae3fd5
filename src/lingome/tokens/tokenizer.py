"""What every tokenizer of sequence is: letters to ids and back, and which bases a token owns."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, overload

import numba
import numpy as np

from lingome.core.errors import DataError
from lingome.core.files import write_text
from lingome.tokens.alphabet import DNA, Alphabet

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SequenceLike = str | bytes | np.ndarray
Roles = dict[str, str]


class Encoding(NamedTuple):
    """The tokens of one sequence, without special tokens.

    Parameters
    ----------
    input_ids : ndarray of uint16 (int32 for vocabularies above 65,535), shape (n,)
        Ids of the tokens, in order.
    offsets : ndarray of int64, shape (n + 1,)
        Token `i` owns bases ``[offsets[i], offsets[i + 1])``; the first is 0 and the last the
        length of the sequence, so that the tokens tile it exactly.
    """

    input_ids: np.ndarray
    offsets: np.ndarray

    def token_at(self, bases: int | np.ndarray) -> np.ndarray:
        """Give the index of the token that owns each base.

        Back again: token `i` owns bases ``offsets[i]`` to ``offsets[i + 1] - 1``.

        Parameters
        ----------
        bases : int or ndarray of int, any shape
            0-based, within the sequence.

        Returns
        -------
        ndarray of int64, shape of `bases`

        Raises
        ------
        DataError
            If a base lies outside the sequence.
        """
        places = np.asarray(bases)
        length = int(self.offsets[-1])
        outside = places[(places < 0) | (places >= length)]
        if outside.size:
            raise DataError("no token owns this base", got=int(outside.flat[0]), expected=f"0 to {length - 1}")
        return np.asarray(np.searchsorted(self.offsets, places, side="right") - 1)


class Encodings(Sequence[Encoding]):
    """The tokens of many sequences, kept as one array; each `Encoding` is made when asked for.

    Parameters
    ----------
    tokenizer : Tokenizer
        What cut them.
    input_ids : ndarray of uint16 or int32, shape (m,)
        Tokens of all sequences, one after the other. Do not write to it.
    cuts : ndarray of int64, shape (R + 1,)
        Tokens of sequence `r` are ``input_ids[cuts[r]:cuts[r + 1]]``.
    starts : ndarray of int64, shape (R + 1,)
        Where each sequence begins, in letters of all sequences, and the last ends.

    Examples
    --------
    >>> from lingome.tokens.characters import CharacterTokenizer
    >>> encodings = CharacterTokenizer().encode_batch(["AC", "GGT"])
    >>> encodings.input_ids.tolist(), encodings.cuts.tolist(), encodings[1].input_ids.tolist()
    ([5, 6, 7, 7, 8], [0, 2, 5], [7, 7, 8])
    """

    def __init__(self, tokenizer: Tokenizer, input_ids: np.ndarray, cuts: np.ndarray, starts: np.ndarray) -> None:
        self.tokenizer = tokenizer
        self.input_ids = input_ids
        self.cuts = cuts
        self.starts = starts

    @cached_property
    def borders(self) -> np.ndarray:
        """Where tokens begin, in letters of all sequences, shape (m + 1,); see `Tokenizer.borders`."""
        return self.tokenizer.borders(self.input_ids, self.cuts, self.starts)

    @property
    def n_tokens(self) -> np.ndarray:
        """Number of tokens of each sequence, int64, shape (R,)."""
        return np.diff(self.cuts)

    def __len__(self) -> int:
        return len(self.cuts) - 1

    @overload
    def __getitem__(self, index: int) -> Encoding: ...

    @overload
    def __getitem__(self, index: slice) -> list[Encoding]: ...

    def __getitem__(self, index: int | slice) -> Encoding | list[Encoding]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        r = range(len(self))[index]
        first = int(self.cuts[r])
        last = int(self.cuts[r + 1])
        return Encoding(self.input_ids[first:last], self._offsets[first + r : last + r + 1])

    def __iter__(self) -> Iterator[Encoding]:
        ids = self.input_ids
        offsets = self._offsets
        first = 0
        for r, last in enumerate(self.cuts[1:].tolist()):
            yield Encoding(ids[first:last], offsets[first + r : last + r + 1])
            first = last

    @cached_property
    def _offsets(self) -> np.ndarray:
        """Offsets of every sequence one after the other, int64, shape (m + R,): one more than its tokens."""
        if len(self) == 1:
            return self.borders
        offsets = np.empty(len(self.input_ids) + len(self), dtype=np.int64)
        _count_anew(self.borders, self.cuts, self.starts, offsets)
        return offsets


class Tokenizer(ABC):
    """A vocabulary and the rule that cuts a sequence into its tokens.

    Lower-case letters are read as upper case. A letter outside the alphabet (N above all) becomes
    one unknown token, `unk_id`, of one letter; count them with ``(ids == tokenizer.unk_id).sum()``.

    Parameters
    ----------
    vocab : sequence of str
        Tokens; the index is the id.
    roles : dict of str to str
        The token that serves as ``pad``, ``unk``, ``cls``, ``sep`` and ``mask``; those of
        `SPECIAL` by default.
    alphabet : Alphabet
        Letters of the sequences it reads.
    """

    kind: str

    def __init__(self, vocab: Sequence[str], roles: Roles | None = None, alphabet: Alphabet = DNA) -> None:
        self.vocab = tuple(vocab)
        self.alphabet = alphabet
        self.roles = roles or dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
        self.ids = {token: index for index, token in enumerate(self.vocab)}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.settings().items() if name != "kind")
        inside = ", ".join(filter(None, [f"{self.vocab_size:,} tokens", said, f"letters {self.alphabet.name}"]))
        return f"{type(self).__name__}({inside})"

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return len(self.vocab)

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self.ids[self.roles["pad"]]

    @property
    def unk_id(self) -> int:
        """Id given to each letter outside the alphabet."""
        return self.ids[self.roles["unk"]]

    @property
    def cls_id(self) -> int:
        """Id of the token put before a sequence."""
        return self.ids[self.roles["cls"]]

    @property
    def sep_id(self) -> int:
        """Id of the token put after a sequence."""
        return self.ids[self.roles["sep"]]

    @property
    def mask_id(self) -> int:
        """Id of the token that hides another."""
        return self.ids[self.roles["mask"]]

    @property
    def ids_dtype(self) -> type[np.uint16] | type[np.int32]:
        """Type of ids: uint16 wherever the vocabulary fits."""
        return np.uint16 if self.vocab_size <= 65536 else np.int32

    @cached_property
    def special_ids(self) -> np.ndarray:
        """Ids of the tokens that stand for no letters, ascending, int64, shape (n_special,); `unk_id` among them."""
        return np.array(sorted(i for i, t in enumerate(self.vocab) if not self.alphabet.has(t)), dtype=np.int64)

    @cached_property
    def token_lengths(self) -> np.ndarray:
        """Number of letters of each token, int64, shape (V,); 0 for special tokens."""
        lengths = np.array([len(token) for token in self.vocab], dtype=np.int64)
        lengths[self.special_ids] = 0
        return lengths

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides ids, as 64 hex digits."""
        return hashlib.sha256(json.dumps([self.settings(), self.vocab]).encode()).hexdigest()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Give what, with the vocabulary, restores this tokenizer; ``kind`` among it."""

    def alphabet_settings(self) -> dict[str, Any]:
        """Give the alphabet's entry of `settings`; empty for DNA."""
        return {} if self.alphabet is DNA else {"alphabet": self.alphabet.name}

    @abstractmethod
    def encode_flat(self, bases: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode sequences that lie one after the other.

        Parameters
        ----------
        bases : ndarray of uint8, shape (n,)
            ASCII codes.
        starts : ndarray of int64, shape (R + 1,)
            Sequence `r` is ``bases[starts[r]:starts[r + 1]]``.

        Returns
        -------
        ids : ndarray, shape (m,)
            Tokens of all sequences, one after the other.
        token_starts : ndarray of int64, shape (R + 1,)
            Tokens of sequence `r` are ``ids[token_starts[r]:token_starts[r + 1]]``.
        """

    @abstractmethod
    def write_model(self, folder: Path) -> None:
        """Write the vocabulary's own files (``tokenizer.json``, ``vocab.txt``) into a folder."""

    def borders(self, ids: np.ndarray, cuts: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Give where each token of `encode_flat` begins and the last ends, as positions in all its bases.

        Parameters
        ----------
        ids, cuts : ndarray, shapes (m,) and (R + 1,)
            What `encode_flat` gave.
        starts : ndarray of int64, shape (R + 1,)
            What it was given.

        Returns
        -------
        ndarray of int64, shape (m + 1,)
        """
        borders = np.empty(len(ids) + 1, dtype=np.int64)
        _add_up(ids, self._owned, borders)
        return borders

    def covered_bp(self, ids: np.ndarray, n_stretches: int) -> int:
        """Count the bases under known tokens `ids`, shape (m,), that form `n_stretches` stretches of sequence."""
        counts = np.zeros(self.vocab_size, dtype=np.int64)
        for first in range(0, len(ids), 1 << 22):  # bincount makes a copy of 8 bytes per id
            counts += np.bincount(ids[first : first + (1 << 22)], minlength=self.vocab_size)
        return int(counts @ self.token_lengths)

    @cached_property
    def _owned(self) -> np.ndarray:
        owned = self.token_lengths.copy()
        owned[self.unk_id] = 1
        return owned

    def encode(self, sequence: SequenceLike) -> Encoding:
        """Cut one sequence into tokens, without special tokens.

        Parameters
        ----------
        sequence : str, bytes or ndarray of uint8
            Letters, or their ASCII codes.

        Raises
        ------
        DataError
            If it is an array of another type.
        """
        return self.encode_batch([sequence])[0]

    def encode_batch(self, sequences: Sequence[SequenceLike]) -> Sequence[Encoding]:
        """Cut many sequences into tokens, in one call of the kernel.

        Returns
        -------
        sequence of Encoding
            One per sequence. It is an `Encodings`: each is made when asked for, and ``.input_ids`` and
            ``.cuts`` are those of all.
        """
        bases, starts = join_codes(sequences)
        ids, cuts = self.encode_flat(bases, starts)
        return Encodings(self, ids, cuts, starts)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give the letters of tokens `ids`, shape (m,).

        Unknown tokens become N (X in protein), other special tokens nothing.
        """
        skip = set(self.special_ids.tolist()) - {self.unk_id}
        unknown = "N" if self.alphabet is DNA else "X"
        return "".join(unknown if i == self.unk_id else self.vocab[i] for i in map(int, ids) if i not in skip)

    def save(self, folder: Path) -> None:
        """Write the tokenizer as the files of a Hugging Face folder.

        ``tokenizer.json`` (where the format can say what this tokenizer does),
        ``tokenizer_config.json``, ``special_tokens_map.json``, and ``vocab.txt`` for k-mers.
        """
        folder.mkdir(parents=True, exist_ok=True)
        special = {f"{role}_token": token for role, token in self.roles.items()}
        self.write_model(folder)
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 1_000_000_000,
            "clean_up_tokenization_spaces": False,
            **special,
            **self.config_extras(),
            "lingome": {**self.settings(), "vocab_size": self.vocab_size, "digest": self.digest},
        }
        write_text(folder / "tokenizer_config.json", json.dumps(config, indent=2) + "\n")
        write_text(folder / "special_tokens_map.json", json.dumps(special, indent=2) + "\n")

    def config_extras(self) -> dict[str, Any]:
        """Give further entries of ``tokenizer_config.json``; they win over the usual ones."""
        return {}


def as_codes(sequence: SequenceLike) -> np.ndarray:
    """Give a sequence as ASCII codes, uint8, shape (letters,); no copy of bytes or arrays.

    Raises
    ------
    DataError
        If it is an array that is not one-dimensional uint8.
    """
    if isinstance(sequence, str):
        return np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)
    if isinstance(sequence, bytes):
        return np.frombuffer(sequence, dtype=np.uint8)
    if sequence.dtype != np.uint8 or sequence.ndim != 1:
        raise DataError(
            "a sequence given as an array holds ASCII codes", got=f"{sequence.dtype}, {sequence.ndim} dimensions",
            expected="uint8, 1 dimension",
        )
    return sequence


def join_codes(sequences: Sequence[SequenceLike]) -> tuple[np.ndarray, np.ndarray]:
    """Give sequences one after the other as ASCII codes, and where each begins and the last ends.

    Returns
    -------
    bases : ndarray of uint8, shape (n,)
    starts : ndarray of int64, shape (R + 1,)
    """
    strings = [sequence for sequence in sequences if isinstance(sequence, str)]
    if len(strings) == len(sequences):  # joined before they are turned into codes: short ones cost little more
        bases = as_codes("".join(strings))
    else:
        arrays = [as_codes(sequence) for sequence in sequences]
        bases = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    starts = np.zeros(len(sequences) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences)), out=starts[1:])
    return bases, starts


@numba.njit(cache=True, nogil=True)
def _add_up(ids: np.ndarray, owned: np.ndarray, borders: np.ndarray) -> None:
    """Add up the bases that tokens own: ids (m,), owned (V,), borders (m + 1,)."""
    end = 0
    borders[0] = 0
    for i in range(len(ids)):
        end += owned[ids[i]]
        borders[i + 1] = end


@numba.njit(cache=True, nogil=True)
def _count_anew(borders: np.ndarray, cuts: np.ndarray, starts: np.ndarray, offsets: np.ndarray) -> None:
    """Count the borders (m + 1,) of each sequence from its own start, into offsets (m + R,); cuts, starts (R + 1,)."""
    for r in range(len(starts) - 1):
        for i in range(cuts[r], cuts[r + 1] + 1):
            offsets[i + r] = borders[i] - starts[r]
