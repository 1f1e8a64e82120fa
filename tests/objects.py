"""What of S3 a reader asks for: an object, how long it is, and parts of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["served"]


class _Objects(BaseHTTPRequestHandler):
    "Objects are files; whoever asks may read them."

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, whole):
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        path = self.server.buckets.get(bucket, Path("/nowhere")) / key
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        first, last = 0, len(data) - 1
        if told := self.headers.get("Range", "").removeprefix("bytes="):
            low, _, high = told.partition("-")
            first, last = (int(low), int(high or last)) if low else (len(data) - int(high), last)
        part = data[first : last + 1]
        self.send_response(206 if told else 200)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 00:00:00 GMT")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()
        if whole:
            self.wfile.write(part)

    def log_message(self, *_):
        "Nobody reads it."


@contextmanager
def served() -> Iterator[tuple[str, dict[str, Path]]]:
    "The address of a store, and the folder of each of its buckets, to be filled in."
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Objects)
    server.buckets = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.buckets
    finally:
        server.shutdown()
        server.server_close()
