"""A request that is not taken, named for the sender: code, HTTP status, and a sentence that says what to do."""

from __future__ import annotations


class Refusal(Exception):
    """Raised wherever a request cannot be taken; ingest.api turns it into JSON."""

    def __init__(
        self,
        code: str,
        status: int,
        sentence: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.sentence = sentence
        self.field = field
        self.retry_after_s = retry_after_s
