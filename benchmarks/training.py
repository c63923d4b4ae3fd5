"""Rows of a training step beside transformers' BERT of the same shape; `engine.py` runs them.

Sequences of 512 tokens with their ends, of 609 tokens. Dropout 0.1 in float32 is what people get who keep the
defaults; dropout 0 in bfloat16 is the strongest setting of the peer on a CPU that has it. Every contender does one
whole step: hide 15% of the tokens, forward, backward, clip, fused AdamW. ``bert-mini`` and ``grover`` are the same
network as the peer's, ``mini`` is the shape of the same width and depth that lingome recommends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
import transformers
from measuring import measure, run_child, times
from pairs import Options, row, take_turns, twin_of

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError
from lingome.core.seeds import generator
from lingome.models.devices import Precision, autocast
from lingome.models.folders.families import find_family
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.presets import build_masked_lm
from lingome.tokens.bpe import BpeTokenizer
from lingome.train.compiled import compiling
from lingome.train.objectives import MaskedObjective
from lingome.train.optimizer import build_optimizer, scale_and_clip

VOCAB, LENGTH, RATE = 609, 512, 0.15
CPU = torch.device("cpu")
Step = Callable[[], float]
MEMORY_COLUMNS = ["", "lingome, MB", "defaults, MB", "tuned, MB", "of defaults", "of tuned", "goal"]


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


OBJECTIVE = MaskedObjective(filler_tokenizer(), RATE)


def random_ids(n_sequences: int) -> np.ndarray:
    ids = np.random.default_rng(0).integers(5, VOCAB, (n_sequences, LENGTH))
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


def our_step(preset: str, ids: np.ndarray, precision: Precision) -> tuple[Step, MaskedLM]:
    """Give lingome's step, as its loop does it."""
    model = build_masked_lm(preset, VOCAB, 0).train()
    weights, optimizer = list(model.parameters()), build_optimizer(model, TrainSettings(max_steps=1))
    steps = iter(range(10**6))

    def step() -> float:
        with autocast(CPU, precision):
            loss = OBJECTIVE.loss(model, {"input_ids": ids}, generator(0, next(steps)))
        loss.total.backward()
        scale_and_clip(weights, loss.items, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.total.detach()) / loss.items

    return step, model


def their_loss(model: torch.nn.Module, ids: np.ndarray, number: int, precision: Precision) -> torch.Tensor:
    """Hide the tokens that lingome hides in step `number`, and give the mean loss of transformers' model."""
    hidden = OBJECTIVE.hide(ids, generator(0, number))
    labels = np.full(ids.shape, -100)
    labels[hidden.masked] = hidden.targets
    with autocast(CPU, precision):
        loss: torch.Tensor = model(input_ids=torch.from_numpy(hidden.input_ids), labels=torch.from_numpy(labels)).loss
    return loss


def their_step(preset: str, ids: np.ndarray, precision: Precision, dropout: float) -> Step:
    """Give a step of BertForMaskedLM, with the optimizer of its Trainer."""
    torch.manual_seed(0)
    model = twin_of(build_masked_lm(preset, VOCAB, 0), transformers.AutoModelForMaskedLM,
                    hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout).train()
    optimizer, steps = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True), iter(range(10**6))

    def step() -> float:
        loss = their_loss(model, ids, next(steps), precision)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


CONTENDERS: dict[str, Callable[[str, np.ndarray], Step]] = {
    "lingome": lambda preset, ids: our_step(preset, ids, "auto")[0],
    "defaults": lambda preset, ids: their_step(preset, ids, "fp32", 0.1),
    "tuned": lambda preset, ids: their_step(preset, ids, "auto", 0.0),
}


