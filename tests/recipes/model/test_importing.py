"""``lingome model import``: folders that others write, and folders that nobody should open."""

import dataclasses
import json
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lingome.cli.main import main
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.folders.families import find_family
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.hyena.model import build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.presets import PRESETS, build_causal_lm, build_masked_lm
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
BERT = dataclasses.replace(PRESETS["bert-mini"], hidden_size=32, n_layers=2, n_heads=2, ffn_size=48, vocab_size=9)
IDS = torch.tensor([[2, 5, 6, 7, 8, 5, 3]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BERT as others publish it: no word of lingome in it."""
    save_checkpoint(tmp_path / "theirs", build_masked_lm(BERT, seed=1).eval(), TOKENIZER)
    config = json.loads((tmp_path / "theirs/config.json").read_text())
    del config["lingome"]
    (tmp_path / "theirs/config.json").write_text(json.dumps(config))
    (tmp_path / "theirs/README.md").unlink()
    return tmp_path / "theirs"


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load((folder / "model.safetensors").read_bytes())


def as_pickle(folder: Path, name: str = "pytorch_model.bin", content: object = None) -> Path:
    torch.save(OrderedDict(tensors(folder)) if content is None else content, folder / name)
    (folder / "model.safetensors").unlink()
    return folder / name


def test_a_folder_is_imported(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ours"
    assert main(["model", "import", str(folder), "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "bert: transformer encoder" in shown
    assert "characters, 9 tokens" in shown
    assert torch.equal(load_checkpoint(out, "masked_lm")[0](IDS), load_checkpoint(folder, "masked_lm")[0](IDS))
    lineage = json.loads((out / "run.json").read_text())
    assert lineage["workflow"] == "model import"
    assert any("model.safetensors" in str(one) for one in lineage["inputs"])
    assert "bert model that others trained" in (out / "README.md").read_text()


@pytest.mark.parametrize("wrapped", [None, "state_dict", "module."])
def test_an_old_pickle_is_converted(folder: Path, tmp_path: Path, wrapped: str | None) -> None:
    expected = load_checkpoint(folder, "masked_lm")[0](IDS)
    content: dict[str, object] = dict(tensors(folder))
    if wrapped == "state_dict":
        content = {"state_dict": content, "epoch": 3}
    elif wrapped:
        content = {wrapped + name: tensor for name, tensor in content.items()}
    file = as_pickle(folder, "weights.ckpt" if wrapped else "pytorch_model.bin", content)
    assert main(["model", "import", str(file if wrapped else folder), "-o", str(tmp_path / "ours")]) == 0
    assert torch.equal(load_checkpoint(tmp_path / "ours", "masked_lm")[0](IDS), expected)
    assert {file.suffix for file in (tmp_path / "ours").iterdir()} == {".json", ".safetensors", ".md"}


class Bomb:
    """What a malicious pickle holds."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("bombed",)


def test_a_pickle_with_a_program_is_not_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    as_pickle(folder, content={**tensors(folder), "x": Bomb()})
    assert main(["model", "import", str(folder), "-o", "ours"]) == 3
    shown = capsys.readouterr().err
    assert "holds more than tensors" in shown
    assert "weights_only=False" not in shown
    assert not (tmp_path / "bombed").exists()
    assert not (tmp_path / "ours").exists()


def shard(folder: Path) -> None:
    parts = sorted(tensors(folder).items())
    index = {}
    for number, some in enumerate((parts[:10], parts[10:]), start=1):
        name = f"model-{number:05d}-of-00002.safetensors"
        (folder / name).write_bytes(safetensors.torch.save(dict(some)))
        index |= dict.fromkeys((key for key, _ in some), name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / "model.safetensors").unlink()


def test_shards_are_joined(folder: Path, tmp_path: Path) -> None:
    expected = load_checkpoint(folder, "masked_lm")[0](IDS)
    shard(folder)
    assert torch.equal(load_checkpoint(folder, "masked_lm")[0](IDS), expected)
    assert main(["model", "import", str(folder), "-o", str(tmp_path / "ours")]) == 0
    assert torch.equal(load_checkpoint(tmp_path / "ours", "masked_lm")[0](IDS), expected)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("missing", "missing bert.encoder.layer.0.output.dense.weight"), ("extra", "unexpected stranger"),
        ("shape", "config.json asks for"), ("dtype", "not floating-point numbers"), ("nan", "not all finite"),
        ("vocabulary", "tokenizer does not fit the model"), ("no vocabulary", "tokenizer=PATH"),
        ("type", "models of this type cannot be read"), ("nothing", "no weights in this folder"),
        ("cut", "damaged"), ("cut pickle", "damaged"), ("no tensors", "no named tensors"),
        ("cut shard", "00002-of-00002.safetensors"), ("lost shard", "shards of the weights are missing"),
        ("wrong shard", "not hold what the index says"),
    ],
)
def test_what_cannot_be_imported(
    folder: Path, tmp_path: Path, problem: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, held = "bert.encoder.layer.0.output.dense.weight", tensors(folder)
    file = folder / "model.safetensors"
    changed = {
        "missing": {name: None}, "extra": {"stranger": torch.ones(2)}, "shape": {name: torch.zeros(3, 5)},
        "dtype": {name: held[name].long()}, "nan": {name: held[name] * float("nan")},
    }.get(problem, {})
    content = {key: tensor for key, tensor in {**held, **changed}.items() if tensor is not None}
    file.write_bytes(safetensors.torch.save(content))
    if problem == "vocabulary":
        CharacterTokenizer(layout="hyenadna").save(folder)
    elif problem == "no vocabulary":
        for one in folder.glob("*token*"):
            one.unlink()
    elif problem == "type":
        (folder / "config.json").write_text('{"model_type": "flamingo"}')
    elif problem == "nothing":
        file.unlink()
    elif problem == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif problem == "cut pickle":
        pickled = as_pickle(folder)
        pickled.write_bytes(pickled.read_bytes()[:500])
    elif problem == "no tensors":
        as_pickle(folder, content=[1, 2])
    elif "shard" in problem:
        shard(folder)
        first, second = sorted(folder.glob("model-*"))
        if problem == "cut shard":
            second.write_bytes(second.read_bytes()[:99])
        elif problem == "lost shard":
            second.unlink()
        else:
            first.write_bytes(second.read_bytes())
    assert main(["model", "import", str(folder), "-o", str(tmp_path / "ours")]) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_a_body_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = load_checkpoint(folder, "masked_lm")[0].body(IDS)
    bare = {name.removeprefix("bert."): t for name, t in tensors(folder).items() if name.startswith("bert.")}
    (folder / "model.safetensors").write_bytes(safetensors.torch.save(bare))
    assert main(["model", "import", str(folder), "-o", str(tmp_path / "ours")]) == 0
    assert "the body alone" in capsys.readouterr().out
    assert torch.equal(load_checkpoint(tmp_path / "ours", "body")[0](IDS), expected)
    foreign = {**tensors(folder), "classifier.weight": torch.ones(2, 32)}
    (folder / "model.safetensors").write_bytes(safetensors.torch.save(foreign))
    command = ["model", "import", str(folder), "-o", str(tmp_path / "body")]
    assert main([*command, "part=body", "dtype=bfloat16"]) == 0
    assert (load_checkpoint(tmp_path / "body", "body")[0](IDS) - expected).abs().max() < 0.1


def test_a_published_hyenadna_needs_no_vocabulary(tmp_path: Path) -> None:
    config = HyenaConfig(hidden_size=16, n_layers=2, ffn_size=40, max_positions=66, filter_size=8)
    letters = CharacterTokenizer(layout="hyenadna")
    model = build_hyena_lm(config, seed=1).eval()
    save_checkpoint(tmp_path / "theirs", model, letters)
    weights = find_family(config).to_file(model.state_dict(), config)
    as_pickle(tmp_path / "theirs", "weights.ckpt", {
        "state_dict": {"model." + name.removeprefix("hyena."): t.clone() for name, t in weights.items()}
    })
    for one in (tmp_path / "theirs").glob("*token*"):
        one.unlink()
    assert main(["model", "import", str(tmp_path / "theirs/weights.ckpt"), "-o", str(tmp_path / "ours")]) == 0
    again, tokenizer = load_checkpoint(tmp_path / "ours", "causal_lm")
    assert tokenizer.vocab == letters.vocab
    assert torch.equal(again(IDS), model(IDS))


def test_a_decoder_and_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = DecoderConfig(hidden_size=32, n_layers=2, n_kv_heads=2, ffn_size=48)
    save_checkpoint(tmp_path / "theirs", build_causal_lm(shape, 9).eval(), TOKENIZER)
    assert main(["model", "import", str(tmp_path / "theirs"), "-o", str(tmp_path / "ours"), "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()
    assert main(["model", "import", str(tmp_path / "theirs"), "-o", str(tmp_path / "ours")]) == 0
    assert main(["model", "import", str(tmp_path / "theirs"), "-o", str(tmp_path / "ours")]) == 3
    assert load_checkpoint(tmp_path / "ours")[0](IDS).shape == (1, 7, 9)
    assert main(["model", "import", "nowhere", "-o", str(tmp_path / "no")]) == 3
