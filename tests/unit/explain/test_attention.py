"""A followed head against the layer's own output and the model's own logits, for every kind of attention."""

import dataclasses
import doctest
import math
import re
from pathlib import Path

import pytest
import torch

from lingome.core.errors import ConfigError, DataError
from lingome.explain.attention import effects_of_hiding, trace_attention
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-a-model-sees-dna.md"
TOKENIZER = CharacterTokenizer()
SEQUENCE = "GATTACAGGNCATTCAGTAAC"
PLAIN = TransformerConfig(vocab_size=9, hidden_size=32, n_layers=3, n_heads=4, ffn_size=48, max_positions=24)
MIXES = {
    "rotary": PLAIN,
    "local": dataclasses.replace(PLAIN, local_window=4, global_every=2, local_rope_theta=100.0),
    "learned": dataclasses.replace(PLAIN, positions="learned", norm="post", ffn="gelu", bias=True, dropout=0.1),
    "alibi": dataclasses.replace(PLAIN, positions="alibi", norm="post", bias=True, ffn_bias="out"),
    "relative": dataclasses.replace(PLAIN, positions="relative", norm_kind="rms", ffn="gelu", first_norm="layer"),
    "grouped": dataclasses.replace(PLAIN, n_kv_heads=2, ffn="swiglu", bias=True, ffn_bias="none"),
    "local alibi, one head of keys": dataclasses.replace(
        PLAIN, positions="alibi", local_window=6, global_every=1000, n_kv_heads=1
    ),
}


def loud(config: TransformerConfig) -> MaskedLM:
    """A model whose biases are not 0, and whose attention is not nearly flat."""
    model = build_masked_lm(config, seed=3)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return model


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("config", MIXES.values(), ids=MIXES)
def test_a_trace_is_what_the_layer_does(config, layer):
    model = loud(config).train()
    block = model.body.layers[layer]
    traces = [
        trace_attention(model, TOKENIZER, SEQUENCE, layer=layer, head=head, hidden_base=5) for head in range(4)
    ]
    assert model.training
    model.eval()
    caught = {}
    handle = block.attention_out.register_forward_hook(lambda _, inputs, out: caught.update(mixed=inputs[0], out=out))
    ids = torch.tensor([[TOKENIZER.cls_id, *TOKENIZER.encode(SEQUENCE).input_ids.tolist(), TOKENIZER.sep_id]])
    ids[0, 6] = TOKENIZER.mask_id
    with torch.no_grad():
        logits = model(ids)[0]
        states = model.body.hidden_states(ids)
    handle.remove()
    mixed = torch.cat([trace.mixed_LK for trace in traces], dim=1)
    torch.testing.assert_close(mixed, caught["mixed"], rtol=0, atol=1e-5)
    written = sum(trace.written_LD for trace in traces)
    if config.bias:
        written = written + block.attention_out.bias
    torch.testing.assert_close(written, caught["out"], rtol=0, atol=1e-4)
    for trace in traces:
        assert trace.deviation < 1e-5
        torch.testing.assert_close(trace.weights_LL.sum(dim=1), torch.ones(len(ids[0])))
        assert trace.weights_LL.max() > 1.5 / len(trace.tokens)  # not flat: a wrong weight would show
        torch.testing.assert_close(trace.weights_LL @ trace.v_LK, trace.mixed_LK)
        assert torch.equal(trace.probabilities_LV, logits.softmax(dim=1))
        assert torch.equal(trace.embeddings_LD, states[0][0])
        assert torch.equal(trace.x_LD, states[layer][0])
        assert trace.rotated == (config.positions == "rotary")
        assert torch.equal(trace.attention_LD, caught["out"])
        if config.norm == "pre":
            torch.testing.assert_close(trace.y_LD, trace.x_LD + trace.attention_LD + trace.ffn_LD)
        if layer < 2:
            assert torch.equal(trace.y_LD, states[layer + 1][0])


def test_heads_that_share_keys_and_values():
    traces = [trace_attention(loud(MIXES["grouped"]), TOKENIZER, "GATTACA", layer=0, head=head) for head in range(4)]
    same = [[torch.equal(one.k_LK, other.k_LK) for other in traces] for one in traces]
    assert same == [[True, True, False, False]] * 2 + [[False, False, True, True]] * 2
    assert not torch.equal(traces[0].q_LK, traces[1].q_LK)


