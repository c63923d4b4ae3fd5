"""Compare byte-pair training, encoding and k-mers with other tools; each pair of runs on the same bases.

    python benchmarks/tokens.py                     # everyone on a few Mb
    python benchmarks/tokens.py --full              # everyone on 40 Mb of human chromosome 20
    python benchmarks/tokens.py --only training --merges 4096 --peers tokenizers
    python benchmarks/tokens.py --linearity 1000    # lingome alone, 1 Mb to 1 Gb of a synthetic genome

Every measurement is a process of its own. Runs alternate, lingome, peer, lingome, peer ..., so that a busy
machine slows both; a ratio is the median over such pairs of the peer's cost in units of lingome's (one core).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import linearity
import numpy as np
from measuring import Cost, median_of, rate, ratio, run_child, table, times

from peers import has_threads, ids_file

DATA = "hg19-chr20"
PEERS = ("rustbpe", "sentencepiece", "tokenizers", "tiktoken", "gigatoken")
TRAINED_ON = {"tokenizers": "1-kb pieces"}  # all others: uncut
FEW = 5_000_000
VOCABULARIES = (600, 4096)
LENGTHS = {"200 bp": 200, "1 kb": 1000, "10 kb": 10_000, "1 Mb": 1_000_000}
LONGEST = {"tokenizers": 10_000_000, "tiktoken": 10_000_000, "sentencepiece": FEW, "6-mers-dnabert": FEW}
SHOWN = {
    "lingome-arrays": "lingome, arrays in", "6-mers": "lingome", "6-mers-arrays": "lingome, arrays in",
    "6-mers-dnabert": "join, split, dict (DNABERT)",
}
PEER_FILE = str(Path(__file__).with_name("peers.py"))
Pair = tuple[Cost, Cost]  # lingome's, the peer's


def prepare(folder: Path, fasta: Path | None) -> int:
    """Write one sequence without N as text; give its length."""
    from lingome.data.catalog.fetch import fetch
    from lingome.data.genome import Genome

    genome = Genome.open(fasta or fetch(DATA))
    sequence = genome.sequence(max(genome.lengths, key=lambda name: genome.lengths[name]))
    known = sequence[sequence != ord("N")]
    (folder / "text.txt").write_bytes(known.tobytes())
    return len(known)


def train(name: str, bases: int, merges: int, folder: Path, threads: int = 1) -> tuple[list[str], Cost]:
    answer, whole = run_child(PEER_FILE, "train", name, folder, bases, merges, threads)
    return answer["tokens"], {**answer["cost"], **whole}


def training_row(name: str, mb: float, runs: Sequence[Cost], pairs: Sequence[Pair], same: str) -> list[str]:
    keys = ("cpu_s", "wall_s", "process_cpu_s", "process_wall_s")
    ratios = [f" ({times(ratio(pairs, key))})" if pairs else "" for key in keys]
    spent = [f"{median_of(runs, key):.2f}{note}" for key, note in zip(keys, ratios, strict=True)]
    return [name, *spent, f"{median_of(runs, 'peak_mb'):,.0f}", f"{median_of(runs, 'beyond_mb') / mb:.1f}", same]


def compare_training(peers: Sequence[str], bases: int, merges: int, rounds: int, folder: Path) -> None:
    print(f"\n## Training: {merges} merges, {bases / 1e6:g} Mb, medians of {rounds} pairs\n")
    own: list[Cost] = []
    rows = []
    contenders = [(name, 1) for name in peers]
    if has_threads() and (os.cpu_count() or 1) > 1:
        contenders.insert(0, ("lingome", 2))
    expected: list[str] = []
    for name, threads in contenders:
        pairs = []
        for _ in range(rounds):
            expected, ours = train("lingome", bases, merges, folder)
            tokens, theirs = train(name, bases, merges, folder, threads)
            pairs.append((ours, theirs))
        own += [ours for ours, _ in pairs]
        same = sum(a == b for a, b in zip(expected, tokens, strict=False))
        label = f"lingome, {threads} cores" if name == "lingome" else f"{name}, {TRAINED_ON.get(name, 'uncut')}"
        rows.append(training_row(label, bases / 1e6, [theirs for _, theirs in pairs], pairs, f"{same} of {merges}"))
    if not own:
        own = [train("lingome", bases, merges, folder)[1] for _ in range(rounds)]
    rows.insert(0, training_row("lingome, 1 core", bases / 1e6, own, [], "-"))
    spent = ("CPU s", "wall s", "process CPU s", "process wall s")
    table(("tool", *spent, "process peak MB", "bytes per base", "same token at its rank"), rows)


def show_choosing(bases: int, merges: int, folder: Path) -> None:
    """Say how much of the time goes into choosing pairs, if this version reports it."""
    _, cost = train("lingome", bases, merges, folder)
    parts = {key.removesuffix("_s"): cost[key] for key in ("reading_s", "choosing_s", "merging_s") if key in cost}
    split = ", ".join(f"{part} {spent:.2f} s" for part, spent in parts.items()) or "parts not reported"
    share = f"; choosing is {parts['choosing'] / sum(parts.values()):.0%} of it" if "choosing" in parts else ""
    whole = f"{cost['cpu_s']:.2f} CPU s, {cost['wall_s']:.2f} wall s"
    print(f"\n{merges} merges on {bases / 1e6:g} Mb, one core: {whole} ({split}{share})", flush=True)


def encode(name: str, merges: int, jobs: Sequence[Sequence[int]], folder: Path) -> list[Cost]:
    answer, _ = run_child(PEER_FILE, "encode", name, folder, merges, [list(job) for job in jobs])
    costs: list[Cost] = answer["costs"]
    return costs


def check(reference: str, name: str, jobs: Sequence[Sequence[int]], folder: Path) -> str:
    if name == "sentencepiece":
        return "own model"
    same = all(np.array_equal(*(np.load(ids_file(folder, who, job)) for who in (reference, name))) for job in jobs)
    return "yes" if same else "NO"


def compare_encoding(
    title: str, reference: str, peers: Sequence[str], merges: int, bases: int, longest: int, rounds: int, folder: Path,
) -> None:
    """Print Mb a CPU second of sequences of each length and of one long one, and the ratios to lingome."""
    print(f"\n## {title}: Mb a CPU second, {bases / 1e6:g} Mb of each length, medians of {rounds} pairs\n")
    short = [(i * bases, bases, length) for i, length in enumerate(LENGTHS.values())]
    own: dict[Sequence[int], list[Cost]] = {}
    rows = []
    for name in peers:
        n = min(LONGEST.get(name, longest), longest)
        jobs = [*short, (0, n, n)]
        pairs: dict[Sequence[int], list[Pair]] = {job: [] for job in jobs}
        equal = []
        for _ in range(rounds):
            for group in (short, jobs[-1:]):  # the long one in a process of its own, for its memory
                ours = encode(reference, merges, group, folder)
                theirs = encode(name, merges, group, folder)
                equal.append(check(reference, name, group, folder))
                for job, *pair in zip(group, ours, theirs, strict=True):
                    pairs[job].append((pair[0], pair[1]))
                    own.setdefault(job, []).append(pair[0])
        cells = [speed(job, [b for _, b in pairs[job]], pairs[job], longest) for job in jobs]
        memory = median_of([b for _, b in pairs[jobs[-1]]], "beyond_mb") / n * 1e6
        answer = "NO" if "NO" in equal else equal[0]
        rows.append([SHOWN.get(name, name), *cells, f"{memory:.1f}", answer])
    if rows:
        jobs = [*short, (0, longest, longest)]
        first = [speed(job, own[job], [], longest) if job in own else "-" for job in jobs]
        memory = f"{median_of(own[jobs[-1]], 'beyond_mb') / longest * 1e6:.1f}" if jobs[-1] in own else "-"
        rows.insert(0, [SHOWN.get(reference, reference), *first, memory, "-"])
    table(("tool", *LENGTHS, f"one of {longest / 1e6:g} Mb", "bytes per base", "ids equal"), rows)


def speed(job: Sequence[int], runs: Sequence[Cost], pairs: Sequence[Pair], longest: int) -> str:
    """Write Mb a CPU second, how many times slower than lingome, and the size if it is not that of the column."""
    offset, bases, length = job
    notes = [times(ratio(pairs, "cpu_s"))] if pairs else []
    if offset == 0 and bases == length != longest:
        notes.append(f"{bases / 1e6:g} Mb")
    return rate(bases / 1e6 / median_of(runs, "cpu_s")) + (f" ({', '.join(notes)})" if notes else "")


def describe(peers: Sequence[str]) -> None:
    names = ("lingome", "numba", "numpy", *peers)
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
    info = Path("/proc/cpuinfo")
    models = [row.split(":")[1].strip() for row in info.read_text().splitlines() if row.startswith("model name")] \
        if info.exists() else [platform.processor()]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {models[0] if models else platform.machine()}")


def read_arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="peers get all the bases, not 5 Mb")
    parser.add_argument("--bases", type=float, default=40e6, help="bases of training and of the one long sequence")
    parser.add_argument("--encode-bases", type=float, help="bases of each shorter length (default 2e6; full 8e6)")
    parser.add_argument("--merges", type=int, default=600, help="merges of the training table (default 600)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help=f"among {', '.join(PEERS)}, gigatok")
    parser.add_argument("--only", choices=("training", "encoding", "kmers"), help="one of the tables")
    parser.add_argument("--fasta", type=Path, help="sequence to use (default: human chromosome 20)")
    parser.add_argument(
        "--linearity", type=float, nargs="?", const=3100, metavar="MAX_MB",
        help="time and memory of whole runs from 1 Mb to this size (default 3100), with a chart; nothing else",
    )
    parser.add_argument("--threads", type=int, help="cores of --linearity (default: what the command takes)")
    parser.add_argument("--picture", type=Path, help="its chart (default: docs/pictures/linearity.svg, of all sizes)")
    arguments = parser.parse_args()
    arguments.encode_bases = arguments.encode_bases or (8e6 if arguments.full else 2e6)
    if min(arguments.rounds, arguments.merges, arguments.bases, arguments.encode_bases) < 1:
        parser.error("--rounds, --merges, --bases and --encode-bases are at least 1")
    if arguments.linearity is not None and not 1 <= arguments.linearity <= linearity.SIZES_MB[-1]:
        parser.error(f"--linearity takes 1 to {linearity.SIZES_MB[-1]} Mb")
    unknown = set(arguments.peers) - {*PEERS, "gigatok"}
    if unknown:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; known: {', '.join(PEERS)}, gigatok")
    return arguments


def main() -> None:
    arguments = read_arguments()
    peers = [name for name in arguments.peers if importlib.util.find_spec(name) is not None]
    if arguments.linearity is not None:
        describe([])
        linearity.run(arguments.linearity, arguments.threads, arguments.picture)
        return
    describe(peers)
    missing = [name for name in arguments.peers if name not in peers]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        most = prepare(folder, arguments.fasta)
        everything = min(int(arguments.bases), most)
        few = everything if arguments.full else min(everything, FEW)
        short, rounds = min(int(arguments.encode_bases), most // len(LENGTHS)), arguments.rounds
        train("lingome", min(most, 100_000), 300, folder)  # compiles the kernels, once for all processes
        if arguments.only in (None, "training"):
            trainers = [peer for peer in peers if peer in ("rustbpe", "sentencepiece", "tokenizers")]
            compare_training(trainers, few, arguments.merges, rounds, folder)
            if few < everything:
                compare_training([], everything, arguments.merges, rounds, folder)
            show_choosing(everything, max(VOCABULARIES), folder)
        if arguments.only in (None, "encoding"):
            for merges in VOCABULARIES:
                for trainer in {"lingome", "sentencepiece"} & {"lingome", *peers}:
                    train(trainer, min(most, FEW), merges, folder)
                encoders = ["lingome-arrays", *(peer for peer in peers if peer != "rustbpe")]
                compare_encoding(f"Encoding, {merges} merges", "lingome", encoders, merges, short, few, rounds, folder)
        if arguments.only in (None, "kmers"):
            ways = ["6-mers-arrays", "6-mers-dnabert"]
            compare_encoding("Overlapping 6-mers", "6-mers", ways, 0, short, everything, rounds, folder)


if __name__ == "__main__":
    main()
