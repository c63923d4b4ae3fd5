"""The engine beside its peers, one command: training, embedding, generation and scores of variants.

Run: ``python benchmarks/engine.py`` for all, ``--only training`` (or any part of a section's name) for some. Every
section lets lingome and the peer take turns, and says beside each row how far their results agree. A ratio is the
median over the rounds of *peer / lingome*: above 1 the peer takes longer; in rows that say *over*, how many times as
long the first takes. ``--cores 2`` gives both two threads.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import transformers
from generation import batch_rows, decoder_rows, one_rows
from measuring import table
from pairs import COLUMNS, Options
from training import MEMORY_COLUMNS, compile_rows, grover_rows, memory_rows, mini_rows

Rows = Callable[[Options], Iterator[list[str]]]
SECTIONS: dict[str, tuple[str, list[str], Rows]] = {
    "training": ("A training step, 4 layers of 256", COLUMNS, mini_rows),
    "training-grover": ("A training step, 12 layers of 768", COLUMNS, grover_rows),
    "training-compile": ("A training step under torch.compile", COLUMNS, compile_rows),
    "training-memory": ("Memory of two steps, one core", MEMORY_COLUMNS, memory_rows),
    "generation": ("Generation, GPT-2-small's shape, one sequence", COLUMNS, one_rows),
    "generation-batch": ("Generation, GPT-2-small's shape, 16 sequences", COLUMNS, batch_rows),
    "generation-dna": ("Generation, a DNA decoder of 4 layers of 256", COLUMNS, decoder_rows),
}
SCRIPTS = {"embedding": "embedding.py", "score": "score.py"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=None, help="pairs of each row, 5 by default; 2 with --quick")
    parser.add_argument("--cores", type=int, choices=[1, 2], default=min(2, os.cpu_count() or 1))
    parser.add_argument("--quick", action="store_true", help="small batches, few tokens: whether it runs, not how fast")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=", ".join([*SECTIONS, *SCRIPTS]))
    given = parser.parse_args()
    names = [name for name in (*SECTIONS, *SCRIPTS) if not given.only or any(part in name for part in given.only)]
    if not names:
        parser.error(f"no section is called {' or '.join(given.only)}; there are {', '.join([*SECTIONS, *SCRIPTS])}")
    options = Options(given.rounds or (2 if given.quick else 5), given.cores, given.quick)
    torch.set_num_threads(options.cores)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, numba "
          f"{importlib.metadata.version('numba')}, python {platform.python_version()}, {options.cores} cores, "
          f"{options.rounds} rounds, medians", flush=True)
    for name in names:
        start = time.perf_counter()
        if name in SCRIPTS:
            run_script(name, options)
        else:
            title, columns, rows = SECTIONS[name]
            print(f"\n### {title} (`{name}`)\n", flush=True)
            table(columns, list(rows(options)))
        print(f"\n{time.perf_counter() - start:.0f} s", flush=True)


def run_script(name: str, options: Options) -> None:
    """Run a benchmark that is a command of its own, on one core, as its goals are stated."""
    print(f"\n### {name} (`{SCRIPTS[name]}`)\n", flush=True)
    script = Path(__file__).with_name(SCRIPTS[name])
    done = subprocess.run([sys.executable, script, "--rounds", str(options.rounds)], check=False)
    if done.returncode:
        print(f"{SCRIPTS[name]} failed")


if __name__ == "__main__":
    main()
