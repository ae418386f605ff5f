"""`workbench complete` and `workbench align`: what the systems of a run answer to a question typed by hand."""

from typing import TYPE_CHECKING, Annotated, cast

import pandas as pd
import typer

from core.config import System
from core.languages import describe
from core.probing.queries import CANDIDATES, Answers, Candidates, Kind, Query
from core.runs import tables
from core.runs.store import RunDir
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

if TYPE_CHECKING:
    from core.probing.knowledge import Knowledge

out = terminal.screen()
RunName = Annotated[str, typer.Option(help="Name of a run with trained adapters; `workbench runs` lists the runs.")]
Language = Annotated[str, typer.Option(help="Language of the question.")]
Entity = Annotated[
    str | None, typer.Option(help="Identifier of the entity that is meant, where several bear the name.")
]
To = Annotated[
    list[str] | None, typer.Option(help="A language of the answers; repeatable; that of the question if left out.")
]
Target = Annotated[list[str], typer.Option(help="A language of the answers; repeatable.")]
Systems = Annotated[list[str] | None, typer.Option("--system", help="A system to ask; repeatable; all if left out.")]
K = Annotated[int, typer.Option("-k", min=1, max=100, help="Answers of each system.")]
Among = Annotated[str, typer.Option(help="; ".join(f"{key}: {title}" for key, title in CANDIDATES.items()))]
Ranks = Annotated[
    bool, typer.Option("--ranks", help="The known answers and their ranks, instead of the first answers.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")]


def complete(
    subject: Annotated[str, typer.Argument(help="Name of the subject.")],
    relation: Annotated[str, typer.Argument(help="Identifier of a relation of the data, or its name in any language.")],
    run: RunName,
    language: Language = "en",
    to: To = None,
    entity: Entity = None,
    system: Systems = None,
    k: K = 5,
    among: Among = "all",
    ranks: Ranks = False,
    as_json: Json = False,
    csv: Csv = False,
) -> None:
    """Complete a triple: subject and relation -> object, by every system of a run.

    Example: `workbench complete "Deutschland" "Währung" --language de --to de --run 20261122-184500-demo-73f6259d7434`
    """
    knowledge = _open(run, "complete", language, to or [language])
    query = Query(language, subject, _relation(knowledge, relation), _entity(knowledge, entity, subject, language))
    _ask(knowledge, query, to or [language], system, k, among, ranks, as_json, csv)


def align(
    label: Annotated[str, typer.Argument(help="A name.")],
    to: Target,
    run: RunName,
    language: Language = "en",
    entity: Entity = None,
    system: Systems = None,
    k: K = 5,
    among: Among = "all",
    ranks: Ranks = False,
    as_json: Json = False,
    csv: Csv = False,
) -> None:
    """Align an entity: its name in one language -> its names in others, by every system of a run.

    Example: `workbench align "Germany" --to de --to fr --run 20261122-184500-demo-73f6259d7434`
    """
    knowledge = _open(run, "align", language, to)
    query = Query(language, label, None, _entity(knowledge, entity, label, language))
    _ask(knowledge, query, to, system, k, among, ranks, as_json, csv)


def _open(run: str, kind: Kind, language: str, to: list[str]) -> "Knowledge":
    from core.probing.knowledge import Knowledge
    from core.probing.trained import TrainedEncoder

    found = Knowledge(TrainedEncoder(RunDir.find(run)), kind)
    require_known("language", [language], found.names.languages)
    require_known("to", to, found.names.languages)
    return found


def _relation(knowledge: "Knowledge", given: str) -> str:
    """Identifier of a relation that is given by it, or by a name in any language.

    Raises:
        ValueError: If there is none; the message lists the relations.
    """
    names, english = knowledge.names, knowledge.names.relations("en") if "en" in knowledge.names.languages else {}
    if given in names.relations(names.languages[0]):
        return given
    for language in names.languages:
        for id, name in names.relations(language).items():
            if name.casefold() == given.casefold():
                return id
    known = ", ".join(
        f"{id} ({english[id]})" if id in english else id for id in list(names.relations(names.languages[0]))[:30]
    )
    raise ValueError(f"{names.title} has no relation {given!r}. It has: {known}.")


def _entity(knowledge: "Knowledge", id: str | None, text: str, language: str) -> int | None:
    if id is None:
        return None
    for entity in knowledge.names.exactly(text, language).tolist():
        if knowledge.names.entity_id(entity) == id:
            return entity
    raise ValueError(f"--entity: no entity {id!r} is called {text!r} in {language}.")


def _ask(
    knowledge: "Knowledge",
    query: Query,
    to: list[str],
    system: list[str] | None,
    k: int,
    among: str,
    ranks: bool,
    as_json: bool,
    csv: bool,
) -> None:
    require_known("system", system or (), knowledge.systems)
    require_known("among", [among], CANDIDATES)
    if as_json and csv:
        raise ValueError("Name one of --json and --csv.")
    systems = cast(list[System], system or knowledge.systems)
    with terminal.progress_bar("embedding labels") as progress:
        answers = knowledge.ask(query, systems, to, k, cast(Candidates, among), progress)
    shown = answers.gold if ranks else answers.top
    if as_json:
        terminal.print_json(tables.records(shown))
    elif csv:
        print(shown.to_csv(index=False), end="")  # noqa: T201
    else:
        for language in to:
            _print(answers, language, ranks)


def _print(answers: Answers, language: str, ranks: bool) -> None:
    gold, top = (frame[frame.language == language] for frame in (answers.gold, answers.top))
    where = f"{describe(language).name} ({language})"
    candidates = f", among {gold.candidates.iloc[0]:,}" if len(gold) else ""
    out.print(f"\n{where}{candidates}", highlight=False, markup=False)
    if ranks:
        wide = gold.pivot(index=["answer", "entity"], columns="system", values="rank")[list(dict.fromkeys(gold.system))]
        rows = [
            [*name, *(_rank(rank) for rank in ranks)] for name, ranks in zip(wide.index, wide.to_numpy(), strict=True)
        ]
        terminal.print_rows(["known answer", "entity", *wide.columns], rows, out)
        return
    systems = list(dict.fromkeys(top.system))
    cells = {
        (row.place, row.system): f"{row.answer}{' *' if row.gold else ''}\n{row.cosine:.3f}" for row in top.itertuples()
    }
    places = sorted(set(top.place))
    terminal.print_rows(["", *systems], [[p, *(cells.get((p, s), "") for s in systems)] for p in places], out)
    best = gold.groupby("system", sort=False)["rank"].min()
    told = ", ".join(f"{system} {_rank(rank)}" for system, rank in best.items())
    out.print(f"* known answer. Best rank of a known one: {told or 'none is known'}.", highlight=False, markup=False)


def _rank(rank: float) -> str:
    return "--" if pd.isna(rank) else f"{rank:g}"
