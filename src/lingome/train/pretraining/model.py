"""Pre-train a language model on parts of a genome: data, validation, and the loop around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.core.progress import say
from lingome.models.devices import autocast
from lingome.tokens.store import StoredTokens
from lingome.tokens.windows import EncodedGenome, TokenWindows, count_ids
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import TrainResult, train
from lingome.train.metrics import write_metric
from lingome.train.objectives import LanguageObjective, MaskedObjective
from lingome.train.objectives.contrastive import ContrastiveValidation
from lingome.train.objectives.validation import Validation, build_validation
from lingome.train.pretraining.corpus import Corpus, WindowSettings, repeat_share
from lingome.train.pretraining.kinds import Pretrainable
from lingome.train.sources import PackedWindowSource, WindowSource

PHASE = "pretrain"
ABOUT_A_ROW = {"phase", "split", "step", "tokens", "time_s"}
"""What a row of metrics says beside the measures."""


@dataclass(frozen=True)
class Pretrained:
    """What pre-training came to.

    Parameters
    ----------
    result : TrainResult
        Steps, tokens, time, best validation loss.
    train_tokens, train_bases, unknown : int
        Size of the training area: tokens, the bases they cover, letters left out as unknown.
    windows : ndarray of int, shape (windows, length)
        Tokens of the windows that measured progress, without special ones; none without validation.
    objective : MaskedObjective or CausalObjective
        What the model was trained for.
    learnt : EncodedGenome or StoredTokens
        Tokens of the training area.
    before, after, unigram : dict
        Validation of the weights at the start and at the end, and of token frequencies alone (of chance,
        where views look for their partners); empty without validation.
    others : tuple of (name, dict)
        Further baselines that the objective's measure brings.
    """

    result: TrainResult
    train_tokens: int
    train_bases: int
    unknown: int
    windows: np.ndarray
    objective: LanguageObjective
    learnt: EncodedGenome | StoredTokens
    before: dict[str, float]
    after: dict[str, float]
    unigram: dict[str, float]
    others: tuple[tuple[str, dict[str, float]], ...] = ()


def pretrain_model(
    model: Pretrainable,
    corpus: Corpus,
    settings: TrainSettings,
    *,
    seed: int,
    objective: LanguageObjective | None = None,
    windows: WindowSettings | None = None,
    saving: Checkpointing | None = None,
    label: str = "pre-training",
) -> Pretrained:
    """Pre-train a language model on parts of a genome, in place.

    Parameters
    ----------
    model : MaskedLM, CausalLM or EncoderDecoderLM
        As the objective asks; on the device to train on; new, or trained before.
    corpus : Corpus
        Genome, tokenizer, and the areas to learn from and to measure on; without a validation area, the last
        weights are kept.
    settings : TrainSettings
        Length, batches, rate.
    seed : int
        Decides windows, masks, dropout and order.
    objective : LanguageObjective, optional
        What to train for; masked, 15% of tokens one by one, by default.
    windows : WindowSettings, optional
        Lengths of windows, and how many of them measure progress.
    saving : Checkpointing, optional
        What is written, and what is gone on from; by default nothing.
    label : str
        What the progress bar says.

    Raises
    ------
    DataError
        If an area is too short for a window, or the loss stops being finite.
    """
    windows = windows or WindowSettings()
    saving = saving or Checkpointing()
    objective = objective or MaskedObjective(corpus.tokenizer)
    encoded = corpus.tokens(corpus.areas.train)
    max_positions = model.config.max_positions
    longest = windows.longest(max_positions)
    if windows.max_tokens > longest:
        say(f"windows have {longest} tokens at most: the model reads {longest + 2}, [CLS] and [SEP] among them")
    drawn = TokenWindows(
        encoded.ids, encoded.segments, min_tokens=min(windows.min_tokens, longest), max_tokens=longest,
        fixed_share=windows.fixed_share, batch_tokens=settings.batch_tokens, seed=seed,
    )
    if advice := objective.advice:
        say(f"warning: {advice}")
    held = _held_windows(corpus, windows, longest)
    mask_seed = seed if windows.validation_seed is None else windows.validation_seed
    validation = None
    if corpus.areas.valid:
        validation = build_validation(held.ids, objective, seed=mask_seed, repeat_share=held.repeat_share)
    kind = PackedWindowSource if windows.mixed_lengths else WindowSource
    source = kind(drawn, corpus.tokenizer, corpus.loss_weights(encoded))
    before = _first_measure(model, validation, settings, saving)
    identity = {**corpus.identity, **objective.identity, **windows.identity(max_positions), **saving.identity}
    result = train(
        model, objective, source, settings, phase=Phase(PHASE, seed, label), evaluate=validation,
        saving=replace(saving, identity=identity),
    )
    counts = count_ids(encoded.ids, encoded.segments, corpus.tokenizer.vocab_size)
    return Pretrained(
        result, encoded.n_tokens, encoded.bases, encoded.unknown, held.ids, objective, encoded, before,
        _measure(model, validation, settings), validation.unigram(counts) if validation else {},
        tuple(validation.baselines(model)) if isinstance(validation, ContrastiveValidation) else (),
    )


class _HeldWindows(NamedTuple):
    """Windows of the validation area: tokens, and the share of each in repeats, both (windows, length)."""

    ids: np.ndarray
    repeat_share: np.ndarray | None


def _held_windows(corpus: Corpus, windows: WindowSettings, longest: int) -> _HeldWindows:
    """Give windows of `longest` tokens, spread evenly over the validation area; none without such an area."""
    if not corpus.areas.valid:
        return _HeldWindows(np.empty((0, longest), dtype=corpus.tokenizer.ids_dtype), None)
    held = corpus.tokens(corpus.areas.valid)
    every = TokenWindows(held.ids, held.segments, min_tokens=1, max_tokens=longest)
    starts, length = every.tile_starts(most=windows.validation_windows)
    share = repeat_share(held)
    return _HeldWindows(
        every.rows(starts, length), None if share is None else share[starts[:, None] + np.arange(length)]
    )


def _measure(model: nn.Module, validation: Validation | None, settings: TrainSettings) -> dict[str, float]:
    if validation is None:
        return {}
    model.eval()
    with autocast(next(model.parameters()).device, settings.precision):
        return validation(model)


def _first_measure(
    model: nn.Module, validation: Validation | None, settings: TrainSettings, saving: Checkpointing
) -> dict[str, float]:
    """Measure the weights that training starts from, once: a resumed run has done so already."""
    run = saving.run
    if run is not None and saving.resume:
        for row in run.read_metrics():
            if row.get("phase") == PHASE and row.get("split") == "valid" and row.get("step") == 0:
                return {name: value for name, value in row.items() if name not in ABOUT_A_ROW}
    values = _measure(model, validation, settings)
    if run is not None and values:
        write_metric(run, phase=PHASE, split="valid", step=0, tokens=0, **values, time_s=0.0)
    return values
