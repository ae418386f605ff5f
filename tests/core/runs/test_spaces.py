"""Spaces on disk: what goes in comes out, and what is damaged is a sentence."""

import dataclasses

import numpy as np
import pytest

from core.runs.spaces import names_of_spaces, read_space, system_means, write_space
from core.runs.store import RunError
from tests.made_spaces import made_space


def test_a_space_comes_back_as_it_was(finished_run) -> None:
    space = made_space()
    space.layouts["umap"][1, 3] = np.nan  # a name without neighbours
    file = write_space(finished_run, "entity_alignment", space)
    assert file == finished_run.path / "space" / "entity_alignment.npz"
    assert names_of_spaces(finished_run) == ["entity_alignment"]
    found = read_space(finished_run, "entity_alignment")
    for field in dataclasses.fields(space):
        before, after = getattr(space, field.name), getattr(found, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after, err_msg=field.name)
        elif field.name == "pairs":
            for key in before:
                np.testing.assert_array_equal(before[key], after[key])
        elif field.name != "layouts":
            assert before == after, field.name
    assert list(found.layouts) == ["pca", "umap", "aligned"]
    for key, places in space.layouts.items():
        step = np.nanmax(np.abs(places)) / 1000
        np.testing.assert_allclose(found.layouts[key], places, atol=0.51 * step, err_msg=key)
    assert np.isnan(found.layouts["umap"][1, 3]).all()
    assert found.layouts["pca"].dtype == np.float32
    write_space(finished_run, "entity_alignment", made_space(entities=4))
    assert len(read_space(finished_run, "entity_alignment")) == 16
    assert [f.name for f in file.parent.iterdir()] == ["entity_alignment.npz"]  # nothing half-written is left


def test_neighbours_far_away_fit_too(finished_run) -> None:
    space = made_space(entities=9000)  # 36,000 names: differences beyond 16 bits
    space.neighbours[0, 0] = [35_999, 1, 2]
    write_space(finished_run, "large", space)
    np.testing.assert_array_equal(read_space(finished_run, "large").neighbours, space.neighbours)


def test_what_cannot_be_read_says_how_to_make_it_again(finished_run) -> None:
    with pytest.raises(RunError, match=r"has no entity space 'nothing'. Make one: workbench space"):
        read_space(finished_run, "nothing")
    assert names_of_spaces(finished_run) == []
    file = write_space(finished_run, "one", made_space())
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"PK" + whole[2:200]):
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"is damaged .*Make it again: workbench space"):
            read_space(finished_run, "one")
    with np.load(write_space(finished_run, "one", made_space())) as stored:
        arrays = dict(stored)
    with file.open("wb") as target:
        np.savez(target, **(arrays | {"entity": arrays["entity"][:-1]}))
    with pytest.raises(RunError, match="is damaged"):
        read_space(finished_run, "one")
    about = arrays["about"].tobytes().replace(b'"format": 1', b'"format": 9')
    with file.open("wb") as target:
        np.savez(target, **(arrays | {"about": np.frombuffer(about, np.uint8)}))
    with pytest.raises(RunError, match="another version"):
        read_space(finished_run, "one")


def test_means_are_over_the_pairs_of_the_languages_asked() -> None:
    space = made_space()
    hits = space.pairs["hits"][1]
    first, second = system_means(space, ["en", "ar"])
    assert first["system"] == "backbone"
    assert second["hits"] == pytest.approx((hits[0, 2] + hits[2, 0]) / 2)
    assert second["uniformity"] == pytest.approx((space.uniformity[1, 0] + space.uniformity[1, 2]) / 2)
    every = system_means(space)[1]["hits"]
    assert every == pytest.approx(sum(float(hits[a, b]) for a in range(4) for b in range(4) if a != b) / 12)
    assert np.isnan(system_means(space, ["en"])[0]["hits"])
