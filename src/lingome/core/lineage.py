"""Where a result came from: versions, command, inputs, parents, data seen."""

from __future__ import annotations

import platform
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from lingome.core.files import digest_file
from lingome.core.rundir import RunDir
from lingome.core.version import __version__

PACKAGES = ("torch", "numpy", "numba", "scikit-learn", "tokenizers", "safetensors", "pysam")


def versions() -> dict[str, str]:
    """Collect the versions of Python, lingome and the packages that shape results."""
    found = {"python": platform.python_version(), "lingome": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def command_line() -> str:
    """Give the command that is running, as it would be typed."""
    program = Path(sys.argv[0])
    as_module = program.parts[-2:] == ("lingome", "__main__.py")  # python -m lingome
    name = "lingome" if as_module else program.name
    return shlex.join([name, *sys.argv[1:]])


def input_record(name: str, path: Path) -> dict[str, Any]:
    """Describe an input file: its role, name, size and sha256."""
    return {
        "name": name,
        "file": path.name,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": digest_file(path),
    }


def peak_memory_bytes() -> int:
    """Give the largest resident size of this process so far, in bytes; 0 on Windows, which does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(usage if sys.platform == "darwin" else usage * 1024)


class Lineage:
    """Gather what a run saw, and give it as the content of ``run.json``.

    Parameters
    ----------
    workflow : str
        Name of the recipe.
    seed : int
        The run's seed.
    """

    def __init__(self, workflow: str, seed: int) -> None:
        self.workflow = workflow
        self.seed = seed
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._clock = time.monotonic()
        self.inputs: list[dict[str, Any]] = []
        self.parents: list[dict[str, Any]] = []
        self.data_seen: list[dict[str, Any]] = []

    def add_input(self, name: str, path: Path) -> None:
        """Add an input file."""
        self.inputs.append(input_record(name, path))

    def add_parent(self, lineage: Mapping[str, Any]) -> None:
        """Add the run that this one continues from; what it saw, this one has seen."""
        self.parents.append(dict(lineage))
        self.data_seen.extend(lineage.get("data_seen", []))

    def add_tokenizer(self, folder: Path) -> None:
        """Add the run that made a tokenizer: what its vocabulary was counted on, this run has seen.

        The ``run.json`` lies in the folder, or beside a run's ``checkpoint`` or ``tokenizer``. Of a model's run,
        only what its vocabulary saw counts, as its weights are not used. Without one nothing is added.

        Raises
        ------
        DataError
            If the ``run.json`` cannot be read.
        """
        for place in (folder, *([folder.parent] if folder.name in ("checkpoint", "tokenizer") else [])):
            if (place / "run.json").is_file():
                lineage = RunDir(place).read_lineage()
                counted = [row for row in lineage.get("data_seen", []) if str(row.get("by", "")).startswith("token")]
                self.add_parent({**lineage, "data_seen": counted})
                return

    def add_seen(self, by: str, digest: str, intervals: Iterable[tuple[str, int, int]]) -> None:
        """Record that stage `by` learnt from these intervals (0-based, half-open) of a genome.

        `digest` identifies the genome's sequence, not its file. An interval learnt from on both strands counts once.
        """
        self.data_seen.extend(
            {"by": by, "genome": digest, "chrom": chrom, "start": start, "end": end}
            for chrom, start, end in dict.fromkeys(intervals)
        )

    def as_dict(self, **extra: Any) -> dict[str, Any]:
        """Give the content of ``run.json``."""
        return {
            "workflow": self.workflow,
            "command": command_line(),
            "started": self.started,
            "wall_s": round(time.monotonic() - self._clock, 1),
            "peak_memory_bytes": peak_memory_bytes(),
            "seed": self.seed,
            "versions": versions(),
            "inputs": self.inputs,
            "parents": self.parents,
            "data_seen": self.data_seen,
            **extra,
        }
