"""Published names and shapes of HyenaDNA, both ways."""

import dataclasses
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lingome.core.errors import CheckpointError
from lingome.models.folders.families import from_config_json, to_config_json
from lingome.models.networks.hyena.folder import FAMILIES, published_tables
from lingome.models.networks.hyena.model import HyenaLM, build_hyena_lm
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig

SMALL = HyenaConfig(
    hidden_size=16, n_layers=2, ffn_size=40, max_positions=66, filter_size=8, tie_head=False, embedding_dropout=0.0
)
FILE = Path("model.safetensors")
(HYENADNA,) = FAMILIES

PUBLISHED_BLOCK = {
    "mixer.in_proj.weight": (48, 16), "mixer.in_proj.bias": (48,),
    "mixer.out_proj.weight": (16, 16), "mixer.out_proj.bias": (16,),
    "mixer.short_filter.weight": (48, 1, 3), "mixer.short_filter.bias": (48,),
    "mixer.filter_fn.bias": (16,),
    "mixer.filter_fn.pos_emb.z": (1, 66, 5), "mixer.filter_fn.pos_emb.t": (1, 66, 1),
    "mixer.filter_fn.implicit_filter.0.weight": (8, 5), "mixer.filter_fn.implicit_filter.0.bias": (8,),
    "mixer.filter_fn.implicit_filter.1.freq": (1, 8),
    "mixer.filter_fn.implicit_filter.2.weight": (8, 8), "mixer.filter_fn.implicit_filter.2.bias": (8,),
    "mixer.filter_fn.implicit_filter.4.weight": (8, 8), "mixer.filter_fn.implicit_filter.4.bias": (8,),
    "mixer.filter_fn.implicit_filter.6.weight": (16, 8),
    "mixer.filter_fn.modulation.deltas": (1, 1, 16),
    "norm1.weight": (16,), "norm1.bias": (16,), "norm2.weight": (16,), "norm2.bias": (16,),
    "mlp.fc1.weight": (40, 16), "mlp.fc1.bias": (40,), "mlp.fc2.weight": (16, 40), "mlp.fc2.bias": (16,),
}
"""Names and shapes of one block as the published modelling code registers them (shared frequencies once)."""


def shapes(config: HyenaConfig = SMALL) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in HyenaLM(config).state_dict().items()}


def published() -> dict[str, torch.Tensor]:
    """Random tensors of the published names and shapes; the computed tables by the published formulas."""
    draw = torch.Generator().manual_seed(0)
    names: dict[str, tuple[int, ...]] = {
        "hyena.backbone.embeddings.word_embeddings.weight": (16, 16), "hyena.backbone.ln_f.weight": (16,),
        "hyena.backbone.ln_f.bias": (16,), "lm_head.weight": (16, 16),
    }
    for layer in range(2):
        names |= {f"hyena.backbone.layers.{layer}.{name}": shape for name, shape in PUBLISHED_BLOCK.items()}
    tensors = {name: torch.randn(shape, generator=draw) for name, shape in names.items()}
    t = torch.linspace(0, 1, 66)[None, :, None]
    phase = torch.tensor([1e-4, 1.0]) * 2 * torch.pi * torch.arange(66.0)[None, :, None] / 66
    wave = torch.exp(-1j * phase)
    for layer in range(2):
        prefix = f"hyena.backbone.layers.{layer}.mixer.filter_fn."
        tensors[prefix + "pos_emb.t"] = t
        tensors[prefix + "pos_emb.z"] = torch.cat([t, wave.real, wave.imag], dim=-1)
        log_target = torch.tensor(1e-2).log()
        tensors[prefix + "modulation.deltas"] = torch.linspace(log_target / 1.5, log_target / 0.3, 16)[None, None]
    return tensors


def test_published_tensors_make_the_round_trip() -> None:
    """Weights come back bit for bit, the computed tables to float32's last digits."""
    tensors = published()
    model = HyenaLM(SMALL)
    model.load_state_dict(HYENADNA.from_file(tensors, shapes(), SMALL, FILE))
    back = HYENADNA.to_file(model.state_dict(), SMALL)
    assert back.keys() == tensors.keys()
    computed = {name for layer in range(2) for name in published_tables(SMALL, layer)}
    assert len(computed) == 6
    for name, tensor in tensors.items():
        if name in computed:
            torch.testing.assert_close(back[name], tensor, atol=2e-6, rtol=2e-6)
        else:
            assert torch.equal(back[name], tensor), name


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("hyenadna-tiny-1k", 450_712), ("hyenadna-tiny-16k", 635_032), ("hyenadna-tiny-1k-d256", 1_658_008),
        ("hyenadna-small-32k", 4_069_168), ("hyenadna-medium-160k", 14_236_768),
        ("hyenadna-medium-450k", 28_156_768), ("hyenadna-large-1m", 54_556_768),
    ],
)
def test_numbers_in_the_published_files(name: str, count: int) -> None:
    """The hub counts the computed tables and the second copy of the embeddings too: 54.6 M where 6.6 M are learned."""
    config = dataclasses.replace(RELEASED[name], tie_head=False)
    numbers = sum(shape.numel() for shape in shapes(config).values())
    for layer in range(config.n_layers):
        numbers += sum(torch.Size(shape).numel() for shape in published_tables(config, layer).values())
    assert numbers == count


