"""One pre-training in a run directory: what the command does, and each model of a ladder."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from lingome.config.pretrain import PretrainSettings
from lingome.core.lineage import Lineage
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.tokens.load import load_tokenizer
from lingome.train.checkpointing import Checkpointing
from lingome.train.pretraining.corpus import Corpus, WindowSettings
from lingome.train.pretraining.inputs import open_genome, open_repeats
from lingome.train.pretraining.kinds import Pretrainable, build_objective
from lingome.train.pretraining.model import Pretrained, pretrain_model
from lingome.train.pretraining.record import add_origins, build_card
from lingome.train.pretraining.start import given_tokenizer, start_model, train_tokenizer
from lingome.train.state import remove_leftovers


class Beginning(NamedTuple):
    """What a run reads, and the model that it trains."""

    corpus: Corpus
    model: Pretrainable


def begin_run(settings: PretrainSettings, run_dir: RunDir, lineage: Lineage) -> Beginning:
    """Open all inputs, train or load the tokenizer, and give what to read and the model to train.

    A tokenizer that is trained here is kept in the state of the run, for when it is resumed.

    Raises
    ------
    ConfigError
        If settings or inputs do not fit together.
    DataError
        If an input cannot be read, or nothing is left to train on.
    """
    genome, areas = open_genome(settings)
    repeats = open_repeats(settings, genome, lineage)
    add_origins(lineage, settings, genome, settings.tokenizer)
    given = given_tokenizer(genome, settings)
    if given is None:
        kept = run_dir.path / "state" / "tokenizer"
        if not kept.exists():
            train_tokenizer(settings, genome, areas, kept)
        given = load_tokenizer(kept), None
        trained = True
    else:
        trained = False
        if settings.merges != type(settings).model_fields["merges"].default:
            say(f"merges={settings.merges} is not used: the tokenizer is given, {given[0].vocab_size} tokens")
    tokenizer, loaded = given
    corpus = Corpus(genome, tokenizer, areas, repeats, settings.repeat_weight, trained_tokenizer=trained)
    return Beginning(corpus, start_model(settings, loaded, tokenizer.vocab_size))


def pretrain_run(
    settings: PretrainSettings, corpus: Corpus, model: Pretrainable, run_dir: RunDir, *, resume: bool = False,
    resume_command: str = "", label: str = "pre-training", validation_seed: int | None = None,
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
