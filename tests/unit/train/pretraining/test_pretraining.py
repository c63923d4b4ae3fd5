import dataclasses

import numpy as np
import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, DataError, Interrupted
from lingome.core.rundir import RunDir
from lingome.data.areas import choose_areas
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.language.likelihood import markov_baseline
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.store import fill_store, open_store
from lingome.train.checkpointing import Checkpointing
from lingome.train.objectives import CausalObjective, MaskedObjective
from lingome.train.objectives.corruption import SpanCorruption
from lingome.train.pretraining.corpus import Corpus, WindowSettings, read_tokens
from lingome.train.pretraining.model import pretrain_model
from lingome.train.pretraining.results import describe, find_warnings, language_rows

TOKENIZER = CharacterTokenizer()
TINY = DecoderConfig(hidden_size=64, n_layers=2, n_heads=2, n_kv_heads=1, ffn_size=128, max_positions=128)


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
        model, Corpus(genome, TOKENIZER, areas),
        TrainSettings(max_steps=60, lr=0.006, batch_tokens=640, eval_every=30), seed=0,
        windows=WindowSettings(min_tokens=32, max_tokens=64, validation_windows=4), saving=Checkpointing(run),
    )
    assert done.after["bits_per_base"] < 0.8 < 1.8 < done.unigram["bits_per_base"] < done.before["bits_per_base"] + 0.5
    assert done.result.best_metric == pytest.approx(done.after["loss"], rel=1e-3)
    assert done.unknown == 4
    rows = run.read_metrics()
    assert [row["step"] for row in rows if row["split"] == "valid"] == [0, 30, 60]
    assert [row["name"] for row in language_rows(done)] == ["trained", "at the start", "token frequencies"]
    assert "unknown letters" in {row.topic for row in find_warnings(done)}


def test_a_tiny_causal_model_learns_a_period(genome, tmp_path):
    areas = choose_areas(genome.lengths, validation_share=0.1, gap_bp=100)
    model = build_causal_lm(TINY, TOKENIZER.vocab_size, 0)
    (tmp_path / "tables").mkdir()
    done = pretrain_model(
        model, Corpus(genome, TOKENIZER, areas),
        TrainSettings(max_steps=50, lr=0.006, batch_tokens=640, eval_every=25), seed=0,
        objective=CausalObjective(TOKENIZER),
        windows=WindowSettings(min_tokens=32, max_tokens=64, validation_windows=4),
        saving=Checkpointing(RunDir(tmp_path)),
    )
    # The period is known after two or three letters; token frequencies have the entropy of GATTACA and specials.
    assert done.after["bits_per_base"] < 0.3 < 1.8 < done.unigram["bits_per_base"]
    assert done.result.best_metric == pytest.approx(done.after["loss"], rel=1e-3)
    assert find_warnings(done)[0].topic == "unknown letters"
    assert not any(row.level == "warn" for row in find_warnings(done))
    assert "next tokens cost" in describe(done)
    rows = markov_baseline(done)
    assert rows[0]["name"].startswith("Markov model of bases, order")
    assert rows[0]["bits_per_base"] < 0.3
    masked = dataclasses.replace(done, objective=MaskedObjective(TOKENIZER))
    assert markov_baseline(masked) == []
    spans = dataclasses.replace(done, objective=SpanCorruption(KmerTokenizer(6)))
    assert ("warn", "overlapping tokens") in {(row.level, row.topic) for row in find_warnings(spans)}


def test_byte_pairs_and_a_causal_model_are_warned_of(genome):
    areas = choose_areas(genome.lengths, validation_share=0)
    model, kmers = build_causal_lm(TINY, BPE.vocab_size, 0), KmerTokenizer(6, overlap=False)
    brief = TrainSettings(max_steps=1, batch_tokens=256)
    done = pretrain_model(
        model, Corpus(genome, BPE, areas), brief, seed=0, objective=CausalObjective(BPE),
        windows=WindowSettings(max_tokens=32),
    )
    assert ("warn", "byte pairs and a causal model") in {(row.level, row.topic) for row in find_warnings(done)}
    assert markov_baseline(done) == []  # nothing to measure on
    assert CausalObjective(kmers).advice is None
    assert MaskedObjective(BPE).advice is None
    assert "mask_span" in MaskedObjective(KmerTokenizer(6)).advice


def test_an_interrupted_causal_training_goes_on_to_the_same_bits(genome, tmp_path):
    areas = choose_areas(genome.lengths, validation_share=0)
    saves = []

    def stop_at_the_third_save(model):
        saves.append(1)
        if len(saves) == 3:
            raise KeyboardInterrupt

    def weights(folder, objective, publish=None, resume=False):
        model = build_causal_lm(TINY, TOKENIZER.vocab_size, 0)
        (tmp_path / folder).mkdir(exist_ok=True)
        pretrain_model(
            model, Corpus(genome, TOKENIZER, areas), TrainSettings(max_steps=6, batch_tokens=256, save_every=1),
            seed=0, objective=objective, windows=WindowSettings(max_tokens=32),
            saving=Checkpointing(RunDir(tmp_path / folder), resume=resume, publish=publish),
        )
        return model.state_dict()

    causal = CausalObjective(TOKENIZER)
    whole = weights("whole", causal)
    with pytest.raises(Interrupted):
        weights("parted", causal, stop_at_the_third_save)
    with pytest.raises(ConfigError, match="its mask_rate changed"):
        weights("parted", MaskedObjective(TOKENIZER), resume=True)
    parted = weights("parted", causal, resume=True)
    assert len(saves) == 3
    assert whole.keys() == parted.keys()
    assert all(torch.equal(whole[name], parted[name]) for name in whole)


def test_without_validation_the_last_weights_stay(genome):
    areas = choose_areas(genome.lengths, validation_share=0)
    model = build_masked_lm("nano", TOKENIZER.vocab_size, 0)
    done = pretrain_model(
        model, Corpus(genome, TOKENIZER, areas), TrainSettings(max_steps=2, batch_tokens=512), seed=0,
        windows=WindowSettings(max_tokens=64),
    )
    assert done.after == {}
    assert done.result.best_metric is None
    assert "no validation" in {row.topic for row in find_warnings(done)}


BPE = train_bpe([np.frombuffer(b"GATTACAGATTGCA" * 20, dtype=np.uint8)], 6).tokenizer


def losses(source, areas, path):
    (path / "tables").mkdir(parents=True)
    run = RunDir(path)
    done = pretrain_model(
        build_masked_lm("nano", BPE.vocab_size, 0), Corpus(source, BPE, areas),
        TrainSettings(max_steps=6, batch_tokens=512, eval_every=3, log_every=1), seed=0,
        windows=WindowSettings(max_tokens=64, validation_windows=4), saving=Checkpointing(run),
    )
    kept = [{k: v for k, v in row.items() if not k.endswith("_s")} for row in run.read_metrics()]
    return kept, done


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Random sequence with N in three records, as a FASTA and as a store of several files."""
    folder, rng = tmp_path_factory.mktemp("stored"), np.random.default_rng(0)
    letters = [rng.choice(list("ACGTN"), n, p=[0.3, 0.2, 0.2, 0.29, 0.01]) for n in (4000, 3000, 2000)]
    (folder / "g.fa").write_text("".join(f">r{i}\n{''.join(one)}\n" for i, one in enumerate(letters)))
    (folder / "store").mkdir()
    fill_store(folder / "store", BPE, folder / "g.fa", shard_tokens=500, anchor_tokens=32)
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
