"""Encoding equals replaying the merges, whatever the alphabet and the blocks, and its cost stays flat."""

from __future__ import annotations

import functools
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingome.data.genome import Genome
from lingome.tokens.alphabet import DNA, PROTEIN, Alphabet
from lingome.tokens.bpe import BpeTokenizer, encoding, train_bpe
from lingome.tokens.bpe.encoding import build_tables, encode_flat

sys.path.insert(0, str(Path(__file__).parent))
import reference

Merges = list[tuple[int, int]]
ONE_LETTER, PAIR = Alphabet("one", "Q"), Alphabet("pair", "XY")


def vocabulary(merges: Merges, letters: str) -> tuple[str, ...]:
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    for left, right in merges:
        vocab.append(vocab[left] + vocab[right])
    return tuple(vocab)


def tables_of(merges: Merges, letters: str) -> encoding.EncodingTables:
    return build_tables(vocabulary(merges, letters), np.array(merges, dtype=np.int64).reshape(-1, 2), 5, letters)


@st.composite
def any_merges(draw: st.DrawFn, letters: str, most: int = 25) -> Merges:
    """Merges nobody trained, among them tokens that no encoding ever gives."""
    merges: Merges = []
    vocab = list(vocabulary([], letters))
    for _ in range(draw(st.integers(0, most))):
        pair = draw(st.tuples(*[st.integers(5, len(vocab) - 1)] * 2))
        token = vocab[pair[0]] + vocab[pair[1]]
        if token not in vocab and len(token) < 40:
            merges.append(pair)
            vocab.append(token)
    return merges


def texts_of(letters: str) -> st.SearchStrategy[str]:
    """Random, repetitive, and of few letters; with unknown letters anywhere."""
    few = st.text(letters[:2] + "?", max_size=200)
    unit = st.text(letters + "?", min_size=1, max_size=4)
    repeats = st.lists(st.tuples(unit, st.integers(1, 30)), max_size=6).map(lambda p: "".join(m * n for m, n in p))
    return st.one_of(st.text(letters, max_size=200), few, repeats)


@pytest.mark.parametrize("alphabet", [DNA, PROTEIN, ONE_LETTER, PAIR], ids=lambda alphabet: alphabet.name)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_encoding_equals_replaying_the_merges(alphabet: Alphabet, data: st.DataObject) -> None:
    letters = alphabet.letters
    merges = data.draw(any_merges(letters))
    texts = data.draw(st.lists(texts_of(letters), max_size=4))
    block_bp = data.draw(st.sampled_from([1, 2, 3, 7, 20, 64, 16_384]))
    bases = np.frombuffer("".join(texts).encode(), dtype=np.uint8)
    starts = np.cumsum([0, *map(len, texts)])
    ids, cuts = encode_flat(bases, starts, alphabet.codes, tables_of(merges, letters), block_bp)
    assert cuts[0] == 0
    assert len(ids) == cuts[-1]
    for r, text in enumerate(texts):
        assert ids[cuts[r] : cuts[r + 1]].tolist() == reference.encode(text, merges, letters)


@functools.cache
def trained(letters: str) -> Merges:
    """Merges of text with long repeats, so that many tokens are longer than a guess looks back."""
    random = np.random.default_rng(3)
    text = "".join(random.choice(list(letters), 1500))
    text += "".join(letters[i % len(letters)] * int(n) for i, n in enumerate(random.integers(1, 60, 60)))
    text += (letters[0] + letters[1]) * 200 + (letters[0] * 2 + letters[1]) * 200
    return [row[:2] for row in reference.train([text], 300, letters)]


@pytest.mark.parametrize("alphabet", [DNA, PROTEIN], ids=lambda alphabet: alphabet.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_blocks_change_nothing_with_a_trained_vocabulary(alphabet: Alphabet, data: st.DataObject) -> None:
    letters = alphabet.letters
    merges = trained(letters)
    text = data.draw(texts_of(letters)) * data.draw(st.integers(1, 3))
    bases = np.frombuffer(text.encode(), dtype=np.uint8)
    tables = trained_tables(letters)
    for block_bp in (1, 5, 50, 16_384):
        ids, _ = encode_flat(bases, np.array([0, len(bases)]), alphabet.codes, tables, block_bp)
        assert ids.tolist() == reference.encode(text, merges, letters)


@functools.cache
def trained_tables(letters: str) -> encoding.EncodingTables:
    return tables_of(trained(letters), letters)


@settings(max_examples=60, deadline=None)
@given(merges=any_merges("ACGT", 20))
def test_compatible_pairs_are_those_that_encode_to_themselves(merges: Merges) -> None:
    """The definition itself, checked by replaying the merges on every pair of tokens."""
    vocab = vocabulary(merges, "ACGT")
    compatible = np.unpackbits(tables_of(merges, "ACGT").compatible, axis=1, bitorder="little")
    alone = [token for token in range(5, len(vocab)) if reference.encode(vocab[token], merges) == [token]]
    assert np.flatnonzero(compatible[encoding.START]).tolist() == alone
    for left in range(5, len(vocab)):
        expected = [r for r in alone if reference.encode(vocab[left] + vocab[r], merges) == [left, r]]
        assert np.flatnonzero(compatible[left]).tolist() == (expected if left in alone else [])
    assert not compatible[encoding.FORBIDDEN].any()


def test_real_sequence_in_blocks(data_dir: Path) -> None:
    """Blocks of any size give what replaying gives on human sequence with 600 merges, N among it."""
    sequence = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 0, 400_000).copy()
    tokenizer = train_bpe([sequence], 600).tokenizer
    sequence = sequence[:60_000]
    sequence[[0, 5, 6, 30_000, -1]] = ord("N")
    expected = reference.encode(sequence.tobytes().decode(), list(tokenizer.merges))
    for block_bp in (1, 10, 1000, 16_384):
        ids, _ = encode_flat(sequence, np.array([0, len(sequence)]), DNA.codes, tokenizer._tables, block_bp)
        assert ids.tolist() == expected


