"""Folders come back as they went, and broken ones say what is broken."""

import contextlib
import dataclasses
import errno
import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingome.core.errors import CheckpointError, DataError
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import PRESETS, build_classifier, build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

TOKENIZER = CharacterTokenizer()
NANO = dataclasses.replace(PRESETS["nano"], vocab_size=TOKENIZER.vocab_size)
BERT = dataclasses.replace(NANO, positions="learned", norm="post", ffn="gelu", bias=True, norm_eps=1e-12)
MIX = dataclasses.replace(NANO, positions="learned", norm="pre", bias=True, tie_head=False, dropout=0.1)
IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 8, 5, 3, 0]])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", build_masked_lm(NANO, seed=1), TOKENIZER)
    return tmp_path / "model"


@pytest.mark.parametrize("config", [NANO, BERT, MIX], ids=["modernbert", "bert", "own"])
def test_masked_lm_comes_back(tmp_path: Path, config: TransformerConfig) -> None:
    model = build_masked_lm(config, seed=1).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded, tokenizer = load_checkpoint(tmp_path / "model", "masked_lm")
    assert loaded.config == config
    assert tokenizer.digest == TOKENIZER.digest
    assert not loaded.training
    assert torch.equal(loaded(IDS, IDS != 0), model(IDS, IDS != 0))
    tied = loaded.head.decoder.weight is loaded.body.tokens.weight
    assert tied == config.tie_head
    body, _ = load_checkpoint(tmp_path / "model", "body")
    assert torch.equal(body(IDS), model.body(IDS))


def test_the_card_says_what_tokenizer_json_cannot(tmp_path: Path) -> None:
    words = KmerTokenizer(3)
    save_checkpoint(tmp_path / "words", build_masked_lm(NANO, vocab_size=words.vocab_size), words)
    save_checkpoint(tmp_path / "letters", build_masked_lm(NANO), TOKENIZER)
    assert "Overlapping k-mers cannot be said in tokenizer.json" in (tmp_path / "words/README.md").read_text()
    assert "Overlapping" not in (tmp_path / "letters/README.md").read_text()


@pytest.mark.parametrize("config", [NANO, BERT, MIX], ids=["modernbert", "bert", "own"])
def test_classifier_comes_back(tmp_path: Path, config: TransformerConfig) -> None:
    model = build_classifier(config, label_names=("unbound", "bound"), seed=1).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded, _ = load_checkpoint(tmp_path / "model", "classifier")
    assert loaded.config.label_names == ("unbound", "bound")
    assert torch.equal(loaded(IDS, IDS != 0), model(IDS, IDS != 0))
    body, _ = load_checkpoint(tmp_path / "model", "body")
    assert torch.equal(body(IDS), model.body(IDS))
    with pytest.raises(CheckpointError, match="classes unbound, bound"):
        load_checkpoint(tmp_path / "model", "masked_lm")


def test_loaded_models_can_be_trained(saved: Path) -> None:
    model, _ = load_checkpoint(saved, "masked_lm")
    model(IDS, IDS != 0).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_half_precision_storage(tmp_path: Path) -> None:
    """float16 keeps 11 bits: a relative error of at most 2^-11, and half the bytes."""
    model = build_masked_lm("tiny", TOKENIZER.vocab_size, seed=1)
    for dtype in ("float32", "float16"):
        save_checkpoint(tmp_path / dtype, model, TOKENIZER, dtype=dtype)
    loaded, _ = load_checkpoint(tmp_path / "float16", "masked_lm")
    assert loaded.body.tokens.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.body.tokens.weight, model.body.tokens.weight, rtol=2**-11, atol=2**-24)
    sizes = [(tmp_path / dtype / "model.safetensors").stat().st_size for dtype in ("float16", "float32")]
    assert sizes[0] < 0.55 * sizes[1]


