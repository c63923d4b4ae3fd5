"""Every kind of model given to every command: it works, or is refused in words; and damaged weights of each."""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lingome.cli.main import main
from lingome.models.folders.checkpoint import save_checkpoint, with_roles
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.tracks.shape import TracksConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.networks.word2vec.shape import StaticConfig
from lingome.models.presets import CAUSAL_PRESETS, PRESETS, SEQ2SEQ_PRESETS
from lingome.models.registry import build_body, find_architecture, initialise
from lingome.models.shape import Shape
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.characters import CharacterTokenizer

DECODER = DecoderConfig(hidden_size=32, n_layers=1, n_heads=2, n_kv_heads=1, ffn_size=48)
T5, NANO = SEQ2SEQ_PRESETS["t5-nano"], PRESETS["nano"]
ESM = TransformerConfig(
    hidden_size=32, n_layers=1, n_heads=2, ffn_size=64, ffn="gelu", bias=True, first_norm="layer", n_segments=0,
    token_dropout=0.12,
)
SHAPES: dict[str, Shape] = {
    "masked": NANO, "esm": ESM, "dilated": PRESETS["dilated-tiny"], "decoder": DECODER,
    "experts": dataclasses.replace(DECODER, n_experts=4, n_experts_per_token=2),
    "hyena": CAUSAL_PRESETS["hyena-mini"], "t5": T5, "static": StaticConfig(hidden_size=16),
    "tracks": TracksConfig(n_layers=1, hidden_size=48, bin_bp=16, max_positions=512),
    "classifier": NANO, "t5_classifier": T5, "masked_body": NANO, "t5_body": T5,
}
CAUSAL, MASKED = ("decoder", "experts", "hyena"), ("masked", "esm", "dilated")
CLASSIFIERS = ("classifier", "t5_classifier")
COMMANDS = {
    "show": "model show {m}", "count": "model count {m}", "export": "model export {m} -o {o}",
    "onnx": "model export {m} --format onnx --dry-run -o {o}",
    "transformers": "model export {m} --format transformers -o {o}",
    "embed": "embed some.fa -m {m} -o {o}.npz", "score": "score some.fa -m {m} -o {o}.tsv",
    "generate": "generate -m {m} -o {o}.fa length_bp=9", "predict": "predict some.fa -m {m} -o {o}.tsv",
    "evaluate": "evaluate genome.fa -m {m} -o {o} n_windows=10 window_bp=40",
    "finetune": "finetune labelled.csv -m {m} -o {o} --dry-run",
    **{name: f"pretrain genome.fa --start-from {{m}} objective={name} --dry-run -o {{o}}"
       for name in ("masked", "causal", "span", "contrastive")},
}
WORKS = {
    "show": SHAPES, "count": SHAPES, "export": SHAPES, "embed": SHAPES.keys() - {"tracks"},
    "onnx": SHAPES.keys() - {"esm", "experts", "hyena", "t5", "tracks", "t5_classifier", "t5_body"},
    "transformers": ("masked", "esm", "decoder", "experts", "t5", "masked_body", "t5_body"),
    "score": MASKED + CAUSAL, "evaluate": MASKED + CAUSAL, "generate": CAUSAL, "predict": CLASSIFIERS,
    "finetune": SHAPES.keys() - {"tracks", "static"},
    "masked": MASKED, "causal": CAUSAL, "span": (), "contrastive": MASKED,
}


