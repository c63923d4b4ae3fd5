"""The decoder against values worked by hand, and its folders."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.layers.blocks import attend
from lingome.models.networks.decoder.model import CausalLM, KvCache, store_for_steps
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

TOKENIZER = CharacterTokenizer()
LLAMA = DecoderConfig(
    vocab_size=9, hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48, max_positions=24
)
GPT2 = dataclasses.replace(LLAMA, positions="learned", norm="layer", ffn="gelu_tanh", bias=True, n_kv_heads=4)
OWN = dataclasses.replace(LLAMA, positions="learned", tie_head=False, dropout=0.1)
WINDOW = dataclasses.replace(LLAMA, window=5, head_dim=6)
EXPERTS = dataclasses.replace(LLAMA, window=9, n_experts=3, n_experts_per_token=1)
SHAPES = pytest.mark.parametrize(
    "config", [LLAMA, GPT2, OWN, WINDOW, EXPERTS], ids=["llama", "gpt2", "own", "window", "experts"]
)


def batch(side: str = "right") -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 9, (4, 20), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(20) < torch.tensor([20, 7, 13, 3])[:, None]
    mask = mask.flip(1) if side == "left" else mask
    return ids.masked_fill(~mask, 0), mask


def wide(config: DecoderConfig, seed: int = 3) -> CausalLM:
    """A model of larger weights, whose tokens tell on each other as in a trained one."""
    model = build_causal_lm(config, seed=seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10 if parameter.dim() > 1 else 1)
    return model


def test_causal_attention_of_two_tokens_by_hand() -> None:
    """The first token sees itself alone; the second softmax([0, 2] / sqrt(4)) = [1, e] / (1 + e)."""
    q = torch.tensor([[5.0, 0, 0, 0], [0, 2, 0, 0]]).view(1, 1, 2, 4)
    k = torch.eye(4)[:2].view(1, 1, 2, 4)
    expected = torch.zeros(2, 4)
    expected[0, 0] = 1
    expected[1, :2] = torch.tensor([1, math.e]) / (1 + math.e)
    torch.testing.assert_close(attend(q, k, k, None, 0.0, causal=True)[0, 0], expected)
    rounded = attend(q.bfloat16(), k.bfloat16(), k.bfloat16(), None, 0.0, causal=True)[0, 0].float()
    torch.testing.assert_close(rounded, expected, atol=0.01, rtol=0.01)


@SHAPES
def test_a_token_does_not_see_those_after_it(config: DecoderConfig) -> None:
    ids, _ = batch()
    other = ids.clone()
    other[:, 12:] = 8
    model = wide(config)
    with torch.no_grad():
        first, second = model(ids), model(other)
    assert torch.equal(first[:, :12], second[:, :12])
    assert (first[:, 12:] - second[:, 12:]).abs().max() > 0.1


def test_a_token_does_not_see_beyond_its_window() -> None:
    """Two layers of five tokens reach eight tokens back, and no further."""
    ids, _ = batch()
    other = ids.clone()
    other[:, 4] = torch.where(ids[:, 4] == 8, 5, 8)
    model = wide(WINDOW)
    with torch.no_grad():
        gap_BL = (model(ids) - model(other)).abs().amax(dim=2)
    assert (gap_BL[:, 4:13].amax(dim=0) > 1e-4).all()
    assert (gap_BL[:, 13:] == 0).all()


def test_states_of_every_layer() -> None:
    """The first is the embedding, the last what the body gives."""
    ids, mask = batch("left")
    body = wide(EXPERTS).body
    with torch.no_grad():
        states = body.hidden_states(ids, mask)
        assert [tuple(state.shape) for state in states] == [(4, 20, 32)] * 3
        assert torch.equal(states[0], body.tokens(ids))
        assert torch.equal(states[-1], body(ids, mask))
        assert torch.equal(body(ids, mask, mask), states[-1][mask])


@SHAPES
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_padding_and_cache_change_nothing(config: DecoderConfig, side: str, dtype: torch.dtype) -> None:
    """Alone, padded on either side, and piece by piece through the cache: the same logits."""
    ids, mask = batch(side)
    model = wide(config)
    near = 1e-5 if dtype == torch.float32 else 0.2
    cache = KvCache(config, 4, 20, dtype=dtype)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        padded = model(ids, mask)
        pieces = torch.cat([model(ids[:, i:j], mask[:, i:j], cache) for i, j in ((0, 8), (8, 9), (9, 10), (10, 20))], 1)
        last = model.last_logits(ids, mask)
        assert cache.length == 20
        assert padded.isfinite().all()
        assert (pieces - padded)[mask].abs().max() < near
        for row in range(4):
            alone = model(ids[row : row + 1, mask[row]])[0]
            assert (alone - padded[row, mask[row]]).abs().max() < near
            assert (alone[-1] - last[row]).abs().max() < near


def test_steps_after_right_padding_take_the_right_positions() -> None:
    """A token given after a padded prompt stands right after the last real one, though slots lie between."""
    ids, mask = batch("right")
    model = wide(GPT2)
    cache = KvCache(GPT2, 4, 22)
    step = torch.tensor([[5], [6], [7], [8]])
    with torch.no_grad():
        model.last_logits(ids, mask, cache)
        first = model.last_logits(step, None, cache)
        second = model.last_logits(step, torch.ones(4, 1), cache)
        for row in range(4):
            alone = torch.cat([ids[row, mask[row]], step[row], step[row]])[None]
            torch.testing.assert_close(model(alone)[0, -2], first[row], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(model(alone)[0, -1], second[row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("index", [[2, 2, 0, 1], [1, 3], [0, 0, 1, 1, 2, 2, 3, 3]], ids=["same", "fewer", "more"])
def test_reordered_cache(index: list[int]) -> None:
    """After `reorder` the next step is that of the chosen sequences."""
    ids, mask = batch("left")
    model, chosen = wide(LLAMA), torch.tensor(index)
    cache, expected = KvCache(LLAMA, 4, 21), KvCache(LLAMA, len(index), 21)
    with torch.no_grad():
        model(ids, mask, cache)
        model(ids[chosen], mask[chosen], expected)
        cache.reorder(chosen)
        step = torch.full((len(index), 1), 6)
        torch.testing.assert_close(model(step, None, cache), model(step, None, expected), atol=1e-6, rtol=1e-5)
    assert cache.batch_size == len(index)


def test_fewer_heads_of_keys_are_heads_repeated() -> None:
    """Two heads of keys and values equal four whose rows are the two's, each twice."""
    grouped = wide(LLAMA)
    config = dataclasses.replace(LLAMA, n_kv_heads=4)
    whole = CausalLM(config).eval()
    state = grouped.state_dict()
    for index in range(2):
        q, k, v = state[f"body.layers.{index}.qkv.weight"].split([32, 16, 16])
        twice = [x.view(2, 8, 32).repeat_interleave(2, dim=0).reshape(32, 32) for x in (k, v)]
        state[f"body.layers.{index}.qkv.weight"] = torch.cat([q, *twice])
    whole.load_state_dict(state)
    ids, mask = batch()
    with torch.no_grad():
        torch.testing.assert_close(grouped(ids, mask)[mask], whole(ids, mask)[mask], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(grouped(ids[:, :1]), whole(ids[:, :1]), atol=1e-6, rtol=1e-5)


def test_one_layer_by_hand() -> None:
    """One token, identity matrices: x + out(v(norm x)) is x + n(x), then x + silu(n) * n."""
    config = DecoderConfig(vocab_size=9, hidden_size=4, n_layers=1, n_heads=1, n_kv_heads=1, ffn_size=4, norm_eps=1e-12)
    model = CausalLM(config).eval()
    one = torch.eye(4)
    with torch.no_grad():
        model.body.tokens.weight[5] = torch.tensor([1.0, -1, 1, 1])
        layer = model.body.layers[0]
        layer.qkv.weight.copy_(torch.cat([one, one, one]))
        layer.ffn_in.weight.copy_(torch.cat([one, one]))
        layer.attention_out.weight.copy_(one), layer.ffn_out.weight.copy_(one)
        # The root mean square of (1, -1, 1, 1) is 1: the norm gives it back, attention doubles it, the norm halves it.
        up, down = 2 + 1 / (1 + math.exp(-1)), -2 + 1 / (1 + math.e)
        x = torch.tensor([up, down, up, up])
        torch.testing.assert_close(model.body(torch.tensor([[5]]))[0, 0], x / x.square().mean().sqrt())


def test_no_gradient_through_a_cache() -> None:
    ids, _ = batch()
    model = build_causal_lm(LLAMA)
    assert model(ids).requires_grad
    assert not model.body(ids, cache=KvCache(LLAMA, 4, 20)).requires_grad
    assert torch.is_grad_enabled()


@SHAPES
def test_stored_for_steps_nothing_changes(tmp_path: Path, config: DecoderConfig) -> None:
    ids, mask = batch()
    model = wide(config)
    with torch.no_grad():
        before = model(ids, mask)
        assert store_for_steps(model) is model
        torch.testing.assert_close(model(ids, mask), before, atol=1e-5, rtol=1e-5)
    layer = model.body.layers[0]
    wide_one = layer.mixture.experts[0].ffn_in if config.n_experts else layer.ffn_in
    assert wide_one.weight.stride() == (1, wide_one.out_features)
    assert (model.head.weight is model.body.tokens.weight) == config.tie_head
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded = load_checkpoint(tmp_path / "model", "causal_lm")[0]
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))


