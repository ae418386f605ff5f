"""What training pairs look like: equal strings, and entities that stand twice in a batch."""

from collections.abc import Iterator

import numpy as np

from core.corpora.checks.finding import SAMPLES, Finding, Inspection, Severity, shown
from core.corpora.draws import Order, RowStream

_RECIPES: dict[Order, tuple[str, Severity]] = {  # order of draws -> the recipe that has it, and what a repeat there is
    "consecutive": ("released", "info"),
    "random": ("paper", "info"),
    "distinct": ("corrected", "error"),
}
_DRAWN = 20_000_000  # rows that all draws of one order may look at: `distinct` permutes all of them for every batch
_MOST_BATCHES = 200
_NAMED = "SELECT entity, count(*) AS n FROM labels GROUP BY entity"
_ENDS = """SELECT t.{column} AS entity, t.subject, t.row FROM triples t JOIN named s ON s.entity = t.subject
    JOIN named o ON o.entity = t.object WHERE t.split = 0"""
_EP = "FROM named n JOIN entities e ON e.row = n.entity WHERE e.split = 0 AND n > 1 ORDER BY n.entity"
_ALIGNMENTS = f"SELECT n * (n - 1) {_EP}"
_POSITIVES = {  # role -> entity of the positive of every pair, in the order of the file
    "ep": f"SELECT n.entity {_EP}",
    "ep_triples": """SELECT n.entity FROM (SELECT row, unnest([subject, object]) AS entity, unnest([0, 1]) AS end_
        FROM triples WHERE split = 0) t JOIN named n ON n.entity = t.entity WHERE n.n > 1 ORDER BY row, end_""",
    "tp": f"SELECT entity FROM ({_ENDS.format(column='object')}) ORDER BY row",
    "es": """SELECT m.entity FROM mention_sentences m JOIN named n ON n.entity = m.entity
        WHERE m.split = 0 AND n.n > 1 ORDER BY m.row""",
    "ts": """SELECT t.object FROM triple_sentences s JOIN triples t ON t.row = s.triple
        JOIN named n ON n.entity = t.object WHERE t.split = 0 ORDER BY s.row""",
}


def identical_labels(inspection: Inspection) -> Iterator[Finding]:
    """Pairs of labels of one entity that are the same string: EP's positives that teach nothing (`skip_identical`)."""
    query = inspection.query
    query.run(
        """CREATE OR REPLACE TEMP TABLE pairs AS SELECT a.language AS one, b.language AS other, count(*) AS pairs,
        count(*) FILTER (WHERE a.string = b.string) AS same
        FROM (SELECT entity, language, hash(text) AS string FROM labels) a
        JOIN (SELECT entity, language, hash(text) AS string FROM labels) b
        ON a.entity = b.entity AND a.language < b.language GROUP BY ALL"""
    )
    same, pairs = query.rows("SELECT coalesce(sum(same), 0), coalesce(sum(pairs), 0) FROM pairs")[0]
    rows = query.rows("SELECT one, other, same, pairs FROM pairs ORDER BY same DESC, one, other")
    detail = [{"languages": f"{one}-{other}", "count": n, "of": of} for one, other, n, of in rows if n]
    samples = [
        f"{id} {shown(text)} in {len(languages)} languages: {', '.join(languages[:5])}"
        for id, text, languages in query.rows(
            f"""SELECT e.id, l.text, list(l.language ORDER BY l.language) FROM labels l JOIN entities e ON e.row = l.entity
            WHERE l.entity < 10000 GROUP BY e.row, e.id, l.text HAVING count(*) > 1
            ORDER BY count(*) DESC, e.row LIMIT {SAMPLES}"""
        )
    ]
    title = "label pairs of one entity that are the same string"
    yield Finding("identical-positive", "warning", title, int(same), int(pairs), "label pairs", samples, detail)


def repeats_in_batches(inspection: Inspection) -> Iterator[Finding]:
    """Batches in which an entity stands twice as a positive, so that a negative is true, by role and recipe."""
    query, size = inspection.query, inspection.batch_size
    query.run(f"CREATE OR REPLACE TEMP TABLE named AS {_NAMED}")
    for role in ("ep", "tp", "es", "ts"):
        for order, (recipe, severity) in _RECIPES.items():
            of_triples = role == "ep" and order == "consecutive"  # the released loader pairs the ends of each triple
            positive = query.column(_POSITIVES["ep_triples" if of_triples else role])
            alignments = (role, order) == ("ep", "random")  # the paper draws uniformly over pairs of labels
            weights = query.column(_ALIGNMENTS) if alignments else None
            stream = RowStream(np.arange(len(positive)), order, inspection.seed, (positive,), weights)
            repeated, batches, sample = _repeated(positive, stream, size)
            samples = [f"{id} in batch {number}" for number, row in sample for id in _ids(inspection, row)]
            title = f"{role.upper()}: batches of {size} with an entity twice, recipe {recipe} ({order})"
            yield Finding("repeat-in-batch", severity, title, repeated, batches, "batches", samples)


def _repeated(positive: np.ndarray, stream: RowStream, size: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Batches with a repeat, batches drawn, and some (batch, entity) of them."""
    rows = len(positive)
    if not rows:
        return 0, 0, []
    batches = max(1, rows // size if stream.order == "consecutive" else min(_MOST_BATCHES, _DRAWN // rows))
    repeated = 0
    samples: list[tuple[int, int]] = []
    for number in range(batches):
        entities = np.sort(positive[stream.next(min(size, rows))])
        twice = entities[1:][entities[1:] == entities[:-1]]
        repeated += len(twice) > 0
        if len(twice) and len(samples) < SAMPLES:
            samples.append((number, int(twice[0])))
    return repeated, batches, samples


def _ids(inspection: Inspection, row: int) -> list[str]:
    return [id for (id,) in inspection.query.rows("SELECT id FROM entities WHERE row = ?", [row])]
