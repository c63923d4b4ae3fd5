"""Models that give letters a probability are opened whatever their kind; others are refused."""

import pytest

from lingome.core.errors import CheckpointError, ConfigError
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.networks.hyena.model import build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.models.scoring.questions import is_causal
from lingome.models.scoring.scores import score_sequences
from lingome.tokens.characters import CharacterTokenizer
from lingome.tune.language_model import open_language_model


def test_every_kind_scores_the_same_after_it_was_saved(tmp_path):
    letters, published = CharacterTokenizer(), CharacterTokenizer(layout="hyenadna")
    hyena = build_hyena_lm(HyenaConfig(hidden_size=32, ffn_size=64, max_positions=66))
    for name, model, tokenizer, causal in (
        ("masked", build_masked_lm("nano", 9, 0), letters, False),
        ("causal", build_causal_lm("gpt-mini", 9, 0), letters, True),
        ("hyena", hyena, published, True),
    ):
        save_checkpoint(tmp_path / name, model, tokenizer)
        opened = open_language_model(str(tmp_path / name))
        assert is_causal(opened.model) is causal
        before, after = (score_sequences(one, tokenizer, ["GATTACANNA"])[0] for one in (model, opened.model))
        assert after.score == pytest.approx(before.score, rel=1e-5)


def test_random_weights_by_preset_and_what_has_no_probabilities(tmp_path):
    assert is_causal(open_language_model("random:gpt-mini").model)
    assert not is_causal(open_language_model("random:nano").model)
    with pytest.raises(ConfigError):
        open_language_model("random:nonsense")
    save_checkpoint(tmp_path / "c", build_classifier("nano", 9, label_names=("a", "b")), CharacterTokenizer())
    with pytest.raises(CheckpointError, match="no probability"):
        open_language_model(str(tmp_path / "c"))
