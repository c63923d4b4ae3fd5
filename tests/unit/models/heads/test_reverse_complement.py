"""The output of the reverse complement is the flipped output."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lingome.core.errors import ConfigError
from lingome.models.contract import build_models
from lingome.models.folders.checkpoint import with_roles
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.reverse_complement import Complement, ReverseComplement
from lingome.models.networks.hyena.model import HyenaLM, build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_classifier, build_masked_lm
from lingome.models.registry import ARCHITECTURES
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.tokenizer import as_codes

LETTERS = CharacterTokenizer()
HYENA = CharacterTokenizer(layout="hyenadna")
OTHER_STRAND = str.maketrans("ACGTN", "TGCAN")
ENCODER = TransformerConfig(vocab_size=9, hidden_size=16, n_layers=1, n_heads=2, ffn_size=24, max_positions=64)
sequences = st.lists(st.text("ACGTN", min_size=1, max_size=30), min_size=1, max_size=4)


def other_strand(sequence: str) -> str:
    return sequence.translate(OTHER_STRAND)[::-1]


def rows(
    texts: list[str], tokenizer: CharacterTokenizer, ends: bool = True, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Encode with [CLS] and [SEP], padded to the longest on one side."""
    width = max(map(len, texts)) + 2
    ids = torch.full((len(texts), width), tokenizer.pad_id)
    for row, text in zip(ids, texts, strict=True):
        tokens = tokenizer.encode(text).input_ids.tolist()
        tokens = [tokenizer.cls_id, *tokens, tokenizer.sep_id] if ends else tokens
        row[slice(width - len(tokens), width) if left else slice(0, len(tokens))] = torch.tensor(tokens)
    return ids, ids != tokenizer.pad_id


class Lopsided(nn.Module):
    """A model that treats every letter and place differently, and looks to one side only."""

    def __init__(self, n_rows: int, seed: int = 0) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(n_rows, n_rows, generator=draw))

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        x_BLV = self.table[input_ids_BL]
        if attention_mask_BL is not None:
            x_BLV = x_BLV * attention_mask_BL[..., None]
        return x_BLV.cumsum(dim=1) * torch.arange(1, x_BLV.shape[1] + 1)[:, None]


def test_table_by_hand() -> None:
    """lingome: A 5, C 6, G 7, T 8. HyenaDNA: A 7, C 8, G 9, T 10, N 11, and rows 12 to 15 of its table stay."""
    ids, stands = Complement.of(LETTERS)
    assert ids.tolist() == [0, 1, 2, 3, 4, 8, 7, 6, 5]
    assert stands.nonzero().flatten().tolist() == [1, 4, 5, 6, 7, 8]
    ids, stands = Complement.of(HYENA, n_rows=16)
    assert ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 10, 9, 8, 7, 11, 12, 13, 14, 15]
    assert stands.nonzero().flatten().tolist() == [3, 6, 7, 8, 9, 10, 11]


def test_a_sequence_turned_by_hand() -> None:
    """[CLS] A A C N [SEP] [PAD] turns to [CLS] N G T T [SEP] [PAD]; so it does on the right, and under a mask."""
    wrapped = ReverseComplement(Lopsided(9), Complement.of(LETTERS))
    ids = torch.tensor([[2, 5, 5, 6, 1, 3, 0], [0, 2, 5, 5, 6, 1, 3]])
    assert wrapped.turn(ids).tolist() == [[2, 1, 7, 8, 8, 3, 0], [0, 2, 1, 7, 8, 8, 3]]
    assert wrapped.places(ids).tolist() == [[0, 4, 3, 2, 1, 5, 6], [0, 1, 5, 4, 3, 2, 6]]
    mask = torch.tensor([[1, 1, 1, 1, 0, 1, 0]])
    assert wrapped.places(ids[:1], mask).tolist() == [[0, 3, 2, 1, 4, 5, 6]]


outputs = st.sampled_from(["tokens", "states", "sequence"])


@settings(max_examples=40, deadline=None)
@given(texts=sequences, ends=st.booleans(), left=st.booleans(), output=outputs)
def test_the_other_strand_gives_the_flipped_output(texts: list[str], ends: bool, left: bool, output: str) -> None:
    """Exactly, for a model that is far from symmetric, with special tokens and padding of either side."""
    model: nn.Module = Lopsided(9)
    if output == "sequence":
        model = Pooled(model)
    wrapped = ReverseComplement(model, Complement.of(LETTERS), output)
    ids, mask = rows(texts, LETTERS, ends, left)
    turned, turned_mask = rows([other_strand(text) for text in texts], LETTERS, ends, left)
    assert torch.equal(wrapped.turn(ids, mask), turned)
    here, there = wrapped(ids, mask), wrapped(turned, turned_mask)
    assert torch.equal(there, wrapped.flip(here, wrapped.places(ids, mask)))


