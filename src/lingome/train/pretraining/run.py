"""One pre-training in a run directory: what the command does, and each model of a ladder."""

from __future__ import annotations

from torch import nn

from lingome.config.pretrain import PretrainSettings
from lingome.core.rundir import RunDir
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.train.checkpointing import Checkpointing
from lingome.train.pretraining.corpus import Corpus, WindowSettings
from lingome.train.pretraining.kinds import Pretrainable, build_objective
from lingome.train.pretraining.model import Pretrained, pretrain_model
from lingome.train.pretraining.record import build_card
from lingome.train.state import remove_leftovers


def pretrain_run(
    settings: PretrainSettings, corpus: Corpus, model: Pretrainable, run_dir: RunDir, *, resume: bool,
    resume_command: str, label: str = "pre-training", validation_seed: int | None = None,
) -> Pretrained:
    """Pre-train a model as settings say, with its checkpoint, metrics and state in a run directory.

    Parameters
    ----------
    settings : PretrainSettings
        Objective, windows, length, device.
    corpus : Corpus
        What is read.
    model : MaskedLM, CausalLM or EncoderDecoderLM
        As `start_model` gives it; trained in place.
    run_dir : RunDir
        Gets ``checkpoint/``, ``metrics.jsonl`` and ``state/``.
    resume : bool
        Continue from the state, if there is one.
    resume_command : str
        What a person types to go on after an interruption.
    label : str
        What the progress bar says.
    validation_seed : int, optional
        Decides the masks of validation; by default the seed of the run.

    Raises
    ------
    DataError
        If an area is too short for a window, or the loss stops being finite.
    """
    objective = build_objective(settings, corpus.tokenizer)
    card = build_card(settings, corpus.areas, objective)

    def publish(trained: nn.Module) -> None:
        assert isinstance(trained, Pretrainable), "the loop gives back the model it was given"
        save_checkpoint(run_dir.checkpoint_path, trained, corpus.tokenizer, card, force=True)

    remove_leftovers(run_dir.path)
    return pretrain_model(
        model.to(pick_device(settings.device)), corpus, settings.train, seed=settings.seed, objective=objective,
        windows=WindowSettings.of(settings, validation_seed), label=label,
        saving=Checkpointing(run_dir, resume=resume, publish=publish, resume_command=resume_command),
    )
