"""A network is added by the steps that CONTRIBUTING.md lists, and every command takes it from then on."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from lingome.cli.main import main
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.models import networks
from lingome.models.contract import build_models, check_model
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.models.presets import PRESETS
from lingome.models.registry import ARCHITECTURES, find_architecture, list_families, register
from lingome.tokens.characters import CharacterTokenizer

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
NETWORK_FILES = {"__init__.py", "shape.py", "model.py", "folder.py"}


def steps() -> list[str]:
    """Give the files of the steps, as CONTRIBUTING.md lists them."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    part = text.split("## Add a model", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| \d\. .*\| `([^`]+)` \|$", part, re.M)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Take the steps: the folder, its name in the registry, a size by name; afterwards all is as before."""
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(HERE)])
    module = importlib.import_module("lingome.models.networks.toy")
    register(module.ARCHITECTURE)
    monkeypatch.setitem(PRESETS, "toy-nano", module.ToyConfig())
    yield module
    del ARCHITECTURES[module.ToyConfig]
    for name in [name for name in sys.modules if name.startswith("lingome.models.networks.toy")]:
        del sys.modules[name]
    del networks.toy


def test_the_steps_are_those_that_this_test_takes_and_that_every_network_took() -> None:
    files = steps()
    folder = "src/lingome/models/networks/<name>/"
    assert {Path(file).name for file in files if file.startswith(folder)} == NETWORK_FILES
    others = [file for file in files if not file.startswith(folder)]
    assert others == [
        "src/lingome/models/registry.py", "src/lingome/models/presets.py", "tests/contracts/test_models.py",
        "tests/peers/test_transformers_models.py",
    ]
    assert all((ROOT / file).is_file() for file in others)
    here = [path for path in sorted(Path(str(networks.__file__)).parent.iterdir()) if (path / "__init__.py").is_file()]
    assert len(here) == len(ARCHITECTURES) >= 7
    for path in [*here, HERE / "toy"]:
        assert {file.name for file in path.glob("*.py")} >= NETWORK_FILES, path.name
    named = {f"lingome.models.networks.{path.name}.shape" for path in here}
    assert {shape.__module__ for shape in ARCHITECTURES} == named


def test_a_new_network_keeps_the_promises_of_all_models(toy: ModuleType) -> None:
    assert find_architecture(toy.ToyConfig()).name == "toy"
    models = build_models(toy.ToyConfig(vocab_size=CharacterTokenizer().vocab_size), seed=1)
    assert [type(model).__name__ for model in models] == ["MaskedLM", "SequenceClassifier"]
    for model in models:
        assert len(check_model(model, CharacterTokenizer())) == 8
    assert "states" in check_model(models[0].body, CharacterTokenizer())


def test_a_new_network_goes_through_every_command(
    toy: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    genome = tmp_path / "genome.fa"
    genome.write_text(f">one\n{''.join(rng.choice(list('ACGT'), 40_000))}\n")
    CharacterTokenizer().save(tmp_path / "letters")
    run = tmp_path / "run"
    quick = ["train.max_steps=4", "train.eval_every=2", "train.batch_tokens=512", "validation_windows=4",
             "validation_share=0.05", "train.precision=fp32"]
    words = ["pretrain", str(genome), "-o", str(run), "--tokenizer", str(tmp_path / "letters"), "--preset", "toy-nano"]
    assert main([*words, *quick]) == 0, capsys.readouterr().err
    model = load_checkpoint(run / "checkpoint", "masked_lm")[0]
    assert isinstance(model.body, toy.Toy)
    fresh = build_models(model.config)[0]
    assert not torch.equal(fresh.body.tokens.weight, model.body.tokens.weight)
    assert "toy: 2 layers of 16" in (run / "checkpoint" / "README.md").read_text(encoding="utf-8")

    table = tmp_path / "task.tsv"
    rows = ["sequence\tlabel\tsplit"]
    for index in range(90):
        letters = "".join(rng.choice(list("ACGT"), 30, p=[0.4, 0.1, 0.1, 0.4] if index % 2 else [0.1, 0.4, 0.4, 0.1]))
        rows.append(f"{letters}\t{index % 2}\t{('train', 'valid', 'test')[index // 2 % 3]}")
    table.write_text("\n".join(rows) + "\n")
    vectors = tmp_path / "vectors.npz"
    assert main(["embed", str(table), "-m", str(run), "-o", str(vectors)]) == 0, capsys.readouterr().err
    with np.load(vectors, allow_pickle=False) as archive:
        assert archive["embeddings"].shape == (90, 16)

    fit = tmp_path / "fit"
    words = ["finetune", str(table), "-m", str(run), "-o", str(fit), "method=features,last:1,full"]
    assert main([*words, "seeds=1", "tune.epochs=1", "resamples=100"]) == 0, capsys.readouterr().err
    assert {row["name"] for row in RunDir.open(fit).read_table("scores")} >= {"frozen features", "all layers"}
    assert isinstance(load_checkpoint(RunDir.open(fit).checkpoint_path, "classifier")[0].body, toy.Toy)
    assert main(["score", str(table), "-m", str(run), "-o", str(tmp_path / "scores.tsv")]) == 0, capsys.readouterr().err


def test_an_architecture_is_registered_once_and_its_folders_have_names_of_their_own(toy: ModuleType) -> None:
    with pytest.raises(ConfigError, match="shapes of this class already"):
        register(toy.ARCHITECTURE)
    names = [family.name for family in list_families()]
    assert len(names) == len(set(names))
    assert names[-1] == "toy"
    del ARCHITECTURES[toy.ToyConfig]
    other = type(toy.ARCHITECTURE)("other", toy.ToyConfig, toy.Toy, toy.initialise_toy,
                                   next(iter(ARCHITECTURES.values())).families)
    with pytest.raises(ConfigError, match="model folder of this name already"):
        register(other)
    register(toy.ARCHITECTURE)