def test_rotation_keeps_lengths_and_turns_all_but_the_first_row():
    model = loud(PLAIN)
    trace = trace_attention(model, TOKENIZER, SEQUENCE, layer=0, head=2)
    block = model.body.layers[0]
    with torch.no_grad():
        plain = block.qkv(trace.x_LD)[:, 16:24]  # the first layer of ModernBERT has no norm before attention
    torch.testing.assert_close(trace.q_LK.norm(dim=1), plain.norm(dim=1))
    assert torch.equal(trace.q_LK[0], plain[0])
    assert not torch.allclose(trace.q_LK[1:], plain[1:], atol=1e-2)


def test_tokens_know_their_bases():
    trace = trace_attention(loud(PLAIN), TOKENIZER, "GANTC", layer=0, head=0, hidden_base=3)
    assert trace.tokens == ("[CLS]", "G", "A", "[UNK]", "[MASK]", "C", "[SEP]")
    assert trace.starts.tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert trace.ends.tolist() == [0, 1, 2, 3, 4, 5, 5]
    assert (trace.hidden_row, trace.hidden_token) == (4, "T")
    open_trace = trace_attention(loud(PLAIN), TOKENIZER, "GANTC", layer=0, head=0)
    assert (open_trace.hidden_row, open_trace.hidden_token) == (None, "")


def test_effects_of_hiding_are_those_of_one_run_a_token():
    model = loud(MIXES["learned"])
    trace = trace_attention(model, TOKENIZER, "GATTACA", layer=0, head=0, hidden_base=2)
    effects = effects_of_hiding(model, TOKENIZER, trace)
    assert torch.isnan(effects).tolist() == [True, False, False, True, False, False, False, False, True]
    true = TOKENIZER.ids["T"]
    model.eval()
    for row in (1, 7):
        ids = trace.input_ids.clone()
        ids[row] = TOKENIZER.mask_id
        with torch.no_grad():
            p = model(ids[None])[0, 3].softmax(dim=0)[true]
        bits = math.log2(float(trace.probabilities_LV[3, true]) / float(p))
        assert float(effects[row]) == pytest.approx(bits, abs=1e-4)
        assert abs(bits) > 1e-3
    with pytest.raises(DataError, match="no hidden token"):
        effects_of_hiding(model, TOKENIZER, trace_attention(model, TOKENIZER, "GATTACA", layer=0, head=0))


def test_what_cannot_be_followed_is_refused():
    model = loud(PLAIN)
    for wrong in ({"layer": 3, "head": 0}, {"layer": 0, "head": -1}):
        with pytest.raises(ConfigError, match="0 to"):
            trace_attention(model, TOKENIZER, "ACGT", **wrong)
    with pytest.raises(ConfigError, match="9"):
        trace_attention(loud(dataclasses.replace(PLAIN, vocab_size=12)), TOKENIZER, "ACGT", layer=0, head=0)
    with pytest.raises(DataError, match="nothing to read"):
        trace_attention(model, TOKENIZER, "", layer=0, head=0)
    with pytest.raises(DataError, match="no token owns"):
        trace_attention(model, TOKENIZER, "ACGT", layer=0, head=0, hidden_base=4)
    with pytest.raises(DataError, match="longer than the model"):
        trace_attention(model, TOKENIZER, "ACGT" * 10, layer=0, head=0)
    assert not model.body.layers[0]._forward_hooks
    assert not model.body.layers[0]._forward_pre_hooks


def test_only_a_transformer_encoder_has_attention_to_follow():
    from lingome.models.networks.dilated.shape import DilatedConfig

    with pytest.raises(ConfigError, match="Dilated"):
        trace_attention(build_masked_lm(DilatedConfig(), seed=0), TOKENIZER, "ACGT", layer=0, head=0)


def test_the_page_says_what_its_code_says(monkeypatch, data_dir):
    """The Python blocks of ``docs/how-a-model-sees-dna.md``, run in order; each number of the page is printed there."""
    monkeypatch.setenv("LINGOME_DATA", str(data_dir))
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.failed == 0
    assert done.attempted >= 40


def test_the_page_and_its_pictures_walk_the_same_sequence():
    page, script = (
        path.read_text(encoding="utf-8") for path in (PAGE, PAGE.parent / "pictures" / "how_a_model_sees_dna.py")
    )
    letters = [re.findall(r'"([ACGT]{50})"', text) for text in (page, script)]
    assert len(letters[0]) == 2
    assert letters[0] == letters[1]
    shown = re.findall(r"\((pictures/how_\w+\.png)\)", page)
    assert len(shown) == 5
    assert set(shown) == set(re.findall(r"pictures/how_\w+\.png", page))
    for name in shown:
        assert Path(name).name in script
        assert (PAGE.parent / name).read_bytes().startswith(b"\x89PNG")