def test_what_does_not_fit() -> None:
    model = build_causal_lm(LLAMA)
    with pytest.raises(DataError, match="25 tokens"):
        model(torch.ones(1, 25, dtype=torch.long))
    cache = KvCache(LLAMA, 2, 10)
    model(torch.ones(2, 8, dtype=torch.long), None, cache)
    with pytest.raises(DataError, match=r"(?s)3 tokens after the 8 in the cache.*at most 2"):
        model(torch.ones(2, 3, dtype=torch.long), None, cache)
    with pytest.raises(DataError, match=r"(?s)3 sequences.*2"):
        model(torch.ones(3, 1, dtype=torch.long), None, cache)
    assert cache.length == 8
    with pytest.raises(ConfigError, match="25 tokens per sequence"):
        KvCache(LLAMA, 1, 25)
    with pytest.raises(ConfigError, match="0 sequences"):
        KvCache(LLAMA, 0, 5)


def test_initialisation_follows_its_table() -> None:
    layer = build_causal_lm(dataclasses.replace(GPT2, hidden_size=128, ffn_size=256), seed=0).body.layers[1]
    # A normal cut at two standard deviations keeps 0.8796 of its spread.
    assert layer.qkv.weight.std().item() == pytest.approx(0.02 * 0.8796, rel=0.02)
    assert layer.attention_out.weight.std().item() == pytest.approx(0.02 * 0.8796 / 2, rel=0.02)
    assert layer.ffn_out.weight.std().item() == pytest.approx(0.02 * 0.8796 / 2, rel=0.02)
    assert layer.qkv.bias.abs().max() == 0
    assert torch.equal(layer.ffn_norm.weight, torch.ones(128))


