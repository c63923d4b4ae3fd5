import numpy as np
import pytest

from lingome.data.areas import choose_areas
from lingome.data.genome import Genome
from lingome.data.repeats import Repeats
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.pretraining import Corpus, WindowSettings


def test_windows_leave_room_for_both_ends() -> None:
    windows = WindowSettings(min_tokens=20, max_tokens=510, fixed_share=0.5)
    assert (windows.longest(512), windows.longest(128)) == (510, 126)
    assert windows.mean(128) == 100  # half of the batches have 126, the others 73 on the average: (20 + 126) / 2
    assert windows.mean(12) == 10  # the shortest is no longer than the longest


def test_what_a_resumed_run_compares_is_written_as_it_always_was() -> None:
    """States of version 0.1.0 hold these texts."""
    assert WindowSettings().identity(512) == {"windows": "(20, 510, 0.5, 64)"}
    assert WindowSettings(mixed_lengths=True).identity(128)["lengths"] == "mixed"
    assert "lengths" not in WindowSettings().identity(128)


def test_repeats_are_of_the_identity_and_of_the_loss(tmp_path) -> None:
    (tmp_path / "g.fa").write_text(">c\n" + "ACGT" * 10 + "\n")
    genome = Genome.open(tmp_path / "g.fa")
    areas = choose_areas(genome.lengths, validation_share=0)
    plain = Corpus(genome, CharacterTokenizer(), areas)
    assert plain.loss_weights(plain.tokens(areas.train)) is None
    assert set(plain.identity) == {"genome", "tokenizer", "areas"}
    repeats = Repeats({"c": np.array([[0, 8]])})
    corpus = Corpus(genome, CharacterTokenizer(), areas, repeats, 0.25)
    assert corpus.identity == {**plain.identity, "repeats": f"{repeats.digest} 0.25"}
    weights = corpus.loss_weights(corpus.tokens(areas.train))
    assert weights is not None
    assert weights[:8].tolist() == pytest.approx([0.25] * 8)
    assert (weights[8:] == 1).all()
