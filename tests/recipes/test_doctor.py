from __future__ import annotations

from pathlib import Path

import pytest

from lingome.cli.main import main


def test_doctor_says_that_a_model_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--device", "cpu", "-o", str(tmp_path / "doctor.tsv")]) == 0
    shown = capsys.readouterr()
    rows = dict(line.split("\t")[::2] for line in shown.out.splitlines())
    assert rows["a small model"] == "ok"
    assert "lingome works here" in shown.err
    assert (tmp_path / "doctor.tsv").read_text() == shown.out


def test_dry_run_writes_nothing(tmp_path: Path):
    assert main(["doctor", "--dry-run", "-o", str(tmp_path / "doctor.tsv")]) == 0
    assert list(tmp_path.iterdir()) == []


def test_wrong_words_exit_with_2(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "genome.fa"]) == 2
    assert main(["doctor", "devise=cpu"]) == 2
    assert "did you mean 'device'" in capsys.readouterr().err
    assert main(["doctor", "--device", "abacus"]) == 2
