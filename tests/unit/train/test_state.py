import json

import pytest
import torch
from torch import nn

from lingome.core.errors import CheckpointError
from lingome.train.state import Progress, StateStore, copy_weights, put_weights


def trained(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.randn(4, 3)).pow(2).mean().backward()
    optimizer.step()
    return model, optimizer


def test_weights_moments_and_counters_come_back_exactly(tmp_path):
    model, optimizer = trained()
    best = copy_weights(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))
    progress = Progress(step=7, tokens=70, best_loss=0.1 + 0.2, best_step=5, logged_loss=1 / 3, identity={"a": "b"})
    store = StateStore(tmp_path / "state")
    store.save(model, optimizer, progress, best)
    other, fresh = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), None
    fresh = torch.optim.AdamW(other.parameters(), fused=True)
    loaded, loaded_best = store.load(other, fresh)
    assert loaded == progress
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), model.parameters(), strict=True))
    assert all(torch.equal(loaded_best[name], best[name]) for name in best)
    for a, b in zip(other.parameters(), model.parameters(), strict=True):
        assert fresh.state[a].keys() == optimizer.state[b].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(fresh.state[a][key], optimizer.state[b][key]) for key in optimizer.state[b])


def test_only_what_counts_is_kept(tmp_path):
    model, optimizer = trained()
    store = StateStore(tmp_path)
    (tmp_path / ".step-00000001.killed").mkdir()
    store.save(model, optimizer, Progress(step=1, best_step=1), copy_weights(model))
    store.save(model, optimizer, Progress(step=2, best_step=1), copy_weights(model))
    names = {"training.json", "step-00000002", "best-00000001"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert store.read_step() == 2


def test_a_save_that_dies_before_the_index_leaves_the_old_state(tmp_path, monkeypatch):
    model, optimizer = trained()
    store = StateStore(tmp_path)
    store.save(model, optimizer, Progress(step=1), None)
    before = copy_weights(model)

    def die(path, text):
        raise KeyboardInterrupt

    monkeypatch.setattr("lingome.train.state.write_text", die)
    with torch.no_grad():
        model[0].weight.add_(1)
    with pytest.raises(KeyboardInterrupt):
        store.save(model, optimizer, Progress(step=2), None)
    progress, _ = store.load(model, optimizer)
    assert progress.step == 1
    assert torch.equal(model[0].weight, before["0.weight"])


def test_tied_weights_are_kept_once():
    model = nn.ModuleDict({"table": nn.Embedding(4, 3), "head": nn.Linear(3, 4, bias=False)})
    model["head"].weight = model["table"].weight
    weights = copy_weights(model)
    assert list(weights) == ["table.weight"]
    put_weights(model, {"table.weight": torch.ones(4, 3)})
    assert (model["head"].weight == 1).all()


@pytest.mark.parametrize("damage", ["index", "weights", "missing", "fields"])
def test_a_damaged_state_is_said_to_be_damaged(tmp_path, damage):
    model, optimizer = trained()
    store = StateStore(tmp_path)
    store.save(model, optimizer, Progress(step=1), None)
    if damage == "index":
        (tmp_path / "training.json").write_text("{")
    if damage == "fields":
        (tmp_path / "training.json").write_text(json.dumps({"last": "step-00000001", "best": "", "colour": 1}))
    if damage == "weights":
        (tmp_path / "step-00000001" / "weights.safetensors").write_bytes(b"short")
    if damage == "missing":
        (tmp_path / "step-00000001" / "moments.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        store.load(model, optimizer)


def test_a_state_of_another_model_is_refused(tmp_path):
    model, optimizer = trained()
    store = StateStore(tmp_path)
    store.save(model, optimizer, Progress(step=1), None)
    other = nn.Sequential(nn.Linear(4, 2), nn.LayerNorm(2))
    with pytest.raises(CheckpointError, match="another shape"):
        store.load(other, torch.optim.AdamW(other.parameters()))
    with pytest.raises(CheckpointError, match="not of this model"):
        put_weights(nn.Linear(3, 2), copy_weights(model))
