"""Files that older versions wrote still open, and give the numbers they gave then.

Each folder beside this file holds what one version wrote (see ``make.py``); every test walks all of them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from lingome.cli.main import main
from lingome.core.rundir import RunDir
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import open_store

ARCHIVES = sorted(folder for folder in Path(__file__).parent.iterdir() if (folder / "expected.json").is_file())
CLOSE = 2e-5
"""How far numbers may be from those of another processor; weights after some steps of training, ten times as far."""


@pytest.fixture(params=ARCHIVES, ids=lambda folder: folder.name)
def archive(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def expected(archive: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((archive / "expected.json").read_text(encoding="utf-8"))
    return content


def test_there_are_archives() -> None:
    assert [folder.name for folder in ARCHIVES] == ["0.1.0"]


def test_checkpoints_open_and_give_the_same_numbers(archive: Path) -> None:
    with np.load(archive / "expected.npz") as arrays:
        numbers = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    opened = 0
    for folder in sorted((archive / "models").iterdir()):
        model, _ = load_checkpoint(folder)
        ids_BL = numbers[f"{folder.name}/ids"]
        with torch.inference_mode():
            if f"{folder.name}/logits" in numbers:
                targets = (ids_BL[:, :6],) if folder.name == "t5" else ()
                torch.testing.assert_close(
                    model(ids_BL, *targets), numbers[f"{folder.name}/logits"], rtol=0, atol=CLOSE, msg=folder.name
                )
            if f"{folder.name}/states" in numbers:
                body, _ = load_checkpoint(folder, "body")
                torch.testing.assert_close(
                    body(ids_BL), numbers[f"{folder.name}/states"], rtol=0, atol=CLOSE, msg=folder.name
                )
        opened += 1
    assert opened == 9


def test_tokenizers_open_and_give_the_same_ids(archive: Path) -> None:
    said = expected(archive)["tokenizers"]
    folders = sorted((archive / "tokenizers").iterdir())
    assert [folder.name for folder in folders] == sorted(said)
    opened = 0
    for folder in folders:
        if folder.name == "sentencepiece" and importlib.util.find_spec("sentencepiece") is None:
            continue
        tokenizer = load_tokenizer(folder)
        then = said[folder.name]
        encoding = tokenizer.encode(then["sequence"])
        assert encoding.input_ids.tolist() == then["input_ids"], folder.name
        assert encoding.offsets.tolist() == then["offsets"], folder.name
        assert (tokenizer.kind, tokenizer.digest, tokenizer.vocab_size) == (
            then["kind"], then["digest"], then["vocab_size"]), folder.name
        opened += 1
    assert opened >= 10


def test_a_store_opens_and_holds_the_same_tokens(archive: Path) -> None:
    then = expected(archive)["store"]
    store = open_store(archive / "store", verify=True)
    ids = np.asarray(store.ids.part(0, len(store.ids)), np.int64)
    assert len(ids) == then["n_tokens"]
    assert hashlib.sha256(ids.tobytes()).hexdigest() == then["sha256"]
    assert [part.tolist() for part in store.spans(np.array(then["tokens"]))] == then["spans"]


def test_pages_of_old_runs_are_written(archive: Path, tmp_path: Path) -> None:
    written = 0
    for folder in sorted((archive / "runs").iterdir()):
        if folder.name == "unfinished":
            continue
        run = tmp_path / folder.name
        shutil.copytree(folder, run)
        assert main(["report", str(run)]) == 0, folder.name
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "</html>" in page
        for row in RunDir.open(run).read_table("warnings"):
            assert str(row["text"])[:40] in page, (folder.name, row)
        written += 1
    assert written == 6


def test_a_warning_of_an_old_run_is_shown_as_one(archive: Path, tmp_path: Path) -> None:
    run = tmp_path / "choose"
    shutil.copytree(archive / "runs" / "choose", run)
    levels = {row["level"] for row in RunDir.open(run).read_table("warnings")}
    assert levels == {"warning"}  # as 0.1.0 wrote it; later versions write warn
    assert main(["report", str(run)]) == 0
    assert 'class="callout warn"><strong>Warning: purpose' in (run / "report.html").read_text(encoding="utf-8")


def test_runs_are_models_to_start_from(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(archive / "runs", tmp_path / "runs")
    shutil.copy(archive / "table.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "runs/finetune", "table.csv", "-o", "scores.tsv"]) == 0
    assert main(["embed", "table.csv", "-m", "runs/pretrain", "-o", "pretrain.npy"]) == 0
    assert main(["embed", "table.csv", "-m", "runs/vectors", "-o", "vectors.npy"]) == 0
    assert len((tmp_path / "scores.tsv").read_text().splitlines()) == 91
    assert np.load(tmp_path / "pretrain.npy").shape == (90, 16)
    assert np.load(tmp_path / "vectors.npy").shape == (90, 8)


def test_an_unfinished_run_goes_on_to_the_same_end(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("genome.fa", "tokenizers/bpe", "runs/unfinished"):
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (archive / name).is_dir() else shutil.copy)(archive / name, place)
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", "-o", "runs/unfinished", "--resume"]) == 0
    then = expected(archive)["resumed"]
    found = load_file(tmp_path / "runs/unfinished/checkpoint/model.safetensors")
    with np.load(archive / "expected.npz") as arrays:
        weights = {name.removeprefix("resumed/"): arrays[name] for name in arrays.files if name.startswith("resumed/")}
    assert found.keys() == weights.keys()
    here = {"torch": torch.__version__, "cpu": cpu_name()}
    same_machine = here.items() <= then.items() and os.environ.get("OMP_NUM_THREADS") == "1"
    for name, tensor in weights.items():
        if same_machine:
            assert np.array_equal(found[name], tensor), name
        else:
            np.testing.assert_allclose(found[name], tensor, rtol=0, atol=10 * CLOSE, err_msg=name)
    run = RunDir.open(tmp_path / "runs/unfinished")
    assert run.read_metrics()[-1]["step"] == 40
    table = [line.split("\t") for line in then["language"].splitlines()]
    assert [row["name"] for row in run.read_table("language")] == [row[0] for row in table[1:]]
    assert [row["loss"] for row in run.read_table("language")] == pytest.approx(
        [float(row[table[0].index("loss")]) for row in table[1:]], abs=1e-4)


def cpu_name() -> str:
    """Say on what processor this runs, as ``make.py`` does: the last digits of a sum depend on it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{named}; {torch.backends.cpu.get_cpu_capability()}"
