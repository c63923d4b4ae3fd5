"""One token a letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lingome.tokens.alphabet import DNA, Alphabet
from lingome.tokens.fast_json import split_by, word_level, write_tokenizer_json
from lingome.tokens.tokenizer import SPECIAL, Tokenizer


class CharacterTokenizer(Tokenizer):
    """Cut a sequence into single letters: of DNA A 5, C 6, G 7, T 8, anything else [UNK].

    >>> CharacterTokenizer().encode("ACGTN").input_ids.tolist()
    [5, 6, 7, 8, 1]
    """

    kind = "characters"

    def __init__(self, alphabet: Alphabet = DNA) -> None:
        super().__init__((*SPECIAL, *alphabet.letters), alphabet=alphabet)
        ids = [*(self.ids[letter] for letter in alphabet.letters), self.unk_id]
        self._id_of_ascii = np.array(ids, dtype=np.uint16)[alphabet.codes]

    def settings(self) -> dict[str, Any]:
        """Give the kind, and the alphabet unless it is DNA."""
        return {"kind": self.kind, **self.alphabet_settings()}

    def encode_flat(self, bases: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode sequences that lie one after the other; see `Tokenizer.encode_flat`."""
        return self._id_of_ascii[bases], starts.copy()

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        write_tokenizer_json(
            folder, model=word_level(self.ids, SPECIAL[1]), pre_tokenizer=split_by(r"[\s\S]"),
            special=[(token, index) for index, token in enumerate(SPECIAL)], before=SPECIAL[2], after=SPECIAL[3],
            letters=self.alphabet.letters,
        )
