"""What pre-training will take, measured on the very model and the windows that settings ask for."""

from __future__ import annotations

from lingome.config.pretrain import PretrainSettings
from lingome.data.areas import Areas
from lingome.data.genome import Genome
from lingome.models.devices import pick_device
from lingome.tokens.store import TokenStore
from lingome.train.cost import Cost, Load, estimate_training
from lingome.train.objectives import LanguageObjective
from lingome.train.pretraining.corpus import WindowSettings
from lingome.train.pretraining.kinds import Pretrainable

DATA_BYTES = 2.0
"""Bytes per base of a FASTA that is read, encoded and kept."""


def estimate_pretraining(
    settings: PretrainSettings, model: Pretrainable, objective: LanguageObjective, genome: Genome | TokenStore,
    areas: Areas,
) -> Cost:
    """Estimate what a run will take, by a few steps on its device; the model is trained by them.

    Parameters
    ----------
    settings : PretrainSettings
        Windows, batches, precision and device.
    model : MaskedLM, CausalLM or EncoderDecoderLM
        With its true vocabulary; not needed any more.
    objective : LanguageObjective
        Its tokenizer may know fewer tokens than the model.
    genome : Genome or TokenStore
        A store's tokens stay on disk.
    areas : Areas
        What is learnt from is held in memory; what progress is measured on takes time.
    """
    load = training_load(settings, model.config.max_positions, genome, areas)
    return estimate_training(model.to(pick_device(settings.device)), objective, settings.train, load)


def training_load(
    settings: PretrainSettings, max_positions: int, genome: Genome | TokenStore, areas: Areas
) -> Load:
    """Say how large the steps are that settings ask for.

    Parameters
    ----------
    settings : PretrainSettings
        Lengths of windows, and how many of them measure progress.
    max_positions : int
        Tokens that the model reads at most, [CLS] and [SEP] among them.
    genome : Genome or TokenStore
        A store's tokens stay on disk.
    areas : Areas
        What is learnt from, and what progress is measured on.
    """
    windows = WindowSettings.of(settings)
    longest = windows.longest(max_positions)
    learnt = sum(part.length_bp for part in areas.train)
    return Load(
        longest + 2, windows.mean(max_positions) + 2,
        windows.validation_windows * (longest + 2) if areas.valid else 0,
        0 if isinstance(genome, TokenStore) else DATA_BYTES * learnt,
    )
