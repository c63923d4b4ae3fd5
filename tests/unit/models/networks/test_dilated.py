"""The dilated convolution encoder against the released programs, written out, and against its own laws."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.folders.families import find_family, from_config_json, to_config_json
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.heads.reverse_complement import Complement, ReverseComplement
from lingome.models.networks.dilated.model import Dilated, initialise_dilated
from lingome.models.networks.dilated.shape import DilatedConfig
from lingome.models.presets import PRESETS, build_classifier, build_masked_lm, count_parameters
from lingome.tokens.characters import CharacterTokenizer

SMALL = DilatedConfig(hidden_size=16, n_layers=4, ffn_size=24, first_kernel=5, kernel=3, dilation_cycle=3, bias=True)
SHAPES = {
    "gpn": SMALL,
    "gpn without biases": dataclasses.replace(SMALL, bias=False),
    "gpn with a tied table": dataclasses.replace(SMALL, embedding="table", tie_head=True),
    "convnet": dataclasses.replace(SMALL, block="convnet", ffn_size=16, kernel=5, dilation_max=2),
}
WORKING = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())


def loud(config: DilatedConfig, seed: int = 0) -> MaskedLM:
    """A model whose every weight matters: no zero biases and no plain norms."""
    model = build_masked_lm(config, seed=seed).eval()
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw), alpha=0.2)
    return model


def bases(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(5, 9, shape, generator=torch.Generator().manual_seed(seed))


def released_gpn(state: dict[str, Tensor], ids: Tensor, config: DilatedConfig) -> Tensor:
    """Logits by the present release: pre-norm blocks, as published, from the tensors of its own folder."""
    D = config.hidden_size

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (D,), state[f"{name}.weight"], state.get(f"{name}.bias"))

    def dense(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", torch.zeros(()))

    x = F.one_hot(ids, D).float()
    if "model.embeddings.word_embeddings.weight" in state:
        x = state["model.embeddings.word_embeddings.weight"][ids]
    for i in range(config.n_layers):
        at = f"model.encoder.layer.{i}"
        conv = F.conv1d(
            norm(x, f"{at}.conv.0").transpose(1, 2), state[f"{at}.conv.2.weight"], state.get(f"{at}.conv.2.bias"),
            padding="same", dilation=2 ** (i % config.dilation_cycle),
        )
        x = x + dense(F.gelu(conv.transpose(1, 2)), f"{at}.conv.5")
        x = x + dense(F.gelu(dense(norm(x, f"{at}.ffn.0"), f"{at}.ffn.1")), f"{at}.ffn.3")
    x = norm(x, "model.ln_f")
    return dense(norm(F.gelu(dense(x, "cls.transform.0")), "cls.transform.2"), "cls.decoder")


def released_convnet(state: dict[str, Tensor], ids: Tensor, config: DilatedConfig) -> Tensor:
    """Logits by the first release: norms after, as published, from the tensors of its own folder."""
    D = config.hidden_size

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (D,), state[f"{name}.weight"], state[f"{name}.bias"])

    def dense(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    x = F.one_hot(ids, D).float()
    for i in range(config.n_layers):
        at, apart = f"model.encoder.{i}", min(config.dilation_max, 2 ** (i % config.dilation_cycle))
        conv = F.conv1d(
            x.transpose(1, 2), state[f"{at}.conv.1.weight"], state[f"{at}.conv.1.bias"], padding="same", dilation=apart
        )
        x = x + norm(F.gelu(conv.transpose(1, 2)), f"{at}.conv.4")
        x = x + norm(F.gelu(dense(x, f"{at}.ffn.0")), f"{at}.ffn.2")
    return dense(norm(F.gelu(dense(x, "cls.decoder.0")), "cls.decoder.2"), "cls.decoder.3")


@WORKING
def test_equals_the_released_programs_under_their_names(config: DilatedConfig) -> None:
    """GPN and its first release, computed from a folder's tensors as the programs of songlab-cal/gpn do."""
    config = dataclasses.replace(config, published=True)
    model, ids = loud(config), bases(2, 40)
    family = find_family(config)
    state = family.to_file(model.state_dict(), config)
    if config.tie_head:
        state["cls.decoder.weight"] = state["model.embeddings.word_embeddings.weight"]
    assert family.name == ("gpn" if config.block == "gpn" else "gpn-convnet")
    released = released_gpn if config.block == "gpn" else released_convnet
    assert (model(ids) - released(state, ids, config)).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["gpn", "gpn without biases", "convnet"])
def test_a_published_config_is_read(name: str) -> None:
    """The settings of the releases, written and read, give the same shape; GPN's tokens have one role for all."""
    config = dataclasses.replace(SHAPES[name], published=True, cls_id=0, sep_id=0)
    assert from_config_json(to_config_json(config), Path("config.json")) == config


