"""Pre-train a language model on a genome."""

from __future__ import annotations

import time
from typing import Any

from torch import nn

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_folder, check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.language.likelihood import markov_baseline
from lingome.models.devices import pick_device, pick_precision
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import count_parameters
from lingome.tokens.advice import BYTE_PAIRS_AND_CAUSAL
from lingome.tokens.bpe import BpeTokenizer, train_bpe, vocabulary_size
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import estimate_bases_per_token
from lingome.train.cost import duration, estimate_training
from lingome.train.pretraining.areas import Areas, choose_areas
from lingome.train.pretraining.pretraining import (
    describe,
    find_warnings,
    language_columns,
    language_rows,
    pretrain_model,
)
from lingome.train.pretraining.start import (
    ASIDE,
    Pretrainable,
    add_origins,
    build_card,
    build_objective,
    given_tokenizer,
    on_strands,
    open_repeats,
    open_sequence,
    start_model,
    training_load,
)
from lingome.train.state import StateStore, sweep

BASES_A_TOKEN = 4.1  # of 600 merges, on human sequence


def plan(settings: PretrainSettings) -> Plan:
    """Check the inputs, and say what a run would learn from and what it would take."""
    if settings.ladder.enabled:
        from lingome.recipes import pretrain_ladder  # which needs this module

        return pretrain_ladder.plan(settings)
    if not settings.resume:
        check_absent(settings.out, settings.force)
    genome, areas = read_genome(settings, verify=False)
    bases = sum(part.length_bp for part in areas.train)
    open_repeats(settings, genome)  # refused now rather than later
    given = given_tokenizer(genome, settings)
    if given is None:
        model = start_model(settings, None, vocabulary_size(settings.merges))
        per_token = BASES_A_TOKEN
        words = f"byte pairs, up to {settings.merges} merges, trained first"
        advice = BYTE_PAIRS_AND_CAUSAL if settings.objective == "causal" else None
        objective = build_objective(settings, BpeTokenizer([]))  # knows too few tokens, which changes no cost
    else:
        tokenizer = given[0]
        model = start_model(settings, given[1], tokenizer.vocab_size)
        if isinstance(genome, TokenStore):
            per_token = genome.bases_per_token
        else:
            per_token = estimate_bases_per_token(genome, tokenizer, areas.train)
        words = f"{tokenizer.kind}, {tokenizer.vocab_size} tokens"
        objective = build_objective(settings, tokenizer)
        advice = objective.advice
    train = settings.train
    device = pick_device(settings.device)
    each = train.batch_tokens * train.accumulate
    steps = [float(train.max_steps)] if train.max_steps else []
    steps += [train.epochs * bases / per_token / each] if train.epochs else []
    cost = estimate_training(model.to(device), objective, train, training_load(settings, model, genome, areas))
    limits = [cost.seconds(min(steps), train.eval_every)] if steps else []
    limits += [train.max_seconds] if train.max_seconds else []
    return Plan("pre-train", [
        ("genome", f"{settings.genome}: {len(genome.lengths)} sequences, {sum(genome.lengths.values()):,} bases"),
        ("learnt from", f"{bases:,} bases{on_strands(settings)}, about {bases / per_token:,.0f} tokens"),
        ("validated on", f"{sum(part.length_bp for part in areas.valid):,} bases"),
        ("tokenizer", words + (f"; warning: {advice}" if advice else "")),
        ("model", f"{count_parameters(model):,} parameters"),
        ("length", f"about {min(steps):,.0f} steps of {each:,} tokens" if steps else f"{train.max_seconds:g} s"),
        ("device", f"{device}, {pick_precision(device, train.precision)}"),
        ("memory", f"about {cost.memory_bytes / 1e9:.2f} GB"),
        ("time", f"about {duration(min(limits))}" + (" (time box)" if min(limits) == train.max_seconds else "")),
        ("output", str(settings.out)),
    ])


