"""Everything that is known of each token, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.explain.token_axes import letter_share
from lingome.explain.token_census import TokenCensus
from lingome.explain.vocabulary import VOCABULARY_COLUMNS, vocabulary_table
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Tokenizer

TOKEN_COLUMNS = (
    *VOCABULARY_COLUMNS[: VOCABULARY_COLUMNS.index("gc") + 1], "ag", "ac", "count_reverse", "strand_bias",
    "palindrome", *VOCABULARY_COLUMNS[VOCABULARY_COLUMNS.index("gc") + 1 :],
)
ANNOTATION_COLUMNS = ("annotation", "id", "token", "count", "inside", "share", "baseline", "ratio")


def token_table(
    tokenizer: Tokenizer, census: TokenCensus, merges: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Describe every token that stands for letters.

    Parameters
    ----------
    tokenizer : Tokenizer
        The vocabulary.
    census : TokenCensus
        Its counts.
    merges : sequence of mapping, optional
        Rows of the vocabulary's table ``merges``.

    Returns
    -------
    list of dict
        Columns `TOKEN_COLUMNS`: those of `vocabulary_table` and ``ag``, ``ac`` (share of A and G,
        A and C), ``count_reverse`` (occurrences when the reverse complement is encoded),
        ``strand_bias`` ((count - count_reverse) / (count + count_reverse), -1..1; None where it
        occurs on neither strand), ``palindrome`` (1 if it is its own reverse complement, else 0).
        These are None for what is no DNA. For every annotation also ``<name>_share`` and ``<name>_ratio``; see
        `annotation_table`.
    """
    rows = []
    enrichment = {(row["annotation"], row["id"]): row for row in annotation_table(tokenizer, census)}
    for row in vocabulary_table(tokenizer, census.counts, merges):
        token = row["token"]
        row |= {"ag": None, "ac": None, "count_reverse": None, "strand_bias": None, "palindrome": None}
        if tokenizer.alphabet is DNA:
            row |= {"ag": letter_share(token, "AG"), "ac": letter_share(token, "AC")}
            row["palindrome"] = int(as_text(reverse_complement(as_bases(token))) == token)
        if census.reverse_counts is not None:
            row["count_reverse"] = other = int(census.reverse_counts[row["id"]])
            both = row["count"] + other
            row["strand_bias"] = (row["count"] - other) / both if both else None
        ordered = {column: row[column] for column in TOKEN_COLUMNS}
        for name in census.inside:
            found = enrichment[name, row["id"]]
            ordered |= {f"{name}_share": found["share"], f"{name}_ratio": found["ratio"]}
        rows.append(ordered)
    return rows


def annotation_table(tokenizer: Tokenizer, census: TokenCensus) -> list[dict[str, Any]]:
    """Compare how often each token lies inside an annotation with how often a base does.

    Returns
    -------
    list of dict
        One an annotation and token; columns `ANNOTATION_COLUMNS`: ``inside`` (occurrences whose
        middle base lies in it), ``share`` (of all its occurrences), ``baseline`` (share of all known
        letters inside), ``ratio`` (share / baseline). None where a token does not occur, or
        nothing lies inside.
    """
    special = set(tokenizer.special_ids.tolist())
    rows = []
    for name, inside in census.inside.items():
        baseline = census.letters_inside[name] / census.letters
        for index, token in enumerate(tokenizer.vocab):
            if index in special:
                continue
            count = int(census.counts[index])
            held = int(inside[index])
            share = held / count if count else None
            rows.append({
                "annotation": name, "id": index, "token": token, "count": count, "inside": held, "share": share,
                "baseline": baseline, "ratio": share / baseline if share is not None and baseline else None,
            })
    return rows


def describe(rows: Sequence[Mapping[str, Any]], census: TokenCensus) -> str:
    """Say in a sentence or two how a vocabulary cuts the sequence.

    Parameters
    ----------
    rows : sequence of mapping
        Of `token_table`.
    census : TokenCensus
        What they were made from.
    """
    total = sum(row["count"] for row in rows)
    never = [row["token"] for row in rows if not row["count"]]
    text = (
        f"{len(rows):,} tokens read {census.letters:,} letters as {total:,} tokens"
        + (f", {census.letters / total:.2f} letters per token" if total else "")
        + f"; the longest has {max(row['length_bp'] for row in rows)}."
    )
    if never:
        some = ", ".join(never[:5]) + (", ..." if len(never) > 5 else "")
        text += f" {len(never):,} never {'occurs' if len(never) == 1 else 'occur'}: {some}."
    return text
