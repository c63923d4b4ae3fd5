"""One pass over sequence, against values worked by hand and a slow count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.data.interval import Interval
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.explain.token_census import merge_intervals, take_census
from lingome.explain.token_table import TOKEN_COLUMNS, annotation_table, describe, token_table
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

BPE = BpeTokenizer([(8, 8), (5, 9)])  # TT, then A + TT
TOKENIZERS = [BPE, CharacterTokenizer(), KmerTokenizer(3), KmerTokenizer(3, overlap=False)]


def test_strand_bias_by_hand():
    # ATTATTAAT is ATT ATT A A T; its reverse complement ATTAATAAT is ATT A A T A A T.
    census = take_census([("c", as_bases("ATTATTAAT"))], BPE)
    rows = {row["token"]: row for row in token_table(BPE, census)}
    assert (rows["ATT"]["count"], rows["ATT"]["count_reverse"]) == (2, 1)
    assert rows["ATT"]["strand_bias"] == pytest.approx(1 / 3)
    assert rows["A"]["strand_bias"] == pytest.approx((2 - 4) / 6)
    assert rows["T"]["strand_bias"] == pytest.approx((1 - 2) / 3)
    assert rows["G"]["strand_bias"] is None
    assert tuple(rows["A"]) == TOKEN_COLUMNS
    assert describe(list(rows.values()), census) == (
        "6 tokens read 9 letters as 5 tokens, 1.80 letters per token; the longest has 3. 3 never occur: C, G, TT."
    )


def test_a_sequence_that_is_its_own_reverse_complement_favours_no_strand():
    census = take_census([("c", as_bases("ATTAAT"))], BPE)
    assert census.reverse_counts is not None
    assert census.counts.tolist() == census.reverse_counts.tolist()


def test_share_inside_an_annotation_by_hand():
    # ATT G ATT N TT, with middles at 1, 3, 5 and 9; of nine known letters three lie in [1, 4).
    census = take_census([("c", as_bases("ATTGATTNTT"))], BPE, {"x": merge_intervals([Interval("c", 1, 4)])})
    rows = {row["token"]: row for row in annotation_table(BPE, census)}
    assert census.letters == 9
    assert (rows["ATT"]["count"], rows["ATT"]["inside"], rows["ATT"]["share"]) == (2, 1, 0.5)
    assert rows["ATT"]["baseline"] == pytest.approx(1 / 3)
    assert rows["ATT"]["ratio"] == pytest.approx(1.5)
    assert rows["G"]["ratio"] == pytest.approx(3)
    assert rows["TT"]["ratio"] == 0
    assert rows["A"]["share"] is None
    assert token_table(BPE, census)[2]["x_ratio"] == pytest.approx(3)
    # N is no known letter, inside or outside.
    census = take_census([("c", as_bases("ATTGATTNTT"))], BPE, {"x": merge_intervals([Interval("c", 6, 9)])})
    assert census.letters_inside == {"x": 2}


def test_parents_margins_and_palindromes():
    census = take_census([("c", as_bases("GATTTNAT"))], BPE)
    merges = [{"count": 7, "margin": 2}, {"count": 5, "margin": 0}]
    rows = {row["token"]: row for row in token_table(BPE, census, merges)}
    assert [rows["ATT"][name] for name in ("rank", "left", "right", "pair_count", "margin")] == [2, "A", "TT", 5, 0]
    assert rows["A"]["rank"] is None
    table = token_table(KmerTokenizer(2), take_census([("c", as_bases("ACGT"))], KmerTokenizer(2)))
    assert {row["token"] for row in table if row["palindrome"]} == {"AT", "TA", "CG", "GC"}
    assert [row["ag"] for row in table if row["token"] in ("AG", "AC")] == [0.5, 1.0]


def test_protein_has_no_strands():
    tokenizer = CharacterTokenizer(PROTEIN)
    census = take_census([("p", np.frombuffer(b"MKKCX", dtype=np.uint8))], tokenizer)
    assert census.reverse_counts is None
    assert census.letters == 4
    row = next(row for row in token_table(tokenizer, census) if row["token"] == "C")
    assert row["count"] == 1
    assert {row[name] for name in ("gc", "ag", "ac", "count_reverse", "strand_bias", "palindrome")} == {None}


def test_nothing_known_is_an_error():
    with pytest.raises(DataError, match="no known letter"):
        take_census([("c", as_bases("NNN"))], BPE)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=60), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 25)), max_size=6),
    st.sampled_from(TOKENIZERS),
)
def test_a_pass_counts_what_a_slow_count_does(texts, spans, tokenizer):
    records = [(str(index), as_bases(text)) for index, text in enumerate(["ACGT", *texts])]
    stretches = merge_intervals(Interval(str(record), start, start + size) for record, start, size in spans)
    census = take_census(records, tokenizer, {"x": stretches})
    counts, inside, reverse = (np.zeros(tokenizer.vocab_size, dtype=np.int64) for _ in range(3))
    covered = {(str(record), base) for record, start, size in spans for base in range(start, start + size)}
    letters = letters_inside = 0
    for name, bases in records:
        encoding = tokenizer.encode(bases)
        for index, start in zip(encoding.input_ids.tolist(), encoding.offsets.tolist(), strict=False):
            if index != tokenizer.unk_id:
                counts[index] += 1
                inside[index] += (name, start + len(tokenizer.vocab[index]) // 2) in covered
        for index in tokenizer.encode(reverse_complement(bases)).input_ids.tolist():
            reverse[index] += index != tokenizer.unk_id
        known = [base for base, letter in enumerate(as_text(bases)) if letter != "N"]
        letters += len(known)
        letters_inside += sum((name, base) in covered for base in known)
    assert census.counts.tolist() == counts.tolist()
    assert census.inside["x"].tolist() == inside.tolist()
    assert census.reverse_counts is not None
    assert census.reverse_counts.tolist() == reverse.tolist()
    assert (census.letters, census.letters_inside["x"]) == (letters, letters_inside)


def test_windows_are_pieces_of_known_text_and_do_not_overlap():
    random = np.random.default_rng(0)
    text = "".join(random.choice(list("ACGT"), 900)) + "N" * 7 + "".join(random.choice(list("ACGT"), 130)) + "NACGT"
    whole = take_census([("c", as_bases(text))], CharacterTokenizer(), n_windows=100, window_tokens=50)
    # 900 letters make 18 windows, 130 make two and 30 letters more; four letters are too few.
    assert sorted(len(one) for one in whole.windows) == [30] + [50] * 20
    assert "".join(CharacterTokenizer().decode(one) for one in whole.windows) == text[:900] + text[907:1037]
    some = take_census([("c", as_bases(text))], CharacterTokenizer(), n_windows=5, window_tokens=50)
    again = take_census([("c", as_bases(text))], CharacterTokenizer(), n_windows=5, window_tokens=50)
    other = take_census([("c", as_bases(text))], CharacterTokenizer(), n_windows=5, window_tokens=50, seed=1)
    pieces = [one.tobytes() for one in some.windows]
    assert len(set(pieces)) == 5
    assert set(pieces) <= {one.tobytes() for one in whole.windows}
    assert pieces == [one.tobytes() for one in again.windows]
    assert pieces != [one.tobytes() for one in other.windows]


def test_windows_are_drawn_alike_from_every_record():
    # Three records of 10, 20 and 70 windows: their shares among 30 drawn, over 100 seeds.
    sizes = (("A", 10), ("C", 20), ("G", 70))
    records = [(letter, np.full(20 * n, ord(letter), dtype=np.uint8)) for letter, n in sizes]
    drawn = np.zeros(3)
    for seed in range(100):
        census = take_census(records, CharacterTokenizer(), n_windows=30, window_tokens=20, seed=seed)
        assert len(census.windows) == 30
        drawn += [sum(CharacterTokenizer().vocab[one[0]] == letter for one in census.windows) for letter in "ACG"]
    assert np.allclose(drawn / 3000, [0.1, 0.2, 0.7], atol=0.03)
