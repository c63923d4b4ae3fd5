"""The encoder-decoder by itself; `tests/peers/test_transformers_t5.py` compares it with transformers."""

import dataclasses
from pathlib import Path

import pytest
import torch

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.generate.beam import beam_search
from lingome.generate.rules import Rules
from lingome.generate.sampling import generate
from lingome.generate.sequence_to_sequence import SourceReader
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.encoder_decoder.model import DecoderCache, EncoderDecoderLM, initialise_encoder_decoder
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.presets import SEQ2SEQ_PRESETS, build_classifier, build_seq2seq_lm
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
NANO = dataclasses.replace(SEQ2SEQ_PRESETS["t5-nano"], n_layers=2, n_decoder_layers=2, vocab_size=19)
MIXES = {
    f"{ffn}-{tied}": dataclasses.replace(NANO, ffn=ffn, tie_head=tied, scale_head=tied)
    for ffn in ("relu", "geglu_tanh") for tied in (True, False)
}


@pytest.fixture(params=MIXES)
def model(request: pytest.FixtureRequest) -> EncoderDecoderLM:
    return build_seq2seq_lm(MIXES[request.param]).eval()


def batch(length: int, lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 19, (3, length), generator=torch.Generator().manual_seed(length))
    mask = torch.arange(length) < torch.tensor(lengths)[:, None]
    return ids.masked_fill(~mask, 0), mask


def test_rows_do_not_feel_their_batch(model: EncoderDecoderLM) -> None:
    ids, mask = batch(40, [40, 11, 26])
    target, target_mask = batch(15, [6, 15, 9])
    with torch.no_grad():
        together = model(ids, target, mask, target_mask)
        states = model.body(ids, mask)
        assert torch.equal(model.body(ids, mask, mask), states[mask])
        for row in range(3):
            L, Q = int(mask[row].sum()), int(target_mask[row].sum())
            alone = model(ids[row : row + 1, :L], target[row : row + 1, :Q])
            assert (together[row, :Q] - alone[0]).abs().max() < 1e-5
            assert (states[row, :L] - model.body(ids[row : row + 1, :L])[0]).abs().max() < 1e-5


def test_a_target_token_sees_none_after_it(model: EncoderDecoderLM) -> None:
    ids, _ = batch(20, [20] * 3)
    target, _ = batch(12, [12] * 3)
    other = target.clone()
    other[:, 7:] = 5
    with torch.no_grad():
        assert (model(ids, target) - model(ids, other))[:, :7].abs().max() < 1e-6


def test_the_cache_gives_the_same_logits(model: EncoderDecoderLM) -> None:
    """Written in pieces, left-padded, and with rows that change places and leave."""
    ids, mask = batch(40, [40, 11, 26])
    target, target_mask = batch(15, [6, 15, 9])
    target, target_mask = target.flip(1), target_mask.flip(1)
    with torch.no_grad():
        source = model.encode(ids, mask)
        whole = model.score(target, source, target_mask)
        cache = DecoderCache(model.decoder, source, 15)
        pieces = [model.score(target[:, :8], source, target_mask[:, :8], cache)]
        pieces += [model.score(target[:, i : i + 1], source, target_mask[:, i : i + 1], cache) for i in range(8, 12)]
        assert (torch.cat(pieces, 1) - whole[:, :12])[target_mask[:, :12]].abs().max() < 1e-5
        order = torch.tensor([2, 1])
        cache.reorder(order)
        rest = model.score(target[order, 12:], source, target_mask[order, 12:], cache)
        assert (rest - whole[order, 12:]).abs().max() < 1e-5
        with pytest.raises(DataError, match="longer"):
            model.score(target[order, :1], source, None, cache)


def test_every_parameter_learns(model: EncoderDecoderLM) -> None:
    ids, mask = batch(40, [40, 11, 26])
    target, target_mask = batch(15, [6, 15, 9])
    logits = model.train()(ids, target[:, :-1], mask)[target_mask[:, 1:]]
    torch.nn.functional.cross_entropy(logits, target[:, 1:][target_mask[:, 1:]]).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_bfloat16_stays_near(model: EncoderDecoderLM) -> None:
    ids, mask = batch(40, [40, 11, 26])
    target, _ = batch(15, [15] * 3)
    with torch.no_grad():
        exact = model(ids, target, mask)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(ids, target, mask).float()
    assert (rounded - exact).abs().max() < 0.03 * exact.abs().max()