@SHAPES
def test_folder_comes_back(tmp_path: Path, config: DecoderConfig) -> None:
    model = build_causal_lm(config, seed=1).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded, tokenizer = load_checkpoint(tmp_path / "model", "causal_lm")
    assert loaded.config == config
    assert tokenizer.digest == TOKENIZER.digest
    assert not loaded.training
    assert torch.equal(loaded(batch()[0]), model(batch()[0]))
    assert (loaded.head.weight is loaded.body.tokens.weight) == config.tie_head
    loaded(batch()[0]).sum().backward()
    _, header, text = (tmp_path / "model/README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header)["pipeline_tag"] == "text-generation"
    assert 'lg.load("this-folder")' in text
    assert "A decoder of DNA" in text
    assert ("AutoModelForCausalLM" in text) == (config is not OWN)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", build_causal_lm(LLAMA, seed=1), TOKENIZER)
    return tmp_path / "model"


def test_another_kind_of_model(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)causal language model.*lingome generate and score"):
        load_checkpoint(saved, "masked_lm")
    with pytest.raises(CheckpointError, match="not a lingome classifier"):
        load_checkpoint(saved, "classifier")
    model, ids = build_causal_lm(LLAMA, seed=1).eval(), batch()[0]
    assert torch.equal(load_checkpoint(saved, "body")[0](ids), model.body(ids))
    save_checkpoint(tmp_path / "encoder", build_masked_lm("nano", TOKENIZER.vocab_size), TOKENIZER)
    with pytest.raises(CheckpointError, match="not a causal language model"):
        load_checkpoint(tmp_path / "encoder", "causal_lm")
    with pytest.raises(CheckpointError, match=r"(?s)69 tokens.*9"):
        save_checkpoint(tmp_path / "other", build_causal_lm(LLAMA), KmerTokenizer(3, True))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load(file.read_bytes()) | changes
    file.write_bytes(safetensors.torch.save({k: v for k, v in tensors.items() if v is not None}))


def test_wrong_tensors_are_named(tmp_path: Path, saved: Path) -> None:
    edit_tensors(saved, **{
        "model.layers.0.self_attn.k_proj.weight": torch.zeros(32, 32), "stranger": torch.zeros(2),
        "model.layers.1.mlp.up_proj.weight": None,
    })
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved, "causal_lm")
    for piece in ("missing model.layers.1.mlp.up_proj.weight", "unexpected stranger",
                  "model.layers.0.self_attn.k_proj.weight is [32, 32], config.json asks for [16, 32]"):
        assert piece in str(caught.value)
    save_checkpoint(tmp_path / "gpt2", build_causal_lm(GPT2), TOKENIZER)
    edit_tensors(tmp_path / "gpt2", **{"transformer.h.0.attn.c_attn.weight": torch.zeros(96, 32)})
    with pytest.raises(CheckpointError, match=r"c_attn\.weight is \[96, 32\], config\.json asks for \[32, 96\]"):
        load_checkpoint(tmp_path / "gpt2", "causal_lm")


