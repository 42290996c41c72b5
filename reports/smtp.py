"""Django's SMTP backend with a limit to the whole time of a dialogue.

A socket's timeout counts anew with each byte, so a server that drips its answers would hold a worker for hours. Here a
clock ends the connection from outside, in whatever it is: the greeting, the handshake of TLS, or the answer to a letter.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from django.core.mail.backends import smtp
from django.core.mail.message import EmailMessage

WHOLE_SECONDS = 45.0  # to connect, and for each letter; a server that needs longer is asked again later


class Line:
    """A second hold on a connection's socket, with which another thread can end it."""

    def __init__(self) -> None:
        self._held: socket.socket | None = None
        self.is_cut = False

    def hold(self, connected: socket.socket) -> None:
        """Hold a socket that was just connected; TLS will wrap it, and the hold stays good."""
        self.drop()
        self._held = connected.dup()

    def cut(self) -> None:
        """End the connection, so that whoever waits for it goes on."""
        self.is_cut = True
        if self._held is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                self._held.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Let the socket go."""
        if self._held is not None:
            self._held.close()
            self._held = None


class _Plain(smtplib.SMTP):
    def __init__(self, line: Line, *args: Any, **kwargs: Any) -> None:
        self._line = line
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._line.hold(connected)
        return connected


class _Tls(smtplib.SMTP_SSL, _Plain):  # in this order, what is held is the socket before it is wrapped
    def __init__(self, line: Line, *args: Any, **kwargs: Any) -> None:
        self._line = line
        smtplib.SMTP_SSL.__init__(self, *args, **kwargs)


class EmailBackend(smtp.EmailBackend):
    """Send over SMTP, STARTTLS or TLS, and raise TimeoutError where a step takes longer than it may."""

    whole_seconds = WHOLE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line = Line()

    @property
    def connection_class(self) -> Any:
        """Return what Django calls to connect."""
        return self._connected

    def _connected(self, *args: Any, **kwargs: Any) -> smtplib.SMTP:
        kind = _Tls if self.use_ssl else _Plain
        return kind(self._line, *args, **kwargs)

    def open(self) -> bool | None:
        """Connect, within the time that may take."""
        with self._limited():
            return super().open()

    def close(self) -> None:
        """Say goodbye, within the time that may take."""
        try:
            with self._limited():
                super().close()
        finally:
            self._line.drop()

    def _send(self, email_message: EmailMessage) -> bool:
        with self._limited():
            return bool(super()._send(email_message))  # type: ignore[misc]

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        self._line.is_cut = False
        clock = threading.Timer(self.whole_seconds, self._line.cut)
        clock.daemon = True
        clock.start()
        try:
            yield
        except (smtplib.SMTPException, OSError) as problem:
            if self._line.is_cut:
                raise TimeoutError(f"No answer within {self.whole_seconds:g} seconds.") from problem
            raise
        finally:
            clock.cancel()
