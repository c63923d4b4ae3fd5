"""``lingome model export``: a model for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from lingome.config.model_export import ExportSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_folder, check_absent
from lingome.core.outcome import Outcome, Plan, Table
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import load_body, load_whole, write_checkpoint
from lingome.models.folders.families import find_family, to_config_json
from lingome.models.folders.onnx_export import FURTHEST, check_exportable, write_onnx
from lingome.models.presets import count_parameters
from lingome.models.registry import shape_of
from lingome.tokens.tokenizer import Tokenizer
from lingome.tune.start import read_lineage, resolve_model

AUTO = {"masked_lm": "AutoModelForMaskedLM", "causal_lm": "AutoModelForCausalLM", "seq2seq_lm": "AutoModelForSeq2SeqLM"}


def plan(settings: ExportSettings) -> Plan:
    """Load the model, and say what would be written."""
    check_absent(settings.out, settings.force)
    model, _, folder = open_model(settings)
    rows = [(name, str(value)) for name, value in describe(settings, model, folder)]
    return Plan("model export", [*rows, ("output", str(settings.out))])


def run(settings: ExportSettings) -> Outcome:
    """Load, write, and check what was written."""
    check_absent(settings.out, settings.force)
    model, tokenizer, folder = open_model(settings)
    rows = describe(settings, model, folder)
    with atomic_folder(settings.out, force=settings.force) as temporary:
        if settings.format == "onnx":
            furthest = write_onnx(model, temporary / "model.onnx")
            tokenizer.save(temporary)
            content = json.dumps(to_config_json(shape_of(model)), indent=2)
            (temporary / "config.json").write_text(content + "\n", encoding="utf-8")
            said = f"{furthest:.2g}, on padded random input of three sizes (below {FURTHEST:g} is rounding)"
            rows.append(("largest difference from PyTorch", said))
        else:
            card = ModelCard(title=folder.name if folder.name != "checkpoint" else folder.parent.name)
            write_checkpoint(temporary, model, tokenizer, card, dtype=settings.dtype)
            _keep(folder, temporary, card=settings.part == "whole")
    return Outcome(f"model: {settings.out}", tables=[Table(str(folder), ("what", "value"), rows)], path=settings.out)


def open_model(settings: ExportSettings) -> tuple[nn.Module, Tokenizer, Path]:
    """Load the model, and refuse a format that cannot hold it.

    Raises
    ------
    ConfigError
        If transformers has no such architecture, or ONNX cannot hold it, or a type of numbers plays no part.
    MissingExtraError
        If the packages for ONNX are not installed.
    """
    folder = resolve_model(settings.model)
    model, tokenizer = load_body(folder) if settings.part == "body" else load_whole(folder)
    config = shape_of(model)
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
    return model, tokenizer, folder


def describe(settings: ExportSettings, model: nn.Module, folder: Path) -> list[tuple[str, object]]:
    """Say what is written, and who loads it."""
    config = shape_of(model)
    family = find_family(config)
    loads = {"onnx": "onnxruntime: input_ids and attention_mask, of any batch and length", "safetensors": "lingome"}
    loader = "AutoModel" if settings.part == "body" else AUTO.get(family.kind, "AutoModel")
    loader = "AutoModelForSequenceClassification" if config.label_names else loader
    loads["transformers"] = f"transformers.{loader}.from_pretrained"
    return [
        ("model", str(folder)), ("kind", family.name), ("parameters", f"{count_parameters(model):,}"),
        ("format", settings.format if settings.format == "onnx" else f"{settings.format}, {settings.dtype}"),
        ("loads in", loads[settings.format]),
    ]


def _keep(folder: Path, out: Path, *, card: bool) -> None:
    """Carry lineage and card over; the card of a whole model does not say how a body is loaded."""
    if card and (folder / "README.md").is_file():
        (out / "README.md").write_bytes((folder / "README.md").read_bytes())
    if lineage := read_lineage(folder):
        (out / "run.json").write_text(json.dumps(lineage, indent=2) + "\n", encoding="utf-8")
