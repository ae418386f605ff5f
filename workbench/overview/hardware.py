"""What the machine has and how busy it is: processors, memory, disk, and GPUs as `nvidia-smi` tells, without torch."""

import csv
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

_FIELDS = "name,utilization.gpu,memory.used,memory.total"


@dataclass(frozen=True)
class Gpu:
    """One GPU: name, share of the time it was busy (0 to 1, None if unknown), and memory in bytes."""

    name: str
    busy: float | None
    memory_used: int
    memory: int


@dataclass(frozen=True)
class Machine:
    """Cores and their load (1: all busy), memory and disk in bytes, GPUs."""

    cores: int
    load: float
    memory: int
    memory_free: int
    disk: int
    disk_free: int
    gpus: tuple[Gpu, ...]


def machine(folder: Path) -> Machine:
    """The machine now.

    Args:
        folder: A folder whose disk counts; it need not be there yet.
    """
    while not folder.exists():
        folder = folder.parent
    memory, disk, cores = psutil.virtual_memory(), shutil.disk_usage(folder), os.cpu_count() or 1
    load = psutil.getloadavg()[0] / cores
    return Machine(cores, load, memory.total, memory.available, disk.total, disk.free, gpus())


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that `nvidia-smi` lists; none where there is no such program, or it does not answer in two seconds."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=2)
        return tuple(_gpu(fields) for fields in csv.reader(done.stdout.splitlines(), skipinitialspace=True) if fields)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


def _gpu(fields: list[str]) -> Gpu:
    name, busy, used, memory = fields
    share = float(busy) / 100 if busy.replace(".", "").isdigit() else None
    return Gpu(name, share, int(float(used) * 2**20), int(float(memory) * 2**20))
