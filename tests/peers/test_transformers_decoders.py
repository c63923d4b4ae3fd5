"""Our decoder against transformers' GPT-2, Llama and Mistral, on random weights."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import tokenizers
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
)

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.decoder.model import CausalLM, KvCache
from lingome.models.presets import CAUSAL_PRESETS, build_causal_lm, count_parameters
from lingome.models.reading.batching import collate
from lingome.tokens.kmers import KmerTokenizer


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Their classes draw weights from the one generator of torch, which other tests use too."""
    torch.manual_seed(1)


TOKENIZER = KmerTokenizer(3, True)
V = TOKENIZER.vocab_size
IDS = {"vocab_size": V, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
LLAMA = IDS | {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 40, "max_position_embeddings": 64,
}
LENGTHS = torch.tensor([40, 9, 23])


def gpt2(**settings: object) -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(**IDS, n_embd=32, n_layer=3, n_head=4, n_positions=64, **settings))


THEIRS = {
    "gpt2": gpt2,
    "gpt2-untied": lambda: gpt2(tie_word_embeddings=False, n_inner=48),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA)),
    "llama-tied": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, tie_word_embeddings=True)),
    "llama-bias": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, attention_bias=True, mlp_bias=True)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**LLAMA, sliding_window=None)),
    "mistral-window": lambda: MistralForCausalLM(MistralConfig(**LLAMA, sliding_window=7, head_dim=12)),
    "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**LLAMA)),
    "mixtral-window": lambda: MixtralForCausalLM(
        MixtralConfig(**LLAMA, sliding_window=9, num_local_experts=5, num_experts_per_tok=3, tie_word_embeddings=True)
    ),
}


