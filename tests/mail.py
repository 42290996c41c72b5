"""Mail servers on a free loopback port that answer as they are told: one that keeps what it took, and one that is broken."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TAKEN = "250 OK"
CERTIFICATE = (
    Path(__file__).parent / "data" / "mail" / "server.pem"
)  # for localhost and 127.0.0.1, signed by itself


@dataclass
class Mailbox:
    """What the server answers to recipients and to the text of a message, and the messages that it took."""

    port: int = 0
    to_recipient: str = TAKEN
    to_message: str = TAKEN
    refused: str = ""  # an address that is told 550
    hangs_up: bool = False
    hangs_up_after: bool = False  # it takes the message, and nobody hears so
    password: str = ""
    n_connections: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connection."""
        session.host_name = hostname
        self.n_connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the recipient, or answer as told."""
        if address == self.refused:
            return "550 5.1.1 no such user"
        if self.to_recipient == TAKEN:
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message, answer as told, or drop the connection."""
        if not self.hangs_up and self.to_message == TAKEN:
            content: Any = envelope.content
            self.taken.append((envelope.rcpt_tos[0], message_from_bytes(content, policy=policy.default)))
        if self.hangs_up or self.hangs_up_after:
            assert server.transport is not None
            server.transport.close()
        return self.to_message

    def authenticates(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: Any
    ) -> AuthResult:
        """Take the one password."""
        is_known = isinstance(login, LoginPassword) and login.password == self.password.encode()
        return AuthResult(success=is_known)


@contextmanager
def mail_server(*, tls: str = "", password: str = "") -> Iterator[Mailbox]:
    """Run the server for the time of a test; `tls` is implicit or starttls."""
    mailbox = Mailbox(port=_free_port(), password=password)
    more: dict[str, Any] = {}
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        more = {"ssl_context": context} if tls == "implicit" else {"tls_context": context}
    if password:
        more |= {"authenticator": mailbox.authenticates, "auth_require_tls": False}
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **more)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


Conversation = Callable[[socket.socket, threading.Event], None]


@contextmanager
def broken_server(converse: Conversation) -> Iterator[int]:
    """Run a server that has its way with each connection for the time of a test; give its port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    line, _ = listener.accept()
                    with line:
                        converse(line, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def stays_silent(line: socket.socket, over: threading.Event) -> None:
    """Say nothing at all."""
    over.wait()


def drips(line: socket.socket, over: threading.Event) -> None:
    """Send a greeting that never ends, a letter at a time."""
    line.sendall(b"220-")
    while not over.wait(0.02):
        line.sendall(b"x")


def drips_when_it_has_the_text(line: socket.socket, over: threading.Event) -> None:
    """Take a message as a good server would, and drip where it should say that it is taken."""
    line.sendall(b"220 here\r\n")
    is_text = False
    for said in line.makefile("rb"):
        if is_text and said != b".\r\n":
            continue
        if is_text:
            drips(line, over)
            return
        is_text = said.startswith(b"data")
        line.sendall(b"354 go on\r\n" if is_text else b"250 yes\r\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
