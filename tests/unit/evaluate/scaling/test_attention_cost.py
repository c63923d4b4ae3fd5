"""Time, memory and parameters of one layer: counted by hand, and growing as they should."""

from __future__ import annotations

import pytest
import torch

from lingome.evaluate.scaling.attention_cost import PARTS, fit_growth, measure_attention, peak_tensor_bytes
from lingome.models.networks.transformer.shape import TransformerConfig


def test_peak_counts_what_is_alive_at_once() -> None:
    def work() -> None:
        first = torch.ones(1000)  # 4,000 bytes
        second = first * 2  # 8,000
        view = second.view(10, 100)  # the same storage
        del first  # 4,000
        third = torch.cat([view, view])  # 4,000 + 8,000
        del second, view, third

    assert peak_tensor_bytes(work) == 12_000


def test_attention_grows_with_the_square_and_parameters_do_not_grow() -> None:
    config = TransformerConfig(hidden_size=32, n_layers=1, n_heads=2, ffn_size=64)
    lengths = (256, 512, 1024)
    rows = measure_attention(config, lengths, torch.device("cpu"), repeats=1)
    assert [(row["part"], row["length"]) for row in rows] == [(part, n) for n in lengths for part in PARTS]
    # Four matrices of a layer by hand: 32 x 96, 32 x 32, 32 x 128, 64 x 32; two norms of 32.
    assert {row["parameters"] for row in rows} == {3072 + 1024 + 4096 + 2048 + 64}
    grown = {(one.part, one.measure): one.exponent for one in fit_growth(rows)}
    assert grown["attention, plain", "memory_bytes"] == pytest.approx(2, abs=0.1)
    assert grown["attention, fused", "memory_bytes"] == pytest.approx(1, abs=0.05)
    assert grown["linear", "memory_bytes"] == pytest.approx(1, abs=0.05)
    assert {grown[part, "parameters"] for part in PARTS} == {0.0}
    plain = next(row for row in rows if row["part"] == PARTS[0] and row["length"] == 1024)
    scores = 2 * 1024**2 * 4  # of two heads, float32
    assert 2 * scores < plain["memory_bytes"] < 5 * scores
    assert all(row["time_s"] > 0 for row in rows)
