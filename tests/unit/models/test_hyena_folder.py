"""HyenaDNA folders: saved, loaded, and refused where they do not fit."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from lingome.core.errors import CheckpointError, DataError
from lingome.models.hyena import HyenaConfig, build_hyena_lm
from lingome.models.hyena_folder import load_hyena_lm, save_hyena_lm
from lingome.tokens.characters import CharacterTokenizer

SMALL = HyenaConfig(hidden_size=16, n_layers=2, ffn_size=40, max_positions=66, filter_size=8)
LETTERS = CharacterTokenizer(layout="hyenadna")
OWN = dataclasses.replace(SMALL, vocab_size=9, vocab_multiple=1, pad_id=0, cls_id=2, sep_id=3)


@pytest.mark.parametrize("tied", [True, False])
def test_saved_and_loaded(tmp_path: Path, tied: bool) -> None:
    model = build_hyena_lm(dataclasses.replace(SMALL, tie_head=tied), seed=1).eval()
    save_hyena_lm(tmp_path / "model", model, LETTERS)
    again, tokenizer = load_hyena_lm(tmp_path / "model")
    ids = torch.from_numpy(tokenizer.encode("GATTACAN").input_ids.astype("int64"))[None]
    assert ids.tolist() == [[9, 7, 10, 10, 7, 8, 7, 11]]
    assert again.config == model.config
    assert torch.equal(again(ids), model(ids))
    assert (again.head.weight is again.body.tokens.weight) is tied
    assert not again.training
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(names)
    learned = sum(parameter.numel() for parameter in model.parameters())
    assert f"{learned:,} parameters" in (tmp_path / "model" / "README.md").read_text()


def test_a_vocabulary_of_ones_own(tmp_path: Path) -> None:
    model = build_hyena_lm(OWN, seed=1).eval()
    save_hyena_lm(tmp_path / "model", model, CharacterTokenizer())
    again, tokenizer = load_hyena_lm(tmp_path / "model")
    assert (again.config, tokenizer.vocab) == (OWN, CharacterTokenizer().vocab)


def test_a_published_folder_has_no_tokenizer_json(tmp_path: Path) -> None:
    save_hyena_lm(tmp_path / "model", build_hyena_lm(SMALL), LETTERS)
    (tmp_path / "model" / "tokenizer.json").unlink()
    assert load_hyena_lm(tmp_path / "model")[1].vocab == LETTERS.vocab


PROBLEMS = ("no folder", "no weights", "cut weights", "broken config", "list", "tokenizer", "bert")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_folders_that_do_not_fit(tmp_path: Path, problem: str) -> None:
    folder = tmp_path / "model"
    save_hyena_lm(folder, build_hyena_lm(SMALL), LETTERS)
    weights, config = folder / "model.safetensors", folder / "config.json"
    said = {"no folder": "config.json cannot be read", "no weights": "weights are missing", "cut weights": "damaged",
            "broken config": "config.json cannot be read", "list": "names and values",
            "tokenizer": "does not fit the model", "bert": "not a HyenaDNA"}[problem]
    if problem == "no folder":
        folder = tmp_path / "elsewhere"
    elif problem == "no weights":
        weights.unlink()
    elif problem == "cut weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif problem == "broken config":
        config.write_text("{")
    elif problem == "list":
        config.write_text("[]")
    elif problem == "tokenizer":
        CharacterTokenizer().save(folder)
    else:
        config.write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CheckpointError, match=said):
        load_hyena_lm(folder)


def test_what_is_not_saved(tmp_path: Path) -> None:
    model = build_hyena_lm(SMALL)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        save_hyena_lm(tmp_path / "model", model, CharacterTokenizer())
    save_hyena_lm(tmp_path / "model", model, LETTERS)
    with pytest.raises(DataError):
        save_hyena_lm(tmp_path / "model", model, LETTERS)
    with torch.no_grad():
        model.body.final_norm.bias[0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite numbers"):
        save_hyena_lm(tmp_path / "model", model, LETTERS, force=True)
    assert load_hyena_lm(tmp_path / "model")[0](torch.tensor([[7]])).isfinite().all()
