"""Which corpus the corpus page shows: that of a run, the embedded one, one in the data folder, or any folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core import recipes
from core.config import RunConfig
from core.corpora.store import MANIFEST
from core.folders import MANIFEST as BENCHMARK
from core.folders import benchmarks_root, data_root
from core.languages import describe
from core.runs.store import RunDir
from workbench import pickers

RUN, EMBEDDED, PATH = "run", "embedded", "path"
_TITLES = {RUN: "That of a run", EMBEDDED: "Embedded: Unicode CLDR", PATH: "A folder on this machine"}
_LONGEST = 4096  # characters of a path


@dataclass(frozen=True)
class Selection:
    """A corpus to look at.

    Attributes:
        folder: Its folder; None stands for the embedded one, which is built in the cache on first use.
        run: The run that it is from, if one was chosen.
        source: What the box says.
    """

    folder: Path | None
    run: RunDir | None
    source: str

    @property
    def words(self) -> list[str]:
        """The folder as an argument of `workbench corpus` commands, which take the embedded one by default."""
        return [] if self.folder is None else [str(self.folder)]

    @property
    def runs(self) -> list[RunDir]:
        """The run, for the stamp of files."""
        return [] if self.run is None else [self.run]

    @property
    def config(self) -> RunConfig:
        """The run's config; without a run the default one."""
        return recipes.parse({}) if self.run is None else self.run.config


def of_run(run: RunDir) -> Selection:
    """The corpus that a run names."""
    return Selection(run.config.corpus.folder, run, RUN)


def pick_corpus(runs: Sequence[RunDir]) -> Selection | None:
    """The corpus to show, or None where no folder was named or it holds no corpus (and the page says so)."""
    stored = corpora()
    with st.sidebar:
        options = [*([RUN] if runs else []), EMBEDDED, *stored, PATH]
        chosen = pickers.choose("Corpus", "corpus", options, lambda key: _TITLES.get(key, key))
        if chosen == RUN:
            return of_run(pickers.pick_run(runs))
        if chosen == EMBEDDED:
            return Selection(None, None, chosen)
        if chosen in stored:
            return Selection(stored[chosen], None, chosen)
        st.text_input("Folder", key="corpus_folder", persist_state="session", placeholder="/path/of/a/corpus")
    return _typed(st.session_state["corpus_folder"] or "")


def corpora() -> dict[str, Path]:
    """Corpora in the data folder: name of the folder -> folder."""
    return {name: found for name, found in _holding(data_root() / "corpora", MANIFEST).items() if name not in _TITLES}


def benchmarks() -> dict[str, Path]:
    """Benchmarks in the data folder: name -> folder."""
    return _holding(benchmarks_root(), BENCHMARK)


def _holding(root: Path, manifest: str) -> dict[str, Path]:
    try:
        return {
            f.parent.name: f.parent for f in sorted(root.glob(f"*/{manifest}")) if not f.parent.name.startswith(".")
        }
    except OSError:
        return {}


def problem(path: str) -> str:
    """Why a typed path is no corpus; empty where it is one. Nothing but a corpus's own files is ever looked into."""
    if "\0" in path or len(path) > _LONGEST:
        return "This is no path."
    folder = Path(path).expanduser()
    if not folder.is_absolute():
        return "Give the whole path, from the root of the file system."
    try:
        if not folder.is_dir():
            return "There is no such folder."
        if not (folder / MANIFEST).is_file():
            return f"This folder holds no corpus: it has no {MANIFEST}. Build one: workbench corpus build --help."
        json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"This folder cannot be read as a corpus ({type(error).__name__})."
    return ""


def _typed(path: str) -> Selection | None:
    if not path.strip():
        st.info("Name the folder of a corpus in the sidebar, or choose another corpus there.")
        return None
    if reason := problem(path.strip()):
        st.info("The folder named in the sidebar cannot be shown.")
        st.text(f"{path.strip()[:200]}: {reason}")
        return None
    return Selection(Path(path.strip()).expanduser().resolve(), None, PATH)


def language_title(code: str) -> str:
    """A language for people: English name, own name and code."""
    found = describe(code)
    own = "" if found.own_name in (found.name, code) else f" · {found.own_name}"
    return f"{found.name}{own} ({code})" if found.name != code else code


def pick_language(label: str, key: str, codes: Sequence[str], all_first: bool = True) -> str | None:
    """A language of a corpus, or None for all."""
    ordered = sorted(codes, key=lambda code: describe(code).name)
    options = [*([""] if all_first else []), *ordered]
    if not all_first and "en" in ordered and not st.session_state.get(key):
        st.session_state[key] = "en"
    return pickers.choose(label, key, options, lambda code: language_title(code) if code else "All languages") or None


def draw_number() -> int:
    """The seed of what is drawn, or the number of a batch: from the URL, 0 at the start."""
    value = str(st.session_state.get("draw") or 0)
    number = int(value) if value.isascii() and value.isdigit() else 0
    return min(number, 10_000)


def another(label: str = "Another sample") -> None:
    """A button that draws the next sample; which one is in the URL."""
    st.button(label, key="another", icon=":material/casino:", on_click=_next_draw)


def _next_draw() -> None:
    st.session_state["draw"] = draw_number() + 1
