"""Sections about tokens: their use, letters and strands, annotation and descent."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import fmean
from typing import Any

from lingome.report.blocks import Block, Figure, Row, Section, grid_of, number, rounded, thinned
from lingome.report.charts import maps
from lingome.report.charts import tokens as charts
from lingome.report.tables import Tables

AT_MOST = 1000
AT_MOST_DRAWN = 1500
EXTREMES = 12
IN_TREE = 60
LEAST_RANK = 0.5
WELL_KNOWN = 100
"""Occurrences below which a token's share in an annotation is left to chance."""

RARE = 10_000
"""How many times rarer than the commonest token one may be and still be drawn."""

FLOOR = 0.01
"""Smallest ratio that is drawn."""


def tokens_section(tables: Tables) -> Section:
    """Show all tokens: lengths, frequencies, letters and strands, and a table to search."""
    rows = tables["tokens"]
    blocks: list[Block] = []
    total = sum(row["count"] for row in rows)
    used = [{**row, "frequency": row["count"] / total} for row in rows if row["count"]]
    used.sort(key=lambda row: -row["count"])
    if used:
        common = [row for row in used if row["count"] * RARE >= used[0]["count"]]
        rest = ", ".join(row["token"] for row in used[len(common):][:5])
        note = ""
        if rest:
            more = ", ..." if len(used) - len(common) > 5 else ""
            note = f" Not drawn, {RARE:,} times rarer than the commonest: {rest}{more}."
        if len({row["length_bp"] for row in rows}) > 1:
            blocks.append(_lengths(rows))
        blocks.append(_ranks(common, note))
        if any(row["gc"] is not None for row in used):
            blocks.append(_contents(common, note))
        if any(row["strand_bias"] is not None for row in used):
            blocks.append(_strands(common, note))
    inside: dict[int, dict[str, float]] = {}
    for row in tables.get("token_annotation", []):
        inside.setdefault(row["id"], {})[f"in {row['annotation']} (x base)"] = row["ratio"]
    columns = {"token": "token", "length_bp": "length", "count": "occurrences", "percent": "share (%)", "gc": "GC",
               "ag": "AG", "ac": "AC", "strand_bias": "strand bias",
               **{name: name for name in next(iter(inside.values()), {})}, "itself": "palindrome", "rank": "merge",
               "left": "left part", "right": "right part", "pair_count": "pairs seen",
               "margin": "ahead of the next pair"}
    shown = [
        {**row, **inside.get(row["id"], {}), "percent": 100 * row["count"] / total if total else None,
         "itself": "yes" if row["palindrome"] else None}
        for row in sorted(rows, key=lambda row: -(row["count"] or 0))[:AT_MOST]
    ]
    cut = ("percent", "gc", "ag", "ac", "strand_bias", *next(iter(inside.values()), {}))
    shown = [row | rounded([row], cut, 3)[0] for row in shown]
    some = f"The {AT_MOST:,} most frequent of {len(rows):,}; all are in tables/tokens.tsv."
    few = some if len(rows) > AT_MOST else ""
    blocks.append(grid_of(shown, columns, search=True, note=few, title="Every token"))
    return Section("tokens", "The tokens", blocks)


def _lengths(rows: Sequence[Row]) -> Figure:
    total = sum(row["count"] for row in rows)
    drawn = []
    for length in sorted({row["length_bp"] for row in rows}):
        those = [row for row in rows if row["length_bp"] == length]
        count = sum(row["count"] for row in those)
        for name, n, share in (("the vocabulary", len(those), len(those) / len(rows)),
                               ("all occurrences", count, count / total)):
            drawn.append({"length_bp": length, "of": name, "n": n, "share": share})
    mean = sum(row["length_bp"] * row["count"] for row in rows) / total
    common = max((row for row in drawn if row["of"] == "the vocabulary"), key=lambda row: row["n"])
    title = (f"A token has {mean:.2f} letters on average; the commonest length in the vocabulary is "
             f"{common['length_bp']} ({common['share']:.0%})")
    text = "Bar chart of token length. " + "; ".join(
        f"{row['length_bp']}: {number(row['n'])}" for row in drawn if row["of"] == "the vocabulary") + " tokens."
    grid = grid_of(rounded(drawn, ("length_bp", "of", "n", "share"), 4),
                   {"length_bp": "length", "of": "of", "n": "number", "share": "share"})
    return Figure("token-lengths", title, text, charts.length_chart(rounded(drawn, tuple(drawn[0]), 4)), grid,
                  note="Mean over occurrences: how many letters a token reads.")


