"""One address to one partial file: with resume, bounded retries, and no trust in servers."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.corpora.downloads.registry import DownloadError

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 16
_TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of the answer
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # states of a server that may be over soon
_LONGEST_WAIT = 60.0
_HELP = {
    401: "It asks for a login: get the file by hand and give its folder with --from.",
    403: "It refuses: get the file by hand and give its folder with --from.",
    404: "It is not there any more: look for it at the public source, and give its folder with --from.",
    410: "It was taken away: look for it at the public source, and give its folder with --from.",
}
Grown = Callable[[int, int | None], object]  # bytes so far, and in all if known


class Stopped(Exception):
    """The transfer was asked to stop; the partial file stays for the next call."""


class _Passing(Exception):
    """An attempt failed in a way that another one may mend."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def transfer(
    url: str,
    part: Path,
    size: int | None = None,
    checked: bool = True,
    grown: Grown = lambda done, total: None,
    stop: threading.Event | None = None,
    *,
    attempts: int = 5,
    pause: float = 1.0,
) -> bool:
    """Bring the bytes at `url` into `part`, going on with what is there.

    What is there is gone on with only if the server says by its ETag or date that the file is still the same, or if a
    checksum will tell. `part` with the suffix `.resume` keeps that ETag or date. An answer without a length ends where
    the connection does; only a known size or checksum can tell such a one from a broken one.

    Args:
        url: Where the bytes are.
        part: The partial file.
        size: How many bytes there should be; None if unknown.
        checked: Whether the caller checks the bytes afterwards.
        grown: Called as bytes come in.
        stop: Set from another thread to end the transfer.
        attempts: Failures in a row, none of which brought a new byte, before giving up.
        pause: Seconds before the second attempt; doubled each time.

    Returns:
        Whether the bytes came in more than one piece.

    Raises:
        DownloadError: If the server refuses or fails too often; `part` keeps what came.
        OSError: If the disk is full.
        Stopped: If `stop` was set.
    """
    stop = stop or threading.Event()
    failures, best, pieces = 0, _length(part), 0
    while True:
        pieces += 1 + (_length(part) > 0)
        try:
            _attempt(url, part, size, checked, grown, stop)
            return pieces > 1
        except _Passing as problem:
            failures, best = (0 if _length(part) > best else failures + 1), max(best, _length(part))
            if failures >= attempts:
                raise DownloadError(
                    f"{url}: {problem}, {attempts} times in a row. {_length(part):,} bytes are kept: call again later "
                    "to go on from there, or give a folder that has the file with --from."
                ) from problem
            if stop.wait(max(pause * 2 ** max(failures - 1, 0), problem.wait)):
                raise Stopped(url) from problem


def forget(part: Path) -> None:
    """Remove a partial file and what is known of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, size: int | None, checked: bool, grown: Grown, stop: threading.Event) -> None:
    import requests  # here, for every command imports this module, and few fetch anything
    import urllib3

    start, validator = _length(part), _validator(part)
    if (size is not None and start > size) or not (validator or checked):
        start = 0
    if start and start == size:
        return  # the last call ended between the last byte and the check
    headers = {"Accept-Encoding": "identity"}  # the bytes of the file, not of a compressed form of it
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": validator} if validator else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416 and _content_range(answer)[1] == start:
                return  # likewise, where the size was not known
            start, total = _begin(answer, url, part, start)
            _receive(answer, part, start, size, total, grown, stop)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Passing(f"no connection ({_plain(error)})") from error
    except requests.RequestException as error:
        raise DownloadError(f"{url}: {error}. Check the address, or give a folder with --from.") from error
    except urllib3.exceptions.HTTPError as error:
        raise _Passing(f"the connection broke ({_plain(error)})") from error
    have, due = _length(part), size if size is not None else total
    if due is not None and have < due:
        raise _Passing(f"the answer ended after {have:,} of {due:,} bytes")


def _begin(answer: "requests.Response", url: str, part: Path, start: int) -> tuple[int, int | None]:
    """Where the bytes of an answer go, and how many there are in all."""
    state = answer.status_code
    if state == 206 and start:
        first, total = _content_range(answer)
        if first != start:
            forget(part)
            raise _Passing(f"the server sent bytes from {first} instead of {start}")
        return start, total
    if state == 200:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"")  # first, so that old bytes never stand beside a new ETag
        etag = answer.headers.get("ETag", "")
        kept = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
        _note(part).write_text(json.dumps({"url": url, "validator": kept}), encoding="utf-8")
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    if state in (206, 416):  # our range is past the end: the file is another one now
        forget(part)
        raise _Passing(f"the server answers {state} to a range it offered")
    if state in _PASSING:
        wait = answer.headers.get("Retry-After", "")
        raise _Passing(f"the server answers {state}", min(float(wait), _LONGEST_WAIT) if wait.isdigit() else 0.0)
    hint = _HELP.get(state, "Look at the public source, or give a folder with --from.")
    raise DownloadError(f"{url}: the server answers {state} ({answer.reason}). {hint}")


def _receive(
    answer: "requests.Response",
    part: Path,
    start: int,
    size: int | None,
    total: int | None,
    grown: Grown,
    stop: threading.Event,
) -> None:
    due = size if size is not None else total
    done = start
    with part.open("ab" if start else "wb") as file:
        for piece in answer.raw.stream(CHUNK, decode_content=False):
            if stop.is_set():
                raise Stopped(str(part))
            file.write(piece)
            done += len(piece)
            grown(done, due)
            if size is not None and done > size:
                break  # the check will say so
        file.flush()
        os.fsync(file.fileno())


def _content_range(answer: "requests.Response") -> tuple[int, int | None]:
    """First byte and size of the whole out of `bytes 100-199/200`; (-1, None) if it cannot be read."""
    spans, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    first = spans.split("-")[0]
    return (int(first) if first.isdigit() else -1), (int(total) if total.isdigit() else None)


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.resume")


def _validator(part: Path) -> str:
    try:
        return str(json.loads(_note(part).read_text(encoding="utf-8"))["validator"])
    except (OSError, ValueError, KeyError):
        return ""  # written in part before a power cut: start over, or let the checksum tell


def _plain(error: Exception) -> str:
    """The kind of an error, out of what requests and urllib3 wrap around it."""
    inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    return type(getattr(inner, "reason", None) or inner).__name__
