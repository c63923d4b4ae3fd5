"""``lingome model export``: a model for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from lingome.config.model.exporting import ExportSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_folder, check_absent
from lingome.core.outcome import Outcome, Plan, Table
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import write_checkpoint
from lingome.models.folders.families import find_family, to_config_json
from lingome.models.folders.onnx_export import FURTHEST, check_exportable, write_onnx
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.models.registry import shape_of

AUTO = {"masked_lm": "AutoModelForMaskedLM", "causal_lm": "AutoModelForCausalLM", "seq2seq_lm": "AutoModelForSeq2SeqLM"}


def plan(settings: ExportSettings) -> Plan:
    """Load the model, and say what would be written."""
    check_absent(settings.out, settings.force)
    rows = [(name, str(value)) for name, value in describe(settings, open_model(settings))]
    return Plan("model export", [*rows, ("output", str(settings.out))])


def run(settings: ExportSettings) -> Outcome:
    """Load, write, and check what was written."""
    check_absent(settings.out, settings.force)
    opened = open_model(settings)
    model = opened.model
    rows = describe(settings, opened)
    with atomic_folder(settings.out, force=settings.force) as temporary:
        if settings.format == "onnx":
            furthest = write_onnx(model, temporary / "model.onnx")
            opened.tokenizer.save(temporary)
            content = json.dumps(to_config_json(shape_of(model)), indent=2)
            (temporary / "config.json").write_text(content + "\n", encoding="utf-8")
            said = f"{furthest:.2g}, on padded random input of three sizes (below {FURTHEST:g} is rounding)"
            rows.append(("largest difference from PyTorch", said))
        else:
            write_checkpoint(temporary, model, opened.tokenizer, ModelCard(title=_title(opened)), dtype=settings.dtype)
            _keep(opened, temporary, card=settings.part == "whole")
    return Outcome(f"model: {settings.out}", path=settings.out,
                   tables=[Table(str(opened.folder or opened.name), ("what", "value"), rows)])


def open_model(settings: ExportSettings) -> Opened[nn.Module]:
    """Load the model, and refuse a format that cannot hold it.

    Raises
    ------
    ConfigError
        If transformers has no such architecture, or ONNX cannot hold it, or a type of numbers plays no part.
    MissingExtraError
        If the packages for ONNX are not installed.
    """
    opened = load_model(settings.model, settings.part)
    config = shape_of(opened.model)
    family = find_family(config)
    if settings.format == "onnx":
        check_exportable(config)
        if settings.dtype != "float32":
            raise ConfigError("an ONNX graph is written in float32", where="dtype", got=settings.dtype)
    if settings.format == "transformers":
        if family.library != "transformers":
            raise ConfigError("transformers has no architecture of this shape", where="format", got=family.name,
                              hint="format=safetensors writes a folder for lingome")
        if config.label_names and family.classifier(config)[1].startswith("Lingome"):
            raise ConfigError("transformers has no classifier that pools as this one", where="format",
                              got="the mean over tokens", hint="part=body writes the body, which AutoModel loads")
    return opened


def describe(settings: ExportSettings, opened: Opened[nn.Module]) -> list[tuple[str, object]]:
    """Say what is written, and who loads it."""
    config = shape_of(opened.model)
    family = find_family(config)
    loads = {"onnx": "onnxruntime: input_ids and attention_mask, of any batch and length", "safetensors": "lingome"}
    loader = "AutoModel" if settings.part == "body" else AUTO.get(family.kind, "AutoModel")
    loader = "AutoModelForSequenceClassification" if config.label_names else loader
    loads["transformers"] = f"transformers.{loader}.from_pretrained"
    return [
        ("model", str(opened.folder or opened.name)), ("kind", family.name),
        ("parameters", f"{count_parameters(opened.model):,}"),
        ("format", settings.format if settings.format == "onnx" else f"{settings.format}, {settings.dtype}"),
        ("loads in", loads[settings.format]),
    ]


def _title(opened: Opened[nn.Module]) -> str:
    """Name a model by its folder, or its run; random weights by what was asked for."""
    if opened.folder is None:
        return opened.name
    return opened.folder.name if opened.folder.name != "checkpoint" else opened.folder.parent.name


def _keep(opened: Opened[nn.Module], out: Path, *, card: bool) -> None:
    """Carry lineage and card over; the card of a whole model does not say how a body is loaded."""
    if card and opened.folder is not None and (opened.folder / "README.md").is_file():
        (out / "README.md").write_bytes((opened.folder / "README.md").read_bytes())
    if opened.lineage:
        (out / "run.json").write_text(json.dumps(opened.lineage, indent=2) + "\n", encoding="utf-8")
