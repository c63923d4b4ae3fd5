from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir


def test_tables_come_back_as_numbers_text_and_none(tmp_path: Path):
    with RunDir.create(tmp_path / "run") as run:
        row = {"name": "majority", "kind": "baseline", "mcc": 0.25, "n_test": 3, "group": None}
        run.write_table("scores", [row])
        assert run.read_table("scores") == [row]
        assert run.read_table("absent") == []


def test_a_failed_run_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError, match="bad input"), RunDir.create(tmp_path / "run"):
        raise ValueError("bad input")
    assert not (tmp_path / "run").exists()


def test_a_failed_run_keeps_what_can_be_resumed(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), RunDir.create(tmp_path / "run") as run:
        run.checkpoint_path.mkdir()
        raise KeyboardInterrupt
    assert (tmp_path / "run" / "checkpoint").is_dir()


def test_what_exists_needs_force_and_must_be_a_run(tmp_path: Path):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="--force"), RunDir.create(folder):
        pass
    with pytest.raises(DataError, match="not a run"), RunDir.create(folder, force=True):
        pass
    assert (folder / "thesis.tex").exists()


def test_a_metrics_line_cut_by_a_crash_is_left_out(tmp_path: Path):
    with RunDir.create(tmp_path / "run") as run:
        run.append_metric(step=1, loss=2.0)
        with (run.path / "metrics.jsonl").open("a") as handle:
            handle.write('{"step": 2, "lo')
        assert run.read_metrics() == [{"step": 1, "loss": 2.0}]


def test_opening_what_is_no_run_says_so(tmp_path: Path):
    with pytest.raises(DataError, match="not a run directory"):
        RunDir.open(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match="JSON"):
        RunDir.open(tmp_path).read_lineage()


def test_a_table_keeps_tokens_that_look_like_numbers(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "run") as run:
        tokens = [{"id": 0, "token": "NAN", "length_bp": 3, "count": 3, "share": float("inf")},
                  {"id": 1, "token": "INF", "length_bp": 3, "count": None}]
        run.write_table("tokens", tokens)
        rows = run.read_table("tokens")
    assert rows[0] == {"id": 0, "token": "NAN", "length_bp": 3, "count": 3, "share": float("inf")}
    assert rows[1]["token"] == "INF"