def run(settings: PretrainSettings) -> Outcome:
    """Read the genome, train or load the tokenizer, pre-train, and write the run; a ladder of runs with --ladder."""
    if settings.ladder.enabled:
        from lingome.recipes import pretrain_ladder

        return pretrain_ladder.run(settings)
    again = f"lingome pretrain -o {settings.out} --resume"
    if settings.resume:
        began = RunDir(settings.out)
        began.check_resumable(settings.as_dict(), aside=ASIDE, command=again, defaults=settings.defaults())
    if settings.resume and (settings.out / "run.json").exists():
        return Outcome(f"this run is complete: {settings.out}", path=settings.out)
    lineage = Lineage("pretrain", settings.seed)
    clock = time.monotonic()
    device = pick_device(settings.device)
    with RunDir.create(settings.out, force=settings.force, resume=settings.resume) as run_dir:
        sweep(run_dir.path)
        genome, areas = read_genome(settings)
        repeats = open_repeats(settings, genome, lineage)
        run_dir.write_config(settings.as_dict())
        add_origins(lineage, settings.genome, genome, settings.tokenizer, settings.start_from)
        tokenizer, model, seen = _prepare(settings, genome, areas, run_dir)
        prepared_s = time.monotonic() - clock
        objective = build_objective(settings, tokenizer)
        card = build_card(settings, areas, objective)

        def publish(trained: nn.Module) -> None:
            assert isinstance(trained, Pretrainable), "the loop gives back the model it was given"
            save_checkpoint(run_dir.checkpoint_path, trained, tokenizer, card, force=True)

        done = pretrain_model(
            genome, tokenizer, model.to(device), areas, settings.train, seed=settings.seed,
            run=run_dir, objective=objective, min_tokens=settings.min_tokens,
            max_tokens=settings.max_tokens, fixed_share=settings.fixed_share,
            validation_windows=settings.validation_windows, mixed_lengths=settings.lengths == "mixed",
            repeats=repeats, repeat_weight=settings.repeat_weight,
            resume=settings.resume, publish=publish, resume_command=again,
        )
        for by, parts in (*seen, ("pretrain", areas.train), ("pretrain validation", areas.valid)):
            lineage.add_seen(by, genome.digest, [(part.chrom, part.start, part.end) for part in parts])
        rows = [*language_rows(done), *markov_baseline(done)]
        run_dir.write_table("language", rows, language_columns(rows))
        run_dir.write_warnings(find_warnings(done))
        note = f"{done.result.steps:,} steps; waiting for data {done.result.waiting_share:.2%} of their time"
        run_dir.write_table("steps", [
            {"step": "tokenizer and model", "time_s": round(prepared_s, 2), "note": f"{tokenizer.vocab_size} tokens"},
            {"step": "pre-training", "time_s": round(done.result.seconds, 2), "note": note},
        ])
        answer = describe(done)
        run_dir.write_lineage(lineage.as_dict(
            title="Pre-training", question=objective.question, answer=answer,
            steps=done.result.steps, tokens=done.result.tokens, stopped_by=done.result.stopped_by,
            waiting_share=round(done.result.waiting_share, 6),
        ))
        StateStore(run_dir.path / "state").discard()
    columns = tuple(column for column in language_columns(rows) if column != "kind")
    title = f"guessing {objective.guesses} of the validation area"
    table = Table(title, columns, [[row.get(c) for c in columns] for row in rows])
    text = f"{answer}\nwaiting for data: {done.result.waiting_share:.2%} of the time\nmodel: {run_dir.checkpoint_path}"
    return Outcome(text, tables=[table] if rows else [], path=settings.out)


def read_genome(settings: PretrainSettings, *, verify: bool = True) -> tuple[Genome | TokenStore, Areas]:
    """Open the genome, or a token store of it, and choose what to learn from and what to measure on."""
    genome = open_sequence(settings.genome, settings.soft_masked, verify=verify)
    exclude = [Interval.parse(text, genome.lengths) for text in settings.exclude]
    both = settings.strands == "both"
    if both and isinstance(genome, TokenStore):
        raise ConfigError("a token store holds one strand", where="strands", got=genome.path,
                          expected="a FASTA as genome",
                          hint="pre-train from the FASTA that the store was written from, or with strands=forward")
    areas = choose_areas(
        genome.lengths, exclude, validation_share=settings.validation_share, gap_bp=settings.gap_bp, both_strands=both
    )
    return genome, areas


def _prepare(
    settings: PretrainSettings, genome: Genome | TokenStore, areas: Areas, run_dir: RunDir
) -> tuple[Tokenizer, Pretrainable, list[tuple[str, Any]]]:
    """Give the tokenizer and the model to start from, and who else has seen what."""
    given = given_tokenizer(genome, settings)
    kept = run_dir.path / "state" / "tokenizer"
    seen = []
    if given is not None:
        tokenizer, model = given
        if settings.merges != type(settings).model_fields["merges"].default:
            say(f"merges={settings.merges} is left aside: the tokenizer is given, {tokenizer.vocab_size} tokens")
    else:
        assert isinstance(genome, Genome), "a store brings its tokenizer"
        model = None
        if kept.exists():
            tokenizer = load_tokenizer(kept)
        else:
            parts = (genome.sequence(part.chrom, part.start, part.end, part.strand) for part in areas.train)
            tokenizer = train_bpe(parts, settings.merges).tokenizer
            with atomic_folder(kept) as folder:
                tokenizer.save(folder)
        seen.append(("tokenizer", areas.train))
    return tokenizer, start_model(settings, model, tokenizer.vocab_size), seen
