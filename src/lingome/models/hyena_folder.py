"""Save and load HyenaDNA as a Hugging Face folder under its published names; never a pickle."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from lingome import __version__
from lingome.core.errors import CheckpointError
from lingome.core.files import atomic_folder
from lingome.models.hyena import HyenaConfig, HyenaLM
from lingome.models.interop_hyena import from_config_json, from_published, to_config_json, to_published
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer


def save_hyena_lm(folder: Path, model: HyenaLM, tokenizer: Tokenizer, *, force: bool = False) -> None:
    """Write a model and its tokenizer as one folder, whole or not at all, in float32.

    Parameters
    ----------
    folder : Path
        The folder to make.
    model : HyenaLM
        The model, on any device.
    tokenizer : Tokenizer
        Its tokenizer.
    force : bool
        Whether to replace a folder that exists.

    Raises
    ------
    CheckpointError
        If the tokenizer does not fit the model, or weights are not finite.
    DataError
        If the folder exists and `force` is false, or cannot be written.
    """
    config = model.config
    _check_tokenizer(tokenizer, config, folder)
    tensors = {}
    for name, tensor in to_published(model.state_dict(), config).items():
        # A copy each: the format refuses tensors that share memory, as a tied head does.
        tensors[name] = tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not bool(tensors[name].isfinite().all()):
            raise CheckpointError("the model has weights that are not finite numbers", where=name,
                                  hint="training diverged: use a lower learning rate")
    content = {**to_config_json(config), "lingome": {"version": __version__, "kind": "hyena_lm"}}
    with atomic_folder(folder, force=force) as temporary:
        (temporary / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        # Through bytes, because the library's own writer hides a full disk behind another kind of error.
        (temporary / "model.safetensors").write_bytes(safetensors.torch.save(tensors, metadata={"format": "pt"}))
        tokenizer.save(temporary)
        (temporary / "README.md").write_text(_card(model, tokenizer), encoding="utf-8")


def load_hyena_lm(folder: Path) -> tuple[HyenaLM, Tokenizer]:
    """Load a model and its tokenizer, on the CPU, in float32, in evaluation mode.

    A published folder has no ``tokenizer.json``; its letters are those of
    ``CharacterTokenizer(layout="hyenadna")``.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, holds another kind of model, or its parts do not fit.
    """
    config = _read_config(folder)
    tokenizer: Tokenizer = CharacterTokenizer(layout="hyenadna")
    if (folder / "tokenizer.json").is_file():
        tokenizer = load_tokenizer(folder)
    _check_tokenizer(tokenizer, config, folder)
    file = folder / "model.safetensors"
    if not file.is_file():
        raise CheckpointError("the weights are missing", where=file,
                              hint="pickled weights (.ckpt, .bin) are never read")
    try:
        tensors = dict(safetensors.torch.load_file(file))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError("the weights cannot be read: the file is damaged or cut short", where=file,
                              got=error) from error
    with torch.device("meta"):
        model = HyenaLM(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    model.load_state_dict(from_published(tensors, shapes, config, file), strict=True, assign=True)
    model.tie()
    model.requires_grad_(True)
    model.eval()
    return model, tokenizer


def _read_config(folder: Path) -> HyenaConfig:
    file = folder / "config.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("config.json cannot be read", where=file, got=error,
                              expected="a folder with config.json and model.safetensors") from error
    if not isinstance(content, dict):
        raise CheckpointError("config.json holds names and values", where=file, got=type(content).__name__)
    return from_config_json(content, file)


def _check_tokenizer(tokenizer: Tokenizer, config: HyenaConfig, folder: Path) -> None:
    if tokenizer.vocab_size != config.vocab_size:
        raise CheckpointError(
            "the tokenizer does not fit the model", where=folder, got=f"a tokenizer with {tokenizer.vocab_size} tokens",
            expected=f"{config.vocab_size}, the model's vocabulary", hint="use the tokenizer of its training",
        )


def _card(model: HyenaLM, tokenizer: Tokenizer) -> str:
    config, learned = model.config, sum(parameter.numel() for parameter in model.parameters())
    return (
        "---\nlicense: apache-2.0\nlibrary_name: lingome\npipeline_tag: text-generation\n"
        "tags:\n- biology\n- dna\n- lingome\n---\n\n"
        "# A language model of DNA\n\n"
        f"HyenaDNA (Nguyen et al. 2023, arXiv:2306.15794): {config.n_layers} blocks of {config.hidden_size}, "
        f"feed-forward {config.ffn_size}, filters of up to {config.max_positions} tokens; each token sees those "
        f"before it. {learned:,} parameters; {tokenizer.kind} tokenizer with {config.vocab_size} tokens. The file also "
        "holds tables that are computed from the shape.\n\n"
        "```python\nfrom pathlib import Path\n\nfrom lingome.models.hyena_folder import load_hyena_lm\n\n"
        'model, tokenizer = load_hyena_lm(Path("this-folder"))\n```\n\n'
        "For research; it gives no medical advice.\n"
    )
