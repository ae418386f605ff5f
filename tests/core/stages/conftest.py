"""A workspace of the tiny run, for tests of single stages."""

from collections.abc import Callable

import pytest

from core import recipes
from core.config import RunConfig
from core.runs.journal import Journal
from core.runs.store import RunDir
from core.stages.workspace import Workspace, prepare


@pytest.fixture
def open_work(tiny_config: RunConfig) -> Callable[..., Workspace]:
    """Makes a workspace of the tiny config with some fields changed; given a run, opens that run again."""

    def make(run: RunDir | None = None, **changes: object) -> Workspace:
        if run is None:
            dotted = {name.replace("__", "."): value for name, value in changes.items()}
            config = recipes.parse(tiny_config.model_dump(mode="json"), {"compute.precision": "fp32"} | dotted)
            run = RunDir.create(config)
        return prepare(run, Journal(run))

    return make
