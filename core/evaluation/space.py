"""Measures and layouts of a space of names: the same entities in many languages, under several systems.

Vectors are of unit length, so squared distances run from 0 to 4 and cosines are dot products. `rows` tells which vector
names which entity in which language: shape (entities, languages), -1 where an entity has no name.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

HUB_NEIGHBOURS = 10  # k of the hubness, as in Radovanović et al. 2010
REDUCED = 50  # dimensions that UMAP sees
_CHUNK = 2**24  # similarities held at once


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared distance of translations, 0 (the same vectors) to 4; smaller is better.

    Args:
        first: Unit vectors, shape (pairs, dim).
        second: Unit vectors of the same entities, shape (pairs, dim).

    Reference: Wang and Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity
    on the Hypersphere", with alpha = 2.
    """
    return float(np.square(first - second).sum(1).mean()) if len(first) else float("nan")


def uniformity(vectors: np.ndarray, t: float = 2.0) -> float:
    """Log of the mean of exp(-t d^2) over pairs of different rows; 0 if all are one point, smaller is more even.

    Args:
        vectors: Unit vectors, shape (n, dim).
        t: Sharpness of the kernel; 2 in Wang and Isola 2020.
    """
    if len(vectors) < 2:
        return float("nan")
    total = 0.0
    for part in _chunks(len(vectors), len(vectors)):
        squared = np.maximum(2 - 2 * (vectors[part] @ vectors.T), 0)
        total += float(np.exp(-t * squared, dtype=np.float64).sum())
    # A row's distance to itself is 0: it adds exp(0) = 1, up to rounding.
    itself = np.exp(-t * np.maximum(2 - 2 * np.square(vectors).sum(1), 0), dtype=np.float64).sum()
    return float(np.log((total - itself) / (len(vectors) * (len(vectors) - 1))))


def hubness(query: np.ndarray, candidate: np.ndarray, k: int = HUB_NEIGHBOURS) -> float:
    """Skewness of N_k: how often each candidate is among the k nearest of a query; 0 is even, above 1 there are hubs.

    Args:
        query: Unit vectors, shape (queries, dim).
        candidate: Unit vectors, shape (candidates, dim).
        k: Neighbours; with no more candidates than that the answer is NaN.

    Reference: Radovanović et al. 2010, "Hubs in Space", section 3.1.
    """
    if len(candidate) <= k or not len(query):
        return float("nan")
    counts = np.zeros(len(candidate))
    for part in _chunks(len(query), len(candidate)):
        nearest = np.argpartition(-(query[part] @ candidate.T), k - 1, axis=1)[:, :k]
        counts += np.bincount(nearest.ravel(), minlength=len(candidate))
    spread = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0


