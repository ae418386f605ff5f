"""What the Launch page says of a config before it is submitted: budget, estimate, problems, command, files, grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.config import RunConfig
from core.execution import preflight
from core.execution.budget import budget, dimensions
from core.execution.estimate import Estimate, estimate, least_memory
from workbench.exports import menu
from workbench.launch import loaders as launch_loaders
from workbench.launch import schema as forms
from workbench.launch.start import Start, shown_command
from workbench.terminal import duration

_DAY = 86_400.0
_ELSEWHERE = 4.0  # times from another machine are taken to be right within this factor


def parameters(config: RunConfig, command: Sequence[str]) -> None:
    """The parameter budget, and a menu to export it; `command` does the run that it is of."""
    size = dimensions(config.backbone.source)
    if size is None:
        st.text("The backbone's dimensions are not known before it is on this machine.")
        return
    st.caption(f"Backbone: {size.parameters / 1e6:,.1f} M parameters, {size.layers} layers of width {size.hidden}.")
    rows = [(s, n / 1e6, 100 * n / size.parameters) for s, n in budget(config, size).items() if n]
    table = pd.DataFrame(rows, columns=["system", "adds (M)", "of backbone (%)"])
    if len(table):
        numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in table.columns[1:]}
        st.dataframe(table, hide_index=True, key="budget", alt="Parameters added", column_config=numbers)
        caption = f"Parameters added to the {size.parameters / 1e6:,.1f} M of {config.backbone.source}"
        menu("budget", table=table, name="parameter-budget", runs=[], command=command, caption=caption)


def cost(configs: Sequence[RunConfig]) -> None:
    """Time and memory of one run or of all runs of a grid."""
    own = launch_loaders.known_pace(shipped=False)
    elsewhere = not own.runs
    known = launch_loaders.known_pace(shipped=True) if elsewhere else own
    found = [estimate(config, known) for config in configs]
    factor = _ELSEWHERE / 2 if elsewhere else 1.0  # the estimate of one run has a factor of two already
    if elsewhere:
        st.info("No run has finished on this machine: there is nothing to compare with. The demo is the quickest one.")
    if timed := [each for each in found if each.seconds is not None]:
        low, high = sum(each.low for each in timed) / factor, sum(each.high for each in timed) * factor
        likely = sum(each.seconds or 0.0 for each in timed)
        st.markdown(f"**{_time(low)} to {_time(high)}**" + ("" if elsewhere else f", likely {_time(likely)}"))
        more = f" and {len(known.runs) - 1} more" if len(known.runs) > 1 else ""
        machine = ", made on another machine" if elsewhere else ""
        by = "by pairs trained on, languages measured and the backbone's size"
        st.caption(f"Compared with {known.runs[0]}{more}{machine}, {by}.")
    if left_out := _left_out(found):
        st.caption(f"Not counted, since no run to compare with has done it: {left_out}.")
    size = dimensions(configs[0].backbone.source)
    if size is not None:
        least = max(least_memory(config, size) for config in configs)
        peaks = known.memory.get(configs[0].backbone.source, [])
        between = " to ".join(dict.fromkeys((_gib(min(peaks)), _gib(max(peaks))))) if peaks else ""
        seen = f"; runs with this backbone peaked at {between} GiB" if peaks else ""
        st.caption(f"Memory: at least {_gib(least)} GiB for weights and optimizer{seen}.")


def _time(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return f"{seconds / _DAY:.0f} days"
    return duration(60 * round(seconds / 60)).removesuffix(" 00 s") if seconds >= 90 else duration(seconds)


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


def _left_out(found: Sequence[Estimate]) -> str:
    stages = dict.fromkeys(stage for each in found if each.seconds is not None for stage in each.unknown)
    short = list(dict.fromkeys(stage.split(".")[0] if stage.startswith("zero-shot") else stage for stage in stages))
    return ", ".join(short[:4]) + (f" and {len(short) - 4} more stages" if len(short) > 4 else "")


def problem(configs: Sequence[RunConfig]) -> str | None:
    """Why one of the configs cannot run here, or None."""
    for config in configs:
        try:
            preflight.check(config)
        except (ValueError, OSError) as error:
            return str(error)
    return None


def commands(start: Start, changes: Mapping[str, Any], axes: Mapping[str, list[Any]], config: RunConfig) -> None:
    """The exact command, and the config as a file."""
    words = start.grid_command(changes, axes) if axes else start.command("run", changes)
    st.code(shown_command(words), language="bash", wrap_lines=True)
    if start.text is not None:
        st.caption(f"In the folder where {start.word} lies.")
    for name, text in start.files(config, changes).items():
        with st.expander(f"YAML: {name.lower()}"):
            st.code(text, language="yaml", height=min(400, 40 + 22 * text.count("\n")))
            file = f"{config.title or config.recipe}.yaml"
            st.download_button("Download", text, file, "text/yaml", key=f"yaml_{name}", on_click="ignore")


def pick_grid() -> dict[str, list[Any]]:
    """The fields of a grid with the values ticked; a sentence stands where they are none."""
    axes: dict[str, list[Any]] = {}
    paths = [path for path, field in forms.fields().items() if field.kind != "section" and path != "title"]
    st.multiselect("Fields to vary", paths, key="grid_fields", placeholder="seed, objective.temperature ...")
    for path in st.session_state["grid_fields"]:
        field = forms.fields()[path]
        if field.kind in ("choice", "switch"):
            options = list(field.options) or ["true", "false"]
            ticked = st.pills(path, options, selection_mode="multi", key=f"grid:{path}", help=field.help)
            values = [value == "true" for value in ticked] if field.kind == "switch" else list(ticked)
        else:
            example = "[de, fr], [de]" if field.kind in ("languages", "list") else "0, 1, 2"
            text = st.text_input(path, key=f"grid:{path}", placeholder=example, help=field.help)
            try:
                values = forms.values_of(field, text or "")
            except ValueError as error:
                st.error("These values cannot be told apart.")
                st.text(str(error))
                values = []
        if values:
            axes[path] = values
    return axes


def runs_table(configs: Sequence[RunConfig], axes: Mapping[str, list[Any]]) -> pd.DataFrame:
    """The runs that a grid makes: the varied fields, title and fingerprint."""
    trees = [config.model_dump(mode="json") for config in configs]
    columns = {path: [str(forms.value_at(tree, path)) for tree in trees] for path in axes}
    return pd.DataFrame(columns | {"title": [c.title for c in configs], "config": [c.fingerprint() for c in configs]})
