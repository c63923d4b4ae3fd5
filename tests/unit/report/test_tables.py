"""Corrupt run directories are named as such, with the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.report.page import render
from lingome.report.tables import read_metrics, read_tables


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    with RunDir.create(tmp_path / "run") as run:
        run.write_lineage({"workflow": "demo", "seed": 0})
    return run


def put(run: RunDir, file: str, content: str | bytes) -> None:
    path = run.path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(("file", "content", "message"), [
    ("run.json", "{", "cannot be read as JSON"),
    ("run.json", "7", "does not hold names and values"),
    ("run.json", b"\xff\xfe", "cannot be read as JSON"),
    ("config.yaml", "a: [1", "not valid YAML"),
    ("metrics.jsonl", "{\n{}\n", r"metrics.jsonl:1: not a line of JSON"),
    ("metrics.jsonl", '{"loss": 1}\n[]\n', r"metrics.jsonl:2: not an object"),
    ("tables/scores.tsv", "name\tkind\nx\n", r"scores.tsv:2: the column 'kind' is empty"),
    ("tables/scores.tsv", "name\tauroc\nx\t0.5\n", r"scores.tsv:1: the column 'kind' is missing"),
    ("tables/scores.tsv", "name\tkind\tauroc\nx\tmodel\thigh\n", r"scores.tsv:2: the column 'auroc' holds numbers"),
    ("tables/scores.tsv", "name\tkind\nx\tmodel\tmore\tcells\n", "not a table"),
    ("tables/steps.tsv", b"step\ttime_s\n\xff\t1\n", "the table cannot be read"),
])
def test_corrupt_file_is_named(run: RunDir, file: str, content: str | bytes, message: str):
    put(run, file, content)
    with pytest.raises(DataError, match=message):
        render(run)


def test_text_stays_text_and_numbers_that_are_none_are_left_out(run: RunDir):
    put(run, "tables/embedding_map.tsv", "id\tpc1\tpc2\tlabel\tchrom\n7\t0.5\t1\t1\t20\n8\tnan\t1\t0\t20\n")
    put(run, "tables/curves.tsv", "name\tkind\tcurve\tx\ty\n")
    assert read_tables(run) == {"embedding_map": [{
        "id": "7", "pc1": 0.5, "pc2": 1, "label": "1", "split": None, "chrom": "20", "start": None, "end": None,
        "probability": None,
    }]}


def test_language_models_measured_by_older_versions_have_a_page(run: RunDir):
    put(run, "tables/language.tsv", "name\tloss\tperplexity\nmodel\t1.5\t4.5\n")
    assert "Guessing tokens of validation sequence" in render(run)


def test_warnings_of_older_versions_are_warnings(run: RunDir):
    put(run, "tables/warnings.tsv", "level\ttopic\ttext\nwarning\tpurpose\tbyte pairs suit masked models\n")
    assert 'class="callout warn"><strong>Warning: purpose</strong>' in render(run)


def test_measurements_without_a_loss_are_left_out(run: RunDir):
    put(run, "metrics.jsonl", '{"loss": 1.5}\n{"phase": "pretrain", "loss": NaN}\n{"step": 3}\n{"phase": "p", "lo')
    assert read_metrics(run) == [{"loss": 1.5, "phase": "training", "split": "train"}]
