"""Our encoder-decoder against transformers' T5, on random weights: logits, greedy sequences, folders both ways."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, T5Config, T5EncoderModel, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from lingome.core.errors import CheckpointError
from lingome.generate.draws import Draws
from lingome.generate.logits import Sampling
from lingome.generate.rules import Rules
from lingome.generate.sampling import Generated, generate
from lingome.generate.sequence_to_sequence import SourceReader
from lingome.models.counting.published import PUBLISHED
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.layers.attention import relative_buckets
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.presets import build_classifier, build_seq2seq_lm, count_parameters
from lingome.tokens.kmers import KmerTokenizer

TOKENIZER = KmerTokenizer(2, True)
V = TOKENIZER.vocab_size + 4
END = TOKENIZER.sep_id
KINDS = {"relu": True, "gated-gelu": False}  # feed-forward, and whether states are scaled before the head


def config(proj: str, **more: object) -> T5Config:
    return T5Config(
        vocab_size=V, d_model=24, d_kv=10, d_ff=40, num_layers=3, num_decoder_layers=2, num_heads=4,
        relative_attention_num_buckets=16, relative_attention_max_distance=20, feed_forward_proj=proj,
        tie_word_embeddings=KINDS[proj], pad_token_id=0, eos_token_id=END, decoder_start_token_id=0, **more,
    )


@torch.no_grad()
def theirs(proj: str, kind: type[torch.nn.Module] = T5ForConditionalGeneration) -> torch.nn.Module:
    torch.manual_seed(0)
    model = kind(config(proj)).eval()
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape))
    if kind is T5ForConditionalGeneration and proj == "gated-gelu":  # a published T5 1.1 has a matrix of its own
        model.lm_head.weight = torch.nn.Parameter(0.3 * torch.randn(V, 24))
    return model


def load(path: Path) -> EncoderDecoderLM:
    model, _ = load_checkpoint(path, "seq2seq_lm")
    assert isinstance(model, EncoderDecoderLM)
    return model


def folder(model: torch.nn.Module, path: Path) -> Path:
    model.save_pretrained(path)
    TOKENIZER.save(path)
    return path


def batch(length: int, lengths: list[int], left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, V, (3, length), generator=torch.Generator().manual_seed(length))
    mask = torch.arange(length) < torch.tensor(lengths)[:, None]
    mask = mask.flip(1) if left else mask
    return ids.masked_fill(~mask, 0), mask


@torch.no_grad()
def largest_difference(ours: EncoderDecoderLM, other: torch.nn.Module, left: bool) -> float:
    """Largest difference of logits, without padding and with padding on source and target."""
    ids, mask = batch(50, [50, 9, 31], left)
    target, target_mask = batch(25, [4, 25, 13], left)
    whole = ours(ids, target) - other(input_ids=ids, decoder_input_ids=target).logits
    padded = ours(ids, target, mask, target_mask) - other(
        input_ids=ids, attention_mask=mask.long(), decoder_input_ids=target, decoder_attention_mask=target_mask.long()
    ).logits
    return max(whole.abs().max().item(), padded[target_mask].abs().max().item())


@pytest.mark.parametrize("both_sides", [True, False])
@pytest.mark.parametrize(("n_buckets", "longest"), [(32, 128), (16, 20), (64, 500)])
def test_every_distance_has_their_bucket(both_sides: bool, n_buckets: int, longest: int) -> None:
    distances = torch.arange(-1000, 1001)
    expected = T5Attention._relative_position_bucket(distances, both_sides, n_buckets, longest)
    assert torch.equal(relative_buckets(distances, n_buckets, longest, both_sides=both_sides), expected)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("proj", KINDS)
def test_their_folder_in_ours(tmp_path: Path, proj: str, left: bool) -> None:
    other = theirs(proj)
    ours = load(folder(other, tmp_path))
    assert ours.config.scale_head == ours.config.tie_head == KINDS[proj]
    assert largest_difference(ours, other, left) < 1e-5


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("ffn", ["relu", "geglu_tanh"])
def test_our_folder_in_theirs(tmp_path: Path, ffn: str, tied: bool) -> None:
    shape = EncoderDecoderConfig(
        V, 32, 2, 3, n_heads=3, head_size=8, ffn_size=40, ffn=ffn, tie_head=tied, scale_head=tied, n_buckets=8,
        max_distance=30, max_positions=77,
    )
    model = build_seq2seq_lm(shape, V, seed=1).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    other, info = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert isinstance(other, T5ForConditionalGeneration)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert other.generation_config.decoder_start_token_id == 0
    assert largest_difference(model, other.eval(), left=False) < 1e-5
    assert load(tmp_path / "model").config == model.config


@pytest.mark.parametrize("proj", KINDS)
def test_their_encoder_alone_is_a_body(tmp_path: Path, proj: str) -> None:
    other = theirs(proj, T5EncoderModel)
    body, _ = load_checkpoint(folder(other, tmp_path), "body")
    ids, mask = batch(50, [50, 9, 31])
    with torch.no_grad():
        expected = other(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
        assert (body(ids, mask) - expected.last_hidden_state)[mask].abs().max() < 1e-5
        states = body.hidden_states(ids, mask)
    assert len(states) == body.config.n_layers + 1 == 4
    for state, same in zip(states[:-1], expected.hidden_states[:-1], strict=True):
        assert (state - same)[mask].abs().max() < 1e-5
    with pytest.raises(CheckpointError, match="encoder"):
        load(tmp_path)


def test_the_encoder_of_a_whole_model_is_a_body(tmp_path: Path) -> None:
    other = theirs("relu")
    body, _ = load_checkpoint(folder(other, tmp_path), "body")
    ids, _ = batch(50, [50, 50, 50])
    with torch.no_grad():
        assert (body(ids) - other.encoder(input_ids=ids).last_hidden_state).abs().max() < 1e-5


def test_our_classifier_has_their_encoder(tmp_path: Path) -> None:
    shape = EncoderDecoderConfig(V, 32, 2, n_heads=3, head_size=8, ffn_size=40)
    model = build_classifier(shape, V, ("no", "yes"), seed=2).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    other = T5EncoderModel.from_pretrained(tmp_path / "model").eval()
    ids, mask = batch(50, [50, 9, 31])
    with torch.no_grad():
        expected = other(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert (model.body(ids, mask) - expected)[mask].abs().max() < 1e-5


def test_a_variant_that_is_another_model_is_refused(tmp_path: Path) -> None:
    path = folder(theirs("relu"), tmp_path)
    content = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(content | {"feed_forward_proj": "gated-silu"}))
    with pytest.raises(CheckpointError, match="gated-silu"):
        load(path)


def written(done: list[Generated]) -> list[list[int]]:
    return [list(one.tokens) for one in done]


@pytest.mark.parametrize("proj", KINDS)
def test_greedy_sequences_are_theirs(tmp_path: Path, proj: str) -> None:
    """Token for token, from padded sources, up to the end token or 20 tokens."""
    other = theirs(proj)
    with torch.no_grad():
        other.lm_head.weight[END] *= 3  # so that some sequences end early
    ours = load(folder(other, tmp_path))
    ids, mask = batch(50, [50, 9, 31])
    expected = other.generate(ids, attention_mask=mask.long(), max_new_tokens=20, do_sample=False)[:, 1:].tolist()
    expected = [row[: row.index(END) + 1] if END in row else row for row in expected]
    rules = Rules(torch.ones(V, dtype=torch.int64), torch.ones(V, dtype=torch.bool), 20, end_ids=(END,))
    start = torch.full((3, 1), ours.config.start_id)
    reader = SourceReader(ours, ids, mask, max_tokens=21)
    done = generate(reader, start, rules)
    assert written(done) == expected
    alone = [generate(SourceReader(ours, row[None], real[None], max_tokens=21), start[:1], rules)[0]
             for row, real in zip(ids, mask, strict=True)]
    assert written(alone) == expected
    again = torch.tensor([[ours.config.start_id, *one] for one in expected if len(one) == max(map(len, expected))])
    rows = [index for index, one in enumerate(expected) if len(one) == max(map(len, expected))]
    with torch.no_grad():
        log_probs = other(input_ids=ids[rows], attention_mask=mask[rows].long(), decoder_input_ids=again[:, :-1]).logits
    paid = log_probs.log_softmax(-1).gather(2, again[:, 1:, None]).sum(dim=(1, 2))
    for row, value in zip(rows, paid.tolist(), strict=True):
        assert done[row].log_likelihood == pytest.approx(value, abs=1e-3)


def test_drawn_sequences_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    ours = load(folder(theirs("relu"), tmp_path))
    ids, mask = batch(30, [30, 9, 21])
    rules = Rules(torch.ones(V, dtype=torch.int64), torch.ones(V, dtype=torch.bool), 12, end_ids=(END,))

    def draw(rows: list[int]) -> list[list[int]]:
        reader = SourceReader(ours, ids[rows], mask[rows], max_tokens=13)
        draws = Draws(0, [(row, 0) for row in rows])
        return written(generate(reader, torch.zeros(len(rows), 1, dtype=torch.int64), rules, draws=draws,
                                sampling=Sampling(temperature=0.7)))

    assert draw([0, 1, 2]) == draw([0]) + draw([1]) + draw([2])


@pytest.mark.parametrize(("name", "size", "layers", "heads", "ffn_size", "total"), [
    ("small", 512, 6, 8, 2048, 60_506_624), ("base", 768, 12, 12, 3072, 222_903_552),
])
def test_published_sizes(name: str, size: int, layers: int, heads: int, ffn_size: int, total: int) -> None:
    with torch.device("meta"):
        ours = EncoderDecoderLM(EncoderDecoderConfig(
            32_128, size, layers, layers, heads, 64, ffn_size, "relu", tie_head=True, scale_head=True,
        ))
        other = T5ForConditionalGeneration(T5Config(
            vocab_size=32_128, d_model=size, num_layers=layers, num_heads=heads, d_ff=ffn_size,
        ))
    for model in (ours, other):
        assert count_parameters(model) == total
    assert PUBLISHED[f"t5-{name}"].counts()[0].total == total
    assert PUBLISHED[f"t5-{name}"].counts()[1].total == count_parameters(other.encoder)


def test_flan_and_prot_t5_by_formula() -> None:
    """Gated and untied, Flan-T5-base has 247,577,856; the encoder of ProtT5-XL is their class's size."""
    assert PUBLISHED["flan-t5-base"].counts()[0].total == 247_577_856
    with torch.device("meta"):
        sizes = {"d_model": 1024, "d_kv": 128, "d_ff": 16_384, "num_layers": 24, "num_heads": 32}
        encoder = T5EncoderModel(T5Config(vocab_size=128, **sizes))
    assert PUBLISHED["prot-t5-xl"].counts()[0].total == count_parameters(encoder)
