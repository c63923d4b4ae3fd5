"""Restore a tokenizer from its folder, or build one from settings."""

from __future__ import annotations

from pathlib import Path

from lingome.core.errors import ConfigError
from lingome.core.files import read_json_object
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.published.read import find_vocabulary, read_vocabulary
from lingome.tokens.saved import restore_tokenizer
from lingome.tokens.tokenizer import Tokenizer


def build_tokenizer(kind: str, *, k: int = 6, overlap: bool = True, layout: str = "dnabert") -> Tokenizer:
    """Build a tokenizer that needs no training.

    Parameters
    ----------
    kind : {"characters", "kmers"}
        What a token is.
    k, overlap, layout
        Of k-mers; see `KmerTokenizer`.

    Raises
    ------
    ConfigError
        If the kind is not ``characters`` or ``kmers``, or the values do not fit.
    """
    if kind == "characters":
        return CharacterTokenizer()
    if kind == "kmers":
        return KmerTokenizer(k, overlap, layout)
    raise ConfigError("this kind of tokenizer cannot be built without data", got=kind, expected="characters or kmers")


def load_tokenizer(path: Path) -> Tokenizer:
    """Restore a tokenizer from a folder that `Tokenizer.save` wrote, or read what others published.

    Parameters
    ----------
    path : Path
        A folder, or one file of a vocabulary: ``tokenizer.json`` (byte pairs of DNA, protein or text,
        and words in a published order), ``vocab.txt`` (k-mers of DNABERT or the Nucleotide
        Transformer, ESM's letters), ``*.model`` (SentencePiece), ``*.tiktoken`` or ``encoder.json``
        and ``vocab.bpe`` (GPT-2).

    Raises
    ------
    DataError
        If there is no tokenizer.
    CheckpointError
        If a file is corrupt, or holds a tokenizer that lingome cannot reproduce exactly.
    MissingExtraError
        If it is a SentencePiece model and `sentencepiece` is not installed.
    """
    if path.is_file():
        return read_vocabulary(path)
    config_file = path / "tokenizer_config.json"
    saved = read_json_object(config_file).get("lingome") if config_file.is_file() else None
    if saved is None:
        return read_vocabulary(find_vocabulary(path))
    return restore_tokenizer(path, saved)
