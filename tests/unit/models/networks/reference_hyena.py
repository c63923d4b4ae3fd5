"""HyenaDNA from the equations of its papers, in float64 and without a Fourier transform.

Poli et al. 2023 (arXiv:2302.10866) write a long convolution as the product with a lower-triangular Toeplitz
matrix and its filter as Window(t) * FFN(PositionalEncoding(t)); Nguyen et al. 2023 (arXiv:2306.15794) stack the
operator with a feed-forward layer. Sizes, window and waves are those of the released models. One sequence at a
time, every sum in the open; weights under the names of the published files.
"""

import math

import numpy as np


def reference_logits(weights: dict, input_ids: list[int], n_layers: int, max_positions: int) -> np.ndarray:
    """Give the logits of one sequence, (L, V)."""
    backbone = {name.removeprefix("hyena.backbone."): np.asarray(w, np.float64) for name, w in weights.items()}
    x = backbone["embeddings.word_embeddings.weight"][input_ids]
    for layer in range(n_layers):
        w = {name.removeprefix(f"layers.{layer}."): value for name, value in backbone.items()}
        x = x + operator(w, norm(x, w["norm1.weight"], w["norm1.bias"]), max_positions)
        inner = norm(x, w["norm2.weight"], w["norm2.bias"]) @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"]
        x = x + gelu(inner) @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"]
    return norm(x, backbone["ln_f.weight"], backbone["ln_f.bias"]) @ backbone["lm_head.weight"].T


def operator(w: dict, u: np.ndarray, max_positions: int) -> np.ndarray:
    """Mix positions: project three times, convolve shortly, gate, convolve long, gate, project back."""
    length, size = u.shape
    projected = u @ w["mixer.in_proj.weight"].T + w["mixer.in_proj.bias"]
    taps = w["mixer.short_filter.weight"][:, 0]
    short = np.tile(w["mixer.short_filter.bias"], (length, 1))
    for t in range(length):
        for back in range(3):
            if t >= back:
                short[t] += taps[:, 2 - back] * projected[t - back]
    first, second, value = short[:, :size], short[:, size : 2 * size], short[:, 2 * size :]
    h = implicit_filter(w, length, max_positions)
    gated = second * value
    long = np.stack([toeplitz(h[:, d]) @ gated[:, d] for d in range(size)], axis=1)
    long += gated * w["mixer.filter_fn.bias"]
    return (first * long) @ w["mixer.out_proj.weight"].T + w["mixer.out_proj.bias"]


def toeplitz(h: np.ndarray) -> np.ndarray:
    """Write a causal filter as a matrix: row t holds h[t], h[t-1] ... h[0], then zeros."""
    matrix = np.zeros((len(h), len(h)))
    for t in range(len(h)):
        for s in range(t + 1):
            matrix[t, s] = h[t - s]
    return matrix


def implicit_filter(w: dict, length: int, max_positions: int) -> np.ndarray:
    """Give h, (L, D): a window times a network of the position."""
    rows = []
    frequency = w["mixer.filter_fn.implicit_filter.1.freq"][0]
    size = len(w["mixer.filter_fn.bias"])
    slow, fast = math.log(1e-2) / 1.5, math.log(1e-2) / 0.3
    for position in range(length):
        t = position / (max_positions - 1)
        turns = [2 * math.pi * position / max_positions * f for f in (1e-4, 1.0)]
        z = np.array([t, *(np.exp(-1j * np.array(turns)).real), *(np.exp(-1j * np.array(turns)).imag)])
        for index in (0, 2, 4):
            name = f"mixer.filter_fn.implicit_filter.{index}"
            z = np.sin(frequency * (w[f"{name}.weight"] @ z + w[f"{name}.bias"]))
        rates = [abs(slow + (fast - slow) * d / (size - 1)) for d in range(size)]
        window = np.array([math.exp(-t * rate) + 0.05 for rate in rates])
        rows.append(w["mixer.filter_fn.implicit_filter.6.weight"] @ z * window)
    return np.stack(rows)


def norm(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Standardise each row, then scale and shift it."""
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * scale + shift


def gelu(x: np.ndarray) -> np.ndarray:
    """Compute GELU by its tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
