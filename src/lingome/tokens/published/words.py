"""Published lists of words or letters: the k-mers of DNABERT and the Nucleotide Transformer, the letters of ESM."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError
from lingome.core.files import read_json_object
from lingome.tokens.characters import LAYOUTS, CharacterTokenizer
from lingome.tokens.kmers import LAYOUTS as KMER_LAYOUTS
from lingome.tokens.kmers import MAX_K, KmerTokenizer
from lingome.tokens.published.vocabulary import PublishedVocabulary, refusal, tokens_by_id
from lingome.tokens.tokenizer import Tokenizer

# Parts of tokenizer.json that decide the ids of a sequence.
_DECIDING = ("model", "normalizer", "pre_tokenizer")


def parse_word_list(text: str) -> PublishedVocabulary:
    """Parse ``vocab.txt``: one token per line, in the order of ids."""
    return PublishedVocabulary("words", tuple(text.splitlines()))


def is_word_level(tokenizer_json: Mapping[str, Any]) -> bool:
    """Say whether a ``tokenizer.json`` looks whole words up."""
    model = tokenizer_json.get("model")
    return isinstance(model, dict) and model.get("type") == "WordLevel"


def parse_word_level(tokenizer_json: Mapping[str, Any]) -> PublishedVocabulary:
    """Parse a ``tokenizer.json`` that looks whole words up.

    Raises
    ------
    CheckpointError
        If the ids are not 0 to V - 1.
    """
    vocab = tokenizer_json["model"].get("vocab")
    tokens = tuple(tokens_by_id(vocab)) if isinstance(vocab, dict) else ()
    return PublishedVocabulary("words", tokens, tokenizer_json=tokenizer_json)


def find_layout(tokens: Sequence[str], tokenizer_json: Mapping[str, Any] | None = None) -> Tokenizer:
    """Give the tokenizer of one word or letter at a time whose vocabulary a list is.

    Parameters
    ----------
    tokens : sequence of str
        Published tokens; the index is the id.
    tokenizer_json : mapping, optional
        The ``tokenizer.json`` that they stood in; it cannot say overlapping words.

    Raises
    ------
    CheckpointError
        If there is none, or the file cuts a sequence in another way.
    """
    layouts = _list_layouts(len(tokens))
    if tokenizer_json is None:
        return _match_list(tuple(tokens), list(layouts))
    for tokenizer in layouts:
        overlaps = isinstance(tokenizer, KmerTokenizer) and tokenizer.overlap
        if tokenizer.vocab == tuple(tokens) and not overlaps:
            check_tokenizer_json(tokenizer, tokenizer_json)
            return tokenizer
    raise refusal(f"{len(tokens)} words", "k-mers or letters in a published order of ids")


def check_tokenizer_json(tokenizer: Tokenizer, found: Mapping[str, Any]) -> None:
    """Compare the content of a ``tokenizer.json`` with what the tokenizer would write, where it decides ids.

    Raises
    ------
    CheckpointError
        If another reader of the file would give other ids.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.write_model(Path(scratch))
        expected = read_json_object(Path(scratch) / "tokenizer.json")
    for part in _DECIDING:
        if found.get(part) != expected[part]:
            raise CheckpointError(
                f"its {part} is not that of this tokenizer", got=json.dumps(found.get(part))[:80],
                expected=json.dumps(expected[part])[:80], hint="save the tokenizer again, or restore its files",
            )


def _list_layouts(size: int) -> Iterator[Tokenizer]:
    """Give the tokenizers of one word or letter at a time with a vocabulary of this size."""
    for layout in ("lingome", *LAYOUTS):
        letters = CharacterTokenizer(layout=layout)
        if letters.vocab_size == size:
            yield letters
    side_by_side = [(False, layout) for layout in KMER_LAYOUTS]
    for k in range(1, MAX_K + 1):
        if not 4**k <= size <= 4**k + 11:
            continue
        for overlap, layout in ((True, "dnabert"), *side_by_side):
            words = KmerTokenizer(k, overlap, layout)
            if words.vocab_size == size:
                yield words


def _match_list(tokens: tuple[str, ...], layouts: Sequence[Tokenizer]) -> Tokenizer:
    """Give the layout that a list is, or say where it leaves the one that it is most like."""
    line = 0
    nearest: Tokenizer | None = None
    for tokenizer in layouts:
        if tokenizer.vocab == tokens:
            return tokenizer
        pairs = enumerate(zip(tokens, tokenizer.vocab, strict=True), start=1)
        other = next(number for number, (found, right) in pairs if found != right)
        if other > line:
            line = other
            nearest = tokenizer
    what = "this list of tokens is of no published layout"
    hint = "byte pairs need their merges too: give tokenizer.json"
    if nearest is None:
        raise CheckpointError(
            what, got=f"{len(tokens)} lines", hint=hint,
            expected="k-mers of DNABERT or the Nucleotide Transformer, or ESM's 33 letters",
        )
    raise CheckpointError(what, where=line, got=tokens[line - 1], expected=nearest.vocab[line - 1], hint=hint)
