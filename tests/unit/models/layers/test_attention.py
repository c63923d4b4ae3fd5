"""What attention sees: windows, positions and grouped heads by hand; packed batches against padded ones."""

import dataclasses
import math

import pytest
import torch

from lingome.core.errors import ConfigError, DataError
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.layers.attention import AttentionContext, alibi, alibi_slopes
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_masked_lm

PLAIN = TransformerConfig(vocab_size=12, hidden_size=32, n_layers=3, n_heads=4, ffn_size=48, max_positions=24)
MIXES = {
    "modernbert": PLAIN,
    "local": dataclasses.replace(PLAIN, local_window=4, global_every=2, local_rope_theta=100.0),
    "bert": dataclasses.replace(PLAIN, positions="learned", norm="post", ffn="gelu", bias=True),
    "mosaicbert": dataclasses.replace(PLAIN, positions="alibi", norm="post", bias=True, ffn_bias="out"),
    "t5": dataclasses.replace(PLAIN, positions="relative", norm_kind="rms", ffn="gelu", first_norm="layer"),
    "esm-1b": dataclasses.replace(
        PLAIN, positions="learned", n_segments=0, position_offset=2, first_norm="both", bias=True, token_dropout=0.12,
    ),
    "grouped": dataclasses.replace(PLAIN, n_kv_heads=2, ffn="swiglu", bias=True, ffn_bias="none"),
    "all local": dataclasses.replace(PLAIN, positions="alibi", local_window=6, global_every=1000, n_kv_heads=1),
}
LENGTHS = [20, 7, 13, 7, 1, 20]


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids (B, L) with some [MASK], real places, and wanted places: none in some sequences."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 12, (6, 20), generator=draw)
    real = torch.arange(20) < torch.tensor(LENGTHS)[:, None]
    wanted = real & (torch.rand(6, 20, generator=draw) < 0.3)
    wanted[[1, 4, 5]] = False
    return ids.masked_fill(~real, 0), real, wanted


def loud(config: TransformerConfig) -> MaskedLM:
    """A model whose biases are not 0 and whose scales are not 1."""
    model = build_masked_lm(config, seed=3).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
    return model


@pytest.mark.parametrize("name", MIXES)
def test_packed_equals_padded(name: str) -> None:
    """Final states, states of every layer, wanted rows alone, and gradients."""
    ids, real, wanted = batch()
    model = loud(MIXES[name])
    padded = model.body(ids, real)[real]
    packed = model.body.get_submodule("").forward_packed(ids[real], LENGTHS)
    assert (packed - padded).abs().max() < 1e-5
    some = model(ids[real], masked_BL=wanted[real], lengths_B=torch.tensor(LENGTHS))
    assert (some - model(ids, real, wanted)).abs().max() < 1e-5
    assert (some - model(ids, real)[wanted]).abs().max() < 1e-5
    states = model.body.get_submodule("").hidden_states_packed(ids[real], LENGTHS)
    assert len(states) == 4
    for ours, theirs in zip(states, model.body.hidden_states(ids, real), strict=True):
        assert (ours - theirs[real]).abs().max() < 1e-5
    got = torch.autograd.grad(some.square().sum(), list(model.parameters()))
    expected = torch.autograd.grad(model(ids, real)[wanted].square().sum(), list(model.parameters()))
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", MIXES)
def test_packed_sequences_do_not_talk(name: str) -> None:
    """Other tokens in every other sequence leave a sequence's states as they are, to the last bit."""
    ids, real, _ = batch()
    body = loud(MIXES[name]).body.get_submodule("")
    rows = torch.arange(6).repeat_interleave(torch.tensor(LENGTHS))
    before = body.forward_packed(ids[real], LENGTHS)
    for row in (0, 1, 3):
        other = torch.where(rows == row, ids[real], 15 - ids[real])
        after = body.forward_packed(other, LENGTHS)
        assert torch.equal(after[rows == row], before[rows == row])
        assert (after - before)[rows != row].abs().max() > 1e-3


