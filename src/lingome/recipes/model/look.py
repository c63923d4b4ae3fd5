"""``lingome model``: count the parameters of a model, list those that are known, look at one."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lingome.config.model.look import ListSettings, ModelSettings, ShowSettings
from lingome.core.errors import CheckpointError, ConfigError, LingomeError
from lingome.core.outcome import Outcome, Table
from lingome.models.counting.checkpoint import count_checkpoint, read_sizes
from lingome.models.counting.published import PUBLISHED, PublishedModel, preset_model, preset_names
from lingome.models.counting.rows import Count, merge_counts
from lingome.models.counting.tensor_list import weights_size
from lingome.models.open import HUB, RANDOM, find_model, packaged_models, read_lineage
from lingome.models.published import BATCH_TOKENS, HUB_MODELS, ROW_TOKENS, estimate_memory
from lingome.models.registry import find_architecture, list_families
from lingome.tokens.load import load_tokenizer

CARD_LINES = 4
COLUMNS = ("component", "shape of one", "formula")


def count(settings: ModelSettings) -> Outcome:
    """Count a model's parameters: by formula for a name, from its file for a checkpoint.

    Raises
    ------
    ConfigError
        If there is no model of this name, or a vocabulary is given for a checkpoint.
    CheckpointError
        If a checkpoint is incomplete or damaged.
    """
    found = find_known(settings.model)
    if isinstance(found, PublishedModel):
        return describe_counts(found.name, found.counts(settings.vocab_size))
    if settings.vocab_size is not None:
        raise ConfigError("a checkpoint has its own vocabulary", where="vocab_size", got=settings.vocab_size,
                          hint="leave it out, or count a preset or a published model")
    return describe_checkpoint(found)


def describe_counts(name: str, counts: Sequence[Count]) -> Outcome:
    """Put counts side by side, a column each, with the totals in the last row."""
    rows: list[tuple[object, ...]] = [(*row[:3], *row[3]) for row in merge_counts(counts)]
    rows.append(("total", None, None, *(counted.total for counted in counts)))
    heads = [counted.convention for counted in counts] if len(counts) > 1 else ["parameters"]
    lines = [f"{name}: {counted.total:,} parameters ({counted.convention})" for counted in counts]
    sizes = {symbol: size for counted in counts for symbol, size in counted.sizes.items() if size}
    lines.append("with " + ", ".join(f"{symbol} = {size:,}" for symbol, size in sizes.items()))
    return Outcome("\n".join(lines), [Table(name, (*COLUMNS, *heads), rows, thousands=True)])


def describe_checkpoint(folder: Path) -> Outcome:
    """Count the tensors of a checkpoint by module, and compare the sum with the formula of its family."""
    counted = count_checkpoint(folder)
    rows: list[tuple[object, ...]] = [dataclasses.astuple(part) for part in counted.parts]
    rows.append(("total", None, None, counted.total))
    lines = [f"{folder}: {counted.total:,} parameters in {len(counted.tensors):,} tensors"]
    if counted.expected is None:
        lines.append(f"no formula for model_type {counted.config.get('model_type')!r}, or this variant of it")
    else:
        expected = counted.expected.total
        rows.append(("total by formula", None, None, expected))
        more = counted.total - expected
        lines.append(
            f"the formula of its family gives {expected:,} too" if not more else f"the formula of its family gives "
            f"{expected:,}: the file has {abs(more):,} {'more' if more > 0 else 'less'}"
        )
    return Outcome(
        "\n".join(lines), [Table(str(folder), (*COLUMNS, "parameters"), rows, thousands=True)], path=folder
    )


def list_models(settings: ListSettings) -> Outcome:
    """List packaged models, presets and published models: size, shape, and what each is for."""
    if settings.published:
        return list_published()
    rows: list[tuple[object, ...]] = []
    for name, folder in packaged_models().items():
        counted = count_checkpoint(folder)
        sizes = read_sizes(counted.config)
        shape = [sizes.get(key) for key in ("layers", "hidden size", "vocabulary")]
        title = next((line for line in read_card(folder) if line.startswith("# ")), "")
        rows.append((name, counted.total, *shape, "weights", title.removeprefix("# ").removeprefix(f"{name}: ")))
    presets = [preset_model(name) for name in preset_names() if name not in PUBLISHED]
    for model in [*presets, *PUBLISHED.values()]:
        here = "preset" if model.name in preset_names() else "count"
        total = model.counts()[0].total
        rows.append((model.name, total, model.layers, model.hidden_size, model.vocab_size, here, model.purpose))
    columns = ("name", "parameters", "layers", "hidden size", "vocabulary", "here", "models")
    message = "weights: ready to use (-m NAME); preset: a shape to train (--preset NAME); count: only counted here"
    kinds = [
        (family.name, ", ".join([family.model_type or family.name, *family.model_types]),
         find_architecture(family.shape()).name, family.library)
        for family in list_families()
    ]
    heads = ("folders that are read", "model_type", "architecture", "what is written loads in")
    return Outcome(message, [Table("models", columns, rows, thousands=True), Table("folders", heads, kinds)])


def list_published() -> Outcome:
    """List the models of the field that are read here: where they are, licence, size, context, data and checks."""
    rows: list[tuple[object, ...]] = []
    for model in HUB_MODELS:
        memory = estimate_memory(model)
        rows.append((f"hub:{model.hub}", model.count_parameters(), model.licence, model.context, model.alphabet,
                     round(memory.embed / 1e9, 1), round(memory.tune / 1e9, 1)))
    columns = ("model", "parameters", "licence", "context", "reads", "GB to embed", "GB to fine-tune")
    about = [(f"hub:{model.hub}", model.learnt_from, model.checked, model.source) for model in HUB_MODELS]
    message = (f"memory: float32, {BATCH_TOKENS:,} tokens per batch, rows of at most {ROW_TOKENS}; "
               "a model is downloaded once, when a command is given its name: -m hub:OWNER/NAME")
    return Outcome(message, [
        Table("published models", columns, rows, thousands=True),
        Table("what they are", ("model", "learnt from", "checked here with", "source"), about),
    ])


def show(settings: ShowSettings) -> Outcome:
    """Describe a model; of a preset or a published model, its shape and source.

    Raises
    ------
    ConfigError
        If there is no model of this name.
    CheckpointError
        If a checkpoint is incomplete or damaged.
    """
    found = find_known(settings.model)
    if isinstance(found, PublishedModel):
        rows: list[tuple[str, object]] = [
            ("models", found.purpose), ("source", found.source), ("layers", found.layers),
            ("hidden size", found.hidden_size), ("vocabulary", found.vocab_size),
            *((f"parameters ({counted.convention})", counted.total) for counted in found.counts()),
            ("weights", "none here"),
        ]
        return Outcome(tables=[Table(found.name, ("what", "value"), rows, thousands=True)])
    lineage = read_lineage(found)
    tables = [Table(str(found), ("what", "value"), describe_folder(found, lineage), thousands=True)]
    seen = seen_rows(lineage)
    if seen:
        columns = ("by", "genome", "sequence", "intervals", "bases")
        tables.append(Table("what it has seen", columns, seen, thousands=True))
    return Outcome("" if read_card(found) else "there is no card (README.md) beside the weights", tables, path=found)


def describe_folder(folder: Path, lineage: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Say what a checkpoint holds: shape, parameters, tokenizer, size on disk, and the run that made it."""
    counted = count_checkpoint(folder)
    card = [line.removeprefix("# ") for line in read_card(folder)[:CARD_LINES] if not line.startswith("##")]
    rows: list[tuple[str, object]] = [*(("card", line) for line in card), *read_sizes(counted.config).items()]
    types = sorted({tensor.dtype for tensor in counted.tensors})
    rows += [("parameters", counted.total), ("stored as", ", ".join(types))]
    rows.append(("weights on disk", f"{weights_size(folder) / 1e6:,.1f} MB"))
    try:
        tokenizer = load_tokenizer(folder)
        rows.append(("tokenizer", f"{tokenizer.kind}, {tokenizer.vocab_size:,} tokens"))
    except LingomeError as error:
        rows.append(("tokenizer", f"cannot be read: {error.what}"))
    made = ("workflow", "command", "started", "seed", "answer")
    rows += [(f"run: {key}" if key != "workflow" else "run", lineage.get(key)) for key in made]
    rows += [("continues", parent.get("command")) for parent in lineage.get("parents", [])]
    return [(name, value) for name, value in rows if value is not None]