def _ranks(used: Sequence[Row], note: str) -> Figure:
    ranks = rounded([{**row, "rank": index} for index, row in enumerate(used, start=1)],
                    ("rank", "frequency", "token", "length_bp"))
    sums = list(accumulate(row["count"] for row in used))
    half = 1 + bisect_left(sums, 0.5 * sums[-1])
    title = f"{half:,} of {len(used):,} tokens make half of the text"
    text = (f"{title}. The most frequent is {used[0]['token']} ({used[0]['frequency']:.2%}), "
            f"the rarest {used[-1]['token']} ({used[-1]['frequency']:.2g}).")
    grid = grid_of(ranks[:20], {"rank": "rank", "token": "token", "frequency": "share"}, note="The 20 most frequent.")
    return Figure("token-ranks", title, text, maps.rank_chart(thinned(ranks, AT_MOST_DRAWN)), grid,
                  note="Both axes are logarithmic." + note)


def _contents(used: Sequence[Row], note: str) -> Figure:
    known = [row for row in used if row["gc"] is not None]
    total = sum(row["count"] for row in known)
    of_text = sum(row["count"] * row["gc"] for row in known) / total
    # Moved aside by up to 1.2%, always the same for the same token, so that equal values can be told apart.
    drawn = [{**row, "place": row["gc"] + 0.024 * ((row["id"] * 0.618034) % 1 - 0.5)} for row in known]
    title = (f"Tokens are {fmean(row['gc'] for row in known):.0%} G or C on average; weighted by use, {of_text:.0%}")
    thirds = [("below a third", 0, 1 / 3), ("a third to two thirds", 1 / 3, 2 / 3), ("two thirds or more", 2 / 3, 1.01)]
    lines = []
    for name, low, high in thirds:
        those = [row for row in known if low <= row["gc"] + 1e-9 < high]
        lines.append({"gc": name, "tokens": len(those), "share": sum(row["count"] for row in those) / total})
    text = "Scatter plot of frequency against GC content. " + "; ".join(
        f"{line['gc']}: {line['tokens']} tokens, {line['share']:.0%} of the text" for line in lines) + "."
    columns = ("token", "place", "gc", "frequency", "length_bp")
    chart = charts.content_chart(rounded(thinned(drawn, AT_MOST_DRAWN), columns, 4))
    grid = grid_of(rounded(lines, ("gc", "tokens", "share"), 3),
                   {"gc": "GC content", "tokens": "tokens", "share": "share of the text"})
    return Figure("token-content", title, text, chart, grid,
                  note="A point is a token, moved a little to the side." + note)


def _strands(used: Sequence[Row], note: str) -> Figure:
    known = [{**row, "both": row["count"] + (row["count_reverse"] or 0)} for row in used
             if row["strand_bias"] is not None]
    for row in known:
        beyond = abs(row["strand_bias"]) > 1.96 / math.sqrt(row["both"])
        row["shown"] = "beyond chance" if beyond else "within chance"
    beyond = sum(row["shown"] == "beyond chance" for row in known)
    low = min(row["both"] for row in known)
    high = max(row["both"] for row in known)
    places = [low * (high / low) ** (index / 40) for index in range(41)]
    funnel = [{"both": place, "low": -min(1, 1.96 / math.sqrt(place)), "high": min(1, 1.96 / math.sqrt(place))}
              for place in places]
    title = (f"{beyond:,} of {len(known):,} tokens ({beyond / len(known):.0%}) favour a strand more than chance would; "
             "5% is expected")
    strong = sorted((row for row in known if row["both"] >= WELL_KNOWN), key=lambda row: -abs(row["strand_bias"]))[:20]
    text = f"{title}. Strongest: " + "; ".join(f"{row['token']} {row['strand_bias']:.3f}" for row in strong[:8]) + "."
    columns = {"token": "token", "count": "forward", "count_reverse": "reverse complement", "strand_bias": "bias"}
    chart = charts.strand_chart(
        rounded(thinned(known, AT_MOST_DRAWN), ("token", "both", "strand_bias", "count", "count_reverse", "shown"), 4),
        rounded(funnel, ("both", "low", "high"), 4))
    return Figure(
        "token-strands", title, text, chart,
        grid_of(rounded(strong, tuple(columns), 4), columns,
                note=f"The 20 most one-sided of those with {WELL_KNOWN} occurrences."),
        note="(forward - reverse) / (forward + reverse), where reverse counts the token in the reverse complement of "
             "the sequence. The shaded area holds 95% of tokens that prefer neither strand, if occurrences are "
             "independent; copies of a repeat are not." + note)


