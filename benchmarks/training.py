"""A training step beside transformers' BERT of the same shape: tokens a second, in interleaved rounds.

Run: ``python benchmarks/training.py``. Shape: 4 layers of 256, sequences of 512 tokens with their
ends, 609 tokens. Dropout 0.1 in float32 is what people get who keep the defaults; dropout 0 in
bfloat16 is the strongest setting of the peer on a CPU that has it. Every contender does one whole
step: hide 15% of the tokens, forward, backward, clip, AdamW. ``bert-mini`` is the same network as
the peer's, ``mini`` the shape that lingome recommends.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import transformers

from lingome.config.train import TrainSettings
from lingome.core.seeds import generator
from lingome.models.devices import Precision, autocast
from lingome.models.presets import build_masked_lm, count_parameters
from lingome.tokens.bpe import BpeTokenizer
from lingome.train.objectives import MaskedObjective
from lingome.train.optimizer import build_optimizer, scale_and_clip

VOCAB, LENGTH, RATE = 609, 512, 0.15
CPU = torch.device("cpu")
Step = Callable[[int], float]


def filler_tokenizer() -> BpeTokenizer:
    """Make a vocabulary of 609 tokens; which letters they have does not matter here."""
    merges = [(left, right) for left in range(5, 9) for right in range(5, 9)]
    merges += [(left, right) for left in range(9, 25) for right in range(5, 25)]
    merges += [(left, right) for left in range(25, 345) for right in range(5, 9)]
    seen, kept, vocab = set("ACGT"), [], ["", "", "", "", "", "A", "C", "G", "T"]
    for left, right in merges:
        if max(left, right) < len(vocab) and len(vocab) < VOCAB and vocab[left] + vocab[right] not in seen:
            vocab.append(vocab[left] + vocab[right])
            seen.add(vocab[-1])
            kept.append((left, right))
    return BpeTokenizer(kept)


def ours(preset: str, ids: np.ndarray, precision: Precision) -> tuple[Step, int]:
    """Give lingome's step, as its loop does it, and the number of parameters."""
    tokenizer = filler_tokenizer()
    assert tokenizer.vocab_size == VOCAB
    model = build_masked_lm(preset, VOCAB, 0).train()
    objective, weights = MaskedObjective(tokenizer, RATE), list(model.parameters())
    optimizer = build_optimizer(model, TrainSettings(max_steps=1))

    def step(number: int) -> float:
        with autocast(CPU, precision):
            loss = objective.loss(model, {"input_ids": ids}, generator(0, number))
        loss.total.backward()
        scale_and_clip(weights, loss.items, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.total.detach()) / loss.items

    return step, count_parameters(model)


def theirs(ids: np.ndarray, precision: Precision, dropout: float) -> tuple[Step, int]:
    """Give a step of BertForMaskedLM with torch's AdamW, and the number of parameters."""
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(transformers.BertConfig(
        vocab_size=VOCAB, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        max_position_embeddings=LENGTH, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )).train()
    objective, optimizer = MaskedObjective(filler_tokenizer(), RATE), torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step(number: int) -> float:
        hidden = objective.hide(ids, generator(0, number))
        labels = np.full(ids.shape, -100)
        labels[hidden.masked] = hidden.targets
        with autocast(CPU, precision):
            loss = model(input_ids=torch.from_numpy(hidden.input_ids), labels=torch.from_numpy(labels)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step, count_parameters(model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ids = np.random.default_rng(0).integers(5, VOCAB, (arguments.sequences, LENGTH))
    ids[:, 0], ids[:, -1] = 2, 3
    contenders = {
        "transformers, defaults (fp32, dropout 0.1)": theirs(ids, "fp32", 0.1),
        "transformers, dropout 0, auto precision": theirs(ids, "auto", 0.0),
        "lingome bert-mini (same network), auto": ours("bert-mini", ids, "auto"),
        "lingome mini, auto": ours("mini", ids, "auto"),
    }
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(arguments.rounds + 1):
        for name, (step, _) in contenders.items():
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            loss = step(number)
            assert np.isfinite(loss)
            if number:  # the first round warms up
                wall[name].append(time.perf_counter() - wall_start)
                cpu[name].append(time.process_time() - cpu_start)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, python {platform.python_version()}, "
          f"{arguments.threads} threads, {arguments.rounds} rounds, medians")
    print("contender\tparameters\ttokens/s\ttokens/cpu-s\tx defaults\tx dropout 0")
    defaults, best = list(contenders)[:2]
    for name, (_, n_parameters) in contenders.items():
        pairs = [zip(wall[peer], wall[name], strict=True) for peer in (defaults, best)]
        ratios = [statistics.median(theirs_s / own_s for theirs_s, own_s in pair) for pair in pairs]
        speeds = [ids.size / statistics.median(times[name]) for times in (wall, cpu)]
        print(f"{name}\t{n_parameters:,}\t{speeds[0]:,.0f}\t{speeds[1]:,.0f}\t{ratios[0]:.2f}\t{ratios[1]:.2f}")


if __name__ == "__main__":
    main()
