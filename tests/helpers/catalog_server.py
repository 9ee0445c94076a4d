"""A catalog service on loopback that misbehaves as it is told."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Handler"], None]


def text(body: str, status: int = 200, kind: str = "text/csv") -> Reply:
    """A well-behaved reply."""

    def reply(handler: Handler) -> None:
        data = body.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def broken(body: str, promised: int | None) -> Reply:
    """A reply that ends before what it promises, or without a word about its length."""

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        if promised is not None:
            handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return reply


def broken_pieces(body: str) -> Reply:
    """A reply in pieces whose last piece never comes."""

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(body) + 10:x}\r\n{body}".encode())

    return reply


def silent(seconds: float) -> Reply:
    """No reply for a while, then none at all."""

    def reply(handler: Handler) -> None:
        handler.server.stop.wait(seconds)

    return reply


def dripping(seconds: float) -> Reply:
    """A byte now and then, for ever."""

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and not handler.server.stop.wait(0.01):
                handler.wfile.write(b"1")
        except OSError:
            pass  # the client has lost patience

    return reply


def hung_up(handler: Handler) -> None:
    """The connection closed without a word."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        service = self.server.service
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        service.queries.append((parts.path, query))
        number = min(len(service.queries), len(service.replies)) - 1
        self.close_connection = True
        service.replies[number](self)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True


@dataclass
class Service:
    """The service: its address, the replies it gives one after the other, what it was asked."""

    url: str
    replies: list[Reply]
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def serve(*replies: Reply) -> Iterator[Service]:
    """Run a service; the last reply is repeated."""
    server = Server(("127.0.0.1", 0), Handler)
    server.stop = threading.Event()
    server.service = Service(f"http://127.0.0.1:{server.server_port}/webservices", list(replies))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.service
    finally:
        server.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
