"""Protocols over what is stored of an evaluation: the same run read in several ways, with no new run.

| protocol   | Hit@k       | candidates                                    | known answers | weights                   |
| strict     | rank <= k   | every entity of the language in the benchmark | filtered      | those that the run reports |
| strict-raw | rank <= k   | the same                                      | kept          | the same                  |
| released   | rank <= k+1 | unique gold strings of the test split         | kept          | the same                  |
| last       | rank <= k   | as strict                                     | filtered      | after the last step       |
| best-test  | rank <= k   | as strict                                     | filtered      | best on the test set      |

The released code compares a zero-based rank with k, which lets k+1 ranks pass.
Tasks without ranks know `strict`, `last` and `best-test`, which differ for them in the weights alone. `best-test` is the
rule behind Table 11 of the paper; it looks at the test set and is here to show how much that gains.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

RankSet = Literal["filtered", "raw", "released"]
RANK_SETS: tuple[RankSet, ...] = ("filtered", "raw", "released")
Weights = Literal["reported", "last", "best-test"]
WEIGHTS: tuple[Weights, ...] = ("reported", "last", "best-test")


@dataclass(frozen=True)
class Protocol:
    """How what is stored becomes a number.

    Attributes:
        key: Name in results.
        ranks: Which stored ranks it reads.
        hit_offset: Hit@k counts ranks up to k plus this.
        weights: Whose evaluation it reads: that of the weights that the run reports, of the last ones, or the best on
            the test set per language.
        meaning: One sentence for people.
        ranks_only: Whether it says nothing of tasks without ranks.
    """

    key: str
    ranks: RankSet
    hit_offset: int
    weights: Weights
    meaning: str
    ranks_only: bool = False


PROTOCOLS: dict[str, Protocol] = {
    p.key: p
    for p in (
        Protocol(
            "strict",
            "filtered",
            0,
            "reported",
            "one-based ranks among the candidates that the dataset names, other answers filtered; metrics as defined",
        ),
        Protocol(
            "strict-raw",
            "raw",
            0,
            "reported",
            "one-based ranks among the candidates that the dataset names, nothing filtered",
            ranks_only=True,
        ),
        Protocol(
            "released",
            "released",
            1,
            "reported",
            "as the released code counts: Hit@k is Hit@(k+1) among unique gold strings",
            ranks_only=True,
        ),
        Protocol("last", "filtered", 0, "last", "as strict, with the weights after the last step"),
        Protocol(
            "best-test",
            "filtered",
            0,
            "best-test",
            "as strict, with the weights that are best on the test set, language by language, as Table 11 prints",
        ),
    )
}


def stand_in(asked: str, task: str, has: Collection[str]) -> str:
    """The protocol that is read where `asked` speaks of ranks and the results of a task have none.

    For `released` in relation classification that is `best-test`, the rule behind Table 11, if a run has it; else
    `strict`.

    Args:
        asked: A key of `PROTOCOLS`.
        task: Name of the task.
        has: Protocols of its results.
    """
    if asked in has or not PROTOCOLS[asked].ranks_only:
        return asked
    best_test = (asked, task) == ("released", "relation_classification") and "best-test" in has
    return "best-test" if best_test else "strict"
