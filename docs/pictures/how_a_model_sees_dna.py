"""Draw the pictures of docs/how-a-model-sees-dna.md: python docs/pictures/how_a_model_sees_dna.py FOLDER.

Writes how_tokens.png, how_weights.png, how_heads.png, how_guess.png and how_effects.png. With $LINGOME_DATA set,
the guesses stand beside counts of tokens, and of what stands between the same neighbours, in 2 Mb of chromosome 20.
"""

from __future__ import annotations

import argparse
import os
import re
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import torch

from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.explain.attention import Trace, effects_of_hiding, most_likely, trace_attention
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.open import load_model
from lingome.models.presets import build_masked_lm
from lingome.report.charts.layout import data
from lingome.report.charts.tokens import MONO
from lingome.report.theme import HUES, SURFACES, chart_config
from lingome.tokens.tokenizer import Tokenizer

SEQUENCE = (
    "AGAGAGCCAGGCATGGTGGCTCACGCCTGTAATCCCAGCACTTTGGGAGG"
    "CCGAGGTGGGCGGATCACCTGAGGTCAGGAGTTCGAGACCAGCCTGGCCA"
)
LAYER, HEAD, HIDDEN_BASE = 2, 0, 25
INK, QUIET, LINE = (SURFACES["light"][name] for name in ("ink", "quiet", "line"))
BLUE, ORANGE, GREEN = HUES["light"][:3]
Chart = Any


def finish(chart: Chart, title: str, subtitle: Sequence[str], picture: Path) -> None:
    """Give the look of the project's pages, and write a PNG."""
    head = alt.Title(title, fontSize=15, anchor="start", color=INK, subtitle=list(subtitle), subtitleColor=QUIET,
                     subtitleFontSize=12, offset=14)
    look = {**chart_config("light"), "background": "white", "padding": 16}
    chart.properties(title=head).configure(**look).save(str(picture), scale_factor=2)
    picture.write_bytes(pack(picture.read_bytes()))
    say(f"wrote {picture}")


def pack(png: bytes) -> bytes:
    """Compress the pixels of a PNG as well as the format can: a fifth of the size, the same picture."""
    chunks, at = [], 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += size + 12
    pixels = zlib.compress(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")), 9)
    chunks = [(kind, body) for kind, body in chunks if kind != b"IDAT"]
    chunks.insert(-1, (b"IDAT", pixels))
    return png[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def labels(trace: Trace) -> list[str]:
    """Name rows so that equal tokens stay apart: an invisible mark for each earlier one."""
    return [token + "\u200b" * trace.tokens[:i].count(token) for i, token in enumerate(trace.tokens)]


def draw_tokens(trace: Trace, width: int = 53) -> Chart:
    """Draw letters over the boxes of the tokens that own them, and the number of each token's first base."""
    boxes, letters, line, first = [], [], 0, 0
    for row in range(1, len(trace.tokens) - 1):
        start, end = int(trace.starts[row]), int(trace.ends[row])
        if end - first > width:
            line, first = line + 1, start
        hidden = row == trace.hidden_row
        boxes.append({"line": line, "x": start - first, "x2": end - first, "start": start,
                      "kind": "hidden" if hidden else ("a token", "the next")[row % 2]})
        letters += [{"line": line, "x": base - first + 0.5, "letter": SEQUENCE[base]} for base in range(start, end)]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False))
    y = alt.Y("line:O", axis=None, scale=alt.Scale(padding=0))
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(
        domain=["a token", "the next", "hidden"], range=["#d4e6f3", "#eef4f9", "#f8d9c2"]))
    box = alt.Chart(data(boxes))
    return alt.layer(
        box.mark_bar(height=26, cornerRadius=3, stroke="white", strokeWidth=2).encode(
            x=x, x2="x2:Q", y=y, color=colour),
        alt.Chart(data(letters)).mark_text(font=MONO, fontSize=14, color=INK).encode(x=x, y=y, text="letter:N"),
        box.mark_text(dy=24, align="left", dx=2, fontSize=11, color=QUIET).encode(x=x, y=y, text="start:Q"),
    ).properties(width=17 * width, height=alt.Step(66))


