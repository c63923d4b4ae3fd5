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
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.objectives import MaskedObjective
from lingome.train.pretraining import MaskedValidation, choose_areas, find_warnings, language_rows, pretrain_model

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