def translation_ranks(query: np.ndarray, candidate: np.ndarray, gold: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One-based rank of each query's translation by cosine; ties count against it, further right answers not at all.

    Args:
        query: Unit vectors, shape (queries, dim).
        candidate: Unit vectors, shape (candidates, dim).
        gold: Candidate that translates each query, int, shape (queries,).
        right: True where a candidate is a right answer, the translation among them, shape (queries, candidates).
    """
    ranks = np.ones(len(query), np.int64)
    for part in _chunks(len(query), len(candidate)):
        scores = query[part] @ candidate.T
        own = np.take_along_axis(scores, gold[part][:, None], axis=1)
        ranks[part] += ((scores >= own) & ~right[part]).sum(1)
    return ranks


def pair_measures(vectors: np.ndarray, rows: np.ndarray, names: np.ndarray) -> dict[str, np.ndarray]:
    """What holds between each language and each other one, and how far the translations of every name are.

    Homonyms are one answer: of another entity with the same name in the language asked, or of one that a query names
    as well, the rank takes no notice.

    Args:
        vectors: Unit vectors of the names, shape (names, dim).
        rows: Name of each entity in each language, or -1, shape (entities, languages).
        names: Number of each name's string, equal for equal strings, shape (names,).

    Returns:
        `hits` (share of the names of the row's language whose translation into the column's is nearest, 0 to 1),
        `alignment` and `hubness` (the column's names asked by those of the row's), each of shape
        (languages, languages), NaN on the diagonal and where two languages share no entity; and `rank`: median over the
        other languages of the rank of a name's translation, shape (names,), NaN without one.
    """
    languages = rows.shape[1]
    found = {key: np.full((languages, languages), np.nan) for key in ("hits", "alignment", "hubness")}
    every = np.full((len(vectors), languages), np.nan, np.float32)
    # Entities that share a string in a language share its number; an entity without a name has a number of its own.
    strings = np.where(rows >= 0, names[rows], -1 - np.arange(len(rows))[:, None])
    for target in range(languages):
        there = np.flatnonzero(rows[:, target] >= 0)
        candidate = vectors[rows[there, target]]
        place = np.full(len(rows), -1)
        place[there] = np.arange(len(there))
        for source in range(languages):
            asked = np.flatnonzero((rows[:, source] >= 0) & (rows[:, target] >= 0))
            if source == target or not len(asked):
                continue
            own = rows[asked, source]
            right = strings[asked, target][:, None] == strings[there, target]
            right |= strings[asked, source][:, None] == strings[there, source]
            ranks = translation_ranks(vectors[own], candidate, place[asked], right)
            every[own, target] = ranks
            found["hits"][source, target] = (ranks == 1).mean()
            found["alignment"][source, target] = alignment(vectors[own], vectors[rows[asked, target]])
            found["hubness"][source, target] = hubness(vectors[own], candidate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a name without translations: the median of nothing is NaN
        return found | {"rank": np.nanmedian(every, axis=1)}


def nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    """The k nearest other rows of each row by cosine, nearest first, int32, shape (n, min(k, n - 1))."""
    k = min(k, len(vectors) - 1)
    found = np.zeros((len(vectors), k), np.int32)
    for part in _chunks(len(vectors), len(vectors)):
        scores = vectors[part] @ vectors.T
        scores[np.arange(len(scores)), np.arange(part.start, part.stop)] = -np.inf
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k else found[part]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found[part] = np.take_along_axis(best, order, axis=1)
    return found


def pca(spaces: np.ndarray, dims: int) -> np.ndarray:
    """Principal components on one basis for all systems.

    Each system is centred on its own mean, for a common shift of all names moves none against another; the basis is
    that of all systems together, so a direction on the chart is one direction of the space. Signs are such that the
    largest part of every component is positive.

    Args:
        spaces: Vectors, shape (systems, names, dim).
        dims: Components to keep; at most `dim` are given.

    Returns:
        Coordinates, float32, shape (systems, names, components).
    """
    centred = spaces - spaces.mean(1, keepdims=True, dtype=np.float64).astype(spaces.dtype)
    flat = centred.reshape(-1, spaces.shape[2]).astype(np.float64)
    _, basis = np.linalg.eigh(flat.T @ flat)  # of (dim, dim): quicker than a decomposition of all rows, and the same
    basis = basis[:, ::-1][:, :dims]
    largest = np.take_along_axis(basis, np.abs(basis).argmax(0)[None], axis=0)
    return (centred @ (basis * np.sign(largest))).astype(np.float32)


def umap_layouts(reduced: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """A layout of each system by itself (McInnes et al. 2018), float32, shape (names, 2), one after the other.

    Args:
        reduced: Vectors, shape (systems, names, dim), such as the `REDUCED` first principal components.
        seed: Of the layout; the same seed, library versions and kind of processor give the same layout.
    """
    import umap

    for vectors in reduced:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a seed allows one thread only
            layout = umap.UMAP(n_neighbors=_neighbours(vectors), random_state=seed, n_jobs=1)
            yield np.asarray(layout.fit_transform(vectors), np.float32)


def aligned_umap(reduced: np.ndarray, seed: int, regularisation: float = 0.05) -> np.ndarray:
    """One layout for all systems: each keeps its neighbourhoods, and a name stays near its place under the others.

    Args:
        reduced: Vectors, shape (systems, names, dim), of two systems or more.
        seed: Of the layout.
        regularisation: Pull between a name's places under neighbouring systems.

    Returns:
        Coordinates, float32, shape (systems, names, 2).
    """
    import umap

    same = {name: name for name in range(reduced.shape[1])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layout = umap.AlignedUMAP(
            n_neighbors=_neighbours(reduced[0]),
            alignment_regularisation=regularisation,
            alignment_window_size=len(reduced),
            random_state=seed,
        )
        layout.fit(list(reduced), relations=[same] * (len(reduced) - 1))
    return np.stack(layout.embeddings_).astype(np.float32)


def _neighbours(vectors: Sequence[object] | np.ndarray) -> int:
    """Neighbours of UMAP: 15 as in the paper, fewer in a space of a few names."""
    return max(2, min(15, len(vectors) - 1))


def _chunks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows of a matrix, each of at most `_CHUNK` cells."""
    step = max(1, _CHUNK // max(1, columns))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
