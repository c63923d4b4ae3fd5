"""Which tokens came from which: the merges of a byte-pair vocabulary as a tree."""

from __future__ import annotations

from typing import Any

from lingome.tokens.bpe import BpeTokenizer

MERGE_TREE_COLUMNS = ("token", "parent_left", "parent_right", "rank", "depth", "n_descendants")


def merge_tree(tokenizer: BpeTokenizer) -> list[dict[str, Any]]:
    """Describe the descent of every token.

    Returns
    -------
    list of dict
        One per token, letters first, then in the order of merges; columns `MERGE_TREE_COLUMNS`:
        ``parent_left`` and ``parent_right`` are the tokens it was merged from and ``rank`` (from 1)
        its place in the order of merges, None for letters; ``depth`` the longest chain of merges
        from a letter to it (0 for letters); ``n_descendants`` how many different tokens were made
        with it, directly or through others.

    >>> [(row["token"], row["depth"], row["n_descendants"]) for row in merge_tree(BpeTokenizer([(8, 8), (5, 9)]))]
    [('A', 0, 1), ('C', 0, 0), ('G', 0, 0), ('T', 0, 2), ('TT', 1, 1), ('ATT', 2, 0)]
    """
    first = tokenizer.first_merged
    letters = range(first - len(tokenizer.alphabet), first)
    depth = dict.fromkeys(letters, 0)
    for rank, (left, right) in enumerate(tokenizer.merges):
        depth[first + rank] = 1 + max(depth[left], depth[right])
    made = dict.fromkeys(depth, 0)  # descendants of each token, one bit per token
    for rank in reversed(range(len(tokenizer.merges))):
        index = first + rank
        for parent in tokenizer.merges[rank]:
            made[parent] |= made[index] | 1 << rank
    rows = []
    for index, level in depth.items():
        rank = index - first
        parents = [tokenizer.vocab[parent] for parent in tokenizer.merges[rank]] if rank >= 0 else [None, None]
        rows.append({
            "token": tokenizer.vocab[index], "parent_left": parents[0], "parent_right": parents[1],
            "rank": rank + 1 if rank >= 0 else None, "depth": level, "n_descendants": made[index].bit_count(),
        })
    return rows