def matrix(trace: Trace, values: torch.Tensor, name: str, colour: alt.Color, *, names: bool) -> Chart:
    """Draw a table of tokens by tokens: rows ask, columns answer; the name of the hidden one stands out."""
    shown = labels(trace)
    rows = [{"asks": shown[i], "answers": shown[j], name: float(values[i, j])}
            for i in range(len(shown)) for j in range(len(shown))]
    standing_out = alt.condition("datum.label == '[MASK]'", alt.value(ORANGE), alt.value(INK))
    axis = {"labelFont": MONO, "labelFontSize": 11, "labelOverlap": False, "ticks": False, "domain": False,
            "labelColor": standing_out}
    return alt.Chart(data(rows)).mark_rect(stroke="white", strokeWidth=0.5).encode(
        x=alt.X("answers:N", sort=None, title="the token that answers (its key)",
                axis=alt.Axis(labelAngle=-90, **axis)),
        y=alt.Y("asks:N", sort=None, title=None, axis=alt.Axis(**axis) if names else None),
        color=colour,
    ).properties(width=alt.Step(19), height=alt.Step(19))


def draw_weights(trace: Trace) -> Chart:
    """Draw scores and, beside them, the weights that softmax makes of each row."""
    legend = {"gradientLength": 150, "titleFontSize": 12, "offset": 12, "orient": "top", "tickCount": 5}
    reach = float(trace.scores_LL.abs().max())
    scores = alt.Color("score:Q", legend=alt.Legend(title="score", **legend), scale=alt.Scale(
        domain=[-reach, 0, reach], range=[ORANGE, "#ffffff", BLUE], interpolate="lab"))
    weights = alt.Color("weight:Q", legend=alt.Legend(title="weight", **legend),
                        scale=alt.Scale(domain=[0, 1], range=["#f4f6f8", BLUE], interpolate="lab"))
    return alt.hconcat(
        matrix(trace, trace.scores_LL, "score", scores, names=True),
        matrix(trace, trace.weights_LL, "weight", weights, names=False), spacing=28,
    ).resolve_scale(color="independent")


def draw_heads(traces: Sequence[Sequence[Trace]]) -> Chart:
    """Draw the weights of every head of every layer, small."""
    rows = [
        {"layer": f"layer {layer}", "head": f"head {head}", "i": i, "j": j, "weight": round(float(weight), 3)}
        for layer, heads in enumerate(traces) for head, trace in enumerate(heads)
        for i, asked in enumerate(trace.weights_LL) for j, weight in enumerate(asked)
    ]
    header = {"title": None, "labelFontSize": 12, "labelColor": INK}
    return alt.Chart(data(rows)).mark_rect().encode(
        x=alt.X("j:O", axis=None), y=alt.Y("i:O", axis=None),
        color=alt.Color("weight:Q", legend=alt.Legend(title="weight", orient="top", gradientLength=150, tickCount=5),
                        scale=alt.Scale(domain=[0, 1], range=["#f1f4f7", BLUE], interpolate="lab")),
        row=alt.Row("layer:N", sort=None, header=alt.Header(labelAngle=-90, **header)),
        column=alt.Column("head:N", sort=None, header=alt.Header(**header)),
    ).properties(width=alt.Step(7), height=alt.Step(7))


def draw_guess(guesses: dict[str, list[tuple[str, float]]], truth: str) -> Chart:
    """Draw the five likeliest tokens by each way to guess; the true one stands out."""
    kinds, panels = ["what stands there", "another token"], []
    for name, found in guesses.items():
        rows = [{"token": token, "p": p, "shown": f"{p:.3f}", "kind": kinds[token != truth]} for token, p in found]
        base = alt.Chart(data(rows)).encode(
            y=alt.Y("token:N", sort=None, title=None,
                    axis=alt.Axis(labelFont=MONO, labelFontSize=12, labelColor=INK, domain=False, ticks=False)),
            x=alt.X("p:Q", title="probability", scale=alt.Scale(domain=[0, 0.8]),
                    axis=alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8], format="~f")))
        bars = base.mark_bar(height=14, cornerRadiusEnd=2).encode(color=alt.Color(
            "kind:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE]),
            legend=alt.Legend(title=None, orient="top", offset=10)))
        numbers = base.mark_text(align="left", dx=5, color=QUIET).encode(text="shown:N")
        panels.append(alt.layer(bars, numbers).properties(
            width=175, height=alt.Step(24),
            title=alt.Title(name, fontSize=12, fontWeight="normal", anchor="start", color=INK)))
    return alt.hconcat(*panels, spacing=20)


