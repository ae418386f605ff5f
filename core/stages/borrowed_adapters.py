"""Adapters of another run in place of stage 2: one set of adapters serves the runs of every table, as in the paper."""

from pathlib import Path
from typing import Any

from core.config import ADAPTERS
from core.encoder.adapter_set import AdapterError
from core.encoder.backbones import weights_digest
from core.runs.store import RunDir
from core.stages.sampling import adapter_source
from core.stages.workspace import Workspace


def take_adapter(work: Workspace, role: str) -> None:
    """Copy the adapter `role` of the config's `adapters.from_run` into this run and load it, once.

    Raises:
        AdapterError: If that run has no such adapter, or trained it on another backbone.
        RunError: If there is no such run.
    """
    if work.is_done(role):
        work.adapters.load(role, work.run.checkpoint_dir(role))
    else:
        source = adapter_source(work.config)
        assert source is not None  # asked for only where the config names one
        folder = source.checkpoint_dir(role)
        _check(work, source, role, folder)
        work.adapters.load(role, folder)
        facts: dict[str, Any] = {"from_run": source.name, "sha256": weights_digest(folder)}
        facts["parameters"] = work.adapters.budget(role)
        work.keep(role, lambda room: work.adapters.save(role, room), facts)
    work.journal.finish(role)


def _check(work: Workspace, source: RunDir, role: str, folder: Path) -> None:
    if not source.is_done(role):
        have = [r for r in ADAPTERS if source.is_done(r)]
        raise AdapterError(
            f"adapters.from_run: {source.name} has no adapter {role!r} in {folder.parent}. It has: "
            f"{', '.join(have) or 'none'}. Set adapters.{role} to null, or train it there."
        )
    theirs = source.provenance().get("data", {}).get("backbone", {})
    if theirs.get("sha256") != work.backbone.digest:
        raise AdapterError(
            f"adapters.from_run: {source.name} trained its adapters on {theirs.get('name', 'an unknown backbone')}, "
            f"not on {work.backbone.title}. Take a run with this backbone, or set backbone.source to that one's."
        )
