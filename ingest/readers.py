"""Which reader a file of an upload needs: its first bytes say, never its name. Pure.

Whatever is no other format is read as JUnit XML. The others are written as their JUnit twin and go the same way, so that one
reader decides what a test is. They are UTF-8, or UTF-16 as Visual Studio and PowerShell write it.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, cast

from ingest import junit
from ingest.cases import Limits, refusal
from ingest.formats import ctrf, gotest, playwright, pytest_json, tap, trx
from ingest.recall import Memory
from ingest.twin import Told, written

HEAD_BYTES = 4_096
LARGEST_DOCUMENT = 200_000_000  # bytes of one JSON document, which is held in memory whole
LONGEST_LINE = 8_000_000
MARK = b"\xef\xbb\xbf"
# With its mark, or told by the zero beside the first character of a document.
WIDE = (
    *((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    *((b"<\0", "utf-16-le"), (b"{\0", "utf-16-le"), (b"\0<", "utf-16-be"), (b"\0{", "utf-16-be")),
)


def read(
    stream: BinaryIO,
    *,
    file_name: str,
    limits: Limits | None = None,
    environment: str = "",
    memory: Memory | None = None,
) -> junit.Reading:
    """Return the reading of one file; nothing but its beginning is read before its `cases` are asked for."""
    limits = limits or Limits()
    buffered = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(Any, stream), 65_536)
    )
    head = buffered.peek(HEAD_BYTES)
    chunks = _twin(head, buffered, file_name=file_name, limits=limits)
    source = buffered if chunks is None else chunks
    return junit.read(source, file_name=file_name, limits=limits, environment=environment, memory=memory)


def _twin(
    head: bytes, stream: io.BufferedReader, *, file_name: str, limits: Limits
) -> Iterable[bytes] | None:
    """Return the JUnit twin of a file in another format; None for what is left to the JUnit reader."""
    wide = next((codec for sign, codec in WIDE if head.startswith(sign)), "")
    narrow = head.decode(wide, "replace").encode() if wide else head
    start = narrow.removeprefix(MARK).lstrip()
    first = start.partition(b"\n")[0]
    if gotest.is_event(first):
        return written(gotest.results(_lines(_narrow(stream, wide))), properties=gotest.PROPERTIES)
    if start.startswith(b"{"):
        return _of_document(stream, file_name=file_name, limits=limits)
    if tap.is_start(first.decode(errors="replace")):
        lines = _lines(_narrow(stream, wide))
        return written(tap.results(line.decode(errors="replace") for line in lines))
    if trx.is_start(start):
        return written(
            _of_trx(_narrow(stream, wide), encoding="utf-8" if wide else None, file_name=file_name)
        )
    return None


def _narrow(stream: io.BufferedReader, wide: str) -> BinaryIO:
    return io.BufferedReader(Narrowed(stream, wide), 65_536) if wide else stream


class Narrowed(io.RawIOBase):
    """A stream of UTF-16 as UTF-8; what is no character becomes a sign for that."""

    def __init__(self, source: BinaryIO, codec: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        while not self._rest:
            chunk = self._source.read(65_536)
            self._rest = self._decoder.decode(chunk, not chunk).encode()
            if not chunk:
                break
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_LINE):
        yield line.removeprefix(MARK)


def _of_trx(stream: BinaryIO, *, encoding: str | None, file_name: str) -> Iterator[Told]:
    try:
        yield from trx.results(stream, encoding=encoding)
    except trx.Undecodable as error:
        sentence = f"The TRX file is not well-formed XML: {error}."
        raise refusal("malformed", sentence, file=file_name, line=error.line) from None


def _of_document(stream: BinaryIO, *, file_name: str, limits: Limits) -> Iterator[bytes]:
    """Yield the twin of a JSON document, or its own bytes where it is none that is known: log lines may precede a report."""
    most = min(LARGEST_DOCUMENT, limits.expanded_bytes)
    raw = stream.read(most + 1)
    if len(raw) > most:
        raise refusal("too-large", f"A JSON report may have {most:,} bytes at most.", file=file_name)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    for is_report, write in DOCUMENTS:
        if is_report(document):
            yield from write(document)
            return
    yield raw


def _playwright(document: Mapping[str, Any]) -> Iterator[bytes]:
    return written(playwright.results(document), root_id="")


def _pytest(document: Mapping[str, Any]) -> Iterator[bytes]:
    return written(pytest_json.results(document), root=pytest_json.ROOT)


def _ctrf(document: Mapping[str, Any]) -> Iterator[bytes]:
    return written(ctrf.results(document), root=ctrf.root(document))


DOCUMENTS: tuple[tuple[Callable[[object], bool], Callable[[Mapping[str, Any]], Iterator[bytes]]], ...] = (
    (ctrf.is_report, _ctrf),
    (pytest_json.is_report, _pytest),
    (playwright.is_report, _playwright),
)
