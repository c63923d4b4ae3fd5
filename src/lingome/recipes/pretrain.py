"""Pre-train a language model on a genome."""

from __future__ import annotations

from lingome.api.pretrain import pretrain_into
from lingome.config.pretrain import PretrainSettings
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan
from lingome.core.rundir import RunDir
from lingome.evaluate.scaling.ladder_run import plan_ladder, run_ladder
from lingome.models.devices import pick_device, pick_precision
from lingome.models.presets import count_parameters
from lingome.tokens.advice import BYTE_PAIRS_AND_CAUSAL
from lingome.tokens.bpe import BpeTokenizer, vocabulary_size
from lingome.tokens.store import TokenStore
from lingome.tokens.windows import estimate_bases_per_token
from lingome.train.cost import duration
from lingome.train.identity import MAY_DIFFER
from lingome.train.pretraining.cost import estimate_pretraining
from lingome.train.pretraining.inputs import open_genome, open_repeats
from lingome.train.pretraining.kinds import build_objective
from lingome.train.pretraining.record import on_strands
from lingome.train.pretraining.start import given_tokenizer, start_model

BASES_A_TOKEN = 4.1  # of 600 merges, on human sequence


def plan(settings: PretrainSettings) -> Plan:
    """Check the inputs, and say what a run would learn from and what it would take."""
    if settings.ladder.enabled:
        return plan_ladder(settings)
    if not settings.resume:
        check_absent(settings.out, settings.force)
    genome, areas = open_genome(settings, verify=False)
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
    cost = estimate_pretraining(settings, model, objective, genome, areas)
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
        return run_ladder(settings)
    again = f"lingome pretrain -o {settings.out} --resume"
    if settings.resume:
        began = RunDir(settings.out)
        began.check_resumable(settings.as_dict(), may_differ=MAY_DIFFER, command=again, defaults=settings.defaults())
        if (settings.out / "run.json").exists():
            return Outcome(f"this run is complete: {settings.out}", path=settings.out)
    lineage = Lineage("pretrain", settings.seed)
    with RunDir.create(settings.out, force=settings.force, resume=settings.resume) as run_dir:
        run_dir.write_config(settings.as_dict())
        trained = pretrain_into(run_dir, settings, lineage, resume=settings.resume, resume_command=again)
    waiting = f"waiting for data: {trained.waiting_share:.2%} of the time"
    text = f"{trained.answer}\n{waiting}\nmodel: {run_dir.checkpoint_path}"
    return Outcome(text, tables=[trained.table] if len(trained.table) else [], path=settings.out)
