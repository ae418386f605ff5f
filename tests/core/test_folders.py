import pytest

from core.folders import made_whole, refuse_existing


def test_a_folder_appears_whole_and_replaces_an_old_one(tmp_path):
    target = tmp_path / "deep" / "made"
    for content in ("old", "new"):
        with made_whole(target) as room:
            (room / content).write_text(content)
            assert not (target / content).exists()
        assert [f.name for f in target.iterdir()] == [content]
    assert [f.name for f in target.parent.iterdir()] == ["made"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_failure_leaves_the_old_one_and_nothing_else(tmp_path):
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").touch()

    def fail() -> None:
        with made_whole(target) as room:
            (room / "new").touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [f.name for f in tmp_path.rglob("*")] == ["made", "old"]


def test_refuse_existing(tmp_path):
    target = tmp_path / "out"
    refuse_existing(target)
    target.mkdir()
    refuse_existing(target)  # an empty folder holds nothing to lose
    (target / "a").touch()
    for taken in (target, target / "a"):
        with pytest.raises(ValueError, match=f"{taken} exists and is not empty; name another folder"):
            refuse_existing(taken)
    assert (target / "a").exists()
