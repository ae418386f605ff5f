"""The import rules of ARCHITECTURE.md, on the syntax trees, and what the light modules bring in, in a fresh process."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Package or module of core -> what else of core it may import. Itself, `languages`, `catalog`, `folders` all may.
ALLOWED = {
    "task_config": set(),
    "config": {"task_config"},
    "recipes": {"config", "task_config"},
    "languages": set(),
    "catalog": set(),
    "folders": set(),
    "objectives": set(),
    "corpora": set(),
    "evaluation": set(),
    "reference": {"config", "recipes", "evaluation.metrics", "evaluation.protocols"},
    "encoder": {"corpora.records"},
    "tasks": {"corpora", "encoder", "objectives", "evaluation"},
    "baselines": {"corpora", "objectives", "evaluation", "stages.loop"},
    "runs": {"config", "recipes", "task_config", "evaluation"},
    "stages": {"runs", "config", "task_config", "corpora", "encoder", "objectives", "tasks", "evaluation"},
    "probing": {"runs", "config", "task_config", "corpora", "encoder", "tasks", "evaluation", "stages"},
    "execution.worker": {"config", "recipes", "runs", "stages"},
    "execution.launcher": {"config", "recipes", "runs"},
    "execution.queue": {"config", "recipes", "runs"},
    "execution.budget": {"config"},
    "execution.estimate": {"config", "task_config", "runs"},
    "execution.slurm": {"config", "recipes", "runs"},
    "execution.preflight": {"config", "task_config", "corpora", "runs"},
}
LIGHT = (
    *("core.config", "core.recipes", "core.catalog", "core.languages", "core.evaluation.metrics"),
    *("core.evaluation.protocols", "core.evaluation.audit", "core.evaluation.fusion_map", "core.reference.comparison"),
    *("core.runs.store", "core.runs.tables", "core.runs.kept", "core.execution.launcher"),
    *("core.execution.preflight", "core.execution.queue", "core.execution.estimate", "workbench.cli"),
)
HEAVY_LIBRARIES = {"torch", "transformers", "adapters", "tokenizers", "safetensors"}
# Files of the app that may import heavy modules, inside a function (commands/ is a part of cli.py).
MAY_BE_HEAVY_INSIDE = {
    *("workbench.loaders", "workbench.model_loaders", "workbench.cli", "workbench.commands.backbone"),
    *("workbench.commands.probe",),
    *("workbench.commands.evaluate", "workbench.commands.knowledge"),
    *("workbench.commands.space",),
}


def name_of(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    return (ROOT / f"{name.replace('.', '/')}.py").is_file() or (ROOT / name.replace(".", "/")).is_dir()


def imports(file: Path) -> list[tuple[str, bool, bool]]:
    """(module, whether inside a function, whether for the type checker only) of every import of a file."""
    found = []

    def visit(node: ast.AST, inside: bool, typing_only: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, inside, typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((whole if is_module(whole) else node.module, inside, typing_only))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.iter_child_nodes(node):
            visit(child, inside, typing_only or guard)

    visit(ast.parse(file.read_text(encoding="utf-8")), False, False)
    return found


def files_of(package: str) -> dict[str, Path]:
    return {name_of(file): file for file in sorted((ROOT / package).rglob("*.py"))}


def top(module: str) -> str:
    return module.split(".")[0]


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(f"{allowed}.")


CORE, WORKBENCH, PAGES = (files_of(package) for package in ("core", "workbench", "pages"))


def test_the_walk_sees_imports() -> None:
    assert len(CORE) > 35
    assert {"workbench.cli", "workbench.terminal"} <= set(WORKBENCH)
    assert ("core.config", False, False) in imports(CORE["core.runs.store"])
    assert ("core.stages.loop", True, False) in imports(CORE["core.execution.worker"])
    assert ("transformers", False, True) in imports(CORE["core.corpora.records"])
    assert ("core.recipes", False, False) in imports(CORE["core.runs.store"])  # `from core import recipes`
    assert sum(top(module) == "core" for file in CORE.values() for module, *_ in imports(file)) > 80


@pytest.mark.parametrize("name", list(CORE))
def test_core_imports_what_its_package_may(name: str) -> None:
    used = [module for module, *_ in imports(CORE[name])]
    assert not {top(m) for m in used} & {"streamlit", "workbench", "pages"}
    if CORE[name].name == "__init__.py":
        assert used == []  # it holds a docstring only
        return
    own = name.removeprefix("core.")
    rules = [package for package in ALLOWED if within(own, package)]
    assert len(rules) == 1, f"{name} is in no package of ARCHITECTURE.md"
    allowed = ALLOWED[rules[0]] | {"languages", "catalog", "folders", own.split(".")[0]}
    for module in used:
        if top(module) == "core":
            target = module.removeprefix("core.")
            assert any(within(target, a) for a in allowed), f"{name} imports {module}"


def test_nothing_imports_pages() -> None:
    everything = CORE | WORKBENCH | PAGES
    assert everything
    assert [name for name, file in everything.items() if any(top(m) == "pages" for m, *_ in imports(file))] == []


def light_modules_of_core() -> set[str]:
    """Modules of core that reach no heavy library by imports at module level."""
    direct = {name: {m for m, inside, typing in imports(f) if not inside and not typing} for name, f in CORE.items()}
    heavy = {name for name, used in direct.items() if {top(m) for m in used} & HEAVY_LIBRARIES}
    while more := {name for name, used in direct.items() if used & heavy} - heavy:
        heavy |= more
    assert {"core.stages.loop", "core.tasks.retrieval", "core.encoder.packing"} <= heavy
    return set(CORE) - heavy


def test_the_app_imports_light_modules_and_heavy_ones_only_inside_a_function() -> None:
    light, seen = light_modules_of_core(), 0
    assert {name for name in LIGHT if top(name) == "core"} <= light
    for name, file in (WORKBENCH | PAGES).items():
        for module, inside, typing_only in imports(file):
            heavy = top(module) in HEAVY_LIBRARIES or (top(module) == "core" and module not in light)
            seen += top(module) == "core"
            if heavy and not typing_only:
                assert inside, f"{name} imports {module}"
                assert name in MAY_BE_HEAVY_INSIDE, f"{name} imports {module}"
    assert seen > 10


def test_light_modules_leave_torch_and_transformers_out() -> None:
    code = f"""
import importlib, json, sys
found = {{}}
for name in {LIGHT!r}:
    importlib.import_module(name)
    found[name] = sorted({HEAVY_LIBRARIES!r} & set(sys.modules))
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: [] for name in LIGHT}
