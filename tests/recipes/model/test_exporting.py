"""``lingome model export``: for transformers, for onnxruntime, for another folder."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from lingome.cli.main import main
from lingome.core.errors import ConfigError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.folders.onnx_export import check_exportable, write_onnx
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
IDS = torch.tensor([[2, 5, 6, 7, 8, 5, 3]])
WITH_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", build_masked_lm("nano", 9, seed=1).eval(), TOKENIZER)
    return tmp_path / "model"


def test_for_transformers(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transformers = pytest.importorskip("transformers")
    assert main(["model", "export", str(folder), "-o", str(tmp_path / "out"), "--format", "transformers"]) == 0
    assert "transformers.AutoModelForMaskedLM.from_pretrained" in capsys.readouterr().out
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert (theirs(IDS).logits - load_checkpoint(folder, "masked_lm")[0](IDS)).abs().max() < 1e-5


def test_the_body_and_half_the_bytes(folder: Path, tmp_path: Path) -> None:
    assert main(["model", "export", str(folder), "-o", str(tmp_path / "out"), "part=body", "dtype=bfloat16"]) == 0
    again, whole = load_checkpoint(tmp_path / "out", "body")[0], load_checkpoint(folder, "masked_lm")[0]
    assert (again(IDS) - whole.body(IDS)).abs().max() < 0.05
    sizes = [(place / "model.safetensors").stat().st_size for place in (folder, tmp_path / "out")]
    assert sizes[1] < 0.6 * sizes[0]
    assert not isinstance(load_checkpoint(tmp_path / "out")[0], type(whole))
    assert 'lg.load("this-folder")' in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("case", ["own shape", "classifier", "bfloat16 onnx", "two", "unknown", "hyena onnx"])
def test_what_cannot_be_exported(folder: Path, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, more, said, code = str(folder), ["--format", "transformers"], "", 2
    if case == "own shape":
        config = TransformerConfig(hidden_size=32, n_layers=1, n_heads=2, ffn_size=48, norm="post", positions="rotary")
        save_checkpoint(tmp_path / "other", build_masked_lm(config, 9), TOKENIZER)
        model, said = str(tmp_path / "other"), "no architecture of this shape"
    elif case == "classifier":
        save_checkpoint(tmp_path / "other", build_classifier("nano", 9, ("a", "b")), TOKENIZER)
        model, said = str(tmp_path / "other"), "part=body"
    elif case == "bfloat16 onnx":
        more, said, code = ["format=onnx", "dtype=bfloat16"], "float32" if WITH_ONNX else "lingome[onnx]", (
            2 if WITH_ONNX else 4)
    elif case == "hyena onnx":
        save_checkpoint(tmp_path / "other", build_causal_lm("hyena-mini", 9), TOKENIZER)
        model, more, said = str(tmp_path / "other"), ["format=onnx"], "cannot be written as ONNX"
    elif case == "two":
        more, said = ["another"], "one model at a time"
    else:
        model, said, code = str(tmp_path / "nowhere"), "there is no model", 3
    assert main(["model", "export", model, "-o", str(tmp_path / "out"), *more]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_the_packages(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    assert main(["model", "export", str(folder), "-o", str(tmp_path / "out"), "--format", "onnx"]) == 4
    assert 'pip install "lingome[onnx]"' in capsys.readouterr().err


def test_architectures_that_a_graph_cannot_hold_are_named() -> None:
    with pytest.raises(ConfigError, match="Fourier"):
        check_exportable(HyenaConfig())
    with pytest.raises(ConfigError, match="relative positions"):
        check_exportable(TransformerConfig(positions="relative"))


@pytest.mark.skipif(not WITH_ONNX, reason="needs lingome[onnx]")
@pytest.mark.parametrize("kind", ["decoder", "classifier"])
def test_a_graph_gives_the_numbers_of_torch(tmp_path: Path, kind: str) -> None:
    decoder = DecoderConfig(hidden_size=32, n_layers=1, n_kv_heads=2, ffn_size=48)
    model = build_causal_lm(decoder, 9) if kind == "decoder" else build_classifier("nano", 9, ("a", "b", "c"))
    assert write_onnx(model.eval(), tmp_path / "model.onnx") < 1e-5
