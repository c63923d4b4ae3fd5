"""MosaicBERT and the second Nucleotide Transformer from the equations of their papers, in float64.

MosaicBERT is Portes et al. 2023 (arXiv:2312.17482): BERT with ALiBi (Press et al. 2022, arXiv:2108.12409, made
symmetric) and a gated feed-forward layer, ``(gelu(x W) * (x V)) O + b`` (Shazeer 2020, arXiv:2002.05202). The second
Nucleotide Transformer (Dalla-Torre et al. 2025, doi:10.1038/s41592-024-02523-z) is pre-norm with rotary positions (Su
et al. 2021, arXiv:2104.09864) and SwiGLU. One sequence at a time, one head at a time, every rotation in the open;
weights under the names of the published files.
"""

import math

import numpy as np

MOSAIC_SLOPES_OF_12 = [*(2.0**-power for power in range(1, 9)), *(2.0 ** -(power + 0.5) for power in range(4))]
"""As published for 12 heads: the series of 8 heads, then every other one of 16."""


def mosaicbert_logits(weights: dict, input_ids: list[int], n_layers: int, n_heads: int) -> np.ndarray:
    """Give the logits of one sequence, (L, V)."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    x = w["bert.embeddings.word_embeddings.weight"][input_ids] + w["bert.embeddings.token_type_embeddings.weight"][0]
    x = norm(w, "bert.embeddings.LayerNorm", x, 1e-12)
    assert n_heads == 12
    for layer in range(n_layers):
        here = f"bert.encoder.layer.{layer}"
        q, k, v = np.split(linear(w, f"{here}.attention.self.Wqkv", x), 3, axis=1)
        mixed = attention(q, k, v, n_heads, lambda head, i, j: -MOSAIC_SLOPES_OF_12[head] * abs(i - j))
        x = norm(w, f"{here}.attention.output.LayerNorm", x + linear(w, f"{here}.attention.output.dense", mixed), 1e-12)
        gated, value = np.split(x @ w[f"{here}.mlp.gated_layers.weight"].T, 2, axis=1)
        inner = linear(w, f"{here}.mlp.wo", gelu(gated) * value)
        x = norm(w, f"{here}.mlp.layernorm", x + inner, 1e-12)
    x = gelu(linear(w, "cls.predictions.transform.dense", x))
    x = norm(w, "cls.predictions.transform.LayerNorm", x, 1e-12)
    return x @ w["bert.embeddings.word_embeddings.weight"].T + w["cls.predictions.decoder.bias"]


def nucleotide_logits(weights: dict, input_ids: list[int], n_layers: int, n_heads: int) -> np.ndarray:
    """Give the logits of one sequence, (L, V)."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    x = w["esm.embeddings.word_embeddings.weight"][input_ids]
    for layer in range(n_layers):
        here = f"esm.encoder.layer.{layer}"
        seen = norm(w, f"{here}.attention.LayerNorm", x, 1e-12)
        q, k, v = (linear(w, f"{here}.attention.self.{name}", seen) for name in ("query", "key", "value"))
        mixed = attention(rotate(q, n_heads), rotate(k, n_heads), v, n_heads)
        x = x + linear(w, f"{here}.attention.output.dense", mixed)
        both = norm(w, f"{here}.LayerNorm", x, 1e-12) @ w[f"{here}.intermediate.dense.weight"].T
        gate, value = np.split(both, 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * value) @ w[f"{here}.output.dense.weight"].T
    x = norm(w, "esm.encoder.emb_layer_norm_after", x, 1e-12)
    x = norm(w, "lm_head.layer_norm", gelu(linear(w, "lm_head.dense", x)), 1e-12)
    return x @ w["lm_head.decoder.weight"].T + w["lm_head.bias"]


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, n_heads: int, bias=lambda head, i, j: 0.0) -> np.ndarray:
    """Mix the values of a sequence, head by head and query by query."""
    length, size = q.shape
    width = size // n_heads
    out = np.zeros((length, size))
    for head in range(n_heads):
        part = slice(head * width, (head + 1) * width)
        for i in range(length):
            scores = np.array([q[i, part] @ k[j, part] / math.sqrt(width) + bias(head, i, j) for j in range(length)])
            share = np.exp(scores - scores.max())
            out[i, part] = share / share.sum() @ v[:, part]
    return out


def rotate(x: np.ndarray, n_heads: int) -> np.ndarray:
    """Turn number d and number d + half of a head, as a point of the plane, by position * 10000**(-2 d / width)."""
    length, size = x.shape
    width = size // n_heads
    out = np.zeros_like(x)
    for start in range(0, size, width):
        for position in range(length):
            for d in range(width // 2):
                first, second = start + d, start + d + width // 2
                angle = position * 10_000.0 ** (-2 * d / width)
                a, b = x[position, first], x[position, second]
                out[position, first] = a * math.cos(angle) - b * math.sin(angle)
                out[position, second] = a * math.sin(angle) + b * math.cos(angle)
    return out


def linear(w: dict, name: str, x: np.ndarray) -> np.ndarray:
    """Compute x W' + b."""
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(w: dict, name: str, x: np.ndarray, eps: float) -> np.ndarray:
    """Scale each row to mean 0 and variance 1, then by the learned scale and shift."""
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    """Compute x Phi(x) with the error function."""
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