def annotation_section(tables: Tables) -> Section:
    """Show which tokens lie in each annotation more often than a base does, and which less."""
    by_name: dict[str, list[Row]] = {}
    for row in tables["token_annotation"]:
        by_name.setdefault(row["annotation"], []).append(row)
    blocks = [_enrichment(f"annotation-{index}", *item) for index, item in enumerate(by_name.items(), start=1)]
    return Section("annotation", "Tokens inside annotated sequence", blocks,
                   "An occurrence is inside when its middle base is. A base drawn at random is the baseline.")


def _enrichment(key: str, name: str, rows: Sequence[Row]) -> Block:
    known = sorted((row for row in rows if (row["count"] or 0) >= WELL_KNOWN and row["ratio"] is not None),
                   key=lambda row: (-row["ratio"], row["count"]))
    baseline = next((row["baseline"] for row in rows if row["baseline"] is not None), 0.0)
    columns = {"token": "token", "count": "occurrences", "inside": "inside", "share": "share", "ratio": "ratio"}
    if len(known) < 2:
        return grid_of(rounded(thinned(rows, 50), tuple(columns), 4), columns,
                       title=f"{name}: no two tokens occur {WELL_KNOWN} times")
    ends = known if len(known) <= 2 * EXTREMES else [*known[:EXTREMES], *known[-EXTREMES:]]
    drawn = [
        {**row, "ratio": max(row["ratio"], FLOOR),
         "side": "more often than all bases" if row["ratio"] >= 1 else "less often",
         "brief": _times(row["ratio"]),
         "shown": f"{_times(row['ratio'])}: {number(row['inside'])} of {number(row['count'])}"} for row in ends]
    first = known[0]
    last = known[-1]
    title = (f"{first['token']} lies in {name} {_times(first['ratio'])} as often as all bases do; {last['token']} "
             + (_times(last["ratio"]) if last["ratio"] else "never"))
    text = (f"Share of occurrences in {name}, relative to the {baseline:.2%} of all bases. Most enriched: "
            + "; ".join(f"{row['token']} {row['ratio']:.3g}" for row in known[:EXTREMES]) + ". Least: "
            + "; ".join(f"{row['token']} {row['ratio']:.3g}" for row in known[-EXTREMES:]) + ".")
    note = (f"{baseline:.2%} of all bases lie in {name}. The {EXTREMES} most and {EXTREMES} least enriched of "
            f"{len(known):,} tokens with at least {WELL_KNOWN} occurrences.")
    if last["ratio"] < FLOOR:
        note += f" What lies below {FLOOR} is drawn there."
    fields = ("token", "ratio", "share", "count", "inside", "shown", "brief", "side")
    return Figure(
        key, title, text,
        charts.enrichment_chart(rounded(drawn, fields, 4), name),
        grid_of(rounded(ends, tuple(columns), 4), columns, note="All tokens are in tables/token_annotation.tsv."),
        note=note)


def _times(ratio: float) -> str:
    """Write a ratio.

    >>> _times(1.9823), _times(0.0), _times(22.29)
    ('1.98x', '0x', '22.3x')
    """
    return f"{ratio:.3g}x"