def test_a_published_config_may_leave_out_defaults() -> None:
    """``config.json`` of GPN as its class writes it where nothing but the vocabulary is named."""
    read = from_config_json({"model_type": "GPN", "vocab_size": 7}, Path("config.json"))
    assert isinstance(read, DilatedConfig)
    assert (read.hidden_size, read.n_layers, read.ffn_size, read.first_kernel, read.kernel) == (512, 25, 2048, 9, 5)
    assert read.taps(24) == (5, 1)
    assert read.taps(23) == (5, 128)
    first = from_config_json({"model_type": "ConvNet", "vocab_size": 7}, Path("config.json"))
    assert isinstance(first, DilatedConfig)
    assert first.taps(0) == (9, 1)
    assert first.taps(5) == (9, 32)
    assert first.taps(6) == (9, 1)


@pytest.mark.parametrize("setting", [{"encoder": "roformer"}, {"depthwise": True}, {"dilation_base": 4}])
def test_other_variants_of_gpn_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        from_config_json({"model_type": "GPN", "vocab_size": 7, **setting}, Path("config.json"))


def test_published_sizes() -> None:
    """By hand, 512 channels: a layer has 5 + 1 + 8 squares and two norms, the first 4 squares more; then the head.

    The first release: 9 + 1 squares, two biases and two norms a layer, and a head with biases.
    """
    square, norm = 512 * 512, 512
    gpn = dataclasses.replace(PRESETS["gpn"], vocab_size=7, pad_id=0, cls_id=0, sep_id=0)
    first = DilatedConfig(7, 512, 25, 512, 9, 9, 6, 32, "convnet", bias=True, cls_id=0, sep_id=0)
    with torch.device("meta"):
        counts = [count_parameters(MaskedLM(config)) for config in (gpn, first)]
    head = square + norm + 7 * 512
    assert counts[0] == 25 * (14 * square + 2 * norm) + 4 * square + norm + head == 93_091_328
    assert counts[1] == 25 * (10 * square + 2 * 512 + 4 * norm) + (head + 512 + norm + 7) == 65_880_071


def test_small_presets_fit_in_the_package() -> None:
    """Two bytes a weight, at most 8 MB; and every token of a 512-base window is seen from its middle."""
    config = PRESETS["dilated-mini"]
    assert isinstance(config, DilatedConfig)
    assert count_parameters(build_masked_lm("dilated-mini", 9)) == 1_965_321 < 8e6 / 2
    assert config.reach >= 512
    assert count_parameters(build_masked_lm("dilated-tiny", 9)) < 60_000
    assert count_parameters(build_masked_lm("dilated-wide", 9)) == 3_488_777 < 8e6 / 2


@WORKING
def test_padding_and_batch_do_not_matter(config: DilatedConfig) -> None:
    """A row alone, and in a batch padded on either side, has the same states at every layer."""
    body = loud(config).body
    row = bases(1, 23)
    alone = body.hidden_states(row)
    left, right = F.pad(row, (9, 4)), torch.cat([bases(1, 30, seed=1), bases(1, 6, seed=2)], dim=1)
    ids = torch.cat([left, right])
    mask = torch.ones(2, 36, dtype=torch.bool)
    mask[0] = left[0] != 0
    for one, both in zip(alone, body.hidden_states(ids, mask), strict=True):
        assert (both[0, 9:32] - one[0]).abs().max() < 1e-5


@WORKING
def test_masked_positions_alone_have_the_same_states(config: DilatedConfig) -> None:
    """The shortcut of the last layer, which gathers taps, equals the whole computation, ends and padding included."""
    model, ids = loud(config), bases(3, 40)
    mask = torch.ones(3, 40, dtype=torch.bool)
    mask[1, 31:] = False
    masked = (torch.rand(3, 40, generator=torch.Generator().manual_seed(3)) < 0.3) & mask
    masked[0, 0] = masked[0, -1] = True
    whole = model(ids, mask)[masked]
    assert (model(ids, mask, masked) - whole).abs().max() < 1e-5
    assert model(ids, mask, torch.zeros_like(masked)).shape == (0, 9)


@WORKING
def test_a_state_depends_on_its_reach_and_no_further(config: DilatedConfig) -> None:
    """A change `reach` tokens away changes a state, one place further it does not."""
    body = Dilated(config)
    initialise_dilated(body, 0)
    reach, far = config.reach, 30
    assert reach == (2 + 2 + 4 + 1 if config.block == "gpn" else 2 + 4 + 4 + 2)
    ids = bases(1, 2 * far + 1)
    for place, changes in ((far - reach, True), (far + reach, True), (far - reach - 1, False)):
        other = ids.clone()
        other[0, place] = 5 + (other[0, place] - 4) % 4
        difference = (body(other) - body(ids))[0, far].abs().max()
        assert (difference > 0) == changes, place