def draw_effects(trace: Trace, mean_weight_L: torch.Tensor, effects_L: torch.Tensor) -> Chart:
    """Draw how much the hidden token looks at each other one, beside what that one is worth."""
    shown = labels(trace)
    rows = [{"token": shown[i], "weight": float(mean_weight_L[i]), "bits": float(effects_L[i])}
            for i in range(1, len(shown) - 1) if i != trace.hidden_row]
    panels = []
    for key, title, colour in (("weight", "attention weight, mean of all 16 heads", BLUE),
                               ("bits", "bits that the guess loses without it", GREEN)):
        axis = alt.Axis(labelFont=MONO, labelFontSize=11, labelColor=INK, domain=False, ticks=False,
                        labelOverlap=False) if key == "weight" else None
        panels.append(alt.Chart(data(rows)).mark_bar(height=11, color=colour).encode(
            y=alt.Y("token:N", sort=None, title=None, axis=axis),
            x=alt.X(f"{key}:Q", title=title, axis=alt.Axis(tickCount=5)),
        ).properties(width=270, height=alt.Step(17)))
    return alt.hconcat(*panels, spacing=30)


def count_tokens(tokenizer: Tokenizer, genome: str) -> list[tuple[str, float]]:
    """Give the five most frequent tokens of a genome, and their shares; each counts once more, so that none is 0."""
    counts = np.bincount(tokenizer.encode(genome).input_ids, minlength=tokenizer.vocab_size) + 1
    return most_likely(torch.from_numpy(counts / counts.sum()), tokenizer.vocab)


def count_between(genome: str, left: str, right: str) -> list[tuple[str, float]]:
    """Give the five most frequent short words between two others, on both strands, and their shares."""
    strands = (genome, as_text(reverse_complement(as_bases(genome))))
    counts = Counter(word for strand in strands for word in re.findall(f"{left}([ACGT]{{1,6}}?){right}", strand))
    return [(word, count / counts.total()) for word, count in counts.most_common(5)]


def main() -> None:
    """Draw all pictures into a folder."""
    parser = argparse.ArgumentParser(description="the pictures of docs/how-a-model-sees-dna.md")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    opened = load_model("human-mini", "masked_lm")
    model = opened.model
    tokenizer = opened.tokenizer

    def follow(layer: int, head: int, of: MaskedLM = model) -> Trace:
        return trace_attention(of, tokenizer, SEQUENCE, layer=layer, head=head, hidden_base=HIDDEN_BASE)

    traces = [[follow(layer, head) for head in range(4)] for layer in range(4)]
    trace = traces[LAYER][HEAD]
    row = trace.hidden_row
    assert row is not None
    finish(draw_tokens(trace), "One hundred bases, twenty-one tokens",
           ["Small numbers: the first base of each token, counted from 0. Orange: the token that will be hidden."],
           folder / "how_tokens.png")
    finish(draw_weights(trace), f"Layer {LAYER}, head {HEAD}: from scores to weights",
           ["A row is a token that asks (its query), a column one that answers. Softmax makes each row add up to 1."],
           folder / "how_weights.png")
    finish(draw_heads(traces), "All sixteen heads on the same sequence",
           ["Rows ask and columns answer, in the order of the sequence."], folder / "how_heads.png")
    guesses = {"human-mini": most_likely(trace.probabilities_LV[row], tokenizer.vocab)}
    if "LINGOME_DATA" in os.environ:
        found = Genome.open(Path(os.environ["LINGOME_DATA"]) / "ci" / "chr20_30M_32M.fa.gz")
        genome = as_text(found.sequence(next(iter(found.lengths))))
        guesses["between these neighbours, in 2 Mb"] = count_between(genome, *trace.tokens[row - 1 : row + 2 : 2])
        guesses["token frequency in 2 Mb"] = count_tokens(tokenizer, genome)
    random = follow(LAYER, HEAD, build_masked_lm(model.config, seed=0))
    guesses["random weights"] = most_likely(random.probabilities_LV[row], tokenizer.vocab)
    finish(draw_guess(guesses, trace.hidden_token), "Five likeliest tokens at the hidden place",
           [f"What stands there is {trace.hidden_token}."], folder / "how_guess.png")
    mean_weight_L = torch.stack([one.weights_LL[row] for heads in traces for one in heads]).mean(dim=0)
    finish(draw_effects(trace, mean_weight_L, effects_of_hiding(model, tokenizer, trace)),
           "Looked at is not the same as needed",
           ["Left: where the hidden token looks. Right: what the guess of it loses when that token is hidden as well."],
           folder / "how_effects.png")


if __name__ == "__main__":
    main()
