"""Reads what a mail server said: for now or for good, and in which words. Pure."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

PERMANENT = range(500, 600)
MAIL_TROUBLE = (smtplib.SMTPException, OSError)  # a dropped connection, a refused one, a slow answer
SERVER_TROUBLE = (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError)


def is_permanent(problem: Exception) -> bool:
    """True when the server said no to this reader for good; trouble with our own address or login passes."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return all(code in PERMANENT for code, _ in problem.recipients.values())
    return isinstance(problem, smtplib.SMTPDataError) and problem.smtp_code in PERMANENT


def is_about_the_address(problem: Exception) -> bool:
    """True when the server refused the reader's address for good, rather than the letter."""
    return isinstance(problem, smtplib.SMTPRecipientsRefused) and is_permanent(problem)


def is_about_the_server(problem: Exception) -> bool:
    """True when nothing can be handed over now, to whomever: nobody answers, or the login is not taken."""
    if isinstance(problem, smtplib.SMTPException):
        return isinstance(problem, SERVER_TROUBLE)
    return isinstance(problem, OSError)


def words_of(problem: Exception) -> str:
    """Return what the server said, as it said it."""
    answers: Sequence[tuple[int, bytes]] = ()
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        answers = list(problem.recipients.values())
    elif isinstance(problem, smtplib.SMTPResponseException):
        text = problem.smtp_error
        answers = [(problem.smtp_code, text if isinstance(text, bytes) else text.encode())]
    said = "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in answers)
    return said or str(problem) or repr(problem)
