"""Pre-training a language model on a genome: areas, data, validation, and the loop around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from lingome.config.train import TrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.warnings import RunWarning
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats
from lingome.models.devices import autocast
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.store import StoredTokens, TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import EncodedGenome, TokenWindows, count_ids, encode_genome
from lingome.train.loop import TrainResult, train
from lingome.train.metrics import write_metric
from lingome.train.objectives.contrastive import ContrastiveValidation
from lingome.train.objectives.objectives import CausalObjective, LanguageObjective, MaskedObjective
from lingome.train.objectives.validation import Validation, build_validation
from lingome.train.pretraining.areas import Areas
from lingome.train.pretraining.start import Pretrainable
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


def read_tokens(
    genome: Genome | TokenStore, tokenizer: Tokenizer, intervals: Sequence[Interval], repeats: Repeats | None = None
) -> EncodedGenome | StoredTokens:
    """Give the tokens of parts of a genome: encoded now, each part on its own; or those that lie in a store.

    Raises
    ------
    DataError
        If the store holds tokens of another vocabulary, or the parts hold nothing known.
    ConfigError
        If repeats are given with a store, which does not say where its tokens lie as fast as they are needed.
    """
    if isinstance(genome, Genome):
        return encode_genome(genome, tokenizer, intervals, repeats)
    if repeats is not None:
        raise ConfigError("a token store has no annotation of repeats", where="repeats", got=genome.path)
    if genome.tokenizer.digest != tokenizer.digest:
        raise DataError(
            "the store holds tokens of another vocabulary", where=genome.path,
            got=f"digest {genome.tokenizer.digest[:12]}", expected=f"digest {tokenizer.digest[:12]}",
            hint="write a store with this tokenizer: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    return genome.select(intervals)


ReadTokens = Callable[[Genome | TokenStore, Tokenizer, tuple[Interval, ...], Repeats | None],
                      EncodedGenome | StoredTokens]
"""`read_tokens`, or one that remembers what it read."""


def pretrain_model(
    genome: Genome | TokenStore,
    tokenizer: Tokenizer,
    model: Pretrainable,
    areas: Areas,
    settings: TrainSettings,
    *,
    seed: int,
    run: RunDir | None = None,
    objective: LanguageObjective | None = None,
    min_tokens: int = 20,
    max_tokens: int = 510,
    fixed_share: float = 0.5,
    validation_windows: int = 64,
    mixed_lengths: bool = False,
    repeats: Repeats | None = None,
    repeat_weight: float = 0.1,
    resume: bool = False,
    publish: Callable[[nn.Module], None] | None = None,
    resume_command: str = "",
    label: str = "pre-training",
    validation_seed: int | None = None,
    read: ReadTokens = read_tokens,
) -> Pretrained:
    """Pre-train a language model on parts of a genome, in place.

    Parameters
    ----------
    genome : Genome or TokenStore
        Sequence, which is encoded first; or a store, whose tokens are read from disk as they are needed.
    model : MaskedLM or CausalLM
        As the objective asks; on the device to train on; new, or trained before.
    areas : Areas
        From `choose_areas`; without a validation part, the last weights are kept.
    settings : TrainSettings
        Length, batches, rate.
    objective : MaskedObjective or CausalObjective, optional
        What to train for; masked, 15% of tokens one by one, by default.
    min_tokens, max_tokens : int
        Lengths of windows, special tokens not counted; the model has to take two more.
    fixed_share : float
        Share of batches with windows of `max_tokens`; other lengths are uniform.
    validation_windows : int
        Windows of `max_tokens` that measure progress, spread evenly over the validation area.
    mixed_lengths : bool
        Pack windows of many lengths into each batch, in place of one length a batch. Masked transformers only.
    repeats : Repeats, optional
        Where the genome repeats itself. The loss of a token there counts `repeat_weight`, that of one partly inside
        in proportion, 1 - (1 - weight) * share.
    validation_seed : int, optional
        Decides the masks of validation, where runs of several seeds are compared; by default `seed`.
    read : callable
        Gives the tokens of an area: `read_tokens`, or one that remembers them for the next run.

    Raises
    ------
    DataError
        If an area is too short for a window, or the loss stops being finite.
    """
    encoded = read(genome, tokenizer, areas.train, repeats)
    longest = min(max_tokens, model.config.max_positions - 2)
    if max_tokens > longest:
        say(f"windows have {longest} tokens at most: the model reads {longest + 2}, [CLS] and [SEP] among them")
    windows = TokenWindows(
        encoded.ids, encoded.segments, min_tokens=min(min_tokens, longest), max_tokens=longest,
        fixed_share=fixed_share, batch_tokens=settings.batch_tokens, seed=seed,
    )
    objective = objective or MaskedObjective(tokenizer)
    if advice := objective.advice:
        say(f"warning: {advice}")
    validation = None
    tiles = np.empty((0, longest), dtype=tokenizer.ids_dtype)
    if areas.valid:
        held = read(genome, tokenizer, areas.valid, repeats)
        every = TokenWindows(held.ids, held.segments, min_tokens=1, max_tokens=longest)
        starts, length = every.tile_starts(most=validation_windows)
        tiles = every.rows(starts, length)
        share = _repeat_share(held)
        if share is not None:
            share = share[starts[:, None] + np.arange(length)]
        masks = seed if validation_seed is None else validation_seed
        validation = build_validation(tiles, objective, seed=masks, repeat_share=share)
    share = _repeat_share(encoded)
    weights = None if share is None else (1 - (1 - repeat_weight) * share).astype(np.float16)
    source = (PackedWindowSource if mixed_lengths else WindowSource)(windows, tokenizer, weights)
    before = _first_measure(model, validation, settings, run, resume)
    result = train(
        model, objective, source, settings, seed=seed, run=run, evaluate=validation,
        phase=PHASE, resume=resume, label=label, publish=publish, resume_command=resume_command,
        identity={
            "genome": genome.digest, "tokenizer": tokenizer.digest, "areas": str(areas), **objective.identity,
            "windows": str((min_tokens, longest, fixed_share, validation_windows)),
            **({"lengths": "mixed"} if mixed_lengths else {}),
            **({} if repeats is None else {"repeats": f"{repeats.digest} {repeat_weight}"}),
        },
    )
    counts = count_ids(encoded.ids, encoded.segments, tokenizer.vocab_size)
    return Pretrained(
        result, encoded.n_tokens, encoded.bases, encoded.unknown, tiles, objective, encoded, before,
        _measure(model, validation, settings), validation.unigram(counts) if validation else {},
        tuple(validation.baselines(model)) if isinstance(validation, ContrastiveValidation) else (),
    )


def _repeat_share(tokens: EncodedGenome | StoredTokens) -> np.ndarray | None:
    return tokens.repeat_share if isinstance(tokens, EncodedGenome) else None


def _measure(model: nn.Module, validation: Validation | None, settings: TrainSettings) -> dict[str, float]:
    if validation is None:
        return {}
    model.eval()
    with autocast(next(model.parameters()).device, settings.precision):
        return validation(model)


def _first_measure(
    model: nn.Module, validation: Validation | None, settings: TrainSettings, run: RunDir | None, resume: bool
) -> dict[str, float]:
    """Measure the weights that training starts from, once: a resumed run has done so already."""
    if run is not None and resume:
        for row in run.read_metrics():
            if row.get("phase") == PHASE and row.get("split") == "valid" and row.get("step") == 0:
                return {name: value for name, value in row.items() if name not in ABOUT_A_ROW}
    values = _measure(model, validation, settings)
    if run is not None and values:
        write_metric(run, phase=PHASE, split="valid", step=0, tokens=0, **values, time_s=0.0)
    return values


LANGUAGE_COLUMNS = (
    "name", "kind", "loss", "perplexity", "bits_per_base", "loss_outside_repeats", "bits_per_base_outside_repeats",
    "accuracy",
)
"""Columns of the table ``language``; a run has those that its objective measures."""


def language_columns(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Give the columns of `LANGUAGE_COLUMNS` that any row has."""
    return tuple(column for column in LANGUAGE_COLUMNS if any(column in row for row in rows))