def tree_section(tables: Tables) -> Section:
    """Draw the most frequent tokens as a tree, and sum up who made most others."""
    rows = tables["merge_tree"]
    share = {row["token"]: row["frequency"] or 0.0 for row in tables.get("tokens", [])}
    drawn = tree_rows(rows, share)
    deepest = max(rows, key=lambda row: row["depth"])
    busiest = sorted(rows, key=lambda row: -row["n_descendants"])[:20]
    merged = next((row for row in busiest if row["parent_left"] is not None), busiest[0])
    title = (f"The longest chain of merges has {deepest['depth']}, up to {deepest['token']}; "
             f"{merged['n_descendants']:,} of {len(rows):,} tokens were made with {merged['token']}")
    picked = sum(row["kind"] == "among the most frequent" for row in drawn)
    text = (f"Tree of the {picked} most frequent tokens and those on the way to them, {len(drawn)} in all. Each hangs "
            "from its left part; the axis is the number of the merge that made it. In order: "
            + "; ".join(row["label"] for row in drawn[:40]) + ".")
    columns = {"token": "token", "parent_left": "left part", "parent_right": "right part", "rank": "merge",
               "depth": "depth", "n_descendants": "tokens made with it"}
    fields = ("token", "label", "rank", "row", "from_rank", "from_row", "share", "kind", "n_descendants")
    figure = Figure(
        "merge-tree", title, text, charts.tree_chart(rounded(drawn, fields, 5), LEAST_RANK),
        grid_of(busiest, columns, note="The 20 with most descendants; all are in tables/merge_tree.tsv."),
        note=f"The {picked} most frequent tokens; larger dots are more frequent. A token hangs from its left part and "
             "stands at the merge that made it; letters stand at the left edge.")
    return Section("tree", "Where tokens come from", [figure],
                   "Every token but a letter was merged from two others.")


def tree_rows(rows: Sequence[Row], share: Mapping[str, float]) -> list[dict[str, Any]]:
    """Lay out a tree by left parts: the most frequent tokens and their ancestors, depth first, in order of letters.

    Parameters
    ----------
    rows : sequence
        Of the table ``merge_tree``.
    share : mapping
        Frequency of each token.

    Returns
    -------
    list of dict
        As `lingome.report.charts.tokens.tree_chart` takes them: ``row`` counts from 0; no two tokens share one,
        and a token comes after its left part.
    """
    by_token = {row["token"]: row for row in rows}
    left = {token: row["parent_left"] if row["parent_left"] in by_token else None for token, row in by_token.items()}
    picked = sorted((row["token"] for row in rows), key=lambda token: -share.get(token, 0.0))[:IN_TREE]
    kept: dict[str, list[str]] = {}
    for name in picked:
        token: str | None = name
        while token is not None and token not in kept:
            kept[token] = []
            token = left[token]
    for token in kept:
        if (parent := left[token]) is not None:
            kept[parent].append(token)
    order: list[str] = []
    waiting = sorted((token for token in kept if left[token] is None), reverse=True)
    while waiting:
        order.append(waiting.pop())
        waiting += sorted(kept[order[-1]], reverse=True)
    places = {token: index for index, token in enumerate(order)}
    laid = []
    for token in order:
        row = by_token[token]
        parent = left[token]
        laid.append({
            "token": token, "label": token if parent is None else f"{token} = {parent} + {row['parent_right']}",
            "rank": row["rank"] or LEAST_RANK, "row": places[token], "share": share.get(token, 0.0),
            "n_descendants": row["n_descendants"],
            "from_rank": None if parent is None else by_token[parent]["rank"] or LEAST_RANK,
            "from_row": None if parent is None else places[parent],
            "kind": "among the most frequent" if token in picked else "on the way",
        })
    return laid


def inspection_cards(tables: Tables) -> list[tuple[str, str, str]]:
    """Give the key figures of a vocabulary: (name, value, remark)."""
    rows = tables.get("tokens", [])
    total = sum(row["count"] or 0 for row in rows)
    if not total:
        return []
    used = sum(bool(row["count"]) for row in rows)
    mean = sum(row["length_bp"] * row["count"] for row in rows) / total
    return [
        ("vocabulary", f"{len(rows):,} tokens", f"{used:,} of them occur"),
        ("letters of a token", f"{mean:.2f}", f"on average; the longest has {max(row['length_bp'] for row in rows)}"),
        ("text", f"{total:,} tokens", "counted on this sequence"),
    ]
