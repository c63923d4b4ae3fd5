"""Pre-train a masked language model on a genome."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from torch import nn

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_folder, check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.genome.questions import parse_region
from lingome.models.card import ModelCard
from lingome.models.checkpoint import load_masked_lm, save_checkpoint
from lingome.models.devices import pick_device, pick_precision
from lingome.models.presets import build_masked_lm, count_parameters, find_config
from lingome.models.transformer import MaskedLM
from lingome.tokens.bpe import train_bpe
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import estimate_bases_per_token
from lingome.train.cost import estimate_training
from lingome.train.pretraining import Areas, choose_areas, describe, find_warnings, language_rows, pretrain_model
from lingome.train.state import StateStore, sweep

ASIDE = {"out", "force", "resume"}
"""Settings that may differ between a run and its resumption."""


def plan(settings: PretrainSettings) -> Plan:
    """Check the inputs, and say what a run would learn from and what it would take."""
    if not settings.resume:
        check_absent(settings.out, settings.force)
    genome, areas = read_genome(settings)
    bases = sum(part.length_bp for part in areas.train)
    if settings.tokenizer is None and settings.start_from is None:
        shape, per_token = find_config(settings.preset or "mini", 9 + settings.merges), 4.1 if settings.merges else 1.0
        model, words = MaskedLM(shape), f"byte pairs, up to {settings.merges} merges, trained first"
    else:
        tokenizer, given = _given_tokenizer(settings)
        model = given or build_masked_lm(settings.preset or "mini", tokenizer.vocab_size)
        per_token = estimate_bases_per_token(genome, tokenizer, areas.train)
        words = f"{tokenizer.kind}, {tokenizer.vocab_size} tokens"
    train, device = settings.train, pick_device(settings.device)
    each = train.batch_tokens * train.accumulate
    steps = [float(train.max_steps)] if train.max_steps else []
    steps += [train.epochs * bases / per_token / each] if train.epochs else []
    length = min(settings.max_tokens + 2, model.config.max_positions)
    cost = estimate_training(
        model.config, count_parameters(model), tokens=min(steps, default=0) * each, batch_tokens=train.batch_tokens,
        length=length, device=device, precision=train.precision, data_bytes=2 * bases,
    )
    limits = [cost.seconds] if steps else []
    limits += [train.max_seconds] if train.max_seconds else []
    return Plan("pre-train", [
        ("genome", f"{settings.genome}: {len(genome.lengths)} sequences, {sum(genome.lengths.values()):,} bases"),
        ("learnt from", f"{bases:,} bases, about {bases / per_token:,.0f} tokens"),
        ("validated on", f"{sum(part.length_bp for part in areas.valid):,} bases"),
        ("tokenizer", words),
        ("model", f"{count_parameters(model):,} parameters"),
        ("length", f"about {min(steps):,.0f} steps of {each:,} tokens" if steps else f"{train.max_seconds:g} s"),
        ("device", f"{device}, {pick_precision(device, train.precision)}"),
        ("memory", f"about {cost.memory_bytes / 1e9:.1f} GB"),
        ("time", f"about {min(limits) / 60:.1f} minutes" + (" (time box)" if min(limits) == train.max_seconds else "")),
        ("output", str(settings.out)),
    ])


def run(settings: PretrainSettings) -> Outcome:
    """Read the genome, train or load the tokenizer, pre-train, and write the run."""
    _check_resume(settings)
    if settings.resume and (settings.out / "run.json").exists():
        return Outcome(f"this run is complete: {settings.out}", path=settings.out)
    lineage, clock, device = Lineage("pretrain", settings.seed), time.monotonic(), pick_device(settings.device)
    with RunDir.create(settings.out, force=settings.force, resume=settings.resume) as run_dir:
        sweep(run_dir.path)
        genome, areas = read_genome(settings)
        run_dir.write_config(settings.as_dict())
        tokenizer, model, seen = _prepare(settings, genome, areas, run_dir, lineage)
        prepared_s = time.monotonic() - clock
        card = _card(settings, areas, tokenizer)

        def publish(trained: nn.Module) -> None:
            assert isinstance(trained, MaskedLM), "the loop gives back the model it was given"
            save_checkpoint(run_dir.checkpoint_path, trained, tokenizer, card, force=True)

        done = pretrain_model(
            genome, tokenizer, model.to(device), areas, settings.train, seed=settings.seed,
            run=run_dir, mask_rate=settings.mask_rate, min_tokens=settings.min_tokens, max_tokens=settings.max_tokens,
            fixed_share=settings.fixed_share, validation_windows=settings.validation_windows,
            resume=settings.resume, publish=publish, resume_command=f"lingome pretrain -o {settings.out} --resume",
        )
        lineage.add_input("genome", settings.genome)
        for by, parts in (*seen, ("pretrain", areas.train), ("pretrain validation", areas.valid)):
            lineage.add_seen(by, genome.digest, [(part.chrom, part.start, part.end) for part in parts])
        rows = language_rows(done)
        run_dir.write_table("language", rows, ("name", "kind", "loss", "perplexity", "bits_per_base"))
        run_dir.write_table("warnings", find_warnings(done, tokenizer), ("level", "topic", "text"))
        run_dir.write_table("steps", [
            {"step": "tokenizer and model", "time_s": round(prepared_s, 2), "note": f"{tokenizer.vocab_size} tokens"},
            {"step": "pre-training", "time_s": round(done.result.seconds, 2), "note": f"{done.result.steps:,} steps"},
        ])
        answer = describe(done)
        run_dir.write_lineage(lineage.as_dict(
            title="Pre-training", question="How well can hidden tokens be guessed from those around them?",
            answer=answer, steps=done.result.steps, tokens=done.result.tokens, stopped_by=done.result.stopped_by,
        ))
        StateStore(run_dir.path / "state").discard()
    columns = ("name", "loss", "perplexity", "bits_per_base")
    table = Table("guessing hidden tokens of the validation area", columns, [[row[c] for c in columns] for row in rows])
    return Outcome(f"{answer}\nmodel: {run_dir.checkpoint_path}", tables=[table] if rows else [], path=settings.out)


def read_genome(settings: PretrainSettings) -> tuple[Genome, Areas]:
    """Open the genome and choose what to learn from and what to measure on."""
    genome = Genome.open(settings.genome, soft_masked=settings.soft_masked)
    exclude = [parse_region(text, genome.lengths) for text in settings.exclude]
    areas = choose_areas(
        genome.lengths, exclude, validation_share=settings.validation_share, gap_bp=settings.gap_bp
    )
    return genome, areas


def _given_tokenizer(settings: PretrainSettings) -> tuple[Tokenizer, MaskedLM | None]:
    if settings.start_from is not None:
        if settings.preset is not None or settings.tokenizer is not None:
            raise ConfigError(
                "a checkpoint brings its own shape and tokenizer", where="start_from",
                hint="leave out preset and tokenizer, or start_from",
            )
        model, tokenizer = load_masked_lm(_model_folder(settings.start_from))
        return tokenizer, model
    assert settings.tokenizer is not None, "the caller looked"
    return load_tokenizer(settings.tokenizer), None


def _model_folder(path: Path) -> Path:
    return path / "checkpoint" if (path / "checkpoint" / "config.json").is_file() else path


def _prepare(
    settings: PretrainSettings, genome: Genome, areas: Areas, run_dir: RunDir, lineage: Lineage
) -> tuple[Tokenizer, MaskedLM, list[tuple[str, Any]]]:
    """Give the tokenizer and the model to start from, and who else has seen what."""
    kept, seen = run_dir.path / "state" / "tokenizer", []
    if settings.start_from is not None or settings.tokenizer is not None:
        tokenizer, model = _given_tokenizer(settings)
    else:
        model = None
        if kept.exists():
            tokenizer = load_tokenizer(kept)
        else:
            tokenizer = train_bpe(
                (genome.sequence(part.chrom, part.start, part.end) for part in areas.train), settings.merges
            ).tokenizer
            with atomic_folder(kept) as folder:
                tokenizer.save(folder)
        seen.append(("tokenizer", areas.train))
    if settings.start_from is not None:
        for folder in (settings.start_from, settings.start_from.parent):
            if (folder / "run.json").is_file():
                lineage.add_parent(RunDir(folder).read_lineage())
                break
    return tokenizer, model or build_masked_lm(settings.preset or "mini", tokenizer.vocab_size, settings.seed), seen


def _card(settings: PretrainSettings, areas: Areas, tokenizer: Tokenizer) -> ModelCard:
    bases = sum(part.length_bp for part in areas.train)
    names = {"max_steps", "epochs", "max_seconds", "batch_tokens", "accumulate", "lr"}
    shown = settings.train.model_dump(include=names, exclude_none=True)
    return ModelCard(
        title=f"Masked language model of {settings.genome.name}",
        summary=f"Guesses hidden tokens of DNA; pre-trained with lingome on {settings.genome.name}.",
        data=[f"{settings.genome.name}: {bases:,} bases as {tokenizer.kind} tokens; run.json lists the intervals"],
        training={"mask_rate": settings.mask_rate, "seed": settings.seed, **shown},
    )


def _check_resume(settings: PretrainSettings) -> None:
    """Refuse to resume what is not there, or under other settings."""
    if not settings.resume:
        return
    saved = RunDir(settings.out).read_config()
    if not saved:
        raise DataError("there is no run to resume", where=settings.out, hint="leave out --resume to start one")
    now = settings.as_dict()
    changed = [name for name in now if name not in ASIDE and now[name] != saved.get(name)]
    if changed:
        raise ConfigError(
            "a run is resumed with the settings it began with", where=", ".join(changed),
            got={name: now[name] for name in changed}, expected={name: saved.get(name) for name in changed},
            hint=f"lingome pretrain -o {settings.out} --resume",
        )
