"""Learn static vectors of a vocabulary's tokens: Word2Vec on a genome, beside a control."""

from __future__ import annotations

import numpy as np

from lingome.config.tokens.vectors import VectorsSettings
from lingome.core.errors import ConfigError
from lingome.core.extras import require
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed, generator
from lingome.core.warnings import RunWarning
from lingome.data.areas import choose_areas
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.explain.token_axes import TOKEN_AXES_COLUMNS, TOKEN_MAP_COLUMNS, TokenAxes, token_components
from lingome.explain.token_neighbours import NEIGHBOUR_COLUMNS, neighbour_table, strongest_correlations
from lingome.explain.vocabulary import VOCABULARY_COLUMNS, vocabulary_table
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.networks.word2vec.model import build_static
from lingome.models.open import read_lineage
from lingome.tokens.alphabet import DNA
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import EncodedGenome, encode_genome, estimate_bases_per_token
from lingome.train.word2vec import Vectors, Word2VecSettings, thin_curve, train_word2vec

TOKENS_PER_SECOND = {"cbow": 1.3e6, "skipgram": 3.6e5}
"""Of one core, for 100 dimensions, a window of 5 and 5 negatives."""


def plan(settings: VectorsSettings) -> Plan:
    """Check the inputs, and say what would be learnt from and how long it would take."""
    check_absent(settings.out, settings.force)
    require("gensim", "vectors")
    tokenizer, genome, intervals = open_inputs(settings)
    bases = sum(part.length_bp for part in intervals)
    n_tokens = bases / estimate_bases_per_token(genome, tokenizer, intervals)
    passes = settings.epochs * (2 if settings.control == "shuffled" else 1)
    work = (0.5 + 0.5 * settings.dims / 100) * (settings.negatives + 1) / 6
    seconds = 3 + bases / 2e7 + n_tokens * passes * work / TOKENS_PER_SECOND[settings.algorithm]
    return Plan("tokens vectors", [
        ("genome", f"{settings.genome}: {len(genome.lengths)} sequences, {sum(genome.lengths.values()):,} bases"),
        ("learnt from", f"{bases:,} bases, about {n_tokens:,.0f} tokens, {settings.epochs} times"),
        ("tokenizer", f"{tokenizer.kind}, {tokenizer.vocab_size} tokens"),
        ("vectors", f"{settings.algorithm}, {settings.dims} numbers; control: {settings.control} vectors"),
        ("memory", f"about {0.6 + (bases + 4 * n_tokens) / 1e9:.1f} GB"),
        ("time", f"about {seconds / 60:.1f} minutes"),
        ("output", str(settings.out)),
    ])


