"""Compare byte-pair training and encoding with other tools, in one run.

    python benchmarks/tokens.py                     # peers on a few Mb, about two minutes
    python benchmarks/tokens.py --bases 40e6 --full # everyone on 40 Mb (two minutes, 2 GB)

Every measurement is a process of its own: wall time and CPU time of the work alone (imports, compiling and
reading left out), and the largest resident size of the whole process less that of the same process before
the work. Peers that need minutes are run on fewer bases, as the column says; ratios are per base of CPU time.
The last column compares the output with that of lingome.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MERGES = 600
DATA = "hg19-chr20"


def prepare(folder: Path, fasta: Path | None, bases: int) -> None:
    """Write one sequence without N as text, and its vocabulary as lingome trains it."""
    from lingome.data.fetch import fetch
    from lingome.data.genome import Genome

    genome = Genome.open(fasta or fetch(DATA))
    longest = max(genome.lengths, key=lambda name: genome.lengths[name])
    sequence = genome.sequence(longest)
    known = sequence[sequence != ord("N")]
    (folder / "text.txt").write_bytes(known[:bases].tobytes())
    (folder / "fresh.txt").write_bytes(known[-8_000_000:].tobytes())


def peak_mb() -> float:
    """Peak of this program; on Linux ru_maxrss would include what its parent held."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(next(row for row in status.read_text().splitlines() if row.startswith("VmHWM")).split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measure(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu,
        "memory_mb": peak_mb(),
    }


def pieces(text: str, length: int) -> list[str]:
    return [text[i : i + length] for i in range(0, len(text), length)]


# Training: each gives its merged tokens, in order.


def train_lingome(text: str, folder: Path) -> tuple[list[str], dict[str, float]]:
    from lingome.tokens.bpe import train_bpe

    warm = np.frombuffer(text[:20_000].encode(), dtype=np.uint8)
    train_bpe([warm], 400)  # compiles, for both widths
    bases = np.frombuffer(text.encode(), dtype=np.uint8).copy()
    training, cost = measure(lambda: train_bpe([bases], MERGES))
    training.tokenizer.save(folder / "ours")
    return [row["token"] for row in training.merges], cost


def train_tokenizers(text: str, folder: Path) -> tuple[list[str], dict[str, float]]:
    import tokenizers

    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=4 + MERGES, show_progress=False)
    cut = pieces(text, 1000)
    _, cost = measure(lambda: model.train_from_iterator(cut, trainer))
    return ["".join(pair) for pair in json.loads(model.to_str())["model"]["merges"]], cost


def train_sentencepiece(text: str, folder: Path) -> tuple[list[str], dict[str, float]]:
    import sentencepiece

    (folder / "uncut.txt").write_text(text + "\n")

    def work() -> None:
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "uncut.txt"), model_prefix=str(folder / "sp"), model_type="bpe",
            vocab_size=4 + MERGES + 3, character_coverage=1.0, max_sentence_length=10**9, max_sentencepiece_length=64,
            add_dummy_prefix=False, split_by_unicode_script=False, split_by_whitespace=False, num_threads=1,
            minloglevel=2,
        )

    _, cost = measure(work)
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sp.model"))
    return [model.id_to_piece(i) for i in range(3, 3 + MERGES)], cost


def train_rustbpe(text: str, folder: Path) -> tuple[list[str], dict[str, float]]:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    _, cost = measure(lambda: tokenizer.train_from_iterator(iter([text]), 256 + MERGES, pattern=r"[\s\S]+"))
    ranked = sorted((rank, bytes(token).decode()) for token, rank in tokenizer.get_mergeable_ranks() if rank >= 256)
    return [token for _, token in ranked], cost


# Encoding: each gives its ids.


def encode_lingome(texts: list[str], folder: Path) -> tuple[list[int], dict[str, float]]:
    from lingome.tokens.load import load_tokenizer

    tokenizer = load_tokenizer(folder / "ours")
    tokenizer.encode("ACGT")
    encodings, cost = measure(lambda: tokenizer.encode_batch(texts))
    return [i for encoding in encodings for i in encoding.input_ids.tolist()], cost


