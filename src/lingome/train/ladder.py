"""A ladder: small models of several sizes, each trained to several lengths, each with a schedule of its own.

No run is cut out of a longer one: the cosine ends with each run's own tokens, as intermediate points of a longer
run have a rate that is still high, and a loss that is too (Hoffmann et al. 2022, arXiv:2203.15556, appendix B).
One size at one length, the middle ones, is trained with several seeds, to know how far chance alone moves a loss.

N is counted twice, because the laws do: Kaplan's leaves out embeddings (Kaplan et al. 2020, arXiv:2001.08361,
2.1), Chinchilla's table counts everything. In small models the difference is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lingome.config.ladder import SIZE, LadderSettings
from lingome.config.pretrain import PretrainSettings
from lingome.models.heads import MaskedLM
from lingome.models.presets import count_parameters
from lingome.train.pretraining import Pretrained

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
    size, tokens = ladder.sizes[(len(ladder.sizes) - 1) // 2], sorted(ladder.tokens)[(len(ladder.tokens) - 1) // 2]
    return rungs + [Rung(size, tokens, seed + more) for more in range(1, ladder.seeds)]


def rung_settings(settings: PretrainSettings, rung: Rung, tokenizer: Path, out: Path) -> PretrainSettings:
    """Give the settings of one run, with which it could be made on its own.

    Its rate is that of a width of 256 times (256 / width) ** lr_power: narrower models bear a higher one.
    """
    train, found = settings.train, SIZE.fullmatch(rung.size)
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