def build(name: str) -> torch.nn.Module:
    """Build a model with the smallest vocabulary of DNA."""
    letters = CharacterTokenizer()
    config = with_roles(dataclasses.replace(SHAPES[name], vocab_size=letters.vocab_size), letters)
    kinds = find_architecture(config).models
    if name in CLASSIFIERS:
        model: torch.nn.Module = SequenceClassifier(dataclasses.replace(config, label_names=("0", "1")))
    elif name.endswith("body") or name == "static":
        model = build_body(config)
    else:
        model = next(iter(kinds.values()))(config) if kinds else MaskedLM(config)
    initialise(model, 0)
    return model.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, draw = tmp_path_factory.mktemp("models"), random.Random(0)
    for name in SHAPES:
        save_checkpoint(place / name, build(name), CharacterTokenizer())
    residues = CharacterTokenizer(PROTEIN)
    protein = dataclasses.replace(NANO, vocab_size=residues.vocab_size)
    model = MaskedLM(with_roles(protein, residues))
    initialise(model, 0)
    save_checkpoint(place / "protein", model, residues)
    letters = "".join(draw.choice("ACGT") for _ in range(20_000))
    (place / "genome.fa").write_text(f">chr1\n{letters}\n")
    (place / "some.fa").write_text(">a\nACGTACGTAA\n>b\nacgtnACG\n")
    rows = [f"{letters[i * 40:][:40]},{i % 2}\n" for i in range(60)]
    (place / "labelled.csv").write_text("sequence,label\n" + "".join(rows))
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_each_kind_of_model_works_or_is_refused(
    command: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    monkeypatch.chdir(folder)
    worked = set()
    for name in SHAPES:
        code = main(COMMANDS[command].format(m=name, o=tmp_path / name).split())
        message = capsys.readouterr().err
        assert code in (0, 2, 3), (name, message)
        if code == 0:
            worked.add(name)
        else:
            assert "Traceback" not in message
            assert message.startswith("error: ") or "\nerror: " in message, (name, message)
            assert not list(tmp_path.glob(f"{name}*"))
    assert worked == set(WORKS[command])


@pytest.mark.parametrize(("words", "code", "said"), [
    ("score masked_body some.fa", 3, "gives no probability to letters | transformer encoder, the body alone | embed"),
    ("score classifier some.fa", 3, "a classifier: classes 0, 1 | lingome predict takes it"),
    ("evaluate protein genome.fa", 2, "this model does not read DNA | protein"),
    ("evaluate decoder genome.fa mask_rate=0.2", 2, "a causal model hides nothing"),
    ("evaluate masked genome.fa window_bp=2000", 3, "window_bp: the windows are longer than | a smaller window_bp"),
    ("pretrain genome.fa --start-from decoder --dry-run", 3, "guesses the next token | objective=causal"),
    ("pretrain genome.fa --start-from masked_body --dry-run", 3, "holds a body alone, without the head | embed"),
    ("model export experts --format onnx", 2, "a mixture of experts cannot be written as ONNX | 4 experts"),
    ("model export esm --format onnx", 2, "cannot be written as ONNX | token_dropout 0.12"),
    ("model import tracks part=body", 3, "a model of tracks is imported whole | leave out part=body"),
    ("score decoder genome=genome.fa variants=n.vcf window_bp=20", 3, "n.vcf:2: the change is of a letter"),
    ("model import pointer", 3, "model.safetensors: this is a pointer of Git LFS | git lfs pull"),
    ("model import old_pointer", 3, "pytorch_model.bin: this is a pointer of Git LFS | git lfs pull"),
    ("embed some.fa -m odd_t5 -o new.npz", 0, "vectors"),
    (f"predict {'ACGT' * 200} some.fa", 3, "File name too long"),
    (f"generate -m decoder length_bp=9 prompt={'ACGT' * 200}", 0, "1 sequences"),
])
def test_mistakes_with_models(
    words: str, code: int, said: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "here"
    shutil.copytree(folder, place)
    letter = (place / "genome.fa").read_text()[6 + 999]
    (place / "n.vcf").write_text(f"#CHROM\tPOS\tID\tREF\tALT\nchr1\t1000\t.\t{letter}\tN\n")
    shutil.copytree(place / "masked", place / "pointer")
    shutil.copytree(place / "masked", place / "old_pointer")
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (place / "pointer" / "model.safetensors").write_text(text)
    (place / "old_pointer" / "model.safetensors").unlink()
    (place / "old_pointer" / "pytorch_model.bin").write_text(text)
    shutil.copytree(place / "t5", place / "odd_t5")
    config = json.loads((place / "odd_t5" / "config.json").read_text())
    (place / "odd_t5" / "config.json").write_text(json.dumps({**config, "architectures": 7}))
    monkeypatch.chdir(place)
    out = [] if "-o " in words else ["-o", "out.fa" if words.startswith("generate") else "out"]
    assert main([*words.split(), *out]) == code
    message = " ".join(capsys.readouterr().err.split())
    for fragment in said.split(" | "):
        assert fragment in message


@pytest.mark.parametrize("name", [name for name in SHAPES if "_" not in name])
def test_weights_that_are_no_numbers_give_no_results(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(folder / name, bad)
    tensors = safetensors.torch.load_file(bad / "model.safetensors")
    for tensor in tensors.values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))
    (bad / "model.safetensors").write_bytes(safetensors.torch.save(tensors, metadata={"format": "pt"}))
    monkeypatch.chdir(folder)
    for command in ("embed", "score", "generate", "predict", "export"):
        assert main(COMMANDS[command].format(m=bad, o=tmp_path / "out").split()) == 3
        assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_shards_are_read_by_every_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "shards"
    shutil.copytree(folder / "decoder", place)
    tensors = safetensors.torch.load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    index: dict[str, str] = {}
    for number, some in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2]), start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        part = {one: tensors[one] for one in some}
        (place / shard).write_bytes(safetensors.torch.save(part, metadata={"format": "pt"}))
        index |= dict.fromkeys(some, shard)
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    monkeypatch.chdir(folder)
    for command in ("embed", "score", "generate", "evaluate", "export", "show"):
        assert main(COMMANDS[command].format(m=place, o=tmp_path / command).split()) == 0
    assert main(["score", "some.fa", "-m", "decoder", "-o", str(tmp_path / "whole.tsv")]) == 0
    assert (tmp_path / "whole.tsv").read_text() == (tmp_path / "score.tsv").read_text()


def test_a_pickle_that_torch_does_not_know_is_refused_quietly(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "old"
    shutil.copytree(folder / "masked", place)
    (place / "model.safetensors").unlink()
    (place / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}, protocol=5))
    assert main(["model", "import", str(place), "-o", str(tmp_path / "new")]) == 3
    assert capsys.readouterr().err.startswith("error: ")


def test_memory_that_runs_out_is_no_bug_of_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy(*args: object, **kwargs: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 80000000000 bytes.")

    monkeypatch.chdir(folder)
    monkeypatch.setattr("lingome.recipes.generate.write_sequences", greedy)
    assert main(["generate", "-m", "decoder", "length_bp=9"]) == 2
    assert "more memory than there is" in capsys.readouterr().err
