"""Downloads against a real HTTP server that drops connections, sends wrong bytes, and changes its mind."""

import gzip
import hashlib
import json
import subprocess
import threading
from pathlib import Path

import pytest

from core.corpora.downloads import fetch, registry
from core.corpora.downloads.folder import RECORD, DataFolder
from core.corpora.downloads.registry import DataFile, DownloadError

BODY = bytes(range(256)) * 4000  # 1,024,000 bytes: many pieces
OTHER = bytes(reversed(range(256))) * 4000


def a_file(web, name: str = "a.bin", body: bytes = BODY, **fields) -> DataFile:
    """A file on the server, with all that can be known of it."""
    web.files[name] = body
    known = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return DataFile("main", name, web.url + name, **{**known, **fields})


def unknown(web, name: str = "a.bin", body: bytes = BODY) -> DataFile:
    return a_file(web, name, body, bytes=None, sha256="")


def get(target: Path, *files: DataFile, **options) -> fetch.Outcome:
    return fetch.download(files, target, **{"pause": 0.01, **options})


def leftovers(target: Path) -> list[str]:
    """Files beside those of the data set."""
    return sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file() and ".partial" in str(p))


def test_files_arrive_whole_and_are_not_fetched_again(web, tmp_path: Path) -> None:
    files = [a_file(web, f"d/{i}.bin", BODY[i:]) for i in range(9)]
    seen = []
    outcome = get(tmp_path, *files, progress=lambda done, total: seen.append((done, total)))
    assert sorted(outcome.placed) == [f.file for f in files]
    assert outcome.unchecked == {}
    assert all((tmp_path / f.file).read_bytes() == web.files[f.file] for f in files)
    assert leftovers(tmp_path) == []
    total = sum(map(len, web.files.values()))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    assert len(web.requests) == 9
    again = get(tmp_path, *files)
    assert (again.placed, sorted(again.here)) == ([], [f.file for f in files])
    assert len(web.requests) == 9
    assert all(h["Accept-Encoding"] == "identity" for h in web.headers)


