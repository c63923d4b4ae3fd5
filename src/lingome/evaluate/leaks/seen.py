"""Has a model read the test data before: in pre-training, or with labels?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lingome.core.lineage import Lineage
from lingome.core.warnings import RunWarning
from lingome.data.examples import Examples
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.windows import overlaps_any
from lingome.evaluate.leaks.leakage import nearest_gap
from lingome.models.architecture import Body
from lingome.models.open import Opened


def pretraining_overlap(
    data_seen: Sequence[Mapping[str, Any]], intervals: Sequence[Interval], genome_digest: str | None = None
) -> list[RunWarning]:
    """Say which share of test windows lies in sequence that an ancestor was trained on.

    Parameters
    ----------
    data_seen : sequence of mapping
        Lineage records with ``by``, ``genome``, ``chrom``, ``start``, ``end`` (0-based, half-open).
    intervals : sequence of Interval
        The test windows.
    genome_digest : str, optional
        Digest of the genome the windows come from; records of other genomes are passed over. When
        it is not known, chromosome names decide.

    Returns
    -------
    list of RunWarning
        One a stage that saw at least one window: ``warn``, since pre-training sees no labels: that
        can flatter a model, but does not give away the answer. ``fail`` for a stage whose name
        begins with ``finetune``, which does.
    """
    found: list[RunWarning] = []
    stages: dict[str, list[Interval]] = {}
    for seen in data_seen:
        if genome_digest is None or seen.get("genome") in (None, "", genome_digest):
            place = Interval(str(seen["chrom"]), int(seen["start"]), int(seen["end"]))
            stages.setdefault(str(seen["by"]), []).append(place)
    for stage, places in stages.items():
        n = int((nearest_gap(places, intervals) < 0).sum()) if intervals else 0
        if n:
            text = f"{n} of {len(intervals)} test windows ({n / len(intervals):.0%}) lie in sequence that {stage} saw"
            labelled = stage.startswith("finetune")
            text += " (with labels)" if labelled else " (without labels)"
            found.append(RunWarning("fail" if labelled else "warn", "seen before", text))
    return found


def seen_before(intervals: Sequence[Interval], digest: str, data_seen: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Say of each interval whether a model has seen any of it, by what its lineage says.

    Parameters
    ----------
    intervals : sequence of Interval
        N intervals of the genome with this digest.
    digest : str
        `Genome.digest`; the same sequence in another file has the same digest.
    data_seen : sequence of mapping
        As `Lineage.add_seen` writes them.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    seen = [Interval(one["chrom"], one["start"], one["end"]) for one in data_seen if one.get("genome") == digest]
    return overlaps_any(intervals, seen)


def note_seen(examples: Examples, genome: Genome | None, start: Opened[Body], lineage: Lineage) -> list[RunWarning]:
    """Record what model and run learnt from, and warn of test sequence that pre-training has read.

    Parameters
    ----------
    examples : Examples
        Divided; the training examples are what the run learnt from.
    genome : Genome or None
        Where they lie; None for a table, where chromosome names are all there is to go by.
    start : Opened
        The model that the run began from, which becomes a parent of the run.
    lineage : Lineage
        Of the run; the model and, with a genome, the training intervals are added to it.
    """
    lineage.add_parent({"model": start.name, "weights_sha256": start.digest, **start.lineage})
    test = examples.split("test").intervals or ()
    training = examples.split("train").intervals or ()
    if genome is None:
        return pretraining_overlap(start.lineage.get("data_seen", []), test)
    seen = seen_before(test, genome.digest, start.lineage.get("data_seen", []))
    lineage.add_seen("finetune", genome.digest, [(one.chrom, one.start, one.end) for one in training])
    if not seen.any():
        return []
    text = f"{int(seen.sum()):,} of {len(test):,} test sequences were read in pre-training, without their labels"
    return [RunWarning("warn", "test data seen before", text)]
