import pytest

from core import catalog, folders
from core.corpora.benchmarks import store
from core.folders import benchmark_folder, made_whole, refuse_existing


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


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Makes an (empty) benchmark of a name, and gives its folder."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def make(folder):
        folder.mkdir(parents=True)
        (folder / "benchmark.json").touch()
        return folder

    return make


def test_a_benchmark_by_name_and_by_path(tmp_path, built):
    assert folders.MANIFEST == store.MANIFEST
    named = built(tmp_path / "data" / "benchmarks" / "kbp37")
    assert benchmark_folder("kbp37") == named == folders.benchmarks_root() / "kbp37"
    assert benchmark_folder(named) == benchmark_folder(str(named)) == named
    elsewhere = built(tmp_path / "mine" / "relx")
    assert benchmark_folder("mine/relx").resolve() == elsewhere
    here = built(tmp_path / "kbp37")  # a folder that was asked for comes before a name
    assert benchmark_folder("kbp37").resolve() == here


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("kbp37", "workbench benchmark build kbp37"),
        ("dbp5l-extended", "workbench benchmark extend dbp5l --labels CORPUS"),
        ("relx-distant", "workbench benchmark build relx-distant"),
        ("xquad-split", "workbench benchmark build xquad --name xquad-split"),
        ("kbp73", "Did you mean 'kbp37'? Built: relx; `workbench benchmark build` knows: dbp5l, wk3l60k, "),
        ("zzz", "Built: relx; `workbench benchmark build` knows: dbp5l, wk3l60k, "),
        ("some/where", "There is no benchmark in some/where. Build one: workbench benchmark build --help."),
    ],
)
def test_a_benchmark_that_is_not_there(tmp_path, built, name, command):
    built(tmp_path / "data" / "benchmarks" / "relx")
    with pytest.raises(ValueError, match="There is no benchmark") as error:
        benchmark_folder(name)
    assert command in str(error.value)
    assert ("Did you mean" in str(error.value)) == (name == "kbp73")


def test_every_benchmark_of_the_catalog_says_how_it_is_built(built):
    names = [row.key for row in catalog.of_kind("benchmark")]
    assert names
    for name in names:
        with pytest.raises(ValueError, match=f"workbench benchmark build {name}$"):
            benchmark_folder(name)
