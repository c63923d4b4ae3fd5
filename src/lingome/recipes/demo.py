"""From a genome to an answered question: vocabulary, pre-training, fine-tuning, baselines, prediction, page."""

from __future__ import annotations

from typing import Any

from lingome.config.demo import DemoSettings
from lingome.core.clock import Clock
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import check_absent, write_text
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.core.warnings import RunWarning
from lingome.data.areas import choose_areas
from lingome.data.catalog.entries import find
from lingome.evaluate.baselines.classifiers import fit_baselines
from lingome.evaluate.classification import answer, score_view, write_examples_tables, write_scores
from lingome.evaluate.leaks.seen import note_seen
from lingome.evaluate.methods import Comparison, evaluate_methods
from lingome.evaluate.vocabulary.next_kmer import next_kmer
from lingome.explain.embeddings import write_map
from lingome.explain.vocabulary import VOCABULARY_COLUMNS, count_tokens, vocabulary_table
from lingome.genome.predictions import as_bed, prediction_rows
from lingome.genome.questions import FILES, Question, ask, data_rows, fetch_files
from lingome.genome.sites import SCORE_COLUMN, base_shares
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.open import Opened, load_model, packaged_models
from lingome.models.presets import build_masked_lm, count_parameters, find_config
from lingome.models.reading.pieces import cut_to_fit
from lingome.report.page import write_report
from lingome.tokens.bpe import BpeTokenizer, train_bpe, vocabulary_size
from lingome.tokens.windows import encode_genome
from lingome.train.checkpointing import Checkpointing
from lingome.train.pretraining import Corpus, WindowSettings, pretrain_model
from lingome.train.state import StateStore
from lingome.tune.predict import run_batches, softmax

PACKAGED = {"human": ("human-mini", 600)}


def plan(settings: DemoSettings) -> Plan:
    """Say what the demo would read, do and cost; nothing is fetched."""
    check_absent(settings.out, settings.force)
    pick_device(settings.device)
    config = find_config(settings.preset, vocabulary_size(settings.merges))
    train = settings.pretrain
    return Plan(f"demo, {settings.organism}", [
        ("data", "; ".join(f"{find(name).what} ({name})" for name in FILES[settings.organism].values())),
        ("vocabulary", f"{settings.merges} exact merges on the whole sequence"),
        ("model", f"{count_parameters(build_masked_lm(config)):,} parameters; starts from {_start_name(settings)}"),
        ("pre-training", f"{train.max_steps} steps of {train.batch_tokens} tokens, at most {train.max_seconds} s"),
        ("fine-tuning", f"{', '.join(settings.methods)}; {settings.seeds} seeds; and from random weights"),
        ("memory", "under 4 GB"),
        ("time", "about 4 minutes on 2 cores"),
        ("output", str(settings.out)),
    ])


def run(settings: DemoSettings) -> Outcome:
    """Ask the question of an organism, answer it, and write the page."""
    clock = Clock()
    lineage = Lineage("demo", settings.seed)
    pick_device(settings.device)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        question, settings = _ask(settings, run_dir, lineage)
        run_dir.write_config(settings.as_dict())
        clock.lap("data", f"{sum(question.genome.lengths.values()) / 1e6:.1f} Mb, {len(question.examples):,} windows")
        tokenizer = _learn_vocabulary(question, settings, run_dir)
        clock.lap("vocabulary", f"{settings.merges} merges on the whole sequence")
        start = _pretrain(question, tokenizer, settings, run_dir)
        clock.lap("pre-training", f"from {start.name}")
        areas = choose_areas(question.genome.lengths, question.hidden)
        candidates = {_name(n): tokenizer.truncated(n) for n in settings.candidates if n <= settings.merges}
        run_dir.write_table("next_kmer", next_kmer(
            question.genome, candidates, train_intervals=areas.train, test_intervals=areas.valid,
            settings=settings.choose, seeds=[settings.seed],
        ))
        clock.lap("choice of vocabulary", ", ".join(candidates))
        seeds = [derive_seed(settings.seed, "fit", index) for index in range(settings.seeds)]
        result = evaluate_methods(
            question.examples, start, settings.methods, seeds, settings.tune, run=run_dir, device=settings.device
        )
        clock.lap("fine-tuning", f"{len(result.scored)} methods")
        scored = [*result.scored, *fit_baselines(question.examples, tokenizer, seeds)]
        scores = write_scores(run_dir, scored, settings.resamples, settings.seed)
        found = answer(scores, scored, result.best_name, settings.resamples, settings.seed)
        clock.lap("baselines and intervals", f"{len(scored) - len(result.scored)} baselines")
        counted = "the vocabulary was counted on the whole genome, test blocks included (letters only, no labels)"
        warnings = [*result.warnings, *note_seen(question.examples, question.genome, start, lineage),
                    RunWarning("info", "vocabulary", counted)]
        write_examples_tables(run_dir, question.examples, warnings)
        write_map(run_dir, question.examples.split("test"), result.best.model, start.tokenizer)
        n_called = _predict(question, result, start, settings, run_dir)
        card = ModelCard(question.title, question.text, training={"method": result.best_name})
        save_checkpoint(run_dir.checkpoint_path, result.best.model, tokenizer, card, force=True)
        clock.lap("prediction", f"{len(question.region_examples):,} windows of {question.region}")
        run_dir.write_table("steps", clock.rows)
        run_dir.write_lineage(lineage.as_dict(
            title=question.title, question=question.text, answer=found, best=result.best_name,
            region=str(question.region), background=base_shares(question.genome).tolist(),
        ))
        page = write_report(run_dir)
    return Outcome(
        f"{question.text}\n{found}\n{n_called} of {len(question.region_examples)} windows of "
        f"{question.region} are called; see {settings.out / 'predictions.bed'}\npage: {page}",
        tables=[score_view(scores)], path=settings.out,
    )


