"""Lists of merges as others write them, brought to one merge per token.

Other vocabularies may hold several merges that make the same token (``A + AA`` and ``AA + A``), or
none at all but a rank for each token, of which any two neighbours that join to a known token may be
merged. Either way a token is only ever made by the merge that makes it when its letters stand
alone:

    Take a token w in the encoding of any text. Tokens only grow, so until w was complete no merge
    crossed its ends. The merges inside its letters were therefore chosen among the same neighbours,
    in the same order (lowest rank first, of equal ranks the leftmost), as when those letters stand
    alone; so they are the same merges, and so is the last of them.

`own_merge` replays a token alone; all other merges of that token can never happen, in any text, and
are left out. A token that its letters alone do not encode to is never made by merging.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

Pair = tuple[str, str]


def own_merge(token: str, rank_of: Callable[[str, str], float | None]) -> Pair | None:
    """Give the last merge in the encoding of a token's letters alone; None if that is not the token.

    Parameters
    ----------
    token : str
        Its letters.
    rank_of : callable
        Rank of the merge of two neighbours, lowest first; None if they do not merge.

    >>> ranks = {("A", "A"): 0, ("A", "AA"): 1, ("AA", "A"): 2}
    >>> own_merge("AAA", lambda left, right: ranks.get((left, right)))
    ('AA', 'A')
    """
    parts = list(token)
    ranks = [rank_of(*pair) for pair in itertools.pairwise(parts)]
    last: Pair | None = None
    while True:
        known = [(rank, at) for at, rank in enumerate(ranks) if rank is not None]
        if not known:
            return last if len(parts) == 1 else None
        at = min(known)[1]
        last = (parts[at], parts[at + 1])
        parts[at : at + 2] = ["".join(last)]
        del ranks[at]
        if at > 0:
            ranks[at - 1] = rank_of(parts[at - 1], parts[at])
        if at < len(ranks):
            ranks[at] = rank_of(parts[at], parts[at + 1])


def merges_of_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """Give the merges of a list that can happen, in order: at most one for each token.

    A pair that is listed twice has its later rank, as in `tokenizers`. A merge with nothing
    (``"A "``, which makes A of A) never happens, because no token is empty.

    >>> merges_of_pairs([("A", ""), ("A", "A"), ("A", "AA"), ("AA", "A")])
    [('A', 'A'), ('AA', 'A')]
    """
    rank_of = {pair: rank for rank, pair in enumerate(pairs) if all(pair)}
    own = {token: own_merge(token, lambda left, right: rank_of.get((left, right)))
           for token in {left + right for left, right in rank_of}}
    return sorted((pair for pair in rank_of if own["".join(pair)] == pair), key=rank_of.__getitem__)


def merges_of_ranks(ranks: Mapping[str, float]) -> list[Pair]:
    """Give the merges by which tokens with ranks are made (tiktoken, SentencePiece), in order.

    Any two neighbours whose letters together are a token of `ranks` may be merged, the lowest rank first.

    >>> merges_of_ranks({"A": 0, "C": 1, "AC": 2, "CA": 3, "ACA": 4})
    [('A', 'C'), ('C', 'A'), ('AC', 'A')]
    """
    own = {token: own_merge(token, lambda left, right: ranks.get(left + right)) for token in ranks if len(token) > 1}
    return [pair for token, pair in sorted(own.items(), key=lambda item: ranks[item[0]]) if pair is not None]