def encode_tokenizers(texts: list[str], folder: Path) -> tuple[list[int], dict[str, float]]:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "ours" / "tokenizer.json"))
    encodings, cost = measure(lambda: tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    return [i for encoding in encodings for i in encoding.ids], cost


def encode_sentencepiece(texts: list[str], folder: Path) -> tuple[list[int], dict[str, float]]:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sp.model"))
    ids, cost = measure(lambda: model.encode(texts, num_threads=1))
    return [i for one in ids for i in one], cost


TRAINERS = {
    "lingome": train_lingome, "tokenizers": train_tokenizers, "sentencepiece": train_sentencepiece,
    "rustbpe": train_rustbpe,
}
ENCODERS = {"lingome": encode_lingome, "tokenizers": encode_tokenizers, "sentencepiece": encode_sentencepiece}


def child(task: str, name: str, bases: int, length: int, folder: Path) -> None:
    """Do one measurement and print it as JSON."""
    if task == "train":
        result, cost = TRAINERS[name]((folder / "text.txt").read_text()[:bases], folder)
    else:
        result, cost = ENCODERS[name](pieces((folder / "fresh.txt").read_text()[:bases], length), folder)
    (folder / f"{task}-{name}-{bases}-{length}.json").write_text(json.dumps(result))
    sys.stdout.write(json.dumps(cost))


def spawn(task: str, name: str, bases: int, length: int, folder: Path) -> tuple[list[Any], dict[str, float]]:
    command = [sys.executable, __file__, "--child", task, name, str(bases), str(length), str(folder)]
    env = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    result = json.loads((folder / f"{task}-{name}-{bases}-{length}.json").read_text())
    return result, json.loads(done.stdout.strip().splitlines()[-1])


def line(cells: tuple[object, ...]) -> str:
    widths = (16, 24, 8, 9, 9, 11, 9, 8)
    padded = [f"{cell:{'<' if i < 2 else '>'}{w}}" for i, (cell, w) in enumerate(zip(cells, widths, strict=False))]
    return "  ".join([*padded, str(cells[-1])])


def show(name: str, how: str, bases: int, cost: dict[str, float], ours: float, note: str) -> None:
    a_megabase = cost["cpu_s"] / bases * 1e6
    print(line((
        name, how, f"{bases / 1e6:g}", f"{cost['wall_s']:.2f}", f"{cost['cpu_s']:.2f}",
        f"{1 / a_megabase:.1f}", f"{cost['memory_mb']:.0f}", f"{a_megabase / ours:.1f}x", note,
    )), flush=True)


def compare_training(bases: int, full: bool, folder: Path) -> None:
    print(f"\ntraining, {MERGES} merges")
    last = "same token at its rank, on the same bases"
    print(line(("tool", "input", "Mb", "wall s", "CPU s", "Mb/CPU s", "peak MB", "time/Mb", last)))
    few = bases if full else min(bases, 5_000_000)
    mine, cost = spawn("train", "lingome", few, 0, folder)
    ours = cost["cpu_s"] / few * 1e6
    show("lingome", "uncut", few, cost, ours, "-")
    for name, how in (("tokenizers", "1-kb pieces"), ("sentencepiece", "uncut"), ("rustbpe", "uncut")):
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not installed")
            continue
        theirs, cost = spawn("train", name, few, 0, folder)
        same = sum(a == b for a, b in zip(mine, theirs, strict=False))
        show(name, how, few, cost, ours, f"{same} of {MERGES}")
    if bases > few:
        _, cost = spawn("train", "lingome", bases, 0, folder)
        show("lingome", "uncut, all", bases, cost, ours, "-")


def compare_encoding(folder: Path) -> None:
    print("\nencoding of fresh text, lingome's vocabulary (sentencepiece: its own)")
    print(line(("tool", "input", "Mb", "wall s", "CPU s", "Mb/CPU s", "peak MB", "time/Mb", "equal")))
    for length, how in ((1000, "1-kb sequences"), (1_000_000, "1-Mb sequences")):
        mine, cost = spawn("encode", "lingome", 8_000_000, length, folder)
        ours = cost["cpu_s"] / 8
        show("lingome", how, 8_000_000, cost, ours, "-")
        for name in ("tokenizers", "sentencepiece"):
            if importlib.util.find_spec(name) is None:
                print(f"{name}: not installed")
                continue
            theirs, cost = spawn("encode", name, 8_000_000, length, folder)
            equal = "own model" if name == "sentencepiece" else "yes" if mine == theirs else "NO"
            show(name, how, 8_000_000, cost, ours, equal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=float, default=40e6, help="bases that lingome trains on (default 40e6)")
    parser.add_argument("--full", action="store_true", help="peers train on all of them too, not on 5 Mb")
    parser.add_argument("--fasta", type=Path, help="sequence to use (default: human chromosome 20)")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        task, name, bases, length, folder = arguments.child
        child(task, name, int(bases), int(length), Path(folder))
        return
    names = ("lingome", "numba", "numpy", "tokenizers", "sentencepiece", "rustbpe")
    found = [n for n in names if importlib.util.find_spec(n) is not None]
    print("versions:", ", ".join(f"{n} {importlib.metadata.version(n)}" for n in found))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), arguments.fasta, int(arguments.bases))
        bases = min(int(arguments.bases), (Path(folder) / "text.txt").stat().st_size)
        compare_training(bases, arguments.full, Path(folder))
        compare_encoding(Path(folder))


if __name__ == "__main__":
    main()
