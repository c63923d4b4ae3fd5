"""``lingome report`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.config.report import ReportSettings
from lingome.config.schema.settings import load_settings
from lingome.core.rundir import RunDir

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def run(tmp_path: Path, data_dir: Path) -> Path:
    """The lengths of real CTCF windows as a vocabulary table would give them, and nothing else."""
    lines = (data_dir / "ci" / "ctcf_600.tsv").read_text(encoding="utf-8").splitlines()[1:]
    with RunDir.create(tmp_path / "run") as made:
        made.write_table("splits", [{"split": "train", "n": len(lines), "n_positive": None}])
        made.write_table("steps", [{"step": "read windows", "time_s": 0.5, "note": f"{len(lines)} windows"}])
        made.write_lineage({"workflow": "finetune", "title": "CTCF windows", "seed": 0, "command": "lingome finetune"})
    return made.path


def test_page_goes_into_the_run(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", str(run)]) == 0
    assert "wrote" in capsys.readouterr().err
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "<h1>CTCF windows</h1>" in text
    assert "<td class=\"right\">600</td>" in text
    assert "read windows took longest: 0.5 s of 0.5 s" in text
    assert main(["report", str(run)]) == 0  # its own page is replaced


def test_page_goes_where_asked(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "page.html"
    assert main(["report", str(run), "-o", str(page)]) == 0
    assert main(["report", str(run), "-o", str(page)]) == 3
    assert "--force" in capsys.readouterr().err
    assert main(["report", str(run), "-o", str(page), "--force"]) == 0
    assert not (run / "report.html").exists()


def test_dry_run_lists_sections_and_writes_nothing(run: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted(path.name for path in run.rglob("*"))
    assert main(["report", str(run), "--dry-run"]) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "Data and lineage, Steps and time, How to reproduce this" in shown
    assert sorted(path.name for path in run.rglob("*")) == before


@pytest.mark.parametrize(("words", "code", "message"), [
    (["nowhere"], 3, "not a run directory"),
    ([], 2, "'run' is needed"),
    (["one", "two"], 2, "one run directory"),
    (["nowhere", "colour=red"], 2, "no setting"),
])
def test_wrong_words(words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["report", *words]) == code
    assert message in capsys.readouterr().err


def test_damaged_run_exits_with_3_and_leaves_no_page(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "tables" / "steps.tsv").write_text("step\ttime_s\nread\tlong\n", encoding="utf-8")
    assert main(["report", str(run)]) == 3
    assert "steps.tsv:2" in capsys.readouterr().err
    assert list(run.glob("*report*")) == []


def test_shipped_settings_are_valid():
    files = list((ROOT / "configs" / "report").glob("*.yaml"))
    assert len(files) == 1
    assert load_settings(ReportSettings, files[0]).run == Path("runs/demo")