def equal_step(preset: str) -> str:
    """Compare loss and gradients with transformers' on the same weights and masks, in float32."""
    ids, model = random_ids(1), build_masked_lm(preset, VOCAB, 0).train()
    peer = twin_of(model, transformers.AutoModelForMaskedLM, hidden_dropout_prob=0.0,
                   attention_probs_dropout_prob=0.0).train()
    ours, theirs = OBJECTIVE.loss(model, {"input_ids": ids}, generator(0, 0)), their_loss(peer, ids, 0, "fp32")
    (ours.total / ours.items).backward()
    theirs.backward()
    slopes = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    family, shape = find_family(model.config), model.config
    expected = {name: one.grad for name, one in peer.named_parameters() if one.grad is not None}
    # Pooler and segments take no part: they have no gradient in one of the two.
    named = {name: slope for name, slope in family.to_file(slopes, shape).items() if name in expected}
    assert len(named) > len(expected) // 2, "no gradients to compare"
    scale = max(float(slope.abs().max()) for slope in expected.values())
    worst = max(float((slope - expected[name]).abs().max()) for name, slope in named.items()) / scale
    difference = abs(float(ours.total.detach()) / ours.items - float(theirs.detach()))
    return f"loss {difference:.0e}, {len(named)} gradients {worst:.0e}"


def speed_rows(peer: str, own: list[str], goals: tuple[str, str], options: Options) -> Iterator[list[str]]:
    """Compare a step of lingome's shapes with the peer's, as people run it and tuned."""
    ids = random_ids(1 if options.quick else 4)
    works = {"defaults": CONTENDERS["defaults"](peer, ids), "tuned": CONTENDERS["tuned"](peer, ids)}
    works |= {preset: CONTENDERS["lingome"](preset, ids) for preset in own}
    turns = take_turns(works, options.rounds)
    for preset in own:
        check = equal_step(preset)
        for other, goal in zip(("defaults", "tuned"), goals, strict=True):
            label = f"{preset}, BERT {'dropout 0.1, fp32' if other == 'defaults' else 'dropout 0, bf16'}"
            yield row(label, ids.size, turns[preset], turns[other], goal, check)


def mini_rows(options: Options) -> Iterator[list[str]]:
    """Steps of 4 layers of 256."""
    yield from speed_rows("bert-mini", ["mini", "bert-mini"], (">= 3x", ">= 1.3x"), options)


def grover_rows(options: Options) -> Iterator[list[str]]:
    """Steps of 12 layers of 768, GROVER's."""
    yield from speed_rows("grover", ["grover"], (">= 2.6x", ">= 1.15x"), options)


def compile_rows(options: Options) -> Iterator[list[str]]:
    """Compare lingome's step with itself under torch.compile, as ``train.compile=true`` runs it."""
    ids = random_ids(1 if options.quick else 4)
    plain, (fast, model) = our_step("mini", ids, "auto")[0], our_step("mini", ids, "auto")
    losses: dict[str, list[float]] = {"plain": [], "compiled": []}
    works = {"plain": lambda: losses["plain"].append(plain()), "compiled": lambda: losses["compiled"].append(fast())}
    try:
        with compiling(model):
            turns = take_turns(works, options.rounds)
    except ConfigError as error:
        yield ["mini, torch.compile: left out", *[""] * 6, "", str(error).splitlines()[0]]
        return
    apart = max(abs(a - b) for a, b in zip(*losses.values(), strict=True))
    label = "mini with torch.compile, peer: mini without"
    yield row(label, ids.size, turns["compiled"], turns["plain"], "", f"loss {apart:.0e}")


def memory_rows(options: Options) -> Iterator[list[str]]:
    """Compare the memory that two steps take, model and optimizer in it, each in a process of its own."""
    for preset, peer in (("mini", "bert-mini"), ("grover", "grover")):
        peaks = [
            run_child(__file__, who, peer if who != "lingome" else preset, 1 if options.quick else 4)[0]["beyond_mb"]
            for who in CONTENDERS
        ]
        own, defaults, tuned = peaks
        yield [preset, *(f"{peak:,.0f}" for peak in peaks), times(own / defaults), times(own / tuned),
               "<= 0.55x, <= 1x"]


def _child(who: str, preset: str, n_sequences: str) -> None:
    torch.set_num_threads(1)
    ids = random_ids(int(n_sequences))

    def work() -> None:
        step = CONTENDERS[who](preset, ids)
        step()
        step()

    print(json.dumps(measure(work)[1]))


if __name__ == "__main__":
    _child(*sys.argv[1:])
