"""``lingome model`` as it is typed."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from lingome.cli.main import main
from lingome.config.model.look import ModelSettings
from lingome.config.schema.settings import load_settings
from lingome.core.outcome import Table
from lingome.models.counting.published import PUBLISHED
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.open import packaged_models
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.models.registry import list_families
from lingome.recipes.model.look import count
from lingome.tokens.characters import CharacterTokenizer

ROOT = Path(__file__).parents[3]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def test_gpt3_is_printed_row_by_row_beside_the_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "count", "gpt3"]) == 0
    shown = capsys.readouterr()
    rows = {row["component"]: row for row in table(shown.out)}
    assert rows["query"]["formula"] == "d_query x d_embed x n_heads x n_layers"
    assert rows["query"]["shape of one"] == "128 x 12,288"
    assert rows["up-projection"]["matrices only"] == "57982058496"
    assert rows["unembedding"]["matrices only"] == "617558016"
    assert list(rows["total"].values())[3:] == ["175181291520", "174604259328"]
    assert "gpt3: 175,181,291,520 parameters" in shown.err
    assert "174,604,259,328" in shown.err
    for column, total in (("matrices only", 175_181_291_520), ("real model: tied, with the rest", 174_604_259_328)):
        assert sum(int(row[column]) for name, row in rows.items() if name != "total") == total


def test_a_terminal_shows_thousands() -> None:
    from lingome.cli.console import _rich_table

    (made,) = count(ModelSettings(model="gpt3")).tables
    assert "175,181,291,520" in list(map(str, _rich_table(made).columns[3].cells))
    plain = Table("t", ("a",), [(1234567,)])
    assert list(map(str, _rich_table(plain).columns[0].cells)) == ["1234567"]


def test_the_vocabulary_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "count", "grover"]) == 0
    assert table(capsys.readouterr().out)[-1]["masked language model"] == "86511201"
    assert main(["model", "count", "--config", str(ROOT / "configs" / "model" / "look" / "grover.yaml")]) == 0
    assert table(capsys.readouterr().out)[-1]["masked language model"] == str(86_511_201 + 400 * 769)
    assert main(["model", "count", "mini", "vocab_size=9"]) == 0
    assert table(capsys.readouterr().out)[-1]["parameters"] == str(2_846_049 - 600 * 257)


def test_the_packaged_model_is_counted_from_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "count", "human-mini"]) == 0
    shown = capsys.readouterr()
    rows = {row["component"]: row for row in table(shown.out)}
    assert rows["model.layers.*.attn.Wqkv"]["formula"] == "4 x 768 x 256"
    assert rows["total"]["parameters"] == rows["total by formula"]["parameters"] == "2846049"
    assert "gives 2,846,049 too" in shown.err


@pytest.mark.parametrize("folder", ["mistral-dna-1m-tf0", "mistral-dna-1m-prom"])
def test_a_real_mixture_of_experts(capsys: pytest.CaptureFixture[str], data_dir: Path, folder: str) -> None:
    assert main(["model", "count", str(data_dir / "models" / folder)]) == 0
    rows = {row["component"]: row for row in table(capsys.readouterr().out)}
    assert rows["model.layers.*.block_sparse_moe.experts.*.w1"]["formula"] == "32 x 64 x 64"
    assert rows["total"]["parameters"] == rows["total by formula"]["parameters"] == "723648"
    assert main(["model", "show", str(data_dir / "models" / folder)]) == 0
    said = {row["what"]: row["value"] for row in table(capsys.readouterr().out)}
    assert (said["type"], said["experts"], said["weights on disk"]) == ("mixtral", "8", "2.9 MB")
    assert said["tokenizer"] == "published-bpe, 4,096 tokens"


@pytest.mark.parametrize("kind", ["classifier", "gpt-mini", "own decoder", "bert-mini"])
def test_checkpoints_of_our_own_agree_with_the_formula(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = CharacterTokenizer()
    model: MaskedLM | SequenceClassifier | CausalLM
    if kind == "classifier":
        model = build_classifier("nano", tokenizer.vocab_size)
    elif kind == "own decoder":
        shape = DecoderConfig(9, 24, 2, 4, 2, 40, 50, positions="learned", norm="layer", bias=True, tie_head=False)
        model = build_causal_lm(shape, tokenizer.vocab_size)
    elif kind == "gpt-mini":
        model = build_causal_lm(kind, tokenizer.vocab_size)
    else:
        model = build_masked_lm(kind, tokenizer.vocab_size)
    save_checkpoint(tmp_path / "model", model, tokenizer)
    assert main(["model", "count", str(tmp_path / "model")]) == 0
    rows = {row["component"]: row for row in table(capsys.readouterr().out)}
    built = sum(parameter.numel() for parameter in model.parameters())
    assert rows["total"]["parameters"] == rows["total by formula"]["parameters"] == str(built)


def test_a_file_that_does_not_fit_its_formula_says_by_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(packaged_models()["human-mini"], tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.final_norm.weight"]
    save_file(tensors, file)
    assert main(["model", "count", str(tmp_path / "model")]) == 0
    assert "the file has 256 less" in " ".join(capsys.readouterr().err.split())


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "list"]) == 0
    models, folders = capsys.readouterr().out.split("folders that are read\t")
    kinds = {line.split("\t")[0]: line.split("\t")[1:] for line in folders.splitlines()[1:]}
    assert {"bert", "llama", "hyenadna", "t5", "esm"} < set(kinds)
    assert kinds["hyenadna"] == ["hyenadna", "Hyena", "lingome"]
    assert len(kinds) == len(list_families()) > 15
    rows = {row["name"]: row for row in table(models)}
    assert set(PUBLISHED) < set(rows)
    assert rows["human-mini"]["here"] == "weights"
    assert rows["human-mini"]["models"] == "a masked language model of human DNA"
    assert {name for name, row in rows.items() if row["here"] == "preset"} >= {"mini", "tiny", "nano", "grover"}
    assert rows["esm2-650m"]["parameters"] == "651043254"
    assert all(row["models"] and int(row["parameters"]) > 30_000 for row in rows.values())


def test_show_says_what_a_model_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "show", "human-mini"]) == 0
    first, second = capsys.readouterr().out.split("by\tgenome\t")
    said = {row["what"]: row["value"] for row in table(first) if row["what"] != "card"}
    assert (said["layers"], said["hidden size"], said["stored as"]) == ("4", "256", "F16")
    assert said["tokenizer"] == "bpe, 609 tokens"
    assert said["run"] == "pretrain"
    assert "Predicts hidden byte-pair tokens" in first
    assert second.splitlines()[1].split("\t") == ["pretrain", "0fc65ac508a1", "chr20", "1", "48995000"]
    assert main(["model", "show", "esm2-8m"]) == 0
    said = {row["what"]: row["value"] for row in table(capsys.readouterr().out)}
    assert said["source"] == "doi:10.1126/science.ade2574"
    assert said["parameters (with contact head)"] == "7512474"


def test_show_without_a_card_or_a_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packaged = packaged_models()["human-mini"]
    for name in ("config.json", "model.safetensors"):
        shutil.copy(packaged / name, tmp_path / name)
    assert main(["model", "show", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "cannot be read" in {row["what"]: row["value"] for row in table(shown.out)}["tokenizer"]
    assert "there is no card" in shown.err
    (tmp_path / "run.json").write_text(json.dumps({"data_seen": [{"by": "pretrain"}]}))
    assert main(["model", "show", str(tmp_path)]) == 3
    assert "what the model has seen cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code", "complaint"), [
    (["count", "gtp3"], 2, "did you mean gpt3"),
    (["count", "ESM2"], 2, "esm2-8m"),
    (["show", "grovr"], 2, "did you mean grover"),
    (["count", "qqqqqqqq"], 2, "lingome model list"),
    (["count"], 2, "'model' is needed"),
    (["count", "gpt2", "gpt3"], 2, "one model is counted at a time"),
    (["count", "gpt2", "vocab_size=0"], 2, "vocab_size"),
    (["count", "human-mini", "vocab_size=5"], 2, "has its own vocabulary"),
    (["count", "gpt2", "vocabsize=5"], 2, "did you mean 'vocab_size'"),
    (["count", "runs/none"], 3, "there is no model 'runs/none'"),
])
def test_mistakes_are_explained(
    words: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", *words]) == code
    assert complaint in " ".join(capsys.readouterr().err.split())


def test_folders_that_hold_no_model_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "count", str(tmp_path)]) == 3
    assert "there is no model in this folder" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert main(["model", "count", str(tmp_path)]) == 3
    assert "the weights are missing" in capsys.readouterr().err
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    assert main(["model", "show", str(tmp_path)]) == 3
    assert "is a pickle, read on import alone" in capsys.readouterr().err


def test_a_checkpoint_wins_over_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert main(["model", "count", "gpt2"]) == 0
    assert "124,439,808" in capsys.readouterr().err
    shutil.copytree(packaged_models()["human-mini"], tmp_path / "gpt2" / "checkpoint")
    assert main(["model", "count", "gpt2"]) == 0
    assert "2,846,049" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("count", "list", "show"):
        assert main(["model", command, "--help"]) == 0
        assert f"lingome model {command}" in capsys.readouterr().out


def test_shipped_settings_name_known_models() -> None:
    files = sorted((ROOT / "configs" / "model" / "look").glob("*.yaml"))
    assert [file.stem for file in files] == ["gpt3", "grover"]
    assert all(load_settings(ModelSettings, file).model in PUBLISHED for file in files)