def test_first_weights_follow_the_table() -> None:
    shape = EncoderDecoderConfig(200, 128, 1, 1, n_heads=4, head_size=16, ffn_size=256, tie_head=False)
    model, again, other = EncoderDecoderLM(shape), EncoderDecoderLM(shape), EncoderDecoderLM(shape)
    for one, seed in ((model, 3), (again, 3), (other, 4)):
        initialise_encoder_decoder(one, seed)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert not torch.equal(model.head.weight, other.head.weight)
    weights = dict(model.named_parameters())
    expected = {
        "body.tokens.weight": 1.0, "head.weight": 128**-0.5, "body.layers.0.attention_out.weight": 64**-0.5,
        "body.layers.0.ffn_out.weight": 256**-0.5, "decoder.relative.weight": 128**-0.5,
        "decoder.layers.0.cross_query.weight": (128 * 16) ** -0.5, "decoder.layers.0.cross_keys.weight": 128**-0.5,
    }
    for name, std in expected.items():
        assert weights[name].std().item() == pytest.approx(std, rel=0.15), name
    q, k, v = weights["body.layers.0.qkv.weight"].chunk(3)
    assert [part.std().item() for part in (q, k, v)] == pytest.approx([2048**-0.5, 128**-0.5, 128**-0.5], rel=0.05)
    assert bool((weights["decoder.final_norm.weight"] == 1).all())


@pytest.mark.parametrize(("field", "value"), [
    ("n_buckets", 6), ("max_distance", 16), ("start_id", 200), ("n_decoder_layers", -1), ("ffn", "gelu"),
    ("head_size", 0), ("tie_head", 1), ("dropout", 1.0),
])
def test_shapes_that_make_no_sense(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        dataclasses.replace(NANO, **{field: value})


def test_an_encoder_alone_writes_nothing() -> None:
    with pytest.raises(ConfigError, match="n_decoder_layers"):
        EncoderDecoderLM(dataclasses.replace(NANO, n_decoder_layers=0))


def test_a_source_longer_than_the_model_reads() -> None:
    model = build_seq2seq_lm(dataclasses.replace(NANO, max_positions=10))
    with pytest.raises(DataError, match="longer"):
        model.body(torch.full((1, 11), 5))


def test_other_loaders_say_what_it_is(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model", build_seq2seq_lm(NANO), TOKENIZER)  # 9 tokens, and 10 rows behind them
    for promise in ("causal_lm", "masked_lm", "classifier"):
        with pytest.raises(CheckpointError, match="t5"):
            load_checkpoint(tmp_path / "model", promise)
    assert load_checkpoint(tmp_path / "model", "body")[0].config.vocab_size == 19
    card = (tmp_path / "model" / "README.md").read_text()
    assert "2 and 2 layers of 32, 2 heads of 16" in card
    assert "19 rows of the embedding" in card
    assert 'lg.load("this-folder")' in card


@pytest.mark.parametrize("n_decoder_layers", [2, 0])
def test_a_classifier_on_the_encoder(tmp_path: Path, n_decoder_layers: int) -> None:
    ids, mask = batch(40, [40, 11, 26])
    shape = dataclasses.replace(NANO, vocab_size=9, n_decoder_layers=n_decoder_layers)
    model = build_classifier(shape, label_names=("a", "b"), seed=1).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded, _ = load_checkpoint(tmp_path / "model", "classifier")
    assert loaded.config == model.config
    assert torch.equal(loaded(ids.clamp(max=8), mask), model(ids.clamp(max=8), mask))
    assert "T5EncoderModel" in (tmp_path / "model" / "README.md").read_text()


def rules(n_tokens: int) -> Rules:
    return Rules(torch.ones(19, dtype=torch.int64), torch.ones(19, dtype=torch.bool), n_tokens, end_ids=(3,))


def test_one_source_for_many_targets() -> None:
    model = build_seq2seq_lm(NANO).eval()
    ids, _ = batch(20, [20] * 3)
    reader = SourceReader(model, ids[:1], max_tokens=9)
    many = generate(reader, torch.tensor([[0, 5], [0, 6]]), rules(6))
    for one, first in zip(many, (5, 6), strict=True):
        alone = generate(SourceReader(model, ids[:1], max_tokens=9), torch.tensor([[0, first]]), rules(6))
        assert one.tokens == alone[0].tokens
    found = beam_search(reader, torch.tensor([[0]]), rules(5), n_beams=3)[0]
    greedy = generate(reader, torch.tensor([[0]]), rules(5))[0]
    assert found[0].log_likelihood >= greedy.log_likelihood - 1e-6
    with pytest.raises(DataError, match="source"):
        SourceReader(model, ids, max_tokens=9).start(torch.tensor([[0], [0]]))
    with pytest.raises(DataError, match="prompt"):
        reader.start(torch.zeros(1, 10, dtype=torch.int64))
