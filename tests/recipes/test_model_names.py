"""A model is called by the same names in every command, and what is not there is refused in the same words."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lingome.cli.main import main
from lingome.core.rundir import RunDir
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.open import packaged_models, read_lineage
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.tokens.characters import CharacterTokenizer

COMMANDS = {
    "show": "model show {m}", "count": "model count {m}", "export": "model export {m} --dry-run -o {o}",
    "embed": "embed some.fa -m {m} --dry-run -o {o}.npz", "score": "score some.fa -m {m} --dry-run -o {o}.tsv",
    "evaluate": "evaluate genome.fa -m {m} --dry-run -o {o} n_windows=10 window_bp=40",
    "finetune": "finetune labelled.csv -m {m} -o {o} --dry-run",
    "pretrain": "pretrain genome.fa --start-from {m} --dry-run -o {o}",
    "inspect": "tokens inspect {t} --genome genome.fa --model {m} --dry-run -o {o}",
    "generate": "generate -m {m} --dry-run -o {o}.fa length_bp=9",
    "predict": "predict some.fa -m {m} --dry-run -o {o}.tsv",
}
KINDS = {"generate": "causal", "predict": "classifier"}
"""What a command takes, where it is no masked language model."""
RANDOM = {"generate": "random:gpt-mini", **dict.fromkeys(
    ("embed", "score", "evaluate", "finetune", "export", "inspect"), "random:nano"
)}
"""Random weights that a command takes."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a run of each kind, a genome, sequences and a labelled table."""
    folder = tmp_path_factory.mktemp("models")
    models = {
        "masked": build_masked_lm("nano", 9), "causal": build_causal_lm("32x1", 9),
        "classifier": build_classifier("nano", 9, label_names=("0", "1")),
    }
    for name, model in models.items():
        (folder / name).mkdir()
        save_checkpoint(folder / name / "checkpoint", model, CharacterTokenizer())
    draw = random.Random(0)
    letters = "".join(draw.choice("ACGT") for _ in range(20_000))
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n")
    (folder / "some.fa").write_text(">a\nACGTACGTAA\n>b\nacgtnACG\n")
    rows = [f"{letters[i * 40:][:40]},{i % 2}\n" for i in range(60)]
    (folder / "labelled.csv").write_text("sequence,label\n" + "".join(rows))
    CharacterTokenizer().save(folder / "letters")
    return folder


def ask(command: str, name: str, out: Path, tokenizer: str = "letters") -> int:
    """Run a command with a model of this name."""
    return main(COMMANDS[command].format(m=name, o=out, t=tokenizer).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_its_checkpoint_and_a_model_of_the_hub(
    command: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    kind = KINDS.get(command, "masked")
    asked: list[str] = []

    def fetch_model(reference: str) -> Path:
        asked.append(reference)
        return place / kind / "checkpoint"

    hub = ModuleType("lingome.models.hub")
    hub.fetch_model = fetch_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lingome.models.hub", hub)
    for number, name in enumerate((kind, f"{kind}/checkpoint", "hub:owner/name@main")):
        assert ask(command, name, tmp_path / str(number)) == 0, name
    assert set(asked) == {"hub:owner/name@main"}


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in KINDS])
def test_a_packaged_model(command: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert ask(command, "human-mini", tmp_path / "out", str(packaged_models()["human-mini"])) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_random_weights_where_they_make_sense(
    command: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    code = ask(command, RANDOM.get(command, "random:nano"), tmp_path / "out")
    message = capsys.readouterr().err
    if command in RANDOM:
        assert code == 0, message
    else:
        assert code == 2
        assert "random weights" in message


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_there_and_what_lies_inside(
    command: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert ask(command, "nonsense", tmp_path / "out") in (2, 3)
    assert "error: there is no model 'nonsense'" in capsys.readouterr().err
    kind = KINDS.get(command, "masked")
    assert ask(command, f"{kind}/checkpoint/model.safetensors", tmp_path / "out") == 3
    message = capsys.readouterr().err
    assert "this is a file, and a model is a folder" in message
    assert f"give the folder that it lies in: {kind}/checkpoint" in message
    assert not list(tmp_path.iterdir())


def test_pre_training_goes_on_from_a_packaged_model(place: Path, tmp_path: Path) -> None:
    words = f"pretrain {place / 'genome.fa'} start_from=human-mini -o {tmp_path / 'out'} train.max_steps=1"
    assert main([*words.split(), "train.batch_tokens=256", "max_tokens=64", "validation_windows=4"]) == 0
    lineage = RunDir.open(tmp_path / "out").read_lineage()
    parent = read_lineage(packaged_models()["human-mini"])
    assert [one["started"] for one in lineage["parents"]] == [parent["started"]]
    assert len(lineage["data_seen"]) > len(parent["data_seen"])
