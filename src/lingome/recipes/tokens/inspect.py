"""Inspect a vocabulary: count its tokens over a genome, trace their descent, and look at a model's vectors of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lingome.config.tokens.inspect import InspectSettings
from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.warnings import RunWarning
from lingome.data.readers.compressed import estimate_bases, sniff
from lingome.explain.merge_tree import MERGE_TREE_COLUMNS, merge_tree
from lingome.explain.self_similarity import SELF_SIMILARITY_COLUMNS, read_contexts, self_similarity_table
from lingome.explain.token_axes import TOKEN_AXES_COLUMNS, TOKEN_MAP_COLUMNS, token_components
from lingome.explain.token_census import MIN_WINDOW, TokenCensus
from lingome.explain.token_sources import census_of_file
from lingome.explain.token_table import ANNOTATION_COLUMNS, annotation_table, describe, token_table
from lingome.explain.vocabulary import check_rows, length_table, summarize
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.networks.transformer.model import Transformer
from lingome.models.open import Opened, load_model, packaged_models, random_body
from lingome.models.presets import count_parameters
from lingome.tokens.alphabet import DNA
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.cost import measure_encoding
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

Row = dict[str, Any]
READINGS = 2.5  # both strands are encoded, and annotations laid over them


def plan(settings: InspectSettings) -> Plan:
    """Check the inputs and say what inspecting would take."""
    check_absent(settings.out, settings.force)
    _, tokenizer = open_vocabulary(settings)
    start = open_model(settings, tokenizer)
    for path in (settings.genome, *settings.annotation.values()):
        sniff(path)
    bases = estimate_bases(settings.genome)
    seconds = 2 + bases * measure_encoding(settings.genome, tokenizer).seconds_per_base * READINGS
    rows = [
        ("vocabulary", f"{settings.tokenizer}: {tokenizer.kind}, {tokenizer.vocab_size:,} tokens"),
        ("genome", f"{settings.genome}, about {bases / 1e6:,.1f} Mb"),
        ("annotation", ", ".join(f"{name} ({path})" for name, path in settings.annotation.items()) or "none"),
    ]
    if start is not None:
        n_parameters = count_parameters(start.model)
        n_tokens = settings.n_windows * window_tokens(settings, start) * (1 + settings.random_control)
        seconds += 2 * n_parameters * n_tokens / 5e10 + n_tokens * 1e-5
        rows.append(("model", f"{start.name}: {n_parameters:,} parameters, reads {n_tokens:,} tokens"))
    # A record is read at two bytes per base and encoded at up to five more; 250 Mb is the longest of human ones.
    memory = 0.4 + 7 * min(bases, 250e6) / 1e9
    rows += [("memory", f"about {memory:.1f} GB"), ("time", f"about {seconds:,.0f} s on one core")]
    return Plan("tokens inspect", [*rows, ("output", str(settings.out))])


def run(settings: InspectSettings) -> Outcome:
    """Count, trace, read in context, and write the run directory."""
    pick_device(settings.device)
    lineage = Lineage("tokens inspect", settings.seed)
    folder, tokenizer = open_vocabulary(settings)
    start = open_model(settings, tokenizer)
    notes = []
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        for name, path in (("genome", settings.genome), *settings.annotation.items()):
            sniff(path)
            lineage.add_input(name, path)
        census = census_of_file(
            settings.genome, tokenizer, settings.annotation, soft_masked=settings.soft_masked, seed=settings.seed,
            n_windows=settings.n_windows if start else 0, window_tokens=window_tokens(settings, start),
        )
        merges = RunDir(folder).read_table("merges")
        if merges and isinstance(tokenizer, BpeTokenizer):
            check_rows(merges, tokenizer.vocab[tokenizer.first_merged :], folder / "tables" / "merges.tsv")
        bare = [name for name, letters in census.letters_inside.items() if not letters]
        notes += [f"{name} covers no known letter: there is no ratio" for name in bare]
        rows = token_table(tokenizer, census, merges)
        run_dir.write_table("tokens", rows)
        if census.inside:
            run_dir.write_table("token_annotation", annotation_table(tokenizer, census), ANNOTATION_COLUMNS)
        if isinstance(tokenizer, BpeTokenizer) and tokenizer.merges:
            run_dir.write_table("merge_tree", merge_tree(tokenizer), MERGE_TREE_COLUMNS)
        else:
            notes.append("this vocabulary was not made by merging: there is no tree")
        if start is not None:
            lineage.add_parent({"model": start.name, "weights_sha256": start.digest, **start.lineage})
            look_into(start, census, rows, settings, run_dir)
        facts = summarize(rows)
        answer = describe(rows, census)
        if tokenizer.alphabet is not DNA:
            notes.append("letters are no DNA: GC content, strands and palindromes mean nothing here, and are left out")
        for note in notes:
            say(note)
        if notes:
            run_dir.write_warnings(RunWarning("info", "left out", note) for note in notes)
        run_dir.write_lineage(lineage.as_dict(
            title="What is in this vocabulary", answer=answer,
            question=f"How does {settings.tokenizer.name} cut {settings.genome.name}?",
            summary={name: round(value, 4) for name, value in facts.items()},
            tokenizer=tokenizer.settings(), tokenizer_digest=tokenizer.digest,
        ))
    return Outcome(f"{answer}\nrun: {settings.out}", tables=views(rows, settings), path=settings.out)


def open_vocabulary(settings: InspectSettings) -> tuple[Path, Tokenizer]:
    """Load the tokenizer of a folder, or of a packaged model's name; give the folder as well."""
    folder = settings.tokenizer
    if not folder.exists():
        folder = packaged_models().get(str(folder), folder)
    return folder, load_tokenizer(folder)


