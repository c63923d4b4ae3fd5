"""Read a vocabulary that others published: find its file, parse it by its format, build its tokenizer."""

from __future__ import annotations

from pathlib import Path

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.core.files import name_file, read_json_object, read_text
from lingome.tokens.published.build import build_published
from lingome.tokens.published.gpt2 import parse_gpt2, parse_tiktoken
from lingome.tokens.published.sentencepiece import parse_sentencepiece
from lingome.tokens.published.tokenizer_json import parse_named_roles, parse_tokenizer_json
from lingome.tokens.published.vocabulary import PublishedVocabulary, refusal, tokens_by_id
from lingome.tokens.published.words import is_word_level, parse_word_level, parse_word_list
from lingome.tokens.tokenizer import Tokenizer

_READ = "tokenizer.json, vocab.txt, *.model, *.tiktoken, or GPT-2's encoder.json and vocab.bpe"
_NAMES_OF_GPT2 = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))
_NAMES_OF_ROLES = ("special_tokens_map.json", "tokenizer_config.json")


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
    """Read the tokenizer of a vocabulary file; its name says the format.

    Raises
    ------
    DataError
        If the name is of no known format.
    CheckpointError
        If the file is corrupt, or holds a tokenizer that lingome cannot reproduce exactly.
    MissingExtraError
        If it is a SentencePiece model and `sentencepiece` is not installed.
    """
    with name_file(file):
        published = _parse(file)
        try:
            return build_published(published)
        except ConfigError as error:
            raise refusal(error.got, error.expected, error.what) from error


def _parse(file: Path) -> PublishedVocabulary:
    """Parse a file by the format that its name says."""
    if file.suffix == ".model":
        return parse_sentencepiece(file.read_bytes())
    if file.suffix == ".tiktoken":
        return parse_tiktoken(file.read_bytes())
    for vocabulary, merges in _NAMES_OF_GPT2:
        if file.name in (vocabulary, merges):
            return _parse_pair(file.with_name(vocabulary), file.with_name(merges))
    if file.suffix == ".json":
        content = read_json_object(file)
        if is_word_level(content):
            return parse_word_level(content)
        beside = [file.with_name(name) for name in _NAMES_OF_ROLES]
        named = parse_named_roles([read_json_object(one) for one in beside if one.is_file()])
        return parse_tokenizer_json(content, named)
    if file.suffix == ".txt":
        return parse_word_list(read_text(file))
    raise DataError(
        "this is no vocabulary file that lingome knows", where=file, expected=_READ,
        hint="give the folder of a tokenizer or a checkpoint",
    )


def _parse_pair(vocabulary: Path, merges: Path) -> PublishedVocabulary:
    """Parse GPT-2's two files; an error names the one that is wrong."""
    for file in (vocabulary, merges):
        if not file.is_file():
            raise CheckpointError("one of the two files of the vocabulary is missing", where=file)
    with name_file(vocabulary):
        tokens = tokens_by_id(read_json_object(vocabulary))
    with name_file(merges):
        return parse_gpt2(tokens, read_text(merges))
