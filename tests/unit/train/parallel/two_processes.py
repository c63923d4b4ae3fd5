"""What each of two processes does in `test_distributed`: several trainings, and a report of each in JSON."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import LingomeError
from lingome.core.processes import process_rank
from lingome.core.rundir import RunDir
from lingome.models.presets import build_masked_lm, find_config
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import train
from lingome.train.objectives import MaskedObjective
from lingome.train.objectives.contrastive import ContrastiveObjective
from lingome.train.state import copy_weights

TOKENIZER = CharacterTokenizer()
CONFIG = replace(find_config("nano", TOKENIZER.vocab_size), dropout=0.1, n_layers=2)


class Letters:
    """Random ids in batches of eight rows, of another length each time."""

    batches_per_epoch = 24

    def batch(self, epoch, index):
        rng = np.random.default_rng((epoch, index))
        return {"input_ids": rng.integers(5, TOKENIZER.vocab_size, (8, 12 + index % 5))}


@dataclass(frozen=True)
class Troubled(MaskedObjective):
    """Masked letters, and at a given call of one process something that goes wrong."""

    trouble: str = ""
    at: int = 0
    rank: int = 1
    calls: list = None

    def loss(self, model, batch, rng):
        self.calls.append(1)
        now = process_rank() == self.rank and len(self.calls) == self.at
        if self.trouble == "memory" and process_rank() == self.rank and batch["input_ids"].size > 64:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if now and self.trouble == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        if now and self.trouble == "death":
            os._exit(9)
        result = super().loss(model, batch, rng)
        return result._replace(total=result.total * float("nan")) if now and self.trouble == "nan" else result


def settings(**changes):
    values = {"max_steps": 8, "lr": 0.02, "accumulate": 4, "log_every": 1, "eval_every": 2, "precision": "fp32"}
    return TrainSettings(**{**values, **changes})


def measure(model):
    with torch.no_grad():
        rng = np.random.default_rng(7)
        loss = MaskedObjective(TOKENIZER).loss(model, {"input_ids": rng.integers(5, 9, (4, 16))}, rng)
        return {"loss": float(loss.total) / loss.items}


def fit(path, *, trouble="", at=0, rank=1, resume=False, seed=3, config=CONFIG, views="", **changes):
    """Train in a run at `path`, on views if some are named; gives a digest of the weights, or what went wrong."""
    path.joinpath("tables").mkdir(parents=True, exist_ok=True)
    model = build_masked_lm(config, seed=5)
    objective = Troubled(TOKENIZER, trouble=trouble, at=at, rank=rank, calls=[])
    if views:
        objective = ContrastiveObjective(TOKENIZER, views)
    published = []
    try:
        result = train(
            model, objective, Letters(), settings(**changes), phase=Phase(seed=seed), evaluate=measure,
            saving=Checkpointing(
                RunDir(path), resume=resume, identity={"genome": "abc"},
                publish=lambda trained: published.append(len(copy_weights(trained))),
            ),
        )
    except LingomeError as error:
        return {"error": type(error).__name__, "text": str(error), "code": error.exit_code}
    weights = b"".join(tensor.numpy().tobytes() for tensor in copy_weights(model).values())
    return {"steps": result.steps, "weights": hashlib.sha256(weights).hexdigest(), "published": len(published)}


def main(folder):
    rank = process_rank()
    mine = folder if rank == 0 else folder / "of-process-1"
    found = {
        "ddp": fit(mine / "ddp"),
        "fsdp": fit(mine / "fsdp", parallel="fsdp"),
        "fsdp stopped": fit(mine / "fsdp-stopped", parallel="fsdp", trouble="signal", at=9),
        "ddp stopped": fit(mine / "ddp-stopped", trouble="signal", at=9),
        "views": fit(mine / "views", views="crops", max_steps=4),
        "views fsdp": fit(mine / "views-fsdp", views="dropout", max_steps=4, parallel="fsdp"),
        "ddp from one": fit(mine / "one-to-ddp", resume=True),
        "fsdp from one": fit(mine / "one-to-fsdp", resume=True, parallel="fsdp"),
        "seeds": fit(mine / "seeds", seed=rank),
        "settings": fit(mine / "settings", lr=0.1 + rank),
        "shapes": fit(mine / "shapes", config=replace(CONFIG, n_layers=1 + rank)),
        "nan": fit(mine / "nan", trouble="nan", at=5, save_every=1),
        "memory": fit(mine / "memory", trouble="memory"),
        "uneven": fit(mine / "uneven", accumulate=3),
        "apart": fit(mine / "apart", parallel="none"),
    }
    (folder / f"process-{rank}.json").write_text(json.dumps(found))
    found["death"] = fit(mine / "death", trouble="death", at=5, save_every=1)
    (folder / f"process-{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
