"""One token per letter: in lingome's order of ids, HyenaDNA's, or that of ESM's proteins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import ConfigError
from lingome.tokens.alphabet import DNA, ESM, Alphabet
from lingome.tokens.tokenizer import SPECIAL, Roles, Tokenizer
from lingome.tokens.tokenizer_json import split_by, word_level, write_tokenizer_json


class _Layout(NamedTuple):
    """Order of ids, roles of special tokens, and which of them stand around a sequence."""

    vocab: tuple[str, ...]
    roles: Roles
    alphabet: Alphabet
    before: str | None
    after: str


_HYENADNA = _Layout(
    ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", *DNA.letters, "N"),
    {"pad": "[PAD]", "unk": "N", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}, DNA, None, "[SEP]",
)
_ESM = _Layout(
    ("<cls>", "<pad>", "<eos>", "<unk>", *ESM.letters, "<null_1>", "<mask>"),
    {"pad": "<pad>", "unk": "<unk>", "cls": "<cls>", "sep": "<eos>", "mask": "<mask>"}, ESM, "<cls>", "<eos>",
)
LAYOUTS = {"hyenadna": _HYENADNA, "esm": _ESM}


class CharacterTokenizer(Tokenizer):
    """Cut a sequence into single letters: of DNA A 5, C 6, G 7, T 8, anything else [UNK].

    Parameters
    ----------
    alphabet : Alphabet
        Letters of the sequences; a published layout brings its own.
    layout : {"lingome", "hyenadna", "esm"}
        Order of ids. ``lingome``: `SPECIAL`, then the letters. ``hyenadna``: 12 tokens with A 7,
        C 8, G 9, T 10, N 11 (Nguyen et al. 2023, doi:10.48550/arXiv.2306.15794); every letter that is
        not A, C, G or T is N, which is what `unk_id` gives. ``esm``: the 33 tokens of ESM
        (Rives et al. 2021, doi:10.1073/pnas.2016239118), X, B, U, Z, O, ``.`` and ``-`` among them.

    Raises
    ------
    ConfigError
        If there is no such layout.

    Examples
    --------
    >>> CharacterTokenizer().encode("ACGTN").input_ids.tolist()
    [5, 6, 7, 8, 1]
    >>> CharacterTokenizer(layout="hyenadna").encode("ACGTN").input_ids.tolist()
    [7, 8, 9, 10, 11]
    """

    kind = "characters"

    def __init__(self, alphabet: Alphabet = DNA, layout: str = "lingome") -> None:
        if layout == "lingome":
            chosen = _Layout((*SPECIAL, *alphabet.letters), {}, alphabet, SPECIAL[2], SPECIAL[3])
        elif layout in LAYOUTS:
            chosen = LAYOUTS[layout]
        else:
            raise ConfigError(
                "there is no such layout of letters", where="layout", got=layout,
                expected=", ".join(("lingome", *LAYOUTS)),
            )
        super().__init__(chosen.vocab, chosen.roles, chosen.alphabet)
        self.layout = layout
        self._layout = chosen
        ids = [*(self.ids[letter] for letter in chosen.alphabet.letters), self.unk_id]
        self._id_of_ascii = np.array(ids, dtype=np.uint16)[chosen.alphabet.codes]

    def settings(self) -> dict[str, Any]:
        """Give the kind, the layout if it is a published one, and the alphabet unless it is DNA."""
        layout = {} if self.layout == "lingome" else {"layout": self.layout}
        return {"kind": self.kind, **layout, **self.alphabet_settings()}

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
        return self._id_of_ascii[bases], starts.copy()

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        special = [(self.vocab[i], int(i)) for i in self.special_ids if self.vocab[i] != "N"]
        write_tokenizer_json(
            folder, model=word_level(self.ids, self.roles["unk"]), pre_tokenizer=split_by(r"[\s\S]"),
            special=special, before=self._layout.before, after=self._layout.after,
            letters="".join(letter for letter in self.alphabet.letters if letter.isalpha()),
        )
