"""A ladder: small models of several sizes, each trained to several lengths, each with a schedule of its own.

No run is cut out of a longer one: the cosine ends with each run's own tokens, as intermediate points of a longer
run have a rate that is still high, and a loss that is too (Hoffmann et al. 2022, arXiv:2203.15556, appendix B).
One size at one length, the middle ones, is trained with several seeds, to know how far chance alone moves a loss.

N is counted twice, because the laws do: Kaplan's leaves out embeddings (Kaplan et al. 2020, arXiv:2001.08361,
2.1), Chinchilla's table counts everything. In small models the difference is large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lingome.config.ladder import SIZE, LadderSettings
from lingome.config.pretrain import PretrainSettings
from lingome.core.lineage import Lineage
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.data.repeats import Repeats
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.presets import count_parameters
from lingome.tokens.store import TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.pretraining.areas import Areas
from lingome.train.pretraining.pretraining import (
    Pretrained,
    ReadTokens,
    language_columns,
    language_rows,
    pretrain_model,
)
from lingome.train.pretraining.start import ASIDE, Pretrainable, add_origins, build_card, build_objective, start_model
from lingome.train.state import StateStore, sweep

Row = dict[str, Any]

REFERENCE_WIDTH = 256
"""At this width, that of the preset `mini`, the rate is the one that settings give."""


@dataclass(frozen=True)
class Rung:
    """One run of a ladder: a size (width times layers), so many tokens, a seed."""

    size: str
    tokens: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.size}-{self.tokens}-seed{self.seed}"


@dataclass(frozen=True)
class Ground:
    """What all runs of a ladder share; `read` remembers the tokens of an area."""

    genome: Genome | TokenStore
    areas: Areas
    repeats: Repeats | None
    tokenizer: Tokenizer
    trained_tokenizer: bool
    read: ReadTokens


def list_rungs(ladder: LadderSettings, seed: int) -> list[Rung]:
    """List the runs: every size at every length, then the middle ones again with the next seeds.

    Examples
    --------
    >>> ladder = LadderSettings(sizes=("32x1", "64x1", "64x2"), tokens=(100, 200, 400), seeds=2)
    >>> rungs = list_rungs(ladder, seed=5)
    >>> len(rungs), rungs[0].name, rungs[-1].name
    (10, '32x1-100-seed5', '64x1-200-seed6')
    """
    rungs = [Rung(size, tokens, seed) for tokens in ladder.tokens for size in ladder.sizes]
    size = ladder.sizes[(len(ladder.sizes) - 1) // 2]
    tokens = sorted(ladder.tokens)[(len(ladder.tokens) - 1) // 2]
    return rungs + [Rung(size, tokens, seed + more) for more in range(1, ladder.seeds)]


def rung_settings(settings: PretrainSettings, rung: Rung, tokenizer: Path, out: Path) -> PretrainSettings:
    """Give the settings of one run, with which it could be made on its own.

    Its rate is that of a width of 256 times (256 / width) ** lr_power: narrower models bear a higher one.
    """
    train = settings.train
    found = SIZE.fullmatch(rung.size)
    assert found is not None, "settings hold sizes alone"
    steps = max(1, round(rung.tokens / (train.batch_tokens * train.accumulate)))
    rate = train.lr * (REFERENCE_WIDTH / int(found[1])) ** settings.ladder.lr_power
    own = {"max_steps": steps, "epochs": None, "eval_every": None, "lr": float(f"{rate:.4g}")}
    return settings.replace(
        ladder=LadderSettings(), preset=rung.size, tokenizer=tokenizer, out=out, seed=rung.seed, force=False,
        resume=False, merges=PretrainSettings.model_fields["merges"].default, train={**train.model_dump(), **own},
    )


def count_without_embeddings(model: nn.Module) -> int:
    """Count parameters without tables of tokens and positions, and without the matrix that gives the scores.

    Of a model of `lingome pretrain`: one with a `head`, whose last layer scores the vocabulary.
    """
    output = model.get_submodule("head.decoder" if isinstance(model, MaskedLM) else "head")
    left_out = [module for module in model.modules() if isinstance(module, nn.Embedding) or module is output]
    tables = {id(one): one.numel() for module in left_out for one in module.parameters()}
    return count_parameters(model) - sum(tables.values())


def rung_row(rung: Rung, model: nn.Module, done: Pretrained) -> dict[str, Any]:
    """Give a run's line of the table ``ladder``: sizes, tokens, and losses at the start and at the end."""
    return {
        "name": rung.name, "size": rung.size, "tokens_wanted": rung.tokens, "seed": rung.seed,
        "parameters": count_parameters(model), "parameters_without_embeddings": count_without_embeddings(model),
        "tokens": done.result.tokens, "steps": done.result.steps, **done.after, "loss_at_start": done.before["loss"],
        "time_s": round(done.result.seconds, 3),
    }


