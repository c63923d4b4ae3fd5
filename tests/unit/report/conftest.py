"""A made-up run directory with every table that the page knows."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from lingome.core.rundir import RunDir

MODELS = [("Fine-tuned, all layers", "fine-tuned", 0.873), ("Fine-tuned, last 2 layers", "fine-tuned", 0.861),
          ("Frozen features + linear head", "features", 0.842), ("Same network, random weights", "control", 0.790)]
BASELINES = [("TF-IDF of 3-6-mers + random forest", 0.839), ("TF-IDF of 3-6-mers + logistic regression", 0.833),
             ("TF-IDF of BPE tokens + random forest", 0.821), ("TF-IDF of BPE tokens + logistic regression", 0.818),
             ("Motif score alone", 0.781), ("GC content", 0.642), ("Majority class", 0.5)]


def scores() -> list[dict]:
    named = [(name, "model", group, value) for name, group, value in MODELS]
    named += [(name, "baseline", "baseline", value) for name, value in BASELINES]
    rows = []
    for name, kind, group, value in named:
        row = {"name": name, "kind": kind, "group": group, "seeds": 3}
        for metric, centre in (("mcc", 2 * value - 1.1), ("auroc", value), ("auprc", value - 0.12)):
            row |= {metric: centre, f"{metric}_low": centre - 0.021, f"{metric}_high": centre + 0.02}
        rows.append(row | {"brier": 0.25 - value / 8, "ece": 0.11 - value / 10, "n_test": 1000, "n_positive": 310})
    return rows


def curves() -> list[dict]:
    rows = []
    for row in scores():
        power = row["auroc"] / (1 - row["auroc"])
        for x in np.linspace(0, 1, 101):
            y = 1 - (1 - x) ** power
            rows.append({"name": row["name"], "kind": row["kind"], "curve": "roc", "x": x, "y": y,
                         "low": max(0, y - 0.03), "high": min(1, y + 0.03)})
            y = 0.31 + (row["auroc"] - 0.5) * 1.7 * (1 - x**2)
            rows.append({"name": row["name"], "kind": row["kind"], "curve": "pr", "x": x, "y": min(1, y),
                         "low": max(0, y - 0.04), "high": min(1, y + 0.04)})
    return rows


def calibration() -> list[dict]:
    return [
        {"name": row["name"], "kind": row["kind"], "predicted": p, "observed": min(1, p ** (0.6 + row["auroc"] / 2)),
         "low": max(0, p - 0.1), "high": min(1, p + 0.1), "n": 100}
        for row in scores() for p in np.linspace(0.05, 0.95, 10)
    ]


def vocabulary(merges: int = 600) -> list[dict]:
    rng = np.random.default_rng(0)
    special = ("PAD", "UNK", "CLS", "SEP", "MASK")
    rows = [{"id": i, "token": f"[{name}]", "length_bp": 0} for i, name in enumerate(special)]
    rows += [{"id": 5 + i, "token": base, "length_bp": 1, "count": 90000, "frequency": 0.004, "gc": float(base in "CG")}
             for i, base in enumerate("ACGT")]
    for rank in range(merges):
        left, right = rows[int(rng.integers(5, 9 + rank // 3))], rows[int(rng.integers(5, 9 + rank // 3))]
        token = left["token"] + right["token"]
        count = int(4e6 / (rank + 3))
        rows.append({"id": 9 + rank, "token": token, "length_bp": len(token), "count": count, "frequency": count / 3e7,
                     "gc": sum(base in "CG" for base in token) / len(token), "rank": rank, "left": left["id"],
                     "right": right["id"], "pair_count": count + 50, "margin": 50})
    return rows


def next_kmer() -> list[dict]:
    rows = []
    for k, merges in itertools.product(range(2, 7), (100, 200, 300, 400, 500, 600, None)):
        chance = 4.0**-k
        best = 1.25 - abs((merges or 900) - 400) / 2500
        rows.append({"vocabulary": f"BPE-{merges}" if merges else "6-mers", "merges": merges, "k": k,
                     "accuracy": chance * 1.6 * best, "low": chance * 1.6 * (best - 0.04),
                     "high": chance * 1.6 * (best + 0.04), "chance": chance, "baseline": chance * (1.5 + k / 50),
                     "n": 9000, "seeds": 3})
    return rows


def splits() -> list[dict]:
    blocks = [("train", 60000, 31000000, 2100), ("valid", 31100000, 44000000, 800), ("test", 44100000, 62960000, 1000)]
    return [{"split": s, "chrom": "chr20", "start": a, "end": b, "n": n, "n_positive": n // 3} for s, a, b, n in blocks]


def embedding() -> list[dict]:
    rng = np.random.default_rng(1)
    rows = []
    for index in range(1000):
        label = int(rng.random() < 0.31)
        start = 44100000 + index * 18000
        rows.append({"id": f"site{index}", "pc1": rng.normal(label * 2, 1.5), "pc2": rng.normal(0, 1), "label": label,
                     "split": "test", "chrom": "chr20", "start": start, "end": start + 510,
                     "probability": float(rng.beta(2 + 3 * label, 5 - 3 * label))})
    return rows


def region() -> tuple[list[dict], list[dict]]:
    rng = np.random.default_rng(2)
    starts = np.sort(rng.integers(60_000_000, 62_000_000, 80))
    sites, peaks = [], []
    for start in starts.tolist():
        label = int(rng.random() < 0.35)
        sites.append({"chrom": "chr20", "start": start, "end": start + 19, "strand": "+-"[start % 2], "label": label,
                      "probability": float(rng.beta(2 + 4 * label, 6 - 4 * label)),
                      "motif_score": 12 + 8 * rng.random()})
        if label:
            signal = 80 + 300 * rng.random()
            peaks.append({"chrom": "chr20", "start": start - 150, "end": start + 160, "signal": signal})
    return sites, peaks


def write_metrics(run: RunDir) -> None:
    for step in range(1, 401):
        loss = 4.3 + 1.9 * np.exp(-step / 60)
        wobble = 0.04 * np.sin(step * 1.7)
        run.append_metric(phase="pretrain", split="train", step=step, tokens=step * 16384, loss=loss + wobble, lr=1e-3)
        if step % 40 == 0:
            run.append_metric(phase="pretrain", split="valid", step=step, tokens=step * 16384, loss=loss + 0.02,
                              perplexity=float(np.exp(loss + 0.02)), bits_per_base=1.93)
    for phase, step in itertools.product(("finetune all layers", "finetune last 2", "finetune features"), range(1, 21)):
        loss = 0.4 + 0.3 * np.exp(-step / (4 + len(phase) / 5))
        run.append_metric(phase=phase, split="valid", step=step, tokens=step * 4096, loss=loss)


def all_tables() -> dict[str, list[dict]]:
    sites, peaks = region()
    return {
        "data": [{"name": "genome", "file": "hg19_chr20.fa.gz", "what": "human chromosome 20, hg19",
                  "licence": "public", "records": 1, "size": 63025520, "unit": "bp", "sha256": "ab" * 32,
                  "note": "3,520,000 N"},
                 {"name": "peaks", "file": "ctcf.narrowPeak.gz", "what": "CTCF ChIP-seq in GM12878",
                  "licence": "CC-BY 4.0", "records": 1042, "size": 0.3, "unit": "Mb", "sha256": "cd" * 32, "note": ""}],
        "vocabulary": vocabulary(), "next_kmer": next_kmer(), "splits": splits(), "scores": scores(),
        "curves": curves(), "calibration": calibration(), "embedding_map": embedding(),
        "embedding_axes": [
            {"axis": "PC1", "variance": 0.31, "correlates_with": "GC content", "correlation": 0.82},
            {"axis": "PC2", "variance": 0.12, "correlates_with": "motif score", "correlation": -0.41}],
        "predictions": sites, "region_peaks": peaks,
        "leaks": [{"check": "exact copies", "pair": "train-test", "n": 0, "share": 0.0, "verdict": "ok", "what": ""},
                  {"check": "near duplicates", "pair": "train-test", "n": 4, "share": 0.004, "verdict": "warn",
                   "what": "4 test windows share half of their 21-mers with training windows"}],
        "warnings": [{"level": "warn", "topic": "pre-training", "text": "The model saw the test block before."},
                     {"level": "info", "topic": "unknown letters", "text": "12 windows with N were left out."}],
        "steps": [{"step": name, "time_s": seconds, "note": ""} for name, seconds in (
            ("read the genome", 2.1), ("train the vocabulary", 6.3), ("pre-train", 92.0), ("choose a vocabulary", 41.0),
            ("build the task", 3.0), ("fine-tune three ways", 88.0), ("evaluate", 21.0), ("predict", 4.4))],
    }


def make_run(path: Path, tables: Sequence[str] | None = None) -> RunDir:
    """Write a run with all tables, or with some."""
    with RunDir.create(path) as run:
        for name, rows in all_tables().items():
            if tables is not None and name not in tables:
                continue
            columns = list(dict.fromkeys(key for row in rows for key in row))
            run.write_table(name, rows, columns)
        write_metrics(run)
        run.write_config({"seed": 0, "genome": "hg19-chr20", "train": {"lr": 0.001}})
        run.write_lineage({
            "workflow": "demo", "title": "Which CTCF motif sites are used?",
            "question": "Which of the CTCF motif sites on human chromosome 20 are bound in GM12878 cells?",
            "answer": "The fine-tuned model ranks bound sites above unbound ones 87% of the time.",
            "command": "lingome demo -o runs/demo --seed 0", "started": "2026-01-05T10:00:00+00:00", "wall_s": 262.4,
            "peak_memory_bytes": 2_400_000_000, "seed": 0, "versions": {"python": "3.11.9", "lingome": "0.1.0"},
            "inputs": [{"name": "genome", "file": "hg19_chr20.fa.gz", "size_bytes": 19_000_000, "sha256": "ab" * 32}],
            "parents": [],
            "data_seen": [{"by": "pretrain", "genome": "ef", "chrom": "chr20", "start": 60000, "end": 62960000}],
        })
    return run


@pytest.fixture(scope="session")
def write_run() -> Callable[..., RunDir]:
    return make_run
