"""The tokens of a vocabulary: lengths, frequencies, GC content, the first merges."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from lingome.report.blocks import Block, Figure, Grid, Row, Section, grid_of, number, rounded, thinned
from lingome.report.charts import maps

AT_MOST_TOKENS = 1000


def vocabulary_section(rows: Sequence[Row]) -> Section:
    """Show the tokens: lengths, frequencies, GC content, the first merges, all of them to search."""
    blocks: list[Block] = []
    real = [row for row in rows if row["length_bp"] > 0]
    lengths = Counter(row["length_bp"] for row in real)
    if lengths:
        common = max(lengths, key=lambda length: (lengths[length], -length))
        share = lengths[common] / len(real)
        blocks.append(Figure(
            "token-length", f"Most tokens are {common} bp long ({share:.0%}); the longest has {max(lengths)} bp",
            "Histogram of token length. "
            + "; ".join(f"{length} bp: {lengths[length]}" for length in sorted(lengths)) + ".",
            maps.token_length_chart([{"length_bp": length, "tokens": lengths[length]} for length in sorted(lengths)]),
            Grid(["length (bp)", "tokens"], [[str(length), number(lengths[length])] for length in sorted(lengths)],
                 right=(0, 1))))
    blocks += _frequencies(real) + _gc(real)
    names = {row["id"]: row["token"] for row in rows}
    merges = sorted((row for row in rows if row["rank"] is not None and row["left"] is not None),
                    key=lambda row: row["rank"])
    if merges:
        shown = [{**row, "left": names.get(row["left"], row["left"]), "right": names.get(row["right"], row["right"])}
                 for row in merges[:20]]
        columns = {"rank": "rank", "left": "left", "right": "right", "token": "new token", "pair_count": "times seen",
                   "margin": "ahead of the next pair"}
        blocks.append(grid_of(shown, columns, title=f"The first {len(shown)} of {len(merges):,} merges"))
    ordered = sorted(rows, key=lambda row: -(row["count"] or 0))[:AT_MOST_TOKENS]
    columns = {"id": "id", "token": "token", "length_bp": "length (bp)", "count": "count", "frequency": "share",
               "gc": "GC"}
    rest = f"The {AT_MOST_TOKENS:,} most frequent of {len(rows):,}. " if len(rows) > AT_MOST_TOKENS else ""
    blocks.append(grid_of(ordered, columns, title="Tokens", search=True,
                          note=f"{rest}All columns are in tables/vocabulary.tsv."))
    return Section("vocabulary", "Vocabulary", blocks)


def _frequencies(rows: Sequence[Row]) -> list[Block]:
    seen = sorted((row for row in rows if row["frequency"]), key=lambda row: -row["frequency"])
    if not seen:
        return []
    ranks = rounded([{**row, "rank": index} for index, row in enumerate(seen, start=1)],
                    ("rank", "frequency", "token", "length_bp"))
    sums = list(accumulate(row["frequency"] for row in seen))
    half = 1 + bisect_left(sums, 0.5 * sums[-1])
    title = f"{half} of {len(seen):,} tokens make half of the sequence's tokens"
    grid = grid_of(ranks[:20], {"rank": "rank", "token": "token", "frequency": "share"},
                   note="The 20 most frequent; all are in tables/vocabulary.tsv.")
    text = f"{title}. The most frequent is {seen[0]['token']} ({seen[0]['frequency']:.2%}), " \
           f"the rarest {seen[-1]['token']} ({seen[-1]['frequency']:.4%})."
    return [Figure("rank", title, text, maps.rank_chart(thinned(ranks, 1500)), grid)]


def _gc(rows: Sequence[Row]) -> list[Block]:
    known = [row for row in rows if row["gc"] is not None]
    if not known:
        return []
    bins: list[dict[str, Any]] = [{"shown": f"{index * 10}-{index * 10 + 10}%", "tokens": 0,
             "share": 0.0} for index in range(10)]
    for row in known:
        held = bins[min(9, int(row["gc"] * 10 + 1e-9))]
        held["tokens"] += 1
        held["share"] += row["frequency"] or 0.0
    mean = sum(row["gc"] for row in known) / len(known)
    grid = grid_of(rounded(bins, ("shown", "tokens", "share"), 3),
                   {"shown": "GC content", "tokens": "tokens", "share": "share of all occurrences"})
    text = "Histogram of GC content of tokens. " + "; ".join(f"{row['shown']}: {row['tokens']}" for row in bins) + "."
    return [Figure("gc", f"Tokens are {mean:.0%} G or C on average", text, maps.gc_chart(bins), grid)]
