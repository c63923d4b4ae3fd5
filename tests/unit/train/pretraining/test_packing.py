"""Packed windows: no sequence knows of another, and nothing changes but the padding."""

import numpy as np
import pytest
import torch

from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.windows import TokenWindows
from lingome.train.memory import count_rows, cut_rows
from lingome.train.objectives import MaskedObjective
from lingome.train.sources import PackedWindowSource

TOKENIZER = CharacterTokenizer()
OBJECTIVE = MaskedObjective(TOKENIZER)
IDS = np.random.default_rng(0).integers(5, 9, 3000).astype(np.uint16)


def windows(**more):
    segments = np.array([[0, 1400], [1400, 3000]])
    return TokenWindows(IDS, segments, max_tokens=62, min_tokens=5, batch_tokens=512, **more)


def test_a_batch_is_one_row_within_its_budget():
    source = PackedWindowSource(windows(fixed_share=0.3), TOKENIZER)
    batch = source.batch(0, 3)
    assert batch["input_ids"].shape == (batch["lengths"].sum(),)
    assert 512 - 64 < len(batch["input_ids"]) <= 512
    assert len(set(batch["lengths"].tolist())) > 3
    starts = np.cumsum(batch["lengths"]) - batch["lengths"]
    assert (batch["input_ids"][starts] == TOKENIZER.cls_id).all()
    assert (batch["input_ids"][starts + batch["lengths"] - 1] == TOKENIZER.sep_id).all()
    genome = IDS.tobytes()
    for start, length in zip(starts, batch["lengths"], strict=True):
        row = batch["input_ids"][start + 1 : start + length - 1].astype(np.uint16)
        assert row.tobytes() in genome
    again = source.batch(0, 3)
    assert (again["input_ids"] == batch["input_ids"]).all()


def drawn():
    batch = PackedWindowSource(windows(), TOKENIZER).batch(0, 0)
    return OBJECTIVE.draw(batch, np.random.default_rng(1))


@pytest.mark.parametrize("preset", ["nano", "bert-mini"])
def test_the_loss_is_that_of_padded_rows(preset):
    model, batch = build_masked_lm(preset, 9, 0).eval(), drawn()
    packed = OBJECTIVE.loss(model, batch, None)
    cuts, names = np.cumsum(batch["lengths"])[:-1], ("input_ids", "masked", "true_ids")
    parts = {name: np.split(batch[name], cuts) for name in names}
    longest = batch["lengths"].max()
    padded = {name: np.stack([np.pad(p, (0, longest - len(p))) for p in rows]) for name, rows in parts.items()}
    padded["attention_mask"] = np.arange(longest) < batch["lengths"][:, None]
    whole = OBJECTIVE.loss(model, padded, None)
    assert packed.items == whole.items
    assert packed.total.item() / packed.items == pytest.approx(whole.total.item() / whole.items, abs=1e-5)


@pytest.mark.parametrize("parts", [2, 5, 99])
def test_pieces_of_a_packed_batch_are_whole_sequences_with_the_sum_of_all(parts):
    model, batch = build_masked_lm("nano", 9, 0).eval(), drawn()
    batch["weights"] = np.linspace(0.1, 1, len(batch["input_ids"]), dtype=np.float32)
    pieces = cut_rows(batch, parts)
    assert count_rows(batch) == len(batch["lengths"])
    assert len(pieces) == min(parts, count_rows(batch))
    for piece in pieces:
        starts = np.cumsum(piece["lengths"]) - piece["lengths"]
        assert (piece["input_ids"][starts] == TOKENIZER.cls_id).all()
        assert {len(piece[name]) for name in ("input_ids", "masked", "true_ids", "weights")} == {sum(piece["lengths"])}
    whole, parted = OBJECTIVE.loss(model, batch, None), [OBJECTIVE.loss(model, piece, None) for piece in pieces]
    assert sum(one.items for one in parted) == pytest.approx(whole.items)
    assert sum(one.total.item() for one in parted) == pytest.approx(whole.total.item(), rel=1e-5)


def test_no_sequence_knows_of_another():
    """Logits of the others, and the gradient of their loss, stay as they were when one sequence changes."""
    model, batch = build_masked_lm("tiny", 9, 0).eval(), drawn()
    lengths = torch.as_tensor(batch["lengths"])
    ids = torch.as_tensor(batch["input_ids"])
    first, last = int(lengths[0]), int(lengths[:2].sum())
    other = ids.clone()
    other[first + 1 : last - 1] = torch.randint(5, 9, (last - first - 2,), generator=torch.manual_seed(0))
    rest = torch.ones(len(ids), dtype=torch.bool)
    rest[first:last] = False

    def run(tokens):
        model.zero_grad()
        logits = model(tokens, lengths_B=lengths)
        torch.nn.functional.cross_entropy(logits[rest], torch.as_tensor(batch["true_ids"])[rest]).backward()
        return logits.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    (logits, gradients), (changed, others) = run(ids), run(other)
    assert (logits[~rest] - changed[~rest]).abs().max() > 1e-3
    torch.testing.assert_close(changed[rest], logits[rest], atol=1e-6, rtol=0)
    for a, b in zip(gradients, others, strict=True):
        torch.testing.assert_close(b, a, atol=1e-6, rtol=0)