def _ask(settings: DemoSettings, run_dir: RunDir, lineage: Lineage) -> tuple[Question, DemoSettings]:
    """Get the data, from wherever it can be had, and put the question together."""
    names = FILES[settings.organism]
    try:
        files = fetch_files(names, offline=settings.offline)
    except DataError as error:
        if settings.organism != "human":
            raise
        say(f"the human data cannot be had, so the demo asks about yeast instead:\n{error}")
        return _ask(settings.replace(organism="yeast", region=None), run_dir, lineage)
    for role, path in files.items():
        lineage.add_input(role, path)
    run_dir.write_table("data", data_rows(names, files))
    say(f"reading {files['genome'].name}")
    question = ask(
        settings.organism, files, p_value=settings.p_value, flank_bp=settings.flank_bp, promoters=settings.promoters,
        seed=settings.seed, region=settings.region,
    )
    return question, settings


def _learn_vocabulary(question: Question, settings: DemoSettings, run_dir: RunDir) -> BpeTokenizer:
    sequences = [question.genome.sequence(chrom) for chrom in question.genome.lengths]
    training = train_bpe(sequences, settings.merges)
    encoded = encode_genome(question.genome, training.tokenizer)
    counts = count_tokens([encoded.ids], training.tokenizer.vocab_size)
    run_dir.write_table("vocabulary", vocabulary_table(training.tokenizer, counts, training.merges), VOCABULARY_COLUMNS)
    return training.tokenizer


def _start_name(settings: DemoSettings) -> str:
    if settings.start_from == "auto":
        name, merges = PACKAGED.get(settings.organism, ("none", 0))
        return name if name in packaged_models() and merges == settings.merges else "none"
    return settings.start_from


def _pretrain(question: Question, tokenizer: BpeTokenizer, settings: DemoSettings, run_dir: RunDir) -> Opened[Body]:
    """Read the genome for a while, from the packaged checkpoint if its vocabulary is the one just trained."""
    name = _start_name(settings)
    before: dict[str, Any] = {}
    digest = ""
    train = settings.pretrain
    if name == "none":
        train = train.replace(lr=settings.scratch_lr)
        model = build_masked_lm(settings.preset, tokenizer.vocab_size, settings.seed)
        say("pre-training starts from random weights")
    else:
        opened = load_model(name, "masked_lm")
        model = opened.model
        before = opened.lineage
        digest = opened.digest
        if opened.tokenizer.digest != tokenizer.digest:
            raise ConfigError(
                "the checkpoint has another vocabulary than the one just trained", where=opened.folder,
                hint="start_from=none trains a model for this vocabulary",
            )
        say(f"the vocabulary is that of {name}, byte for byte; pre-training continues from its checkpoint")
    areas = choose_areas(question.genome.lengths, question.hidden)
    model.to(pick_device(settings.device))
    done = pretrain_model(
        model, Corpus(question.genome, tokenizer, areas), train, seed=settings.seed,
        windows=WindowSettings(max_tokens=254), saving=Checkpointing(run_dir),
    )
    StateStore(run_dir.path / "state").discard()
    say(f"masked perplexity {done.before['perplexity']:.1f} before, {done.after['perplexity']:.1f} after; "
        f"{done.unigram['perplexity']:.1f} from token frequencies alone")
    own = Lineage("pretrain", settings.seed)
    own.add_seen("pretrain", question.genome.digest, [(one.chrom, one.start, one.end) for one in areas.train])
    seen = {**before, "data_seen": [*before.get("data_seen", []), *own.data_seen]}
    shown = "random weights" if name == "none" else name
    return Opened(shown, model.body.cpu().eval(), tokenizer, run_dir.path, digest, seen)


def _predict(
    question: Question, result: Comparison, start: Opened[Body], settings: DemoSettings, run_dir: RunDir
) -> int:
    """Score the windows of the region, write table and BED; gives how many are called."""
    windows = question.region_examples
    room = start.model.config.max_positions
    ids = cut_to_fit(start.tokenizer, windows.sequences, room, settings.tune.too_long).ids
    chances = softmax(run_batches(result.best.model, start.tokenizer, ids))
    rows = prediction_rows(windows, chances, settings.flank_bp if SCORE_COLUMN in windows.columns else 0)
    run_dir.write_table("predictions", rows)
    write_text(run_dir.path / "predictions.bed", as_bed(rows))
    run_dir.write_table("region_peaks", [
        {"chrom": one.chrom, "start": one.start, "end": one.end, "signal": one.score} for one in question.truth
    ], columns=("chrom", "start", "end", "signal"))
    return int((chances[:, 1] >= 0.5).sum())


def _name(merges: int) -> str:
    return f"BPE-{merges}" if merges else "letters"
