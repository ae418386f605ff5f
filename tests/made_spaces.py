"""A made-up entity space of a few names, and of very many."""

import numpy as np

from core.runs.spaces import LAYOUTS, MEASURES, Space

LANGUAGES = ["en", "de", "ar", "zh"]


def made_space(entities: int = 6, layouts: tuple[str, ...] = tuple(LAYOUTS), seed: int = 0) -> Space:
    """Names of every entity in four languages under two systems; those of the second lie by entity."""
    random = np.random.default_rng(seed)
    names = entities * len(LANGUAGES)
    entity, language = np.repeat(np.arange(entities), len(LANGUAGES)), np.tile(np.arange(len(LANGUAGES)), entities)
    places = {}
    for layout in layouts:
        loose = random.normal(size=(names, 2))
        tight = np.stack([entity % 7, entity // 7], axis=1) + 0.1 * random.normal(size=(names, 2))
        places[layout] = np.stack([loose, tight]).astype(np.float32)
    near = (np.arange(names)[:, None] + np.arange(1, 4)) % names
    grid = random.random((2, len(LANGUAGES), len(LANGUAGES))).astype(np.float32)
    grid[:, np.arange(4), np.arange(4)] = np.nan
    rank = np.stack([1.0 + np.arange(names) % 12, np.ones(names)]).astype(np.float32)
    rank[0, 0] = np.nan
    return Space(
        systems=["backbone", "+Fusion"],
        languages=list(LANGUAGES),
        groups=["Sup", "Sup", "ZS-In", "ZS-Un"],
        entities=[f"e{number}" for number in range(entities)],
        kinds=["city" if number % 2 else "language" for number in range(entities)],
        text=[f"<b>name {e}</b> {LANGUAGES[code]}" for e, code in zip(entity, language, strict=True)],
        entity=entity.astype(np.int32),
        language=language.astype(np.int16),
        layouts=places,
        neighbours=np.stack([near, near]).astype(np.int32),
        rank=rank,
        pairs={key: grid * (number + 1) for number, key in enumerate(MEASURES)},
        uniformity=-random.random((2, len(LANGUAGES))).astype(np.float32),
        shared=np.full((4, 4), entities, np.int32),
        made={"task": "entity_alignment", "corpus": "tiny", "split": "test", "seed": seed, "seconds": 1.0},
    )
