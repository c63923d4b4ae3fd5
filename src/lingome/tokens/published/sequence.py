"""Byte-pair vocabularies that others published: their ids, cut by lingome's exact kernel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import ConfigError
from lingome.tokens.alphabet import DNA, ESM, PROTEIN, Alphabet
from lingome.tokens.bpe.byte_pairs import FIRST_LETTER, BpeTokenizer
from lingome.tokens.bpe.merges import Pair, merges_of_pairs
from lingome.tokens.published.vocabulary import NOTHING, Around
from lingome.tokens.tokenizer import Roles, Tokenizer
from lingome.tokens.tokenizer_json import byte_pairs, write_tokenizer_json

_CODES_OF_DNA = "ACGTNRYSWKMBDHV"  # IUPAC


class PublishedBpe(Tokenizer):
    """Cut a sequence by the merges of a published vocabulary, and give that vocabulary's ids.

    A `BpeTokenizer` of the merges that can happen (see `lingome.tokens.bpe.merges`) cuts the sequence;
    its ids are then looked up. Every letter without a token of its own is `unk_id`, one token a
    letter: the vocabulary's unknown token, or its ``N`` where DNA has one. Lower case is read as
    upper case, also where the publisher's own code would call it unknown.

    Parameters
    ----------
    vocab : sequence of str
        Published tokens; the index is the id. Tokens that no merge makes are kept, and never given.
    merges : sequence of (str, str)
        Published merges, in order.
    roles : dict of str to str
        Tokens that serve as ``pad``, ``unk``, ``cls``, ``sep`` and ``mask``.
    around : Around
        What `save` says stands around a sequence.

    Raises
    ------
    ConfigError
        If the tokens are of no alphabet, or the merges cannot be applied one after the other.

    Examples
    --------
    >>> special = ["<unk>", "<pad>", "<s>", "</s>", "<mask>"]
    >>> roles = dict(zip(("unk", "pad", "cls", "sep", "mask"), special))
    >>> tokenizer = PublishedBpe(["TT", "T", "G", "C", "A", "ATT", *special], [("T", "T"), ("A", "TT")], roles)
    >>> tokenizer.encode("GATTTNA").input_ids.tolist()
    [2, 5, 1, 6, 4]
    """

    kind = "published-bpe"

    def __init__(
        self, vocab: Sequence[str], merges: Sequence[Pair], roles: Roles, around: Around = NOTHING
    ) -> None:
        merges = merges_of_pairs(merges)
        alphabet = _alphabet_of(vocab, merges, set(roles.values()))
        if alphabet is DNA and "N" in vocab:
            roles = {**roles, "unk": "N"}
        super().__init__(vocab, roles, alphabet)
        self.merges = tuple(merges)
        self.around = around
        letters = "".join(letter for letter in alphabet.letters if letter in self.ids)
        self.cutter = _cutter(merges, alphabet if letters == alphabet.letters else Alphabet(alphabet.name, letters))
        self._id_of = np.array(
            [self.unk_id] * FIRST_LETTER + [self.ids[token] for token in self.cutter.vocab[FIRST_LETTER:]],
            dtype=self.ids_dtype,
        )

    def settings(self) -> dict[str, Any]:
        """Give the kind, the number and a digest of the merges, and the alphabet unless it is DNA."""
        digest = hashlib.sha256(json.dumps([self.merges, self.unk_id]).encode()).hexdigest()
        return {
            "kind": self.kind, "merges": len(self.merges), "merges_digest": digest[:16], **self.alphabet_settings(),
        }

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
        ids, cuts = self.cutter.encode_flat(bases, starts)
        return self._id_of[ids], cuts

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.json``, with the merges that can happen."""
        unknown = self.roles["unk"]
        special = [(self.vocab[i], int(i)) for i in self.special_ids if self.vocab[i] != "N"]
        write_tokenizer_json(
            folder, model=byte_pairs(self.ids, list(self.merges), unknown), pre_tokenizer=None, special=special,
            before=self.around.before, after=self.around.after, letters=self.cutter.alphabet.letters,
        )


def _alphabet_of(vocab: Sequence[str], merges: Sequence[Pair], special: set[str]) -> Alphabet:
    """Give the first alphabet whose letters are enough for all merges and single letters."""
    merged = {letter for pair in merges for letter in pair[0] + pair[1]}
    used = merged.union(token for token in vocab if len(token) == 1 and token not in special)
    if used <= set(_CODES_OF_DNA):  # all of them are residues too
        if merged <= set(DNA.letters) and used <= {*DNA.letters, "N"} and used & set(DNA.letters):
            return DNA
        raise ConfigError(
            "tokens are written in letters of DNA that lingome reads as unknown", got="".join(sorted(used)) or "none",
            expected=f"{DNA.letters}, and N as a token of its own",
        )
    for alphabet in (PROTEIN, ESM):
        if used <= set(alphabet.letters):
            return alphabet
    raise ConfigError(
        "the tokens are not written in letters of DNA or protein", got=f"letters {''.join(sorted(used))}"[:80],
        expected=f"{DNA.letters}, or {PROTEIN.letters}",
    )


def _cutter(merges: Sequence[Pair], alphabet: Alphabet) -> BpeTokenizer:
    ids = {letter: FIRST_LETTER + code for code, letter in enumerate(alphabet.letters)}
    pairs: list[tuple[int, int]] = []
    for left, right in merges:
        if left not in ids or right not in ids:
            raise ConfigError(
                "a merge comes before its parts can exist", got=f"{left} + {right}",
                expected="merges in an order in which each can be applied",
            )
        pairs.append((ids[left], ids[right]))
        ids[left + right] = FIRST_LETTER + len(alphabet) + len(pairs) - 1
    return BpeTokenizer(pairs, alphabet)
