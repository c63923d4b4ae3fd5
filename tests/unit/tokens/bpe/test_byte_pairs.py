from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import set_sink
from lingome.data.genome import Genome
from lingome.data.sequence import as_text, reverse_complement
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import BpeTokenizer, passes, train_bpe, training
from lingome.tokens.tokenizer import as_codes

sys.path.insert(0, str(Path(__file__).parent))
import reference

motif = st.sampled_from(["A", "AC", "ACA", "AAC", "GATTACA", "TTAGGG", "N", "AN", "G"])
repeats = st.lists(st.tuples(motif, st.integers(1, 40)), max_size=8).map(lambda p: "".join(m * n for m, n in p))
random_dna = st.text("ACGT", max_size=400)
dna = st.one_of(random_dna, repeats, st.text("ACGTNacgtR", max_size=300), st.text("AC", max_size=300))


@pytest.fixture(params=[(8, 6, 1), (64, 17, 3), (8192, 1 << 20, 2)], ids=str)
def cuts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much the kernel looks at together, how long blocks are, and how many cores work must not matter."""
    chunk, block, threads = request.param
    monkeypatch.setattr(passes, "_CHUNK", chunk)
    monkeypatch.setattr(passes, "_BLOCK", (block, block))
    monkeypatch.setattr(passes, "_SMALLEST", 4)
    monkeypatch.setattr(training, "available_cores", lambda: threads)


def learn(texts: list[str], merges: int) -> list[tuple[int, int, int, int]]:
    training = train_bpe([as_codes(text) for text in texts], merges)
    assert training.counts.tolist() == reference.count(texts, training.tokenizer.merges)
    return [
        (left, right, row["count"], row["margin"])
        for (left, right), row in zip(training.tokenizer.merges, training.merges, strict=True)
    ]


@pytest.mark.usefixtures("cuts")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(dna, min_size=1, max_size=4), merges=st.integers(1, 300))
def test_training_equals_plain_python(texts: list[str], merges: int) -> None:
    expected = reference.train(texts, merges)
    if not expected:
        with pytest.raises(DataError):
            learn(texts, merges)
    else:
        assert learn(texts, merges) == expected


@pytest.mark.usefixtures("cuts")
@pytest.mark.parametrize("text", ["A" * 1000, "AC" * 500, "AAC" * 333 + "N" + "CA" * 200, "ACGT" * 300])
def test_training_on_repeats_until_nothing_is_left(text: str) -> None:
    assert learn([text], 400) == reference.train([text], 400)


def test_training_past_256_symbols() -> None:
    text = "".join(np.random.default_rng(0).choice(list("AACGT"), 6000))
    assert learn([text], 500) == reference.train([text], 500)


def test_counts_by_hand() -> None:
    # AAAAC: AA at 0, 1 and 2 (overlaps count), AC once. After AA: [AA][AA]C, AA+C before AA+AA as C has the smaller id.
    assert learn(["AAAAC"], 4) == [(5, 5, 3, 2), (9, 6, 1, 0), (9, 10, 1, 1)]
    training = train_bpe([as_codes("AAAAC")], 1)
    assert training.merges == [{"rank": 1, "left": "A", "right": "A", "token": "AA", "count": 3, "margin": 2}]


def test_ties_go_to_the_smaller_ids() -> None:
    # GT, CA and AC once each: AC (5, 6) first, then CA (6, 5), then GT (7, 8).
    merges = [pair[:2] for pair in learn(["GT", "CA", "AC"], 3)]
    assert merges == [(5, 6), (6, 5), (7, 8)]


@pytest.mark.usefixtures("cuts")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(dna, min_size=1, max_size=3), merges=st.integers(2, 80), both=st.booleans(), data=st.data())
def test_going_on_gives_what_one_run_gives(texts: list[str], merges: int, both: bool, data: st.DataObject) -> None:
    sequences = [as_codes(text) for text in texts]
    try:
        whole = train_bpe(sequences, merges, both_strands=both)
    except DataError:
        return
    stop = data.draw(st.integers(1, len(whole.merges)))
    resumed = train_bpe(sequences, merges, both_strands=both, known=whole.merges[:stop])
    assert resumed.merges == whole.merges
    assert resumed.counts.tolist() == whole.counts.tolist()


def test_merges_to_go_on_from_must_follow_from_each_other() -> None:
    rows = [{"left": "A", "right": "C", "count": 3, "margin": 1}, {"left": "AG", "right": "C", "count": 2, "margin": 1}]
    with pytest.raises(DataError, match=r"(?s)merge 2: .*AG"):
        train_bpe([as_codes("ACGTACGT")], 5, known=rows)


def test_an_interrupt_saves_the_merges_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    text = as_codes("GATTACANNGGCATTTAGACC" * 20)
    whole, saved, merge = train_bpe([text], 30), [], passes.Text.merge

    def interrupted(self: passes.Text, chosen: Any, first_new: int, *rest: Any) -> None:
        if first_new > 12:
            raise KeyboardInterrupt
        merge(self, chosen, first_new, *rest)

    monkeypatch.setattr(passes.Text, "merge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_bpe([text], 30, save=saved.append)
    monkeypatch.undo()
    assert 0 < len(saved[-1]) < 30
    assert train_bpe([text], 30, known=saved[-1]).merges == whole.merges


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text("ACDEKLMWXacd-", max_size=200), min_size=1, max_size=3), merges=st.integers(1, 60))
def test_training_on_protein(texts: list[str], merges: int) -> None:
    expected = reference.train(texts, merges, PROTEIN.letters)
    if not expected:
        return
    training = train_bpe([as_codes(text) for text in texts], merges, alphabet=PROTEIN)
    assert [(*pair, row["count"], row["margin"]) for pair, row in
            zip(training.tokenizer.merges, training.merges, strict=True)] == expected
    learnt = [row[:2] for row in expected]
    for text, encoding in zip(texts, training.tokenizer.encode_batch(texts), strict=True):
        assert encoding.input_ids.tolist() == reference.encode(text, learnt, PROTEIN.letters)


def test_protein_has_one_strand() -> None:
    with pytest.raises(ConfigError, match="two strands"):
        train_bpe([as_codes("MKLV")], 2, both_strands=True, alphabet=PROTEIN)


def test_both_strands_adds_the_reverse_complement() -> None:
    text = as_codes("GATTACANNGGCATTTAGACC" * 7)
    both = train_bpe([text], 30, both_strands=True)
    assert both.merges == train_bpe([text, reverse_complement(text)], 30).merges
    assert both.merges != train_bpe([text], 30).merges


def test_training_says_where_it_stopped() -> None:
    said: list[str] = []

    class Listener:
        def say(self, message: str) -> None:
            said.append(message)

        def bar(self, description: str, total: float | None, unit: str) -> Listener:
            return self

        def advance(self, amount: float, note: str) -> None: ...

        def close(self) -> None: ...

    set_sink(Listener())
    try:
        training = train_bpe([as_codes("ACGT")], 10)
    finally:
        set_sink(None)
    assert len(training.merges) == 3 == training.tokenizer.vocab_size - 9
    assert said == ["training stopped after 3 of 10 merges: no two neighbouring tokens are left"]


@pytest.mark.parametrize("merges", [0, -1, 10**6])
def test_training_refuses_numbers_out_of_range(merges: int) -> None:
    with pytest.raises(ConfigError, match="number of merges"):
        train_bpe([as_codes("ACGT")], merges)


@pytest.mark.parametrize("texts", [[], [""], ["NNNN"], ["A", "C"], ["ANCNG"]])
def test_training_refuses_nothing(texts: list[str]) -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        train_bpe([as_codes(text) for text in texts], 5)


@settings(max_examples=150, deadline=None)
@given(trained_on=dna, texts=st.lists(dna, max_size=5), merges=st.integers(0, 120))
def test_encoding_equals_replaying_the_merges(trained_on: str, texts: list[str], merges: int) -> None:
    learnt = [row[:2] for row in reference.train([trained_on], merges)]
    tokenizer = BpeTokenizer(learnt)
    for text, encoding in zip(texts, tokenizer.encode_batch(texts), strict=True):
        assert encoding.input_ids.tolist() == reference.encode(text, learnt)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_encoding_with_merges_nobody_trained(data: st.DataObject) -> None:
    """Any merges at all, also those whose tokens no encoding ever gives."""
    merges: list[tuple[int, int]] = []
    vocab = ["", "", "", "", "", "A", "C", "G", "T"]
    for _ in range(data.draw(st.integers(0, 25))):
        pair = data.draw(st.tuples(*[st.integers(5, len(vocab) - 1)] * 2))
        token = vocab[pair[0]] + vocab[pair[1]]
        if token not in vocab and len(token) < 30:
            merges.append(pair)
            vocab.append(token)
    text = data.draw(dna)
    assert BpeTokenizer(merges).encode(text).input_ids.tolist() == reference.encode(text, merges)


@pytest.mark.parametrize("merges", [0, 1, 2, 50, 600])
def test_encoding_of_repeats(merges: int) -> None:
    text = "".join(np.random.default_rng(1).choice(list("ACGT"), 3000)) + "A" * 500 + "TA" * 300
    learnt = [pair[:2] for pair in learn([text], max(1, merges))][:merges]
    tokenizer = BpeTokenizer(learnt)
    for query in ("A" * 777, "TA" * 401 + "T", "ACGT" * 99, text[::-1], text):
        assert tokenizer.encode(query).input_ids.tolist() == reference.encode(query, learnt)


def test_truncated_is_training_with_fewer() -> None:
    text = as_codes("".join(np.random.default_rng(2).choice(list("ACGT"), 2000)))
    whole, half = train_bpe([text], 60).tokenizer, train_bpe([text], 30).tokenizer
    assert whole.truncated(30).vocab == half.vocab
    assert whole.truncated(30).digest == half.digest != whole.digest
    assert whole.truncated(0).vocab_size == 9
    with pytest.raises(ConfigError, match="fewer merges"):
        whole.truncated(61)


@pytest.mark.parametrize("merges", [[(5, 9)], [(4, 5)], [(5, 5), (9, 5), (5, 9)]])
def test_merges_that_make_no_vocabulary(merges: list[tuple[int, int]]) -> None:
    with pytest.raises(ConfigError, match=r"merge"):
        BpeTokenizer(merges)


def test_real_sequence(data_dir: Path) -> None:
    """Encoding and replay agree on human sequence, and decoding gives it back."""
    text = as_text(Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 0, 100_000))
    tokenizer = train_bpe([as_codes(text)], 100).tokenizer
    encoding = tokenizer.encode(text)
    assert encoding.input_ids.tolist() == reference.encode(text, list(tokenizer.merges))
    assert tokenizer.decode(encoding.input_ids) == text


def test_the_digest_tells_ways_to_the_same_token_apart() -> None:
    one, other = BpeTokenizer([(5, 5), (9, 5)]), BpeTokenizer([(5, 5), (5, 9)])
    assert one.vocab == other.vocab
    assert one.encode("AAAAA").input_ids.tolist() != other.encode("AAAAA").input_ids.tolist()
    assert one.digest != other.digest
