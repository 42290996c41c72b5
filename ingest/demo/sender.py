"""Send deliveries to a running server as CI does: multipart, gzipped, over a few kept connections.

Knows HTTP and the upload API; reports nothing but numbers, and leaves projects and tokens to the command.
"""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from ingest.demo.reports import files
from ingest.demo.story import Delivery

UPLOADS_PATH = "/api/v1/uploads"
N_CONNECTIONS = 3  # enough to keep a small server busy while one upload is being written
BOUNDARY = b"webshop-report-boundary"  # always the same, so that the same delivery is the same bytes
COMPRESSION = 3  # smaller takes longer than sending it to a near server
TIMEOUT_S = 60
N_BROKEN_CONNECTIONS = 5  # in a row, before the server is taken for gone
RETRY_AFTER_S = 1.0  # when the server names no time


class SendingFailed(Exception):
    """The server refused a delivery or went away; the sentence says what it answered."""


class Sender:
    """Sends deliveries in order from a few threads; `n_sent` and `n_new` may be watched meanwhile."""

    def __init__(self, deliveries: Sequence[Delivery], *, base_url: str, token: str) -> None:
        self._waiting: Iterator[Delivery] = iter(deliveries)
        self._base = urlsplit(base_url)
        self._token = token
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(N_CONNECTIONS)]
        self.n_sent = 0
        self.n_new = 0

    def start(self) -> None:
        """Begin to send; returns at once."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until nothing is under way."""
        for thread in self._threads:
            thread.join()

    @property
    def is_busy(self) -> bool:
        """True while deliveries are under way; raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        return any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        connection = self._connection()
        try:
            while (delivery := self._next()) is not None:
                status = self._send(connection, delivery)
                with self._lock:
                    self.n_sent += 1
                    self.n_new += status == HTTPStatus.ACCEPTED
        except (OSError, http.client.HTTPException, SendingFailed) as failure:
            self._failure = failure
        finally:
            connection.close()

    def _next(self) -> Delivery | None:
        with self._lock:
            return None if self._failure is not None else next(self._waiting, None)

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
        return kind(self._base.hostname or "localhost", self._base.port, timeout=TIMEOUT_S)

    def _send(self, connection: http.client.HTTPConnection, delivery: Delivery) -> int:
        """Send until the server takes it: 202 for a new upload, 200 for one it has; wait when it asks to."""
        body = gzip.compress(multipart(delivery), COMPRESSION, mtime=0)
        n_broken = 0
        while True:
            try:
                status, retry_after, answer = self._post(connection, body)
            except (OSError, http.client.HTTPException):
                n_broken += 1
                connection.close()
                if n_broken == N_BROKEN_CONNECTIONS:
                    raise
                time.sleep(RETRY_AFTER_S)
                continue
            if status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
                return status
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise SendingFailed(f"{delivery.run.key}, {delivery.job.value}: {status} {_sentence(answer)}")
            time.sleep(retry_after)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, float, bytes]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}",
            "Content-Encoding": "gzip",
        }
        connection.request("POST", self._base.path.rstrip("/") + UPLOADS_PATH, body, headers)
        response = connection.getresponse()
        answer = response.read()
        return response.status, float(response.getheader("Retry-After") or RETRY_AFTER_S), answer


def multipart(delivery: Delivery) -> bytes:
    """Return the body of the delivery: its fields, then its files."""
    parts = []
    for name, value in delivery.fields.items():
        parts.append(_part(f'name="{name}"', value.encode()))
    for report in delivery.reports:
        for name, content in files(report):
            parts.append(
                _part(f'name="file"; filename="{name}"', content, kind=b"Content-Type: application/xml\r\n")
            )
    return b"".join((*parts, b"--", BOUNDARY, b"--\r\n"))


def _part(disposition: str, content: bytes, *, kind: bytes = b"") -> bytes:
    opening = f"Content-Disposition: form-data; {disposition}\r\n".encode()
    return b"".join((b"--", BOUNDARY, b"\r\n", opening, kind, b"\r\n", content, b"\r\n"))


def _sentence(answer: bytes) -> str:
    """Return what the server says is wrong, in its own words where it has some."""
    try:
        return json.dumps(json.loads(answer), ensure_ascii=False)
    except ValueError:
        return answer[:200].decode(errors="replace")
