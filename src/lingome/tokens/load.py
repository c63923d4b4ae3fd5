"""Restore a tokenizer from its folder, or build one from settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError
from lingome.tokens.alphabet import ALPHABETS, DNA, Alphabet
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.published.read import check_tokenizer_json, find_vocabulary, read_vocabulary
from lingome.tokens.published.sentencepiece import MODEL_FILE, read_sentencepiece
from lingome.tokens.published.tokenizer_json import read_object, read_published, refuse
from lingome.tokens.tokenizer import SPECIAL, Tokenizer

KINDS = ("bpe", "characters", "kmers", "published-bpe", "text", "sentencepiece")


def build_tokenizer(kind: str, *, k: int = 6, overlap: bool = True, layout: str = "dnabert") -> Tokenizer:
    """Build a tokenizer that needs no training.

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
    folder = path
    config_file = path / "tokenizer_config.json"
    said = read_object(config_file).get("lingome") if config_file.is_file() else None
    if said is None:
        return read_vocabulary(find_vocabulary(folder))
    if not isinstance(said, dict) or said.get("kind") not in KINDS:
        raise CheckpointError(
            "the entry 'lingome' does not name a known kind of tokenizer", where=config_file, got=said,
            expected=", ".join(KINDS),
        )
    tokenizer = _restore(said, folder)
    if tokenizer.digest != said.get("digest"):
        raise CheckpointError(
            "the vocabulary is not the one that was saved", where=folder, got=f"digest {tokenizer.digest[:12]}",
            expected=f"digest {str(said.get('digest'))[:12]}", hint="save the tokenizer again, or restore its files",
        )
    return tokenizer


def _restore(said: dict[str, Any], folder: Path) -> Tokenizer:
    config_file = folder / "tokenizer_config.json"
    name = said.get("alphabet", DNA.name)
    if name not in tuple(ALPHABETS):
        raise CheckpointError(
            "this alphabet is not known", where=config_file, got=name, expected=", ".join(ALPHABETS)
        )
    alphabet = ALPHABETS[name]
    if said["kind"] == "bpe":
        return _bpe_from(folder / "tokenizer.json", alphabet)
    if said["kind"] == "sentencepiece":
        return read_sentencepiece(_present(folder / MODEL_FILE))
    if said["kind"] in ("published-bpe", "text"):
        return read_published(_present(folder / "tokenizer.json"))
    tokenizer = _letters(said, alphabet, config_file) if said["kind"] == "characters" else _words(said, folder)
    file = folder / "tokenizer.json"
    if file.is_file() and not (isinstance(tokenizer, KmerTokenizer) and tokenizer.overlap):
        check_tokenizer_json(tokenizer, file)
    return tokenizer


def _letters(said: dict[str, Any], alphabet: Alphabet, config_file: Path) -> CharacterTokenizer:
    try:
        return CharacterTokenizer(alphabet, said.get("layout", "lingome"))
    except (ConfigError, TypeError) as error:
        raise CheckpointError("there is no such layout of letters", where=config_file, got=said["layout"]) from error


def _words(said: dict[str, Any], folder: Path) -> Tokenizer:
    config_file = folder / "tokenizer_config.json"
    values = {name: value for name, value in said.items() if name in ("k", "overlap", "layout")}
    types = {"k": int, "overlap": bool, "layout": str}
    if any(type(value) is not types[name] for name, value in values.items()):
        raise CheckpointError("the settings of the k-mers are of the wrong type", where=config_file, got=values)
    try:
        tokenizer = build_tokenizer(said["kind"], **values)
    except ConfigError as error:
        raise CheckpointError("the settings of the k-mers do not fit", where=config_file, got=values) from error
    _check_vocab_file(folder / "vocab.txt", tokenizer)
    return tokenizer


def _present(file: Path) -> Path:
    if not file.is_file():
        raise CheckpointError("the file of the vocabulary is missing", where=file)
    return file


def _check_vocab_file(file: Path, tokenizer: Tokenizer) -> None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError("the vocabulary cannot be read", where=file, got=error) from error
    for number, (line, token) in enumerate(zip(lines, tokenizer.vocab, strict=False), start=1):
        if line != token:
            raise CheckpointError("not the token that belongs here", where=f"{file}:{number}", got=line, expected=token)
    if len(lines) != tokenizer.vocab_size:
        raise CheckpointError(
            "the vocabulary has the wrong length", where=file, got=f"{len(lines)} lines",
            expected=f"{tokenizer.vocab_size} lines",
        )


def _bpe_from(file: Path, alphabet: Alphabet = DNA) -> BpeTokenizer:
    """Read byte pairs from a tokenizer.json whose ids are laid out as lingome's."""
    model = read_object(_present(file)).get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        found = model.get("type") if isinstance(model, dict) else model
        raise refuse(file, f"model {found}"[:200], "model BPE")
    vocab = model.get("vocab")
    merges = model.get("merges")
    if not isinstance(vocab, dict) or not isinstance(merges, list):
        raise refuse(file, "no vocabulary or no merges", "both, as `tokenizers` writes them")
    for index, token in enumerate((*SPECIAL, *alphabet.letters)):
        if vocab.get(token) != index:
            raise refuse(file, f"{token} has id {vocab.get(token)}", f"id {index}")
    pairs: list[tuple[int, int]] = []
    first = len(SPECIAL) + len(alphabet)
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(p, str) for p in parts):
            raise refuse(file, f"merge {rank} is {merge!r}"[:200], "two tokens")
        left = vocab.get(parts[0])
        right = vocab.get(parts[1])
        made = vocab.get("".join(parts))
        if made != first + rank or type(left) is not int or type(right) is not int:
            raise refuse(file, f"merge {rank}, {parts}, has id {made}", f"id {first + rank}, of known parts")
        pairs.append((left, right))
    if len(vocab) != first + len(pairs):
        raise refuse(file, f"{len(vocab)} tokens", f"{first + len(pairs)}, by its merges")
    try:
        return BpeTokenizer(pairs, alphabet)
    except ConfigError as error:
        raise CheckpointError("the merges do not fit together", where=file, got=error.what) from error
