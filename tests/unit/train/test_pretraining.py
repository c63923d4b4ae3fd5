import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.config.train import TrainSettings
from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.models.presets import build_masked_lm
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.store_files import open_store, write_store
from lingome.train.objectives import MaskedObjective
from lingome.train.pretraining import (
    MaskedValidation,
    choose_areas,
    find_warnings,
    language_rows,
    pretrain_model,
    read_tokens,
)

TOKENIZER = CharacterTokenizer()


def covered(parts):
    return {(p.chrom, i) for p in parts for i in range(p.start, p.end)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 20)), max_size=4),
    st.floats(0, 0.4), st.integers(0, 20),
)
def test_areas_never_overlap_nor_touch_what_is_excluded(sizes, excluded, share, gap_bp):
    lengths = {f"c{i}": size for i, size in enumerate(sizes)}
    exclude = [Interval(f"c{i}", start, start + n) for i, start, n in excluded]
    free = {(c, i) for c, n in lengths.items() for i in range(n)} - covered(exclude)
    wanted = round(share * len(free))
    if len(free) <= wanted + (gap_bp if wanted else 0):
        with pytest.raises(DataError, match="nothing is left"):
            choose_areas(lengths, exclude, validation_share=share, gap_bp=gap_bp)
        return
    areas = choose_areas(lengths, exclude, validation_share=share, gap_bp=gap_bp)
    learnt, held = covered(areas.train), covered(areas.valid)
    assert learnt | held <= free
    assert not learnt & held
    assert len(held) == wanted
    assert len(learnt) == len(free) - wanted - (gap_bp if wanted else 0)


class Uniform(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(size))

    def forward(self, input_ids, attention_mask=None, masked=None):
        return self.logits.expand(int(masked.sum()), -1)


def test_validation_of_known_models():
    windows = np.random.default_rng(0).integers(5, 9, (30, 50))
    validation = MaskedValidation(windows, MaskedObjective(TOKENIZER), seed=0, batch_tokens=520)
    assert len(validation.batches) == 3
    uniform = validation(Uniform(9))
    assert uniform["loss"] == pytest.approx(math.log(9), rel=1e-6)
    assert uniform["perplexity"] == pytest.approx(9, rel=1e-6)
    assert uniform["bits_per_base"] == pytest.approx(math.log2(9), rel=1e-6)
    counts = np.array([0] * 5 + [10**9] * 4)
    assert validation.unigram(counts)["bits_per_base"] == pytest.approx(2.0, rel=1e-6)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """A sequence with a period of seven bases, and some N."""
    path = tmp_path_factory.mktemp("genome") / "periodic.fa"
    path.write_text(">one\n" + "GATTACA" * 600 + "NNNN" + "GATTACA" * 400 + "\n")
    return Genome.open(path)


def test_a_tiny_model_learns_a_period(genome, tmp_path):
    areas = choose_areas(genome.lengths, validation_share=0.1, gap_bp=100)
    model = build_masked_lm("tiny", TOKENIZER.vocab_size, 0)
    (tmp_path / "tables").mkdir()
    run = RunDir(tmp_path)
    done = pretrain_model(
        genome, TOKENIZER, model, areas, TrainSettings(max_steps=80, lr=0.005, batch_tokens=768, eval_every=40),
        seed=0, run=run, max_tokens=64, min_tokens=32, validation_windows=4,
    )
    assert done.after["bits_per_base"] < 0.8 < 1.8 < done.unigram["bits_per_base"] < done.before["bits_per_base"] + 0.5
    assert done.result.best_metric == pytest.approx(done.after["loss"], rel=1e-3)
    assert done.unknown == 4
    rows = run.read_metrics()
    assert [row["step"] for row in rows if row["split"] == "valid"] == [0, 40, 80]
    assert [row["name"] for row in language_rows(done)] == ["trained", "at the start", "token frequencies"]
    assert "unknown letters" in {row["topic"] for row in find_warnings(done, TOKENIZER)}


def test_without_validation_the_last_weights_stay(genome):
    areas = choose_areas(genome.lengths, validation_share=0)
    model = build_masked_lm("nano", TOKENIZER.vocab_size, 0)
    done = pretrain_model(
        genome, TOKENIZER, model, areas, TrainSettings(max_steps=2, batch_tokens=512), seed=0, max_tokens=64
    )
    assert done.after == {}
    assert done.result.best_metric is None
    assert "no validation" in {row["topic"] for row in find_warnings(done, TOKENIZER)}


BPE = train_bpe([np.frombuffer(b"GATTACAGATTGCA" * 20, dtype=np.uint8)], 6).tokenizer


def losses(source, areas, path):
    (path / "tables").mkdir(parents=True)
    run = RunDir(path)
    done = pretrain_model(
        source, BPE, build_masked_lm("nano", BPE.vocab_size, 0), areas,
        TrainSettings(max_steps=6, batch_tokens=512, eval_every=3, log_every=1), seed=0, run=run, max_tokens=64,
        validation_windows=4,
    )
    kept = [{k: v for k, v in row.items() if not k.endswith("_s")} for row in run.read_metrics()]
    return kept, done


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Random sequence with N in three records, as a FASTA and as a store of several files."""
    folder, rng = tmp_path_factory.mktemp("stored"), np.random.default_rng(0)
    letters = [rng.choice(list("ACGTN"), n, p=[0.3, 0.2, 0.2, 0.29, 0.01]) for n in (4000, 3000, 2000)]
    (folder / "g.fa").write_text("".join(f">r{i}\n{''.join(one)}\n" for i, one in enumerate(letters)))
    write_store(folder / "store", BPE, folder / "g.fa", shard_tokens=500, anchor_tokens=32)
    return Genome.open(folder / "g.fa"), open_store(folder / "store")


def test_a_store_teaches_what_the_sequence_teaches(stored, tmp_path):
    genome, store = stored
    # Areas that end where records end: then encoding the areas and encoding the records is the same.
    areas = choose_areas(genome.lengths, [], validation_share=2000 / 9000, gap_bp=0)
    assert [part.chrom for part in areas.train] == ["r0", "r1"]
    fasta_rows, fasta = losses(genome, areas, tmp_path / "fasta")
    store_rows, stored_done = losses(store, areas, tmp_path / "store")
    assert store_rows == fasta_rows
    assert stored_done.unigram == fasta.unigram
    assert (stored_done.train_tokens, stored_done.train_bases, stored_done.unknown) == (
        fasta.train_tokens, fasta.train_bases, fasta.unknown,
    )
    assert 0 < stored_done.result.waiting_share < 1


def test_areas_inside_a_record_lose_no_more_than_the_tokens_at_their_borders(stored):
    genome, store = stored
    areas = choose_areas(genome.lengths, [Interval("r0", 1000, 1500)], validation_share=0.1, gap_bp=50)
    for parts in (areas.train, areas.valid):
        found, encoded = read_tokens(store, BPE, parts), read_tokens(genome, BPE, parts)
        for first, last in found.segments.tolist():
            span = store.interval(first, last)
            assert any(p.chrom == span.chrom and p.start <= span.start and span.end <= p.end for p in parts)
        longest = int(BPE.token_lengths.max())
        assert 0 <= encoded.bases - found.bases <= 2 * len(parts) * (longest - 1)
        assert found.unknown == encoded.unknown


def test_a_store_of_another_vocabulary_is_refused(stored):
    with pytest.raises(DataError, match="another vocabulary"):
        read_tokens(stored[1], TOKENIZER, [Interval("r0", 0, 9)])
