"""``lingome model import``: a folder that others wrote, as one of ours."""

from __future__ import annotations

import json
from pathlib import Path

from lingome.config.model.importing import ImportSettings
from lingome.core.files import atomic_folder, check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.models.architecture import Body
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import load_checkpoint, write_checkpoint
from lingome.models.folders.importing import Imported, import_model
from lingome.models.presets import count_parameters
from lingome.models.registry import find_architecture, shape_of


def plan(settings: ImportSettings) -> Plan:
    """Read everything, and say what would be written."""
    check_absent(settings.out, settings.force)
    imported = _read(settings)
    return Plan("model import", [*describe(imported), ("output", str(settings.out))])


def run(settings: ImportSettings) -> Outcome:
    """Read, check, write, and open what was written."""
    check_absent(settings.out, settings.force)
    lineage = Lineage("model import", 0)
    imported = _read(settings)
    for note in imported.notes:
        say(note)
    for name, file in _inputs(settings.path, imported):
        lineage.add_input(name, file)
    card = ModelCard(
        title=settings.title or settings.path.resolve().name,
        summary=f"A {imported.family.name} model that others trained, imported with lingome.",
        licence=settings.licence, data=("see its publication",),
        training={"imported from": ", ".join(file.name for file in imported.files)},
    )
    with atomic_folder(settings.out, force=settings.force) as temporary:
        write_checkpoint(temporary, imported.model, imported.tokenizer, card, dtype=settings.dtype)
        said = lineage.as_dict(answer=f"imported from {settings.path}", notes=list(imported.notes))
        (temporary / "run.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        load_checkpoint(temporary, "body" if isinstance(imported.model, Body) else "whole")
    rows = describe(imported)
    return Outcome(f"model: {settings.out}", tables=[Table(str(settings.path), ("what", "value"), rows)],
                   path=settings.out)


def describe(imported: Imported) -> list[tuple[str, str]]:
    """Say what was read."""
    config = shape_of(imported.model)
    part = " classifier" if config.label_names else ""
    return [
        ("kind", f"{imported.family.name}{part}: {find_architecture(config).name}"),
        ("shape", f"{config.n_layers} layers of {config.hidden_size}, up to {config.max_positions:,} tokens"),
        ("parameters", f"{count_parameters(imported.model):,}"),
        ("vocabulary", f"{imported.tokenizer.kind}, {imported.tokenizer.vocab_size:,} tokens"),
        ("weights", ", ".join(file.name for file in imported.files)),
        *(("note", note) for note in imported.notes),
    ]


def _read(settings: ImportSettings) -> Imported:
    return import_model(settings.path, settings.tokenizer, body_only=settings.part == "body")


def _inputs(path: Path, imported: Imported) -> list[tuple[str, Path]]:
    folder = path if path.is_dir() else path.parent
    return [("config", folder / "config.json"), *((f"weights {file.name}", file) for file in imported.files)]
