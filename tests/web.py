"""A real HTTP server on this machine that misbehaves on request."""

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """Files by path, and what the next requests for each meet.

    A behaviour is a dict: `status` answers that; `drop` closes the connection after so many bytes; `stall` sends so many
    and then waits for `go`; `body` sends other bytes; `whole` ignores Range; `bare` sends no Content-Length; `etag`
    and `headers` replace headers. When the list of a path is used up, `always` goes on, or the file is served well.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    script: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, dict] = field(default_factory=dict)
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)  # path, Range, status
    headers: list[dict] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def ranges(self, path: str) -> list[str | None]:
        return [asked for p, asked, _ in self.requests if p == path]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        web: Web = self.server.web
        path = self.path.lstrip("/")
        act = web.script[path].pop(0) if web.script[path] else web.always.get(path, {})
        body = act.get("body", web.files.get(path))
        asked = self.headers.get("Range")
        status = act.get("status", 404 if body is None else 200)
        etag = act.get("etag", f'"{hashlib.md5(body or b"").hexdigest()}"')
        start = 0
        if status == 200 and asked and not act.get("whole") and self.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(body) else 416
        web.requests.append((path, asked, status))
        web.headers.append(dict(self.headers))
        self.send_response(status)
        for name, value in act.get("headers", {}).items():
            self.send_header(name, value)
        if status not in (200, 206):
            if status == 416:
                self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if etag:
            self.send_header("ETag", etag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if not act.get("bare"):
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        try:
            self.wfile.write(rest[: act.get("drop", act.get("stall", len(rest)))])
            if "stall" in act:
                self.wfile.flush()
                web.go.wait(30)
                self.wfile.write(rest[act["stall"] :])
        except OSError:
            pass  # the client was killed
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def serve() -> tuple[Web, ThreadingHTTPServer]:
    """A server in a thread; shut it down when done."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.web = Web()
    server.web.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server.web, server