def seen_rows(lineage: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Sum the intervals that a model and its ancestors saw: stage, genome, sequence, intervals, bases.

    Raises
    ------
    CheckpointError
        If an interval lacks its stage, genome, sequence, start or end.
    """
    sums: dict[tuple[str, str, str], list[int]] = {}
    try:
        for row in lineage.get("data_seen", []):
            entry = sums.setdefault((row["by"], row["genome"][:12], row["chrom"]), [0, 0])
            entry[0] += 1
            entry[1] += row["end"] - row["start"]
    except (KeyError, TypeError) as error:
        raise CheckpointError("what the model has seen cannot be read", where="run.json: data_seen",
                              got=repr(error), expected="by, genome, chrom, start and end of each") from error
    return [(*key, *entry) for key, entry in sums.items()]


def find_known(name: str) -> Path | PublishedModel:
    """Find a checkpoint's folder, or what is known by a name; a checkpoint wins over a name.

    Raises
    ------
    ConfigError
        If there is no such name; the message lists close ones.
    CheckpointError
        If it is a path without a model.
    """
    place = Path(name).expanduser()
    is_checkpoint = any((folder / "config.json").is_file() for folder in (place, place / "checkpoint"))
    if is_checkpoint or name in packaged_models() or name.startswith((HUB, RANDOM)):
        return find_model(name)
    if name in PUBLISHED or name in preset_names():
        return PUBLISHED[name] if name in PUBLISHED else preset_model(name)
    if place.exists() or os.sep in name:
        return find_model(name)
    known = [*packaged_models(), *preset_names(), *PUBLISHED]
    close = list(dict.fromkeys(difflib.get_close_matches(name.lower(), known, n=4, cutoff=0.5)))
    raise ConfigError(
        f"there is no model {name!r}", expected="the folder of a checkpoint or a run, or a name",
        hint=f"did you mean {', '.join(close)}?" if close else "lingome model list  names those that are known",
    )


def read_card(folder: Path) -> list[str]:
    """Read the lines of a model's card, without its header and empty lines."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    body = text.split("---\n", 2)[-1] if text.startswith("---\n") else text
    return [line for line in body.splitlines() if line.strip()]