def run(settings: VectorsSettings) -> Outcome:
    """Encode the genome, train the vectors, look at them, and write the run."""
    require("gensim", "vectors")
    lineage = Lineage("tokens vectors", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        tokenizer, genome, intervals = open_inputs(settings)
        lineage.add_input("genome", settings.genome)
        parent = read_lineage(settings.tokenizer)
        if parent:
            lineage.add_parent(parent)
        encoded = encode_genome(genome, tokenizer, intervals)
        lineage.add_seen("word2vec", genome.digest, [(part.chrom, part.start, part.end) for part in intervals])
        vectors = fit(encoded, tokenizer, settings, settings.seed)
        for step, (tokens, loss, seconds) in enumerate(thin_curve(vectors.curve), start=1):
            progress = {"step": step, "tokens": tokens, "loss": loss, "time_s": round(seconds, 2)}
            run_dir.append_metric(phase="word2vec", split="train", **progress)
        vocabulary = vocabulary_table(tokenizer, vectors.counts)
        rows = [row for row in vocabulary if row["count"] >= settings.min_count]
        axes = token_components(vectors.table, rows)
        control = token_components(control_vectors(encoded, tokenizer, settings), rows)
        run_dir.write_table("vocabulary", vocabulary, VOCABULARY_COLUMNS)
        run_dir.write_table("neighbours", neighbour_table(vectors.table, rows, settings.neighbours), NEIGHBOUR_COLUMNS)
        run_dir.write_table("token_map", axes.map_rows, TOKEN_MAP_COLUMNS)
        run_dir.write_table("token_axes", axes.axis_rows, TOKEN_AXES_COLUMNS)
        control_rows = [{**row, "control": settings.control} for row in control.axis_rows]
        run_dir.write_table("token_axes_control", control_rows, (*TOKEN_AXES_COLUMNS, "control"))
        run_dir.write_warnings(find_warnings(tokenizer, encoded, settings))
        answer = describe(axes, control, len(rows), settings)
        body = build_static(vectors.table, settings.algorithm, tokenizer)
        save_checkpoint(run_dir.checkpoint_path, body, tokenizer, _card(settings, encoded))
        run_dir.write_lineage(lineage.as_dict(
            title="Vectors of tokens",
            question="Which tokens occur in similar contexts, and what do their vectors vary with?",
            answer=answer, gensim=require("gensim", "vectors").__version__,
        ))
    return Outcome(f"{answer}\nmodel: {run_dir.checkpoint_path}", tables=[axes_view(axes, control)], path=settings.out)


def open_inputs(settings: VectorsSettings) -> tuple[Tokenizer, Genome, tuple[Interval, ...]]:
    """Open the tokenizer and the genome, and choose what to learn from.

    Raises
    ------
    ConfigError
        If the tokenizer is of another alphabet, or a region cannot be read.
    DataError
        If an input cannot be read, a sequence is not in the genome, or nothing is left.
    """
    tokenizer = load_tokenizer(settings.tokenizer)
    if tokenizer.alphabet is not DNA:
        raise ConfigError(
            "this vocabulary does not read DNA", where=settings.tokenizer, got=tokenizer.alphabet.name,
            expected=DNA.name, hint="give a vocabulary that was trained on a genome",
        )
    genome = Genome.open(settings.genome, soft_masked=settings.soft_masked)
    for chrom in set(settings.chroms) - genome.lengths.keys():
        raise unknown_chromosome(chrom, genome.lengths, settings.genome)
    chosen = {chrom: n for chrom, n in genome.lengths.items() if not settings.chroms or chrom in settings.chroms}
    exclude = [Interval.parse(text, genome.lengths) for text in settings.exclude]
    return tokenizer, genome, choose_areas(chosen, exclude, validation_share=0).train


def fit(encoded: EncodedGenome, tokenizer: Tokenizer, settings: VectorsSettings, seed: int) -> Vectors:
    """Train as the settings say.

    Parameters
    ----------
    encoded : EncodedGenome
        The text.
    tokenizer : Tokenizer
        Its vocabulary.
    settings : VectorsSettings
        How it is trained.
    seed : int
        Of this training; the control has another.
    """
    chosen = Word2VecSettings(
        algorithm=settings.algorithm, dims=settings.dims, window=settings.window, negatives=settings.negatives,
        epochs=settings.epochs, min_count=settings.min_count, lr=settings.lr, subsample=settings.subsample,
        workers=settings.workers,
    )
    return train_word2vec(encoded.ids, encoded.segments, tokenizer.vocab_size, chosen, seed=seed)


def control_vectors(encoded: EncodedGenome, tokenizer: Tokenizer, settings: VectorsSettings) -> np.ndarray:
    """Give vectors, shape (V, D), that know nothing of context.

    ``random`` draws them; ``shuffled`` trains them on the same tokens in random order, so that
    counts are all there is to learn.
    """
    if settings.control == "random":
        draw = generator(settings.seed, "control")
        return draw.standard_normal((tokenizer.vocab_size, settings.dims), dtype=np.float32)
    say("training the control on shuffled tokens")
    mixed = generator(settings.seed, "control").permutation(encoded.ids)
    whole = EncodedGenome(mixed, encoded.segments, encoded.bases, encoded.unknown, encoded.intervals)
    return fit(whole, tokenizer, settings, derive_seed(settings.seed, "control")).table


def find_warnings(tokenizer: Tokenizer, encoded: EncodedGenome, settings: VectorsSettings) -> list[RunWarning]:
    """Warn of what a reader of the vectors has to know."""
    found = []
    if tokenizer.settings().get("overlap"):
        text = "overlapping words share bases with their neighbours, so that vectors show spelling more than use"
        found.append(RunWarning("warn", "overlapping tokens", text))
    if settings.workers > 1:
        text = f"{settings.workers} threads change the table at the same time: the same command gives other vectors"
        found.append(RunWarning("info", "not deterministic", text))
    per_token = len(encoded.ids) * settings.epochs / max(1, tokenizer.vocab_size)
    if per_token < 1000:
        text = f"a token was read {per_token:,.0f} times on average: rare ones are close to where they started"
        found.append(RunWarning("warn", "little text", text))
    return found


def describe(axes: TokenAxes, control: TokenAxes, n_tokens: int, settings: VectorsSettings) -> str:
    """Say in a sentence or two what the vectors follow, and what the control does.

    Parameters
    ----------
    axes, control : TokenAxes
        Components of the vectors, and of those that know nothing of context.
    n_tokens : int
        Tokens that have a vector.
    settings : VectorsSettings
        Names the control, and how many numbers a vector has.
    """
    text = f"{n_tokens:,} tokens have vectors of {settings.dims} numbers."
    if not axes.axis_rows or not control.axis_rows:
        return text
    top, bare = (max(one.axis_rows, key=lambda row: abs(row["correlation"])) for one in (axes, control))
    return (
        f"{text} PC1 holds {axes.axis_rows[0]['variance']:.1%} of their variance, and {top['axis']} follows "
        f"{top['correlates_with']} most (Spearman {top['correlation']:.2f}). Of {settings.control} vectors, PC1 holds "
        f"{control.axis_rows[0]['variance']:.1%}, and no correlation is beyond {abs(bare['correlation']):.2f}."
    )


def axes_view(axes: TokenAxes, control: TokenAxes) -> Table:
    """Show each component beside the control's."""
    bare = {row["axis"]: row for row in strongest_correlations(control.axis_rows)}
    columns = ("axis", "variance", "follows", "Spearman", "control variance", "control follows", "control Spearman")
    names = ("variance", "correlates_with", "correlation")
    shown = [
        [row["axis"], *(one.get(name) for one in (row, bare.get(row["axis"], {})) for name in names)]
        for row in strongest_correlations(axes.axis_rows)
    ]
    return Table("what the vectors vary along", columns, shown)


def _card(settings: VectorsSettings, encoded: EncodedGenome) -> ModelCard:
    names = ("algorithm", "dims", "window", "negatives", "epochs", "min_count", "lr", "subsample", "seed")
    values = settings.as_dict()
    return ModelCard(
        title=f"Static vectors of the tokens of {settings.genome.name}",
        summary="One vector per token, trained with Word2Vec (gensim): tokens in similar contexts get similar vectors.",
        tags=("biology", "dna", "lingome", "word2vec"),
        data=[f"{settings.genome.name}: {encoded.bases:,} bases, {len(encoded.ids):,} tokens; run.json lists them"],
        training={name: values[name] for name in names},
        limits=("A token has one vector, whatever its context.", "For research; it gives no medical advice."),
    )
