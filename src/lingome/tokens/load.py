"""Restore a tokenizer from its folder, or build one from settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.tokens.alphabet import ALPHABETS, DNA, Alphabet
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import SPECIAL, Tokenizer

KINDS = ("bpe", "characters", "kmers")


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


def load_tokenizer(folder: Path) -> Tokenizer:
    """Restore a tokenizer from a folder that `Tokenizer.save` wrote.

    A folder with only a ``tokenizer.json`` is read when it holds byte pairs in lingome's order
    of ids (special tokens, A, C, G, T, then one id a merge).

    Raises
    ------
    DataError
        If there is no tokenizer in the folder.
    CheckpointError
        If a file is corrupt, or holds a tokenizer that lingome cannot reproduce exactly.
    """
    config_file, json_file = folder / "tokenizer_config.json", folder / "tokenizer.json"
    if not config_file.is_file() and not json_file.is_file():
        raise DataError(
            "there is no tokenizer here", where=folder, expected="tokenizer_config.json or tokenizer.json",
            hint="give a folder written by `lingome tokens train`, or a checkpoint",
        )
    said = _read(config_file).get("lingome") if config_file.is_file() else None
    if said is None:
        return _bpe_from(json_file)
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
    alphabet = ALPHABETS.get(said.get("alphabet", DNA.name))
    if alphabet is None:
        raise CheckpointError(
            "this alphabet is not known", where=config_file, got=said["alphabet"], expected=", ".join(ALPHABETS)
        )
    if said["kind"] == "bpe":
        return _bpe_from(folder / "tokenizer.json", alphabet)
    if said["kind"] == "characters":
        return CharacterTokenizer(alphabet)
    values = {name: value for name, value in said.items() if name in ("k", "overlap", "layout")}
    types = {"k": int, "overlap": bool, "layout": str}
    if any(type(value) is not types[name] for name, value in values.items()):
        raise CheckpointError("the settings of the k-mers are of the wrong type", where=config_file, got=values)
    try:
        tokenizer = build_tokenizer(said["kind"], **values)
    except ConfigError as error:
        raise CheckpointError("the settings of the k-mers do not fit", where=config_file, got=values) from error
    if said["kind"] == "kmers":
        _check_vocab_file(folder / "vocab.txt", tokenizer)
    return tokenizer


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


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("cannot be read as JSON", where=file, got=error) from error
    if not isinstance(content, dict):
        raise CheckpointError("not a tokenizer: an object was expected", where=file, got=type(content).__name__)
    return content


def _bpe_from(file: Path, alphabet: Alphabet = DNA) -> BpeTokenizer:
    """Read byte pairs from a tokenizer.json whose ids are laid out as lingome's."""
    if not file.is_file():
        raise CheckpointError("the file of the vocabulary is missing", where=file)
    model = _read(file).get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        found = model.get("type") if isinstance(model, dict) else model
        raise _foreign(file, f"model {found}"[:200], "model BPE")
    vocab, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocab, dict) or not isinstance(merges, list):
        raise _foreign(file, "no vocabulary or no merges", "both, as `tokenizers` writes them")
    for index, token in enumerate((*SPECIAL, *alphabet.letters)):
        if vocab.get(token) != index:
            raise _foreign(file, f"{token} has id {vocab.get(token)}", f"id {index}")
    pairs: list[tuple[int, int]] = []
    first = len(SPECIAL) + len(alphabet)
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(p, str) for p in parts):
            raise _foreign(file, f"merge {rank} is {merge!r}"[:200], "two tokens")
        left, right, made = vocab.get(parts[0]), vocab.get(parts[1]), vocab.get("".join(parts))
        if made != first + rank or type(left) is not int or type(right) is not int:
            raise _foreign(file, f"merge {rank}, {parts}, has id {made}", f"id {first + rank}, of known parts")
        pairs.append((left, right))
    if len(vocab) != first + len(pairs):
        raise _foreign(file, f"{len(vocab)} tokens", f"{first + len(pairs)}, by its merges")
    try:
        return BpeTokenizer(pairs, alphabet)
    except ConfigError as error:
        raise CheckpointError("the merges do not fit together", where=file, got=error.what) from error


def _foreign(file: Path, got: str, expected: str) -> CheckpointError:
    return CheckpointError(
        "this is not a vocabulary that lingome can reproduce exactly", where=file, got=got, expected=expected,
        hint="use a tokenizer written by lingome",
    )
