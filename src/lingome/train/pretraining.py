"""Pre-training a language model on a genome: areas, data, validation, and the loop around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from lingome.config.train import TrainSettings
from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.models.devices import autocast
from lingome.tokens.advice import causal_warning
from lingome.tokens.overlap import overlap_warning, words_over_a_base
from lingome.tokens.store import StoredTokens, TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import EncodedGenome, TokenWindows, count_ids, encode_genome
from lingome.train.loop import TrainResult, train
from lingome.train.metrics import write_metric
from lingome.train.objectives import CausalObjective, LanguageObjective, MaskedObjective
from lingome.train.sources import WindowSource
from lingome.train.start import LanguageModel
from lingome.train.validation import Validation, build_validation

PHASE = "pretrain"


@dataclass(frozen=True)
class Areas:
    """Which parts of a genome are learnt from, and which measure progress; they never overlap."""

    train: tuple[Interval, ...]
    valid: tuple[Interval, ...]


def choose_areas(
    lengths: dict[str, int], exclude: Sequence[Interval] = (), *, validation_share: float = 0.02, gap_bp: int = 5000
) -> Areas:
    """Leave out what must stay unseen, and set the end of the rest aside for validation.

    Parameters
    ----------
    lengths : dict of str to int
        Base pairs of each chromosome, in order.
    exclude : sequence of Interval
        Never trained or validated on.
    validation_share : float
        Share of the remaining bases, counted from the end of the last chromosome; 0 for none.
    gap_bp : int
        Bases between training and validation that neither uses.

    Raises
    ------
    DataError
        If nothing is left to train on.

    >>> areas = choose_areas({"c": 100}, [Interval("c", 20, 40)], validation_share=0.25, gap_bp=5)
    >>> [str(i) for i in areas.train], [str(i) for i in areas.valid]
    (['c:0-20', 'c:40-75'], ['c:80-100'])
    """
    free = _without(lengths, exclude)
    wanted = round(validation_share * sum(part.length_bp for part in free))
    rest, valid = _cut_end(free, wanted)
    learnt, _ = _cut_end(rest, gap_bp if wanted else 0)
    if not learnt:
        raise DataError(
            "nothing is left to train on", got=f"{sum(lengths.values()):,} bases, {len(exclude)} excluded intervals",
            hint="exclude less, or lower validation_share",
        )
    return Areas(tuple(learnt), tuple(valid))


def _without(lengths: dict[str, int], exclude: Sequence[Interval]) -> list[Interval]:
    free = []
    for chrom, length in lengths.items():
        start = 0
        for part in sorted((p for p in exclude if p.chrom == chrom), key=lambda p: p.start):
            if start < min(part.start, length):
                free.append(Interval(chrom, start, min(part.start, length)))
            start = min(length, max(start, part.end))
        if start < length:
            free.append(Interval(chrom, start, length))
    return free


def _cut_end(parts: Sequence[Interval], bases: int) -> tuple[list[Interval], list[Interval]]:
    """Split intervals in two, so that the second part holds the last `bases` bases."""
    first = list(parts)
    last: list[Interval] = []
    while first and bases > 0:
        part = first.pop()
        cut = max(part.start, part.end - bases)
        last.insert(0, Interval(part.chrom, cut, part.end))
        bases -= part.end - cut
        if cut > part.start:
            first.append(Interval(part.chrom, part.start, cut))
    return first, last


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
        Validation of the weights at the start and at the end, and of token frequencies alone;
        empty without validation.
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


def read_tokens(
    genome: Genome | TokenStore, tokenizer: Tokenizer, intervals: Sequence[Interval]
) -> EncodedGenome | StoredTokens:
    """Give the tokens of parts of a genome: encoded now, each part on its own; or those that lie in a store.

    Raises
    ------
    DataError
        If the store holds tokens of another vocabulary, or the parts hold nothing known.
    """
    if isinstance(genome, Genome):
        return encode_genome(genome, tokenizer, intervals)
    if genome.tokenizer.digest != tokenizer.digest:
        raise DataError(
            "the store holds tokens of another vocabulary", where=genome.path,
            got=f"digest {genome.tokenizer.digest[:12]}", expected=f"digest {tokenizer.digest[:12]}",
            hint="write a store with this tokenizer: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    return genome.select(intervals)


def pretrain_model(
    genome: Genome | TokenStore,
    tokenizer: Tokenizer,
    model: LanguageModel,
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
    resume: bool = False,
    publish: Callable[[nn.Module], None] | None = None,
    resume_command: str = "",
    label: str = "pre-training",
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

    Raises
    ------
    DataError
        If an area is too short for a window, or the loss stops being finite.
    """
    encoded = read_tokens(genome, tokenizer, areas.train)
    longest = min(max_tokens, model.config.max_positions - 2)
    windows = TokenWindows(
        encoded.ids, encoded.segments, min_tokens=min(min_tokens, longest), max_tokens=longest,
        fixed_share=fixed_share, batch_tokens=settings.batch_tokens, seed=seed,
    )
    objective = objective or MaskedObjective(tokenizer)
    if advice := objective_warning(objective):
        say(f"warning: {advice}")
    validation, tiles = None, np.empty((0, longest), dtype=tokenizer.ids_dtype)
    if areas.valid:
        held = read_tokens(genome, tokenizer, areas.valid)
        tiles = TokenWindows(held.ids, held.segments, min_tokens=1, max_tokens=longest).tiles(most=validation_windows)
        validation = build_validation(tiles, objective, seed=seed)
    before = _first_measure(model, validation, settings, run, resume)
    result = train(
        model, objective, WindowSource(windows, tokenizer), settings, seed=seed, run=run, evaluate=validation,
        phase=PHASE, resume=resume, label=label, publish=publish, resume_command=resume_command,
        identity={
            "genome": genome.digest, "tokenizer": tokenizer.digest, "areas": str(areas), **objective.identity,
            "windows": str((min_tokens, longest, fixed_share, validation_windows)),
        },
    )
    counts = count_ids(encoded.ids, encoded.segments, tokenizer.vocab_size)
    return Pretrained(
        result, encoded.n_tokens, encoded.bases, encoded.unknown, tiles, objective, encoded, before,
        _measure(model, validation, settings), validation.unigram(counts) if validation else {},
    )


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
    names = ("loss", "perplexity", "bits_per_base")
    if run is not None and resume:
        for row in run.read_metrics():
            if row.get("phase") == PHASE and row.get("split") == "valid" and row.get("step") == 0:
                return {name: row[name] for name in names}
    values = _measure(model, validation, settings)
    if run is not None and values:
        write_metric(run, phase=PHASE, split="valid", step=0, tokens=0, **values, time_s=0.0)
    return values


