"""Build the tokenizer of a published vocabulary."""

from __future__ import annotations

from lingome.tokens.published.sentencepiece import SentencePieceTokenizer
from lingome.tokens.published.sequence import PublishedBpe
from lingome.tokens.published.text import TextTokenizer
from lingome.tokens.published.vocabulary import PublishedVocabulary, refusal
from lingome.tokens.published.words import find_layout
from lingome.tokens.tokenizer import Tokenizer


def build_published(published: PublishedVocabulary) -> Tokenizer:
    """Build the tokenizer that gives a published vocabulary's ids.

    Returns
    -------
    Tokenizer
        Of ``sequence`` a `PublishedBpe`, or a `BpeTokenizer` if the ids are in lingome's order; of ``text`` a
        `TextTokenizer`; of ``words`` a `CharacterTokenizer` or `KmerTokenizer`; else a `SentencePieceTokenizer`.

    Raises
    ------
    CheckpointError
        If no tokenizer of lingome gives the same ids.
    ConfigError
        If the tokens and merges do not fit together.
    MissingExtraError
        If `sentencepiece` is needed and not installed.
    """
    if published.kind == "sentencepiece":
        return SentencePieceTokenizer(published.model)
    if published.kind == "words":
        return find_layout(published.tokens, published.tokenizer_json)
    if published.kind == "text":
        return TextTokenizer(
            published.tokens, published.merges, published.special, roles=published.roles,
            whole_words=published.whole_words,
        )
    return _build_sequence(published)


def _build_sequence(published: PublishedVocabulary) -> Tokenizer:
    tokenizer = PublishedBpe(published.tokens, published.merges, published.roles, published.around)
    taken = [token for token in published.special if tokenizer.alphabet.has(token)]
    if taken:
        raise refusal(f"the added token {taken[0]!r}", "added tokens that no sequence holds")
    for sequence, ids in published.published_ids.items():
        if tokenizer.encode(sequence).input_ids.tolist() != ids:
            raise refusal(f"{sequence!r} is cut in another way", "the ids that its publisher's code gives")
    own = tokenizer.cutter
    same = own.vocab == tokenizer.vocab and own.alphabet is tokenizer.alphabet
    return own if same else tokenizer
