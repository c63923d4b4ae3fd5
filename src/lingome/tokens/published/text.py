"""Tokens of text: byte pairs of UTF-8, as in GPT-2.

Radford et al. 2019, "Language models are unsupervised multitask learners". Text is cut into words
and spaces by GPT-2's rule, its bytes are written as 256 visible characters, and those are merged
within each word. The merging is done by the package `tokenizers`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from lingome.core.errors import ConfigError, DataError
from lingome.core.files import write_text
from lingome.tokens.alphabet import Alphabet
from lingome.tokens.bpe.merges import Pair
from lingome.tokens.tokenizer import Encoding, Roles, SequenceLike, Tokenizer

END_OF_TEXT = "<|endoftext|>"
ROLES = ("pad", "unk", "cls", "sep", "mask")


def _visible() -> tuple[str, ...]:
    """Give the character that GPT-2 writes for each byte: itself if it can be seen, else one from 256 on."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    hidden = iter(range(256, 512))
    return tuple(chr(byte if byte in seen else next(hidden)) for byte in range(256))


VISIBLE = _visible()
BYTES = Alphabet("bytes", "".join(VISIBLE))
_BYTE = {letter: byte for byte, letter in enumerate(VISIBLE)}


class TextTokenizer(Tokenizer):
    """Cut text into merged bytes.

    Text is case-sensitive and nothing in it is unknown. Offsets count the bytes of its UTF-8. Special
    tokens that stand in the text as letters are letters. GPT-2's one special token fills every role.

    Parameters
    ----------
    vocab : sequence of str
        Tokens, their bytes as visible characters (a space is ``Ġ``); the index is the id.
    merges : sequence of (str, str)
        Parts of merged tokens, in order.
    special : sequence of str
        Tokens that stand for no text.
    roles : dict of str to str
        Tokens that serve as ``pad``, ``unk``, ``cls``, ``sep`` and ``mask``, where not the last of `special`.
    whole_words : bool
        Give a word that is a token as that token, even if merges would not make it (as tiktoken does).

    Raises
    ------
    ConfigError
        If a byte has no token, or `tokenizers` refuses the merges.

    Examples
    --------
    >>> tokenizer = TextTokenizer([*VISIBLE, "he", "llo", "ll", "<|endoftext|>"], [("h", "e"), ("l", "l"), ("ll", "o")])
    >>> ids, offsets = tokenizer.encode("hello é")
    >>> [tokenizer.vocab[i] for i in ids], offsets.tolist(), tokenizer.decode(ids)
    (['he', 'llo', 'Ġ', 'Ã', '©'], [0, 2, 5, 6, 7, 8], 'hello é')
    """

    kind = "text"

    def __init__(
        self, vocab: Sequence[str], merges: Sequence[Pair], special: Sequence[str] = (END_OF_TEXT,),
        *, roles: Roles | None = None, whole_words: bool = False,
    ) -> None:
        missing = [byte for byte, letter in enumerate(VISIBLE) if letter not in set(vocab)]
        if missing or not special or not set(special) <= set(vocab):
            raise ConfigError(
                "a vocabulary of text has a token for every byte, and one that ends a text",
                got=f"no token for byte {missing[0]}" if missing else f"special tokens {list(special)}",
                expected=f"256 bytes and, for example, {END_OF_TEXT}",
            )
        super().__init__(vocab, {**dict.fromkeys(ROLES, special[-1]), **(roles or {})}, BYTES)
        self.merges = tuple(merges)
        self.special = tuple(special)
        self.whole_words = whole_words
        model = {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": whole_words,
            "vocab": self.ids, "merges": [list(pair) for pair in merges],
        }
        split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
        self._content: dict[str, Any] = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": split, "post_processor": None, "decoder": {**split, "type": "ByteLevel"}, "model": model,
        }
        try:
            self._engine = tokenizers.Tokenizer.from_str(json.dumps(self._content))
        except Exception as error:  # the package raises nothing narrower
            raise ConfigError("the merges do not fit the vocabulary", got=error) from error

    @cached_property
    def special_ids(self) -> np.ndarray:
        """Ids of the tokens that stand for no text, ascending, int64, shape (n_special,)."""
        return np.array(sorted(self.ids[token] for token in self.special), dtype=np.int64)

    def settings(self) -> dict[str, Any]:
        """Give the kind and everything beside the vocabulary that decides ids."""
        digest = hashlib.sha256(json.dumps([self.merges, self.special, self.whole_words]).encode()).hexdigest()
        return {"kind": self.kind, "merges": len(self.merges), "merges_digest": digest[:16]}

    def encode_batch(self, sequences: Sequence[SequenceLike]) -> list[Encoding]:
        """Cut many texts into tokens; a text may be given as the bytes of its UTF-8."""
        return list(super().encode_batch([as_utf8(text) for text in sequences]))

    def encode_flat(self, bases: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts that lie one after the other as UTF-8; see `Tokenizer.encode_flat`.

        Parameters
        ----------
        bases : ndarray of uint8, shape (n,)
            The bytes of the texts.
        starts : ndarray of int64, shape (R + 1,)
            Where each text begins, and the last ends.

        Returns
        -------
        ids : ndarray of uint16 or int32, shape (m,)
        cuts : ndarray of int64, shape (R + 1,)

        Raises
        ------
        DataError
            If the bytes are not UTF-8.
        """
        found = self._engine.encode_batch(texts_of(bases, starts), add_special_tokens=False)
        cuts = np.zeros(len(starts), dtype=np.int64)
        np.cumsum([len(one.ids) for one in found], out=cuts[1:])
        return np.array([i for one in found for i in one.ids], dtype=self.ids_dtype), cuts

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give the text of tokens `ids`, shape (m,); bytes that are no whole character become U+FFFD."""
        skip = set(self.special_ids.tolist())
        letters = "".join(self.vocab[i] for i in map(int, ids) if i not in skip)
        return bytes(_BYTE[letter] for letter in letters).decode("utf-8", "replace")

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.json``; there, special tokens that stand in a text are read as such."""
        added = [
            {"id": int(i), "content": self.vocab[i], "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for i in self.special_ids
        ]
        write_text(folder / "tokenizer.json", json.dumps({**self._content, "added_tokens": added}) + "\n")


def as_utf8(text: SequenceLike) -> bytes | np.ndarray:
    """Give a text as the bytes of its UTF-8; an array, shape (n,), is given back.

    Raises
    ------
    DataError
        If it holds halves of characters, which have none.
    """
    if not isinstance(text, str):
        return text
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            "the text cannot be written as UTF-8", where=f"character {error.start}", got=error.reason,
            hint="it holds half of a surrogate pair: read the file again with the right encoding",
        ) from error


def texts_of(codes: np.ndarray, starts: np.ndarray) -> list[str]:
    """Give texts that lie one after the other as UTF-8.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n,)
        The bytes of the texts.
    starts : ndarray of int64, shape (R + 1,)
        Where each text begins, and the last ends.

    Raises
    ------
    DataError
        If one is not UTF-8.
    """
    texts = []
    for number, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        try:
            texts.append(codes[start:end].tobytes().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError("the text is not UTF-8", where=f"text {number}, byte {error.start}", got=error.reason,
                            hint="convert it, for example with iconv") from error
    return texts
