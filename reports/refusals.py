"""Reads what a mail server, or a mail service's API, said: for now or for good, and in which words. Pure.

django-anymail's errors are told by their name and their `status_code`, since the package need not be there.
"""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

PERMANENT = range(500, 600)
PERMANENT_STATUS = frozenset({400, 413, 422})  # of an API: this letter to this reader is not wanted
MAIL_TROUBLE = (smtplib.SMTPException, OSError)  # a dropped connection, a refused one, a slow answer
SERVER_TROUBLE = (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError)


def is_permanent(problem: Exception) -> bool:
    """True when the server said no to this reader for good; trouble with our own address or login passes."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return all(code in PERMANENT for code, _ in problem.recipients.values())
    if isinstance(problem, smtplib.SMTPDataError):
        return problem.smtp_code in PERMANENT
    return _is_refused_by_api(problem) or _status(problem) in PERMANENT_STATUS


def is_about_the_address(problem: Exception) -> bool:
    """True when the server refused the reader's address for good, rather than the letter."""
    if _is_refused_by_api(problem):
        return True
    return isinstance(problem, smtplib.SMTPRecipientsRefused) and is_permanent(problem)


def is_about_the_server(problem: Exception) -> bool:
    """True when nothing can be handed over now, to whomever: nobody answers, or the login is not taken."""
    if isinstance(problem, smtplib.SMTPException):
        return isinstance(problem, SERVER_TROUBLE)
    if (status := _status(problem)) is not None:
        return status not in PERMANENT_STATUS
    return isinstance(problem, OSError)


def _is_refused_by_api(problem: Exception) -> bool:
    return type(problem).__name__ == "AnymailRecipientsRefused"


def _status(problem: Exception) -> int | None:
    status = getattr(problem, "status_code", None)
    return status if isinstance(status, int) else None


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
