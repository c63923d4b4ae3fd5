"""The list of published models: every row can be read, and its numbers are those that were published."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from lingome.models.counting.published import PUBLISHED
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.hub.reference import parse_reference
from lingome.models.presets import find_shape
from lingome.models.published import HUB_MODELS, HubModel, count_kept_bytes, estimate_memory
from lingome.recipes.model.look import list_published

DOCS = Path(__file__).parents[3] / "docs" / "published_models.md"


def test_the_list_is_whole() -> None:
    assert len(HUB_MODELS) == 30
    assert len({model.hub for model in HUB_MODELS}) == len({model.name for model in HUB_MODELS}) == 30
    for model in HUB_MODELS:
        parse_reference(f"hub:{model.hub}")
        assert all(vars(model).values()), model.name  # nothing is left empty: what is not known is said


@pytest.mark.parametrize("model", HUB_MODELS, ids=lambda model: model.name)
def test_parameters_are_those_that_were_published(model: HubModel) -> None:
    n_parameters = model.count_parameters()
    if model.name not in PUBLISHED:
        named = re.search(r"(\d+\.?\d*)([mb])$", model.name.removesuffix("-human-ref").removesuffix("-1000g")
                          .removesuffix("-multi-species"))
        if named is not None and not model.name.endswith("v2-250m"):
            said = float(named[1]) * {"m": 1e6, "b": 1e9}[named[2]]
            assert said * 0.95 < n_parameters < said * 1.1
        return
    published = [count.total for count in PUBLISHED[model.name].counts()]
    shape = model.shape
    beside = {
        # fair-esm counts its contact head, one weight for every head of attention, and a bias; it is not read here
        "esm2": shape.n_layers * getattr(shape, "n_heads", 0) + 1,
        # the paper counts one matrix for embeddings and head; the hub's folders have two
        "hyen": -16 * shape.hidden_size,
    }.get(model.name[:4], 0)
    assert n_parameters + beside in published


def test_a_file_of_the_hub_has_as_many_numbers() -> None:
    """nucleotide-transformer-v2-250m is a file of 941 MB: weights, and a table of 2,050 positions that is not used."""
    model = next(one for one in HUB_MODELS if one.name == "nucleotide-transformer-v2-250m")
    assert 4 * (model.count_parameters() + 2050 * 768) / 1e6 == pytest.approx(941, abs=1)


@pytest.mark.parametrize("preset", ["mini", "dilated-tiny", "gpt-mini", "hyena-mini", "bert-mini"])
def test_what_training_keeps_is_what_autograd_keeps(preset: str) -> None:
    """Sizes alone, of one layer and two, give what a real model of all layers keeps of a row, or a little more."""
    shape = dataclasses.replace(find_shape(preset, 20), label_names=("no", "yes"))
    model = SequenceClassifier(shape).train()
    kept: dict[int, torch.UntypedStorage] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(torch.full((1, 128), 7), None)
    real = sum(storage.nbytes() for storage in kept.values())
    assert 0.95 * real < count_kept_bytes(find_shape(preset, 20), 128) < 1.3 * real


def test_memory_grows_with_the_model() -> None:
    by_name = {model.name: estimate_memory(model) for model in HUB_MODELS if model.name.startswith("esm2")}
    assert by_name["esm2-8m"].embed < 1e9 < by_name["esm2-650m"].embed < by_name["esm2-3b"].embed
    assert all(memory.embed < memory.tune for memory in by_name.values())


def test_the_page_of_the_docs_has_every_row() -> None:
    page = DOCS.read_text(encoding="utf-8")
    rows = 0
    outcome = list_published()
    for table in outcome.tables:
        for row in table.rows:
            cells = [f"`{cell}`" if str(cell).startswith("hub:") else f"{cell:,}" if isinstance(cell, int | float)
                     else str(cell) for cell in row]
            assert f"| {' | '.join(cells)} |" in page, cells[0]
            rows += 1
    assert rows == 60