class Pooled(nn.Module):
    """The last state of each row: one vector a sequence."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        last: Tensor = self.model(input_ids_BL, attention_mask_BL)[:, -1]
        return last


def test_flip_without_special_tokens_is_plain() -> None:
    """Logits of the other strand are those of this one read backwards, with columns A and T, C and G exchanged."""
    model = build_masked_lm(ENCODER, seed=1).eval()
    wrapped = ReverseComplement(model, Complement.of(LETTERS)).eval()
    ids = torch.tensor([LETTERS.encode("GATTACAGGTCCA").input_ids.tolist()])
    turned = torch.tensor([LETTERS.encode("TGGACCTGTAATC").input_ids.tolist()])
    expected = wrapped(ids).flip(1)[..., [0, 1, 2, 3, 4, 8, 7, 6, 5]]
    torch.testing.assert_close(wrapped(turned), expected, atol=1e-6, rtol=1e-6)
    assert (model(turned) - model(ids).flip(1)[..., [0, 1, 2, 3, 4, 8, 7, 6, 5]]).abs().max() > 1e-3
    torch.testing.assert_close(wrapped(ids)[0, 3, 5], (model(ids)[0, 3, 5] + model(turned)[0, 9, 8]) / 2)


def test_states_of_hyena() -> None:
    """The causal body, seen from both ends, gives states that turn with the sequence; padded on the left."""
    config = HyenaConfig(hidden_size=16, n_layers=1, ffn_size=24, max_positions=66, filter_size=8)
    model = build_hyena_lm(config, seed=2).eval()
    wrapped = ReverseComplement(model.body, Complement.of(HYENA, config.n_rows), "states").eval()
    texts = ["GATTACA", "ACGTNNACGGT"]
    ids, mask = rows(texts, HYENA, left=True)
    turned, _ = rows([other_strand(text) for text in texts], HYENA, left=True)
    here, there = wrapped(ids, mask), wrapped(turned, mask)
    torch.testing.assert_close(there, wrapped.flip(here, wrapped.places(ids, mask)), atol=1e-6, rtol=1e-6)
    alone, alone_mask = rows(texts[:1], HYENA)
    torch.testing.assert_close(wrapped(alone, alone_mask)[0, 1:8], here[0, -8:-1], atol=1e-5, rtol=1e-5)


def test_a_classifier_says_the_same_of_both_strands() -> None:
    model = build_classifier(ENCODER, label_names=("no", "yes"), seed=3).eval()
    wrapped = ReverseComplement(model, Complement.of(LETTERS), "sequence").eval()
    texts = ["GATTACA", "ACGTNNACGGT"]
    ids, mask = rows(texts, LETTERS)
    turned, _ = rows([other_strand(text) for text in texts], LETTERS)
    assert wrapped(ids, mask).shape == (2, 2)
    torch.testing.assert_close(wrapped(ids, mask), wrapped(turned, mask), atol=1e-7, rtol=1e-6)


def test_one_set_of_weights_learns_from_both_strands() -> None:
    """The gradient is the mean of the two strands' gradients, and the wrapper adds no parameter and no saved tensor."""
    model = Lopsided(9)
    wrapped = ReverseComplement(model, Complement.of(LETTERS))
    assert [name for name, _ in wrapped.named_parameters()] == ["model.table"] == list(wrapped.state_dict())
    ids = torch.tensor([[5, 5, 6, 8]])
    weight = torch.randn(1, 4, 9, generator=torch.Generator().manual_seed(0))
    got = torch.autograd.grad((wrapped(ids) * weight).sum(), model.table)[0]
    here = torch.autograd.grad((model(ids) * weight).sum(), model.table)[0]
    turned_weight = wrapped.flip(weight, wrapped.places(ids))
    there = torch.autograd.grad((model(wrapped.turn(ids)) * turned_weight).sum(), model.table)[0]
    torch.testing.assert_close(got, (here + there) / 2)


def test_next_token_scores_are_refused() -> None:
    config = HyenaConfig(hidden_size=8, n_layers=1, ffn_size=8, max_positions=16, filter_size=4)
    with pytest.raises(ConfigError, match="next token"):
        ReverseComplement(HyenaLM(config), Complement.of(HYENA, 16))


def test_an_unknown_output() -> None:
    with pytest.raises(ConfigError, match="tokens, states, sequence or bins"):
        ReverseComplement(Lopsided(9), Complement.of(LETTERS), "logits")


def test_tokens_longer_than_a_base_are_refused() -> None:
    tokenizer = train_bpe([as_codes("ACGTACGTACGT")], 2).tokenizer
    with pytest.raises(ConfigError, match="one base per token"):
        Complement.of(tokenizer)
    with pytest.raises(ConfigError, match="fewer rows"):
        Complement.of(HYENA, n_rows=8)


BODIES = {
    architecture.name: with_roles(shape(vocab_size=9, **{
        field.name: 1 for field in dataclasses.fields(shape) if field.name == "n_layers"
    }), LETTERS)
    for shape, architecture in ARCHITECTURES.items() if "tracks" not in architecture.models
}


@pytest.mark.parametrize("name", BODIES)
@torch.no_grad()
def test_every_body_and_its_classifier(name: str) -> None:
    """Tracks have other windows, and a test of their own."""
    classifier = build_models(BODIES[name], seed=2)[-1]
    assert isinstance(classifier, SequenceClassifier)
    texts = ["ACGTTGCATTAGC", "GGATN", "TTTACCA"]
    table = Complement.of(LETTERS)
    there, back = (rows(some, LETTERS) for some in (texts, [other_strand(text) for text in texts]))
    one, other = (ReverseComplement(classifier, table, "sequence")(*ids) for ids in (there, back))
    assert (one - other).abs().max() < 1e-5
    states, turned = (ReverseComplement(classifier.body, table, "states")(*ids) for ids in (there, back))
    for text, row, opposite in zip(texts, states, turned, strict=True):
        n = len(text) + 1
        assert (row[1:n] - opposite[1:n].flip(0)).abs().max() < 1e-5
        assert (row[1:n] - row[1:n].flip(0)).abs().max() > 1e-3
    assert len(BODIES) >= 6