def test_a_dropped_connection_is_gone_on_with(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.script[file.file] = [{"drop": 300_000}, {"drop": 200_000}]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY
    assert web.requests == [("a.bin", None, 200), ("a.bin", "bytes=300000-", 206), ("a.bin", "bytes=500000-", 206)]


def test_connections_that_bring_a_little_each_time_are_never_too_many(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.script[file.file] = [{"drop": 100_000} for _ in range(9)]
    get(tmp_path, file, attempts=2)
    assert (tmp_path / file.file).read_bytes() == BODY
    assert len(web.requests) == 9 + 1


def test_a_server_that_always_drops_is_given_up_and_gone_on_with_later(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.script[file.file] = [{"drop": 400_000}, *({"drop": 0} for _ in range(3))]
    with pytest.raises(DownloadError, match=r"3 times in a row\. 400,000 bytes are kept"):
        get(tmp_path, file, attempts=3)
    assert not (tmp_path / file.file).exists()
    assert DataFolder(tmp_path).state((file,)) == "partial"
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY
    assert web.ranges("a.bin")[-1] == "bytes=400000-"
    assert DataFolder(tmp_path).state((file,)) == "here"


def test_a_server_that_ignores_ranges_starts_over(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.script[file.file] = [{"drop": 300_000}, {"whole": True}]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY
    assert [status for *_, status in web.requests] == [200, 200]


def test_a_server_that_ignores_ranges_and_always_drops_ends(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.always[file.file] = {"drop": 300_000, "whole": True}
    with pytest.raises(DownloadError, match="3 times in a row"):
        get(tmp_path, file, attempts=3)
    assert len(web.requests) == 4


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_between_two_attempts_is_not_mixed(web, tmp_path: Path, known: bool) -> None:
    file = a_file(web, body=OTHER) if known else unknown(web, body=OTHER)
    web.script[file.file] = [{"drop": 300_000, "body": BODY}]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == OTHER
    assert web.requests == [("a.bin", None, 200), ("a.bin", "bytes=300000-", 200)]  # If-Range did not hold


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_the_checksum_finds_a_mixture(web, tmp_path: Path, etag: str) -> None:
    file = a_file(web, body=OTHER)
    web.always[file.file] = {"etag": etag}
    web.script[file.file] = [{"drop": 300_000, "body": BODY, "etag": etag}, {"etag": etag}]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == OTHER
    assert web.ranges("a.bin") == [None, "bytes=300000-", None]
    assert "If-Range" not in web.headers[1]


def test_without_etag_and_checksum_a_partial_file_is_not_trusted(web, tmp_path: Path) -> None:
    file = unknown(web, body=OTHER)
    web.always[file.file] = {"etag": ""}
    web.script[file.file] = [{"drop": 300_000, "body": BODY, "etag": ""}]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == OTHER
    assert web.ranges("a.bin") == [None, None]


def test_a_date_serves_where_there_is_no_etag(web, tmp_path: Path) -> None:
    file, date = unknown(web), "Wed, 21 Oct 2015 07:28:00 GMT"
    web.always[file.file] = {"etag": "", "headers": {"Last-Modified": date}}
    web.script[file.file] = [{"drop": 300_000, **web.always[file.file]}]
    get(tmp_path, file)
    assert web.headers[1]["If-Range"] == date
    assert (tmp_path / file.file).read_bytes() == BODY


@pytest.mark.parametrize("body", [OTHER, BODY[:-1], BODY + b"x"], ids=["other", "short", "long"])
def test_wrong_bytes_never_get_the_name(web, tmp_path: Path, body: bytes) -> None:
    file = a_file(web)
    web.always[file.file] = {"body": body}
    with pytest.raises(DownloadError) as error:
        get(tmp_path, file, attempts=2)
    assert not (tmp_path / file.file).exists()
    found = f"{len(body):,} bytes" if len(body) != len(BODY) else hashlib.sha256(body).hexdigest()
    due = f"{len(BODY):,}" if len(body) != len(BODY) else file.sha256
    assert all(word in str(error.value) for word in ("a.bin from", f"{found} instead of {due}", "--from", ".wrong"))
    assert leftovers(tmp_path) == [".partial/a.bin.wrong"]
    del web.always[file.file]
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY


@pytest.mark.parametrize(("status", "hint"), [(404, "not there any more"), (403, "refuses"), (410, "taken away")])
def test_a_refusal_is_final_and_says_what_to_do(web, tmp_path: Path, status: int, hint: str) -> None:
    file = a_file(web)
    web.always[file.file] = {"status": status}
    with pytest.raises(DownloadError) as error:
        get(tmp_path, file)
    assert all(word in str(error.value) for word in (file.url, str(status), hint, "--from"))
    assert len(web.requests) == 1


def test_passing_states_of_a_server_are_waited_for(web, tmp_path: Path) -> None:
    file = a_file(web)
    web.script[file.file] = [{"status": 500}, {"status": 503, "headers": {"Retry-After": "1"}}, {"status": 429}]
    get(tmp_path, file)
    assert [status for *_, status in web.requests] == [500, 503, 429, 200]
    web.always["b.bin"] = {"status": 502}
    with pytest.raises(DownloadError, match="answers 502, 2 times in a row"):
        get(tmp_path, a_file(web, "b.bin"), attempts=2)


def test_nobody_answers(tmp_path: Path) -> None:
    file = DataFile("main", "a.bin", "http://127.0.0.1:9/a.bin", 1, "0" * 64)
    with pytest.raises(DownloadError, match="no connection"):
        get(tmp_path, file, attempts=2)


def test_a_partial_file_longer_than_the_whole_starts_over(web, tmp_path: Path) -> None:
    for file in (a_file(web), unknown(web, "b.bin", BODY)):
        part = DataFolder(tmp_path).partial(file.file)
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(OTHER + OTHER)
        etag = f'"{hashlib.md5(BODY).hexdigest()}"'
        part.with_name(f"{part.name}.resume").write_text(json.dumps({"validator": etag}), encoding="utf-8")
        get(tmp_path, file)
        assert (tmp_path / file.file).read_bytes() == BODY
    assert [status for *_, status in web.requests] == [200, 416, 200]


@pytest.mark.parametrize("known", [True, False])
def test_killed_between_the_last_byte_and_the_name(web, tmp_path: Path, known: bool) -> None:
    file = a_file(web) if known else unknown(web)
    part = DataFolder(tmp_path).partial(file.file)
    part.parent.mkdir()
    part.write_bytes(BODY)
    etag = f'"{hashlib.md5(BODY).hexdigest()}"'
    part.with_name(f"{part.name}.resume").write_text(json.dumps({"validator": etag}), encoding="utf-8")
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY
    assert [status for *_, status in web.requests] == ([] if known else [416])


def test_a_torn_resume_note_is_no_reason_to_fail(web, tmp_path: Path) -> None:
    file = unknown(web)
    part = DataFolder(tmp_path).partial(file.file)
    part.parent.mkdir()
    part.write_bytes(OTHER[:100])
    part.with_name(f"{part.name}.resume").write_text('{"valid', encoding="utf-8")
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == BODY


def test_answers_without_a_length(web, tmp_path: Path) -> None:
    known, loose = a_file(web), unknown(web, "b.bin")
    web.script["a.bin"] = [{"bare": True, "drop": 300_000}, {"bare": True}]
    web.always["b.bin"] = {"bare": True}
    get(tmp_path, known, loose)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes() == BODY
    assert web.ranges("a.bin") == [None, "bytes=300000-"]


def test_compressed_files_are_not_unpacked_on_the_way(web, tmp_path: Path) -> None:
    file = a_file(web, "a.json.gz", gzip.compress(BODY))
    web.always[file.file] = {"headers": {"Content-Encoding": "gzip"}}  # as some servers label such files
    get(tmp_path, file)
    assert (tmp_path / file.file).read_bytes() == web.files[file.file]


def test_two_calls_at_once_fetch_once(web, tmp_path: Path) -> None:
    files = [a_file(web, f"{i}.bin", BODY[i:]) for i in range(6)]
    web.script["0.bin"] = [{"stall": 1000}]
    outcomes = []
    calls = [threading.Thread(target=lambda: outcomes.append(get(tmp_path, *files))) for _ in range(2)]
    for call in calls:
        call.start()
    calls[0].join(0.3)
    web.go.set()
    for call in calls:
        call.join(20)
    assert sorted(len(o.placed) for o in outcomes) == [0, 6]
    assert len(web.requests) == 6
    assert all((tmp_path / f.file).read_bytes() == web.files[f.file] for f in files)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(web, tmp_path: Path) -> None:
    file = unknown(web)
    part = DataFolder(tmp_path).partial(file.file)
    part.parent.mkdir()
    part.symlink_to("/dev/full")  # every write to it fails as on a full disk
    with pytest.raises(DownloadError, match=r"disk of .* is full.*a\.bin"):
        get(tmp_path, file)
    assert not (tmp_path / file.file).exists()
    with pytest.raises(DownloadError, match=r"bytes free, but 1,000,000,000,000,000 are to come"):
        get(tmp_path, a_file(web, "b.bin", bytes=10**15))
    assert "b.bin" not in {path for path, *_ in web.requests}


def test_one_failure_stops_the_others_and_keeps_what_came(web, tmp_path: Path) -> None:
    files = [a_file(web, f"{i}.bin", BODY[i:]) for i in range(12)]
    web.always["1.bin"] = {"status": 404}
    web.script["0.bin"] = [{"stall": 300_000}]
    threading.Timer(0.5, web.go.set).start()
    with pytest.raises(DownloadError, match=r"1\.bin"):
        get(tmp_path, *files)
    del web.always["1.bin"]
    get(tmp_path, *files)
    assert all((tmp_path / f.file).read_bytes() == web.files[f.file] for f in files)


def test_wrong_bytes_under_the_name_are_moved_aside(web, tmp_path: Path) -> None:
    file = a_file(web)
    (tmp_path / file.file).write_bytes(OTHER)
    outcome = get(tmp_path, file)
    assert outcome.replaced == [file.file]
    assert (tmp_path / file.file).read_bytes() == BODY
    assert (tmp_path / ".partial" / "a.bin.old").read_bytes() == OTHER


def test_without_a_checksum_the_one_found_is_recorded(web, tmp_path: Path) -> None:
    file = unknown(web)
    found = hashlib.sha256(BODY).hexdigest()
    assert get(tmp_path, file).unchecked == {"a.bin": found}
    record = json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))
    assert (record["a.bin"]["sha256"], record["a.bin"]["source"]) == (found, file.url)
    assert get(tmp_path, file).here == ["a.bin"]
    assert len(web.requests) == 1
    (tmp_path / "a.bin").write_bytes(OTHER)  # changed since
    assert get(tmp_path, file).replaced == ["a.bin"]
    by_hand = tmp_path / "b.bin"
    by_hand.write_bytes(OTHER)  # put there by the user: nothing says that it is wrong
    assert get(tmp_path, unknown(web, "b.bin")).here == ["b.bin"]
    assert by_hand.read_bytes() == OTHER


def test_a_lost_record_costs_a_look_and_no_download(web, tmp_path: Path) -> None:
    file = a_file(web)
    get(tmp_path, file)
    (tmp_path / RECORD).write_text("{", encoding="utf-8")
    assert get(tmp_path, file).here == ["a.bin"]
    assert len(web.requests) == 1
    assert json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))["a.bin"]["sha256"] == file.sha256


def test_git_names_serve_where_the_sha256_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    path = tmp_path / "from" / "a.bin"
    path.write_bytes(BODY)
    blob = subprocess.run(["git", "hash-object", "--no-filters", path], capture_output=True, text=True, check=True)
    file = DataFile("main", "a.bin", "http://127.0.0.1:9/", len(BODY), "", blob.stdout.strip())
    assert fetch.take("a", [file], tmp_path / "from", tmp_path / "to").placed == ["a.bin"]
    path.write_bytes(OTHER)
    with pytest.raises(DownloadError, match=f"Git blob SHA-1 .* instead of {file.git_blob_sha1}"):
        fetch.take("a", [file], tmp_path / "from", tmp_path / "to2")


def test_missing_files_are_listed_and_nothing_is_copied(web, tmp_path: Path) -> None:
    files = [a_file(web, f"d/{i}.bin", BODY[i:]) for i in range(8)]
    (tmp_path / "from" / "d").mkdir(parents=True)
    (tmp_path / "from" / "d" / "0.bin").write_bytes(BODY)
    with pytest.raises(
        DownloadError, match=r"7 of 8 files are neither in .*/from/s nor in .*/from: d/1\.bin, .*, \.\.\."
    ):
        fetch.take("s", files, tmp_path / "from", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_every_real_set_can_be_taken(shared_data: Path, tmp_path: Path) -> None:
    names = {p.parent.name for p in shared_data.glob("*/README.md")}
    assert len(names) == 14
    for data in registry.load().values():
        if data.name not in names:
            continue
        target = tmp_path / data.name
        source = shared_data if data.name < "r" else shared_data / data.name  # both layouts
        outcome = fetch.take(data.name, data.part(), source, target)
        assert sorted(outcome.placed) == sorted(f.file for f in data.part())
        there = {p.relative_to(shared_data / data.name) for p in (shared_data / data.name).rglob("*") if p.is_file()}
        there -= {Path("README.md")}
        here = {p.relative_to(target) for p in target.rglob("*") if p.is_file() and not p.name.startswith(".")}
        assert here == there
        assert all((target / p).read_bytes() == (shared_data / data.name / p).read_bytes() for p in here)
