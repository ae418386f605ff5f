"""What a check is given and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.corpora.query import CorpusQuery

Severity = Literal["error", "warning", "info"]
SAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """What a check found; a count of 0 says that it looked and found nothing.

    Attributes:
        check: Name of the check, such as `visible-object`.
        severity: `error`: results on this corpus would be wrong. `warning`: training suffers, or somebody should look.
            `info`: a fact to know.
        title: What was counted.
        count: How many.
        of: Out of how many.
        unit: What `of` counts, such as `labels`.
        samples: Some of them, for people.
        detail: The count in parts, such as by language: rows of one set of keys, largest first.
    """

    check: str
    severity: Severity
    title: str
    count: int
    of: int
    unit: str
    samples: Sequence[str] = ()
    detail: Sequence[Mapping[str, Any]] = ()

    @property
    def share(self) -> float:
        """`count / of`, 0 where there was nothing to look at."""
        return self.count / self.of if self.of else 0.0

    def record(self) -> dict[str, Any]:
        """As plain objects, for JSON."""
        return {**vars(self), "share": self.share, "samples": list(self.samples), "detail": list(self.detail)}


@dataclass(frozen=True)
class Inspection:
    """What every check is given.

    Attributes:
        query: The corpus.
        counts: Rows of its tables.
        threshold: Labels that a language should have.
        batch_size: Pairs in a batch.
        against: Benchmarks, corpora and lists of strings whose test strings should not be trained on.
        seed: Seed of draws.
    """

    query: CorpusQuery
    counts: Mapping[str, int]
    threshold: int = 100
    batch_size: int = 128
    against: Sequence[Path] = field(default=())
    seed: int = 0


def shown(text: str, most: int = 120) -> str:
    """A text for a sample: quoted, with characters that cannot be seen escaped, cut."""
    quoted = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return f"'{quoted}'" if len(quoted) <= most else f"'{quoted[:most]}...'"
