"""A small server that stands before the real one, as a proxy does: it answers what a test wants, then passes on."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Scripted:
    """One answer of the front: status, headers, body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Front:
    """A running front: its address, and how many requests came."""

    url: str
    n_requests: int = 0


@contextlib.contextmanager
def a_front(
    target: str,
    answers: Sequence[Scripted] = (),
    *,
    port: int = 0,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Front]:
    """Answer the first requests as scripted and pass the rest on to the target while the block lasts.

    With certificate and key it speaks TLS.
    """
    waiting = list(answers)
    front = Front("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_CONNECT(self) -> None:
            self.answer()

        def answer(self) -> None:
            front.n_requests += 1
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply(waiting.pop(0) if waiting else self.passed_on(body))

        def passed_on(self, body: bytes) -> Scripted:
            connection = http.client.HTTPConnection(urlsplit(target).netloc, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            answer = Scripted(response.status, {"Content-Type": "application/json"}, response.read())
            connection.close()
            return answer

        def reply(self, answer: Scripted) -> None:
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    front.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
