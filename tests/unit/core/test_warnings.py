from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lingome.core.rundir import RunDir
from lingome.core.warnings import RunWarning


def test_a_level_is_one_of_three():
    wrong: Any = "warning"
    with pytest.raises(ValueError, match="info, warn, fail, not 'warning'"):
        RunWarning(wrong, "purpose", "text")


def test_warnings_are_written_and_read_back(tmp_path: Path):
    told = [RunWarning("fail", "leak", "3 copies"), RunWarning("info", "letters", "12 N")]
    with RunDir.create(tmp_path / "run") as run:
        run.write_warnings(told)
        assert [RunWarning.from_row(row) for row in run.read_table("warnings")] == told
        run.write_warnings([])
        assert run.has_table("warnings")
        assert run.read_table("warnings") == []


def test_a_level_of_older_versions_is_read_as_what_it_meant():
    assert RunWarning.from_row({"level": "warning", "topic": None, "text": "t"}) == RunWarning("warn", "", "t")
    assert RunWarning.from_row({"level": "odd", "topic": "x", "text": "t"}).level == "info"
