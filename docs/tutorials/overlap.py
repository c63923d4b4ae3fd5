"""Watch small models learn to spell: python docs/tutorials/overlap.py GENOME FOLDER [--probe].

Writes FOLDER/spelling.tsv and FOLDER/spelling.svg, and prints the table.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import torch
import vl_convert
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from lingome.cli.console import show_outcome
from lingome.config.parts.train import TrainSettings
from lingome.core.outcome import Outcome, Table
from lingome.core.progress import say, set_sink
from lingome.core.seeds import generator
from lingome.core.tables import format_cell
from lingome.core.terminal import TerminalSink
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.baselines.features import base_codes, kmer_ids
from lingome.evaluate.baselines.markov import WordCounts, next_kmer_table
from lingome.evaluate.measures.intervals import bootstrap_mean
from lingome.evaluate.vocabulary.next_kmer import Stretches
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.presets import build_masked_lm
from lingome.report.theme import HUES, chart_config
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.overlap import expected_hidden_share, hidden_bases
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.checkpointing import Phase
from lingome.train.loop import train
from lingome.train.objectives import MaskedObjective, masked_losses
from lingome.train.sources import add_ends

K = 3
CONTEXT_BP = 30
WINDOW_WORDS = 120
WINDOWS_PER_STEP = 32
N_TEST = 4000
N_PROBE = 20_000
SCHEMES = (
    ("overlapping, single masks", True, 1),
    (f"overlapping, spans of {K}", True, K),
    ("side by side, single masks", False, 1),
)
"""Name, whether words overlap, words of a span."""
COLUMNS = ("words", "step", "hidden_share", "perplexity", "next_kmer", "low", "high", "bits_per_base")


def encode(tokenizer: Tokenizer, windows: np.ndarray) -> np.ndarray:
    """Cut equally long windows into tokens: (N, L)."""
    return np.stack([encoding.input_ids for encoding in tokenizer.encode_batch(list(windows))]).astype(np.int64)


def window_bp(tokenizer: KmerTokenizer) -> int:
    """Give the bases of a window."""
    return WINDOW_WORDS + K - 1 if tokenizer.overlap else WINDOW_WORDS * K


class Windows:
    """New windows of known letters in every step: as many words for every scheme, so the same work."""

    def __init__(self, learn: Stretches, tokenizer: KmerTokenizer, seed: int) -> None:
        self.learn, self.tokenizer, self.seed = learn, tokenizer, seed
        self.batches_per_epoch = 1_000_000

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give ``input_ids`` (B, L)."""
        rng = generator(self.seed, "windows", epoch, index)
        windows = self.learn.draw(WINDOWS_PER_STEP, window_bp(self.tokenizer), rng)
        return {"input_ids": add_ends(encode(self.tokenizer, windows), self.tokenizer)}


@torch.no_grad()
def name_next_kmers(model: nn.Module, tokenizer: KmerTokenizer, windows: np.ndarray) -> tuple[np.ndarray, float]:
    """Hide the last k bases of each window, and let the model name the word that they spell.

    Overlapping words hide them if the last k words are masked; side by side, one is enough.
    Gives hits, bool (N,), and the bits that a base of the true word costs.
    """
    words = encode(tokenizer, windows)
    masked = np.zeros(words.shape[1], dtype=bool)
    masked[-tokenizer.k if tokenizer.overlap else -1 :] = True
    hidden = hidden_bases(masked, tokenizer.k, tokenizer.overlap)
    assert np.array_equal(np.flatnonzero(hidden), np.arange(len(hidden))[-tokenizer.k :])
    rows = add_ends(np.where(masked, tokenizer.mask_id, words), tokenizer)
    asked = np.zeros(rows.shape, dtype=bool)
    asked[:, -2] = True
    parts = zip(np.array_split(rows, 8), np.array_split(asked, 8), strict=True)
    log_p = torch.cat([model(torch.from_numpy(x), None, torch.from_numpy(y)).log_softmax(dim=1) for x, y in parts])
    nats = -log_p[torch.arange(len(words)), torch.from_numpy(words[:, -1])].mean()
    return log_p.argmax(dim=1).numpy() == words[:, -1], float(nats) / math.log(2) / tokenizer.k


