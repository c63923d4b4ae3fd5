"""``lingome pretrain objective=span`` on two megabases of human chromosome 20, and what follows from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForSeq2SeqLM

from lingome.cli.main import main
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.train.objectives import LossSum
from lingome.train.objectives.corruption import SpanCorruption

QUICK = [
    "objective=span", "--preset", "t5-nano", "--merges", "30", "train.max_steps=6", "train.eval_every=3",
    "train.batch_tokens=1024", "validation_windows=4", "validation_share=0.01", "train.precision=fp32",
]


@pytest.fixture(scope="module")
def genome(data_dir: Path) -> str:
    return str(data_dir / "ci" / "chr20_30M_32M.fa.gz")


@pytest.fixture(scope="module")
def pretrained(genome: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("span") / "run"
    assert main(["pretrain", genome, "-o", str(out), *QUICK]) == 0
    return out


def test_the_run_is_whole_and_loads_in_transformers(pretrained: Path) -> None:
    model, tokenizer = load_checkpoint(pretrained / "checkpoint", "seq2seq_lm")
    assert (model.config.vocab_size, tokenizer.vocab_size) == (139, 39)
    _, info = AutoModelForSeq2SeqLM.from_pretrained(pretrained / "checkpoint", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    rows = [json.loads(line) for line in (pretrained / "metrics.jsonl").read_text().splitlines()]
    valid = [row for row in rows if row["split"] == "valid"]
    assert [row["step"] for row in valid] == [0, 3, 6]
    assert all(row["bits_per_base"] > 0 for row in valid)
    lineage = json.loads((pretrained / "run.json").read_text())
    assert "hidden spans cost" in lineage["answer"]
    assert lineage["question"].startswith("How well can hidden spans be written")
    card = (pretrained / "checkpoint" / "README.md").read_text()
    assert "| objective | span corruption (T5) |" in card
    assert "text2text-generation" in card


def test_an_interrupted_run_ends_with_the_same_bits(
    pretrained: Path, genome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = SpanCorruption.loss, []

    def stop_early(objective: SpanCorruption, *rest: Any) -> LossSum:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return loss(objective, *rest)

    words = ["pretrain", genome, "-o", str(tmp_path / "run"), *QUICK, "train.save_every=2"]
    monkeypatch.setattr(SpanCorruption, "loss", stop_early)
    assert main(words) == 130
    monkeypatch.undo()
    assert main([*words, "--resume"]) == 0
    whole, again = (run / "checkpoint" / "model.safetensors" for run in (pretrained, tmp_path / "run"))
    assert whole.read_bytes() == again.read_bytes()


def test_its_encoder_gives_vectors(pretrained: Path, tmp_path: Path) -> None:
    (tmp_path / "s.fa").write_text(">a\nACGTACGTAGGATTACA\n>b\nGGGTTTACG\n")
    assert main(["embed", str(tmp_path / "s.fa"), "-m", str(pretrained), "-o", str(tmp_path / "v.npz")]) == 0
    assert np.load(tmp_path / "v.npz")["embeddings"].shape == (2, 32)


def test_what_it_is_is_said(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "show", str(pretrained)]) == 0
    shown = capsys.readouterr().out
    assert "T5ForConditionalGeneration" in shown
    assert main(["model", "count", str(pretrained)]) == 0
    assert "the formula of its family gives 33,824 too" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code", "says"), [
    (["pretrain", "{genome}", "-o", "{out}", "objective=span", "--preset", "mini"], 2, "t5-mini"),
    (["pretrain", "{genome}", "-o", "{out}", "objective=span", "mask_rate=0.5", "mask_span=1"], 2, "more spans"),
    (["pretrain", "{genome}", "-o", "{out}", "objective=span", "mask_scheme=bert"], 2, "mask_scheme"),
    (["pretrain", "{genome}", "-o", "{out}", "--start-from", "{run}"], 3, "not a masked language model"),
    (["generate", "-m", "{run}", "-o", "{out}.fa", "n=1", "length_bp=10"], 3, "lingome embed"),
])
def test_what_does_not_fit_is_refused(
    pretrained: Path, genome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, says: str,
) -> None:
    names = {"genome": genome, "out": str(tmp_path / "out"), "run": str(pretrained)}
    assert main([word.format(**names) for word in words]) == code
    assert says in capsys.readouterr().err
