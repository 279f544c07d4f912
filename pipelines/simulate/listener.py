"""A plain HTTP/1.1 server on a free port of loopback, with the standard library alone.

It is there when `start` returns and gone when `stop` does: a test that opens one waits for nothing but its answers.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from urllib.parse import parse_qsl, unquote, urlsplit

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 60.0
LOOK_SECONDS = 0.01
"""How often it looks whether it shall end."""


@dataclass(frozen=True)
class Request:
    """One request: `verb` GET or POST, the path decoded, of a repeated parameter the last."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int
    content: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class _Sockets(ThreadingMixIn, TCPServer):
    """A thread per connection, none of which outlives the process."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """What fails is told, but not that a caller hung up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # the mixin leaves both untyped


class Listener:
    """Answers every request with `answer`, which is called from several threads."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._sockets = _Sockets((LOOPBACK, 0), _handler(answer), bind_and_activate=False)
        self._thread = threading.Thread(target=self._sockets.serve_forever, args=(LOOK_SECONDS,), daemon=True)

    @property
    def url(self) -> str:
        """Where it answers, once it was started."""
        host, port = self._sockets.socket.getsockname()
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Requests are taken from now on: those that come before its thread runs wait in the socket."""
        self._sockets.server_bind()
        self._sockets.server_activate()
        self._thread.start()

    def stop(self) -> None:
        """No connection is taken any more; what is being answered is answered."""
        self._sockets.shutdown()
        self._thread.join()
        self._sockets.server_close()


def _handler(answer: Callable[[Request], Reply]) -> type[BaseRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_SECONDS
        wbufsize = -1
        # An answer in two packets would wait for the other side to acknowledge the first.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the addresses hold tokens."""

        def _reply(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = answer(Request(self.command, unquote(parts.path), query, body))
            try:
                self._write(reply)
            except ConnectionError:
                self.close_connection = True  # the caller's patience ended

        def _write(self, reply: Reply) -> None:
            self.send_response(reply.status)
            named = {"Content-Type": reply.media_type, "Content-Length": str(len(reply.content))}
            for name, value in {**named, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.content)
            self.wfile.flush()

    return Handler
