"""Where a model runs, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from lingome.core.errors import ConfigError
from lingome.core.processes import local_rank

# oneDNN keeps compiled kernels of the last 1,024 shapes, and torch what oneDNN prepared for as many matrix
# products, working memory included: gigabytes, where lengths and masks vary from step to step. Few shapes are ever
# met again; fewer kept cost no speed and bound the memory. Both are read at the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
os.environ.setdefault("LRU_CACHE_CAPACITY", "32")

Precision = Literal["auto", "fp32", "bf16"]


def pick_device(name: str = "auto") -> torch.device:
    """Choose a device.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``: CUDA if there is one, then Apple's, then the CPU.

    Raises
    ------
    ConfigError
        If there is no such device on this machine.
    """
    here = ["cpu"]
    here += [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    mine = f"cuda:{local_rank()}"  # of the processes that torchrun starts on a machine, each has its own
    if name == "auto" and "cuda:0" not in here:
        return torch.device(here[-1])
    found = mine if name in ("auto", "cuda") else name
    if found not in here:
        raise ConfigError("this machine has no such device", where="device", got=name,
                          expected=f"auto, {', '.join(here)}", hint="leave --device out to take the best one")
    return torch.device(found)


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether bfloat16 matrix products run in hardware: AVX-512 BF16 or AMX on CPUs, from Ampere on CUDA."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # oneDNN also emulates bf16 on plain AVX-512, slower than fp32: ask for the instructions themselves.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def pick_precision(device: torch.device, precision: Precision = "auto") -> Literal["fp32", "bf16"]:
    """Resolve ``auto`` to bf16 where the device is fast in it, else fp32."""
    if precision == "auto":
        return "bf16" if has_fast_bf16(device) else "fp32"
    return precision


def autocast(device: torch.device, precision: Precision = "auto") -> AbstractContextManager[object]:
    """Give a context in which matrix products run in `precision`; weights stay float32.

    Raises
    ------
    ConfigError
        If `precision` is none of auto, fp32, bf16.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise ConfigError("there is no such precision", where="precision", got=precision, expected="auto, fp32, bf16")
    if pick_precision(device, precision) == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