@pytest.mark.parametrize("kind", ["training code", "checkpointing", "three frequencies", "bfloat16", "no tables"])
def test_every_published_kind_of_file(kind: str) -> None:
    tensors = published()
    expected = HYENADNA.from_file(tensors, shapes(), SMALL, FILE)
    if kind in ("training code", "checkpointing"):
        tensors = {"model." + name.removeprefix("hyena."): tensor for name, tensor in tensors.items()}
    if kind == "checkpointing":
        for name in list(tensors):
            tensors[name.replace("mixer.", "mixer.layer.").replace("mlp.", "mlp.layer.")] = tensors.pop(name)
    if kind == "three frequencies":
        for name in [name for name in tensors if name.endswith("freq")]:
            for other in ("3.freq", "5.freq"):
                tensors[name.replace("1.freq", other)] = tensors[name].clone()
    if kind == "bfloat16":
        tensors = {name: tensor.bfloat16() for name, tensor in tensors.items()}
        expected = {name: tensor.bfloat16().float() for name, tensor in expected.items()}
    if kind == "no tables":
        tables = {name for layer in range(2) for name in published_tables(SMALL, layer)}
        tensors = {name: tensor for name, tensor in tensors.items() if name not in tables}
    found = HYENADNA.from_file(tensors, shapes(), SMALL, FILE)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_tied_head_may_be_left_out_but_must_not_differ() -> None:
    tied = dataclasses.replace(SMALL, tie_head=True)
    tensors = published()
    with pytest.raises(CheckpointError, match="differs from the embeddings"):
        HYENADNA.from_file(tensors, shapes(tied), tied, FILE)
    del tensors["lm_head.weight"]
    found = HYENADNA.from_file(tensors, shapes(tied), tied, FILE)
    assert torch.equal(found["head.weight"], tensors["hyena.backbone.embeddings.word_embeddings.weight"])


PROBLEMS = ("missing", "unexpected", "shape", "type", "trained positions", "frequencies", "head")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_problems_are_named(problem: str) -> None:
    tensors = published()
    prefix = "hyena.backbone.layers.1."
    name = prefix + "mlp.fc1.weight"
    said = {"missing": f"missing {name}", "unexpected": "unexpected hyena.pooler", "type": "not floating-point",
            "shape": r"fc1.weight is \[16, 40\], config.json asks for \[40, 16\]",
            "trained positions": "pos_emb.z was changed by training", "frequencies": "copies of .*1.freq differ",
            "head": "missing lm_head.weight"}[problem]
    if problem == "missing":
        del tensors[name]
    elif problem == "unexpected":
        tensors["hyena.pooler"] = torch.ones(1)
    elif problem == "shape":
        tensors[name] = tensors[name].T
    elif problem == "type":
        tensors[name] = tensors[name].int()
    elif problem == "trained positions":
        tensors[prefix + "mixer.filter_fn.pos_emb.z"][0, 5, 1] += 0.01
    elif problem == "frequencies":
        tensors[prefix + "mixer.filter_fn.implicit_filter.3.freq"] = torch.ones(1, 8)
    else:
        del tensors["lm_head.weight"]
    with pytest.raises(CheckpointError, match=said):
        HYENADNA.from_file(tensors, shapes(), SMALL, FILE)


def test_the_published_config_is_read() -> None:
    """That of the 160k model, as its folder has it."""
    content = {
        "activation_freq": 10, "architectures": ["HyenaDNAForCausalLM"], "d_inner": 1024, "d_model": 256, "emb_dim": 5,
        "embed_dropout": 0.1, "filter_order": 64, "hyena_dropout": 0.0, "hyena_filter_dropout": 0.0, "hyena_order": 2,
        "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "max_seq_len": 160002, "model_type": "hyenadna",
        "n_layer": 8, "num_inner_mlps": 2, "pad_token_id": 4, "pad_vocab_size_multiple": 8, "short_filter_order": 3,
        "tie_word_embeddings": False, "train_freq": True, "use_bias": True, "vocab_size": 12,
    }
    config = from_config_json(content, Path("config.json"))
    assert config == dataclasses.replace(RELEASED["hyenadna-medium-160k"], tie_head=False)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_type": "hyena"}, "models of this type"), ({"hyena_order": 3}, "hyena_order = 3"),
        ({"d_model": None}, "d_model"), ({"n_layer": "8"}, "n_layer"), ({"n_layer": 0}, "cannot be used"),
        ({"tie_word_embeddings": 1}, "true or false"),
    ],
)
def test_a_config_that_does_not_fit(values: dict, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        from_config_json({**to_config_json(SMALL), **values}, Path("config.json"))


@pytest.mark.parametrize("tied", [True, False])
def test_a_folder_gives_the_same_logits(tmp_path: Path, tied: bool) -> None:
    config = dataclasses.replace(SMALL, tie_head=tied, pad_id=5, dropout=0.25)
    model = build_hyena_lm(config, seed=1).eval()
    (tmp_path / "config.json").write_text(json.dumps(to_config_json(config)))
    tensors = {name: tensor.clone() for name, tensor in HYENADNA.to_file(model.state_dict(), config).items()}
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")

    read = from_config_json(json.loads((tmp_path / "config.json").read_text()), tmp_path / "config.json")
    assert read == config
    file = tmp_path / "model.safetensors"
    again = HyenaLM(read).eval()
    again.load_state_dict(HYENADNA.from_file(safetensors.torch.load_file(file), shapes(read), read, file))
    ids = torch.randint(7, 12, (2, 30), generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(ids), model(ids))


def test_every_tensor_has_another_name() -> None:
    names = [HYENADNA.file_names(name, SMALL) for name in shapes()]
    assert len(set(names)) == len(names) == 50  # two blocks of 23, and four around them
