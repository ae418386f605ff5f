"""The table of data sets: `sets.yaml` says what each one is, `files.csv` which files it has and which bytes they hold.

Another folder with two such files is another registry: a mirror, or data sets of one's own.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml

MAIN = "main"  # the part that the readers need
_GITHUB = "https://raw.githubusercontent.com"


class DownloadError(RuntimeError):
    """A data set is unknown, cannot be had, or has other bytes than it should; the message names the next step."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Attributes:
        part: `main`, or a part that most uses do not need.
        file: Where it lies in the folder of its data set, with `/`.
        url: Where it comes from.
        bytes: Its size; None if unknown.
        sha256: Its SHA-256; empty if unknown.
        git_blob_sha1: The name of its bytes in Git; empty if unknown. It is checked where the SHA-256 is unknown.
    """

    part: str
    file: str
    url: str
    bytes: int | None = None
    sha256: str = ""
    git_blob_sha1: str = ""

    @property
    def has_checksum(self) -> bool:
        """Whether its bytes can be checked."""
        return bool(self.sha256 or self.git_blob_sha1)


@dataclass(frozen=True, slots=True)
class Hub:
    """The data set on the Hugging Face hub.

    Attributes:
        id: Its name there, or a local folder of that layout.
        layout: How its rows become our files: a key of `hub.LAYOUTS`.
        configs: Its subsets, one per language where it has several.
    """

    id: str
    layout: str
    configs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set.

    Attributes:
        name: What a command calls it, and the name of its folder.
        title: Its name for people.
        stands_for: What it is in the paper.
        licence: As the source states it.
        citation: Whom to cite.
        sources: Where it is public: `owner/repository@commit`, or an address.
        files: All its files.
        parts: Names and contents of the parts beside `main`.
        page: Where its authors describe it; empty if the sources do.
        next: What to do by hand; empty if nothing.
        large: Whether a download is to be confirmed.
        hub: The same on the Hugging Face hub.
    """

    name: str
    title: str
    stands_for: str
    licence: str
    citation: str
    sources: tuple[str, ...]
    files: tuple[DataFile, ...]
    parts: dict[str, str]
    page: str = ""
    next: str = ""
    large: bool = False
    hub: Hub | None = None

    @property
    def where(self) -> str:
        """Its public sources, for people."""
        pages = (s if "://" in s else "github.com/" + s.replace("@", ", commit ") for s in self.sources)
        return "; ".join(filter(None, (self.page, *pages)))

    def part(self, names: Sequence[str] = (MAIN,)) -> tuple[DataFile, ...]:
        """The files of some parts; `all` is every part.

        Raises:
            DownloadError: If there is no such part.
        """
        for name in names:
            if name not in (MAIN, "all", *self.parts):
                known = ", ".join((MAIN, *self.parts, "all"))
                raise DownloadError(f"{self.name} has no part called {name!r}. It has: {known}.")
        return tuple(f for f in self.files if f.part in names or "all" in names)


def load(folder: Path | None = None) -> dict[str, DataSet]:
    """Read a registry.

    Args:
        folder: Folder with `sets.yaml` and `files.csv`; the project's own if None.

    Returns:
        The data sets by name.

    Raises:
        DownloadError: If a row names no known data set, source or part, or a path outside its folder.
    """
    folder = folder or Path(__file__).parent
    sets = yaml.safe_load((folder / "sets.yaml").read_text(encoding="utf-8"))
    files: dict[str, list[DataFile]] = {name: [] for name in sets}
    with (folder / "files.csv").open(encoding="utf-8", newline="") as rows:
        for line, row in enumerate(csv.DictReader(rows), 2):
            try:
                files[row["set"]].append(_file(row, sets[row["set"]]))
            except (KeyError, TypeError, ValueError) as error:
                raise DownloadError(f"{folder / 'files.csv'}:{line}: {error!r} in {row}. Mend the row.") from error
    try:
        return {name: _data_set(name, fields, files[name]) for name, fields in sets.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DownloadError(f"{folder / 'sets.yaml'}: {error!r}. Mend the entry.") from error


def find(sets: dict[str, DataSet], name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        DownloadError: If there is none; the message lists the names.
    """
    if name not in sets:
        raise DownloadError(f"There is no data set called {name!r}. There are: {', '.join(sets)}.")
    return sets[name]


def file_at(url: str) -> DataFile:
    """The file at an address of the user's own, under its last name there.

    Raises:
        DownloadError: If the address is not http(s) or ends in no file name.
    """
    parts = urlsplit(url)
    name = unquote(parts.path).rsplit("/", 1)[-1]
    if parts.scheme not in ("http", "https") or name in ("", ".", ".."):
        raise DownloadError(
            f"{url!r} is not the address of a file. Give one that begins with https:// and ends in one."
        )
    return DataFile(MAIN, _inside(name), url)


def _data_set(name: str, fields: dict[str, Any], files: list[DataFile]) -> DataSet:
    fields = dict(fields)
    hub = fields.pop("hub", None)
    return DataSet(
        **fields | {"sources": tuple(fields.get("sources", {}).values()), "parts": fields.get("parts", {})},
        name=name,
        files=tuple(files),
        hub=Hub(hub["id"], hub["layout"], tuple(hub["configs"].split())) if hub else None,
    )


def _file(row: dict[str, str], fields: dict[str, Any]) -> DataFile:
    if row["part"] not in (MAIN, *fields.get("parts", {})):
        raise ValueError(f"no part {row['part']!r}")
    source = fields["sources"][row["source"]]
    if "://" not in source:
        repository, commit = source.split("@")
        source = f"{_GITHUB}/{repository}/{commit}/"
    size = int(row["bytes"]) if row["bytes"] else None
    url = source + quote(row["path"])
    return DataFile(row["part"], _inside(row["file"]), url, size, row["sha256"], row["git_blob_sha1"])


def _inside(file: str) -> str:
    path = PurePosixPath(file)
    if not file or path.is_absolute() or any(p == ".." or p.startswith(".") for p in path.parts) or "\\" in file:
        raise ValueError(f"the path {file!r} leads out of its folder or is hidden")
    return file