@torch.no_grad()
def probe_next_kmers(model: MaskedLM, tokenizer: KmerTokenizer, learn: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Fit a linear classifier of the next k bases on the frozen body's state at [SEP]; gives hits, bool (N,)."""

    def read(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = add_ends(encode(tokenizer, np.ascontiguousarray(windows[:, :CONTEXT_BP])), tokenizer)
        at_sep = torch.from_numpy(rows == tokenizer.sep_id)
        parts = zip(np.array_split(rows, 40), at_sep.tensor_split(40), strict=True)
        states = [model.body(torch.from_numpy(x), None, y) for x, y in parts]
        return torch.cat(states).numpy(), kmer_ids(base_codes(windows[:, CONTEXT_BP:]).ravel(), K)[::K]

    (states, words), (asked_states, true) = read(learn), read(asked)
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(states, words)
    return np.asarray(fitted.predict(asked_states) == true)


def learn_words(name: str, overlap: bool, span: int, learn: Stretches, test: Stretches, args: Any) -> list[list[Any]]:
    """Train a model from random weights, and measure it every few steps on bases that it has not seen."""
    tokenizer = KmerTokenizer(K, overlap=overlap)
    objective = MaskedObjective(tokenizer, span=span)
    held = encode(tokenizer, test.draw(128, window_bp(tokenizer), generator(0, "held windows")))
    hidden = objective.hide(add_ends(held, tokenizer), generator(0, "held masks"))
    asked = test.draw(N_TEST, CONTEXT_BP + K, generator(0, "next k-mers"))
    share = expected_hidden_share(tokenizer, objective.rate, span)
    rows: list[list[Any]] = []

    def measure(model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            loss = float(masked_losses(model, hidden).mean())
        hits, bits = name_next_kmers(model, tokenizer, asked)
        step = len(rows) * args.every
        rows.append([name, step, share, math.exp(loss), *bootstrap_mean(hits[None], n_resamples=200), bits])
        return {"loss": loss}

    model = build_masked_lm("tiny", tokenizer.vocab_size, args.seed).eval()
    measure(model)
    probed = learn.draw(N_PROBE, CONTEXT_BP + K, generator(args.seed, "probe")) if args.probe else None

    def probe(when: str) -> None:
        if probed is not None:
            right = bootstrap_mean(probe_next_kmers(model.eval(), tokenizer, probed, asked)[None], n_resamples=200)
            say(f"{name}, {when} training, linear probe: {right.value:.1%} ({right.low:.1%} to {right.high:.1%})")

    probe("before")
    settings = TrainSettings(max_steps=args.steps, lr=1e-2, warmup_share=0.1, eval_every=args.every, precision="fp32")
    windows = Windows(learn, tokenizer, args.seed)
    train(model, objective, windows, settings, phase=Phase(seed=args.seed, label=name), evaluate=measure)
    probe("after")
    return rows


def count_words(learn: Stretches, test: Stretches) -> list[list[Any]]:
    """Ask the same of what needs no training: the most frequent k-mer, and a Markov model."""
    cut = len(learn.codes) * 9 // 10
    counted, checked = WordCounts([learn.codes[:cut]], 9), WordCounts([learn.codes[cut:]], 9)
    table = next_kmer_table(counted, checked, K)
    asked = base_codes(test.draw(N_TEST, CONTEXT_BP + K, generator(0, "next k-mers")))
    true = kmer_ids(asked[:, CONTEXT_BP:].ravel(), K)[::K]
    counts = counted.of(K)
    guesses = {
        "most frequent word": np.full(N_TEST, counts.argmax()),
        f"Markov model, order {table.order}": table.predict(asked[:, :CONTEXT_BP]),
    }
    bits = float(-np.log2(counts[true] / counts.sum()).mean()) / K
    return [
        [name, None, None, None, *bootstrap_mean((guess == true)[None]), bits if "word" in name else None]
        for name, guess in guesses.items()
    ]


def draw(rows: list[list[Any]], frequent: float, path: Path) -> None:
    """Draw both curves of every scheme as an SVG."""
    data = alt.InlineData(values=[dict(zip(COLUMNS, row, strict=True)) for row in rows])
    colours = alt.Scale(domain=[name for name, _, _ in SCHEMES], range=list(HUES["light"][:3]))
    base = alt.Chart(data).encode(
        x=alt.X("step:Q", title="training steps"),
        color=alt.Color("words:N", scale=colours, legend=alt.Legend(title=None)),
    )
    left = base.mark_line(point=True).encode(
        y=alt.Y("perplexity:Q", title="perplexity of masked words", scale=alt.Scale(type="log", domain=[1, 100]))
    )
    y = alt.Y("next_kmer:Q", title=f"next {K}-mer named right", axis=alt.Axis(format="%"), scale=alt.Scale(zero=True))
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q"), y2="high:Q")
    rule = alt.Chart(alt.InlineData(values=[{"y": frequent}])).mark_rule(strokeDash=[4, 4]).encode(y="y:Q")
    note = rule.mark_text(align="right", dx=-4, dy=32, text="dashed: most frequent word").encode(x=alt.value("width"))
    right = band + base.mark_line(point=True).encode(y=y) + rule + note
    chart = (left.properties(width=300, height=220) | right.properties(width=300, height=220)).configure(
        **{**chart_config("light"), "background": "white"}
    )
    path.write_text(vl_convert.vegalite_to_svg(chart.to_dict()), encoding="utf-8")


def main() -> None:
    """Train every scheme, count the baselines, and write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("genome", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--every", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--probe", action="store_true", help="fit a linear probe before and after training too")
    args = parser.parse_args()
    set_sink(TerminalSink())
    genome = Genome.open(args.genome)
    chrom, length = next(iter(genome.lengths.items()))
    cut = length * 9 // 10
    learn = Stretches(genome, [Interval(chrom, 0, cut)], "training")
    test = Stretches(genome, [Interval(chrom, cut + 1000, length)], "test")
    curves = [row for scheme in SCHEMES for row in learn_words(*scheme, learn, test, args)]
    baselines = count_words(learn, test)
    args.folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(str(format_cell(value, ".3f")) for value in row) for row in [COLUMNS, *curves, *baselines]]
    (args.folder / "spelling.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(curves, baselines[0][4], args.folder / "spelling.svg")
    first_and_last = [row for row in curves if row[1] in (0, args.steps)]
    show_outcome(Outcome(f"wrote {args.folder}", [Table("learning to spell", COLUMNS, first_and_last + baselines)]))


if __name__ == "__main__":
    main()
