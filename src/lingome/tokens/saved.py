"""Restore a tokenizer from the files that `Tokenizer.save` wrote, and notice if one of them was changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.files import name_file, read_json_object, read_text
from lingome.tokens.alphabet import ALPHABETS, DNA, Alphabet
from lingome.tokens.bpe.byte_pairs import BpeTokenizer, vocabulary_size
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.published.read import read_vocabulary
from lingome.tokens.published.sentencepiece import MODEL_FILE
from lingome.tokens.published.vocabulary import refusal, split_merges
from lingome.tokens.published.words import check_tokenizer_json
from lingome.tokens.tokenizer import SPECIAL, Tokenizer

_PUBLISHED = {"published-bpe": "tokenizer.json", "text": "tokenizer.json", "sentencepiece": MODEL_FILE}
KINDS = ("bpe", "characters", "kmers", *_PUBLISHED)


def restore_tokenizer(folder: Path, saved: Any) -> Tokenizer:
    """Restore the tokenizer of a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    saved : Any
        The entry ``lingome`` of its ``tokenizer_config.json``: what `Tokenizer.settings` gave, and the digest.

    Raises
    ------
    CheckpointError
        If a file is missing or corrupt, or the tokenizer is not the one that was saved.
    MissingExtraError
        If it is a SentencePiece model and `sentencepiece` is not installed.
    """
    config_file = folder / "tokenizer_config.json"
    if not isinstance(saved, dict) or saved.get("kind") not in KINDS:
        raise CheckpointError(
            "the entry 'lingome' does not name a known kind of tokenizer", where=config_file, got=saved,
            expected=", ".join(KINDS),
        )
    alphabet = _find_alphabet(saved, config_file)
    if saved["kind"] in _PUBLISHED:
        tokenizer = read_vocabulary(_present(folder / _PUBLISHED[saved["kind"]]))
    elif saved["kind"] == "bpe":
        tokenizer = _read_byte_pairs(_present(folder / "tokenizer.json"), alphabet)
    elif saved["kind"] == "characters":
        tokenizer = _build_letters(saved, alphabet, config_file)
        _check_json(folder / "tokenizer.json", tokenizer)
    else:
        tokenizer = _build_words(saved, config_file)
        _check_list(folder / "vocab.txt", tokenizer)
        if not tokenizer.overlap:
            _check_json(folder / "tokenizer.json", tokenizer)
    if tokenizer.digest != saved.get("digest"):
        raise CheckpointError(
            "the vocabulary is not the one that was saved", where=folder, got=f"digest {tokenizer.digest[:12]}",
            expected=f"digest {str(saved.get('digest'))[:12]}", hint="save the tokenizer again, or restore its files",
        )
    return tokenizer


def _present(file: Path) -> Path:
    if not file.is_file():
        raise CheckpointError("the file of the vocabulary is missing", where=file)
    return file


def _find_alphabet(saved: Mapping[str, Any], config_file: Path) -> Alphabet:
    name = saved.get("alphabet", DNA.name)
    if name not in tuple(ALPHABETS):
        raise CheckpointError("this alphabet is not known", where=config_file, got=name, expected=", ".join(ALPHABETS))
    return ALPHABETS[name]


def _build_letters(saved: Mapping[str, Any], alphabet: Alphabet, config_file: Path) -> CharacterTokenizer:
    try:
        return CharacterTokenizer(alphabet, saved.get("layout", "lingome"))
    except (ConfigError, TypeError) as error:
        raise CheckpointError("there is no such layout of letters", where=config_file, got=saved["layout"]) from error


def _build_words(saved: Mapping[str, Any], config_file: Path) -> KmerTokenizer:
    values = {name: value for name, value in saved.items() if name in ("k", "overlap", "layout")}
    types = {"k": int, "overlap": bool, "layout": str}
    if any(type(value) is not types[name] for name, value in values.items()):
        raise CheckpointError("the settings of the k-mers are of the wrong type", where=config_file, got=values)
    try:
        return KmerTokenizer(**{"k": 6, **values})
    except ConfigError as error:
        raise CheckpointError("the settings of the k-mers do not fit", where=config_file, got=values) from error


def _check_json(file: Path, tokenizer: Tokenizer) -> None:
    if file.is_file():
        with name_file(file):
            check_tokenizer_json(tokenizer, read_json_object(file))


def _check_list(file: Path, tokenizer: Tokenizer) -> None:
    lines = read_text(file).splitlines()
    for number, (line, token) in enumerate(zip(lines, tokenizer.vocab, strict=False), start=1):
        if line != token:
            raise CheckpointError("not the token that belongs here", where=f"{file}:{number}", got=line, expected=token)
    if len(lines) != tokenizer.vocab_size:
        raise CheckpointError(
            "the vocabulary has the wrong length", where=file, got=f"{len(lines)} lines",
            expected=f"{tokenizer.vocab_size} lines",
        )


def _read_byte_pairs(file: Path, alphabet: Alphabet) -> BpeTokenizer:
    """Read a ``tokenizer.json`` of byte pairs whose ids are laid out as lingome's."""
    with name_file(file):
        pairs = _parse_merges(read_json_object(file).get("model"), alphabet)
        try:
            return BpeTokenizer(pairs, alphabet)
        except ConfigError as error:
            raise CheckpointError("the merges do not fit together", got=error.what) from error


def _parse_merges(model: Any, alphabet: Alphabet) -> list[tuple[int, int]]:
    """Give the ids of the parts of each merge, where the ids are in lingome's order."""
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        found = model.get("type") if isinstance(model, dict) else model
        raise refusal(f"model {found}"[:200], "model BPE")
    vocab = model.get("vocab")
    if not isinstance(vocab, dict):
        raise refusal("no vocabulary or no merges", "both, as `tokenizers` writes them")
    for index, token in enumerate((*SPECIAL, *alphabet.letters)):
        if vocab.get(token) != index:
            raise refusal(f"{token} has id {vocab.get(token)}", f"id {index}")
    pairs: list[tuple[int, int]] = []
    first = vocabulary_size(0, alphabet)
    for rank, parts in enumerate(split_merges(model.get("merges"))):
        left = vocab.get(parts[0])
        right = vocab.get(parts[1])
        made = vocab.get("".join(parts))
        if made != first + rank or type(left) is not int or type(right) is not int:
            raise refusal(f"merge {rank}, {list(parts)}, has id {made}", f"id {first + rank}, of known parts")
        pairs.append((left, right))
    if len(vocab) != first + len(pairs):
        raise refusal(f"{len(vocab)} tokens", f"{first + len(pairs)}, by its merges")
    return pairs