def is_done(out: Path, rung: Rung) -> bool:
    """Say whether a run of the ladder in `out` is complete."""
    return (out / "rungs" / rung.name / "run.json").is_file()


def climb(
    settings: PretrainSettings, rung: Rung, ground: Ground, baselines: Callable[[Pretrained], list[Row]]
) -> Row:
    """Make one run, or go on with it, or read what it came to: a run directory in ``rungs/`` of the ladder's.

    Parameters
    ----------
    settings : PretrainSettings
        The ladder's.
    rung : Rung
        Which run.
    ground : Ground
        What all runs share.
    baselines : callable
        Measures what is no network; called for the first run of the ladder alone.

    Returns
    -------
    dict
        ``row`` of the table ``ladder``, ``baselines``, and ``train_tokens`` of the training area.

    Raises
    ------
    ConfigError
        If the run was begun with other settings.
    """
    folder = settings.out / "rungs" / rung.name
    again = f"lingome pretrain -o {settings.out} --resume"
    own = rung_settings(settings, rung, settings.out / "tokenizer", folder)
    begun = (folder / "config.yaml").is_file()
    if begun:
        RunDir(folder).check_resumable(
            own.as_dict(), aside={*ASIDE, "tokenizer"}, command=again, defaults=own.defaults()
        )
    if is_done(settings.out, rung):
        return dict(RunDir(folder).read_lineage()["ladder"])
    lineage = Lineage("pretrain", rung.seed)
    tokenizer = ground.tokenizer
    with RunDir.create(folder, resume=begun) as run_dir:
        sweep(run_dir.path)
        run_dir.write_config(own.as_dict())
        add_origins(lineage, own.genome, ground.genome, None, None)
        objective = build_objective(own, tokenizer)
        card = build_card(own, ground.areas, objective)
        model = start_model(own, None, tokenizer.vocab_size)

        def publish(trained: nn.Module) -> None:
            assert isinstance(trained, Pretrainable), "the loop gives back the model it was given"
            save_checkpoint(run_dir.checkpoint_path, trained, tokenizer, card, force=True)

        done = pretrain_model(
            ground.genome, tokenizer, model.to(pick_device(own.device)), ground.areas, own.train, seed=rung.seed,
            run=run_dir, objective=objective, min_tokens=own.min_tokens, max_tokens=own.max_tokens,
            fixed_share=own.fixed_share, validation_windows=own.validation_windows,
            mixed_lengths=own.lengths == "mixed", repeats=ground.repeats, repeat_weight=own.repeat_weight,
            resume=begun, publish=publish, resume_command=again, label=rung.name, validation_seed=settings.seed,
            read=ground.read,
        )
        add_seen(lineage, ground)
        rows = language_rows(done)
        run_dir.write_table("language", rows, language_columns(rows))
        first = rung == list_rungs(settings.ladder, settings.seed)[0]
        record = {"row": rung_row(rung, model, done), "train_tokens": done.train_tokens,
                  "baselines": baselines(done) if first else []}
        run_dir.write_lineage(lineage.as_dict(title="A run of a ladder", ladder=record))
        StateStore(run_dir.path / "state").discard()
    return record


def add_seen(lineage: Lineage, ground: Ground) -> None:
    """Record what the vocabulary and the runs learn from, and are measured on."""
    areas = ground.areas
    for by, parts in ((("tokenizer", areas.train),) if ground.trained_tokenizer else ()) + (
        ("pretrain", areas.train), ("pretrain validation", areas.valid),
    ):
        lineage.add_seen(by, ground.genome.digest, [(part.chrom, part.start, part.end) for part in parts])
