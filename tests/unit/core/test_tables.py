from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.rundir import RunDir
from lingome.core.tables import TABLES


@pytest.mark.parametrize(("name", "row", "message"), [
    ("scorse", {"name": "x"}, "no table is called 'scorse'"),
    ("scores", {"name": "x", "kind": "model", "auorc": 0.5}, "has no column auorc"),
    ("scores", {"name": "x", "auroc": 0.5}, "lacks the column kind"),
])
def test_what_is_not_declared_is_not_written(tmp_path: Path, name: str, row: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message), RunDir.create(tmp_path / "run") as run:
        run.write_table(name, [row])


def test_columns_of_other_names_stand_where_the_table_is_open(tmp_path: Path):
    with RunDir.create(tmp_path / "run") as run:
        run.write_table("examples", [{"id": "a", "split": "train", "sequence": "ACGT", "motif score": 7.5}])
        assert run.read_table("examples")[0]["motif score"] == 7.5


def test_names_of_columns_differ():
    assert len(TABLES) > 35
    for name, table in TABLES.items():
        assert len(set(table.names)) == len(table.names), name
