"""Launch: a config from a preset, a run or a file, what it costs, and the local queue that does it."""

import streamlit as st

from core.config import RunConfig
from core.recipes import ConfigError
from workbench import jobs, loaders
from workbench.exports import menu
from workbench.launch import form as launch_form
from workbench.launch import panel as launch_panel
from workbench.launch import schema as forms
from workbench.launch import start as launch_start
from workbench.launch.start import Start
from workbench.runs import queue_panel

SUBMITTED, PROBLEM = "launch_submitted", "launch_problem"


def submit(configs: list[RunConfig], key: list[str]) -> None:
    """Once for one content of the form: a second click, and a click in another tab, say so."""
    again = st.session_state.get("again", False)
    if st.session_state.get(SUBMITTED, ("", []))[0] == key and not again:
        return
    if not again and (there := [run.name for config in configs for run in jobs.same(config)]):
        st.session_state[PROBLEM] = (
            f"A run of this config waits or runs already: {there[0]}. Tick below to add another."
        )
        return
    try:
        runs = jobs.submit(configs)
    except (ValueError, OSError) as error:
        st.session_state[PROBLEM] = str(error)
        return
    st.session_state[SUBMITTED] = (key, [run.name for run in runs])
    st.session_state["again"] = False


def submission(configs: list[RunConfig], blocked: bool) -> None:
    key = [config.fingerprint() + config.title for config in configs]
    of_form, names = st.session_state.get(SUBMITTED, ([], []))
    done = of_form == key
    there = done or any(jobs.same(config) for config in configs)
    st.selectbox("Where", ["local"], key="where", format_func=lambda _: "This machine, local queue")
    again = st.checkbox("Add it once more", key="again") if there and not blocked else False
    label = "Submit to the queue" if len(configs) == 1 else f"Submit {len(configs)} runs to the queue"
    disabled = blocked or (there and not again)
    st.button(
        label,
        key="submit",
        type="secondary" if disabled else "primary",
        icon=":material/play_arrow:",
        disabled=disabled,
        on_click=submit,
        args=(configs, key),
        width="stretch",
    )
    if message := st.session_state.pop(PROBLEM, None):
        st.error("Nothing was submitted.")
        st.text(message)
    elif done and names:
        st.success(f"Submitted: {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""))
        st.page_link("../pages/runs.py", label="Watch it", icon=":material/monitoring:", query_params={"run": names[0]})
    elif there and not blocked:
        st.caption("A run of this config waits or runs already.")


def launch(start: Start) -> None:
    edits, bad = launch_form.changes(), {}
    try:
        config = start.parse(edits)
    except ConfigError as error:
        bad, config = forms.problems(error), start.nearest(edits)
    form, panel = st.columns([5, 3], gap="large")
    with form:
        launch_form.draw(start, config, bad)
        with st.expander("A grid of runs: several values of any field"):
            axes = launch_panel.pick_grid()
            configs = [config]
            try:
                configs = launch_start.grid(start, edits if not bad else {}, axes)
            except ValueError as error:
                bad = bad or forms.problems(error)
                st.error("These values make no grid.")
                st.text(str(error))
            if axes:
                st.text(f"{len(configs)} runs, at most {forms.MOST_RUNS}")
                table, command = launch_panel.runs_table(configs, axes), start.grid_command(edits, axes)
                st.dataframe(table, hide_index=True, key="grid", alt="Runs of the grid")
                menu("grid", table=table, name="grid", runs=[], command=command, caption="Runs of a grid")
    with panel:
        problem = None if bad else launch_panel.problem(configs)
        if bad:
            st.error("The config cannot be used yet. Nothing that you typed is lost.")
            st.text("\n".join(f"{path or 'config'}: {message}" for path, message in bad.items()))
        elif problem:
            st.warning("This cannot run here yet.")
            st.text(problem)
        submission(configs, blocked=bool(bad or problem))
        st.header("Command")
        launch_panel.commands(start, edits, axes, config)
        st.header("Time and memory")
        launch_panel.cost(configs)
        st.header("Parameters")
        launch_panel.parameters(config, start.command("run", edits))


st.title("Launch")
st.text("A run is its config: choose a recipe and what to train, see what it costs, and put it into the local queue.")
try:
    start = launch_form.pick_start(loaders.all_runs())
    if start is not None:
        start.base  # noqa: B018
except ConfigError as error:
    start = None
    st.error("This config cannot be used.")
    st.text(str(error))
if start is not None:
    launch(start)
st.header("Queue")
queue_panel.show()
