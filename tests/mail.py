"""A mail server on a free loopback port that answers as it is told, and keeps what it took."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

TAKEN = "250 OK"


@dataclass
class Mailbox:
    """What the server answers to recipients and to the text of a message, and the messages that it took."""

    port: int = 0
    to_recipient: str = TAKEN
    to_message: str = TAKEN
    refused: str = ""  # an address that is told 550
    hangs_up: bool = False
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
        if self.hangs_up:
            assert server.transport is not None
            server.transport.close()
        elif self.to_message == TAKEN:
            content: Any = envelope.content
            self.taken.append((envelope.rcpt_tos[0], message_from_bytes(content, policy=policy.default)))
        return self.to_message


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run the server for the time of a test."""
    mailbox = Mailbox(port=_free_port())
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
