"""What the probe page looks at: one fusion or two side by side, typed lines, a layer and slots to do without."""

from dataclasses import dataclass

import streamlit as st

from core.languages import LANGUAGES
from core.probing.sentences import UNITS
from core.probing.typed_lines import Line, read_line
from core.runs.kept import fine_tuned_tasks, fused_tasks, fusion_slots
from core.runs.store import RunDir
from core.task_config import TaskName
from workbench import loaders, pickers

CHARACTERS, LINES = 1000, 12
MEAN = "mean"
OPTIONS = {"words": [], "sub-words": ["--pieces"], "tokens": ["--pieces", "--special"]}  # of `workbench probe`
STAGES = {"fusion": "after fusion training", "fine-tuned": "fine-tuned"}
EXAMPLES = {  # language, or a title -> lines
    "en": "Marie Curie was born in Warsaw and worked in Paris.",
    "ar": "وُلدت ماري كوري في وارسو وعملت في باريس.",
    "zh": "玛丽·居里出生于华沙，在巴黎工作。",
    "hi": "मैरी क्यूरी का जन्म वारसॉ में हुआ और उन्होंने पेरिस में काम किया।",
    "th": "มารี กูรีเกิดที่วอร์ซอและทำงานในปารีส",
    "de": "Marie Curie wurde in Warschau geboren und arbeitete in Paris.",
    "ja": "マリ・キュリーはワルシャワで生まれ、パリで働いた。",
    "he": "מארי קירי נולדה בוורשה ועבדה בפריז.",
    "parallel": "en | Berlin is the capital of [[Germany]].\nde | Berlin ist die Hauptstadt von [[Deutschland]].\n"
    "ar | برلين هي عاصمة [[ألمانيا]].\nzh | 柏林是[[德国]]的首都。\nhi | बर्लिन [[जर्मनी]] की राजधानी है।\n"
    "th | เบอร์ลินเป็นเมืองหลวงของ[[เยอรมนี]]\nru | Берлин — столица [[Германии]].",
}


@dataclass(frozen=True)
class Side:
    """A fusion of a run: the task it belongs to, and whether the weights are those of fine-tuning."""

    run: RunDir
    task: TaskName
    stage: str

    @property
    def fine_tuned(self) -> bool:
        """Whether the weights are those that fine-tuning left."""
        return self.stage == "fine-tuned"

    @property
    def title(self) -> str:
        """Task and stage for people."""
        return f"{pickers.task_title(self.task)}, {STAGES[self.stage]}"

    def command(self, *what: str) -> list[str]:
        """The start of the command that asks it."""
        end = ["--fine-tuned"] if self.fine_tuned else []
        return ["workbench", "probe", *what, "--run", self.run.name, "--task", self.task, *end]

    @property
    def key(self) -> str:
        """The side in a link."""
        return f"{self.run.name}/{self.task}/{self.stage}"


def sides_of(run: RunDir) -> list[Side]:
    """The fusions that a run has kept, in the order of its tasks."""
    kept = {"fusion": fused_tasks(run), "fine-tuned": fine_tuned_tasks(run)}
    tasks = dict.fromkeys(task for found in kept.values() for task in found)
    return [Side(run, task, stage) for task in tasks for stage, found in kept.items() if task in found]


def pick_sides() -> list[Side]:
    """The fusion to probe, and a second beside it where one is chosen; empty where there is none, and the page says so."""
    runs = loaders.all_runs()
    found = {run.name: sides for run in runs if (sides := sides_of(run))}
    if not found:
        st.info("No run has kept a trained fusion yet. Train one, in minutes, with: workbench demo")
        return []
    with st.sidebar:
        run = pickers.pick_run([run for run in runs if run.name in found])
        here = found[run.name]
        tasks = list(dict.fromkeys(side.task for side in here))
        task = pickers.choose("Task", "task", tasks, pickers.task_title)
        stages = [side.stage for side in here if side.task == task]
        stage = pickers.choose("Weights", "stage", stages, STAGES.__getitem__)
        side = next(s for s in here if (s.task, s.stage) == (task, stage))
        others = [s for name in (run.name, *found) for s in found[name] if s != side]
        by_key = {s.key: s for s in sorted(dict.fromkeys(others), key=lambda s: s.run.name != run.name)}

        def title(key: str) -> str:
            if key == "none":
                return "nothing"
            return (
                by_key[key].title
                if by_key[key].run.name == run.name
                else f"{by_key[key].run.name}: {by_key[key].title}"
            )

        first = [s.key for s in by_key.values() if s.run.name == run.name and s.stage == stage][:1]
        options = [*first, "none", *(key for key in by_key if key not in first)]
        beside = pickers.choose("Beside it", "probe_beside", options, title)
    return [side, *([by_key[beside]] if beside != "none" else [])]


def pick_without(side: Side) -> list[str]:
    """Slots that the fusions shall do without; at least one stays in."""
    slots = fusion_slots(side.run)
    with st.sidebar:
        pickers.fit_many("without", slots)
        st.session_state["without"] = st.session_state["without"][: len(slots) - 1]
        return st.multiselect(
            "Knock out",
            slots,
            key="without",
            persist_state="session",
            max_selections=len(slots) - 1,
            placeholder="No slot",
            help="The other slots share the weight of these in every layer.",
        )


def pick_unit() -> str:
    """What the strips and maps are made of."""
    with st.sidebar:
        return pickers.choose("Show", "unit", list(UNITS), help="\n\n".join(f"**{u}**: {m}" for u, m in UNITS.items()))


def pick_layer(layers: int) -> int | None:
    """A layer, or None for the mean over all."""
    with st.sidebar:
        options = [MEAN, *map(str, range(layers))]
        layer = pickers.choose("Layer", "layer", options, lambda x: "mean over layers" if x == MEAN else f"layer {x}")
    return None if layer == MEAN else int(layer)


def type_lines() -> list[Line]:
    """The typed lines that hold a letter or digit, and buttons that type some."""
    state = st.session_state
    state["sentence"] = (state.get("sentence") or EXAMPLES["en"])[:CHARACTERS]
    st.text_area(
        "Sentence, or a line for each of several languages",
        key="sentence",
        persist_state="session",
        max_chars=CHARACTERS,
        height="content",
        help="Mark an entity with [[...]] to compare it across lines; `de | ...` names a line's language. "
        f"At most {LINES} lines. Ctrl+Enter, or a click elsewhere, sends it.",
    )
    with st.container(horizontal=True, gap="small", key="examples"):
        for name, text in EXAMPLES.items():
            title = LANGUAGES[name].own_name if name in LANGUAGES else "Parallel sentences"
            hint = LANGUAGES[name].name if name in LANGUAGES else "One sentence in seven languages, an entity marked"
            st.button(title, key=f"example_{name}", help=hint, type="tertiary", on_click=_type, args=(text,))
    typed = [line for line in state["sentence"].splitlines() if any(c.isalnum() for c in line)]
    if len(typed) > LINES:
        st.info(f"The first {LINES} of {len(typed)} lines are shown. For more, upload a file below.")
    return [read_line(line) for line in typed[:LINES]]


def _type(text: str) -> None:
    st.session_state["sentence"] = text
    st.session_state["word"] = None


def picked(lines: int) -> tuple[int, int]:
    """Line and word that were clicked; the first word of the first line where none was, or it is gone."""
    line, _, word = str(st.session_state.get("word") or "0.0").partition(".")
    if not (line.isdecimal() and word.isdecimal() and int(line) < lines):
        return 0, 0
    return int(line), int(word)