def test_files_of_a_folder(saved: Path) -> None:
    names = {file.name for file in saved.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "tokenizer_config.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    assert json.loads((saved / "config.json").read_text())["architectures"] == ["ModernBertForMaskedLM"]


def test_card_has_a_header_and_what_it_was_told(tmp_path: Path) -> None:
    card = ModelCard("CTCF", "Sites.", data=["hg19 chr20"], training={"loss | nats": 1.5}, limits=["Human only."])
    save_checkpoint(tmp_path / "model", build_classifier(NANO), TOKENIZER, card)
    _, header, text = (tmp_path / "model/README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header)["license"] == "apache-2.0"
    for piece in ("# CTCF", "- hg19 chr20", "| loss \\| nats | 1.5 |", "- Human only.", "only lingome"):
        assert piece in text


def test_existing_folder_needs_force(saved: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        save_checkpoint(saved, build_masked_lm(NANO), TOKENIZER)
    other = build_masked_lm(NANO, seed=9)
    save_checkpoint(saved, other, TOKENIZER, force=True)
    assert torch.equal(load_checkpoint(saved, "masked_lm")[0].body.tokens.weight, other.body.tokens.weight)


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="disk is full"):
        save_checkpoint(tmp_path / "model", build_masked_lm(NANO), TOKENIZER)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = build_masked_lm(NANO)
    with torch.no_grad():
        model.head.dense.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"head\.dense\.weight"):
        save_checkpoint(tmp_path / "model", model, TOKENIZER)
    assert list(tmp_path.iterdir()) == []


def test_tokenizer_that_does_not_fit(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)69 tokens.*9"):
        save_checkpoint(tmp_path / "other", build_masked_lm(NANO), KmerTokenizer(3, True))
    for file in saved.glob("*token*"):
        file.unlink()
    KmerTokenizer(3, True).save(saved)
    with pytest.raises(CheckpointError, match=r"(?s)69 tokens.*9"):
        load_checkpoint(saved, "masked_lm")


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load(file.read_bytes()) | changes
    file.write_bytes(safetensors.torch.save({k: v for k, v in tensors.items() if v is not None}))


def test_wrong_tensors_are_named(saved: Path) -> None:
    edit_tensors(saved, **{
        "model.layers.0.attn.Wqkv.weight": None, "stranger": torch.zeros(2), "model.final_norm.weight": torch.zeros(7),
    })
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved, "masked_lm")
    for piece in ("missing model.layers.0.attn.Wqkv.weight", "unexpected stranger",
                  "model.final_norm.weight is [7], config.json asks for [32]"):
        assert piece in str(caught.value)


def test_tensor_of_integers(saved: Path) -> None:
    edit_tensors(saved, **{"model.final_norm.weight": torch.zeros(32, dtype=torch.int64)})
    with pytest.raises(CheckpointError, match=r"torch\.int64"):
        load_checkpoint(saved, "masked_lm")


@pytest.mark.parametrize("keep", [0, 4, 200, -10])
def test_damaged_weights(saved: Path, keep: int) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load_checkpoint(saved, "masked_lm")


def test_missing_files(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match="no such model folder"):
        load_checkpoint(tmp_path / "nowhere", "masked_lm")
    (saved / "model.safetensors").unlink()
    (saved / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="pickle, read on import alone"):
        load_checkpoint(saved, "masked_lm")
    (saved / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load_checkpoint(saved, "masked_lm")


def test_missing_tokenizer(saved: Path) -> None:
    for file in saved.glob("*token*"):
        file.unlink()
    with pytest.raises(DataError, match="no tokenizer"):
        load_checkpoint(saved, "masked_lm")


def test_broken_config(saved: Path) -> None:
    file = saved / "config.json"
    good = json.loads(file.read_text())
    for text in ("", "{", "[]", "\x00", "null", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.json"):
            load_checkpoint(saved, "masked_lm")
    for change in (
        {"model_type": "gpt2"}, {"model_type": []}, {"hidden_size": "many"}, {"hidden_size": None}, {"hidden_size": 33},
        {"num_hidden_layers": True}, {"hidden_activation": "relu"}, {"layer_types": ["sliding_attention"]},
        {"layer_types": 3}, {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, {"norm_eps": "x"},
        {"lingome": {"kind": "classifier"}}, {"num_hidden_layers": 10**9}, {"hidden_size": 10**400},
        {"norm_eps": 10**400}, {"rope_parameters": {"full_attention": []}},
    ):
        file.write_text(json.dumps(good | change))
        with pytest.raises(CheckpointError):
            load_checkpoint(saved, "masked_lm")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(saved, "masked_lm")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_files_never_give_a_traceback(saved: Path, data: st.DataObject) -> None:
    """Bytes changed anywhere either do no harm or raise an error a user can read."""
    file = saved / data.draw(st.sampled_from(["config.json", "model.safetensors", "tokenizer_config.json"]))
    good = file.read_bytes()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, min(len(bad), 3000) - 1))] = data.draw(st.integers(0, 255))
    try:
        file.write_bytes(bad)
        with contextlib.suppress(DataError):
            load_checkpoint(saved, "masked_lm")
    finally:
        file.write_bytes(good)


def test_not_a_classifier(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="not a lingome classifier"):
        load_checkpoint(saved, "classifier")


def test_a_moved_folder_still_loads(tmp_path: Path, saved: Path) -> None:
    shutil.copytree(saved, tmp_path / "elsewhere")
    assert load_checkpoint(tmp_path / "elsewhere", "masked_lm")[0].config == NANO
