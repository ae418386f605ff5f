"""Own data is evaluated like every benchmark: values against sorting by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.corpora.rows import DataError
from core.probing.nearest import name_tokens
from core.probing.own_data import evaluate
from core.probing.own_files import OwnData, read
from core.probing.trained import Question, TrainedEncoder
from core.runs.store import RunDir, RunError
from tests.conftest import label


@pytest.fixture(scope="module")
def encoder(finished_run_path: Path) -> TrainedEncoder:
    return TrainedEncoder(RunDir(finished_run_path))


def own(folder: Path, task: str, rows: list[tuple[str, ...]]) -> OwnData:
    file = folder / "own.tsv"
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return read(file, task)


def ranks(
    encoder: TrainedEncoder,
    queries: list[tuple[str, ...]],
    gold: list[str],
    candidates: list[str],
    known: list[set[str]],
):
    """Strict ranks by sorting, of names that are all different."""
    with encoder.asked(Question("+EP")) as (asked, _):
        vectors = [asked.embed_all(name_tokens(encoder, *([part] for part in query)))[0] for query in queries]
        names = {name: asked.embed_all(name_tokens(encoder, [name]))[0] for name in candidates}
    for vector, right, others in zip(vectors, gold, known, strict=True):
        cosine = {name: float(vector @ v / vector.norm() / v.norm()) for name, v in names.items()}
        yield 1 + sum(cosine[name] > cosine[right] for name in candidates if name not in others)


def strict(rows: pd.DataFrame, language: str) -> dict[str, float]:
    part = rows[(rows.language == language) & (rows.protocol == "strict")]
    assert (part.low <= part.value).all()
    assert (part.value <= part.high).all()
    return dict(zip(part.metric, part.value, strict=True))


def expected(found: list[int]) -> dict[str, float]:
    at = np.asarray(found)
    return {"MRR": 100 * (1 / at).mean()} | {f"Hit@{k}": 100 * (at <= k).mean() for k in (1, 3, 5, 10)}


def test_pairs(encoder: TrainedEncoder, tmp_path: Path) -> None:
    pairs = [(label(i, "en"), label(i, "de")) for i in range(12)]
    pairs.append((pairs[0][0], pairs[3][1]))  # two right answers
    told: list[tuple[int, int]] = []
    data = own(tmp_path, "entity_alignment", pairs)
    rows = evaluate(encoder, data, ["backbone", "+EP"], "en", "de", lambda *done: told.append(done))
    known = [{target for source, target in pairs if source == query} - {right} for query, right in pairs]
    names = list(dict.fromkeys(target for _, target in pairs))
    found = list(ranks(encoder, [(q,) for q, _ in pairs], [right for _, right in pairs], names, known))
    assert strict(rows[rows.system == "+EP"], "de") == pytest.approx(expected(found))
    assert set(rows.system) == {"backbone", "+EP"}
    assert set(rows.protocol) == {"strict", "strict-raw", "released"}
    assert rows.n.unique().tolist() == [13]
    assert rows.group.unique().tolist() == ["Sup"]
    assert told[-1][0] == told[-1][1]


def test_triples(encoder: TrainedEncoder, tmp_path: Path) -> None:
    facts = [(label(i, "de"), "nahe", label((i + step) % 12, "de")) for i in range(12) for step in (3, 5)]
    rows = evaluate(encoder, own(tmp_path, "kg_completion", facts), ["+EP"], "de")
    known = [{o for s, _, o in facts if s == subject} - {right} for subject, _, right in facts]
    names = list(dict.fromkeys(end for s, _, o in facts for end in (s, o)))
    found = list(ranks(encoder, [fact[:2] for fact in facts], [o for *_, o in facts], names, known))
    assert strict(rows, "de") == pytest.approx(expected(found))


def test_labels_are_asked_from_the_source_to_every_other_language(encoder: TrainedEncoder, tmp_path: Path) -> None:
    labels = [
        (f"Q{i}", code, label(i, code)) for i in range(8) for code in ("en", "de", "eo") if (i, code) != (3, "de")
    ]
    data = own(tmp_path, "entity_alignment", labels)
    rows = evaluate(encoder, data, ["+EP"], "en")
    sizes = rows[rows.language.notna()].groupby("language").n.unique()
    assert {code: n.tolist() for code, n in sizes.items()} == {"de": [7], "eo": [8]}
    queries = [(label(i, "en"),) for i in range(8)]
    names = [label(i, "eo") for i in range(8)]
    found = list(ranks(encoder, queries, names, names, [set()] * 8))
    assert strict(rows, "eo") == pytest.approx(expected(found))
    with pytest.raises(DataError, match=r"No entity of own\.tsv has labels in fr and another language"):
        evaluate(encoder, data, ["+EP"], "fr")


def test_what_cannot_be_asked(encoder: TrainedEncoder, tmp_path: Path) -> None:
    data = own(tmp_path, "entity_alignment", [("a", "b"), ("c", "d")])
    for target in (None, "en"):
        with pytest.raises(DataError, match="Pairs need two different languages"):
            evaluate(encoder, data, ["+EP"], "en", target)
    with pytest.raises(RunError, match="no system"):
        evaluate(encoder, data, ["+Other"], "en", "de")

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(encoder, data, ["+EP"], "en", "de", stop)
    assert len(evaluate(encoder, data, ["+Fusion"], "en", "de"))  # the encoder is free again
