"""Byte-pair tokens of sequence, encoded exactly in linear time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import ConfigError
from lingome.tokens.alphabet import DNA, Alphabet
from lingome.tokens.bpe.encoding import EncodingTables, build_tables, encode_flat
from lingome.tokens.bpe.learning import MAX_MERGES
from lingome.tokens.tokenizer import SPECIAL, Tokenizer
from lingome.tokens.tokenizer_json import byte_pairs, write_tokenizer_json

FIRST_LETTER = len(SPECIAL)


def vocabulary_size(merges: int, alphabet: Alphabet = DNA) -> int:
    """Give the number of tokens after some merges: special tokens, letters, and one for each merge.

    >>> vocabulary_size(600)  # GROVER
    609
    """
    return FIRST_LETTER + len(alphabet) + merges


class BpeTokenizer(Tokenizer):
    """Cut a sequence by merging pairs of tokens in the order they were learnt.

    Ids: 0-4 special, 5-8 A, C, G, T (or the letters of another alphabet), then one per merge.

    Parameters
    ----------
    merges : sequence of (int, int)
        Ids of the parts of each merged token, in order; empty gives single letters.
    alphabet : Alphabet
        Letters of the sequences.

    Raises
    ------
    ConfigError
        If a merge names a token that does not exist yet, or makes letters that exist already.

    Examples
    --------
    >>> tokenizer = BpeTokenizer([(8, 8), (5, 9)])  # TT, then A + TT
    >>> encoding = tokenizer.encode("GATTTNA")
    >>> [tokenizer.vocab[i] for i in encoding.input_ids], encoding.offsets.tolist()
    (['G', 'ATT', 'T', '[UNK]', 'A'], [0, 1, 4, 5, 6, 7])
    """

    kind = "bpe"

    def __init__(self, merges: Sequence[tuple[int, int]], alphabet: Alphabet = DNA) -> None:
        if len(merges) > MAX_MERGES:
            raise ConfigError("there are too many merges", got=len(merges), expected=f"at most {MAX_MERGES}")
        vocab = [*SPECIAL, *alphabet.letters]
        seen = set(vocab)
        for rank, (left, right) in enumerate(merges):
            if not (FIRST_LETTER <= left < len(vocab) and FIRST_LETTER <= right < len(vocab)):
                raise ConfigError(
                    "a merge names a token that does not exist yet", where=f"merge {rank}", got=(left, right),
                    expected=f"ids {FIRST_LETTER} to {len(vocab) - 1}",
                )
            token = vocab[left] + vocab[right]
            if token in seen:
                raise ConfigError("two merges make the same token", where=f"merge {rank}", got=token)
            seen.add(token)
            vocab.append(token)
        super().__init__(vocab, alphabet=alphabet)
        self.merges = tuple((int(left), int(right)) for left, right in merges)

    @property
    def first_merged(self) -> int:
        """Id of the first merge."""
        return vocabulary_size(0, self.alphabet)

    @cached_property
    def _tables(self) -> EncodingTables:
        merges = np.array(self.merges, dtype=np.int64).reshape(-1, 2)
        return build_tables(self.vocab, merges, FIRST_LETTER, self.alphabet.letters)

    def settings(self) -> dict[str, Any]:
        """Give the kind, the number of merges, and the alphabet unless it is DNA."""
        return {"kind": self.kind, "merges": len(self.merges), **self.alphabet_settings()}

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides ids, merges included: another way to the same token cuts otherwise."""
        return hashlib.sha256(json.dumps([self.settings(), self.vocab, self.merges]).encode()).hexdigest()

    def truncated(self, n_merges: int) -> BpeTokenizer:
        """Give the tokenizer of the first `n_merges` merges.

        Raises
        ------
        ConfigError
            If there are fewer.
        """
        if not 0 <= n_merges <= len(self.merges):
            raise ConfigError(
                "this vocabulary has fewer merges", got=n_merges, expected=f"0 to {len(self.merges)}",
                hint="train with more merges",
            )
        return BpeTokenizer(self.merges[:n_merges], self.alphabet)

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
        ids : ndarray of uint16, shape (m,)
        cuts : ndarray of int64, shape (R + 1,)
        """
        return encode_flat(bases, starts, self.alphabet.codes, self._tables)

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        pairs = [(self.vocab[left], self.vocab[right]) for left, right in self.merges]
        write_tokenizer_json(
            folder, model=byte_pairs(self.ids, pairs, SPECIAL[1]), pre_tokenizer=None,
            special=[(token, index) for index, token in enumerate(SPECIAL)], before=SPECIAL[2], after=SPECIAL[3],
            letters=self.alphabet.letters,
        )