@pytest.mark.parametrize("keep", [0, 4, 200, -10])
def test_damaged_weights(saved: Path, keep: int) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load_checkpoint(saved, "causal_lm")


@pytest.mark.parametrize("config", [LLAMA, GPT2, OWN], ids=["llama", "gpt2", "own"])
def test_broken_settings(tmp_path: Path, config: DecoderConfig) -> None:
    save_checkpoint(tmp_path / "model", build_causal_lm(config), TOKENIZER)
    file = tmp_path / "model/config.json"
    good = json.loads(file.read_text())
    names = {"hidden_size", "n_embd"} & good.keys()
    assert len(names) == 1
    size = names.pop()
    changes = [{size: None}, {size: "many"}, {size: 33}, {size: 10**400}, {size: True}, {size: 0}, {"vocab_size": 10}]
    if config is LLAMA:
        changes += [
            {"num_key_value_heads": 3}, {"num_key_value_heads": "x"}, {"rope_parameters": [1]}, {"rope_theta": "x"},
            {"rope_parameters": {"rope_type": "yarn"}}, {"rms_norm_eps": -1}, {"num_attention_heads": 0},
        ]
    if config is GPT2:
        changes += [{"n_inner": "x"}, {"activation_function": "relu"}, {"n_layer": 10**9}]
    for change in changes:
        file.write_text(json.dumps(good | change))
        with pytest.raises(CheckpointError):
            load_checkpoint(tmp_path / "model", "causal_lm")