def batch(side: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and positions of three sequences, padded on one side."""
    ids = torch.randint(5, V, (3, 40), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(40) < LENGTHS[:, None]
    mask = mask.flip(1) if side == "left" else mask
    return ids.masked_fill(~mask, 0), mask, (mask.long().cumsum(1) - 1).clamp(min=0)


@torch.no_grad()
def shake(model: torch.nn.Module, size: float = 0.1) -> None:
    """Move every weight, so that no bias is 0 and no scale is 1."""
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(size * torch.randn(parameter.shape, generator=draw))


@torch.no_grad()
def check_equal(ours: CausalLM, theirs: PreTrainedModel) -> None:
    """Equal logits without padding, with padding on either side, and piece by piece through a cache."""
    ours.eval(), theirs.eval()
    for side in ("left", "right"):
        ids, mask, places = batch(side)
        whole = theirs(input_ids=ids).logits
        assert whole.abs().max() > 0.1
        assert (ours(ids) - whole).abs().max() < 1e-5
        padded = theirs(input_ids=ids, attention_mask=mask.long(), position_ids=places).logits
        assert (ours(ids, mask) - padded)[mask].abs().max() < 1e-5
        cache = KvCache(ours.config, 3, 40)
        parts = [ours(i, m, cache) for i, m in zip(ids.split([25, 1, 1, 13], 1), mask.split([25, 1, 1, 13], 1),
                                                   strict=True)]
        assert (torch.cat(parts, 1) - padded)[mask].abs().max() < 1e-5
        cache = KvCache(ours.config, 3, 40)
        parts = [ours(i, None, cache) for i in ids.split([25, 1, 1, 13], 1)]
        assert (torch.cat(parts, 1) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("name", THEIRS)
def test_their_folder_in_ours_and_back(tmp_path: Path, name: str) -> None:
    theirs = THEIRS[name]()
    shake(theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    TOKENIZER.save(tmp_path / "theirs")
    ours, _ = load_checkpoint(tmp_path / "theirs", "causal_lm")
    check_equal(ours, theirs)
    save_checkpoint(tmp_path / "ours", ours, TOKENIZER)
    again, info = AutoModelForCausalLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert torch.equal(again.eval()(batch("left")[0]).logits, theirs(batch("left")[0]).logits)
    assert ours.config.max_positions == 64
    assert ours.config.window == {"mistral-window": 7, "mixtral-window": 9}.get(name, 0)
    assert count_parameters(ours) == sum(parameter.numel() for parameter in theirs.parameters())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "gpt-mini"])
def test_our_folder_in_transformers(tmp_path: Path, name: str, tied: bool) -> None:
    shape = {"hidden_size": 64, "n_layers": 2, "ffn_size": 96, "tie_head": tied, "rope_theta": 500.0}
    kv_heads = 4 if name == "gpt2" else 2
    config = dataclasses.replace(CAUSAL_PRESETS[name], **shape, n_heads=4, n_kv_heads=kv_heads)
    model = build_causal_lm(config, V, seed=1)
    shake(model)
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    theirs, info = AutoModelForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert isinstance(theirs, GPT2LMHeadModel if name == "gpt2" else LlamaForCausalLM)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    check_equal(model, theirs)


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral-window", "mixtral-window"])
def test_a_greedy_loop_gives_the_tokens_of_generate(tmp_path: Path, name: str) -> None:
    """Left-padded prompts, one step at a time through the cache, against their `generate`."""
    theirs = THEIRS[name]().eval()
    shake(theirs, 0.5)
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "causal_lm")
    ids, mask, _ = batch("left")
    expected = theirs.generate(ids, attention_mask=mask.long(), max_new_tokens=20, do_sample=False, eos_token_id=None)
    cache = KvCache(ours.config, 3, 60)
    with torch.no_grad():
        tokens = [ours.last_logits(ids, mask, cache).argmax(1)]
        for _ in range(19):
            tokens.append(ours.last_logits(tokens[-1][:, None], None, cache).argmax(1))
    assert torch.equal(torch.stack(tokens, 1), expected[:, 40:])
    assert len(torch.stack(tokens).unique()) > 5  # not one token over and over


def test_same_gradients_as_gpt2(tmp_path: Path) -> None:
    theirs = gpt2(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    shake(theirs)
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "causal_lm")
    ids, mask, _ = batch("right")
    expected = theirs(input_ids=ids, attention_mask=mask.long(), labels=ids.masked_fill(~mask, -100)).loss
    loss = torch.nn.functional.cross_entropy(ours(ids, mask)[:, :-1][mask[:, 1:]], ids[:, 1:][mask[:, 1:]])
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    wte, qkv = theirs.transformer.wte.weight.grad, theirs.transformer.h[1].attn.c_attn.weight.grad
    torch.testing.assert_close(ours.body.tokens.weight.grad, wte, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(ours.body.layers[1].qkv.weight.grad, qkv.T, atol=1e-6, rtol=1e-4)
    wpe = theirs.transformer.wpe.weight.grad
    torch.testing.assert_close(ours.body.places.weight.grad, wpe, atol=1e-6, rtol=1e-4)


def test_names_of_the_published_gpt2_files(tmp_path: Path) -> None:
    """Without a prefix, and with the causal masks that old files hold."""
    theirs = gpt2()
    shake(theirs)
    GPT2Model.save_pretrained(theirs.transformer, tmp_path)
    TOKENIZER.save(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load(file.read_bytes())
    assert "wte.weight" in tensors
    tensors |= {f"h.{index}.attn.bias": torch.ones(1, 1, 64, 64) for index in range(3)}
    file.write_bytes(safetensors.torch.save(tensors))
    check_equal(load_checkpoint(tmp_path, "causal_lm")[0], theirs)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope_type"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"attention_bias": True}, "mlp_bias"),
    ],
)
def test_variants_of_llama_that_differ_are_refused(tmp_path: Path, settings: dict, said: str) -> None:
    LlamaForCausalLM(LlamaConfig(**LLAMA, **settings)).save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(tmp_path, "causal_lm")


@pytest.mark.parametrize("settings", [
    {"activation_function": "relu"}, {"scale_attn_by_inverse_layer_idx": True}, {"scale_attn_weights": False},
])
def test_variants_of_gpt2_that_differ_are_refused(tmp_path: Path, settings: dict) -> None:
    gpt2(**settings).save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    with pytest.raises(CheckpointError, match=next(iter(settings))):
        load_checkpoint(tmp_path, "causal_lm")


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "expected"),
    [(12, 768, 12, 124_439_808), (24, 1024, 16, 354_823_168), (36, 1280, 20, 774_030_080),
     (48, 1600, 25, 1_557_611_200)],
)
def test_the_four_sizes_of_gpt2(layers: int, hidden: int, heads: int, expected: int) -> None:
    """Counted from the shape, without memory; transformers' class has the same number."""
    config = dataclasses.replace(
        CAUSAL_PRESETS["gpt2"], vocab_size=50_257, n_layers=layers, hidden_size=hidden, n_heads=heads,
        n_kv_heads=heads, ffn_size=4 * hidden,
    )
    with torch.device("meta"):
        ours = CausalLM(config)
        theirs = GPT2LMHeadModel(GPT2Config(n_layer=layers, n_embd=hidden, n_head=heads))
    assert sum(parameter.numel() for parameter in ours.parameters()) == expected
    assert sum(parameter.numel() for parameter in theirs.parameters()) == expected


CLASSIFIERS = {"gpt2": GPT2Config(**IDS, n_embd=32, n_layer=2, n_head=4, n_positions=64, num_labels=3),
               "llama": LlamaConfig(**LLAMA, num_labels=3), "mistral": MistralConfig(**LLAMA, sliding_window=7),
               "mixtral": MixtralConfig(**LLAMA, num_labels=3)}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_their_classifier_in_ours_and_back(tmp_path: Path, name: str) -> None:
    """It reads the last token that is not padding, with no bias; embedding and fine-tuning take the mean instead."""
    theirs = AutoModelForSequenceClassification.from_config(CLASSIFIERS[name]).eval()
    shake(theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    TOKENIZER.save(tmp_path / "theirs")
    ours, _ = load_checkpoint(tmp_path / "theirs", "classifier")
    assert len(ours.config.label_names) == (2 if name == "mistral" else 3)
    assert load_checkpoint(tmp_path / "theirs", "body")[0].config.pooling == "mean"
    ids, mask, _ = batch("right")
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).logits
        assert (ours(ids, mask) - expected).abs().max() < 1e-5
        assert (ours(ids) - theirs(input_ids=ids).logits).abs().max() < 1e-5  # padding told from the ids alone
    save_checkpoint(tmp_path / "ours", ours, TOKENIZER)
    again, info = AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert type(again) is type(theirs)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.no_grad():
        assert torch.equal(again.eval()(input_ids=ids, attention_mask=mask.long()).logits, expected)


@pytest.mark.parametrize("name", ["tf0", "prom"])
def test_trained_classifiers_of_dna(name: str, data_dir: Path) -> None:
    """Mistral-DNA (Mourad), a Mixtral of eight experts: the same logits of sequence cut by the same tokens."""
    folder = data_dir / "models" / f"mistral-dna-1m-{name}"
    ours, tokenizer = load_checkpoint(folder, "classifier")
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    their_tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    draw = np.random.default_rng(0)
    sequences = ["".join(draw.choice(list("ACGT"), length)) for length in draw.integers(20, 300, 50)]
    assert [list(one.input_ids) for one in tokenizer.encode_batch(sequences)] == [
        their_tokenizer.encode(one, add_special_tokens=False).ids for one in sequences
    ]
    ids, mask = collate(
        [one.input_ids for one in tokenizer.encode_batch(sequences)], tokenizer, max_tokens=256
    )
    assert ids[0, : mask[0].sum()].tolist() == their_tokenizer.encode(sequences[0]).ids
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).logits
        assert (ours(ids, mask) - expected).abs().max() < 1e-5
    assert count_parameters(ours) == 723_648
