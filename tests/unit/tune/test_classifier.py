"""Fitting on real CTCF windows with small random models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lingome.config.finetune import TuneSettings
from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.data.examples import Examples
from lingome.data.readers.tables import read_examples
from lingome.models.networks.transformer.model import Transformer
from lingome.models.open import random_body
from lingome.models.presets import find_config
from lingome.tokens.kmers import KmerTokenizer
from lingome.tune.classifier import FitLog, fit_classifier
from lingome.tune.predict import predict_probabilities

TOKENIZER = KmerTokenizer(3, False)


@pytest.fixture(scope="module")
def examples(data_dir: Path) -> Examples:
    return read_examples(data_dir / "ci" / "ctcf_600.tsv")


@pytest.fixture(scope="module")
def body() -> Transformer:
    return random_body(find_config("nano", TOKENIZER.vocab_size), seed=1)


@pytest.mark.parametrize("method", ["features", "last:1", "full"])
def test_a_fit_learns_and_leaves_the_start_alone(method: str, examples: Examples, body: Transformer):
    before = {name: value.clone() for name, value in body.state_dict().items()}
    fitted = fit_classifier(body, TOKENIZER, examples, method, TuneSettings(epochs=2, lr=2e-3), 0, device="cpu")
    assert all(torch.equal(before[name], value) for name, value in body.state_dict().items())
    assert fitted.valid_logits.shape == (28, 2)
    assert (fitted.steps == 0) == (method == "features")
    train = examples.split("train")
    chances = predict_probabilities(fitted.model, TOKENIZER, train.sequences)
    assert ((chances.argmax(axis=1) == train.labels).mean()) > 0.6  # classes are even: 0.5 is chance
    same = [name for name, value in fitted.model.body.state_dict().items() if torch.equal(value, before[name])]
    frozen = {"features": len(before), "last:1": 2, "full": 0}[method]  # nano has one layer: tokens and norm stay
    assert len(same) == frozen, same


def test_a_fit_is_a_function_of_its_seed(examples: Examples, body: Transformer):
    settings = TuneSettings(epochs=0.5, lr=1e-3)
    one, same, other = (
        fit_classifier(body, TOKENIZER, examples, "full", settings, seed, device="cpu") for seed in (1, 1, 2)
    )
    assert np.array_equal(one.valid_logits, same.valid_logits)
    assert not np.array_equal(one.valid_logits, other.valid_logits)


def test_the_head_starts_from_the_features(examples: Examples, body: Transformer):
    features = fit_classifier(body, TOKENIZER, examples, "features", TuneSettings(precision="fp32"), 0, device="cpu")
    slow = TuneSettings(epochs=0.2, lr=1e-9, precision="fp32")
    warm = fit_classifier(body, TOKENIZER, examples, "full", slow, 0, device="cpu")
    assert np.abs(warm.valid_logits - features.valid_logits).max() < 1e-4
    cold = fit_classifier(body, TOKENIZER, examples, "full", slow.replace(warm_head=False), 0, device="cpu")
    assert np.abs(cold.valid_logits - features.valid_logits).max() > 1e-2


def test_metrics_are_written_at_each_look(tmp_path: Path, examples: Examples, body: Transformer):
    with RunDir.create(tmp_path / "run") as run:
        fitted = fit_classifier(
            body, TOKENIZER, examples, "full", TuneSettings(epochs=1, evaluations=2), 0, device="cpu",
            log=FitLog(run, "x"),
        )
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["split"] for line in lines] == ["train", "valid"] * 2
    assert lines[-1]["step"] == fitted.steps
    assert {line["phase"] for line in lines} == {"x"}
    assert min(line["loss"] for line in lines if line["split"] == "valid") == pytest.approx(fitted.valid_loss, abs=0.01)


def test_collapse_truncation_and_unknown_letters_are_told(examples: Examples, body: Transformer):
    rare = examples.select(np.flatnonzero((examples.labels == 0) | (np.arange(len(examples)) % 40 == 0)))
    longer = Examples(
        [text * 10 + "N" for text in rare.sequences], rare.labels, rare.splits, rare.ids, label_names=rare.label_names
    )
    settings = TuneSettings(too_long="truncate")
    said = " ".join(fit_classifier(body, TOKENIZER, longer, "features", settings, 0, device="cpu").warnings)
    assert "every validation example is called '0'" in said
    assert "were cut to the model's context" in said
    with pytest.raises(DataError, match="longer than the model can read"):
        fit_classifier(body, TOKENIZER, longer, "features", TuneSettings(), 0, device="cpu")
    ending = Examples([f"{text}N" for text in rare.sequences], rare.labels, rare.splits, rare.ids)
    said = " ".join(fit_classifier(body, TOKENIZER, ending, "features", settings, 0, device="cpu").warnings)
    assert "not in the vocabulary" in said


def test_balanced_weights_raise_the_rare_class(examples: Examples, body: Transformer):
    keep = np.flatnonzero((examples.labels == 0) | (np.arange(len(examples)) % 10 == 0))
    rare = examples.select(keep)
    for method in ("features", "full"):
        settings = TuneSettings(epochs=3, lr=0.02, warm_head=False)
        plain, even = (
            fit_classifier(body, TOKENIZER, rare, method, settings.replace(class_weights=kind), 0, device="cpu")
            for kind in ("none", "balanced")
        )
        margins = [float((one.valid_logits[:, 1] - one.valid_logits[:, 0]).mean()) for one in (plain, even)]
        assert margins[1] > margins[0] + 0.5


def test_one_class_cannot_be_fitted(examples: Examples, body: Transformer):
    with pytest.raises(DataError, match="of one class"):
        fit_classifier(body, TOKENIZER, examples.select(examples.labels == 1), "features", TuneSettings(), 0)
