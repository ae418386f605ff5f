"""Redirects between items: what is left of an item that was merged into another."""

from array import array
from pathlib import Path

import numpy as np

from core.corpora.rows import RowLog, read_tsv
from core.corpora.wikidata.statements import Unfit, number_of

_DOUBLINGS = 32  # a chain is followed over 2^32 redirects; what is left by then is a circle


class Redirects:
    """A map from merged items to what they became in the end.

    Args:
        pairs: (from, to) numbers of items, shape (redirects, 2). Of several for one item the last holds.

    Attributes:
        circles: Redirects that lead nowhere; they are not followed.
    """

    def __init__(self, pairs: np.ndarray) -> None:
        pairs = pairs[::-1]
        self.source, first = np.unique(pairs[:, 0], return_index=True)
        self.target = pairs[first, 1]
        for _ in range(_DOUBLINGS):
            further = self.of(self.target)
            if np.array_equal(further, self.target):
                break
            self.target = further
        ends = ~self.redirected(self.target)
        self.circles = int((~ends).sum())
        self.source, self.target = self.source[ends], self.target[ends]

    def __len__(self) -> int:
        return len(self.source)

    def redirected(self, ids: np.ndarray) -> np.ndarray:
        """True for the items that are redirects, shape of `ids`."""
        return places(self.source, ids) >= 0

    def of(self, ids: np.ndarray) -> np.ndarray:
        """The items that these became, or they themselves, shape of `ids`."""
        place = places(self.source, ids)
        return np.where(place >= 0, np.append(self.target, 0)[place], ids)  # the appended one is never taken


def places(ordered: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Positions of `ids` in the sorted array `ordered`, -1 for those that are not in it, shape of `ids`.

    (`np.isin` would sort both arrays on every call.)
    """
    place = np.searchsorted(ordered, ids)
    return np.where(np.append(ordered, -1)[place] == ids, place, -1)


def read_redirects(path: Path, log: RowLog) -> np.ndarray:
    """Redirects of a TSV file: from-id and to-id (Q numbers), one pair a line; a header without Q ids is skipped.

    Returns:
        (from, to) numbers, int64, shape (redirects, 2).
    """
    found = array("q")  # Wikidata has five million
    for line, cells in read_tsv(path, 2, log):
        try:
            found.extend([number_of(cell, "Q") for cell in cells])
        except Unfit as error:
            if line > 1:
                log.bad(path, line, "not two Q ids", "\t".join(cells), str(error))
    return np.array(found, np.int64).reshape(-1, 2)