def every_run(longest: int) -> BpeTokenizer:
    """Make A, AA, AAA ... to `longest`, all of them tokens that encodings give: doublings first, then sums."""
    ids, merges = {1: 5}, []
    doublings = [2**i for i in range(1, longest.bit_length())]
    for n in [*doublings, *(n for n in range(3, longest + 1) if n not in doublings)]:
        left = 2 ** ((n - 1).bit_length() - 1)
        merges.append((ids[left], ids[n - left]))
        ids[n] = 8 + len(merges)
    return BpeTokenizer(merges)


@pytest.mark.parametrize("longest", [2, 3, 16, 31, 100])
def test_runs_of_one_letter(longest: int) -> None:
    tokenizer = every_run(longest)
    for n in (0, 1, 2, 3, 31, 99, 100, 101, 1000):
        assert tokenizer.encode("A" * n).input_ids.tolist() == reference.encode("A" * n, list(tokenizer.merges))


def seconds(tokenizer: BpeTokenizer, bases: np.ndarray) -> float:
    """Measure CPU time, the best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        tokenizer.encode_flat(bases, np.array([0, len(bases)]))
        times.append(time.process_time() - began)
    return min(times)


NESTED = {"doublings": BpeTokenizer([(5, 5), *((i, i) for i in range(9, 20))]), "every run": every_run(300)}


@pytest.mark.parametrize("tokenizer", NESTED.values(), ids=NESTED.keys())
@pytest.mark.parametrize("unit", ["A", "AC", "A" * 10 + "C", "A" * 50 + "N", "N"])
def test_repeats_cost_about_what_random_sequence_costs(tokenizer: BpeTokenizer, unit: str) -> None:
    """Both are linear: eight times the length takes some eight times as long."""
    n = 800_000
    random = np.frombuffer(b"ACGT", dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, n)]
    repeats = np.resize(np.frombuffer(unit.encode(), dtype=np.uint8), n)
    seconds(tokenizer, random[:1000])  # compiles
    whole = seconds(tokenizer, repeats)
    assert whole < 8 * seconds(tokenizer, random)
    assert whole < 8 * 4 * seconds(tokenizer, repeats[: n // 8])


def test_memory_is_at_most_four_bytes_a_base() -> None:
    tokenizer = BpeTokenizer(trained("ACGT"))
    text = "".join(np.random.default_rng(0).choice(list("ACGT"), 1_000_000))
    tokenizer.encode("ACGT")
    tracemalloc.start()
    encodings = tokenizer.encode_batch([text])
    assert len(encodings) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(text)


def test_tables_of_a_large_vocabulary_are_made_in_time() -> None:
    """4,096 merges in well under a second; the plain way, pair by pair, takes seconds."""
    random = np.random.default_rng(0)
    vocab, merges = list(vocabulary([], "ACGT")), []
    seen = set(vocab)
    while len(merges) < 4096:
        left, right = (int(i) for i in random.integers(5, min(len(vocab), 900), 2))
        if vocab[left] + vocab[right] not in seen and len(vocab[left] + vocab[right]) < 20:
            merges.append((left, right))
            vocab.append(vocab[left] + vocab[right])
            seen.add(vocab[-1])
    tables_of(merges[:5], "ACGT")  # compiles
    began = time.process_time()
    tables_of(merges, "ACGT")
    assert time.process_time() - began < 1.5


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), length=st.integers(0, 3000))
def test_a_large_vocabulary_encodes_exactly(seed: int, length: int) -> None:
    """Letters of uneven frequency, so that long tokens are met."""
    text = "".join(np.random.default_rng(seed).choice(list("ACGT"), length, p=[0.7, 0.1, 0.1, 0.1]))
    ids, _ = encode_flat(
        np.frombuffer(text.encode(), dtype=np.uint8), np.array([0, length]), DNA.codes, trained_tables("ACGT"), 100
    )
    assert ids.tolist() == reference.encode(text, trained("ACGT"))
