"""From settings to divided examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.config.parts.task import SplitSettings, TaskSettings
from lingome.core.errors import ConfigError, DataError
from lingome.data.examples import example_rows
from lingome.data.splits import divide, split_rows
from lingome.genome.task import build_examples


def test_sites_of_a_slice_are_divided_into_blocks_a_window_apart(data_dir: Path):
    task = TaskSettings(
        genome=data_dir / "ci" / "chr20_30M_32M.fa.gz",
        motifs=data_dir / "annotation" / "jaspar2024_selected.jaspar",
        peaks=data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak",
        p_value=1e-4,
    )
    examples = build_examples(task)
    rows = {row["split"]: row for row in split_rows(examples)}
    assert rows["train"]["end"] + 251 <= rows["valid"]["start"]
    assert rows["valid"]["end"] + 251 <= rows["test"]["start"]
    used = sum(row["n"] for row in rows.values())
    assert rows["train"]["n"] / used == pytest.approx(0.7, abs=0.02)
    assert sum(row["n_positive"] for row in rows.values()) == examples.labels[examples.splits != ""].sum()
    assert set(example_rows(examples)[0]) >= {"id", "chrom", "start", "end", "strand", "label", "split", "motif score"}


def test_a_split_column_is_kept_and_validation_is_taken_from_training_if_missing(data_dir: Path):
    examples = build_examples(TaskSettings(table=data_dir / "ci" / "ctcf_600.tsv"))
    assert [int((examples.splits == name).sum()) for name in ("train", "valid", "test")] == [498, 28, 60]
    lacking = np.where(examples.splits == "valid", "", examples.splits)
    got = divide(examples.with_splits(lacking), {}, SplitSettings())
    assert (got == "test").sum() == 60
    assert (got == "valid").sum() == pytest.approx(50, abs=3)
    assert ((got == "valid") <= (lacking == "train")).all()
    with pytest.raises(DataError, match="no test rows"):
        divide(examples.with_splits(np.where(lacking == "test", "", lacking)), {}, SplitSettings())


def test_a_table_without_coordinates_cannot_be_cut_into_blocks(data_dir: Path):
    with pytest.raises(ConfigError, match="needs coordinates"):
        build_examples(
            TaskSettings(table=data_dir / "ci" / "gue_tf_0_400.csv", split=SplitSettings(by="blocks"))
        )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "nothing to learn from"),
        ({"genome": "g.fa"}, "a genome alone is no task"),
        ({"genome": "g.fa", "motifs": "m.jaspar"}, "need peaks"),
        ({"table": "t.csv", "genome": "g.fa"}, "no other input"),
    ],
)
def test_inputs_that_make_no_task_are_refused(inputs: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        build_examples(TaskSettings(**{name: Path(value) for name, value in inputs.items()}))
