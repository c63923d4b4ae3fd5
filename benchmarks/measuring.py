"""Measure work in a process of its own, in interleaved pairs, and print Markdown tables."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Cost = dict[str, float]

# No tool may take more cores than its row says.
ONE_CORE = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def memory_mb(field: str) -> float:
    """Give VmRSS (now) or VmHWM (peak) of this process; elsewhere than on Linux the peak for both."""
    status = Path("/proc/self/status")
    if status.exists():
        kib = next(row for row in status.read_text().splitlines() if row.startswith(field)).split()[1]
        return float(kib) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def forget_peak() -> None:
    """Let VmHWM begin anew, so that loading and compiling do not hide the peak of the work (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def measure(work: Callable[[], Any]) -> tuple[Any, Cost]:
    """Do the work and give its wall time, CPU time (all threads), and the memory it took beyond what was held."""
    earlier, held = memory_mb("VmHWM"), memory_mb("VmRSS")
    forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    peak = memory_mb("VmHWM")
    return result, {**cost, "beyond_mb": peak - held, "peak_mb": max(earlier, peak)}


def run_child(script: str, *arguments: object) -> tuple[dict[str, Any], Cost]:
    """Run a script that prints JSON last; give it, and what its process cost as a whole.

    Children run one after the other: what all of them used grows by what this one used.
    """
    command = [sys.executable, script, *map(str, arguments)]
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_CORE}, check=False)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer, {"process_wall_s": wall, "process_cpu_s": cpu}


def median_of(costs: Sequence[Cost], key: str) -> float:
    return statistics.median(cost[key] for cost in costs)


def ratio(pairs: Sequence[tuple[Cost, Cost]], key: str) -> float:
    """Give the median, over (lingome, peer) pairs, of the peer's cost in units of lingome's."""
    return statistics.median(theirs[key] / ours[key] for ours, theirs in pairs)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, padded so that it also reads as text."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in [cells[0], rule, *cells[1:]]:
        padded = [f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}" for i, (cell, width) in enumerate(
            zip(row, widths, strict=True))]
        print(f"| {' | '.join(padded)} |", flush=True)


def times(value: float) -> str:
    """Write a ratio: 0.55x, 3.1x, 48x."""
    return f"{value:.2f}x" if value < 1 else f"{value:.1f}x" if value < 20 else f"{value:,.0f}x"


def rate(value: float) -> str:
    """Write a speed: 0.86, 6.2, 83."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 20 else f"{value:,.0f}"
