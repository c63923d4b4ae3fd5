"""SentencePiece models: of sequence cut by lingome's exact kernel, of text by sentencepiece itself.

Kudo and Richardson 2018, doi:10.18653/v1/D18-2012.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.core.extras import require
from lingome.core.files import atomic_file
from lingome.tokens.bpe.merges import merges_of_ranks
from lingome.tokens.published.text import BYTES, as_utf8, texts_of
from lingome.tokens.published.vocabulary import PublishedVocabulary
from lingome.tokens.tokenizer import Encoding, Roles, SequenceLike, Tokenizer

MODEL_FILE = "tokenizer.model"
_SPACE = "▁"  # how SentencePiece writes a space, and the one it puts before a text


class SentencePieceTokenizer(Tokenizer):
    """Cut text with a SentencePiece model, by the package `sentencepiece`.

    Offsets count bytes of UTF-8. The model may change letters before it cuts (spaces, wide forms), so
    a token owns what its piece came from, up to where the next begins; the space put before a text
    owns nothing, and a text of spaces alone has no tokens. Roles that the model has no token for
    (padding, mask) are filled by its end of text, else its unknown token.

    Parameters
    ----------
    model : bytes
        Content of a ``.model`` file.

    Raises
    ------
    ConfigError
        If it is no such file.
    MissingExtraError
        If `sentencepiece` is not installed.
    """

    kind = "sentencepiece"

    def __init__(self, model: bytes) -> None:
        package: ModuleType = require("sentencepiece", "bridges")
        self._engine = package.SentencePieceProcessor()
        try:
            self._engine.LoadFromSerializedProto(model)
        except (RuntimeError, TypeError) as error:
            raise ConfigError("not a model of SentencePiece", got=error) from error
        self.model = model
        vocab = [self._engine.id_to_piece(i) for i in range(self._engine.get_piece_size())]
        if not vocab or len(set(vocab)) < len(vocab):
            raise ConfigError("not a model of SentencePiece", got=f"{len(vocab)} pieces", expected="pieces, each once")
        super().__init__(vocab, self._roles(vocab), BYTES)
        special = [i for i in range(len(vocab)) if self._engine.is_control(i) or self._engine.is_unknown(i)]
        self.special_ids = np.array(special, dtype=np.int64)

    def _roles(self, vocab: list[str]) -> Roles:
        engine = self._engine
        unk = vocab[engine.unk_id()]
        eos = engine.eos_id()
        end = vocab[eos] if eos >= 0 else unk
        named = {role: vocab[i] if i >= 0 else end for role, i in (("pad", engine.pad_id()), ("cls", engine.bos_id()))}
        mask = next((token for token in ("<mask>", "[MASK]") if token in vocab), end)
        return {"pad": named["pad"], "unk": unk, "cls": named["cls"], "sep": end, "mask": mask}

    def settings(self) -> dict[str, Any]:
        """Give the kind and a digest of the model."""
        return {"kind": self.kind, "model_digest": hashlib.sha256(self.model).hexdigest()[:16]}

    def encode_batch(self, sequences: Sequence[SequenceLike]) -> list[Encoding]:
        """Cut many texts into tokens; a text may be given as the bytes of its UTF-8.

        Raises
        ------
        DataError
            If a text is an array of another type, or no UTF-8.
        """
        encodings: list[Encoding] = []
        for text in sequences:
            codes = as_utf8(text)
            array = np.frombuffer(codes, dtype=np.uint8) if isinstance(codes, bytes) else codes
            if array.dtype != np.uint8 or array.ndim != 1:
                raise DataError(
                    "a text given as an array holds the codes of its UTF-8, as ASCII does", got=array.dtype,
                    expected="uint8, 1 dimension",
                )
            encodings.extend(self._encode_one(one) for one in texts_of(array, np.array([0, len(array)])))
        return encodings

    def _encode_one(self, text: str) -> Encoding:
        found = self._engine.encode_as_offset_mapping(text)
        ends = np.zeros(len(text) + 1, dtype=np.int64)  # of characters, in bytes
        np.cumsum([len(letter.encode()) for letter in text], out=ends[1:])
        ids = np.array(found["ids"], dtype=self.ids_dtype)
        offsets = np.zeros(len(ids) + 1, dtype=np.int64)
        if len(ids):
            offsets[1:-1] = ends[[begin for begin, _ in found["offsets"][1:]]]
            offsets[-1] = ends[-1]
        return Encoding(ids, offsets)

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
        """
        found = [self._encode_one(text).input_ids for text in texts_of(bases, starts)]
        cuts = np.zeros(len(starts), dtype=np.int64)
        np.cumsum([len(ids) for ids in found], out=cuts[1:])
        return np.concatenate([np.zeros(0, dtype=self.ids_dtype), *found]), cuts

    def borders(self, ids: np.ndarray, cuts: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Refuse: `ids`, shape (m,), do not say which letters they came from; `encode` does.

        Parameters
        ----------
        ids, cuts, starts : ndarray, shapes (m,), (R + 1,) and (R + 1,)
            As in `Tokenizer.borders`.

        Returns
        -------
        ndarray of int64, shape (m + 1,)
            Never.

        Raises
        ------
        DataError
            Always.
        """
        raise DataError("ids of SentencePiece do not say which letters they own", hint="use encode, which does")

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give the text of tokens `ids`, shape (m,); what was unknown stays unknown."""
        return str(self._engine.decode([int(i) for i in ids]))

    def write_model(self, folder: Path) -> None:
        """Write ``tokenizer.model``; what it does to letters cannot be said in ``tokenizer.json``."""
        with atomic_file(folder / MODEL_FILE) as temporary:
            temporary.write_bytes(self.model)

    def config_extras(self) -> dict[str, Any]:
        """Say which file to read."""
        return {"lingome_note": f"A SentencePiece model: {MODEL_FILE} is the vocabulary; there is no tokenizer.json."}


def parse_sentencepiece(model: bytes) -> PublishedVocabulary:
    """Parse the content of a SentencePiece ``.model`` file.

    A vocabulary in upper-case letters is one of sequence. It must be of type BPE and put no space
    before a text; then the merges that its scores imply give the same ids (see
    `lingome.tokens.bpe.merges`), except that each unknown letter is a token of its own, where
    SentencePiece makes one of a run. Any other model is one of text.

    Raises
    ------
    CheckpointError
        If it is no model, or one of sequence that cannot be reproduced exactly.
    MissingExtraError
        If `sentencepiece` is not installed.
    """
    try:
        whole = SentencePieceTokenizer(model)
    except ConfigError as error:
        raise CheckpointError(error.what, got=error.got, expected="a .model file of SentencePiece") from error
    engine = whole._engine
    special = set(whole.special_ids.tolist())
    pieces = [piece for i, piece in enumerate(whole.vocab) if i not in special and not engine.is_byte(i)]
    letters = set("".join(pieces)) - {_SPACE}
    if not all(letter.isascii() and letter.isupper() for letter in letters):
        return PublishedVocabulary("sentencepiece", whole.vocab, model=model)
    return _parse_sequence(whole, pieces)


def _parse_sequence(whole: SentencePieceTokenizer, pieces: list[str]) -> PublishedVocabulary:
    engine = whole._engine
    ranks = {piece: -engine.get_score(whole.ids[piece]) for piece in pieces if len(piece) > 1}
    why = None
    if len(set(ranks.values())) < len(ranks) or not all(float(rank).is_integer() for rank in ranks.values()):
        why = "its scores are not the ranks of merges: it is not of type BPE, or has symbols of its own"
    elif any(engine.is_byte(i) or engine.is_unused(i) for i in range(whole.vocab_size)):
        why = "it has bytes or unused pieces among its tokens"
    elif any(_SPACE in piece for piece in engine.encode(pieces[0], out_type=str)):
        why = "it puts a space before each sequence, a token that owns no letter"
    if why is not None:
        raise CheckpointError(
            "this SentencePiece model of sequence cannot be reproduced exactly", got=why,
            hint="train with --model_type=bpe --add_dummy_prefix=false",
        )
    return PublishedVocabulary(
        "sequence", whole.vocab, tuple(merges_of_ranks(ranks)), roles=whole.roles,
        published_ids={piece: list(engine.encode(piece)) for piece in pieces},
    )