def test_first_weights_follow_the_table() -> None:
    """Convolutions are uniform with sd 1 / sqrt(3 K D), matrices normal with 0.02, norms plain; by seed and name."""
    model = build_masked_lm(DilatedConfig(hidden_size=96, n_layers=2, ffn_size=192, bias=True), seed=1)
    again = build_masked_lm(DilatedConfig(hidden_size=96, n_layers=1, ffn_size=192, bias=True), seed=1)
    state = model.state_dict()
    conv, matrix = state["body.layers.1.conv.weight"], state["body.layers.1.ffn_in.weight"]
    assert float(conv.std()) == pytest.approx(1 / math.sqrt(3 * 5 * 96), rel=0.02)
    assert float(conv.abs().max()) <= 1 / math.sqrt(5 * 96)
    assert float(matrix.std()) == pytest.approx(0.02, rel=0.02)
    assert state["body.layers.0.conv_norm.weight"].eq(1).all()
    assert state["body.layers.0.ffn_in.bias"].eq(0).all()
    assert torch.equal(again.state_dict()["body.layers.0.conv.weight"], state["body.layers.0.conv.weight"])


@pytest.mark.parametrize("published", [False, True])
@WORKING
def test_a_folder_gives_the_same_model(config: DilatedConfig, published: bool, tmp_path: Path) -> None:
    model, ids = loud(dataclasses.replace(config, published=published)), bases(2, 30)
    save_checkpoint(tmp_path / "model", model, CharacterTokenizer())
    loaded, tokenizer = load_checkpoint(tmp_path / "model", "masked_lm")
    assert loaded.config == model.config
    assert torch.equal(loaded(ids), model(ids))
    body, _ = load_checkpoint(tmp_path / "model", "body")
    assert torch.equal(body(ids), model.body(ids))
    assert tokenizer.vocab_size == 9
    expected = "lingome-dilated" if not published else "GPN" if config.block == "gpn" else "ConvNet"
    assert f'"model_type": "{expected}"' in (tmp_path / "model" / "config.json").read_text(encoding="utf-8")


def test_learns_and_classifies() -> None:
    """A letter that depends on the one four before it is guessed after some steps; gradients reach every tensor."""
    torch.manual_seed(0)
    model = build_masked_lm(dataclasses.replace(SMALL, hidden_size=32, ffn_size=32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    draw = torch.Generator().manual_seed(1)
    for step in range(60):
        half = torch.randint(5, 9, (32, 4), generator=draw)
        ids = torch.cat([half, 13 - half], dim=1)  # the second half is the complement of the first
        masked = torch.zeros(32, 8, dtype=torch.bool)
        masked[:, 4:] = torch.rand(32, 4, generator=draw) < 0.5
        loss = F.cross_entropy(model(ids.masked_fill(masked, 4), None, masked), ids[masked])
        loss.backward()
        if step == 0:
            assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
        optimizer.step()
        optimizer.zero_grad()
    assert float(loss.detach()) < 0.3  # ln 4 = 1.39 by chance
    classifier = build_classifier(SMALL, label_names=("a", "b"))
    assert classifier(bases(2, 20)).shape == (2, 2)


def test_both_strands_agree_under_the_wrapper() -> None:
    """What the wrapped model says of the reverse complement is what it says of the strand, turned round."""
    model = ReverseComplement(loud(SMALL), Complement.of(CharacterTokenizer()))
    ids = bases(2, 30)
    turned = 13 - ids.flip(1)
    letters = [0, 1, 2, 3, 4, 8, 7, 6, 5]
    assert (model(turned) - model(ids).flip(1)[..., letters]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"kernel": 4}, "kernel"), ({"block": "resnet"}, "block"), ({"tie_head": True}, "tie_head"),
        ({"block": "convnet", "bias": True}, "ffn_size"), ({"vocab_size": 300}, "hidden_size"),
        ({"n_layers": 0}, "n_layers"), ({"dropout": 1.0}, "dropout"),
    ],
)
def test_shapes_that_do_not_fit_are_named(values: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(DilatedConfig(), **values)
    assert caught.value.where == name


def test_the_table_that_is_not_learnt() -> None:
    """One-hot tokens look like a table to whatever reads one, and are no weights."""
    body = Dilated(SMALL)
    assert torch.equal(body.tokens.weight[bases(2, 3)], body.hidden_states(bases(2, 3))[0])
    assert not any(name.startswith("tokens") for name in body.state_dict())


def test_too_long_a_sequence_is_refused() -> None:
    body = Dilated(dataclasses.replace(SMALL, max_positions=10))
    with pytest.raises(DataError, match="longer than the model can read"):
        body(bases(1, 11))


def test_dropout_acts_in_training_alone() -> None:
    model: nn.Module = loud(dataclasses.replace(SMALL, dropout=0.5))
    ids = bases(1, 20)
    assert torch.equal(model(ids), model(ids))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(ids), model(ids))