@pytest.mark.parametrize("name", MIXES)
def test_padding_on_the_left(name: str) -> None:
    ids, real, _ = batch()
    body = loud(MIXES[name]).body
    expected = body(ids, real)[real]
    moved_ids, moved_real = torch.zeros_like(ids), torch.zeros_like(real)
    for row, length in enumerate(LENGTHS):
        moved_ids[row, 20 - length :], moved_real[row, 20 - length :] = ids[row, :length], True
    assert (body(moved_ids, moved_real)[moved_real] - expected).abs().max() < 1e-5


def test_order_of_packed_sequences_is_kept() -> None:
    ids, real, wanted = batch()
    body = loud(PLAIN).body.get_submodule("")
    one_by_one = torch.cat([body(ids[row : row + 1, :length])[0] for row, length in enumerate(LENGTHS)])
    assert (body.forward_packed(ids[real], torch.tensor(LENGTHS)) - one_by_one).abs().max() < 1e-5
    assert (body.forward_packed(ids[real], LENGTHS, wanted[real]) - one_by_one[wanted[real]]).abs().max() < 1e-5


@pytest.mark.parametrize("lengths", [[20, 20], [], [28, 0, 40], [69, -1], [[68]]])
def test_lengths_that_do_not_fit(lengths: list[int]) -> None:
    ids, real, _ = batch()
    assert int(real.sum()) == 68
    with pytest.raises(DataError, match="68 in sum"):
        loud(PLAIN).body.get_submodule("").forward_packed(ids[real], lengths)


def test_too_long_a_packed_sequence() -> None:
    with pytest.raises(DataError, match="25 tokens"):
        loud(PLAIN).body.get_submodule("").forward_packed(torch.ones(30, dtype=torch.long), [5, 25])


def test_a_local_layer_by_hand() -> None:
    """With equal scores a token of a local layer gives the mean of itself and half a window on each side."""
    config = dataclasses.replace(PLAIN, positions="alibi", local_window=4)
    context = AttentionContext.packed(config, [6], None, torch.device("cpu"))
    nothing = torch.zeros(6, 4, 8)
    values = torch.arange(6.0)[:, None, None].expand(6, 4, 8)
    mixed = context.attend(nothing, nothing, values, local=True, dropout=0.0)
    torch.testing.assert_close(mixed[:, 0], torch.tensor([1.0, 1.5, 2.0, 3.0, 3.5, 4.0]))
    mixed = context.attend(nothing, nothing, values, local=False, dropout=0.0)
    torch.testing.assert_close(mixed[:, 0], torch.full((6,), 2.5))


