"""What is kept of a dump, with the paper's values as defaults."""

from dataclasses import dataclass
from typing import Literal, get_args

from core.languages import PAPER_LANGUAGES

Ranks = Literal["best", "not_deprecated", "all"]
Mul = Literal["ignore", "fill"]
_WIKIS = {"nb": "nowiki", "no": "nowiki"}  # the Norwegian Wikipedia is written in Bokmål


@dataclass(frozen=True)
class DumpOptions:
    """Filters of a build (paper, section 5.1). Triples are kept where both ends are; that is no option.

    Attributes:
        languages: Codes of the labels, aliases and descriptions that are kept; labels are counted in these. Wikidata
            has Norwegian labels under `nb`, never under the paper's `no`.
        more_than_labels: An item is kept if it has more labels than this.
        ranks: Statements that become triples: `best` takes, for each property of an item, those ranked preferred if
            there are any, and the normal ones otherwise. That is what Wikidata calls truthy and what its exports of
            plain triples hold; the paper does not say. `not_deprecated` adds the normal ones beside preferred ones
            (former capitals beside the present one), `all` adds what is known to be wrong.
        mul: What becomes of a label in `mul`, which Wikidata shows in every language that has none of its own:
            `ignore` it, or `fill` the chosen languages with it, before labels are counted. The paper's dump had none.
        sitelinks: Whether `sitelinks.parquet` keeps the titles of the items' pages in the chosen languages' Wikipedias.

    Raises:
        ValueError: If a value is not allowed.
    """

    languages: tuple[str, ...] = PAPER_LANGUAGES
    more_than_labels: int = 10
    ranks: Ranks = "best"
    mul: Mul = "ignore"
    sitelinks: bool = False

    def __post_init__(self) -> None:
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise ValueError(f"Languages must be named, each once; got {', '.join(self.languages) or 'none'}.")
        if "mul" in self.languages:
            raise ValueError("`mul` is no language: choose what its labels do by the option mul (ignore or fill).")
        if not 0 <= self.more_than_labels < len(self.languages):
            raise ValueError(
                f"more_than_labels {self.more_than_labels} must lie between 0 and {len(self.languages) - 1}: "
                f"there are {len(self.languages)} languages."
            )
        for name, value, allowed in (("ranks", self.ranks, get_args(Ranks)), ("mul", self.mul, get_args(Mul))):
            if value not in allowed:
                raise ValueError(f"{name} {value!r} is not one of {', '.join(allowed)}.")

    @property
    def wikis(self) -> dict[str, str]:
        """Wikipedia (`enwiki`) -> language (`en`), for the chosen languages."""
        return {_WIKIS.get(code, code.replace("-", "_") + "wiki"): code for code in self.languages}