def open_model(settings: InspectSettings, tokenizer: Tokenizer) -> Opened[Body] | None:
    """Load the model, if one was asked for.

    Raises
    ------
    CheckpointError
        If its vocabulary is another one, or its vectors know no context.
    """
    if settings.model is None:
        return None
    start = load_model(settings.model, "body")
    if start.tokenizer.digest != tokenizer.digest:
        raise CheckpointError(
            "the model has another vocabulary", where=settings.model,
            got=f"{start.tokenizer.kind}, {start.tokenizer.vocab_size:,} tokens, {start.tokenizer.digest[:12]}",
            expected=f"{tokenizer.kind}, {tokenizer.vocab_size:,} tokens, {tokenizer.digest[:12]}",
            hint="inspect the model's own vocabulary: give its folder in place of the tokenizer's",
        )
    if not isinstance(start.model, Transformer):
        raise CheckpointError(
            "these vectors are the same in every context", where=settings.model, expected="a transformer",
            hint="the run that made them holds their map: lingome report",
        )
    return start


def window_tokens(settings: InspectSettings, start: Opened[Body] | None) -> int:
    """Give the tokens of a window that fits the model.

    Raises
    ------
    ConfigError
        If the context of the model is too short to look into.
    """
    if start is None:
        return settings.window_tokens
    room = start.model.config.max_positions - 2
    if room < MIN_WINDOW:
        raise ConfigError(
            "the context of this model is too short to look into", where="model", got=f"{room} tokens",
            expected=f"at least {MIN_WINDOW}",
        )
    return min(settings.window_tokens, room)


def look_into(
    start: Opened[Body], census: TokenCensus, rows: Sequence[Row], settings: InspectSettings, run_dir: RunDir
) -> None:
    """Read the sampled windows with the model and with random weights, and write the tables of vectors.

    Parameters
    ----------
    start : Opened
        The model.
    census : TokenCensus
        Holds the windows.
    rows : sequence of dict
        The table ``tokens``, whose properties the axes are compared with.
    settings : InspectSettings
        What is read, and how much.
    run_dir : RunDir
        Where the tables go.
    """
    bodies = {"token_axes": start.model}
    if settings.random_control:
        bodies["token_axes_random"] = random_body(start.model.config, settings.seed)
    contexts = {}
    for name, body in bodies.items():
        assert isinstance(body, Transformer), "checked when it was opened"
        contexts[name] = read_contexts(
            body, start.tokenizer, census.windows, n_occurrences=settings.n_occurrences, layer=settings.layer,
            batch_tokens=settings.batch_tokens, device=settings.device,
            what="reading tokens in context" if name == "token_axes" else "random weights",
        )
        table = body.tokens.weight.detach().float().cpu().numpy()
        axes = token_components(
            table if settings.vectors == "input" else contexts[name].means, rows, settings.n_components
        )
        run_dir.write_table(name, axes.axis_rows, TOKEN_AXES_COLUMNS)
        if name == "token_axes":
            run_dir.write_table("token_map", axes.map_rows, TOKEN_MAP_COLUMNS)
    run_dir.write_table("self_similarity", self_similarity_table(
        start.tokenizer, contexts["token_axes"], contexts.get("token_axes_random"), least=settings.min_occurrences
    ), SELF_SIMILARITY_COLUMNS)


def views(rows: Sequence[Row], settings: InspectSettings) -> list[Table]:
    """Show the tokens most used, and the vocabulary by length."""
    columns = ["token", "length_bp", "count", "gc", "strand_bias"]
    columns += [f"{name}_ratio" for name in settings.annotation]
    most = sorted(rows, key=lambda row: -row["count"])[:12]
    lengths = length_table(rows)
    return [
        Table("the most frequent tokens", columns, [[row[column] for column in columns] for row in most]),
        Table("by length", list(lengths[0]), [list(row.values()) for row in lengths]),
    ]