def language_rows(done: Pretrained) -> list[dict[str, object]]:
    """Give the table ``language``: the model beside what it started from and token frequencies."""
    named = [
        ("trained", "model", done.after), ("at the start", "baseline", done.before),
        ("token frequencies", "baseline", done.unigram),
    ]
    return [{"name": name, "kind": kind, **values} for name, kind, values in named if values]


def objective_warning(objective: LanguageObjective) -> str | None:
    """Give the reason why an objective and its vocabulary do not suit each other; None where they do."""
    if isinstance(objective, CausalObjective):
        return causal_warning(objective.tokenizer)
    return overlap_warning(objective.tokenizer, objective.rate, objective.span)


def find_warnings(done: Pretrained) -> list[dict[str, str]]:
    """Give the table ``warnings``: what a reader of the result has to know."""
    rows = []
    if done.unknown:
        rows.append({
            "level": "info", "topic": "unknown letters",
            "text": f"{done.unknown:,} tokens with letters other than A, C, G, T were left out of training",
        })
    masked = isinstance(done.objective, MaskedObjective)
    if advice := objective_warning(done.objective):
        topic = "overlapping tokens" if masked else "byte pairs and a causal model"
        rows.append({"level": "warn", "topic": topic, "text": advice})
    elif masked and words_over_a_base(done.objective.tokenizer) > 1:
        rows.append({
            "level": "info", "topic": "overlapping tokens",
            "text": "a hidden word shares bases with visible ones: its loss cannot be compared with other vocabularies",
        })
    passes = done.result.tokens / max(1, done.train_tokens)
    if passes < 0.5:
        rows.append({
            "level": "info", "topic": "short training",
            "text": f"the model saw as many tokens as {passes:.1%} of one pass over its training area",
        })
    if not done.after:
        rows.append({"level": "warn", "topic": "no validation", "text": "nothing was set aside to measure on"})
    elif done.after["loss"] >= done.unigram["loss"]:
        rows.append({
            "level": "warn", "topic": "little was learnt",
            "text": f"token frequencies alone guess {done.objective.guesses} as well as the model: train longer",
        })
    return rows


def describe(done: Pretrained) -> str:
    """Say in a sentence what pre-training came to."""
    result = done.result
    text = f"{result.steps:,} steps, {result.tokens:,} tokens in {result.seconds:.0f} s, stopped by {result.stopped_by}"
    if not done.after:
        return text
    after, before, unigram = (values["bits_per_base"] for values in (done.after, done.before, done.unigram))
    return (
        f"{text}; {done.objective.guesses} cost {after:.3f} bits a base, against {before:.3f} at the start "
        f"and {unigram:.3f} from token frequencies"
    )
