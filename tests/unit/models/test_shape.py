"""A shape is checked when it is made."""

import pytest

from lingome.core.errors import ConfigError
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.transformer.shape import TransformerConfig


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"n_layers": -1}, "n_layers"),
        ({"n_layers": 10**9}, "n_layers"),
        ({"hidden_size": 30, "n_heads": 4}, "hidden_size"),
        ({"hidden_size": 12, "n_heads": 4}, "head size"),
        ({"positions": "sine"}, "positions"),
        ({"norm": "none"}, "norm"),
        ({"ffn": "relu"}, "ffn"),
        ({"dropout": 1.0}, "dropout"),
        ({"norm_eps": 0.0}, "norm_eps"),
        ({"cls_id": 9}, "cls_id"),
        ({"label_names": ("a", "a")}, "label_names"),
    ],
)
def test_bad_values_are_named(values: dict, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        TransformerConfig(**values)


def test_derived_sizes() -> None:
    config = TransformerConfig(hidden_size=64, n_heads=4, label_names=("no", "yes"))
    assert (config.head_size, config.n_classes) == (16, 2)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"n_layers": 10**9}, "n_layers"),
        ({"n_heads": 3}, "hidden_size"),
        ({"n_kv_heads": 3}, "n_kv_heads"),
        ({"n_kv_heads": 8}, "n_kv_heads"),
        ({"hidden_size": 12, "n_heads": 4, "n_kv_heads": 4}, "head size"),
        ({"positions": "alibi"}, "positions"),
        ({"norm": "pre"}, "norm"),
        ({"ffn": "gelu"}, "ffn"),
        ({"bias": "no"}, "bias"),
        ({"dropout": 1.0}, "dropout"),
        ({"norm_eps": 0.0}, "norm_eps"),
        ({"rope_theta": 1.0}, "rope_theta"),
        ({"sep_id": 9}, "sep_id"),
    ],
)
def test_bad_values_of_a_decoder_are_named(values: dict, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        DecoderConfig(**values)
