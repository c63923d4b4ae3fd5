"""Recognise the vocabulary files of others, alone or in a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.tokens.characters import LAYOUTS, CharacterTokenizer
from lingome.tokens.kmers import LAYOUTS as KMER_LAYOUTS
from lingome.tokens.kmers import MAX_K, KmerTokenizer
from lingome.tokens.published.sentencepiece import read_sentencepiece
from lingome.tokens.published.text import END_OF_TEXT, GPT2_TOKENS, TextTokenizer, read_ranks, tokenizer_of_ranks
from lingome.tokens.published.tokenizer_json import read_object, read_pairs, read_published, refuse, tokens_by_id
from lingome.tokens.tokenizer import Tokenizer

_READ = "tokenizer.json, vocab.txt, *.model, *.tiktoken, or GPT-2's encoder.json and vocab.bpe"
_NAMES_OF_GPT2 = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))
_SIDE_BY_SIDE = tuple(name for name in KMER_LAYOUTS if name != "dnabert")
# Parts of tokenizer.json that decide the ids of a sequence.
_DECIDING = ("model", "normalizer", "pre_tokenizer")


def find_vocabulary(folder: Path) -> Path:
    """Give the file of a folder that holds its vocabulary.

    Raises
    ------
    DataError
        If there is none, or several of which none comes first.
    """
    for name in ("tokenizer.json", "vocab.txt", *(names[0] for names in _NAMES_OF_GPT2)):
        if (folder / name).is_file():
            return folder / name
    found = sorted([*folder.glob("*.model"), *folder.glob("*.tiktoken")])
    if len(found) == 1:
        return found[0]
    hint = "give a folder written by `lingome tokens train`, or a checkpoint"
    of_run = next((place for place in ("checkpoint", "tokenizer") if (folder / place / "tokenizer.json").is_file()), "")
    if found or of_run:
        hint = f"this is a run; give {folder / of_run}" if of_run else "give one of the files"
    raise DataError(
        "there are several vocabularies here" if found else "there is no tokenizer here", where=folder,
        got=", ".join(file.name for file in found) or None, expected=_READ, hint=hint,
    )


def read_vocabulary(file: Path) -> Tokenizer:
    """Read a vocabulary file by its name.

    Raises
    ------
    DataError
        If the name is of no known format.
    CheckpointError
        If the file is corrupt, or holds a tokenizer that lingome cannot reproduce exactly.
    """
    if file.suffix == ".model":
        return read_sentencepiece(file)
    if file.suffix == ".tiktoken":
        return _read_tiktoken(file)
    for vocabulary, merges in _NAMES_OF_GPT2:
        if file.name in (vocabulary, merges):
            return _read_gpt2(file.with_name(vocabulary), file.with_name(merges))
    if file.suffix == ".json":
        model = read_object(file).get("model")
        if isinstance(model, dict) and model.get("type") == "WordLevel":
            return _read_words(model, file)
        return read_published(file)
    if file.suffix == ".txt":
        return _read_list(file)
    raise DataError(
        "this is no vocabulary file that lingome knows", where=file, expected=_READ,
        hint="give the folder of a tokenizer or a checkpoint",
    )


def check_tokenizer_json(tokenizer: Tokenizer, file: Path) -> None:
    """Compare a ``tokenizer.json`` with what the tokenizer would write, where it decides ids.

    Raises
    ------
    CheckpointError
        If another reader of the file would give other ids.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.write_model(Path(scratch))
        expected = read_object(Path(scratch) / file.name)
    found = read_object(file)
    for part in _DECIDING:
        if found.get(part) != expected[part]:
            raise CheckpointError(
                f"its {part} is not that of this tokenizer", where=file, got=json.dumps(found.get(part))[:80],
                expected=json.dumps(expected[part])[:80], hint="save the tokenizer again, or restore its files",
            )


def _known_layouts(size: int) -> Iterator[Tokenizer]:
    """Give the tokenizers of one word or letter at a time with a vocabulary of this size."""
    yield from (t for t in (CharacterTokenizer(), *(CharacterTokenizer(layout=name) for name in LAYOUTS))
                if t.vocab_size == size)
    for k in range(1, MAX_K + 1):
        for overlap, layout in ((True, "dnabert"), (False, "dnabert"), *((False, name) for name in _SIDE_BY_SIDE)):
            if 4**k <= size <= 4**k + 11:
                words = KmerTokenizer(k, overlap, layout)
                if words.vocab_size == size:
                    yield words


def _read_list(file: Path) -> Tokenizer:
    """Read ``vocab.txt``: k-mers of DNABERT or the Nucleotide Transformer, or letters of ESM."""
    try:
        tokens = tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError("the vocabulary cannot be read", where=file, got=error) from error
    nearest: tuple[int, str, str] | None = None
    for tokenizer in _known_layouts(len(tokens)):
        if tokenizer.vocab == tokens:
            return tokenizer
        line = next(i for i, (found, right) in enumerate(zip(tokens, tokenizer.vocab, strict=True)) if found != right)
        nearest = max(nearest or (-1, "", ""), (line, tokens[line], tokenizer.vocab[line]))
    where = file.as_posix()
    got = f"{len(tokens)} lines"
    expected = "k-mers of DNABERT or the Nucleotide Transformer, or ESM's 33 letters"
    if nearest is not None:
        where = f"{file}:{nearest[0] + 1}"
        got = nearest[1]
        expected = nearest[2]
    raise CheckpointError(
        "this list of tokens is of no published layout", where=where, got=got, expected=expected,
        hint="byte pairs need their merges too: give tokenizer.json",
    )


def _read_words(model: dict[str, Any], file: Path) -> Tokenizer:
    """Read a ``tokenizer.json`` of whole words: one that a known layout would write."""
    vocab = model.get("vocab")
    tokens = tuple(tokens_by_id(vocab, file)) if isinstance(vocab, dict) else ()
    for tokenizer in _known_layouts(len(tokens)):
        if tokenizer.vocab == tokens and not (isinstance(tokenizer, KmerTokenizer) and tokenizer.overlap):
            check_tokenizer_json(tokenizer, file)
            return tokenizer
    raise refuse(file, f"{len(tokens)} words", "k-mers or letters in a published order of ids")


def _read_tiktoken(file: Path) -> TextTokenizer:
    ranks = read_ranks(file)
    if len(ranks) != GPT2_TOKENS:
        raise refuse(
            file, f"{len(ranks)} ranks: the file does not say how text is cut into words",
            f"{GPT2_TOKENS}, those of GPT-2",
        )
    try:
        return tokenizer_of_ranks(ranks)
    except ConfigError as error:
        raise refuse(file, error.got, error.expected, error.what) from error


def _read_gpt2(vocabulary: Path, merges: Path) -> TextTokenizer:
    """Read GPT-2's own two files: ids of tokens, and merges in order under a line of version."""
    for file in (vocabulary, merges):
        if not file.is_file():
            raise CheckpointError("one of the two files of the vocabulary is missing", where=file)
    vocab = tokens_by_id(read_object(vocabulary), vocabulary)
    try:
        lines = merges.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError("the merges cannot be read", where=merges, got=error) from error
    pairs = read_pairs([line for line in lines if line and not line.startswith("#version")], set(vocab), merges)
    try:
        return TextTokenizer(vocab, pairs, (END_OF_TEXT,))
    except ConfigError as error:
        raise refuse(vocabulary, error.got, error.expected, error.what) from error
