"""Say what this machine has, and whether lingome works on it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import torch

from lingome.config.doctor import DoctorSettings
from lingome.core.files import atomic_file, check_new_file
from lingome.core.lineage import versions
from lingome.core.outcome import Outcome, Plan, Table
from lingome.models.devices import has_fast_bf16, pick_device
from lingome.models.presets import build_masked_lm, count_parameters


def plan(settings: DoctorSettings) -> Plan:
    """Say what would be looked at."""
    _check(settings)
    return Plan("doctor", [
        ("looks at", "versions, device, data folders, one training step of a small model"),
        ("output", str(settings.out or "standard output")),
    ])


def run(settings: DoctorSettings) -> Outcome:
    """Look, train a small model for a few steps, and give the findings as a table."""
    _check(settings)
    rows = [*_machine(), *_packages(), *_data(), *_model(settings)]
    table = Table("doctor", ("what", "found", "verdict"), rows)
    if settings.out is not None:
        with atomic_file(settings.out, force=settings.force) as temporary:
            temporary.write_text("\n".join("\t".join(row) for row in [table.columns, *rows]) + "\n", encoding="utf-8")
    bad = [row[0] for row in rows if row[2] == "fails"]
    message = f"needs attention: {', '.join(bad)}" if bad else "lingome works here; next: lingome demo"
    return Outcome(message, tables=[table], path=settings.out)


def _check(settings: DoctorSettings) -> None:
    pick_device(settings.device)
    if settings.out is not None:
        check_new_file(settings.out, settings.force)


def _machine() -> list[tuple[str, str, str]]:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9 if hasattr(os, "sysconf") else 0.0
    return [
        ("system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores", "ok"),
        ("memory", f"{memory_gb:.1f} GB", "ok" if memory_gb >= 3.5 else "tight: the demo needs 4 GB"),
    ]


def _packages() -> list[tuple[str, str, str]]:
    return [(name, version, "ok") for name, version in versions().items()]


def _data() -> list[tuple[str, str, str]]:
    rows = []
    for name, default in (("LINGOME_DATA", ""), ("LINGOME_CACHE", "~/.cache/lingome")):
        value = os.environ.get(name, default)
        there = bool(value) and Path(value).expanduser().is_dir()
        rows.append((f"data: ${name}", value or "not set", "ok" if there else "absent (not needed)"))
    offline = any(os.environ.get(name) == "1" for name in ("LINGOME_OFFLINE", "HF_HUB_OFFLINE"))
    network = "offline was asked for" if offline else "used by `lingome data fetch` and the demo only"
    rows.append(("network", network, "ok"))
    return rows


def _model(settings: DoctorSettings) -> list[tuple[str, str, str]]:
    device = pick_device(settings.device)
    bf16 = has_fast_bf16(device)
    model = build_masked_lm("tiny", vocab_size=609, seed=settings.seed).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    input_ids = torch.randint(5, 609, (8, 64), generator=torch.Generator().manual_seed(settings.seed)).to(device)
    masked = torch.zeros(8, 64, dtype=torch.bool, device=device)
    masked[:, ::7] = True
    losses = []
    started = time.monotonic()
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(input_ids, None, masked), input_ids[masked])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    seconds = time.monotonic() - started
    learns = losses[-1] < losses[0] - 0.1
    return [
        ("device", f"{device} ({torch.get_num_threads()} threads)", "ok"),
        ("bf16", "fast here, used for training" if bf16 else "slow here, fp32 is used", "ok"),
        (
            "a small model",
            f"{count_parameters(model):,} parameters, loss {losses[0]:.2f} to {losses[-1]:.2f} in {seconds:.1f} s",
            "ok" if learns else "fails",
        ),
    ]