@pytest.mark.parametrize("positions", ["rotary", "alibi", "relative"])
def test_blocks_of_a_long_sequence_equal_the_whole(positions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local layers in blocks of 64 and a window, against all scores with those far away hidden."""
    config = dataclasses.replace(PLAIN, positions=positions, local_window=10, global_every=9, max_positions=200)
    body = loud(config).body.get_submodule("")
    ids = torch.randint(5, 12, (3, 200), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([200, 149, 64])
    real = torch.arange(200) < lengths[:, None]
    whole, padded, packed = body(ids), body(ids, real)[real], body.forward_packed(ids[real], lengths)
    left = body(ids.flip(1), real.flip(1))[real.flip(1)]
    monkeypatch.setattr(AttentionContext, "_block", 10_000)
    assert (whole - body(ids)).abs().max() < 1e-5
    assert (padded - body(ids, real)[real]).abs().max() < 1e-5
    assert (packed - padded).abs().max() < 1e-5
    assert (left - body(ids.flip(1), real.flip(1))[real.flip(1)]).abs().max() < 1e-5


def test_which_layers_are_local() -> None:
    """ModernBERT: every third layer is global, from the first on."""
    config = dataclasses.replace(PLAIN, local_window=128)
    assert [config.is_local(layer) for layer in range(7)] == [False, True, True, False, True, True, False]
    assert not any(PLAIN.is_local(layer) for layer in range(7))


def test_alibi_by_hand() -> None:
    """Two tokens, equal scores, slopes of 2 heads 1/16 and 1/256: the other token weighs e^-slope to 1."""
    assert alibi_slopes(12).tolist() == pytest.approx([*(2.0**-n for n in range(1, 9)), *(2.0 ** -(n + 0.5)
                                                       for n in range(4))])
    config = dataclasses.replace(PLAIN, positions="alibi", n_heads=2)
    context = AttentionContext.packed(config, [2], lambda distance: alibi(distance, 2), torch.device("cpu"))
    values = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 2, 16)
    mixed = context.attend(torch.zeros(2, 2, 16), torch.zeros(2, 2, 16), values, local=False, dropout=0.0)
    for head, slope in enumerate((1 / 16, 1 / 256)):
        other = math.exp(-slope) / (1 + math.exp(-slope))
        assert mixed[0, 16 * head].item() == pytest.approx(other)
        assert mixed[1, 16 * head].item() == pytest.approx(1 - other)


def test_grouped_heads_equal_repeated_ones() -> None:
    """Keys and values of each of 2 heads, written out for both heads of queries that share them, give the same."""
    few = loud(dataclasses.replace(PLAIN, n_kv_heads=2))
    many = loud(PLAIN)
    state = few.state_dict()
    for name in [name for name in state if ".qkv." in name]:
        q, k, v = state[name].split([32, 16, 16])
        k, v = (part.view(2, 8, 32).repeat_interleave(2, dim=0).flatten(0, 1) for part in (k, v))
        state[name] = torch.cat([q, k, v])
    many.load_state_dict(state)
    ids, real, _ = batch()
    assert (few(ids, real) - many(ids, real))[real].abs().max() < 1e-5


def test_swiglu_and_rms_norm_by_hand() -> None:
    """A layer without attention: x + (silu(a) * b) O of x / rms(x)."""
    config = dataclasses.replace(PLAIN, hidden_size=8, n_heads=2, norm_kind="rms", ffn="swiglu")
    layer = loud(config).body.get_submodule("layers.1")
    with torch.no_grad():
        layer.get_submodule("attention_out").weight.zero_()
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(5))
    got = layer(x, AttentionContext.packed(config, [3], None, torch.device("cpu")))
    seen = x / (x.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * layer.get_submodule("ffn_norm").weight
    a, b = (seen @ layer.get_submodule("ffn_in").weight.T).chunk(2, dim=1)
    expected = x + (a / (1 + (-a).exp()) * b) @ layer.get_submodule("ffn_out").weight.T
    torch.testing.assert_close(got, expected)


def test_token_dropout_by_hand() -> None:
    """One [MASK] of four tokens: its embedding is zero, the others are scaled by .88 / .75."""
    config = dataclasses.replace(MIXES["esm-1b"], positions="rotary", position_offset=0, first_norm="layer")
    body = loud(config).body
    ids = torch.tensor([[2, 4, 7, 3, 0], [5, 6, 7, 8, 9]])
    first = body.hidden_states(ids, torch.tensor([[True] * 4 + [False], [True] * 5]))[0]
    table = body.tokens.weight
    torch.testing.assert_close(first[0, 2], table[7] * 0.88 / 0.75)
    torch.testing.assert_close(first[1, 2], table[7] * 0.88)
    assert first[0, 1].abs().max() == 0


@pytest.mark.parametrize(("change", "match"), [
    ({"n_kv_heads": 3}, "n_kv_heads"),
    ({"norm": "post", "first_norm": "layer"}, "first_norm"),
    ({"bias": False, "ffn_bias": "out"}, "ffn_bias"),
    ({"local_window": 5}, "local_window"),
    ({"position_offset": 2}, "position_offset"),
    ({"token_dropout": 1.0}, "token_dropout"),
    ({"token_dropout": 0.1, "mask_id": 12}, "mask_id"),
    ({"local_rope_theta": 0.0}, "local_rope_theta"),
    ({"positions": "sinusoidal"}, "positions"),
    ({"norm_kind": "batch"}, "norm_kind"),
])
def test_parts_that_do_not_go_together(change: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        dataclasses.replace(PLAIN, **change)