def language_rows(done: Pretrained) -> list[dict[str, object]]:
    """Give the table ``language``: the model beside what it started from and token frequencies."""
    named = [
        ("trained", "model", done.after), ("at the start", "baseline", done.before),
        ("chance" if "accuracy" in done.unigram else "token frequencies", "baseline", done.unigram),
        *((name, "baseline", values) for name, values in done.others),
    ]
    return [{"name": name, "kind": kind, **values} for name, kind, values in named if values]


def find_warnings(done: Pretrained) -> list[RunWarning]:
    """Warn of what a reader of the result has to know."""
    found = []
    if done.unknown:
        text = f"{done.unknown:,} tokens with letters other than A, C, G, T were left out of training"
        found.append(RunWarning("info", "unknown letters", text))
    masked = isinstance(done.objective, MaskedObjective)
    if advice := done.objective.advice:
        topic = "byte pairs and a causal model" if isinstance(done.objective, CausalObjective) else "overlapping tokens"
        found.append(RunWarning("warn", topic, advice))
    elif masked and words_over_a_base(done.objective.tokenizer) > 1:
        text = "a hidden word shares bases with visible ones: its loss cannot be compared with other vocabularies"
        found.append(RunWarning("info", "overlapping tokens", text))
    passes = done.result.tokens / max(1, done.train_tokens)
    if passes < 0.5:
        text = f"the model saw as many tokens as {passes:.1%} of one pass over its training area"
        found.append(RunWarning("info", "short training", text))
    if not done.after:
        found.append(RunWarning("warn", "no validation", "nothing was set aside to measure on"))
    elif "accuracy" in done.after:
        name, best = max(done.others, key=lambda other: other[1]["accuracy"])
        if done.after["accuracy"] <= best["accuracy"]:
            text = f"{name} find partners as well as the model: {best['accuracy']:.3f}"
            found.append(RunWarning("warn", "a baseline is as good", text))
    elif done.after["loss"] >= done.unigram["loss"]:
        text = f"token frequencies alone guess {done.objective.guesses} as well as the model: train longer"
        found.append(RunWarning("warn", "little was learnt", text))
    return found


def describe(done: Pretrained) -> str:
    """Say in a sentence what pre-training came to."""
    result = done.result
    text = f"{result.steps:,} steps, {result.tokens:,} tokens in {result.seconds:.0f} s, stopped by {result.stopped_by}"
    if not done.after:
        return text
    if "accuracy" in done.after:
        return (
            f"{text}; {done.after['accuracy']:.1%} of views find their partner among {len(done.windows)}, against "
            f"{done.before['accuracy']:.1%} at the start and {done.unigram['accuracy']:.1%} by chance"
        )
    after, before, unigram = (values["bits_per_base"] for values in (done.after, done.before, done.unigram))
    return (
        f"{text}; {done.objective.guesses} cost {after:.3f} bits a base, against {before:.3f} at the start "
        f"and {unigram:.3f} from token frequencies"
    )
