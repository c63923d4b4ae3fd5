"""What a vocabulary that others published says, in one form whatever file it stood in.

Each parser of a format takes the content of a file and gives a `PublishedVocabulary`; `build_published` makes the
tokenizer. None of them knows where the file lies: an error says what is wrong, `read_vocabulary` adds the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from lingome.core.errors import CheckpointError
from lingome.tokens.bpe.merges import Pair
from lingome.tokens.tokenizer import Roles


class Around(NamedTuple):
    """Special tokens put around a sequence when special tokens are asked for."""

    before: str | None
    after: str | None


NOTHING = Around(None, None)


@dataclass(frozen=True)
class PublishedVocabulary:
    """Everything in a published vocabulary that decides ids.

    Parameters
    ----------
    kind : {"sequence", "text", "words", "sentencepiece"}
        Byte pairs of letters; byte pairs of the bytes of a text; whole words or letters, looked up; a model
        that only the package `sentencepiece` applies.
    tokens : tuple of str
        The index is the id.
    merges : tuple of (str, str)
        Parts of merged tokens, in order.
    special : tuple of str
        Tokens that stand for no letters, as far as the file names them.
    roles : dict of str to str
        Tokens that serve as ``pad``, ``unk``, ``cls``, ``sep`` and ``mask``.
    around : Around
        What stands around a sequence.
    whole_words : bool
        Of a text: give a word that is a token as that token, even if merges would not make it.
    published_ids : mapping of str to list of int
        Sequences, and the ids that the publisher's own code gives them.
    tokenizer_json : mapping, optional
        The whole file, where words must be cut as it says.
    model : bytes
        The whole file of a SentencePiece model.
    """

    kind: Literal["sequence", "text", "words", "sentencepiece"]
    tokens: tuple[str, ...]
    merges: tuple[Pair, ...] = ()
    special: tuple[str, ...] = ()
    roles: Roles = field(default_factory=dict)
    around: Around = NOTHING
    whole_words: bool = False
    published_ids: Mapping[str, list[int]] = field(default_factory=dict)
    tokenizer_json: Mapping[str, Any] | None = None
    model: bytes = b""


def refusal(got: object, expected: object, what: str | None = None) -> CheckpointError:
    """Make the error that says why a vocabulary is not read; whoever knows the file adds it."""
    return CheckpointError(
        what or "this is not a vocabulary that lingome can reproduce exactly", got=got, expected=expected,
        hint="use a tokenizer written by lingome, or one of docs/bridges.md",
    )


def tokens_by_id(ids: Mapping[str, Any]) -> list[str]:
    """Give tokens in the order of their ids, which must be 0 to V - 1.

    Raises
    ------
    CheckpointError
        If they are not.
    """
    if any(type(index) is not int for index in ids.values()):
        raise refusal("ids that are no numbers", "ids 0 to V - 1")
    tokens = sorted(ids, key=ids.__getitem__)
    for index, token in enumerate(tokens):
        if ids[token] != index:
            raise refusal(f"{token!r} has id {ids[token]}", f"id {index}: one token for each id")
    return tokens


def check_merges(merges: Any, known: set[str]) -> list[Pair]:
    """Give merges that are written as ``"A B"`` or as lists of two.

    Raises
    ------
    CheckpointError
        If one is neither, or names or makes a token that is not known.
    """
    pairs: list[Pair] = []
    for rank, parts in enumerate(split_merges(merges)):
        for token in (*parts, parts[0] + parts[1]):
            if token and token not in known:
                got = f"merge {rank}, {list(parts)}, of or to {token!r}"[:200]
                raise refusal(got, "tokens of the vocabulary")
        pairs.append(parts)
    return pairs


def split_merges(merges: Any) -> list[Pair]:
    """Give the two parts of each merge, whatever they are.

    Raises
    ------
    CheckpointError
        If there is no list of merges, or one is not of two parts.
    """
    if not isinstance(merges, list):
        raise refusal("no vocabulary or no merges", "both, as `tokenizers` writes them")
    pairs: list[Pair] = []
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise refusal(f"merge {rank} is {merge!r}"[:200], "two tokens")
        pairs.append((parts[0], parts[1]))
    return pairs
