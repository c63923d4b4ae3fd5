"""Parse the files of GPT-2: ``encoder.json`` with ``vocab.bpe``, and the ranks of tiktoken."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from lingome.core.errors import CheckpointError
from lingome.tokens.bpe.merges import merges_of_ranks
from lingome.tokens.published.text import END_OF_TEXT, VISIBLE
from lingome.tokens.published.vocabulary import PublishedVocabulary, check_merges, refusal

GPT2_TOKENS = 50_256


def parse_gpt2(tokens: Sequence[str], merges: str) -> PublishedVocabulary:
    """Parse GPT-2's merges, in order under a line that says the version.

    Parameters
    ----------
    tokens : sequence of str
        Tokens of ``encoder.json``; the index is the id.
    merges : str
        Content of ``vocab.bpe``.

    Raises
    ------
    CheckpointError
        If a merge is of or to another token.
    """
    lines = [line for line in merges.split("\n") if line and not line.startswith("#version")]
    return PublishedVocabulary("text", tuple(tokens), tuple(check_merges(lines, set(tokens))), (END_OF_TEXT,))


def parse_tiktoken(content: bytes) -> PublishedVocabulary:
    """Parse a ``.tiktoken`` file; of others than GPT-2's it is not known how text is cut into words.

    Raises
    ------
    CheckpointError
        If it is damaged, or not GPT-2's.
    """
    ranks = parse_ranks(content)
    if len(ranks) != GPT2_TOKENS:
        raise refusal(
            f"{len(ranks)} ranks: the file does not say how text is cut into words", f"{GPT2_TOKENS}, those of GPT-2"
        )
    return vocabulary_of_ranks(ranks)


def parse_ranks(content: bytes) -> dict[bytes, int]:
    """Parse the lines of a ``.tiktoken`` file: a token in base64, and its rank.

    Raises
    ------
    CheckpointError
        If a line is anything else, or a token is given twice.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line:
            continue
        try:
            token, rank = line.split()
            text = base64.b64decode(token, validate=True)
            value = int(rank)
        except (ValueError, binascii.Error) as error:
            raise CheckpointError("not a token in base64 and its rank", where=number, got=line[:60],
                                  hint="download the file again") from error
        if not text or text in ranks:
            raise CheckpointError("an empty token, or one given twice", where=number, got=line[:60])
        ranks[text] = value
    return ranks


def vocabulary_of_ranks(ranks: Mapping[bytes, int]) -> PublishedVocabulary:
    """Give the vocabulary of tiktoken's ranks, cut by GPT-2's rule; ``<|endoftext|>`` follows as the last id.

    Parameters
    ----------
    ranks : mapping of bytes to int
        Rank of each token, which is its id; 0 to V - 1.

    Raises
    ------
    CheckpointError
        If ranks are missing.
    """
    visible = {"".join(VISIBLE[byte] for byte in token): rank for token, rank in ranks.items()}
    vocab = sorted(visible, key=visible.__getitem__)
    found = [visible[token] for token in vocab]
    if found != list(range(len(vocab))):
        raise refusal(None, f"0 to {len(vocab) - 1}, each once", "ranks are missing or given twice")
    merges = tuple(merges_of_ranks(visible))
    return PublishedVocabulary("text", (*vocab, END_OF_TEXT), merges, (END_OF_TEXT,), whole_words=True)
